"""A child found on the rescue board: entered, its case opened, and never twice."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db import IntegrityError, transaction
from django.utils.translation import gettext as _

from kinward_web.accounts.api import Actor
from kinward_web.casework.board_models import OutboxReceipt
from kinward_web.casework.cases import open_case
from kinward_web.casework.machinery import binding_of, record_refusal
from kinward_web.casework.models import Case
from kinward_web.errors import NotAllowed, Refusal, TransitionRefused
from kinward_web.registry import api as registry
from kinward_web.rules.case import CASE
from kinward_web.rules.table import NEW

__all__ = ["FoundChild", "enter_found", "may_enter"]

_RULE = CASE.rule("rescue", NEW)
_SEXES = ("unknown", "female", "male")
_LONGEST_REGION = 60


@dataclass(frozen=True, slots=True)
class FoundChild:
    """What the board's form says of a child that was just found."""

    client_id: UUID
    """Made where the form was filled in; the same one again is the same child."""
    operation: str
    """Code of an operation under way."""
    region: str
    place: str
    happened_at: datetime | str
    sex: str = "unknown"


def may_enter(actor: Actor) -> bool:
    """Return whether the actor's role records rescues."""
    return actor.role in _RULE.roles


def enter_found(actor: Actor, found: FoundChild) -> Case:
    """Enter a child and open its case by `rescue`, in one transaction; return the case.

    A repeated entry returns the case that the first one opened.

    :raises NotAllowed: the role records no rescues.
    :raises TransitionRefused: as the engine; no such operation, region or sex; or another login
        sent this entry. Nothing but the refusal is kept then.
    """
    if not may_enter(actor):
        raise NotAllowed(f"{actor.role} records no rescue")
    earlier = _earlier(actor, found)
    if earlier is not None:
        return earlier
    try:
        return _enter(actor, found)
    except IntegrityError:
        # The same entry came by another connection meanwhile; everything begun here is undone.
        earlier = _earlier(actor, found)
        if earlier is None:
            raise
        return earlier
    except TransitionRefused as refused:
        unopened = Case(code=registry.new_code())
        record_refusal(binding_of("case"), actor, unopened, _RULE.name, refused)
        raise


def _earlier(actor: Actor, found: FoundChild) -> Case | None:
    row = OutboxReceipt.objects.filter(client_id=found.client_id).select_related("case").first()
    if row is None:
        return None
    if row.user_id != actor.user_id:
        raise TransitionRefused(
            [
                Refusal(
                    "client_id",
                    _("Another login has sent this entry."),
                    _("Look on the board whether the child is there; if not, enter it anew."),
                )
            ]
        )
    return row.case


@transaction.atomic
def _enter(actor: Actor, found: FoundChild) -> Case:
    region = found.region.strip()
    operation = registry.operations_under_way(actor).filter(code=found.operation).first()
    evidence: dict[str, Any] = {"happened_at": found.happened_at, "place": found.place}
    if operation is not None:
        evidence["operation"] = operation.pk
    refusals = _faults(found, region)
    if refusals:
        raise TransitionRefused(refusals)
    child = registry.enter_child(actor, name="", sex=found.sex, region=region)
    case = open_case(actor, child.pk, _RULE.name, evidence, region=region)
    OutboxReceipt.objects.create(client_id=found.client_id, case=case, user_id=actor.user_id)
    return case


def _faults(found: FoundChild, region: str) -> list[Refusal]:
    """Return what is wrong besides the evidence, which the engine looks at."""
    refusals = []
    if not region or len(region) > _LONGEST_REGION or "\0" in region:
        refusals.append(
            Refusal(
                "evidence:region",
                _("The jurisdiction is missing or longer than %(n)d characters.")
                % {"n": _LONGEST_REGION},
                _("Write the county or prefecture where the child was found."),
            )
        )
    if found.sex not in _SEXES:
        refusals.append(
            Refusal(
                "evidence:sex",
                _("The sex is none of the choices."),
                _("Choose female, male or unknown."),
            )
        )
    return refusals
