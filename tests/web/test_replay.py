"""July 2011 again, through every door: a rescued child is to be sent back to its buyer.

The child was bought by a couple who paid a broker. An official means to return it to them. Every
way is tried: pages, API, import, sync, a command that uses the models, SQL; whole and in pieces.
Each is refused with the legitimate path beside it, nothing is half-done, and at the end the child
sleeps in a hospital under a named officer. All data is synthetic.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
from django.db import DatabaseError, connection, transaction
from django.urls import reverse
from django.utils import timezone
from planner import World

from kinward_web.accounts.models import User
from kinward_web.casework import actions, engine, link_actions
from kinward_web.casework.models import (
    Case,
    Clearance,
    LinkClearance,
    Placement,
    PlacementPerson,
    Proposal,
    Signature,
    TransitionRecord,
)
from kinward_web.errors import NotAllowed, TransitionRefused
from kinward_web.registry.actions import move_out
from kinward_web.registry.models import Household, HouseholdMember, Involvement, Link, Person
from kinward_web.registry.transfer import importing
from kinward_web.registry.transfer.writing import write_csv
from kinward_web.rules.roles import AgencyKind, Role

POLICE, WELFARE, CLINICIAN = Role.POLICE_OFFICER, Role.WELFARE_WORKER, Role.CLINICIAN
NIGHT = {"happened_at": "2011-07-15T04:30:00+08:00", "receiving_person": "the buyer"}
BARRED = {"custody:involved", "custody:linked"}


@dataclass
class Replay:
    """The people of July 2011."""

    world: World
    case: Case
    buyer: Person
    wife: Person
    household: Household
    proposed: Placement
    """The buyers' household as an official proposed it; naming a place is not yet a bed."""

    @property
    def officer(self) -> Any:
        """Who wants to send the child back."""
        return self.world.actor(POLICE)

    def household_of(self, *adults: Person) -> Placement:
        """Propose another household."""
        return actions.propose_place(
            self.officer,
            self.case,
            home_id=None,
            household=self.world.household(*adults).code,
            purpose="care",
            people=(),
        )

    def link(self, first: Person, second: Person, kind: str) -> Link:
        """Enter a link."""
        return Link.objects.create(
            first=first,
            second=second,
            kind=kind,
            source="synthetic statement",
            entered_by=self.world.office.agency("police"),
        )

    def involve(self, person: Person, part: str) -> None:
        """Enter an accusation."""
        Involvement.objects.create(
            person=person,
            part=part,
            standing="arrested",
            source="synthetic statement",
            entered_by=self.world.office.agency("police"),
        )


@pytest.fixture
def replay(office):
    world = World(office)
    case = world.case_in("medical_cleared")
    buyer, wife, broker = (world.person(f"Synthetic {n}") for n in ("buyer", "wife", "broker"))
    household = world.household(buyer, wife)
    found = Replay(world, case, buyer, wife, household, proposed=None)
    found.involve(buyer, "buyer")
    found.involve(broker, "broker")
    found.link(buyer, wife, "partner")
    found.link(buyer, broker, "payment")
    found.proposed = actions.propose_place(
        found.officer, case, home_id=None, household=household.code, purpose="care", people=()
    )
    return found


def everything() -> dict[str, Any]:
    """Return what must not change by a refused attempt."""
    return {
        "places": sorted(Placement.objects.values_list("pk", "state", "version", "household")),
        "cases": sorted(Case.objects.values_list("pk", "state", "version")),
        "records": TransitionRecord.objects.count(),
        "screened": PlacementPerson.objects.count(),
        "clearances": Clearance.objects.filter(clear=True).count(),
        "links": sorted(LinkClearance.objects.values_list("pk", "police_signer", "welfare_signer")),
        "proposals": Proposal.objects.count(),
        "signatures": Signature.objects.count(),
        "people": Person.objects.count(),
        "members": sorted(HouseholdMember.objects.values_list("pk", "household", "until")),
    }


