"""The custody check on its page: what bars a place, who is told, and the two ways out."""

from __future__ import annotations

import pytest
from django.urls import reverse
from planner import World

from kinward_web.audit.api import AuditEvent
from kinward_web.casework.models import Case, LinkClearance
from kinward_web.registry.models import Involvement, Link
from kinward_web.rules.roles import Role

POLICE, WELFARE, CLINICIAN = Role.POLICE_OFFICER, Role.WELFARE_WORKER, Role.CLINICIAN


@pytest.fixture
def world(office):
    return World(office)


@pytest.fixture
def barred(world, office):
    """A place with a family whose adult is kin of a buyer."""
    case = world.case_in("medical_cleared")
    place = world.propose(case)
    adult = place.household.members.get().person
    buyer = world.person()
    police = office.agency("police")
    Involvement.objects.create(person=buyer, part="buyer", source="Synthetic", entered_by=police)
    Link.objects.create(
        first=adult, second=buyer, kind="kin", source="Synthetic", entered_by=police
    )
    return case, place, adult, buyer


def url(name, case, *args):
    return reverse(f"casework:{name}", args=[case.code, *args])


def text(response) -> str:
    return " ".join(response.content.decode().split())


def test_the_page_explains_each_denial_and_offers_the_night(barred, client_for):
    case, place, adult, buyer = barred
    body = text(client_for(WELFARE).get(url("place", case, place.pk)))
    assert "This place is barred for one reason" in body
    assert f"{adult.code} is linked to {buyer.code}" in body
    assert "custody-graph" in body
    assert "Receive now in a hospital or accredited home" in body
    assert url("place_step", case, place.pk, "clear") not in body


def test_who_may_not_screen_is_not_told_who_bars(barred, client_for):
    case, place, adult, buyer = barred
    body = text(client_for(CLINICIAN).get(url("place", case, place.pk)))
    assert buyer.code not in body
    assert adult.code not in body
    response = client_for(CLINICIAN).post(url("screen", case, place.pk))
    assert response.status_code == 404


def test_clearing_a_barred_place_is_refused_with_the_path(barred, client_for):
    case, place, _adult, buyer = barred
    page = url("place_step", case, place.pk, "clear")
    response = client_for(WELFARE).post(page, {"seen": place.version})
    assert response.status_code == 409
    assert buyer.code in text(response)
    place.refresh_from_db()
    assert place.state == "proposed"


def test_a_result_is_kept_even_when_it_bars(barred, client_for):
    case, place, *_people = barred
    assert client_for(POLICE).post(url("screen", case, place.pk)).status_code == 302
    clearance = place.clearances.get()
    assert not clearance.clear
    assert clearance.digest[:16] in text(client_for(POLICE).get(url("place", case, place.pk)))
    assert AuditEvent.objects.filter(act="custody.screened").count() == 1


def test_police_and_welfare_clear_the_link_and_the_place_opens(barred, client_for):
    case, place, adult, buyer = barred
    link = Link.objects.get(first=adult, second=buyer)
    data = {
        "first": adult.code,
        "second": buyer.code,
        "via": f"link:{link.pk}",
        "reason": "An aunt who never met the child",
        "document": case.child.documents.get(kind="other").pk,
    }
    assert client_for(CLINICIAN).get(url("link_new", case)).status_code == 404
    response = client_for(WELFARE).post(url("link_new", case), data)
    assert response.status_code == 302
    clearance = LinkClearance.objects.get()
    page = url("link", case, clearance.pk)
    assert client_for(WELFARE).post(page, {"sign": "1"}).status_code == 409
    assert "is barred" in text(client_for(WELFARE).get(url("place", case, place.pk)))
    assert client_for(POLICE).post(page, {"sign": "1"}).status_code == 302
    assert "Nothing bars this place now" in text(
        client_for(WELFARE).get(url("place", case, place.pk))
    )
    withdrawal = {"withdraw": "1", "reason": "A new statement"}
    assert client_for(POLICE).post(page, withdrawal).status_code == 302
    assert "is barred" in text(client_for(WELFARE).get(url("place", case, place.pk)))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"via": "link:999999"}, "There is no such link on record now."),
        ({"reason": ""}, "This field is required"),
        ({"document": ""}, "This field is required"),
    ],
)
def test_a_clearance_needs_link_reason_and_document(barred, client_for, change, message):
    case, _place, adult, buyer = barred
    link = Link.objects.get(first=adult, second=buyer)
    data = {
        "first": adult.code,
        "second": buyer.code,
        "via": f"link:{link.pk}",
        "reason": "Looked into",
        "document": case.child.documents.get(kind="other").pk,
    }
    response = client_for(WELFARE).post(url("link_new", case), data | change)
    assert response.status_code == 409
    assert message in text(response)
    assert not LinkClearance.objects.exists()


def test_tonight_a_home_is_proposed_and_receives_at_once(world, client_for):
    case = world.case_in("rescued")
    client = client_for(POLICE)
    home = world.homes["hospital"]
    data = {"where": "home", "home": home.pk, "purpose": "care"}
    response = client.post(url("places", case), data)
    place = case.placements.get()
    assert response["Location"] == url("place_step", case, place.pk, "receive_at_night")
    evidence = {
        "seen": 1,
        "happened_at": _now(),
        "receiving_person": "Nurse on duty",
    }
    assert client.post(response["Location"], evidence).status_code == 302
    place.refresh_from_db()
    assert place.state == "placed"


def _now() -> str:
    from django.utils import timezone

    return timezone.localtime().strftime("%Y-%m-%dT%H:%M")


def test_an_escort_is_screened_as_well(world, client_for):
    case = world.case_in("medical_cleared")
    place = world.propose(case)
    escort = world.person(identity="unknown")
    data = {"code": escort.code, "capacity": "escort"}
    assert client_for(POLICE).post(url("add_person", case, place.pk), data).status_code == 302
    body = text(client_for(POLICE).get(url("place", case, place.pk)))
    assert f"Nobody has verified who {escort.code} is." in body
    unknown = client_for(POLICE).post(url("add_person", case, place.pk), data | {"code": "NOBODY"})
    assert unknown.status_code == 409


def test_a_household_out_of_reach_is_not_proposed(world, client_for):
    case = world.case_in("medical_cleared")
    data = {"where": "household", "household": "ZZZZ-ZZZZ-ZZ", "purpose": "care"}
    response = client_for(WELFARE).post(url("places", case), data)
    assert response.status_code == 409
    assert "There is no household" in text(response)
    assert not case.placements.exists()


def test_a_child_is_entered_and_its_case_opened(world, client_for):
    page = reverse("casework:new_case", args=["locate"])
    data = {
        "seen": 0,
        "name": "",
        "sex": "female",
        "region": "Henan",
        "returned_to_buyer": "on",
        "source": "A neighbour",
        "place": "A village",
        "with_whom": "The buyer",
    }
    assert client_for(WELFARE).get(page).status_code == 404
    assert client_for(POLICE).post(page, data | {"source": ""}).status_code == 409
    assert client_for(POLICE).post(page, data).status_code == 302
    case = Case.objects.get(returned_to_buyer=True)
    assert case.state == "located"
    assert case.child.sex == "female"
