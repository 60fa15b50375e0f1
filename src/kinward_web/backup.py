"""Backup while others work, and restoring into an empty installation.

A backup holds every table as it was at one moment, in a form that SQLite and PostgreSQL both take,
encrypted with a passphrase (`kinward_web.sealedfile`). Encrypted values stay encrypted with the key
ring, which is not in the backup unless asked for; logins in progress (sessions) are left out.

Inside: gzip of JSON lines: a head (format, moment, migrations, head of the audit chain), then for
each table its columns and its rows, and at the end the number of rows of every table.
"""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, BinaryIO

from django.apps import apps
from django.core.management.color import no_style
from django.db import DatabaseError, IntegrityError, connection, connections, models, transaction
from django.db.migrations.recorder import MigrationRecorder
from django.db.models.functions import Cast
from django.utils import timezone

from kinward_web import rowcodec
from kinward_web.accounts.api import SYSTEM, Channel
from kinward_web.audit import api as audit
from kinward_web.fields import EncryptedTextField
from kinward_web.keyring import KeyRing, load_ring, ring_is_fixed, ring_path, save_ring
from kinward_web.sealedfile import SealedFileError, SealedReader, SealedWriter

__all__ = ["BackupError", "Summary", "make_backup", "restore_backup"]

_FORMAT = 1
_ALIAS = "snapshot"
_LEFT_OUT = {"sessions.session"}
_CHUNK = 500
_COMMAND = replace(SYSTEM, channel=Channel.COMMAND)


class BackupError(Exception):
    """A backup cannot be made or restored; the text says why and what to do."""


@dataclass(frozen=True, slots=True)
class Summary:
    """What a backup holds."""

    head: str
    """Last link of the audit chain, `SEQUENCE:HASH`; empty when the chain is."""
    rows: dict[str, int]
    """Rows of each table."""
    with_keys: bool
    """Whether it holds the key ring, or the key ring came out of it."""


def make_backup(path: Path, passphrase: str, with_keys: bool = False) -> Summary:
    """Write a backup of everything as it is now to the new file `path`, mode 600.

    :raises BackupError: there is such a file already.
    """
    draft = path.with_name(path.name + ".part")
    if path.exists():
        raise BackupError(f"{path} is there already: choose another name")
    with suppress(FileNotFoundError):
        draft.unlink()
    try:
        with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            summary = _write(file, passphrase, with_keys)
            file.flush()
            os.fsync(file.fileno())
        digest = _digest(draft)
        draft.replace(path)
    except BaseException:
        draft.unlink(missing_ok=True)
        raise
    with transaction.atomic():
        rows = sum(summary.rows.values())
        detail = {"head": summary.head, "rows": rows, "sha256": digest, "with_keys": with_keys}
        audit.append(_COMMAND, "backup.made", detail=detail)
    return summary


def _write(file: BinaryIO, passphrase: str, with_keys: bool) -> Summary:
    sealed = SealedWriter(file, passphrase)
    with _snapshot() as alias, gzip.GzipFile(fileobj=sealed, mode="wb", compresslevel=3) as lines:

        def put(value: Any) -> None:
            lines.write(json.dumps(value, ensure_ascii=False).encode() + b"\n")

        last = audit.head(using=alias)
        put(
            {
                "format": _FORMAT,
                "made_at": timezone.now().isoformat(),
                "migrations": _migrations(alias),
                "head": str(last) if last else "",
                "keys": load_ring().to_json() if with_keys else None,
                "fingerprints": load_ring().fingerprints(),
            }
        )
        rows: dict[str, int] = {}
        for model in _models():
            table = model._meta.db_table
            put({"table": table, "columns": [item.column for item in _fields(model)]})
            rows[table] = 0
            for row in _rows(model, alias):
                put([rowcodec.encode(value) for value in row])
                rows[table] += 1
        put({"rows": rows})
    sealed.finish()
    return Summary(str(last) if last else "", rows, with_keys)


@contextmanager
def _snapshot() -> Iterator[str]:
    """Give the alias of a connection that sees the database as it is at one moment."""
    own = connection.copy(_ALIAS)
    # On SQLite a deferred transaction reads one state of the log and holds no writer up.
    if connection.vendor == "sqlite":
        own.settings_dict["OPTIONS"]["transaction_mode"] = "DEFERRED"
    connections[_ALIAS] = own
    try:
        with transaction.atomic(using=_ALIAS):
            if connection.vendor == "postgresql":
                with own.cursor() as cursor:
                    cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
            yield _ALIAS
    finally:
        own.close()
        del connections[_ALIAS]