def refused(attempt: Callable[[], Any]) -> set[str]:
    """Return the codes with which an action refuses; every one has a path, nothing has changed."""
    before = everything()
    with pytest.raises(TransitionRefused) as caught:
        attempt()
    assert all(str(row.message).strip() for row in caught.value.refusals)
    assert all(str(row.path).strip() for row in caught.value.refusals)
    assert everything() == before
    return {row.code for row in caught.value.refusals}


def denied_by_database(attempt: Callable[[], Any]) -> str:
    """Return the words with which the database refuses; nothing has changed."""
    before = everything()
    with pytest.raises(DatabaseError) as caught, transaction.atomic():
        attempt()
    assert everything() == before
    return str(caught.value)


STEPS = {
    "clear": ({}, BARRED),
    "place": (NIGHT | {"escort": "an official"}, {"state"}),
    "receive_at_night": (NIGHT, {"private_at_night"}),
}


# ------------------------------------------------------------------------------ by the doors


@pytest.mark.parametrize("step", list(STEPS))
@pytest.mark.parametrize("channel", ["page", "api", "import", "sync", "command", "system"])
def test_by_the_engine_whatever_the_channel(replay, step, channel):

    from kinward_web.accounts.api import Channel

    evidence, expected = STEPS[step]
    who = replace(replay.officer, channel=Channel(channel))
    assert refused(lambda: engine.transition(who, replay.proposed, step, evidence)) >= expected


@pytest.mark.parametrize("role", [POLICE, WELFARE])
@pytest.mark.parametrize("step", list(STEPS))
def test_by_the_pages(replay, client_for, role, step):
    evidence, expected = STEPS[step]
    client = client_for(role)
    before = everything()
    url = reverse("casework:place_step", args=[replay.case.code, replay.proposed.pk, step])
    sent = evidence | {"seen": replay.proposed.version}
    if "happened_at" in sent:
        sent["happened_at"] = "2011-07-15T04:30"
    response = client.post(url, sent)
    assert response.status_code == 409
    body = response.content.decode()
    assert body.count('class="refusals__path"') >= len(expected)
    if step == "clear":
        for person in (replay.buyer, replay.wife):
            assert person.code in body
    assert everything() == before


@pytest.mark.parametrize("step", list(STEPS))
def test_by_the_api(replay, client_for, step):
    evidence, expected = STEPS[step]
    before = everything()
    response = client_for(POLICE).post(
        f"/api/v1/placements/{replay.proposed.pk}/steps/{step}",
        {"evidence": evidence},
        content_type="application/json",
    )
    assert response.status_code == 409
    refusals = response.json()["refusals"]
    assert {row["code"] for row in refusals} >= expected
    assert all(row["path"] for row in refusals)
    assert everything() == before


def test_the_api_takes_no_state(replay, client_for):
    client, before = client_for(POLICE), everything()
    for path in (
        f"cases/{replay.case.code}/placements",
        f"placements/{replay.proposed.pk}/steps/clear",
    ):
        body = {"household": replay.household.code, "state": "placed", "evidence": {}}
        response = client.post(f"/api/v1/{path}", body, content_type="application/json")
        assert response.status_code == 422
    assert everything() == before


def test_by_the_outbox(replay, client_for):
    """What is synced opens cases; it names neither a household nor a state."""
    entry = {
        "client_id": str(uuid4()),
        "operation": "OP-TEST",
        "region": "Henan",
        "place": "the buyer's house",
        "happened_at": "2011-07-15T04:30",
    }
    client, before = client_for(POLICE), everything()
    for more in (
        {"household": replay.household.code},
        {"state": "placed"},
        {"placement": {"household": replay.household.code}},
        {"child": replay.case.child.code},
    ):
        response = client.post(
            "/api/v1/sync", {"entries": [entry | more]}, content_type="application/json"
        )
        assert response.status_code == 422, more
    assert everything() == before


@pytest.mark.parametrize("purpose", ["care", "return"])
@pytest.mark.parametrize("step", ["clear", "place", "receive_at_night"])
def test_by_an_import(replay, step, purpose):
    """The table of placements proposes a place and takes one step: none brings a child there."""
    row = {
        "case": replay.case.code,
        "household": replay.household.code,
        "purpose": purpose,
        "step": step,
        "happened_at": "2011-07-15 04:30",
        "receiving_person": "the buyer",
        "escort": "an official",
    }
    before = everything()
    data = write_csv(list(row), [list(row.values())])
    upload = importing.stage_import(replay.officer, "placements.csv", data, "placements")
    assert upload.report["clean"] == {}
    assert upload.report["faults"]
    assert all(fault["mend"] for fault in upload.report["faults"])
    importing.run_import(replay.officer, upload, clean_only=True)
    assert everything() == before


