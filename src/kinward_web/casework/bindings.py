"""Joins the machines of the case and the placement to their models, guards and effects."""

from __future__ import annotations

from typing import Any

from kinward_web.casework.effects import CASE_EFFECTS, CASE_SEQUELS, PLACEMENT_EFFECTS
from kinward_web.casework.engine import Binding, register
from kinward_web.casework.guards import CASE_GUARDS, PLACEMENT_GUARDS, cleared_return
from kinward_web.casework.models import Case, Placement
from kinward_web.rules.case import CASE
from kinward_web.rules.placement import PLACEMENT

__all__ = ["register_machines"]


def _parties(case: Case) -> set[int]:
    offered = {case.transfer_to_id} if case.transfer_to_id else set()
    return offered | set(case.parties.values_list("agency_id", flat=True))


def _placement_parties(placement: Any) -> set[int]:
    own = {placement.home.agency_id} if placement.home_id else set()
    return _parties(placement.case) | own


def _return_signed_for(case: Any) -> Any:
    """What a signature under a hand-over names besides the evidence: the place and its clearance.

    Without it another household could be put in the place of the one that was signed for.
    """
    place = cleared_return(case)
    if place is None:
        return None
    return [place.pk, place.version, place.clearances.values_list("digest", flat=True).first()]


def register_machines() -> None:
    """Register both machines with the engine."""
    register(
        Binding(
            machine=CASE,
            model=Case,
            guards=CASE_GUARDS,
            effects=CASE_EFFECTS,
            sequels=CASE_SEQUELS,
            case_of=lambda case: case,
            parties=_parties,
            label=lambda case: f"case:{case.code}",
            content=_return_signed_for,
        )
    )
    register(
        Binding(
            machine=PLACEMENT,
            model=Placement,
            guards=PLACEMENT_GUARDS,
            effects=PLACEMENT_EFFECTS,
            sequels={},
            case_of=lambda placement: placement.case,
            parties=_placement_parties,
            label=lambda placement: f"placement:{placement.pk}",
        )
    )