def _models() -> list[type[models.Model]]:
    return [
        model
        for model in apps.get_models(include_auto_created=True)
        if model._meta.managed
        and not model._meta.proxy
        and model._meta.label_lower not in _LEFT_OUT
    ]


def _fields(model: type[models.Model]) -> list[models.Field[Any, Any]]:
    return list(model._meta.local_concrete_fields)


def _rows(model: type[models.Model], alias: str) -> Iterator[tuple[Any, ...]]:
    """Yield the rows in order of their key, encrypted values as they are stored."""
    columns = {
        # As plain text, so that nothing is decrypted on the way.
        f"c{number}": Cast(item.attname, models.TextField())
        if isinstance(item, EncryptedTextField)
        else models.F(item.attname)
        for number, item in enumerate(_fields(model))
    }
    rows = model._base_manager.using(alias).order_by("pk").annotate(**columns)
    yield from rows.values_list(*columns).iterator(chunk_size=_CHUNK)


def _migrations(alias: str) -> list[str]:
    applied = MigrationRecorder(connections[alias]).applied_migrations()
    return sorted(f"{app}.{name}" for app, name in applied)


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def restore_backup(path: Path, passphrase: str) -> Summary:
    """Load a backup into this installation, which must be migrated and empty.

    Everything is loaded and checked in one transaction: the file to its last byte, row counts,
    constraints, and the audit chain up to the head that the backup names. A fault anywhere leaves
    the installation as empty as before.

    :raises BackupError: the installation is not empty, not at the version of the backup or in
        another's hands; the file is damaged or cut short; or what it holds is not sound.
    """
    try:
        with path.open("rb") as file:
            lines = gzip.GzipFile(fileobj=io.BufferedReader(SealedReader(file, passphrase)))
            return _restore(lines)
    except FileNotFoundError:
        raise BackupError(f"there is no file {path}") from None
    except (SealedFileError, EOFError, gzip.BadGzipFile) as error:
        raise BackupError(f"{path} was not restored: {error}") from error
    except (IntegrityError, ValueError, KeyError, TypeError) as error:
        raise BackupError(f"{path} was not restored, its rows are not sound: {error}") from error


def _restore(lines: gzip.GzipFile) -> Summary:
    start = _next(lines)
    if start.get("format") != _FORMAT:
        raise BackupError("the backup has a format of another version of Kinward")
    _check_target(start["migrations"])
    ring = _ring_to_restore(start["keys"], start["fingerprints"])
    with transaction.atomic():
        with _triggers_off():
            rows = _load(lines)
            connection.check_constraints()
        _reset_sequences()
        _check_chain(start["head"])
        audit.append(_COMMAND, "backup.restored", detail={"head": start["head"]})
        if ring is not None:
            save_ring(ring)
    return Summary(start["head"], rows, ring is not None)


def _next(lines: gzip.GzipFile) -> Any:
    line = lines.readline()
    if not line:
        raise BackupError("the backup ends before its last line")
    return json.loads(line)


def _check_target(migrations: list[str]) -> None:
    if _migrations("default") != migrations:
        raise BackupError(
            "this installation is at another version than the backup: install the version that "
            "made it, run `kinward manage migrate`, restore, then upgrade"
        )
    for label in ("accounts.User", "accounts.Agency", "registry.Person", "audit.AuditEvent"):
        if apps.get_model(label)._base_manager.exists():
            raise BackupError(
                "this installation is not empty: restore into a new KINWARD_HOME or database"
            )


def _ring_to_restore(text: str | None, fingerprints: dict[str, str]) -> KeyRing | None:
    """Return the ring to be put in force; None where the present one reads the backup."""
    present = load_ring() if ring_is_fixed() or ring_path().exists() else None
    if present is not None and fingerprints.items() <= present.fingerprints().items():
        return None
    if present is not None:
        raise BackupError(
            "this installation has another key ring than the backup was written with: put that "
            "one in its place"
        )
    if text is None:
        # Were rows loaded without their keys, the first value written would make a fresh ring,
        # which the right one, put back later, would replace together with what it wrote.
        raise BackupError(
            f"the keys are not in this backup: first put the keys.json that it was written with "
            f"at {ring_path()}"
        )
    return KeyRing.from_json(text)


