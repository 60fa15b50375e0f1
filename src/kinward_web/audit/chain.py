"""The chain of audit events: appending under one lock, and its canonical form.

`hash` is SHA-256 over the canonical JSON of every other column: keys sorted, no spaces, UTF-8,
times in UTC with microseconds. Each link holds the hash of the one before it, so that no link can
be altered, inserted or removed without changing every later one. The end of a chain can be cut off
without a trace in the chain itself: against that its head is written down elsewhere
(`kinward audit head`) and named when it is verified.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING, Any

from django.db import connection
from django.utils import timezone

from kinward_web.audit.models import AuditEvent

if TYPE_CHECKING:
    from kinward_web.accounts.api import Actor

__all__ = ["GENESIS", "NotInTransaction", "append", "canonical", "last_event", "link_hash", "plain"]

GENESIS = "0" * 64
"""`previous` of the first link."""
_LOCK = 0x4B494E57
"""Number of the advisory lock on PostgreSQL: the letters KINW."""
_SHORT = {"act": 60, "subject": 60}


class NotInTransaction(RuntimeError):
    """An audit event was appended outside the transaction of the act it records."""


def append(
    actor: Actor, act: str, subject: str = "", detail: Mapping[str, Any] | None = None
) -> AuditEvent:
    """Add a link that says `actor` did `act` to `subject`; it stands or falls with the act.

    The lock is held until the transaction ends, so append late in it, after the rows concerned
    were locked.

    :param detail: codes and digests, never names; text, whole numbers, truth values, dates, lists
        and mappings of these.
    :raises NotInTransaction: no transaction is open.
    :raises ValueError: `act` or `subject` is too long, or text that no database can store.
    :raises TypeError: a value in `detail` that both databases would not give back unchanged.
    """
    if not connection.in_atomic_block:
        raise NotInTransaction("append the audit event inside the transaction of the act")
    for name, text in (("act", act), ("subject", subject)):
        if len(text) > _SHORT[name]:
            raise ValueError(f"{name} of an audit event has at most {_SHORT[name]} characters")
    content = plain(dict(detail or {}))
    _lock()
    last = AuditEvent.objects.order_by("-sequence").values_list("sequence", "hash").first()
    sequence, previous = (last[0] + 1, last[1]) if last else (1, GENESIS)
    event = AuditEvent(
        # The key is the sequence, so that nothing in the row escapes the hash.
        pk=sequence,
        sequence=sequence,
        at=timezone.now(),
        actor_id=actor.user_id,
        role=str(actor.role),
        agency_id=actor.agency_id,
        channel=str(actor.channel),
        act=act,
        subject=subject,
        detail=content,
        previous=previous,
    )
    event.hash = link_hash(event)
    event.save(force_insert=True)
    return event


def last_event(act: str) -> AuditEvent | None:
    """Return the last link that records `act`."""
    return AuditEvent.objects.filter(act=act).order_by("-sequence").first()


def _lock() -> None:
    """Take the one lock of the chain until the transaction ends."""
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            cursor.execute("SELECT pg_advisory_xact_lock(%s)", [_LOCK])
        else:
            # Nothing is written, yet SQLite takes its one write lock here if the transaction was
            # not begun IMMEDIATE, and refuses if the snapshot is no longer the newest.
            cursor.execute("UPDATE audit_auditevent SET sequence = sequence WHERE 0")


def link_hash(event: AuditEvent) -> str:
    """Return the hash that `event` must carry."""
    return hashlib.sha256(
        canonical(
            {
                "sequence": event.sequence,
                "at": event.at,
                "actor": event.actor_id,
                "role": event.role,
                "agency": event.agency_id,
                "channel": event.channel,
                "act": event.act,
                "subject": event.subject,
                "detail": event.detail,
                "previous": event.previous,
            }
        )
    ).hexdigest()


def canonical(value: Any) -> bytes:
    """Return the one way in which `value` is written for hashing."""
    return json.dumps(
        plain(value), sort_keys=True, ensure_ascii=False, separators=(",", ":")
    ).encode()


def plain(value: Any, place: str = "detail") -> Any:
    """Return `value` as JSON that SQLite and PostgreSQL both give back unchanged.

    Fractions are refused because the two databases round and print them differently.

    :raises TypeError: a value of another type, or a key that is not text.
    :raises ValueError: a time without zone, or text with NUL or half a character.
    """
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, int):
        return int(value)
    if isinstance(value, str):
        return _text(value, place)
    if isinstance(value, datetime):
        if value.tzinfo is None:
            raise ValueError(f"{place}: a time needs its zone")
        return value.astimezone(UTC).isoformat(timespec="microseconds")
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, list | tuple):
        return [plain(item, f"{place}[{number}]") for number, item in enumerate(value)]
    if isinstance(value, Mapping):
        return {_key(key, place): plain(item, f"{place}.{key}") for key, item in value.items()}
    raise TypeError(f"{place}: write {type(value).__name__} as text or whole number")


def _key(key: Any, place: str) -> str:
    if not isinstance(key, str):
        raise TypeError(f"{place}: keys must be text")
    return _text(key, place)


def _text(value: str, place: str) -> str:
    if "\0" in value:
        raise ValueError(f"{place}: text must not hold the character NUL")
    if any("\ud800" <= character <= "\udfff" for character in value):
        raise ValueError(f"{place}: text holds half a character")
    # A plain string even of an enum, whose own form would depend on its class.
    return str.__str__(value)
