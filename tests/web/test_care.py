"""Care places and the plan of a night, from the numbers to the accepted proposals."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal

import pytest
from care_world import Night
from django.utils import timezone

from conftest import Office
from kinward_web.audit.api import AuditEvent
from kinward_web.casework.api import propose_placement, transition
from kinward_web.casework.care.actions import accept_rows, compute_plan, keep_home, plan_for
from kinward_web.casework.care.places import POSITIONS, position_of
from kinward_web.casework.care.queries import home_rows, occupied, waiting_cases
from kinward_web.casework.models import CareHome, MedicalExam, Placement
from kinward_web.errors import NotAllowed
from kinward_web.rules.roles import Role

pytestmark = pytest.mark.django_db


@pytest.fixture
def night(office: Office) -> Night:
    return Night(office)


def _receive(night: Night, case, home) -> Placement:
    officer = night.actor(Role.POLICE_OFFICER)
    placement = propose_placement(officer, case, home_id=home.pk)
    evidence = {"happened_at": timezone.now().isoformat(), "receiving_person": "Night nurse"}
    transition(officer, placement, "receive_at_night", evidence)
    return placement


def test_who_waits_is_who_has_no_place_and_none_is_announced(night: Night) -> None:
    home = night.home()
    waiting, placed, announced, stale = (night.child() for _ in range(4))
    planner, now = night.actor(Role.WELFARE_WORKER), timezone.now()
    _receive(night, placed, home)
    officer = night.actor(Role.POLICE_OFFICER)
    propose_placement(officer, announced, home_id=home.pk)
    propose_placement(officer, stale, home_id=home.pk, moment=now - timedelta(hours=73))
    found = set(waiting_cases(planner, now).values_list("code", flat=True))
    assert found == {waiting.code, stale.code}
    assert occupied(now)[home.pk].there == 1
    assert occupied(now)[home.pk].expected == 1


def test_a_child_that_must_be_removed_now_waits_and_still_fills_its_bed(night: Night) -> None:
    home, case = night.home(), night.child()
    placement = _receive(night, case, home)
    transition(night.actor(Role.WELFARE_WORKER), placement, "remove_now", {"reason": "Unsafe."})
    now = timezone.now()
    assert case in waiting_cases(night.actor(Role.WELFARE_WORKER), now)
    assert occupied(now)[home.pk].there == 1


def test_planners_see_the_children_of_their_region(night: Night) -> None:
    night.child()
    now = timezone.now()
    assert waiting_cases(night.actor(Role.WELFARE_WORKER), now).count() == 1
    assert waiting_cases(night.actor(Role.WELFARE_WORKER, "other"), now).count() == 0


def test_a_home_is_read_with_what_it_has_left(night: Night) -> None:
    home = night.home(beds=5)
    _receive(night, night.child(age_days=100), home)
    _receive(night, night.child(age_days=None), home)
    _receive(night, night.child(age_days=2000), home)
    row = home_rows(CareHome.objects.all(), timezone.now())[home.pk]
    assert (row.infants, row.older, row.beds) == (2, 1, 5)
    assert (row.cost, row.money) == (8_000, 10_000_000)
    assert row.receiving
    night.welfare.named_officer.is_active = False
    night.welfare.named_officer.save()
    assert not home_rows(CareHome.objects.all(), timezone.now())[home.pk].receiving


def test_a_plan_places_siblings_together_and_accepting_it_proposes(night: Night) -> None:
    night.home(beds=1)
    big = night.home(beds=4)
    sister, brother, other = night.child("S"), night.child("S"), night.child()
    planner = night.actor(Role.WELFARE_WORKER)
    plan = compute_plan(planner, 30)
    assert plan.content["unplaced"] == []
    homes = {row.case.code: row.home_id for row in plan.rows.select_related("case")}
    assert homes[sister.code] == homes[brother.code] == big.pk
    # One sibling chosen brings the other.
    outcome = accept_rows(planner, plan, [sister.code])
    assert sorted(outcome.accepted) == sorted([sister.code, brother.code])
    states = Placement.objects.values_list("case__code", "state", "planned", "home")
    assert set(states) == {
        (sister.code, "proposed", True, big.pk),
        (brother.code, "proposed", True, big.pk),
    }
    # The plan's own acceptance does not make the rest of it stale.
    assert accept_rows(planner, plan, [other.code]).accepted == [other.code]
    assert accept_rows(planner, plan, [other.code]).accepted == []
    assert sister.parties.filter(agency=night.welfare).exists()


@pytest.mark.parametrize("what", ["beds", "money", "closed", "examined", "placed", "announced"])
def test_a_plan_is_stale_when_home_or_child_changed(night: Night, what: str) -> None:
    home, case = night.home(), night.child()
    planner = night.actor(Role.WELFARE_WORKER)
    plan = compute_plan(planner, 30)
    if what == "beds":
        keep_home(planner, home, {"beds": 3})
    elif what == "money":
        keep_home(planner, home, {"budget": Decimal("99999.00")})
    elif what == "closed":
        keep_home(planner, home, {"open": False})
    elif what == "examined":
        MedicalExam.objects.create(
            case=case, clinician=night.office.user(Role.CLINICIAN), examined_at=timezone.now(),
            sedation="none", injuries="none seen", age_days_min=1, age_days_max=2,
            needs_medical_level=3,
        )  # fmt: skip
    else:
        elsewhere = night.home()
        if what == "placed":
            _receive(night, case, elsewhere)
        else:
            propose_placement(night.actor(Role.POLICE_OFFICER), case, home_id=elsewhere.pk)
    before = Placement.objects.count()
    outcome = accept_rows(planner, plan, [case.code])
    assert (outcome.accepted, outcome.stale) == ([], [case.code])
    assert "again" in str(outcome.stale_refusal.path)
    assert Placement.objects.count() == before
    # The way out: a new plan.
    again = compute_plan(planner, 30)
    if what in ("beds", "money"):
        assert accept_rows(planner, again, [case.code]).accepted == [case.code]


def test_a_plan_that_midnight_passes_is_not_stale(night: Night) -> None:
    night.home()
    case = night.child(age_days=700)
    planner = night.actor(Role.WELFARE_WORKER)
    plan = compute_plan(planner, 30)
    assert accept_rows(planner, plan, [case.code], timezone.now() + timedelta(hours=20)).accepted


def test_refusals_of_the_engine_are_told_with_their_path(night: Night) -> None:
    night.home()
    case = night.child()
    panel = night.actor(Role.PANEL_MEMBER)
    outcome = accept_rows(panel, compute_plan(panel, 30), [case.code])
    assert not outcome.accepted
    (refusal,) = outcome.refused[case.code]
    assert refusal.code == "role"
    assert str(refusal.path)
    assert not Placement.objects.exists()
    assert not case.parties.filter(agency=night.welfare).exists()


def test_another_agency_cannot_open_or_accept_the_plan(night: Night) -> None:
    night.home()
    night.child()
    plan = compute_plan(night.actor(Role.WELFARE_WORKER), 30)
    with pytest.raises(NotAllowed):
        plan_for(night.actor(Role.WELFARE_WORKER, "other"), plan.pk)
    with pytest.raises(NotAllowed):
        compute_plan(night.actor(Role.POLICE_OFFICER), 30)


def test_numbers_of_a_care_place_are_kept_by_its_own_agency_and_audited(night: Night) -> None:
    home = night.home()
    worker = night.actor(Role.WELFARE_WORKER)
    keep_home(worker, home, {"beds": 9, "budget": Decimal("5.50")})
    event = AuditEvent.objects.get(act="care_home.kept")
    assert event.detail == {"beds": 9, "budget": "5.50"}
    with pytest.raises(NotAllowed):
        keep_home(night.actor(Role.WELFARE_WORKER, "other"), home, {"beds": 1})
    with pytest.raises(NotAllowed):
        keep_home(night.actor(Role.POLICE_OFFICER), home, {"beds": 1})


def test_the_number_of_queries_does_not_grow_with_the_night(
    night: Night, django_assert_max_num_queries: Callable
) -> None:
    planner = night.actor(Role.WELFARE_WORKER)
    for _ in range(8):
        night.child()
        night.home()
    with django_assert_max_num_queries(20):
        compute_plan(planner, 30)


def test_every_province_of_the_office_has_a_place() -> None:
    assert position_of("henan") == POSITIONS["Henan"]
    assert position_of("nowhere", "Yunnan") == POSITIONS["Yunnan"]
    assert position_of("", "nowhere") is None
    assert len(POSITIONS) == 41