def test_by_an_import_of_states(replay):
    """A column of states is no column, for a place or for a case."""
    before = everything()
    for table, row in (
        ("placements", {"case": replay.case.code, "home": "x", "state": "placed"}),
        ("children", {"case": replay.case.code, "state": "reunited"}),
    ):
        data = write_csv(list(row), [list(row.values())])
        upload = importing.stage_import(replay.officer, f"{table}.csv", data, table)
        assert upload.report["faults"]
        assert all(fault["mend"] for fault in upload.report["faults"])
        # A file with a column that does not exist is not run even in part.
        with pytest.raises(TransitionRefused):
            importing.run_import(replay.officer, upload, clean_only=True)
    assert everything() == before


# ------------------------------------------------------------------------------ round the engine


def _save(replay):
    replay.proposed.state = "placed"
    replay.proposed.save()


def _save_with_version(replay):
    replay.proposed.state, replay.proposed.version = "placed", replay.proposed.version + 1
    replay.proposed.save()


def _create(replay):
    Placement.objects.create(case=replay.case, household=replay.household, state="placed")


def _bulk_create(replay):
    Placement.objects.bulk_create(
        [Placement(case=replay.case, household=replay.household, state="placed", version=3)]
    )


def _update(replay):
    Placement.objects.filter(pk=replay.proposed.pk).update(state="placed")


def _bulk_update(replay):
    replay.proposed.state = "cleared"
    Placement.objects.bulk_update([replay.proposed], ["state"])


def _sql_update(replay):
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE casework_placement SET state = 'placed', version = version + 1 WHERE id = %s",
            [replay.proposed.pk],
        )


def _sql_insert(replay):
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO casework_placement (case_id, household_id, purpose, state, version, "
            "over_capacity, planned, created_at) VALUES (%s, %s, 'care', 'placed', 0, %s, %s, %s)",
            [replay.case.pk, replay.household.pk, False, False, timezone.now()],
        )


def _case_state(replay):
    Case.objects.filter(pk=replay.case.pk).update(state="reunited")


def _move_household(replay):
    """Take a place where a child sleeps and write the buyers' household into it."""
    place = replay.world.place_in_home(replay.case)
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE casework_placement SET home_id = NULL, household_id = %s WHERE id = %s",
            [replay.household.pk, place.pk],
        )


def _forge(replay, *steps):
    """Write the records that the triggers ask for, and then the states, as no action would."""
    version, state = replay.proposed.version, "proposed"
    for rule, target in steps:
        version += 1
        TransitionRecord.objects.create(
            machine="placement",
            subject_id=replay.proposed.pk,
            number=version,
            rule=rule,
            source=state,
            target=target,
            actor_id=replay.officer.user_id,
            role=POLICE.value,
            agency_id=replay.officer.agency_id,
            channel="command",
            evidence={},
            evidence_digest="0" * 64,
            made_at=timezone.now(),
        )
        Placement.objects.filter(pk=replay.proposed.pk).update(state=target, version=version)
        state = target


def _forged_clearance(replay):
    Clearance.objects.create(
        placement=replay.proposed,
        screened_at=timezone.now(),
        expires_at=timezone.now() + timedelta(hours=72),
        clear=True,
        result={},
        digest="0" * 64,
    )
    _forge(replay, ("clear", "cleared"), ("place", "placed"))


def _forged_night(replay):
    _forge(replay, ("receive_at_night", "placed"))


ROUND = {
    "save": _save,
    "save with version": _save_with_version,
    "create": _create,
    "bulk_create": _bulk_create,
    "update": _update,
    "bulk_update": _bulk_update,
    "SQL update": _sql_update,
    "SQL insert": _sql_insert,
    "state of the case": _case_state,
    "another household": _move_household,
    "forged records": _forged_clearance,
    "forged night": _forged_night,
}


