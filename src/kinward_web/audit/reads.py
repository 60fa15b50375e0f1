"""Reads: written cheaply one by one, then sealed into the chain batch by batch.

Between its writing and its sealing a read can be deleted without a trace, so batches are small and
sealed soon: at the end of the request in which `SEAL_SIZE` reads of this process wait or the oldest
has waited for `SEAL_AGE`, and by `kinward manage seal_reads`.
"""

from __future__ import annotations

import base64
import hashlib
import logging
import threading
from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from django.db import transaction
from django.db.models import QuerySet
from django.utils import timezone

from kinward_web.audit.chain import append, canonical
from kinward_web.audit.models import ReadEvent
from kinward_web.audit.purposes import Purpose

if TYPE_CHECKING:
    from kinward_web.accounts.api import Actor

__all__ = [
    "SEALED",
    "SEAL_AGE",
    "SEAL_SIZE",
    "batch_digest",
    "list_subject",
    "record_list_read",
    "record_read",
    "seal_after_request",
    "seal_reads",
]

SEALED = "read.sealed"
"""Act of the event that seals a batch."""
SEAL_SIZE = 100
"""Waiting reads of one process that are sealed at the end of the request."""
SEAL_AGE = timedelta(minutes=5)
"""Longest wait of a read before the next request seals it."""
_BATCH = 500
"""Most reads in one batch, which bounds memory and the length of statements."""

_log = logging.getLogger(__name__)


class _Waiting:
    """What this process wrote since it last sealed; other processes count their own."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._count = 0
        self._since: datetime | None = None

    def add(self, moment: datetime) -> None:
        """Count one read."""
        with self._lock:
            self._count += 1
            self._since = self._since or moment

    def take_if_due(self, moment: datetime) -> bool:
        """Say whether to seal now, and if so start counting anew."""
        with self._lock:
            due = self._since is not None and (
                self._count >= SEAL_SIZE or moment - self._since >= SEAL_AGE
            )
            if due:
                self._count, self._since = 0, None
            return due


_waiting = _Waiting()


def record_read(
    actor: Actor, purpose: Purpose | str, act: str, subject: str, moment: datetime | None = None
) -> None:
    """Record that `actor` looked at `subject`, for instance `case.read` of `case:K7QM-3T9X-B2`.

    What Kinward reads by itself is not recorded: no person sees it.

    :raises ValueError: `purpose` is not in `PURPOSES`.
    """
    named = Purpose(purpose)
    if actor.user_id is None:
        return
    at = moment or timezone.now()
    ReadEvent.objects.create(
        at=at, actor_id=actor.user_id, purpose=named.value, act=act, subject=subject
    )
    _waiting.add(at)


def list_subject(codes: Iterable[str]) -> str:
    """Return the subject of a list: its length and the SHA-256 of its sorted codes (base64)."""
    rows = sorted(codes)
    digest = hashlib.sha256("\n".join(rows).encode()).digest()
    return f"list:{len(rows)}:{base64.urlsafe_b64encode(digest).decode().rstrip('=')}"


def record_list_read(actor: Actor, purpose: Purpose | str, act: str, codes: Iterable[str]) -> None:
    """Record in one row that `actor` saw the list of these codes.

    :raises ValueError: `purpose` is not in `PURPOSES`.
    """
    record_read(actor, purpose, act, list_subject(codes))


def batch_digest(reads: QuerySet[ReadEvent]) -> tuple[int, int, int, str]:
    """Return (count, first id, last id, SHA-256) of `reads` in order of id.

    One canonical line per read, in constant memory.
    """
    digest = hashlib.sha256()
    count = first = last = 0
    rows = reads.order_by("pk").values_list("pk", "at", "actor_id", "purpose", "act", "subject")
    for row in rows.iterator(chunk_size=_BATCH):
        count += 1
        first = first or row[0]
        last = row[0]
        digest.update(canonical(row) + b"\n")
    return count, first, last, digest.hexdigest()


def seal_reads() -> int:
    """Seal every waiting read; return the number of reads sealed."""
    total = 0
    while sealed := _seal_batch():
        total += sealed
    return total


def _seal_batch() -> int:
    from kinward_web.accounts.api import SYSTEM

    with transaction.atomic():
        waiting = ReadEvent.objects.filter(seal__isnull=True).order_by("pk")
        # Two processes that seal at once must not take the same rows.
        keys = list(waiting.select_for_update().values_list("pk", flat=True)[:_BATCH])
        if not keys:
            return 0
        batch = ReadEvent.objects.filter(pk__in=keys)
        count, first, last, digest = batch_digest(batch)
        event = append(
            SYSTEM,
            SEALED,
            f"reads:{first}-{last}",
            {"count": count, "first": first, "last": last, "sha256": digest},
        )
        batch.update(seal=event)
        return count


def seal_after_request(**_: object) -> None:
    """Seal at the end of a request if it is time; a failure is logged and tried again later."""
    if not _waiting.take_if_due(timezone.now()):
        return
    try:
        seal_reads()
    except Exception:
        _log.exception("reads could not be sealed; the next batch takes them along")