@contextmanager
def _triggers_off() -> Iterator[None]:
    """Take the triggers out of force, which refuse rows in any but their first state."""
    with connection.cursor() as cursor:
        if connection.vendor == "sqlite":
            cursor.execute("SELECT name, sql FROM sqlite_master WHERE type = 'trigger'")
            triggers = cursor.fetchall()
            for name, _sql in triggers:
                cursor.execute(f"DROP TRIGGER {connection.ops.quote_name(name)}")
            yield
            for _name, sql in triggers:
                cursor.execute(sql)
            return
        tables = [connection.ops.quote_name(model._meta.db_table) for model in _models()]
        try:
            for table in tables:
                cursor.execute(f"ALTER TABLE {table} DISABLE TRIGGER USER")
        except DatabaseError as error:
            raise BackupError(
                "restore as the owner of the tables: DATABASE_URL with the owner's login, "
                "without KINWARD_DATABASE_ROLE"
            ) from error
        yield
        for table in tables:
            cursor.execute(f"ALTER TABLE {table} ENABLE TRIGGER USER")


def _load(lines: gzip.GzipFile) -> dict[str, int]:
    """Insert every row; return the number of rows of each table, which must be the stated one."""
    known = {model._meta.db_table: model for model in _models()}
    with connection.cursor() as cursor:
        for table in known:
            # `migrate` fills a few tables, such as that of content types.
            cursor.execute(f"DELETE FROM {connection.ops.quote_name(table)}")
    rows: dict[str, int] = {}
    insert: _Insert | None = None
    while True:
        line = _next(lines)
        if isinstance(line, list):
            if insert is None:
                raise BackupError("the backup has a row before any table")
            insert.add(line)
            continue
        if insert is not None:
            rows[insert.table] = insert.finish()
        if "rows" in line:
            break
        insert = _Insert(known[line["table"]], line["columns"])
    if lines.read(1) or rows != line["rows"]:
        raise BackupError("the backup does not hold the rows that it says it holds")
    return rows


class _Insert:
    """Collects rows of one table and inserts them in packets."""

    def __init__(self, model: type[models.Model], columns: list[str]) -> None:
        self.table = model._meta.db_table
        fields = {item.column: item for item in _fields(model)}
        self._fields = [fields[column] for column in columns]
        quote = connection.ops.quote_name
        marks = ", ".join(["%s"] * len(columns))
        names = ", ".join(map(quote, columns))
        self._statement = f"INSERT INTO {quote(self.table)} ({names}) VALUES ({marks})"
        self._packet: list[list[Any]] = []
        self._count = 0

    def add(self, row: list[Any]) -> None:
        """Take one row."""
        self._packet.append(
            [self._stored(item, value) for item, value in zip(self._fields, row, strict=True)]
        )
        if len(self._packet) >= _CHUNK:
            self._flush()

    def finish(self) -> int:
        """Insert what is left; return the number of rows of the table."""
        self._flush()
        return self._count

    @staticmethod
    def _stored(item: models.Field[Any, Any], value: Any) -> Any:
        plain = rowcodec.decode(value)
        if isinstance(item, EncryptedTextField):
            return plain
        return item.get_db_prep_save(plain, connection)

    def _flush(self) -> None:
        if self._packet:
            with connection.cursor() as cursor:
                cursor.executemany(self._statement, self._packet)
            self._count += len(self._packet)
            self._packet = []


def _reset_sequences() -> None:
    statements = connection.ops.sequence_reset_sql(no_style(), _models())
    with connection.cursor() as cursor:
        for statement in statements:
            cursor.execute(statement)


def _check_chain(head: str) -> None:
    found = audit.verify([audit.Head.parse(head)] if head else [])
    at_end = str(found.head) if found.head else ""
    if at_end != head or any(fault.code != "unsealed" for fault in found.faults):
        first = found.faults[0].message if found.faults else "it does not end where it should"
        raise BackupError(f"the audit chain of the backup is not sound: {first}")
