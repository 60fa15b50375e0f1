"""The door for programs: the same scope, the same refusals, JSON instead of pages."""

from __future__ import annotations

import threading
from uuid import uuid4

import pytest
from django.db import connections
from django.test import Client
from django.utils import timezone
from planner import World

from conftest import sign_in
from kinward_web.accounts.api import Channel, actor_for
from kinward_web.audit.models import AuditEvent, ReadEvent
from kinward_web.casework.board_actions import FoundChild, enter_found
from kinward_web.casework.models import Case, OutboxReceipt, Placement, Proposal, TransitionRecord
from kinward_web.registry.models import Person
from kinward_web.rules.case import CASE
from kinward_web.rules.roles import AgencyKind, Role

POLICE, WELFARE, CLINICIAN = Role.POLICE_OFFICER, Role.WELFARE_WORKER, Role.CLINICIAN
READERS = {
    POLICE,
    WELFARE,
    CLINICIAN,
    Role.POLICE_ANALYST,
    Role.PANEL_MEMBER,
    Role.FAMILY_LIAISON,
    Role.FOREIGN_AUTHORITY,
    Role.AUDITOR,
}


@pytest.fixture
def world(office):
    return World(office)


def post(client, path, body=None):
    return client.post(f"/api/v1/{path}", body or {}, content_type="application/json")


def get(client, path):
    return client.get(f"/api/v1/{path}")


def codes(response):
    return {row["code"] for row in response.json()["refusals"]}


# ------------------------------------------------------------------------------ who comes in


@pytest.mark.parametrize("role", [role for role in Role if role != Role.SYSTEM])
def test_each_role_reads_its_cases_or_nothing(world, client_for, role):
    case = world.case_in("rescued")
    client = client_for(role)
    expected = 200 if role in READERS else 404
    for path in ("cases", f"cases/{case.code}", f"cases/{case.code}/steps"):
        assert get(client, path).status_code == expected, path
    if role in READERS:
        assert [row["code"] for row in get(client, "cases").json()["items"]] == [case.code]


@pytest.mark.parametrize("role", [POLICE, WELFARE, CLINICIAN])
def test_another_agency_finds_nothing_and_does_nothing(world, client_for, role):
    place = world.placement_in("proposed")
    case = place.case
    client = client_for(role, "other")
    assert get(client, "cases").json()["items"] == []
    assert get(client, f"cases/{case.code}").status_code == 404
    assert post(client, f"cases/{case.code}/steps/hold").status_code == 404
    body = {"home": world.homes[AgencyKind.WELFARE].pk}
    assert post(client, f"cases/{case.code}/placements", body).status_code == 404
    assert post(client, f"placements/{place.pk}/steps/receive_at_night").status_code == 404
    assert Placement.objects.count() == 1


def test_a_visitor_is_told_in_json(world, client):
    for path in ("cases", "cases/X", "cases/X/steps"):
        assert get(client, path).status_code == 401
    assert post(client, "sync", {"entries": []}).status_code == 401
    assert client.get("/api/v1/openapi.json").status_code == 302


def test_a_login_without_second_factor_is_told_in_json(world, client, office):
    client.force_login(office.user(POLICE))
    assert get(client, "cases").status_code == 401


def test_a_forged_request_is_refused(world, office):
    client = sign_in(Client(enforce_csrf_checks=True), office.user(POLICE))
    case = world.case_in("rescued")
    assert get(client, f"cases/{case.code}").status_code == 200
    response = post(client, f"cases/{case.code}/steps/undo_rescue", {"evidence": {"reason": "x"}})
    assert response.status_code == 403
    case.refresh_from_db()
    assert case.state == "rescued"


def test_the_description_names_every_door(world, client_for):
    paths = get(client_for(POLICE), "openapi.json").json()["paths"]
    assert set(paths) == {
        "/api/v1/cases",
        "/api/v1/cases/{code}",
        "/api/v1/cases/{code}/steps",
        "/api/v1/cases/{code}/steps/{rule}",
        "/api/v1/cases/{code}/placements",
        "/api/v1/placements/{pk}/steps/{rule}",
        "/api/v1/proposals/{pk}/sign",
        "/api/v1/sync",
    }
    assert get(client_for(POLICE), "docs").status_code == 404


# ------------------------------------------------------------------------------ reading


def test_reads_are_written_down_with_their_purpose(world, client_for):
    case = world.case_in("rescued")
    client = client_for(CLINICIAN)
    get(client, f"cases/{case.code}")
    get(client, f"cases/{case.code}/steps?purpose=placement")
    get(client, "cases?purpose=offenders")
    found = ReadEvent.objects.order_by("pk").values_list("act", "purpose")
    assert list(found) == [
        ("case.read", "care"),
        ("case.read", "placement"),
        ("case.list", "care"),
    ]


