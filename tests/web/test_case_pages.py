"""The case pages: who sees what, what a refusal says, and that queries do not grow with cases."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone
from planner import World

from kinward_web.audit.models import ReadEvent
from kinward_web.casework import engine
from kinward_web.casework.models import Message, Proposal
from kinward_web.rules.roles import Role

POLICE, WELFARE, CLINICIAN = Role.POLICE_OFFICER, Role.WELFARE_WORKER, Role.CLINICIAN


@pytest.fixture
def world(office):
    return World(office)


def url(name, case, *args):
    return reverse(f"casework:{name}", args=[case.code, *args])


def text(response) -> str:
    return " ".join(response.content.decode().split())


# ------------------------------------------------------------------------------ who sees what

PAGES = ("child", "medical", "places", "follow_up")
SEEN = {
    Role.POLICE_OFFICER: {"child", "places", "follow_up"},
    Role.POLICE_ANALYST: {"child"},
    Role.CLINICIAN: {"child", "medical", "places"},
    Role.WELFARE_WORKER: {"child", "medical", "places", "follow_up"},
    Role.PANEL_MEMBER: {"child", "medical", "places", "follow_up"},
    Role.FAMILY_LIAISON: {"child", "follow_up"},
    Role.FOREIGN_AUTHORITY: {"child", "follow_up"},
    Role.AUDITOR: {"child", "places", "follow_up"},
    Role.LAB_ANALYST: set(),
    Role.LAB_SIGNER: set(),
    Role.VOLUNTEER: set(),
    Role.ADMINISTRATOR: set(),
}


@pytest.mark.parametrize("role", list(SEEN))
def test_each_page_for_each_role(world, client_for, role):
    case = world.case_in("in_care")
    client = client_for(role)
    found = {page for page in PAGES if client.get(url(page, case)).status_code == 200}
    assert found == SEEN[role]
    if "child" in found:
        body = text(client.get(url("child", case)))
        for page in PAGES:
            assert (f'href="{url(page, case)}"' in body) == (page in found), page


@pytest.mark.parametrize("role", [POLICE, WELFARE, CLINICIAN, Role.FAMILY_LIAISON])
def test_another_agency_sees_nothing(world, client_for, role):
    case = world.case_in("in_care")
    client = client_for(role, "other")
    assert {client.get(url(page, case)).status_code for page in PAGES} == {404}
    assert case.code not in text(client.get(reverse("casework:today")))
    assert case.code not in text(client.get(reverse("casework:children")))


def test_a_visitor_is_asked_to_sign_in(world, client):
    case = world.case_in("rescued")
    for page in PAGES:
        response = client.get(url(page, case))
        assert response.status_code == 302
        assert "/sign-in/" in response["Location"]


def test_medical_facts_are_absent_where_they_may_not_be_read(world, client_for):
    case = world.case_in("medical_cleared")
    for role, sees in ((POLICE, False), (CLINICIAN, True)):
        body = text(client_for(role).get(url("child", case)))
        assert (case.sample_a in body) == sees
        assert ("Synthetic medical" in body) == sees


def test_the_buyer_is_named_only_to_those_who_read_suspects(world, client_for):
    case = world.open("locate")
    assert "With whom the child is" in text(client_for(POLICE).get(url("child", case)))
    assert "With whom the child is" not in text(client_for(WELFARE).get(url("child", case)))


def test_each_look_is_written_down_with_its_purpose(world, client_for):
    case = world.case_in("rescued")
    client = client_for(CLINICIAN)
    client.get(url("child", case))
    client.get(url("child", case), {"purpose": "placement"})
    client.get(url("child", case), {"purpose": "offenders"})
    reads = ReadEvent.objects.filter(subject=f"case:{case.code}").values_list("purpose", flat=True)
    assert list(reads) == ["care", "placement", "care"]


# ------------------------------------------------------------------------------ steps


def test_rail_and_steps_of_a_rescued_child(world, client_for):
    case = world.case_in("rescued")
    body = text(client_for(POLICE).get(url("child", case)))
    assert 'aria-current="step"' in body
    assert url("step", case, "register") in body
    assert url("step", case, "clear_medically") not in body


def test_the_form_asks_for_each_item_of_evidence(world, client_for):
    case = world.case_in("rescued")
    body = text(client_for(POLICE).get(url("step", case, "register")))
    for name in ("happened_at", "place", "operation", "wristband", "photographs", "found_with"):
        assert f'name="{name}"' in body
    assert "Synthetic photograph" in body
    assert "Synthetic court" not in body, "only documents of the kinds that count"


def registration(world, case, **changes):
    photograph = case.child.documents.get(kind="photograph")
    return {
        "seen": case.version,
        "happened_at": timezone.localtime().strftime("%Y-%m-%dT%H:%M"),
        "place": "Synthetic station",
        "operation": world.operation.pk,
        "wristband": "BAND-1",
        "photographs": [photograph.pk],
        "found_with": "nothing",
    } | changes


def test_a_step_is_taken_by_the_form(world, client_for):
    case = world.case_in("rescued")
    response = client_for(POLICE).post(url("step", case, "register"), registration(world, case))
    assert response.status_code == 302
    case.refresh_from_db()
    assert case.state == "registered"
    assert case.wristband == "BAND-1"


def test_a_refused_step_says_why_and_keeps_what_was_entered(world, client_for):
    taken = world.case_in("registered")
    case = world.case_in("rescued")
    data = registration(world, case, wristband=taken.wristband, place="By the river")
    response = client_for(POLICE).post(url("step", case, "register"), data)
    assert response.status_code == 409
    body = text(response)
    assert "Another child wears this wristband code." in body
    assert "print a new band for this child" in body
    assert "By the river" in body


def test_a_stale_page_is_refused(world, client_for):
    case = world.case_in("rescued")
    data = registration(world, case, seen=case.version - 1)
    response = client_for(POLICE).post(url("step", case, "register"), data)
    assert response.status_code == 409
    assert "Someone has changed this record" in text(response)


def test_a_step_of_another_role_shows_who_takes_it_and_no_form(world, client_for):
    case = world.case_in("rescued")
    response = client_for(CLINICIAN).get(url("step", case, "register"))
    assert "Ask one of these: Police officer." in text(response)
    assert 'name="wristband"' not in text(response)
    response = client_for(CLINICIAN).post(url("step", case, "register"), registration(world, case))
    assert response.status_code == 409
    case.refresh_from_db()
    assert case.state == "rescued"


def test_a_step_that_does_not_exist_names_what_does(world, client_for):
    case = world.case_in("rescued")
    for name in ("close", "fly"):
        response = client_for(POLICE).get(url("step", case, name))
        assert response.status_code == 409
        assert "Register the child" in text(response)


def test_a_blocked_step_stands_with_its_path(world, client_for):
    case = world.case_in("medical_cleared")
    body = text(client_for(WELFARE).get(url("child", case)))
    assert "The child has no place." in body
    assert "a hospital or accredited home may receive at any hour" in body


# ------------------------------------------------------------------------------ signatures


@pytest.fixture
def released(world, client_for):
    """A hold that welfare proposes to release."""
    case = world.case_in("hold", resume="registered")
    data = {"seen": case.version, "reason": "It was settled", "document": ""}
    response = client_for(WELFARE).post(url("step", case, "release_hold"), data)
    proposal = Proposal.objects.get(closed_at=None)
    assert response["Location"] == url("proposal", case, proposal.pk)
    return case, proposal


def test_two_people_sign_by_the_page(released, client_for):
    case, proposal = released
    page = url("proposal", case, proposal.pk)
    body = text(client_for(POLICE).get(page))
    assert proposal.digest in body
    assert "It was settled" in body
    assert "I have read this and sign it" in body
    assert client_for(POLICE).post(page, {"sign": "1"}).status_code == 302
    case.refresh_from_db()
    assert case.state == "registered"


def test_the_proposer_sees_no_button_to_sign_but_may_withdraw(released, client_for):
    case, proposal = released
    page = url("proposal", case, proposal.pk)
    body = text(client_for(WELFARE).get(page))
    assert "I have read this and sign it" not in body
    assert client_for(WELFARE).post(page, {"sign": "1"}).status_code == 409
    assert client_for(WELFARE).post(page, {"withdraw": "1"}).status_code == 302
    proposal.refresh_from_db()
    assert proposal.outcome == "withdrawn"


def test_a_stale_second_factor_leads_to_its_page_and_back(released, client_for):
    case, proposal = released
    client = client_for(POLICE)
    session = client.session
    records = session["account_authentication_methods"]
    session["account_authentication_methods"] = [
        record | {"at": record["at"] - 3600} for record in records
    ]
    session.save()
    page = url("proposal", case, proposal.pk)
    assert "Give the second factor, then sign" in text(client.get(page))
    response = client.post(page, {"sign": "1"})
    assert response.status_code == 302
    assert response["Location"].startswith(reverse("accounts:second_factor"))
    assert case.code in response["Location"]
    response = client.get(url("step", case, "protect"))
    assert response.status_code == 200, "a step without cosigners asks for none"


def test_a_proposal_of_another_case_is_not_found(released, world, client_for):
    _case, proposal = released
    other = world.case_in("registered")
    assert client_for(POLICE).get(url("proposal", other, proposal.pk)).status_code == 404


# ------------------------------------------------------------------------------ today


def test_today_puts_returned_children_first(world, client_for):
    later = world.open("locate")
    first = world.open("locate", returned_to_buyer=True)
    body = text(client_for(POLICE).get(reverse("casework:today")))
    assert body.index(first.code) < body.index(later.code)
    assert "sent back" in body


def test_today_shows_only_what_waits_for_me(released, client_for):
    case, proposal = released
    link = url("proposal", case, proposal.pk)
    assert link in text(client_for(POLICE).get(reverse("casework:today")))
    assert link not in text(client_for(WELFARE).get(reverse("casework:today")))
    assert link not in text(client_for(POLICE, "other").get(reverse("casework:today")))


def test_today_without_anything_says_so(office, client_for):
    body = text(client_for(POLICE).get(reverse("casework:today")))
    for sentence in (
        "No child is known to be with a buyer.",
        "No child is missing.",
        "No case is on hold.",
        "Nothing is overdue",
        "Nothing waits for you.",
        "No new messages.",
        "No visit is due.",
    ):
        assert sentence in body


def test_messages_are_read_by_the_agency_they_went_to(world, client_for):
    case = world.case_in("in_care")
    world.act(case, "report_missing")
    message = Message.objects.get(case=case, key="missing", agency=world.office.agency("welfare"))
    page = reverse("casework:message_read", args=[message.pk])
    assert "The child is missing from care." in text(
        client_for(WELFARE).get(reverse("casework:today"))
    )
    assert client_for(POLICE).post(page).status_code == 404
    assert client_for(WELFARE).post(page, {"open": "1"})["Location"] == url("child", case)
    message.refresh_from_db()
    assert message.read_by.role == WELFARE


def queries(client, page) -> int:
    client.get(page)
    with CaptureQueriesContext(
        connection,
    ) as captured:
        assert client.get(page).status_code == 200
    return len(captured)


@pytest.mark.parametrize("page", ["casework:today", "casework:children", "casework:custody_checks"])
def test_queries_do_not_grow_with_cases(world, client_for, page):
    def more(number):
        for _ in range(number):
            case = world.case_in("rescued")
            world.propose(case, home=True)
            world.open("locate")

    more(2)
    client = client_for(POLICE)
    few = queries(client, reverse(page))
    more(10)
    assert queries(client, reverse(page)) <= few


def test_queries_of_a_child_do_not_grow_with_its_history(world, client_for):
    case = world.case_in("in_care")
    client = client_for(WELFARE)
    few = queries(client, url("child", case))
    for _ in range(5):
        world.act(case, "start_tracing")
        world.act(case, "pause_tracing")
        world.document(case.child, "other")
    assert queries(client, url("child", case)) <= few


# ------------------------------------------------------------------------------ other acts


def test_a_second_examination(world, client_for):
    case = world.case_in("medical_cleared")
    data = {
        "examined_at": timezone.localtime().strftime("%Y-%m-%dT%H:%M"),
        "sedation": "none",
        "injuries": "none seen",
        "age_days_min": 100,
        "age_days_max": 90,
        "weight_grams": 6000,
        "needs_medical_level": 2,
        "note": "",
    }
    page = url("medical", case)
    refused = client_for(CLINICIAN).post(page, data)
    assert refused.status_code == 409
    assert "above the oldest" in text(refused)
    assert client_for(CLINICIAN).post(page, data | {"age_days_max": 130}).status_code == 302
    exam = case.exams.get(weight_grams=6000)
    case.child.refresh_from_db()
    assert (case.child.born_to - case.child.born_from).days == 30
    assert exam.needs_medical_level == 2
    assert 'name="weight_grams"' not in text(client_for(WELFARE).get(page))


def test_visits_concerns_and_services(world, client_for):
    case = world.case_in("reunited")
    client = client_for(WELFARE)
    visit = case.visits.first()
    data = {
        "done_at": timezone.localtime().strftime("%Y-%m-%dT%H:%M"),
        "finding": "Thin and silent",
        "concern": "on",
        "cost": "40",
    }
    page = url("visit", case, visit.pk)
    assert client.post(page, data).status_code == 302
    visit.refresh_from_db()
    assert visit.concern
    assert "cause for concern" in text(client.get(url("follow_up", case)))
    assert "Thin and silent" in text(client.get(page))
    assert client.post(page, {"reason": "Doctor and food"}).status_code == 302
    assert "concern settled" in text(client.get(url("follow_up", case)))
    service = {
        "kind": "scholarship",
        "given_on": timezone.localdate().isoformat(),
        "cost": "1200.50",
        "currency": "CNY",
    }
    assert client.post(url("service", case), service).status_code == 302
    assert client.post(url("service", case), service | {"cost": "99.50"}).status_code == 302
    assert "1300.00" in text(client.get(url("follow_up", case)))
    assert client_for(POLICE).get(url("service", case)).status_code == 404


def test_a_visit_in_the_future_is_refused(world, client_for):
    case = world.case_in("reunited")
    tomorrow = timezone.localtime() + timedelta(days=1)
    data = {"done_at": tomorrow.strftime("%Y-%m-%dT%H:%M"), "finding": "Well", "cost": "0"}
    response = client_for(WELFARE).post(url("visit", case, case.visits.first().pk), data)
    assert response.status_code == 409
    assert "lies in the future" in text(response)


def test_another_agency_is_brought_in(world, client_for, office):
    case = world.case_in("registered")
    other = office.agency("hospital", "other")
    assert client_for(CLINICIAN, "other").get(url("child", case)).status_code == 404
    assert client_for(CLINICIAN).get(url("parties", case)).status_code == 404
    assert client_for(POLICE).post(url("parties", case), {"agency": other.pk}).status_code == 302
    assert client_for(CLINICIAN, "other").get(url("child", case)).status_code == 200


def test_whoever_signs_a_hand_over_sees_to_which_household(world, client_for):
    case = world.case_in("family_found")
    place = world.propose(case, "return", state="cleared")
    asked = text(client_for(WELFARE).get(url("step", case, "hand_over")))
    actor = world.actor(WELFARE)
    rule = engine.binding_of(case).machine.rule("hand_over")
    evidence = world.evidence(rule, case, actor, timezone.now())
    proposal = engine.transition(actor, case, "hand_over", evidence)
    signed = text(client_for(POLICE).get(url("proposal", case, proposal.pk)))
    for page in (asked, signed):
        assert "To this household" in page
        assert place.household.code in page
