"""Verification of the chain and of the reads sealed into it, in constant memory."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from django.db import transaction
from django.utils import timezone

from kinward_web.audit.chain import GENESIS, append, link_hash
from kinward_web.audit.models import AuditEvent, ReadEvent
from kinward_web.audit.reads import SEALED, batch_digest

if TYPE_CHECKING:
    from kinward_web.accounts.api import Actor

__all__ = [
    "UNSEALED_LIMIT",
    "VERIFIED",
    "Fault",
    "Head",
    "Verification",
    "head",
    "record_verification",
    "verify",
]

UNSEALED_LIMIT = timedelta(hours=24)
"""A read that waits longer for its seal is a fault: sealing has stopped."""
VERIFIED = "audit.verified"
"""Act of the event that says what a verification found."""
_KEPT = 100
"""Faults described; further ones are only counted."""
_CHUNK = 1000


@dataclass(frozen=True, slots=True)
class Head:
    """The last link of a chain, to be written down where the database's owner cannot reach."""

    sequence: int
    hash: str

    @staticmethod
    def parse(text: str) -> Head:
        """Read `SEQUENCE:HASH`.

        :raises ValueError: not of that form.
        """
        match = re.fullmatch(r"([1-9][0-9]*):([0-9a-fA-F]{64})", text.strip())
        if not match:
            raise ValueError("write the head as SEQUENCE:HASH, the hash with 64 hexadecimal digits")
        return Head(int(match[1]), match[2].lower())

    def __str__(self) -> str:
        return f"{self.sequence}:{self.hash}"


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing wrong with the chain."""

    code: str
    """`gap`, `altered`, `previous`, `key`, `batch`, `unsealed`, `stray`, `rewritten`, `cut`."""
    sequence: int | None
    """Link at which it shows; None where no single link is concerned."""
    message: str


@dataclass(frozen=True, slots=True)
class Verification:
    """What a verification found."""

    at: datetime
    count: int
    """Links read."""
    reads: int
    """Reads in sealed batches."""
    waiting: int
    """Reads that wait for their seal."""
    head: Head | None
    faults: tuple[Fault, ...]
    """The first faults, at most 100."""
    more: int = 0
    """Faults beyond those."""

    @property
    def sound(self) -> bool:
        """Whether nothing is wrong."""
        return not self.faults


@dataclass(slots=True)
class _Faults:
    """Collects the first faults and counts the others."""

    kept: list[Fault] = field(default_factory=list)
    more: int = 0

    def add(self, code: str, sequence: int | None, message: str) -> None:
        if len(self.kept) < _KEPT:
            self.kept.append(Fault(code, sequence, message))
        else:
            self.more += 1


def head(using: str = "default") -> Head | None:
    """Return the last link's sequence and hash; None while the chain is empty.

    :param using: alias of the database connection, for a snapshot.
    """
    links = AuditEvent.objects.using(using).order_by("-sequence")
    last = links.values_list("sequence", "hash").first()
    return Head(*last) if last else None


def verify(expected: Iterable[Head] = (), moment: datetime | None = None) -> Verification:
    """Recompute the whole chain and every sealed batch.

    :param expected: heads noted earlier; each shows that nothing up to it was rewritten or cut.
        Without one, a chain rewritten as a whole, or cut at its end, looks sound.
    """
    now = moment or timezone.now()
    noted: dict[int, set[str]] = {}
    for item in expected:
        noted.setdefault(item.sequence, set()).add(item.hash)
    faults = _Faults()
    before, previous, count, reads = 0, GENESIS, 0, 0
    for event in AuditEvent.objects.order_by("sequence").iterator(chunk_size=_CHUNK):
        count += 1
        _check_link(event, before, previous, faults)
        if noted.pop(event.sequence, {event.hash}) != {event.hash}:
            faults.add(
                "rewritten", event.sequence, "the hash is not the one that was noted elsewhere"
            )
        if event.act == SEALED:
            reads += _check_batch(event, faults)
        before, previous = event.sequence, event.hash
    for sequence in sorted(noted):
        faults.add("cut", sequence, "a link that was noted elsewhere is gone")
    waiting = _check_unsealed(now, faults)
    return Verification(
        at=now,
        count=count,
        reads=reads,
        waiting=waiting,
        head=Head(before, previous) if count else None,
        faults=tuple(faults.kept),
        more=faults.more,
    )


def record_verification(actor: Actor, found: Verification) -> None:
    """Write into the chain that `actor` verified it, and what was found."""
    with transaction.atomic():
        append(
            actor,
            VERIFIED,
            detail={
                "count": found.count,
                "faults": len(found.faults) + found.more,
                "head": str(found.head or ""),
            },
        )


def _check_link(event: AuditEvent, before: int, previous: str, faults: _Faults) -> None:
    sequence = event.sequence
    if sequence != before + 1:
        faults.add("gap", sequence, f"follows {before}: {sequence - before - 1} missing")
    if event.pk != sequence:
        faults.add("key", sequence, "the key of the row is not its sequence")
    if event.previous != previous:
        faults.add("previous", sequence, "does not continue the link before it")
    try:
        intact = link_hash(event) == event.hash
    except (TypeError, ValueError):
        intact = False
    if not intact:
        faults.add("altered", sequence, "the row was altered after it was written")


def _check_batch(event: AuditEvent, faults: _Faults) -> int:
    """Compare the reads under a seal with what it says; return their number."""
    count, first, last, digest = batch_digest(ReadEvent.objects.filter(seal=event))
    found = {"count": count, "first": first, "last": last, "sha256": digest}
    if found != event.detail:
        stated = event.detail.get("count") if isinstance(event.detail, dict) else None
        faults.add(
            "batch",
            event.sequence,
            f"sealed reads were altered, added or removed: {stated} sealed, {count} found",
        )
    return count


def _check_unsealed(now: datetime, faults: _Faults) -> int:
    """Look for reads under a wrong seal, or long without one; return how many wait."""
    stray = ReadEvent.objects.filter(seal__isnull=False).exclude(seal__act=SEALED)
    for key in stray.values_list("pk", flat=True).iterator(chunk_size=_CHUNK):
        faults.add("stray", None, f"read {key} stands under a link that seals nothing")
    waiting = ReadEvent.objects.filter(seal__isnull=True)
    late = waiting.filter(at__lt=now - UNSEALED_LIMIT).count()
    if late:
        faults.add("unsealed", None, f"{late} reads have waited more than a day for their seal")
    return waiting.count()
