"""Oversight: the numbers against the rows they count, the reach, the number of queries."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from datetime import date
from statistics import median

import pytest
from care_world import Night
from django.core.cache import cache
from django.core.management import call_command
from django.test import Client
from django.utils import timezone

from conftest import Office
from kinward_web.casework import constraints
from kinward_web.casework.api import propose_placement, transition
from kinward_web.casework.models import Case, TransitionRecord, Visit
from kinward_web.casework.oversight.figures import Campaign, figures, pace, percentile
from kinward_web.casework.oversight.pictures import window
from kinward_web.casework.synthetic import SCRIPTS, make_registry
from kinward_web.errors import TransitionRefused
from kinward_web.rules.case import CASE
from kinward_web.rules.roles import Role

pytestmark = pytest.mark.django_db


def test_the_synthetic_registry_reaches_every_state_under_all_constraints(office: Office) -> None:
    call_command("make_registry", cases=300, seed=5, verbosity=0)
    assert constraints.faults() == []
    assert set(SCRIPTS) == {row.key for row in CASE.states}
    found = Counter(Case.objects.values_list("state", flat=True))
    assert sum(found.values()) == 300
    assert len(found) > 10
    # Every case stands where its last record led, and each record begins where the last ended.
    for case in Case.objects.all():
        records = list(
            TransitionRecord.objects.filter(machine="case", subject_id=case.pk).order_by("number")
        )
        assert case.state == records[-1].target
        assert case.version == len(records)
        times = [record.made_at for record in records]
        assert times == sorted(times)
        assert times[-1] <= timezone.now()
        sources = [record.source for record in records]
        assert sources == ["new", *(record.target for record in records[:-1])]


def test_the_same_seed_gives_the_same_states(office: Office) -> None:
    make_registry(40, 7)
    first = Counter(Case.objects.values_list("state", flat=True))
    make_registry(40, 7)
    assert Counter(Case.objects.values_list("state", flat=True)) == first + first


def test_figures_are_the_rows_they_count(office: Office, actor: Callable) -> None:
    make_registry(150, 2)
    now = timezone.now()
    found = figures(actor(Role.AUDITOR), None, now)
    states = Counter(Case.objects.values_list("state", flat=True))
    assert {s.key: s.count for s in found.stages if s.count} == dict(states)
    late = Counter(Case.objects.filter(due_at__lt=now).values_list("state", flat=True))
    assert {s.key: s.overdue for s in found.stages if s.overdue} == dict(late)
    assert found.overdue == sum(late.values()) > 0
    assert found.sent_back == Case.objects.filter(returned_to_buyer=True).count()
    missed = Visit.objects.filter(
        done_at=None, cancelled_at=None, due_on__lt=timezone.localdate()
    ).count()
    assert found.visits_missed == missed
    assert sum(count for _code, count in found.refusals) == 150
    # A located child waits for the police: never for a hospital.
    assert {
        row.agency.split()[1] for row in found.late if row.step == CASE.rule("rescue").label
    } <= {"police"}


def test_pace_is_the_median_of_the_rows(office: Office, actor: Callable) -> None:
    make_registry(150, 2)
    found = pace(actor(Role.AUDITOR), None, timezone.now())
    rescued = dict(Case.objects.values_list("pk", "rescued_at"))
    records = TransitionRecord.objects.filter(machine="case", rule="register")
    hours = [int((r.made_at - rescued[r.subject_id]).total_seconds() // 3600) for r in records]
    lag = next(row for row in found.lags if row.key == "register")
    assert lag.count == len(hours)
    assert abs(lag.median - median(hours)) <= 1
    assert lag.median <= lag.p90
    assert sum(count for _month, count in found.rescued) == len(
        [moment for moment in rescued.values() if moment]
    )


def test_percentiles_of_counts() -> None:
    counts = Counter({1: 5, 2: 4, 10: 1})
    assert percentile(counts, 0.5) == 1
    assert percentile(counts, 0.9) == 2
    assert percentile(counts, 0.91) == 10
    with pytest.raises(ValueError, match="nothing"):
        percentile(Counter(), 0.5)


def test_the_reach_of_an_analyst_is_the_own_region(office: Office, actor: Callable) -> None:
    make_registry(120, 4)
    now = timezone.now()
    everyone = figures(actor(Role.AUDITOR), None, now)
    henan = figures(actor(Role.POLICE_ANALYST), None, now)
    assert everyone.total == Case.objects.count()
    assert henan.total == Case.objects.filter(region="Henan").count()
    assert 0 < henan.total < everyone.total
    assert sum(row.count for row in pace(actor(Role.POLICE_ANALYST), None, now).lags) < sum(
        row.count for row in pace(actor(Role.AUDITOR), None, now).lags
    )


def test_what_the_guard_stopped_is_counted_by_code(office: Office, actor: Callable) -> None:
    night = Night(office)
    home = night.home(open=False)
    case = night.child()
    officer = night.actor(Role.POLICE_OFFICER)
    placement = propose_placement(officer, case, home_id=home.pk)
    evidence = {"happened_at": timezone.now().isoformat(), "receiving_person": "Night nurse"}
    for _ in range(2):
        with pytest.raises(TransitionRefused):
            transition(officer, placement, "receive_at_night", evidence)
    found = dict(figures(actor(Role.AUDITOR), None, timezone.now()).refusals)
    assert found["not_accredited"] == 2
    assert "not_accredited" in dict(
        figures(actor(Role.POLICE_ANALYST), None, timezone.now()).refusals
    )
    assert not figures(actor(Role.POLICE_ANALYST, "other"), None, timezone.now()).refusals


@pytest.mark.parametrize("path", ["/oversight/", "/oversight/pace/"])
def test_who_sees_oversight(path: str, client_for: Callable[..., Client]) -> None:
    for role in (Role.AUDITOR, Role.PANEL_MEMBER, Role.POLICE_ANALYST):
        assert client_for(role).get(path).status_code == 200
    for role in (Role.POLICE_OFFICER, Role.VOLUNTEER, Role.ADMINISTRATOR):
        assert client_for(role).get(path).status_code == 404


def test_queries_do_not_grow_with_the_registry(
    office: Office, client_for: Callable[..., Client], django_assert_max_num_queries: Callable
) -> None:
    counts = []
    for size in (20, 100):
        make_registry(size, size)
        for path in ("/oversight/", "/oversight/pace/", "/care/"):
            cache.clear()
            client = client_for(Role.PANEL_MEMBER)
            client.get(path)
            cache.clear()
            with django_assert_max_num_queries(25) as queries:
                client.get(path)
            counts.append(len(queries))
    assert counts[:3] == counts[3:]


def test_the_window_knows_today() -> None:
    campaign = Campaign(1, "Synthetic", date(2011, 2, 1), date(2011, 9, 15))
    during = window(campaign, date(2011, 7, 15))
    assert during is not None
    (span,) = during.spans
    assert span.x < during.today < span.x + span.width
    assert during.days_left == 62
    after = window(campaign, date(2011, 10, 1))
    assert after is not None
    assert after.days_left == -16
    assert after.today > after.spans[0].x + after.spans[0].width
    assert window(Campaign(1, "x", None, None), date(2011, 1, 1)) is None
    assert window(None, date(2011, 1, 1)) is None
