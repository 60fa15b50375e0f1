"""Rotation of keys: a new key, every stored value under it, the old key away; while others work.

Values are taken over in small transactions, each row only if it is still what was read. A run that
was broken off goes on where it stood, because a value itself says which key it is under. The key of
the blind indexes is not rotated (`keyring.blind_index`).
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
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
    key_of,
    load_ring,
    ring_is_fixed,
    save_ring,
    stored_prefix,
)

__all__ = [
    "SETTLING",
    "Column",
    "DocumentColumn",
    "JsonColumn",
    "KeyInUse",
    "Rotation",
    "columns",
    "first_values",
    "retire",
    "rotate",
    "values_under",
]

SETTLING = timedelta(minutes=10)
"""How long after the change of keys a transaction may still be writing with the old one."""


class KeyInUse(Exception):
    """Keys cannot be changed now: values or another rotation need them as they are."""


@dataclass(frozen=True, slots=True)
class Column:
    """A column whose values are encrypted texts."""

    table: str
    name: str
    batch: int = 200
    """Values per transaction."""

    def __str__(self) -> str:
        return f"{self.table}.{self.name}"

    @property
    def sql(self) -> str:
        """The column in a statement."""
        return connection.ops.quote_name(self.name)

    @property
    def mark(self) -> str:
        """Where the new value stands in a statement."""
        return "%s"

    def under(self, key: str) -> tuple[str, list[Any]]:
        """Return the SQL condition for values under `key`, and its parameters."""
        prefix = stored_prefix(key, binary=False)
        return f"substr({self.sql}, 1, {len(prefix)}) = %s", [prefix]

    def outside(self, key: str) -> tuple[str, list[Any]]:
        """Return the SQL condition for values not under `key`, and its parameters."""
        prefix = stored_prefix(key, binary=False)
        return f"{self.sql} <> '' AND substr({self.sql}, 1, {len(prefix)}) <> %s", [prefix]

    def fresh(self, row: int, value: Any) -> Any:
        """Return the value of row `row` under the active key.

        :raises DecryptionError: it cannot be read.
        """
        context = str(self).encode()
        return encrypt(decrypt(value, context), context)


@dataclass(frozen=True, slots=True)
class DocumentColumn(Column):
    """The contents of documents, each bound to its row."""

    # Documents may be large.
    batch: int = 10

    def under(self, key: str) -> tuple[str, list[Any]]:
        """As for texts."""
        prefix = stored_prefix(key, binary=True)
        return f"substr({self.sql}, 1, {len(prefix)}) = %s", [prefix.encode()]

    def outside(self, key: str) -> tuple[str, list[Any]]:
        """As for texts; the content of a destroyed document is empty."""
        prefix = stored_prefix(key, binary=True)
        return (
            f"length({self.sql}) > 0 AND substr({self.sql}, 1, {len(prefix)}) <> %s",
            [prefix.encode()],
        )

    def fresh(self, row: int, value: Any) -> Any:
        """As for texts."""
        documents = apps.get_model("registry", "Document").objects
        code, digest = documents.values_list("person__code", "sha256").get(pk=row)
        context = document_context(code, digest)
        return encrypt_bytes(decrypt_bytes(value, context), context)


@dataclass(frozen=True, slots=True)
class JsonColumn(Column):
    """JSON that holds encrypted texts among others, as django-allauth keeps second factors."""

    @property
    def sql(self) -> str:
        """The column as text."""
        return f"CAST({connection.ops.quote_name(self.name)} AS text)"

    @property
    def mark(self) -> str:
        """A text becomes JSON by itself on SQLite alone."""
        return "CAST(%s AS jsonb)" if connection.vendor == "postgresql" else "%s"

    def under(self, key: str) -> tuple[str, list[Any]]:
        """As for texts."""
        return f"{self.sql} LIKE %s", [f'%"{stored_prefix(key, binary=False)}%']

    def outside(self, key: str) -> tuple[str, list[Any]]:
        """As for texts; one value of several under another key is enough."""
        prefix = stored_prefix(key, binary=False)
        return f"replace({self.sql}, %s, '') LIKE %s", [f'"{prefix}', '%"v1:%']

    def fresh(self, row: int, value: Any) -> Any:
        """As for texts."""
        context = str(self).encode()

        def renew(item: Any) -> Any:
            if isinstance(item, dict):
                return {key: renew(part) for key, part in item.items()}
            if isinstance(item, list):
                return [renew(part) for part in item]
            if isinstance(item, str) and item.startswith("v1:"):
                return encrypt(decrypt(item, context), context)
            return item

        return json.dumps(renew(json.loads(value)))


@dataclass(slots=True)
class Rotation:
    """What a rotation did."""

    active: str
    """The key in use now."""
    added: bool
    """Whether it was made now; False where an interrupted rotation went on or the
    ring comes from `KINWARD_KEYS`."""
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
    yield DocumentColumn("registry_document", "content")
    yield JsonColumn("mfa_authenticator", "data")


def values_under(name: str) -> dict[str, int]:
    """Return how many values of each column are under the key `name`, columns without any left
    out."""
    counts = {str(item): _count(item, *item.under(name)) for item in columns()}
    return {column: count for column, count in counts.items() if count}


def rotate(actor: Actor, report: Callable[[str, int], None] | None = None) -> Rotation:
    """Put every encrypted value under a new key; finish an interrupted rotation instead.

    Where the ring comes from `KINWARD_KEYS`, its active key is the new one: it was added there on
    every machine first, and made active when all of them had it.

    :param report: called with a column and the number of values taken over in it.
    :raises KeyInUse: another rotation begins at the same moment.
    """
    added = not ring_is_fixed() and not _unfinished()
    ring = _add_key(actor) if added else load_ring()
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

    What waited to be written while the rotation ran came under the old key after all; it is taken
    over first.

    :raises ValueError: no such key, or the active one.
    :raises KeyInUse: values under it cannot be read, or someone may still be writing with it.
    :raises RingIsFixed: the ring comes from `KINWARD_KEYS`.
    """
    now = moment or timezone.now()
    ring = load_ring().without(name)
    added = audit.last_event("keys.added")
    if added and now - added.at < SETTLING:
        minutes = int(SETTLING.total_seconds() // 60)
        raise KeyInUse(
            f"the keys changed less than {minutes} minutes ago and someone may still be writing "
            f"with key {name!r}: try again later"
        )
    for item in columns():
        for _ in _batches(item, ring.active, []):
            pass
    with transaction.atomic():
        # The event comes first, for the lock of the chain; a refusal takes it back.
        audit.append(actor, "keys.retired", f"key:{name}")
        used = values_under(name)
        if used:
            raise KeyInUse(
                f"{sum(used.values())} values in {', '.join(used)} are under key {name!r} and "
                "cannot be read: restore them from a backup or correct them first"
            )
        save_ring(ring)


def _unfinished() -> bool:
    """Return whether a key was added for which the rotation did not come to its end."""
    added, rotated = audit.last_event("keys.added"), audit.last_event("keys.rotated")
    return added is not None and (rotated is None or rotated.sequence < added.sequence)


def _add_key(actor: Actor) -> KeyRing:
    with transaction.atomic():
        old = load_ring()
        ring = old.with_new_key()
        audit.append(actor, "keys.added", f"key:{ring.active}", {"before": old.active})
        if load_ring() != old:
            raise KeyInUse("another rotation has begun at this moment: let it finish")
        save_ring(ring)
    return ring


def _count(column: Column, condition: str, parameters: list[Any]) -> int:
    table = connection.ops.quote_name(column.table)
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT count(*) FROM {table} WHERE {condition}", parameters)
        return int(cursor.fetchone()[0])


def first_values(column: Column) -> list[tuple[int, Any]]:
    """Return, of the first values of a column, one row and value for each key."""
    found: dict[str, tuple[int, Any]] = {}
    for row, value in _rows(column, "", 0, locked=False):
        found.setdefault(_key_name(value), (row, value))
    return list(found.values())


def _key_name(value: Any) -> str:
    try:
        return key_of(bytes(value) if isinstance(value, memoryview) else value)
    except (ValueError, TypeError, UnicodeDecodeError):
        return ""


def _batches(column: Column, active: str, unreadable: list[str]) -> Iterator[int]:
    """Take over a column batch by batch; yield the number of values in each."""
    last = 0
    while True:
        with transaction.atomic():
            rows = _rows(column, active, last)
            if not rows:
                return
            taken = sum(_take_over(column, row, value, unreadable) for row, value in rows)
        yield taken
        last = rows[-1][0]


def _rows(column: Column, active: str, after: int, locked: bool = True) -> list[tuple[int, Any]]:
    """Return the next rows that are not under the active key, locked until the batch is done."""
    table = connection.ops.quote_name(column.table)
    condition, parameters = column.outside(active)
    lock = " FOR UPDATE" if locked and connection.features.has_select_for_update else ""
    with connection.cursor() as cursor:
        cursor.execute(
            f"SELECT id, {column.sql} FROM {table} WHERE id > %s AND {condition} "
            f"ORDER BY id LIMIT {column.batch}{lock}",
            [after, *parameters],
        )
        return [(row, value) for row, value in cursor.fetchall()]


def _take_over(column: Column, row: int, value: Any, unreadable: list[str]) -> int:
    """Put one value under the active key, if it is still what was read; return 1 if so."""
    try:
        fresh = column.fresh(row, value)
    except DecryptionError:
        unreadable.append(f"{column} {row}")
        return 0
    table, name = map(connection.ops.quote_name, (column.table, column.name))
    with connection.cursor() as cursor:
        cursor.execute(
            f"UPDATE {table} SET {name} = {column.mark} WHERE id = %s AND {column.sql} = %s",
            [fresh, row, value],
        )
        return int(cursor.rowcount)
