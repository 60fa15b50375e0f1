"""What the plan of a night is made from: who waits, and what each care place has left."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection, Iterable
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta

from django.conf import settings
from django.db.models import Count, Exists, OuterRef, Q, QuerySet, Subquery
from django.utils import timezone

from kinward_web.accounts.api import Actor
from kinward_web.casework.care.places import position_of
from kinward_web.casework.models import CareHome, Case, MedicalExam, Placement
from kinward_web.casework.plan import Child, Home, Position
from kinward_web.casework.plan.model import INFANT_DAYS
from kinward_web.casework.scope import cases_for
from kinward_web.rules.policy import load_policy

__all__ = [
    "WAITING",
    "Occupied",
    "child_rows",
    "facts_digest",
    "home_rows",
    "homes_now",
    "occupied",
    "waiting_cases",
]

WAITING = ("rescued", "registered", "medical_cleared")
"""States of a child that waits for a place, besides one whose removal was ordered."""
_THERE = ("placed", "emergency_removal")
_RESERVED = ("proposed", "cleared")


def _kept(moment: datetime) -> Q:
    """Return which placements keep a bed: a child is there, or was announced not long ago.

    A proposal that nobody acted on keeps its bed as long as a clearance lasts, no longer.
    """
    hours = load_policy(settings.COUNTRY).number("clearance_hours")
    since = moment - timedelta(hours=hours)
    return Q(state__in=_THERE) | Q(state__in=_RESERVED, state_since__gte=since)


def waiting_cases(actor: Actor, moment: datetime, accepted: Collection[int] = ()) -> QuerySet[Case]:
    """Return the cases within reach whose children need a place tonight.

    :param accepted: placements that do not count: what the same plan brought about itself.
    """
    mine = Placement.objects.filter(case=OuterRef("pk")).exclude(pk__in=accepted)
    reserved = mine.filter(_kept(moment), state__in=_RESERVED)
    needed = Q(state__in=WAITING) | Exists(mine.filter(state="emergency_removal"))
    return (
        cases_for(actor, "care.plan")
        .filter(needed)
        .exclude(Exists(mine.filter(state="placed")))
        .exclude(Exists(reserved))
    )


def child_rows(cases: QuerySet[Case], moment: datetime) -> dict[int, Child]:
    """Return the children of `cases` as the plan sees them, by id of the case."""
    last = MedicalExam.objects.filter(case=OuterRef("pk")).order_by("-examined_at", "-pk")
    today = timezone.localtime(moment).date()
    rows = cases.annotate(level=Subquery(last.values("needs_medical_level")[:1])).values_list(
        "pk",
        "code",
        "level",
        "sibling_group",
        "region",
        "child__region",
        "child__born_to",
    )
    return {
        pk: Child(
            code=code,
            youngest_days=None if born_to is None else max(0, (today - born_to).days),
            medical_level=level or 0,
            examined=level is not None,
            siblings=siblings,
            origin=position_of(origin, region),
            region=region,
        )
        for pk, code, level, siblings, region, origin, born_to in rows
    }


@dataclass(frozen=True, slots=True)
class Occupied:
    """Children for whom a home answers: there now, and expected."""

    there: int = 0
    expected: int = 0
    infants: int = 0
    """Of both, those who may be younger than two years."""


def occupied(moment: datetime, accepted: Collection[int] = ()) -> dict[int, Occupied]:
    """Return who occupies each home, by its id; two queries."""
    # All the states once more: by them the index is entered.
    kept = Placement.objects.filter(
        _kept(moment), home__isnull=False, state__in=(*_THERE, *_RESERVED)
    ).exclude(pk__in=accepted)
    by_home = kept.values_list("home_id")
    born_after = timezone.localtime(moment).date() - timedelta(days=INFANT_DAYS)
    infant = Q(child__born_to__gt=born_after) | Q(child__born_to__isnull=True)
    # The infants are few: looked for apart, nobody else's birth is looked up.
    young = by_home.filter(case__in=Case.objects.filter(infant).values("pk"))
    infants = dict(young.annotate(n=Count("pk")))
    rows = by_home.annotate(
        there=Count("pk", filter=Q(state__in=_THERE)),
        expected=Count("pk", filter=Q(state__in=_RESERVED)),
    )
    return {home: Occupied(there, expected, infants.get(home, 0)) for home, there, expected in rows}


def homes_now(
    homes: QuerySet[CareHome], moment: datetime, accepted: Collection[int] = ()
) -> list[tuple[CareHome, Home, Occupied]]:
    """Return care places in the order of `homes`, each as the plan sees it; three queries."""
    taken = occupied(moment, accepted)
    receiving = Q(open=True, agency__accredited=True, agency__named_officer__is_active=True)
    rows = homes.annotate(receives=Exists(CareHome.objects.filter(receiving, pk=OuterRef("pk"))))
    nobody = Occupied()
    found = ((home, taken.get(home.pk, nobody)) for home in rows)
    return [(home, _home(home, there), there) for home, there in found]


def home_rows(
    homes: QuerySet[CareHome], moment: datetime, accepted: Collection[int] = ()
) -> dict[int, Home]:
    """Return care places as the plan sees them, by id; three queries."""
    return {home.pk: row for home, row, _taken in homes_now(homes, moment, accepted)}


def _home(home: CareHome, taken: Occupied) -> Home:
    return Home(
        key=home.pk,
        name=home.name,
        region=home.region,
        position=Position(home.latitude, home.longitude),
        medical_level=home.medical_level,
        beds=home.beds,
        carers=home.carers,
        infants_per_carer=home.infants_per_carer,
        children_per_carer=home.children_per_carer,
        cost=round(home.cost_per_child_day * 100),
        money=round(home.budget * 100),
        currency=home.currency,
        infants=taken.infants,
        older=taken.there + taken.expected - taken.infants,
        receiving=bool(home.receives),
    )


def facts_digest(days: int, rows: Iterable[Child | Home]) -> str:
    """Return the SHA-256 over what a plan saw of a child and a home."""
    text = json.dumps([days, *(asdict(row) for row in rows)], sort_keys=True, ensure_ascii=False)
    return hashlib.sha256(text.encode()).hexdigest()
