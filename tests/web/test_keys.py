"""The key ring, encrypted values, and rotation while others work."""

from __future__ import annotations

import hashlib
import json
import stat
import threading
from datetime import timedelta
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.apps import apps
from django.core.management import CommandError, call_command
from django.db import connection, models
from django.utils import timezone

from kinward_web import keyring, rotation, serving
from kinward_web.accounts.api import SYSTEM, Agency
from kinward_web.audit import api as audit
from kinward_web.casework.checks import ring_reads_the_database
from kinward_web.commands import StartError
from kinward_web.fields import EncryptedTextField, document_context
from kinward_web.keyring import DecryptionError, KeyRing
from kinward_web.registry.models import Document, Person

LATER = timedelta(minutes=11)


@pytest.fixture(autouse=True)
def ring(tmp_path: Path, settings: Any, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A key ring of its own for each test."""
    settings.HOME = tmp_path / "home"
    monkeypatch.delenv("KINWARD_KEYS", raising=False)
    return settings.HOME / "keys.json"


def test_a_ring_is_made_for_its_owner_alone(ring: Path) -> None:
    keyring.load_ring()
    assert stat.S_IMODE(ring.stat().st_mode) == 0o600
    keyring.save_ring(keyring.load_ring().with_new_key())
    assert stat.S_IMODE(ring.stat().st_mode) == 0o600
    assert [path.name for path in ring.parent.iterdir()] == ["keys.json"]


def test_a_running_process_notices_a_new_ring() -> None:
    value = keyring.encrypt("小明", b"t.c")
    keyring.save_ring(keyring.load_ring().with_new_key())
    assert keyring.key_of(value) == "1"
    assert keyring.key_of(keyring.encrypt("x", b"t.c")) == "2"
    assert keyring.decrypt(value, b"t.c") == "小明"
    keyring.save_ring(keyring.load_ring().without("1"))
    with pytest.raises(DecryptionError):
        keyring.decrypt(value, b"t.c")


def test_a_ring_that_has_gone_is_not_made_anew(ring: Path) -> None:
    value = keyring.encrypt("x", b"t.c")
    ring.rename(ring.with_suffix(".away"))
    with pytest.raises(DecryptionError, match="put it back"):
        keyring.encrypt("y", b"t.c")
    ring.with_suffix(".away").rename(ring)
    assert keyring.decrypt(value, b"t.c") == "x"


def test_the_variable_goes_before_the_file(monkeypatch: pytest.MonkeyPatch) -> None:
    keyring.load_ring()
    fixed = KeyRing.fresh()
    monkeypatch.setenv("KINWARD_KEYS", fixed.to_json())
    assert keyring.load_ring() == fixed
    with pytest.raises(keyring.RingIsFixed):
        keyring.save_ring(fixed.with_new_key())


@pytest.mark.parametrize(
    "change",
    [
        {"active": "9"},
        {"index": "AAAA"},
        {"keys": {"1": "AAAA"}},
        {"keys": {"a:b": "A" * 43 + "="}, "active": "a:b"},
    ],
)
def test_a_malformed_ring_is_refused(change: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="key"):
        KeyRing.from_json(json.dumps(json.loads(KeyRing.fresh().to_json()) | change))


def test_the_active_key_and_an_unknown_one_are_not_retired() -> None:
    two = KeyRing.fresh().with_new_key()
    with pytest.raises(ValueError, match="active"):
        two.without("2")
    with pytest.raises(ValueError, match="has 1, 2"):
        two.without("7")


@pytest.mark.parametrize(
    "place", ["flip", "cut", "moved", "other key", "prefix", "garbage", "empty"]
)
@pytest.mark.parametrize("kind", ["text", "document"])
def test_what_is_not_what_was_written_is_refused(kind: str, place: str) -> None:
    here, there = keyring.row_context("t.c", "A", "1"), keyring.row_context("t.c", "B", "1")
    if kind == "text":
        stored: Any = keyring.encrypt("a text", here)
        opened = keyring.decrypt
    else:
        stored = keyring.encrypt_bytes(b"a document", here)
        opened = keyring.decrypt_bytes  # type: ignore[assignment]
    context = there if place == "moved" else here
    if place == "flip":
        middle = len(stored) - 12
        if kind == "text":
            other = "A" if stored[middle] != "A" else "B"
            stored = stored[:middle] + other + stored[middle + 1 :]
        else:
            stored = stored[:middle] + bytes([stored[middle] ^ 1]) + stored[middle + 1 :]
    elif place == "cut":
        stored = stored[:-4]
    elif place == "other key":
        keyring.save_ring(KeyRing.fresh())
    elif place == "prefix":
        stored = stored[1:]
    elif place == "garbage":
        stored = "garbage" if kind == "text" else b"garbage"
    elif place == "empty":
        stored = stored[:0]
    with pytest.raises(DecryptionError):
        opened(stored, context)


def test_contexts_do_not_run_into_each_other() -> None:
    assert keyring.row_context("t.c", "ab", "c") != keyring.row_context("t.c", "a", "bc")


# ------------------------------------------------------------------------------- rotation


def people(office: Any, count: int) -> list[Person]:
    agency = office.agency("police")
    return [
        Person.objects.create(name=f"Synthetic {number}", entered_by=agency)
        for number in range(count)
    ]


def document(person: Person, office: Any, content: bytes) -> Document:
    digest = hashlib.sha256(content).hexdigest()
    return Document.objects.create(
        person=person,
        kind="other",
        title="synthetic",
        media_type="text/plain",
        size=len(content),
        sha256=digest,
        content=keyring.encrypt_bytes(content, document_context(person.code, digest)),
        uploaded_by=office.user("police_officer"),
    )


def opened(row: Document) -> bytes:
    row.refresh_from_db()
    return keyring.decrypt_bytes(row.content, document_context(row.person.code, row.sha256))


def second_factor(office: Any) -> Any:
    from allauth.mfa.adapter import get_adapter
    from allauth.mfa.models import Authenticator

    return Authenticator.objects.update_or_create(
        user=office.user("welfare_worker"),
        type=Authenticator.Type.TOTP,
        defaults={"data": {"secret": get_adapter().encrypt("SECRET"), "note": "plain"}},
    )[0]


def keys_in_use() -> set[str]:
    return {name for name in keyring.load_ring().keys if rotation.values_under(name)}


def test_every_value_is_put_under_the_new_key(office: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    written = people(office, 450)
    papers = [document(person, office, b"content %d" % person.pk) for person in written[:25]]
    destroyed = document(written[0], office, b"gone")
    Document.objects.filter(pk=destroyed.pk).update(content=b"", destroyed_at=timezone.now())
    factor = second_factor(office)
    index = keyring.blind_index("name", "Synthetic 1")
    used = rotation.values_under("1")
    assert used["registry_person.name"] == 450
    assert used["registry_document.content"] == 25
    assert used["mfa_authenticator.data"] >= 1
    done = rotation.rotate(SYSTEM)
    assert (done.active, done.added, done.values) == ("2", True, sum(used.values()))
    assert done.unreadable == []
    assert keys_in_use() == {"2"}
    rotation.retire(SYSTEM, "1", moment=timezone.now() + LATER)
    assert list(keyring.load_ring().keys) == ["2"]
    names = set(Person.objects.values_list("name", flat=True))
    assert names == {f"Synthetic {number}" for number in range(450)}
    assert [opened(paper) for paper in papers] == [b"content %d" % p.pk for p in written[:25]]
    factor.refresh_from_db()
    from allauth.mfa.adapter import get_adapter

    assert get_adapter().decrypt(factor.data["secret"]) == "SECRET"
    assert factor.data["note"] == "plain"
    assert keyring.blind_index("name", "Synthetic 1") == index
    acts = list(audit.AuditEvent.objects.values_list("act", "subject"))
    assert acts == [
        ("keys.added", "key:2"),
        ("keys.rotated", "key:2"),
        ("keys.retired", "key:1"),
    ]


def test_an_interrupted_rotation_goes_on(office: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    people(office, 450)
    calls = 0
    usual = rotation._take_over

    def breaks_off(*arguments: Any) -> int:
        nonlocal calls
        calls += 1
        if calls > 250:
            raise KeyboardInterrupt
        return usual(*arguments)

    monkeypatch.setattr(rotation, "_take_over", breaks_off)
    with pytest.raises(KeyboardInterrupt):
        rotation.rotate(SYSTEM)
    monkeypatch.setattr(rotation, "_take_over", usual)
    assert keys_in_use() == {"1", "2"}
    done = rotation.rotate(SYSTEM)
    assert (done.active, done.added, done.values) == ("2", False, 250)
    assert keys_in_use() == {"2"}
    assert rotation.rotate(SYSTEM).active == "3"


def spoil(table: str, column: str, row: int, value: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute(f"UPDATE {table} SET {column} = %s WHERE id = %s", [value, row])


def test_a_key_in_use_is_not_retired(office: Any) -> None:
    spoil("registry_person", "name", people(office, 3)[1].pk, "v1:1:AAAA")
    keyring.save_ring(keyring.load_ring().with_new_key())
    with pytest.raises(rotation.KeyInUse, match=r"1 values in registry_person\.name"):
        rotation.retire(SYSTEM, "1")
    assert set(keyring.load_ring().keys) == {"1", "2"}
    assert audit.head() is None, "a refusal leaves no event that a key was retired"


def test_a_second_factor_keeps_its_key(office: Any) -> None:
    factor = second_factor(office)
    spoil("mfa_authenticator", "data", factor.pk, '{"secret": "v1:1:AAAA"}')
    keyring.save_ring(keyring.load_ring().with_new_key())
    with pytest.raises(rotation.KeyInUse, match="mfa_authenticator"):
        rotation.retire(SYSTEM, "1")


def test_what_came_late_is_taken_over_before_its_key_goes(office: Any) -> None:
    late = keyring.encrypt("Late", b"registry_person.name")
    (person,) = people(office, 1)
    rotation.rotate(SYSTEM)
    spoil("registry_person", "name", person.pk, late)
    rotation.retire(SYSTEM, "1", moment=timezone.now() + LATER)
    person.refresh_from_db()
    assert person.name == "Late"


def test_a_key_is_not_retired_while_transactions_may_still_write_with_it(office: Any) -> None:
    people(office, 1)
    rotation.rotate(SYSTEM)
    with pytest.raises(rotation.KeyInUse, match="10 minutes"):
        rotation.retire(SYSTEM, "1")
    rotation.retire(SYSTEM, "1", moment=timezone.now() + LATER)


def test_what_cannot_be_read_stays_and_is_named(office: Any) -> None:
    first, second = people(office, 2)
    spoil("registry_person", "name", first.pk, "v1:1:AAAA")
    done = rotation.rotate(SYSTEM)
    assert done.unreadable == [f"registry_person.name {first.pk}"]
    assert done.values == 1
    second.refresh_from_db()
    assert second.name == "Synthetic 1"
    with pytest.raises(rotation.KeyInUse, match=r"1 values in registry_person\.name"):
        rotation.retire(SYSTEM, "1", moment=timezone.now() + LATER)
    assert rotation.rotate(SYSTEM).active == "3", "a spoilt value does not stop later rotations"


def test_a_value_changed_meanwhile_is_left_to_its_writer(
    office: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    (person,) = people(office, 1)
    usual = rotation.Column.fresh

    def while_another_writes(self: Any, row: int, value: Any) -> Any:
        Person.objects.filter(pk=person.pk).update(name="Corrected")
        return usual(self, row, value)

    monkeypatch.setattr(rotation.Column, "fresh", while_another_writes)
    assert rotation.rotate(SYSTEM).values == 0
    person.refresh_from_db()
    assert person.name == "Corrected"


@pytest.mark.django_db(transaction=True)
def test_values_written_during_a_rotation_are_kept(office: Any) -> None:
    """A writer changes names all the while; in the end each name is the last one written."""
    written = people(office, 60)
    last: dict[int, str] = {}
    stop = threading.Event()

    def writer() -> None:
        number = 0
        while not stop.is_set():
            person = written[number % len(written)]
            Person.objects.filter(pk=person.pk).update(name=f"Changed {number}")
            last[person.pk] = f"Changed {number}"
            number += 1
        connection.close()

    thread = threading.Thread(target=writer)
    thread.start()
    try:
        while not last:
            pass
        for _ in range(3):
            rotation.rotate(SYSTEM)
    finally:
        stop.set()
        thread.join()
    found = dict(Person.objects.values_list("pk", "name"))
    assert {key: found[key] for key in last} == last
    for name in "123":
        rotation.retire(SYSTEM, name, moment=timezone.now() + LATER)
    assert keys_in_use() == {"4"}
    found = dict(Person.objects.values_list("pk", "name"))
    assert {key: found[key] for key in last} == last


def test_every_encrypted_column_takes_part() -> None:
    """A column of bytes that rotation does not know would lose its values with the old key."""
    known = {str(column) for column in rotation.columns()}
    for model in apps.get_models():
        for field in model._meta.local_concrete_fields:
            name = f"{model._meta.db_table}.{field.column}"
            if isinstance(field, EncryptedTextField | models.BinaryField):
                assert name in known


@pytest.mark.django_db
def test_every_column_can_be_asked() -> None:
    """The conditions are valid SQL for every column on this database."""
    assert rotation.values_under("1") == {}


def test_the_command(office: Any) -> None:
    people(office, 2)
    out = StringIO()
    call_command("rotate_keys", stdout=out)
    assert "2 values are now under key 2" in out.getvalue()
    with pytest.raises(CommandError, match="10 minutes"):
        call_command("rotate_keys", "--retire", "1")
    with pytest.raises(CommandError, match="active"):
        call_command("rotate_keys", "--retire", "2")


def test_a_fixed_ring_is_rotated_by_its_variable(
    office: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    ring = keyring.load_ring()
    people(office, 2)
    monkeypatch.setenv("KINWARD_KEYS", ring.with_new_key().to_json())
    done = rotation.rotate(SYSTEM)
    assert (done.active, done.added, done.values) == ("2", False, 2)
    with pytest.raises(CommandError, match="KINWARD_KEYS"):
        call_command("rotate_keys", "--retire", "1")


@pytest.mark.django_db
def test_a_fresh_ring_beside_an_old_database_stops_the_start(
    ring: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert ring_reads_the_database(["default"]) == []
    agency = Agency.objects.create(code="a", name="A", kind="police")
    Person.objects.create(name="小明", entered_by=agency)
    assert ring_reads_the_database(["default"]) == []
    old = ring.read_text()
    ring.unlink()
    # Without a file none is made; with a new one under the same name of key it is not taken.
    for text in (None, KeyRing.fresh().to_json()):
        if text is not None:
            ring.write_text(text)
        with pytest.raises(StartError, match="restore the old ring") as stopped:
            serving._prepare()
        assert str(ring) in str(stopped.value)
        assert [row.id for row in ring_reads_the_database(["default"])] == ["casework.E001"]
        assert ring.exists() == (text is not None)
    monkeypatch.setenv("KINWARD_KEYS", KeyRing.fresh().to_json())
    assert "KINWARD_KEYS" in ring_reads_the_database(["default"])[0].msg
    monkeypatch.delenv("KINWARD_KEYS")
    ring.write_text(old)
    assert ring_reads_the_database(["default"]) == []
