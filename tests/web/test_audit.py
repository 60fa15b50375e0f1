"""The audit chain: what it holds, what breaks it, and reads sealed into it."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.core.management import call_command
from django.db import DatabaseError, connection, transaction
from django.utils import timezone
from tampering import owner

from kinward_web.accounts.api import SYSTEM, Actor, Agency, User, actor_for
from kinward_web.audit import api, chain, reads
from kinward_web.audit.command import run
from kinward_web.audit.models import AuditEvent, ReadEvent

__all__ = ["owner"]

CODES = ["K7QM-3T9X-B2", "AAAA-BBBB-22"]


@pytest.fixture
def actor(db: None) -> Actor:
    agency = Agency.objects.create(code="city-police", name="City police", kind="police")
    user = User.objects.create_user(
        "officer@example.org",
        "synthetic passphrase",
        full_name="Officer (synthetic)",
        person_number="P-1",
        agency=agency,
        role="police_officer",
    )
    return actor_for(user)


def fill(actor: Actor, count: int = 5) -> None:
    for number in range(count):
        with transaction.atomic():
            api.append(actor, "case.register", f"case:{number}", {"number": number, "名": "字"})


def codes(found: api.Verification) -> set[str]:
    return {fault.code for fault in found.faults}


@pytest.mark.django_db(transaction=True)
def test_an_event_outside_a_transaction_is_refused() -> None:
    with pytest.raises(api.NotInTransaction):
        api.append(SYSTEM, "case.register")
    assert AuditEvent.objects.count() == 0


@pytest.mark.django_db(transaction=True)
def test_an_event_falls_with_its_act() -> None:
    with transaction.atomic():
        api.append(SYSTEM, "case.register")
        transaction.set_rollback(True)
    with transaction.atomic():
        event = api.append(SYSTEM, "case.register")
    assert (event.sequence, event.previous) == (1, chain.GENESIS)


def test_links_are_gapless_and_chained(actor: Actor) -> None:
    fill(actor)
    links = list(AuditEvent.objects.values_list("sequence", "previous", "hash"))
    assert [link[0] for link in links] == [1, 2, 3, 4, 5]
    assert [link[1] for link in links] == [chain.GENESIS, *(link[2] for link in links[:-1])]
    found = api.verify()
    assert found.sound
    assert found.count == 5
    assert found.head == api.head()


def test_the_hash_is_over_this_very_text() -> None:
    """Written out by hand, so that the form cannot change unnoticed."""
    import hashlib

    event = AuditEvent(
        sequence=1,
        at=datetime(2011, 7, 15, 4, 30, tzinfo=UTC),
        actor_id=7,
        role="police_officer",
        agency_id=3,
        channel="page",
        act="case.register",
        subject="case:X",
        detail={"b": [1, True, None], "a": "字"},
        previous="0" * 64,
    )
    text = (
        '{"act":"case.register","actor":7,"agency":3,"at":"2011-07-15T04:30:00.000000+00:00",'
        '"channel":"page","detail":{"a":"字","b":[1,true,null]},"previous":"' + "0" * 64 + '",'
        '"role":"police_officer","sequence":1,"subject":"case:X"}'
    )
    assert chain.link_hash(event) == hashlib.sha256(text.encode()).hexdigest()


@pytest.mark.parametrize(
    ("detail", "error"),
    [
        ({"x": 0.5}, TypeError),
        ({"x": object()}, TypeError),
        ({1: "x"}, TypeError),
        ({"x": ["a\0b"]}, ValueError),
        ({"x": "\ud800"}, ValueError),
        ({"x": datetime(2011, 7, 15)}, ValueError),
    ],
)
def test_what_a_database_would_change_is_refused(
    db: None, detail: dict[Any, Any], error: type[Exception]
) -> None:
    with pytest.raises(error), transaction.atomic():
        api.append(SYSTEM, "x", detail=detail)


def test_details_come_back_as_they_went_in(db: None) -> None:
    detail = {"at": timezone.now(), "day": timezone.now().date(), "n": 10**30, "t": (1, "ä\n\t")}
    api.append(SYSTEM, "x", detail=detail)
    assert api.verify().sound
    assert AuditEvent.objects.get().detail["n"] == 10**30


@pytest.mark.parametrize("part", ["act", "subject"])
def test_what_would_be_cut_off_is_refused(db: None, part: str) -> None:
    with pytest.raises(ValueError, match=part):
        api.append(SYSTEM, **({"act": "x"} | {part: "x" * 61}))


ALTERATIONS: dict[str, tuple[dict[str, Any], str]] = {
    "at": ({"at": datetime(2011, 7, 15, tzinfo=UTC)}, "altered"),
    "actor": ({"actor": None}, "altered"),
    "role": ({"role": "auditor"}, "altered"),
    "agency": ({"agency": None}, "altered"),
    "channel": ({"channel": "api"}, "altered"),
    "act": ({"act": "case.close"}, "altered"),
    "subject": ({"subject": "case:other"}, "altered"),
    "detail": ({"detail": {"number": 99}}, "altered"),
    "hash": ({"hash": "f" * 64}, "altered"),
    "previous": ({"previous": "f" * 64}, "previous"),
    "sequence": ({"sequence": 99}, "gap"),
}


@pytest.mark.parametrize("column", ALTERATIONS)
def test_any_altered_column_is_found(actor: Actor, column: str, owner: Any) -> None:
    change, code = ALTERATIONS[column]
    fill(actor)
    with owner():
        assert AuditEvent.objects.filter(sequence=3).update(**change) == 1
    found = api.verify()
    assert not found.sound
    assert code in codes(found)


def test_every_column_is_altered_in_a_test() -> None:
    assert {field.name for field in AuditEvent._meta.concrete_fields} - {"id"} == set(ALTERATIONS)


def test_a_row_whose_key_was_exchanged_is_found(actor: Actor, owner: Any) -> None:
    fill(actor)
    with owner():
        AuditEvent.objects.filter(sequence=5).update(id=50)
    assert codes(api.verify()) == {"key"}


def test_an_altered_row_with_a_new_hash_breaks_the_next(actor: Actor, owner: Any) -> None:
    fill(actor)
    event = AuditEvent.objects.get(sequence=3)
    event.act = "case.close"
    with owner():
        AuditEvent.objects.filter(sequence=3).update(act=event.act, hash=chain.link_hash(event))
    found = api.verify()
    assert [(fault.code, fault.sequence) for fault in found.faults] == [("previous", 4)]


def test_a_removed_row_is_found(actor: Actor, owner: Any) -> None:
    fill(actor)
    with owner():
        AuditEvent.objects.filter(sequence=3).delete()
    assert codes(api.verify()) == {"gap", "previous"}


def test_a_cut_end_shows_only_against_a_noted_head(actor: Actor, owner: Any) -> None:
    fill(actor)
    noted = api.head()
    assert noted is not None
    with owner():
        AuditEvent.objects.filter(sequence__gt=3).delete()
    assert api.verify().sound, "a chain alone cannot show that its end was cut"
    assert codes(api.verify([noted])) == {"cut"}


def test_a_chain_rewritten_as_a_whole_shows_only_against_a_noted_head(
    actor: Actor, owner: Any
) -> None:
    fill(actor)
    noted = api.head()
    assert noted is not None
    with owner():
        previous = chain.GENESIS
        for event in AuditEvent.objects.all():
            event.actor_id, event.previous = None, previous
            event.hash = previous = chain.link_hash(event)
            event.save()
    assert api.verify().sound
    assert codes(api.verify([noted])) == {"rewritten"}


def test_a_noted_head_still_holds_after_more_links(actor: Actor) -> None:
    fill(actor)
    noted = api.head()
    assert noted is not None
    fill(actor)
    assert api.verify([noted]).sound


def test_faults_beyond_a_hundred_are_counted(actor: Actor, owner: Any) -> None:
    fill(actor, 120)
    with owner():
        AuditEvent.objects.update(role="x")
    found = api.verify()
    assert (len(found.faults), found.more) == (100, 20)


@pytest.mark.parametrize("text", ["", "5", "0:" + "a" * 64, "5:" + "g" * 64, "5:" + "a" * 63])
def test_a_head_of_another_form_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="SEQUENCE:HASH"):
        api.Head.parse(text)


FORGERIES = {
    "update": "UPDATE audit_auditevent SET role = 'x' WHERE sequence = 2",
    "delete": "DELETE FROM audit_auditevent WHERE sequence = 2",
    "gap": (
        "INSERT INTO audit_auditevent (id, sequence, at, role, channel, act, subject, detail, "
        "previous, hash) SELECT 9, 9, at, role, channel, act, subject, detail, hash, hash "
        "FROM audit_auditevent WHERE sequence = 2"
    ),
    "fork": (
        "INSERT INTO audit_auditevent (id, sequence, at, role, channel, act, subject, detail, "
        "previous, hash) SELECT 3, 3, at, role, channel, act, subject, detail, previous, hash "
        "FROM audit_auditevent WHERE sequence = 2"
    ),
}


@pytest.mark.parametrize("forgery", FORGERIES)
def test_the_database_itself_refuses_to_alter_the_chain(actor: Actor, forgery: str) -> None:
    fill(actor, 2)
    with connection.cursor() as cursor, pytest.raises(DatabaseError), transaction.atomic():
        cursor.execute(FORGERIES[forgery])
    assert api.verify().count == 2
    assert api.verify().sound


# ------------------------------------------------------------------------------------- reads


def read(actor: Actor, count: int) -> None:
    for number in range(count):
        api.record_read(actor, "care", "case.read", f"case:{number}")


def test_reads_are_sealed_into_the_chain(actor: Actor) -> None:
    read(actor, 3)
    assert api.verify().waiting == 3
    assert api.seal_reads() == 3
    event = AuditEvent.objects.get()
    assert event.act == "read.sealed"
    assert event.detail["count"] == 3
    found = api.verify()
    assert found.sound
    assert (found.reads, found.waiting) == (3, 0)
    assert api.seal_reads() == 0


def test_many_reads_make_several_batches(actor: Actor, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reads, "_BATCH", 4)
    read(actor, 10)
    assert api.seal_reads() == 10
    assert [event.detail["count"] for event in AuditEvent.objects.all()] == [4, 4, 2]
    assert api.verify().sound


@pytest.mark.parametrize(
    "change",
    [
        {"at": datetime(2011, 7, 15, tzinfo=UTC)},
        {"purpose": "audit"},
        {"act": "other.read"},
        {"subject": "case:other"},
        {"seal": None},
        {"id": 10_000},
    ],
)
def test_altered_reads_are_found(actor: Actor, owner: Any, change: dict[str, Any]) -> None:
    read(actor, 3)
    api.seal_reads()
    key = ReadEvent.objects.values_list("pk", flat=True)[1]
    with owner():
        ReadEvent.objects.filter(pk=key).update(**change)
    assert "batch" in codes(api.verify())


def test_a_removed_or_added_read_is_found(actor: Actor, owner: Any) -> None:
    read(actor, 3)
    api.seal_reads()
    with owner():
        ReadEvent.objects.filter(subject="case:1").delete()
    assert codes(api.verify()) == {"batch"}
    with owner():
        ReadEvent.objects.create(
            at=timezone.now(),
            actor_id=actor.user_id,
            purpose="care",
            act="case.read",
            subject="case:1",
            seal=AuditEvent.objects.get(),
        )
    assert codes(api.verify()) == {"batch"}


def test_a_read_under_a_link_that_seals_nothing_is_found(actor: Actor, owner: Any) -> None:
    fill(actor, 1)
    read(actor, 1)
    with owner():
        ReadEvent.objects.update(seal=AuditEvent.objects.get())
    assert codes(api.verify()) == {"stray"}


def test_reads_that_nobody_seals_are_a_fault(actor: Actor) -> None:
    read(actor, 2)
    assert api.verify().sound
    found = api.verify(moment=timezone.now() + timedelta(hours=25))
    assert codes(found) == {"unsealed"}


def test_a_read_needs_a_purpose_of_the_list(actor: Actor) -> None:
    with pytest.raises(ValueError, match="offender"):
        api.record_read(actor, "offender search", "case.read", "case:1")
    assert not any("offender" in f"{key} {label}".lower() for key, label in api.PURPOSES.items())


def test_what_kinward_reads_by_itself_is_not_a_look(db: None) -> None:
    api.record_read(SYSTEM, "care", "case.read", "case:1")
    assert ReadEvent.objects.count() == 0


def test_a_list_is_one_read_with_count_and_digest(actor: Actor) -> None:
    api.record_list_read(actor, "care", "case.list", CODES)
    api.record_list_read(actor, "care", "case.list", reversed(CODES))
    api.record_list_read(actor, "care", "case.list", CODES[:1])
    subjects = list(ReadEvent.objects.values_list("subject", flat=True))
    assert subjects[0] == subjects[1] != subjects[2]
    assert subjects[0].startswith("list:2:")
    assert len(reads.list_subject(str(number) for number in range(100_000))) <= 60


def test_requests_seal_by_number_and_by_age(actor: Actor, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reads, "_waiting", reads._Waiting())
    monkeypatch.setattr(reads, "SEAL_SIZE", 3)
    read(actor, 2)
    reads.seal_after_request()
    assert AuditEvent.objects.count() == 0
    read(actor, 1)
    reads.seal_after_request()
    assert AuditEvent.objects.get().detail["count"] == 3
    early = timezone.now() - reads.SEAL_AGE
    api.record_read(actor, "care", "case.read", "case:1", moment=early)
    reads.seal_after_request()
    assert AuditEvent.objects.count() == 2


def test_a_seal_that_fails_does_not_fail_the_request(
    actor: Actor, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def broken() -> int:
        raise RuntimeError("no disk")

    monkeypatch.setattr(reads, "_waiting", reads._Waiting())
    monkeypatch.setattr(reads, "SEAL_SIZE", 1)
    monkeypatch.setattr(reads, "seal_reads", broken)
    read(actor, 1)
    reads.seal_after_request()
    assert "no disk" in caplog.text


# ----------------------------------------------------------------------------------- command


def test_the_command_says_whether_the_chain_is_whole(
    actor: Actor, owner: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    fill(actor)
    assert run(["head"]) == 0
    noted = capsys.readouterr().out.strip()
    assert noted == str(api.head())
    assert run(["verify", "--expect", noted]) == 0
    assert "5 links" in capsys.readouterr().out
    with owner():
        AuditEvent.objects.filter(sequence=2).update(role="x")
    assert run(["verify"]) == 1
    assert "link 2" in capsys.readouterr().err
    assert run(["verify", "--json"]) == 1
    answer = json.loads(capsys.readouterr().out)
    # Each verification is an event itself.
    assert (answer["sound"], answer["count"]) == (False, 7)
    last = chain.last_event("audit.verified")
    assert last is not None
    assert last.detail["faults"] == 1
    assert answer["faults"][0]["sequence"] == 2


def test_the_command_refuses_wrong_use(db: None, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["verify", "--expect", "x"]) == 2
    assert run([]) == 2
    assert run(["head"]) == 1
    assert run(["--help"]) == 0


def test_reads_are_sealed_by_command(actor: Actor, capsys: pytest.CaptureFixture[str]) -> None:
    read(actor, 2)
    call_command("seal_reads")
    assert "2 reads" in capsys.readouterr().out
    assert run(["seal", "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == {"sealed": 0}


def test_the_channel_is_recorded(db: None) -> None:
    event = api.append(replace(SYSTEM, channel="command"), "x")  # type: ignore[arg-type]
    assert event.channel == "command"
