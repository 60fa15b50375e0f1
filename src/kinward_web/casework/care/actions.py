"""Keeping a care place's numbers, computing tonight's plan, accepting it."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, field
from datetime import datetime
from itertools import groupby
from typing import Any

from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from kinward_web.accounts.api import Actor
from kinward_web.audit import api as audit
from kinward_web.casework.care.models import NightPlan, NightPlanRow
from kinward_web.casework.care.queries import (
    child_rows,
    facts_digest,
    home_rows,
    waiting_cases,
)
from kinward_web.casework.cases import propose_placement
from kinward_web.casework.models import CareHome, Case, CaseParty
from kinward_web.casework.plan import make_plan
from kinward_web.casework.scope import require
from kinward_web.errors import NotAllowed, Refusal, TransitionRefused

__all__ = [
    "CHOSEN_AT_ONCE",
    "Acceptance",
    "accept_rows",
    "compute_plan",
    "homes_kept_by",
    "keep_home",
    "plan_for",
]

CHOSEN_AT_ONCE = 40
"""Children proposed in one transaction; siblings are never divided."""


def homes_kept_by(actor: Actor) -> Any:
    """Return the care places whose numbers `actor` keeps: those of the own agency."""
    require(actor, "care.manage")
    return CareHome.objects.filter(agency_id=actor.agency_id)


def keep_home(actor: Actor, home: CareHome, changes: Mapping[str, Any]) -> CareHome:
    """Change or add a care place of the own agency; the audit event holds the new numbers.

    :param home: one of `homes_kept_by`, or a new one.
    :raises NotAllowed: it belongs to another agency.
    """
    require(actor, "care.manage")
    if home.pk is not None and home.agency_id != actor.agency_id:
        raise NotAllowed("this care place belongs to another agency")
    with transaction.atomic():
        home.agency_id = actor.agency_id
        for name, value in changes.items():
            setattr(home, name, value)
        home.full_clean()
        home.save()
        # Fractions are written as text: both databases keep text unchanged.
        detail = {
            name: value if isinstance(value, bool | int) else str(value)
            for name, value in changes.items()
        }
        audit.append(actor, "care_home.kept", f"care_home:{home.pk}", detail)
    return home


def compute_plan(
    actor: Actor,
    days: int,
    operations: Collection[int] = (),
    moment: datetime | None = None,
) -> NightPlan:
    """Compute tonight's plan for the children within reach and keep it; nothing is placed.

    :param operations: only children of these operations; all if empty.
    :raises NotAllowed: the role makes no plans.
    """
    require(actor, "care.plan")
    moment = moment or timezone.now()
    cases = waiting_cases(actor, moment)
    if operations:
        cases = cases.filter(operation_id__in=operations)
    children = child_rows(cases, moment)
    homes = home_rows(CareHome.objects.all(), moment)
    plan = make_plan(children.values(), homes.values(), days)
    numbers = {child.code: pk for pk, child in children.items()}
    origins = dict(cases.values_list("code", "child__region"))
    with transaction.atomic():
        kept = NightPlan.objects.create(
            made_by_id=actor.user_id,
            agency_id=actor.agency_id,
            made_at=moment,
            days=days,
            content={
                "unplaced": [
                    asdict(row) | {"origins": [origins[code] for code in row.children]}
                    for row in plan.unplaced
                ],
                "needs": [asdict(row) for row in plan.needs],
                "night": asdict(plan.night) if plan.night else None,
                "proof": asdict(plan.proof),
                "homes": len(homes),
                "receiving": sum(home.receiving for home in homes.values()),
            },
        )
        NightPlanRow.objects.bulk_create(
            NightPlanRow(
                plan=kept,
                case_id=numbers[row.child],
                home_id=row.home,
                facts=asdict(row)
                | {"origin": origins[row.child]}
                | {"group": children[numbers[row.child]].siblings},
                digest=facts_digest(days, (children[numbers[row.child]], homes[row.home])),
            )
            for row in plan.placings
        )
        detail = {"placed": plan.proof.placed, "waiting": len(children), "days": days}
        audit.append(actor, "night_plan.computed", f"night_plan:{kept.pk}", detail)
    return kept


def plan_for(actor: Actor, number: int) -> NightPlan:
    """Return the plan `number` of the own agency.

    :raises NotAllowed: there is none, or it is another agency's.
    """
    require(actor, "care.plan")
    plan = NightPlan.objects.filter(pk=number, agency_id=actor.agency_id).first()
    if plan is None:
        raise NotAllowed(f"no plan {number} for this agency")
    return plan


@dataclass(slots=True)
class Acceptance:
    """What became of the rows that were to be accepted, by code of the case."""

    accepted: list[str] = field(default_factory=list)
    stale: list[str] = field(default_factory=list)
    """Child or home changed since the plan was computed."""
    refused: dict[str, tuple[Refusal, ...]] = field(default_factory=dict)

    @property
    def stale_refusal(self) -> Refusal:
        """Why stale rows were left, and what to do."""
        return Refusal(
            "plan_stale",
            _("Children, beds, carers or money have changed since this plan was computed."),
            _("Compute again: the new plan counts what changed."),
        )


def accept_rows(
    actor: Actor, plan: NightPlan, codes: Collection[str], moment: datetime | None = None
) -> Acceptance:
    """Propose the planned place of each child named, siblings all or none.

    Every portion is one transaction that locks its children and homes, looks whether they are
    still as the plan saw them, and proposes; so two people who accept at once cannot both use one
    bed or place one child twice.

    :param codes: cases of the plan; those accepted already are left alone.
    """
    require(actor, "care.plan")
    moment = moment or timezone.now()
    rows = plan.rows.filter(placement__isnull=True, case__code__in=codes)
    outcome = Acceptance()
    for portion in _portions(_with_siblings(plan, rows)):
        with transaction.atomic():
            _accept_portion(actor, plan, portion, moment, outcome)
    return outcome


def _with_siblings(plan: NightPlan, rows: Any) -> list[NightPlanRow]:
    """Add the brothers and sisters of those chosen: they go together or not at all."""
    groups = {row.facts["group"] for row in rows} - {""}
    every = plan.rows.filter(placement__isnull=True).select_related("case").order_by("case_id")
    chosen = set(rows.values_list("pk", flat=True))
    return [row for row in every if row.pk in chosen or row.facts["group"] in groups]


def _portions(rows: Iterable[NightPlanRow]) -> Iterator[list[list[NightPlanRow]]]:
    """Yield lists of units of at most CHOSEN_AT_ONCE children, or one larger unit."""
    key = lambda row: (row.facts["group"] or row.case.code, row.case_id)  # noqa: E731
    units = groupby(sorted(rows, key=key), key=lambda row: row.facts["group"] or row.case.code)
    portion: list[list[NightPlanRow]] = []
    size = 0
    for _group, members in units:
        unit = list(members)
        if portion and size + len(unit) > CHOSEN_AT_ONCE:
            yield portion
            portion, size = [], 0
        portion.append(unit)
        size += len(unit)
    if portion:
        yield portion


def _accept_portion(
    actor: Actor,
    plan: NightPlan,
    portion: list[list[NightPlanRow]],
    moment: datetime,
    outcome: Acceptance,
) -> None:
    rows = [row for unit in portion for row in unit]
    cases, homes = {row.case_id for row in rows}, {row.home_id for row in rows}
    # Everyone locks in order of id, children before homes, so that nobody waits in a circle.
    locked = Case.objects.select_for_update().filter(pk__in=cases).order_by("pk")
    by_case = {case.pk: case for case in locked}
    list(CareHome.objects.select_for_update().filter(pk__in=homes).order_by("pk"))
    own = list(plan.rows.filter(placement__isnull=False).values_list("placement_id", flat=True))
    waiting = waiting_cases(actor, moment, own).filter(pk__in=cases)
    # Ages as on the evening of the plan: midnight makes nobody stale.
    children = child_rows(waiting, plan.made_at)
    places = home_rows(CareHome.objects.filter(pk__in=homes), moment, own)
    for unit in portion:
        fresh = all(
            row.case_id in children
            and row.digest == facts_digest(plan.days, (children[row.case_id], places[row.home_id]))
            for row in unit
        )
        if not fresh:
            outcome.stale += [row.case.code for row in unit]
            continue
        try:
            with transaction.atomic():
                for row in unit:
                    _propose(actor, row, by_case[row.case_id], moment)
        except TransitionRefused as refused:
            outcome.refused |= {row.case.code: refused.refusals for row in unit}
        else:
            outcome.accepted += [row.case.code for row in unit]


def _propose(actor: Actor, row: NightPlanRow, case: Case, moment: datetime) -> None:
    # Whoever plans the night for the region answers for it, and so takes part in the case.
    _party, joined = CaseParty.objects.get_or_create(case=case, agency_id=actor.agency_id)
    if joined:
        audit.append(actor, "case.joined_by_plan", f"case:{case.code}", {"plan": row.plan_id})
    row.placement = propose_placement(actor, case, home_id=row.home_id, planned=True, moment=moment)
    row.save(update_fields=["placement"])
