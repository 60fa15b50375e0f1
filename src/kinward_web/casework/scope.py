"""Who sees which case: the one place where queries are scoped."""

from __future__ import annotations

from collections.abc import Collection

from django.db.models import Exists, OuterRef, Q, QuerySet

from kinward_web.accounts.api import Actor
from kinward_web.casework.models import Case, CaseAssignment, CaseParty, Placement, Proposal
from kinward_web.errors import NotAllowed
from kinward_web.rules.roles import Reach, reach_of

__all__ = [
    "acts_on",
    "can",
    "cases_for",
    "get_case",
    "get_placement",
    "get_proposal",
    "placements_for",
    "require",
]


def cases_for(actor: Actor, act: str = "case.read", *, few: bool = False) -> QuerySet[Case]:
    """Return the cases on which `actor` may do `act`; none where the role may not at all.

    :param few: the query looks for one case or a few, which the database then asks about their
        agencies; else it begins with the cases of the agency. The rows are the same.
    :raises KeyError: `act` is no permission.
    """
    return _within(actor, reach_of(actor.role, act), few)


def _within(actor: Actor, reach: Reach | None, few: bool) -> QuerySet[Case]:
    cases = Case.objects.exclude(state="new")
    if reach is None:
        return cases.none()
    # An agency without a region is national: its region is the country.
    if reach == Reach.ALL or (reach == Reach.REGION and not actor.region):
        return cases

    def of(rows: QuerySet[CaseParty] | QuerySet[CaseAssignment]) -> Q:
        if few:
            return Q(Exists(rows.filter(case=OuterRef("pk"))))
        return Q(pk__in=rows.values("case_id"))

    mine = of(CaseParty.objects.filter(agency_id=actor.agency_id))
    # The agency to which a case is offered sees what it is to accept or decline.
    mine |= Q(transfer_to_id=actor.agency_id)
    mine |= of(CaseAssignment.objects.filter(user_id=actor.user_id))
    if reach == Reach.REGION:
        mine |= Q(region=actor.region)
    return cases.filter(mine)


def placements_for(actor: Actor) -> QuerySet[Placement]:
    """Return the placements of the cases that `actor` may read."""
    return Placement.objects.filter(case__in=cases_for(actor)).exclude(state="new")


def get_case(actor: Actor, code: str, act: str = "case.read") -> Case:
    """Return the case `code`.

    :raises NotAllowed: there is none, or it is out of the actor's reach; the two look alike.
    """
    case = (
        cases_for(actor, act, few=True)
        .select_related("child", "operation", "campaign", "transfer_to", "foreign_agency")
        .filter(code=code)
        .first()
    )
    if case is None:
        raise NotAllowed(f"no case {code} for this role")
    return case


def get_placement(actor: Actor, pk: int) -> Placement:
    """Return a placement of a case within reach.

    :raises NotAllowed: there is none, or it is out of the actor's reach; the two look alike.
    """
    rows = placements_for(actor).select_related("case__child", "home", "household")
    found = rows.filter(pk=pk).first()
    if found is None:
        raise NotAllowed("no such placement for this role")
    return found


def get_proposal(actor: Actor, pk: int) -> Proposal:
    """Return a proposal about a case or a placement within reach.

    :raises NotAllowed: there is none, or it is out of the actor's reach; the two look alike.
    """
    found = Proposal.objects.filter(pk=pk).first()
    subjects = {"case": cases_for, "placement": placements_for}
    if found is None or found.machine not in subjects:
        raise NotAllowed("no such proposal for this role")
    if not subjects[found.machine](actor).filter(pk=found.subject_id).exists():
        raise NotAllowed("no such proposal for this role")
    return found


def can(actor: Actor, act: str, case: Case | None = None) -> bool:
    """Return whether `actor` may do `act`, on `case` where one is given."""
    reach = reach_of(actor.role, act)
    if reach is None or case is None:
        return reach is not None
    return act in acts_on(actor, case, [act])


def acts_on(actor: Actor, case: Case, acts: Collection[str]) -> frozenset[str]:
    """Return which of `acts` the actor may do on `case`; one query per reach among them."""
    reaches = {act: reach_of(actor.role, act) for act in acts}
    within = {
        reach
        for reach in set(reaches.values()) - {None}
        if _within(actor, reach, few=True).filter(pk=case.pk).exists()
    }
    return frozenset(act for act, reach in reaches.items() if reach in within)


def require(actor: Actor, act: str, case: Case | None = None) -> None:
    """Raise `NotAllowed` unless `actor` may do `act`, on `case` where one is given."""
    if not can(actor, act, case):
        raise NotAllowed(f"{actor.role} may not {act}")