def test_a_case_in_json_holds_no_name(world, client_for):
    case = world.case_in("medical_cleared")
    Person.objects.filter(pk=case.child_id).update(name="A synthetic name")
    body = get(client_for(POLICE), f"cases/{case.code}").content.decode()
    assert case.child.code in body
    assert "A synthetic name" not in body
    assert case.sample_a not in body


def test_steps_say_what_they_ask_for_and_what_blocks_them(world, client_for):
    case = world.case_in("rescued")
    path = f"cases/{case.code}/steps"
    steps = {row["rule"]: row for row in get(client_for(POLICE), path).json()}
    assert steps["register"]["allowed"]
    assert "wristband" in steps["register"]["evidence"]
    steps = {
        row["rule"]: row for row in get(client_for(WELFARE), f"cases/{case.code}/steps").json()
    }
    assert not steps["register"]["allowed"]
    assert {row["code"] for row in steps["register"]["refusals"]} == {"role"}
    assert all(row["path"] for step in steps.values() for row in step["refusals"])


def test_the_list_is_paged(world, client_for):
    for _ in range(3):
        world.open()
    from kinward_web.api import cases

    kept, cases._PAGE = cases._PAGE, 2
    try:
        first = get(client_for(POLICE), "cases?page=1").json()
        second = get(client_for(POLICE), "cases?page=2").json()
    finally:
        cases._PAGE = kept
    assert (first["count"], first["pages"], len(first["items"]), len(second["items"])) == (
        3,
        2,
        2,
        1,
    )
    assert get(client_for(POLICE), "cases?page=0").status_code == 422


# ------------------------------------------------------------------------------ steps


def test_a_step_is_made_through_the_door_and_says_so(world, client_for):
    case = world.open()
    officer = world.actor(POLICE)
    evidence = world.evidence(case_rule(case, "register"), case, officer, timezone.now())
    client = client_for(POLICE)
    stale = post(client, f"cases/{case.code}/steps/register", {"evidence": evidence, "seen": 0})
    assert (stale.status_code, codes(stale)) == (409, {"changed"})
    done = post(
        client,
        f"cases/{case.code}/steps/register",
        {"evidence": evidence, "seen": case.version},
    )
    assert (done.status_code, done.json()) == (200, {"state": "registered", "version": 2})
    assert TransitionRecord.objects.order_by("-number").first().channel == "api"


def test_refusals_are_all_there_with_their_paths(world, client_for):
    case = world.open()
    response = post(client_for(POLICE), f"cases/{case.code}/steps/register", {"evidence": {}})
    assert response.status_code == 409
    assert codes(response) == {
        f"evidence:{key}"
        for key in ("happened_at", "place", "operation", "wristband", "photographs", "found_with")
    }
    assert all(row["path"] for row in response.json()["refusals"])
    unknown = post(client_for(POLICE), f"cases/{case.code}/steps/set_free")
    assert (unknown.status_code, codes(unknown)) == (409, {"state"})
    assert (
        post(client_for(POLICE), f"cases/{case.code}/steps/hold", {"seen": "x"}).status_code == 422
    )


def test_a_place_is_proposed_and_the_child_received(world, client_for):
    case = world.case_in("registered")
    client = client_for(CLINICIAN)
    home = world.homes[AgencyKind.HOSPITAL]
    made = post(client, f"cases/{case.code}/placements", {"home": home.pk})
    assert (made.status_code, made.json()["state"]) == (201, "proposed")
    evidence = {"happened_at": timezone.now().isoformat(), "receiving_person": "Nurse Synthetic"}
    path = f"placements/{made.json()['id']}/steps/receive_at_night"
    done = post(client, path, {"evidence": evidence})
    assert (done.status_code, done.json()["state"]) == (200, "placed")


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        ({"home": 10**9}, 409, "unknown_home"),
        ({"household": "NONE"}, 409, "unknown_code"),
        ({}, 422, ""),
        ({"home": 1, "household": "NONE"}, 422, ""),
        ({"household": "NONE", "purpose": "sale"}, 422, ""),
    ],
)
def test_a_place_that_is_none_is_refused(world, client_for, body, status, code):
    case = world.case_in("registered")
    response = post(client_for(WELFARE), f"cases/{case.code}/placements", body)
    assert response.status_code == status
    if code:
        assert codes(response) == {code}
    assert not Placement.objects.exists()


