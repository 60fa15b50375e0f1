"""Backups made while others work, and restoring them elsewhere."""

from __future__ import annotations

import io
import json
import os
import stat
import subprocess
import sys
import threading
from collections.abc import Callable
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from databases import Installation
from django.apps import apps
from django.core.management import CommandError, call_command
from django.db import connection, transaction

from kinward_web import backup, keyring, rowcodec, sealedfile
from kinward_web.audit import api as audit
from kinward_web.backup import BackupError, make_backup
from kinward_web.passphrase import read_passphrase
from kinward_web.registry.models import Operation, Person
from kinward_web.sealedfile import SealedFileError, SealedReader, SealedWriter

PASSPHRASE = "six synthetic words for a test"
MANAGE = "import sys; from django.core.management import call_command as c; import django; "
MANAGE += "django.setup(); c(*sys.argv[1:])"
SHOW = """
import django, json; django.setup()
from django.apps import apps
from kinward_web.audit.api import verify
from kinward_web.casework.constraints import faults
from kinward_web.registry.models import Person
found = verify()
print(json.dumps({
    "rows": {m._meta.db_table: m._base_manager.count()
             for m in apps.get_models(include_auto_created=True)},
    "sound": found.sound, "head": str(found.head), "faults": faults(),
    "names": sorted(Person.objects.values_list("name", flat=True)) if KEYS else None,
}))
"""


@pytest.fixture(autouse=True)
def _quick_scrypt(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sealedfile, "_LOG_N", 4)


@pytest.fixture
def passphrase_file(tmp_path: Path) -> Path:
    path = tmp_path / "passphrase"
    path.write_text(PASSPHRASE + "\n")
    return path


def fill(office: Any, actor: Callable[..., Any], count: int = 30) -> None:
    agency = office.agency("police")
    officer = actor("police_officer")
    for number in range(count):
        with transaction.atomic():
            person = Person.objects.create(
                name=f"Synthetic {number}", born_from=date(2009, 1, 1), entered_by=agency
            )
            audit.append(officer, "person.entered", f"person:{person.code}", {"n": number})
        audit.record_read(officer, "care", "person.read", f"person:{person.code}")
    audit.seal_reads()
    campaign = apps.get_model("registry", "Campaign").objects.create(name="Synthetic")
    operation = Operation.objects.create(
        campaign=campaign,
        code="OP-1",
        name="Sealed name",
        lead=agency,
        starts_at=datetime(2011, 7, 15, 4, 30, tzinfo=UTC),
    )
    operation.insiders.add(office.user("police_officer"))
    with transaction.atomic():
        audit.append(officer, "operation.planned", "operation:OP-1")


