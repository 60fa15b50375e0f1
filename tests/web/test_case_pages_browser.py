"""One night and day in Chromium: police, hospital and welfare bring one child into care."""

from __future__ import annotations

import re
from datetime import timedelta

import pytest
from axe_playwright_python.sync_playwright import Axe
from django.urls import reverse
from django.utils import timezone
from planner import World

from kinward_web.casework.models import Case, CaseParty, Proposal
from kinward_web.registry.models import Involvement, Link
from kinward_web.rules.roles import Role

pytestmark = pytest.mark.django_db(transaction=True)
POLICE, WELFARE, CLINICIAN = Role.POLICE_OFFICER, Role.WELFARE_WORKER, Role.CLINICIAN


@pytest.fixture
def world(page_for, office):
    return World(office)


def url(name, case, *args):
    return reverse(f"casework:{name}", args=[case.code, *args])


def faults(page) -> list[str]:
    found = Axe().run(page)
    return [
        f"{row['id']}: {node['html'][:160]}"
        for row in found.response["violations"]
        for node in row["nodes"]
    ]


def press_to(page, name: str) -> None:
    """Move with the Tab key alone until the focus stands on the control called `name`."""
    for _ in range(80):
        page.keyboard.press("Tab")
        text = page.evaluate(
            "() => { const e = document.activeElement; return e.tagName === 'A' ? '' : "
            "(e.labels && e.labels[0] ? e.labels[0].innerText : e.innerText) || ''; }"
        )
        if text.strip().startswith(name):
            return
    raise AssertionError(f"the Tab key never reaches “{name}”")


def test_a_whole_day(world, page_for, office):
    police = page_for(POLICE)
    police.go("/")
    assert police.url.endswith(reverse("casework:today"))
    police.get_by_role("link", name="Record the rescue").click()
    police.get_by_label("Jurisdiction").fill("Henan")
    police.get_by_label("Place", exact=True).fill("A courtyard")
    police.get_by_label("Operation").select_option(label="OP-TEST")
    police.get_by_role("button", name="Record the rescue").click()
    case = Case.objects.get()
    assert case.state == "rescued"
    for kind in ("hospital", "welfare"):
        CaseParty.objects.create(case=case, agency=office.agency(kind))
    world.document(case.child, "photograph")

    # Registration by the keyboard alone.
    police.go(url("step", case, "register"))
    press_to(police, "Place")
    police.keyboard.type("Station")
    press_to(police, "Wristband code")
    police.keyboard.type("BAND-7")
    press_to(police, "Synthetic photograph")
    police.keyboard.press("Space")
    press_to(police, "Things found with the child")
    police.keyboard.type("a red card")
    press_to(police, "Register the child")
    police.keyboard.press("Enter")
    police.wait_for_url(f"**{url('child', case)}")
    case.refresh_from_db()
    assert (case.state, case.wristband) == ("registered", "BAND-7")

    # A bed for the night.
    police.go(url("places", case))
    police.get_by_label("Hospital or home").select_option(index=1)
    police.get_by_role("button", name="Propose it").click()
    police.get_by_label("Name and office of the person who receives").fill("Nurse on duty")
    police.get_by_role("button", name="Receive now").click()
    police.wait_for_url("**/places/*/")
    assert case.placements.get().state == "placed"

    # The clinician takes the step within the child's page.
    clinician = page_for(CLINICIAN)
    clinician.go(reverse("casework:today"))
    clinician.get_by_role("link", name=case.code).first.click()
    clinician.get_by_role(
        "link", name=re.compile("Take this step.*Record the medical examination")
    ).click()
    clinician.get_by_label("no sign").check()
    assert clinician.url.endswith(url("child", case)), "the form opened in place"
    clinician.get_by_label("Injuries and marks").fill("none seen")
    clinician.get_by_label("Youngest possible age, days").fill("300")
    clinician.get_by_label("Oldest possible age, days").fill("200")
    clinician.get_by_label("Code of sample A").fill("KIT-1")
    clinician.get_by_role("button", name="Record the medical examination").click()
    clinician.get_by_text("The youngest possible age is above the oldest.").wait_for()
    clinician.get_by_label("Oldest possible age, days").fill("400")
    clinician.get_by_role("button", name="Record the medical examination").click()
    clinician.wait_for_url(f"**{url('child', case)}")

    welfare = page_for(WELFARE)
    welfare.go(url("child", case))
    assert welfare.get_by_text("10–13 months").count()
    welfare.get_by_role("link", name=re.compile("Take this step.*Receive into care")).click()
    welfare.get_by_label("Name and office of the person who receives").fill("Head of the home")
    welfare.get_by_role("button", name="Receive into care").click()
    welfare.get_by_text("Done: Receive into care").wait_for()
    case.refresh_from_db()
    assert case.state == "in_care"
    for page in (police, clinician, welfare):
        assert page.violations == []