def test_signatures_through_the_door(world, client_for):
    case = world.case_in("hold", "in_care")
    rule = next(rule for rule in world_rules(case) if rule.cosigners)
    proposer = next(role for role in (WELFARE, POLICE) if role in rule.roles)
    cosigner = POLICE if proposer == WELFARE else WELFARE
    moment = timezone.now()
    world.prepare(case, rule, moment)
    evidence = world.evidence(rule, case, world.actor(proposer), moment)
    path = f"cases/{case.code}/steps/{rule.name}"
    made = post(client_for(proposer), path, {"evidence": evidence})
    assert made.status_code == 202
    assert made.json()["waits_for"]
    pk = made.json()["proposal"]
    again = post(client_for(proposer), f"proposals/{pk}/sign")
    assert again.status_code == 409
    assert "same_agency" in codes(again)
    assert post(client_for(cosigner, "other"), f"proposals/{pk}/sign").status_code == 404
    signed = post(client_for(cosigner), f"proposals/{pk}/sign")
    assert signed.status_code == 200, signed.content
    assert signed.json()["waits_for"] == []
    assert Proposal.objects.get(pk=pk).outcome == "done"
    case.refresh_from_db()
    assert case.state == signed.json()["state"] != "hold"


def case_rule(case, name):
    return CASE.rule(name, case.state)


def world_rules(case):
    return CASE.from_state(case.state)


# ------------------------------------------------------------------------------ sync


def entry(**given):
    return {
        "client_id": str(uuid4()),
        "operation": "OP-TEST",
        "region": "Henan",
        "place": "the third courtyard",
        "happened_at": timezone.localtime().strftime("%Y-%m-%dT%H:%M"),
        "sex": "male",
    } | given


def test_an_entry_makes_one_child_however_often_it_is_sent(world, client_for):
    client, sent = client_for(POLICE), entry()
    first = post(client, "sync", {"entries": [sent]}).json()["results"]
    again = post(client, "sync", {"entries": [sent, sent]}).json()["results"]
    case = Case.objects.get()
    assert {(row["status"], row["case"]) for row in first + again} == {("done", case.code)}
    assert OutboxReceipt.objects.count() == 1
    assert TransitionRecord.objects.get().channel == "sync"


def test_a_refused_entry_does_not_keep_the_others_back(world, client_for):
    wrong = entry(happened_at="2999-01-01T00:00", place="", region="", sex="?")
    nowhere = entry(operation="OP-NONE")
    response = post(client_for(POLICE), "sync", {"entries": [wrong, entry(), nowhere]})
    one, two, three = response.json()["results"]
    assert (one["status"], two["status"], three["status"]) == ("refused", "done", "refused")
    assert {row["code"] for row in one["refusals"]} == {"evidence:region", "evidence:sex"}
    assert {row["code"] for row in three["refusals"]} == {"evidence:operation"}
    assert all(row["path"] for row in one["refusals"] + three["refusals"])
    assert Case.objects.count() == OutboxReceipt.objects.count() == 1
    assert AuditEvent.objects.filter(act="case.refused", channel="sync").count() == 2


def test_a_refused_entry_can_be_sent_corrected_under_its_number(world, client_for):
    client, sent = client_for(POLICE), entry(happened_at="2999-01-01T00:00")
    assert post(client, "sync", {"entries": [sent]}).json()["results"][0]["status"] == "refused"
    mended = sent | {"happened_at": entry()["happened_at"]}
    assert post(client, "sync", {"entries": [mended]}).json()["results"][0]["status"] == "done"
    assert Case.objects.count() == 1


def test_the_number_of_another_login_is_refused(world, client_for):
    sent = entry()
    post(client_for(POLICE), "sync", {"entries": [sent]})
    (result,) = post(client_for(POLICE, number=2), "sync", {"entries": [sent]}).json()["results"]
    assert {row["code"] for row in result["refusals"]} == {"client_id"}
    assert result["case"] is None
    assert Case.objects.count() == 1


@pytest.mark.parametrize("role", [WELFARE, CLINICIAN, Role.AUDITOR, Role.ADMINISTRATOR])
def test_only_who_records_rescues_syncs(world, client_for, role):
    assert post(client_for(role), "sync", {"entries": [entry()]}).status_code == 404
    assert not Case.objects.exists()


def test_the_operation_of_another_agency_is_no_operation(world, client_for):
    client = client_for(POLICE, "other")
    (result,) = post(client, "sync", {"entries": [entry()]}).json()["results"]
    assert {row["code"] for row in result["refusals"]} == {"evidence:operation"}


@pytest.mark.django_db(transaction=True)
def test_the_same_entry_by_several_connections_at_once_makes_one_child(world, office):
    found = FoundChild(
        uuid4(), "OP-TEST", "Henan", "the courtyard", timezone.now().isoformat(), "male"
    )
    who = actor_for(office.user(POLICE), Channel.SYNC, timezone.now())
    people = Person.objects.count()
    start, made, failed = threading.Barrier(4), [], []

    def send():
        try:
            start.wait()
            made.append(enter_found(who, found).code)
        except Exception as error:
            failed.append(error)
        finally:
            connections.close_all()

    threads = [threading.Thread(target=send) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failed == []
    assert made == [Case.objects.get().code] * 4
    assert OutboxReceipt.objects.count() == TransitionRecord.objects.count() == 1
    assert Person.objects.count() == people + 1
