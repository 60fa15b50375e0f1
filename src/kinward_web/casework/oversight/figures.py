"""Indicators of a campaign, counted by the database within the reach of whoever looks.

The number of queries does not depend on the number of cases. What must look at every transition
(`pace`) stands apart, so that the page does not wait for it.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any

from django.apps import apps
from django.db.models import (
    Count,
    DateTimeField,
    F,
    Func,
    IntegerField,
    OuterRef,
    Q,
    QuerySet,
    Subquery,
    Sum,
)
from django.utils import timezone

from kinward_web.accounts.api import Actor, Agency
from kinward_web.audit.api import AuditEvent
from kinward_web.casework.care.queries import homes_now
from kinward_web.casework.models import CareHome, Case, Service, TransitionRecord, Visit
from kinward_web.casework.scope import cases_for
from kinward_web.rules.case import CASE
from kinward_web.rules.roles import ROLES, Reach, reach_of

__all__ = [
    "Campaign",
    "Figures",
    "Lag",
    "Late",
    "Pace",
    "Stage",
    "campaigns",
    "figures",
    "pace",
    "percentile",
]

ACT = "oversight.read"
LATEST_REFUSALS = 2_000
"""Refusals are counted over so many of the latest."""
_REFUSED = ("case.refused", "placement.refused", "publication.refused")
_STAGES = (
    "register",
    "clear_medically",
    "receive_into_care",
    "start_tracing",
    "find_family",
    "hand_over",
)
_SHORT_DAYS = 14
"""A home whose money lasts less long is short of money."""


@dataclass(frozen=True, slots=True)
class Campaign:
    """A campaign and its windows."""

    pk: int
    name: str
    task_force_from: date | None
    special_until: date | None


@dataclass(frozen=True, slots=True)
class Stage:
    """The cases in one state."""

    key: str
    label: Any
    tone: str
    rail: bool
    count: int
    overdue: int


@dataclass(frozen=True, slots=True)
class Late:
    """Overdue clocks of one state at one agency."""

    step: Any
    """What should have been done."""
    agency: str
    count: int


@dataclass(frozen=True, slots=True)
class Figures:
    """Everything the page shows at once."""

    stages: tuple[Stage, ...]
    total: int
    overdue: int
    sent_back: int
    """Children who were sent back to buyers, whatever their state is now."""
    not_rescued: int
    late: tuple[Late, ...]
    visits_missed: int
    concerns_open: int
    services: tuple[tuple[Any, int, Decimal, str], ...]
    """(kind, number, money, currency)."""
    homes_short: tuple[tuple[CareHome, int, int | None], ...]
    """(home, free beds, days its money lasts), those that are full or nearly out of money."""
    homes: int
    refusals: tuple[tuple[str, int], ...]


def figures(actor: Actor, campaign: int | None, moment: datetime) -> Figures:
    """Return the indicators of the cases within reach, of one campaign if given."""
    cases = _cases(actor, campaign)
    overdue = Count("pk", filter=Q(due_at__lt=moment))
    back = Count("pk", filter=Q(returned_to_buyer=True))
    rows = {
        state: (count, late, sent)
        for state, count, late, sent in cases.values_list("state").annotate(
            count=Count("pk"), late=overdue, sent=back
        )
    }
    visits = Visit.objects.filter(cancelled_at__isnull=True)
    services = Service.objects.all()
    if not _everything(actor, campaign):
        visits, services = visits.filter(case__in=cases), services.filter(case__in=cases)
    # Two counts, so that each walks through the few rows of its own index.
    missed = visits.filter(done_at__isnull=True, due_on__lt=_today(moment))
    concerns = visits.filter(concern=True, concern_settled_at__isnull=True)
    short, homes = _homes_short(moment)
    return Figures(
        stages=tuple(
            Stage(row.key, row.label, row.tone.value, row.rail, *rows.get(row.key, (0, 0, 0))[:2])
            for row in CASE.states
        ),
        total=sum(count for count, _late, _sent in rows.values()),
        overdue=sum(late for _count, late, _sent in rows.values()),
        sent_back=sum(sent for _count, _late, sent in rows.values()),
        not_rescued=rows.get("located", (0, 0, 0))[0],
        late=_late(cases, moment),
        visits_missed=missed.count(),
        concerns_open=concerns.count(),
        services=_services(services),
        homes_short=short,
        homes=homes,
        refusals=_refusals(actor),
    )


def _today(moment: datetime) -> date:
    return timezone.localtime(moment).date()


def _everything(actor: Actor, campaign: int | None) -> bool:
    """Whether no case is out of reach, so that rows need not be looked up case by case."""
    return reach_of(actor.role, ACT) == Reach.ALL and campaign is None


def _cases(actor: Actor, campaign: int | None) -> QuerySet[Case]:
    cases = cases_for(actor, ACT).order_by()
    return cases if campaign is None else cases.filter(campaign_id=campaign)


def campaigns() -> list[Campaign]:
    """Return every campaign; they hold no personal data."""
    rows = apps.get_model("registry.Campaign").objects.order_by("-task_force_from", "name")
    return [Campaign(*row) for row in rows.values_list(*Campaign.__dataclass_fields__)]


def _late(cases: QuerySet[Case], moment: datetime) -> tuple[Late, ...]:
    """Count overdue clocks by state and by the agencies whose people should have acted."""
    rows = (
        cases.filter(due_at__lt=moment)
        .values_list("state", "parties__agency_id")
        .annotate(count=Count("pk"))
    )
    # Names are looked up once per agency, not joined to every case.
    agencies = {
        pk: (kind, name) for pk, kind, name in Agency.objects.values_list("pk", "kind", "name")
    }
    found = []
    for state, number, count in rows:
        kind, agency = agencies.get(number, ("", ""))
        for rule in CASE.from_state(state):
            kinds = {k.value for role in rule.roles for k in ROLES[role].agencies}
            if rule.clock and kind in kinds:
                found.append(Late(rule.label, agency, count))
    return tuple(sorted(found, key=lambda row: (-row.count, str(row.step), row.agency)))


def _services(services: QuerySet[Service]) -> tuple[tuple[Any, int, Decimal, str], ...]:
    rows = (
        services.order_by()
        .values_list("kind", "currency")
        .annotate(count=Count("pk"), money=Sum("cost"))
    )
    labels = dict(Service.Kind.choices)
    return tuple(
        (labels[kind], count, money, currency)
        for kind, currency, count, money in sorted(rows, key=lambda row: -row[3])
    )


def _homes_short(moment: datetime) -> tuple[tuple[tuple[CareHome, int, int | None], ...], int]:
    homes = homes_now(CareHome.objects.filter(open=True).order_by("region", "name"), moment)
    short = []
    for home, row, _taken in homes:
        there = row.infants + row.older
        free = max(0, home.beds - there)
        lasts = row.money // (row.cost * there) if row.cost and there else None
        if free == 0 or (lasts is not None and lasts < _SHORT_DAYS):
            short.append((home, free, lasts))
    return tuple(sorted(short, key=lambda row: (row[1] > 0, row[2] or 0))), len(homes)


def _refusals(actor: Actor) -> tuple[tuple[str, int], ...]:
    """Count what the guard stopped, by code; of the own region where reach ends there."""
    events = AuditEvent.objects.order_by("-sequence").values_list("sequence", "detail")
    if reach_of(actor.role, ACT) == Reach.REGION and actor.region:
        events = events.filter(agency__region=actor.region)
    # Act by act, for so the database walks back from the end of each.
    found = [row for act in _REFUSED for row in events.filter(act=act)[:LATEST_REFUSALS]]
    latest = sorted(found, key=lambda row: -row[0])[:LATEST_REFUSALS]
    codes = Counter(code for _sequence, detail in latest for code in detail.get("codes", ()))
    return tuple(codes.most_common())


# ------------------------------------------------------------------------------ pace


@dataclass(frozen=True, slots=True)
class Lag:
    """Hours from the rescue to one state."""

    key: str
    label: Any
    count: int
    median: int
    p90: int


@dataclass(frozen=True, slots=True)
class Pace:
    """How fast children go their way, and how many were rescued in each month."""

    lags: tuple[Lag, ...]
    rescued: tuple[tuple[date, int], ...]
    """(first day of the month, children)."""
    since: datetime
    """When this was counted."""


class _Seconds(Func):
    """Whole seconds since 1970, on both databases."""

    output_field = IntegerField()

    def as_sqlite(self, compiler: Any, connection: Any, **context: Any) -> Any:
        """For SQLite."""
        return self.as_sql(compiler, connection, template="unixepoch(%(expressions)s)", **context)

    def as_postgresql(self, compiler: Any, connection: Any, **context: Any) -> Any:
        """For PostgreSQL."""
        template = "CAST(EXTRACT(EPOCH FROM %(expressions)s) AS BIGINT)"
        return self.as_sql(compiler, connection, template=template, **context)


def pace(actor: Actor, campaign: int | None, moment: datetime) -> Pace:
    """Return the time from the rescue to each step, and rescues by month; two queries."""
    cases = _cases(actor, campaign)
    rescued = Subquery(
        Case.objects.filter(pk=OuterRef("subject_id")).values("rescued_at")[:1],
        output_field=DateTimeField(),
    )
    records = TransitionRecord.objects.filter(machine="case", rule__in=_STAGES).order_by()
    if not _everything(actor, campaign):
        records = records.filter(subject_id__in=cases.values("pk"))
    rows = (
        records.annotate(hours=(_Seconds(F("made_at")) - _Seconds(rescued)) / 3600)
        .values_list("rule", "hours")
        .annotate(count=Count("pk"))
    )
    counts: dict[str, Counter[int]] = defaultdict(Counter)
    for rule, hours, count in rows:
        if hours is not None:
            counts[rule][max(0, hours)] += count
    days = cases.filter(rescued_at__isnull=False).annotate(day=_Seconds(F("rescued_at")) / 86_400)
    months: Counter[date] = Counter()
    for day, count in days.values_list("day").annotate(count=Count("pk")):
        months[(date(1970, 1, 1) + timedelta(days=day)).replace(day=1)] += count
    return Pace(
        lags=tuple(
            Lag(
                name,
                CASE.state(CASE.rule(name).target).label,
                sum(counts[name].values()),
                percentile(counts[name], 0.5),
                percentile(counts[name], 0.9),
            )
            for name in _STAGES
            if counts[name]
        ),
        rescued=_without_gaps(months),
        since=moment,
    )


def percentile(counts: Counter[int], share: float) -> int:
    """Return the least value that at least `share` of all do not exceed.

    :raises ValueError: there are none.
    """
    left = share * sum(counts.values())
    for value in sorted(counts):
        left -= counts[value]
        if left <= 1e-9:
            return value
    raise ValueError("a percentile of nothing")


def _without_gaps(months: Counter[date]) -> tuple[tuple[date, int], ...]:
    if not months:
        return ()
    rows: list[tuple[date, int]] = []
    month = min(months)
    while month <= max(months):
        rows.append((month, months[month]))
        month = (month + timedelta(days=32)).replace(day=1)
    return tuple(rows)