def python(code: str, home: Installation, *arguments: str, owner: bool = False) -> str:
    environment = home.owner_environment if owner else home.environment
    done = subprocess.run(
        [sys.executable, "-c", code, *arguments],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise CommandError(done.stderr[-1000:])
    return done.stdout


def restore(home: Installation, file: Path, passphrase_file: Path) -> str:
    return python(
        MANAGE, home, "restore", str(file), "--passphrase-file", str(passphrase_file), owner=True
    )


def shown(home: Installation, keys: bool = False) -> dict[str, Any]:
    answer: dict[str, Any] = json.loads(python(SHOW.replace("KEYS", str(keys)), home))
    return answer


# ---------------------------------------------------------------------------- sealed files


def sealed(content: bytes) -> bytes:
    file = io.BytesIO()
    writer = SealedWriter(file, PASSPHRASE)
    for start in range(0, len(content), 77_777):
        writer.write(content[start : start + 77_777])
    writer.finish()
    return file.getvalue()


def unsealed(data: bytes, passphrase: str = PASSPHRASE) -> bytes:
    return io.BufferedReader(SealedReader(io.BytesIO(data), passphrase)).read()


MIB = 1 << 20


@pytest.mark.parametrize("size", [0, 1, MIB - 1, MIB, MIB + 1, 3 * MIB])
def test_a_sealed_file_gives_back_what_went_in(size: int) -> None:
    content = os.urandom(size)
    assert unsealed(sealed(content)) == content


def test_two_files_of_one_content_have_nothing_in_common() -> None:
    first, second = sealed(b"x" * 100), sealed(b"x" * 100)
    assert first[11:] != second[11:]


@pytest.mark.parametrize("size", [10, MIB, 2 * MIB + 10])
def test_a_sealed_file_cut_anywhere_is_refused(size: int) -> None:
    data = sealed(bytes(size))
    whole = MIB + 16
    cuts = {0, 5, 33, 34, 35, len(data) - 1, len(data) - 16, 34 + whole, 34 + 2 * whole, 34 + 100}
    for cut in sorted(cut for cut in cuts if cut < len(data)):
        with pytest.raises(SealedFileError):
            unsealed(data[:cut])


def test_a_sealed_file_with_more_after_its_end_is_refused() -> None:
    with pytest.raises(SealedFileError):
        unsealed(sealed(b"x") + b"y")


@pytest.mark.parametrize("place", [0, 8, 9, 10, 11, 27, 34, 40, 34 + MIB + 20, -1])
def test_a_flipped_bit_is_refused(place: int) -> None:
    data = bytearray(sealed(bytes(MIB + 100)))
    data[place] ^= 1
    with pytest.raises(SealedFileError):
        unsealed(bytes(data))


def test_exchanged_pieces_are_refused() -> None:
    data = sealed(bytes(3 * MIB))
    piece = MIB + 16
    first, second = data[34 : 34 + piece], data[34 + piece : 34 + 2 * piece]
    with pytest.raises(SealedFileError):
        unsealed(data[:34] + second + first + data[34 + 2 * piece :])


def test_another_passphrase_is_refused() -> None:
    with pytest.raises(SealedFileError, match="passphrase"):
        unsealed(sealed(b"x"), PASSPHRASE + ".")


# -------------------------------------------------------------------------------- values


@pytest.mark.parametrize(
    "value",
    [
        None,
        True,
        -5,
        10**30,
        0.1,
        "字",
        {"a": [1, {"moment": "x"}]},
        [],
        b"\0\xff",
        datetime(2011, 7, 15, 4, 30, 0, 123, tzinfo=UTC),
        date(2011, 7, 15),
        time(4, 30),
        timedelta(days=-1, microseconds=7),
        Decimal("10.50"),
        UUID(int=7),
    ],
)
def test_values_come_back_exactly(value: Any) -> None:
    back = rowcodec.decode(json.loads(json.dumps(rowcodec.encode(value))))
    assert back == value
    assert type(back) is type(value)
    assert str(back) == str(value)


# ------------------------------------------------------------------------------- backups


@pytest.mark.django_db(transaction=True)
def test_a_backup_is_restored_elsewhere(
    office: Any,
    actor: Any,
    tmp_path: Path,
    passphrase_file: Path,
    fresh_installation: Callable[[str], Installation],
) -> None:
    fill(office, actor)
    before = {model._meta.db_table: model._base_manager.count() for model in apps.get_models()}
    file = tmp_path / "all.backup"
    made = make_backup(file, PASSPHRASE, with_keys=True)
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert b"Synthetic" not in file.read_bytes()
    assert audit.AuditEvent.objects.get(act="backup.made").detail["head"] == made.head
    home = fresh_installation("elsewhere")
    assert f"whole up to {made.head}" in restore(home, file, passphrase_file)
    found = shown(home, keys=True)
    assert found["sound"]
    assert found["faults"] == [], "the triggers are in force again"
    assert found["names"] == sorted(f"Synthetic {number}" for number in range(30))
    # One event says that it was restored; that of the backup came after its moment.
    before["audit_auditevent"] += 1
    assert {table: found["rows"][table] for table in before} == before
    with pytest.raises(CommandError, match="not empty"):
        restore(home, file, passphrase_file)
    # New rows get new keys: the counters went along.
    code = "import django; django.setup()\nfrom kinward_web.registry.models import *\n"
    code += "from kinward_web.accounts.api import Agency\n"
    code += "print(Person.objects.create(name='N', entered_by=Agency.objects.first()).pk)"
    assert int(python(code, home)) > max(Person.objects.values_list("pk", flat=True))


@pytest.mark.django_db(transaction=True)
def test_a_backup_is_of_one_moment_while_others_write(
    office: Any,
    actor: Any,
    tmp_path: Path,
    passphrase_file: Path,
    fresh_installation: Callable[[str], Installation],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A writer adds people with an event each. The tables of the backup agree with each other."""
    fill(office, actor)
    officer, agency = actor("police_officer"), office.agency("police")
    written, stop = threading.Event(), threading.Event()

    def writer() -> None:
        number = 0
        while not stop.is_set():
            with transaction.atomic():
                person = Person.objects.create(name=f"More {number}", entered_by=agency)
                audit.append(officer, "person.entered", f"person:{person.code}")
            number += 1
            written.set()
        connection.close()

    usual = backup._rows

    def slowly(model: Any, alias: str) -> Any:
        # The first table is read before the writer goes on, every other one after it did.
        written.clear()
        assert written.wait(20)
        return usual(model, alias)

    monkeypatch.setattr(backup, "_rows", slowly)
    thread = threading.Thread(target=writer)
    thread.start()
    try:
        made = make_backup(tmp_path / "online.backup", PASSPHRASE, with_keys=True)
    finally:
        stop.set()
        thread.join()
    events = audit.AuditEvent.objects.filter(act="person.entered")
    head = int(made.head.split(":")[0])
    assert made.rows["audit_auditevent"] == head
    assert made.rows["registry_person"] == events.filter(sequence__lte=head).count()
    assert Person.objects.count() > made.rows["registry_person"]
    home = fresh_installation("elsewhere")
    restore(home, tmp_path / "online.backup", passphrase_file)
    found = shown(home)
    assert found["sound"]
    assert found["rows"]["registry_person"] == made.rows["registry_person"]


@pytest.mark.django_db(transaction=True)
def test_a_damaged_backup_leaves_the_installation_empty(
    office: Any,
    actor: Any,
    tmp_path: Path,
    passphrase_file: Path,
    fresh_installation: Callable[[str], Installation],
) -> None:
    fill(office, actor, 5)
    file = tmp_path / "all.backup"
    make_backup(file, PASSPHRASE, with_keys=True)
    good = file.read_bytes()
    home = fresh_installation("elsewhere")
    flipped = bytearray(good)
    flipped[len(good) // 2] ^= 1
    for data in (bytes(flipped), good[:-1], good[: len(good) // 2], b"", b"no backup"):
        file.write_bytes(data)
        with pytest.raises(CommandError, match="was not restored"):
            restore(home, file, passphrase_file)
    assert shown(home)["rows"]["registry_person"] == 0
    assert not (home.home / "keys.json").exists()
    file.write_bytes(good)
    restore(home, file, passphrase_file)
    assert shown(home)["rows"]["registry_person"] == 5


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize(
    ("fault", "message"),
    [
        ("chain", "audit chain"),
        ("cut", "audit chain"),
        ("orphan", "not sound"),
        ("short", "rows that it says"),
        ("version", "another version"),
    ],
)
def test_what_is_sealed_but_not_sound_is_refused(
    office: Any,
    actor: Any,
    tmp_path: Path,
    passphrase_file: Path,
    fresh_installation: Callable[[str], Installation],
    monkeypatch: pytest.MonkeyPatch,
    fault: str,
    message: str,
) -> None:
    """The owner of the database altered it before the backup was made."""
    fill(office, actor, 3)
    usual = backup._rows

    def altered(model: Any, alias: str) -> Any:
        rows = list(usual(model, alias))
        names = [field.column for field in model._meta.local_concrete_fields]
        if model is audit.AuditEvent and fault == "chain":
            row = list(rows[1])
            row[names.index("act")] = "nothing.happened"
            rows[1] = tuple(row)
        if model is audit.AuditEvent and fault == "cut":
            rows = rows[:-1]
        if model is Person and fault == "orphan":
            row = list(rows[0])
            row[names.index("entered_by_id")] = 999_999
            rows[0] = tuple(row)
        return iter(rows)

    monkeypatch.setattr(backup, "_rows", altered)
    if fault == "version":
        monkeypatch.setattr(backup, "_migrations", lambda alias: ["registry.0001_initial"])
    if fault == "short":
        usual_write = backup.json.dumps

        def wrong_count(value: Any, **options: Any) -> str:
            if isinstance(value, dict) and isinstance(value.get("rows"), dict):
                value = {"rows": value["rows"] | {"registry_person": 99}}
            return usual_write(value, **options)

        monkeypatch.setattr(backup.json, "dumps", wrong_count)
    file = tmp_path / "bad.backup"
    make_backup(file, PASSPHRASE, with_keys=True)
    home = fresh_installation("elsewhere")
    with pytest.raises(CommandError, match=message):
        restore(home, file, passphrase_file)
    assert not (home.home / "keys.json").exists()
    assert shown(home)["rows"]["registry_person"] == 0


@pytest.mark.django_db(transaction=True)
def test_the_keys_are_not_in_a_backup_unless_asked_for(
    office: Any,
    actor: Any,
    tmp_path: Path,
    passphrase_file: Path,
    fresh_installation: Callable[[str], Installation],
) -> None:
    fill(office, actor, 3)
    file = tmp_path / "without.backup"
    make_backup(file, PASSPHRASE)
    home = fresh_installation("elsewhere")
    ring = home.home / "keys.json"
    with pytest.raises(CommandError, match=r"first put the keys\.json"):
        restore(home, file, passphrase_file)
    ring.write_text(keyring.KeyRing.fresh().to_json())
    with pytest.raises(CommandError, match="another key ring"):
        restore(home, file, passphrase_file)
    # A ring with a newer key besides reads the backup too.
    ring.write_text(keyring.load_ring().with_new_key().to_json())
    restore(home, file, passphrase_file)
    assert shown(home, keys=True)["names"] == [f"Synthetic {number}" for number in range(3)]


@pytest.mark.django_db(transaction=True)
def test_a_backup_overwrites_nothing(office: Any, tmp_path: Path, passphrase_file: Path) -> None:
    file = tmp_path / "there"
    file.write_text("something else")
    with pytest.raises(CommandError, match="there already"):
        call_command("backup", str(file), passphrase_file=passphrase_file)
    assert file.read_text() == "something else"


@pytest.mark.django_db(transaction=True)
def test_a_backup_that_fails_leaves_no_file(
    office: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: Any) -> Any:
        raise RuntimeError

    monkeypatch.setattr(backup, "_rows", broken)
    with pytest.raises(RuntimeError):
        make_backup(tmp_path / "b", PASSPHRASE)
    assert not list(tmp_path.glob("b*"))


@pytest.mark.django_db(transaction=True)
def test_the_command_needs_a_long_passphrase(office: Any, tmp_path: Path) -> None:
    short = tmp_path / "short"
    short.write_text("too short\n")
    with pytest.raises(CommandError, match="16 characters"):
        call_command("backup", str(tmp_path / "b"), passphrase_file=short)
    with pytest.raises(CommandError, match=r"No such file"):
        call_command("restore", str(tmp_path / "b"), passphrase_file=tmp_path / "none")


def test_a_typed_passphrase_is_asked_for_twice(monkeypatch: pytest.MonkeyPatch) -> None:
    answers = iter(["a passphrase that is long", "another that is as long"])
    monkeypatch.setattr("getpass.getpass", lambda _prompt: next(answers))
    with pytest.raises(BackupError, match="not the same"):
        read_passphrase(None, twice=True)


@pytest.mark.django_db(transaction=True)
@pytest.mark.skipif(
    os.environ.get("KINWARD_TEST_DATABASE") != "postgres", reason="needs both databases"
)
def test_a_backup_moves_between_the_databases(
    office: Any,
    actor: Any,
    tmp_path: Path,
    passphrase_file: Path,
    fresh_installation: Callable[[str], Installation],
) -> None:
    """From PostgreSQL to SQLite and back: nothing changes on the way."""
    fill(office, actor, 5)
    make_backup(tmp_path / "1.backup", PASSPHRASE, with_keys=True)
    small = Installation(tmp_path / "small", "", "")
    python(MANAGE, small, "migrate", "--verbosity", "0")
    restore(small, tmp_path / "1.backup", passphrase_file)
    option = ("--passphrase-file", str(passphrase_file), "--with-keys")
    python(MANAGE, small, "backup", str(tmp_path / "2.backup"), *option)
    large = fresh_installation("large")
    restore(large, tmp_path / "2.backup", passphrase_file)
    first, second = shown(small, keys=True), shown(large, keys=True)
    assert first["sound"]
    assert second["sound"]
    assert second["faults"] == []
    assert second["names"] == first["names"] == [f"Synthetic {number}" for number in range(5)]
    # Beside what both hold, each wrote one event after the backup was read.
    assert second["rows"] == first["rows"]
