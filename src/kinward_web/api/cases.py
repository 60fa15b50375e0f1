"""Cases, their steps, placements and signatures, as programs see them."""

from __future__ import annotations

from typing import Any

from django.core.paginator import Paginator
from django.http import HttpRequest
from ninja import Query, Router, Status

from kinward_web.accounts.api import Actor
from kinward_web.api.door import come_in, told
from kinward_web.api.schemas import (
    CaseList,
    CaseOut,
    Done,
    Missing,
    PlacementIn,
    PlacementOut,
    ProposalOut,
    Refused,
    StepIn,
    StepOut,
)
from kinward_web.audit import api as audit
from kinward_web.casework import api as casework

__all__ = ["router"]

router = Router(tags=["cases"])
_PAGE = 50
_ERRORS = {404: Missing, 409: Refused}
_STEP = {200: Done, 202: ProposalOut, **_ERRORS}


def _purpose(actor: Actor, asked: str) -> str:
    return asked if asked in audit.PURPOSES else casework.purpose_of(actor.role)


def _case(case: Any) -> dict[str, Any]:
    child = case.child
    same = ("code", "state", "version", "state_since", "due_at", "region", "wristband")
    further = ("sibling_group", "rescued_at", "returned_to_buyer")
    return {key: getattr(case, key) for key in (*same, *further)} | {
        "child": child.code,
        "sex": child.sex,
        "born_from": child.born_from,
        "born_to": child.born_to,
        "operation": case.operation.code if case.operation else None,
    }


def _placement(placement: Any) -> dict[str, Any]:
    return {
        "id": placement.pk,
        "case": placement.case.code,
        "home": placement.home_id,
        "household": placement.household.code if placement.household else None,
        "purpose": placement.purpose,
        "state": placement.state,
        "version": placement.version,
    }


@router.get("/cases", response={200: CaseList, 404: Missing})
def cases(
    request: HttpRequest, state: str = "", page: int = Query(1, ge=1), purpose: str = ""
) -> dict[str, Any]:
    """List the cases within reach; the look is written down."""
    actor = come_in(request)
    casework.require(actor, "case.read")
    rows = casework.cases_for(actor).select_related("child", "operation").order_by("pk")
    if state:
        rows = rows.filter(state=state)
    found = Paginator(rows, _PAGE).get_page(page)
    items = [_case(case) for case in found]
    if items:
        codes = [item["code"] for item in items]
        audit.record_list_read(actor, _purpose(actor, purpose), "case.list", codes)
    return {
        "count": found.paginator.count,
        "page": found.number,
        "pages": found.paginator.num_pages,
        "items": items,
    }


@router.get("/cases/{code}", response={200: CaseOut, 404: Missing})
def case(request: HttpRequest, code: str, purpose: str = "") -> dict[str, Any]:
    """Return one case; the look is written down."""
    return _case(_seen(come_in(request), code, purpose))


def _seen(actor: Actor, code: str, purpose: str) -> Any:
    found = casework.get_case(actor, code)
    audit.record_read(actor, _purpose(actor, purpose), "case.read", f"case:{found.code}")
    return found


@router.get("/cases/{code}/steps", response={200: list[StepOut], 404: Missing})
def steps(request: HttpRequest, code: str, purpose: str = "") -> list[dict[str, Any]]:
    """Return the steps out of the present state, what each asks for, and what blocks it."""
    actor = come_in(request)
    found = _seen(actor, code, purpose)
    return [_step(actor, step) for step in casework.next_steps(actor, found)]


def _step(actor: Actor, step: casework.Step) -> dict[str, Any]:
    rule = step.rule
    return {
        "rule": rule.name,
        "label": str(rule.label),
        "unlocks": str(rule.unlocks),
        "allowed": step.allowed,
        "evidence": list(rule.evidence),
        "optional": list(rule.optional),
        "refusals": told(actor, step.refusals),
        "due_at": step.due_at,
        "proposal": step.proposal.pk if step.proposal else None,
        "waits_for": list(step.waits_for),
    }


@router.post("/cases/{code}/steps/{rule}", response=_STEP)
def take_step(request: HttpRequest, code: str, rule: str, body: StepIn) -> Any:
    """Take a step of a case, or propose it where others must sign."""
    actor = come_in(request)
    return _take(actor, casework.get_case(actor, code), rule, body)


@router.post("/cases/{code}/placements", response={201: PlacementOut, **_ERRORS})
def propose(request: HttpRequest, code: str, body: PlacementIn) -> Any:
    """Propose a place for the child."""
    actor = come_in(request)
    made = casework.propose_place(
        actor,
        casework.get_case(actor, code),
        home_id=body.home,
        household=body.household,
        purpose=body.purpose,
        people=[(row.code, row.capacity) for row in body.people],
        reason=body.reason,
    )
    return Status(201, _placement(made))


@router.post("/placements/{pk}/steps/{rule}", response=_STEP)
def take_place_step(request: HttpRequest, pk: int, rule: str, body: StepIn) -> Any:
    """Take a step of a placement, or propose it where others must sign."""
    actor = come_in(request)
    return _take(actor, casework.get_placement(actor, pk), rule, body)


def _take(actor: Actor, subject: Any, rule: str, body: StepIn) -> Any:
    made = casework.transition(actor, subject, rule, body.evidence, seen=body.seen)
    if isinstance(made, casework.Proposal):
        return Status(202, _waiting(made, subject))
    return Status(200, {"state": subject.state, "version": subject.version})


def _waiting(proposal: Any, subject: Any) -> dict[str, Any]:
    return {
        "proposal": proposal.pk,
        "waits_for": casework.waits_for(proposal),
        "state": subject.state,
    }


@router.post("/proposals/{pk}/sign", response={200: ProposalOut, **_ERRORS})
def sign(request: HttpRequest, pk: int) -> Any:
    """Add one's signature; the last one that is needed makes the step."""
    actor = come_in(request)
    proposal = casework.get_proposal(actor, pk)
    casework.sign(actor, proposal)
    return _waiting(proposal, casework.subject_of(proposal))
