"""What the other applications may use of `casework`."""

from __future__ import annotations

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
from kinward_web.casework.presenters.child import step_rows
from kinward_web.casework.scope import can, cases_for, get_case, placements_for, require

__all__ = [
    "Binding",
    "Context",
    "EvidenceForm",
    "Guard",
    "Step",
    "can",
    "cases_for",
    "get_case",
    "homes_kept_by",
    "keep_home",
    "next_steps",
    "open_case",
    "open_proposals",
    "placements_for",
    "propose_placement",
    "register",
    "require",
    "second_factor_refusals",
    "sign",
    "step_rows",
    "tell",
    "transition",
    "withdraw_proposal",
]
