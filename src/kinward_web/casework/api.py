"""What the other applications may use of `casework`."""

from __future__ import annotations

from kinward_web.casework.actions import propose_place
from kinward_web.casework.board_actions import FoundChild, enter_found, may_enter
from kinward_web.casework.care.actions import homes_kept_by, keep_home
from kinward_web.casework.cases import open_case, propose_placement
from kinward_web.casework.engine import (
    Binding,
    Context,
    Guard,
    Step,
    next_steps,
    open_proposals,
    register,
    second_factor_refusals,
    sign,
    transition,
    withdraw_proposal,
)
from kinward_web.casework.evidence_form import EvidenceForm
from kinward_web.casework.messages import tell
from kinward_web.casework.models import Proposal
from kinward_web.casework.presenters.child import purpose_of, step_rows, visible_refusals
from kinward_web.casework.scope import (
    can,
    cases_for,
    get_case,
    get_placement,
    get_proposal,
    placements_for,
    require,
)
from kinward_web.casework.signatures import subject_of, waits_for

__all__ = [
    "Binding",
    "Context",
    "EvidenceForm",
    "FoundChild",
    "Guard",
    "Proposal",
    "Step",
    "can",
    "cases_for",
    "enter_found",
    "get_case",
    "get_placement",
    "get_proposal",
    "homes_kept_by",
    "keep_home",
    "may_enter",
    "next_steps",
    "open_case",
    "open_proposals",
    "placements_for",
    "propose_place",
    "propose_placement",
    "purpose_of",
    "register",
    "require",
    "second_factor_refusals",
    "sign",
    "step_rows",
    "subject_of",
    "tell",
    "transition",
    "visible_refusals",
    "waits_for",
    "withdraw_proposal",
]
