"""Opening a case and a placement: a record in state `new`, and at once its first transition."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

from django.db import transaction

from kinward_web.accounts.api import Actor
from kinward_web.casework import engine
from kinward_web.casework.models import (
    Case,
    CaseParty,
    Placement,
    PlacementPerson,
)
from kinward_web.errors import TransitionRefused
from kinward_web.registry import api as registry

__all__ = ["open_case", "propose_placement"]


def open_case(
    actor: Actor,
    child_id: int,
    rule: str,
    evidence: Mapping[str, Any],
    *,
    region: str,
    returned_to_buyer: bool = False,
    sibling_group: str = "",
    moment: datetime | None = None,
) -> Case:
    """Open the case of a child by `locate` or `rescue`.

    :param child_id: a Person that has no case yet.
    :param returned_to_buyer: the child was rescued before and sent back.
    :raises TransitionRefused: as `engine.transition`; nothing is kept then.
    """
    case = Case(
        child_id=child_id,
        code=registry.new_code(),
        region=region,
        returned_to_buyer=returned_to_buyer,
        sibling_group=sibling_group,
    )
    try:
        with transaction.atomic():
            case.save()
            if actor.agency_id is not None:
                CaseParty.objects.create(case=case, agency_id=actor.agency_id)
            engine.transition(actor, case, rule, evidence, moment)
    except TransitionRefused as refused:
        # What the engine wrote of the refusal went with the case that was not opened.
        engine.record_refusal(engine.binding_of("case"), actor, case, rule, refused)
        raise
    return case


def propose_placement(
    actor: Actor,
    case: Case,
    *,
    home_id: int | None = None,
    household_id: int | None = None,
    purpose: str = Placement.Purpose.CARE,
    people: Iterable[tuple[int, str]] = (),
    planned: bool = False,
    evidence: Mapping[str, Any] | None = None,
    moment: datetime | None = None,
) -> Placement:
    """Propose a place for the child: an institution or a household, with those to be screened.

    :param people: (person id, capacity) of escort, payer and carers besides the household.
    :raises TransitionRefused: as `engine.transition`; nothing is kept then.
    """
    placement = Placement(
        case=case,
        home_id=home_id,
        household_id=household_id,
        purpose=purpose,
        planned=planned,
    )
    try:
        with transaction.atomic():
            placement.save()
            PlacementPerson.objects.bulk_create(
                PlacementPerson(placement=placement, person_id=person, capacity=capacity)
                for person, capacity in people
            )
            engine.transition(actor, placement, "propose", evidence, moment)
    except TransitionRefused as refused:
        engine.record_refusal(engine.binding_of("case"), actor, case, "propose", refused)
        raise
    return placement