@pytest.mark.parametrize("name", list(ROUND))
def test_by_a_command_or_by_sql(replay, name):
    """What a management command, a script or a person at the database would write."""
    words = denied_by_database(lambda: ROUND[name](replay))
    assert words.strip(), name
    if name.startswith("forged records"):
        assert "custody" in words
    if name == "forged night":
        assert "private people" in words


def test_the_fault_would_be_seen(replay):
    """Without the database's own constraints the same update goes through: the test can fail."""
    if connection.vendor != "sqlite":
        pytest.skip("on PostgreSQL only the owner of the tables can drop a trigger")
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT name FROM sqlite_master WHERE type = 'trigger' "
            "AND tbl_name = 'casework_placement'"
        )
        for (name,) in cursor.fetchall():
            cursor.execute(f'DROP TRIGGER "{name}"')
    with pytest.raises(pytest.fail.Exception):
        denied_by_database(lambda: _update(replay))


# ------------------------------------------------------------------------------ in pieces


def clear(replay, place):
    """Try to clear a place."""
    return refused(lambda: engine.transition(replay.officer, place, "clear", {}))


def test_a_second_household_for_the_wife(replay):
    place = replay.household_of(replay.wife)
    assert clear(replay, place) == {"custody:linked"}


def test_the_wife_where_no_marriage_is_on_record(replay):
    """Having lived together is enough."""
    Link.objects.filter(kind="partner").update(retracted_at=timezone.now())
    place = replay.household_of(replay.wife)
    assert clear(replay, place) == {"custody:linked"}


def test_the_buyer_moves_out_first(replay):
    member = HouseholdMember.objects.get(person=replay.buyer, household=replay.household)
    move_out(replay.officer, member, timezone.localdate())
    assert "custody:linked" in clear(replay, replay.proposed)


@pytest.mark.parametrize("capacity", ["payer", "escort", "carer"])
def test_the_buyer_behind_an_institution(replay, capacity):
    home = replay.world.homes[AgencyKind.WELFARE]
    place = actions.propose_place(
        replay.officer,
        replay.case,
        home_id=home.pk,
        household="",
        purpose="care",
        people=[(replay.buyer.code, capacity)],
    )
    assert "custody:involved" in clear(replay, place)
    night = NIGHT | {"receiving_person": "Nurse Synthetic"}
    codes = refused(lambda: engine.transition(replay.officer, place, "receive_at_night", night))
    assert codes == {"custody:involved"}
    # The same home receives the child at once without him.
    replay.world.place_in_home(replay.case)


def test_a_wife_who_brings_the_child_to_a_hospital_does_not_keep_it_out(replay):
    """At night only the accused themselves bar an institution: links and papers can wait."""
    place = actions.propose_place(
        replay.officer,
        replay.case,
        home_id=replay.world.homes[AgencyKind.HOSPITAL].pk,
        household="",
        purpose="care",
        people=[(replay.wife.code, "escort")],
    )
    assert clear(replay, place) == {"custody:linked"}
    engine.transition(replay.officer, place, "receive_at_night", NIGHT)
    assert place.state == "placed"


def test_a_cousin_two_steps_away(replay):
    brother, cousin = replay.world.person(), replay.world.person()
    replay.link(replay.buyer, brother, "sibling")
    replay.link(brother, cousin, "kin")
    place = replay.household_of(cousin)
    assert clear(replay, place) == {"custody:linked"}


def test_a_stranger_whom_nobody_knows(replay):
    place = replay.household_of(replay.world.person(identity="claimed"))
    assert clear(replay, place) == {"custody:unverified"}


def test_an_empty_house(replay):
    household = Household.objects.create(entered_by=replay.world.office.agency("police"))
    place = actions.propose_place(
        replay.officer,
        replay.case,
        home_id=None,
        household=household.code,
        purpose="care",
        people=(),
    )
    assert clear(replay, place) == {"custody:empty"}


