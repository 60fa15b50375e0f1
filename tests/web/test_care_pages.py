"""Pages of care places, plans and oversight: who sees them, what they say, in Chromium."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from care_world import Night
from django.test import Client

from conftest import Office
from kinward_web.casework.care import texts
from kinward_web.casework.care.actions import compute_plan
from kinward_web.casework.care.pictures import flow_picture, home_map
from kinward_web.casework.models import CareHome, NightPlan, Placement
from kinward_web.rules.roles import Role

pytestmark = pytest.mark.django_db


@pytest.fixture
def night(office: Office) -> Night:
    """Six children, of whom three find a place; siblings among them."""
    made = Night(office)
    made.home(name="Zhengzhou home", beds=3)
    made.home(name="Closed home", open=False)
    for number in range(6):
        made.child("S" if number < 2 else "", region="Yunnan" if number % 2 else "")
    return made


def test_the_plan_is_computed_shown_and_accepted(
    night: Night, client_for: Callable[..., Client]
) -> None:
    client = client_for(Role.WELFARE_WORKER)
    answer = client.post("/care/plan/", {"days": 30}, follow=True)
    page = answer.content.decode()
    plan = NightPlan.objects.get()
    assert answer.redirect_chain == [(f"/care/plan/{plan.pk}/", 302)]
    assert "What is missing tonight" in page
    assert "6 children × 30 days need" in page
    assert "short by 3 beds" in page
    assert page.count('type="checkbox"') == 3
    row = plan.rows.select_related("case").first()
    client.post(f"/care/plan/{plan.pk}/", {"case": row.case.code})
    assert Placement.objects.filter(case=row.case, state="proposed", planned=True).exists()
    page = client.post(f"/care/plan/{plan.pk}/", {"all": "1"}, follow=True).content.decode()
    assert Placement.objects.count() == 3
    assert page.count('type="checkbox"') == 0


def test_a_stale_plan_shows_the_way_out(night: Night, client_for: Callable[..., Client]) -> None:
    plan = compute_plan(night.actor(Role.WELFARE_WORKER), 30)
    CareHome.objects.update(beds=2)
    page = client_for(Role.WELFARE_WORKER).post(f"/care/plan/{plan.pk}/", {"all": "1"})
    assert "have changed since" in page.content.decode()
    assert "Compute again" in page.content.decode()
    assert not Placement.objects.exists()


def test_who_sees_and_keeps_care_places(night: Night, client_for: Callable[..., Client]) -> None:
    own = CareHome.objects.get(name="Zhengzhou home")
    for role in (Role.WELFARE_WORKER, Role.CLINICIAN, Role.PANEL_MEMBER, Role.AUDITOR):
        assert client_for(role).get("/care/").status_code == 200
    for role in (Role.POLICE_OFFICER, Role.VOLUNTEER, Role.FOREIGN_AUTHORITY):
        assert client_for(role).get("/care/").status_code == 404
    assert client_for(Role.WELFARE_WORKER).get(f"/care/{own.pk}/").status_code == 200
    assert client_for(Role.WELFARE_WORKER, "other").get(f"/care/{own.pk}/").status_code == 404
    assert client_for(Role.CLINICIAN).get(f"/care/{own.pk}/").status_code == 404
    assert client_for(Role.POLICE_OFFICER).get("/care/plan/").status_code == 404


def test_numbers_are_kept_and_wrong_ones_explained(
    night: Night, client_for: Callable[..., Client]
) -> None:
    own = CareHome.objects.get(name="Zhengzhou home")
    client = client_for(Role.WELFARE_WORKER)
    form = client.get(f"/care/{own.pk}/").context["form"]
    data = {name: "" if value is None else value for name, value in form.initial.items()}
    data["open"] = "on"
    assert client.post(f"/care/{own.pk}/", data | {"beds": 12}).status_code == 302
    own.refresh_from_db()
    assert own.beds == 12
    answer = client.post(f"/care/{own.pk}/", data | {"latitude": 134.0})
    assert answer.status_code == 200
    assert "between −90 and 90" in answer.content.decode()


def test_sentences_are_exact() -> None:
    need = {
        "there": 8, "coming": 4, "days": 30, "beds": 10, "carers_needed": 4, "carers": 3,
        "money_needed": 2_880_000, "money": 2_879_950, "currency": "CNY",
    }  # fmt: skip
    assert texts.home_sentence(need, "Z") == (
        "12 children × 30 days need 4 carers and 28,800 CNY at Z; "
        "short by 2 beds, 1 carer and 0.50 CNY."
    )
    enough = need | {"beds": 12, "carers": 4, "money": 2_880_000}
    assert texts.home_sentence(enough, "Z").endswith("nothing is missing.")


def test_ribbons_begin_and_end_within_their_bars() -> None:
    pairs = [("Henan", "A")] * 3 + [("Henan", None)] + [("Yunnan", "B")] * 2
    picture = flow_picture(pairs, "others", "no place")
    assert picture is not None
    assert sum(node.count for node in picture.left) == sum(n.count for n in picture.right) == 6
    ends = [float(re.search(r"V([\d.]+)C", flow.path).group(1)) for flow in picture.flows]
    assert max(ends) <= max(node.y + node.height for node in picture.right) + 0.2
    assert [flow.tone for flow in picture.flows].count("urgent") == 1
    assert flow_picture([], "others", "no place") is None


def test_the_map_keeps_north_above_and_east_right() -> None:
    rows = [(40.0, 116.0, 4, 4, "home", "north-east"), (25.0, 102.0, 4, 1, "home", "south-west")]
    picture = home_map(rows, {})
    assert picture is not None
    places = {mark.label: mark for mark in picture.marks}
    assert places["north-east"].y < places["south-west"].y
    assert places["north-east"].x > places["south-west"].x
    assert places["south-west"].inner == pytest.approx(places["south-west"].radius / 2, abs=0.1)
    assert home_map([], {}) is None


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1280, 390])
def test_pages_are_accessible(
    width: int, scheme: str, night: Night, page_for: Callable[..., Any]
) -> None:
    plan = compute_plan(night.actor(Role.WELFARE_WORKER), 30)
    own = CareHome.objects.get(name="Zhengzhou home")
    paths = {
        Role.WELFARE_WORKER: (
            "/care/", f"/care/{own.pk}/", "/care/plan/", f"/care/plan/{plan.pk}/",
        ),
        Role.AUDITOR: ("/oversight/", "/oversight/pace/"),
    }  # fmt: skip
    for role, pages in paths.items():
        page = page_for(role, width=width, color_scheme=scheme)
        for path in pages:
            assert page.go(path).status == 200
            page.wait_for_load_state("networkidle")
            found = Axe().run(page)
            assert found.violations_count == 0, f"{path}\n{found.generate_report()}"
            assert page.violations == [], path
            wide, screen = page.evaluate("[document.documentElement.scrollWidth, innerWidth]")
            assert wide <= screen, path
