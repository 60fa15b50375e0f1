"""Rotation of keys: a new key, every stored value under it, the old key away; while others work.

Values are taken over in small transactions, each row only if it is still what was read. A run that
was broken off goes on where it stood, because a value itself says which key it is under. The key of
the blind indexes is not rotated (`keyring.blind_index`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from django.apps import apps
from django.db import connection, transaction
from django.utils import timezone

from kinward_web.accounts.api import Actor
from kinward_web.audit import api as audit
from kinward_web.fields import EncryptedTextField, document_context
from kinward_web.keyring import (
    DecryptionError,
    KeyRing,
    decrypt,
    decrypt_bytes,
    encrypt,
    encrypt_bytes,
    load_ring,
    save_ring,
    stored_prefix,
)

__all__ = [
    "SETTLING",
    "Column",
    "KeyInUse",
    "Rotation",
    "columns",
    "retire",
    "rotate",
    "values_under",
]

SETTLING = timedelta(minutes=10)
"""How long after the change of keys a transaction may still be writing with the old one."""
_TEXTS = 200
"""Texts per transaction."""
_DOCUMENTS = 10
"""Documents per transaction; they may be large."""


class KeyInUse(Exception):
    """Keys cannot be changed now: values or another rotation need them as they are."""


@dataclass(frozen=True, slots=True)
class Column:
    """A column whose values are encrypted."""

    table: str
    name: str
    binary: bool = False

    def __str__(self) -> str:
        return f"{self.table}.{self.name}"

    def context(self, key: int) -> bytes:
        """Return the context of the value in row `key`."""
        if not self.binary:
            return str(self).encode()
        document = apps.get_model("registry", "Document")
        return document_context(*document.objects.values_list("person__code", "sha256").get(pk=key))

    def outside(self, prefix: str, under: bool = False) -> tuple[str, list[Any]]:
        """Return the SQL condition for values that do not begin (or do) with `prefix`, and its
        parameters."""
        name = connection.ops.quote_name(self.name)
        start: Any = prefix.encode("latin-1") if self.binary else prefix
        sign = "=" if under else "<>"
        return f"length({name}) > 0 AND substr({name}, 1, {len(prefix)}) {sign} %s", [start]


@dataclass(slots=True)
class Rotation:
    """What a rotation did."""

    active: str
    """The key in use now."""
    added: bool
    """Whether it was made now; False where an interrupted rotation went on."""
    values: int = 0
    """Values taken over."""
    unreadable: list[str] = field(default_factory=list)
    """Values that no key of the ring reads, as `table.column row`; they stay as they are."""


def columns() -> Iterator[Column]:
    """Yield every encrypted column of every application."""
    for model in apps.get_models():
        for item in model._meta.local_concrete_fields:
            if isinstance(item, EncryptedTextField):
                yield Column(model._meta.db_table, item.column)
    yield Column("registry_document", "content", binary=True)


def values_under(name: str) -> dict[str, int]:
    """Return how many values of each column are under the key `name`, columns without any left
    out."""
    counts = {str(item): _count(item, name, under=True) for item in columns()}
    return {column: count for column, count in counts.items() if count}


def rotate(actor: Actor, report: Callable[[str, int], None] | None = None) -> Rotation:
    """Put every encrypted value under a new key; finish an interrupted rotation first.

    :param report: called with a column and the number of values taken over in it.
    :raises RingIsFixed: a new key is needed and the ring comes from `KINWARD_KEYS`.
    :raises KeyInUse: another rotation begins at the same moment.
    """
    ring = load_ring()
    unfinished = any(_count(item, ring.active, under=False) for item in columns())
    # A single key with values outside it means that keys were lost, not that a rotation stopped.
    added = not (unfinished and len(ring.keys) > 1)
    if added:
        ring = _add_key(actor)
    done = Rotation(ring.active, added)
    for item in columns():
        taken = sum(_batches(item, ring.active, done.unreadable))
        done.values += taken
        if report and taken:
            report(str(item), taken)
    with transaction.atomic():
        audit.append(
            actor,
            "keys.rotated",
            f"key:{ring.active}",
            {"values": done.values, "unreadable": len(done.unreadable)},
        )
    return done


def retire(actor: Actor, name: str, moment: datetime | None = None) -> None:
    """Remove the key `name` from the ring for good.

    :raises ValueError: no such key, or the active one.
    :raises KeyInUse: values are under it, or transactions may still be writing with it.
    :raises RingIsFixed: the ring comes from `KINWARD_KEYS`.
    """
    now = moment or timezone.now()
    with transaction.atomic():
        # First of all, for the lock of the chain; a refusal below takes the event back.
        audit.append(actor, "keys.retired", f"key:{name}")
        ring = load_ring().without(name)
        added = audit.last_time("keys.added")
        if added and now - added < SETTLING:
            minutes = int(SETTLING.total_seconds() // 60)
            raise KeyInUse(
                f"the keys changed less than {minutes} minutes ago and someone may still be "
                f"writing with key {name!r}: try again later"
            )
        used = values_under(name)
        if used:
            raise KeyInUse(
                f"{sum(used.values())} values in {', '.join(used)} are under key {name!r}: "
                "run rotate_keys first"
            )
        save_ring(ring)


def _add_key(actor: Actor) -> KeyRing:
    with transaction.atomic():
        old = load_ring()
        ring = old.with_new_key()
        audit.append(actor, "keys.added", f"key:{ring.active}", {"before": old.active})
        if load_ring() != old:
            raise KeyInUse("another rotation has begun at this moment: let it finish")
        save_ring(ring)
    return ring


def _count(column: Column, name: str, *, under: bool) -> int:
    condition, parameters = column.outside(stored_prefix(name, column.binary), under)
    table = connection.ops.quote_name(column.table)
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT count(*) FROM {table} WHERE {condition}", parameters)
        return int(cursor.fetchone()[0])


def _batches(column: Column, active: str, unreadable: list[str]) -> Iterable[int]:
    """Take over a column batch by batch; yield the number of values in each."""
    last = 0
    while True:
        with transaction.atomic():
            rows = _rows(column, active, last)
            if not rows:
                return
            yield sum(_take_over(column, *row, unreadable) for row in rows)
        last = rows[-1][0]


def _rows(column: Column, active: str, after: int) -> list[tuple[int, Any]]:
    quote = connection.ops.quote_name
    condition, parameters = column.outside(stored_prefix(active, column.binary))
    limit = _DOCUMENTS if column.binary else _TEXTS
    lock = " FOR UPDATE" if connection.features.has_select_for_update else ""
    with connection.cursor() as cursor:
        cursor.execute(
            f"SELECT {quote('id')}, {quote(column.name)} FROM {quote(column.table)} "
            f"WHERE {quote('id')} > %s AND {condition} ORDER BY 1 LIMIT {limit}{lock}",
            [after, *parameters],
        )
        return cursor.fetchall()


def _take_over(column: Column, key: int, value: Any, unreadable: list[str]) -> int:
    context = column.context(key)
    try:
        fresh: Any
        if column.binary:
            fresh = encrypt_bytes(decrypt_bytes(value, context), context)
        else:
            fresh = encrypt(decrypt(value, context), context)
    except DecryptionError:
        unreadable.append(f"{column} {key}")
        return 0
    quote = connection.ops.quote_name
    with connection.cursor() as cursor:
        cursor.execute(
            f"UPDATE {quote(column.table)} SET {quote(column.name)} = %s "
            f"WHERE {quote('id')} = %s AND {quote(column.name)} = %s",
            [fresh, key, value],
        )
        return int(cursor.rowcount)