def _clearing(replay, second=None):
    via = f"link:{Link.objects.get(kind='partner').pk}"
    document = replay.world.document(replay.case.child, "other")
    return link_actions.propose_link_clearance(
        replay.officer,
        replay.case,
        first=replay.buyer.code,
        second=replay.wife.code,
        via=via,
        reason="he is a good man",
        document_id=document.pk,
    )


def test_two_signers_of_one_agency_clear_no_link(replay):
    clearance = _clearing(replay)
    colleague = replay.world.actor(POLICE, number=2)
    codes = refused(lambda: link_actions.sign_link_clearance(colleague, clearance))
    assert codes == {"same_agency"}
    words = denied_by_database(
        lambda: LinkClearance.objects.filter(pk=clearance.pk).update(
            welfare_signer=replay.world.office.user(POLICE, number=2),
            welfare_signed_at=timezone.now(),
        )
    )
    assert words.strip()


def test_even_both_agencies_do_not_clear_the_buyer(replay):
    """A link can be cleared; that someone bought a child cannot."""
    link_actions.sign_link_clearance(replay.world.actor(WELFARE), _clearing(replay))
    assert "custody:involved" in clear(replay, replay.proposed)


@pytest.mark.parametrize("role", [Role.AUDITOR, Role.ADMINISTRATOR])
@pytest.mark.parametrize("step", list(STEPS))
def test_no_office_stands_above(replay, client_for, role, step):
    evidence, _expected = STEPS[step]
    who = replay.world.actor(role)
    codes = refused(lambda: engine.transition(who, replay.proposed, step, evidence))
    assert {"agency", "role"} & codes or codes == {"state"}
    before = everything()
    response = client_for(role).post(
        f"/api/v1/placements/{replay.proposed.pk}/steps/{step}",
        {"evidence": evidence},
        content_type="application/json",
    )
    assert response.status_code == (409 if role == Role.AUDITOR else 404)
    body = {"household": replay.household.code}
    response = client_for(role).post(
        f"/api/v1/cases/{replay.case.code}/placements", body, content_type="application/json"
    )
    assert response.status_code == (409 if role == Role.AUDITOR else 404)
    assert everything() == before


def test_the_mistaken_identity_is_not_one_persons_word(replay):
    """Only a correction lifts the accusation, and whoever proposes it does not confirm it."""
    from kinward_web.registry.actions import change_standing

    row = Involvement.objects.get(part="buyer")
    before = everything()
    with pytest.raises((TransitionRefused, NotAllowed)):
        change_standing(replay.officer, row, "mistaken", "his own word")
    row.refresh_from_db()
    assert row.standing == "arrested"
    assert everything() == before


def test_there_is_no_site_above_the_rules(replay, client_for):
    for role in (Role.ADMINISTRATOR, POLICE):
        assert client_for(role).get("/admin/").status_code == 404
    assert not any(user.is_superuser or user.is_staff for user in User.objects.all())
    assert not {"is_superuser", "is_staff"} & {field.name for field in User._meta.get_fields()}


# ------------------------------------------------------------------------------ the legitimate way


def test_the_child_sleeps_in_a_hospital_under_a_named_officer(replay, client_for):
    """What every refusal leads to works at four in the morning, by page and by API."""
    clear(replay, replay.proposed)
    home = replay.world.homes[AgencyKind.HOSPITAL]
    assert home.agency.named_officer is not None
    client = client_for(CLINICIAN)
    made = client.post(
        f"/api/v1/cases/{replay.case.code}/placements",
        {"home": home.pk},
        content_type="application/json",
    ).json()
    evidence = {"happened_at": timezone.now().isoformat(), "receiving_person": "Nurse Synthetic"}
    done = client.post(
        f"/api/v1/placements/{made['id']}/steps/receive_at_night",
        {"evidence": evidence},
        content_type="application/json",
    )
    assert (done.status_code, done.json()["state"]) == (200, "placed")
    assert Placement.objects.get(state="placed").home == home
    assert not Placement.objects.filter(household=replay.household, state="placed").exists()


def test_the_database_is_the_one_asked_for():
    """The suite runs on both; the name is in the environment."""
    asked = os.environ.get("KINWARD_TEST_DATABASE", "sqlite")
    assert connection.vendor == {"sqlite": "sqlite", "postgres": "postgresql"}[asked]