def test_a_step_without_javascript(world, page_for):
    case = world.case_in("registered")
    page = page_for(CLINICIAN, java_script_enabled=False)
    page.go(url("child", case))
    page.get_by_role(
        "link", name=re.compile("Take this step.*Record the medical examination")
    ).click()
    assert page.url.endswith(url("step", case, "clear_medically"))
    assert page.get_by_label("Code of sample A").count() == 1


@pytest.fixture
def busy(world, office):
    """Something on every page."""
    now = timezone.now()
    world.open("locate", moment=now - timedelta(hours=80), returned_to_buyer=True)
    rescued = world.case_in("rescued")
    held = world.case_in("hold", resume="registered")
    from kinward_web.casework import engine

    reason = {"reason": "Synthetic reason"}
    engine.transition(world.actor(WELFARE, given=now), held, "release_hold", reason, now)
    barred = world.case_in("medical_cleared")
    place = world.propose(barred)
    adult = place.household.members.get().person
    aunt, buyer = world.person(), world.person()
    police = office.agency("police")
    Involvement.objects.create(person=buyer, part="buyer", source="Synthetic", entered_by=police)
    for first, second, kind in ((adult, aunt, "kin"), (aunt, buyer, "payment")):
        Link.objects.create(
            first=first, second=second, kind=kind, source="Synthetic", entered_by=police
        )
    reunited = world.case_in("reunited")
    proposal = Proposal.objects.get(closed_at=None)
    return [
        (POLICE, "today", reverse("casework:today")),
        (POLICE, "children", reverse("casework:children")),
        (POLICE, "new", reverse("casework:new_case", args=["locate"])),
        (POLICE, "child", url("child", rescued)),
        (POLICE, "step", url("step", rescued, "register")),
        (POLICE, "held", url("child", held)),
        (POLICE, "proposal", url("proposal", held, proposal.pk)),
        (POLICE, "custody", url("place", barred, place.pk)),
        (WELFARE, "barred", url("child", barred)),
        (WELFARE, "places", url("places", barred)),
        (WELFARE, "medical", url("medical", reunited)),
        (WELFARE, "home", url("child", reunited)),
        (WELFARE, "follow_up", url("follow_up", reunited)),
        (WELFARE, "visit", url("visit", reunited, reunited.visits.first().pk)),
        (WELFARE, "service", url("service", reunited)),
        (CLINICIAN, "exam", url("medical", barred)),
        (POLICE, "notices", reverse("public:manage")),
    ]


@pytest.mark.parametrize(("width", "scheme"), [(1280, "light"), (390, "dark")])
def test_every_page_is_accessible(busy, page_for, width, scheme, tmp_path):
    pages = {role: page_for(role, width=width, color_scheme=scheme) for role, _name, _path in busy}
    found = {}
    for role, name, path in busy:
        page = pages[role]
        assert page.go(path).status == 200, path
        page.screenshot(path=tmp_path / f"{name}-{width}-{scheme}.png", full_page=True)
        wider = page.evaluate("document.documentElement.scrollWidth > window.innerWidth")
        found[name] = faults(page) + (["wider than the window"] if wider else [])
        assert page.violations == []
    assert {name: rows for name, rows in found.items() if rows} == {}
