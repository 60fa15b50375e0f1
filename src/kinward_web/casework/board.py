"""The rescue board: the children of one operation as cards, in a constant number of queries."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from django.core.paginator import Page, Paginator
from django.db.models import Count, F
from django.utils import timezone

from kinward_web.accounts.api import Actor
from kinward_web.casework.models import Case, Placement, TransitionRecord
from kinward_web.casework.presenters.timeline import place_name
from kinward_web.casework.presenters.today import CaseRow, case_row
from kinward_web.casework.scope import cases_for, require
from kinward_web.errors import NotAllowed
from kinward_web.registry import api as registry
from kinward_web.rules.case import IN_CUSTODY
from kinward_web.rules.placement import LIVE_PLACEMENT

if TYPE_CHECKING:
    from kinward_web.registry.api import Operation

__all__ = ["Card", "OperationRow", "Wall", "operation_of", "operations", "wall"]

_PAGE = 60
"""Cards on one page of the wall."""
_LISTED = 100
"""Operations that can be chosen; older ones stand under “Operations”."""


@dataclass(frozen=True, slots=True)
class OperationRow:
    """An operation to choose, and how many of its children are within reach."""

    code: str
    name: str
    started: datetime
    children: int
    overdue: int


@dataclass(frozen=True, slots=True)
class Card:
    """One child on the wall."""

    row: CaseRow
    place: str
    """Where the child was found, in the words of the police."""
    sleeps: str
    """Where the child is tonight; empty while it has no bed."""
    needs_bed: bool
    """Whether public care answers for the child, which has no bed."""
    leaving: bool
    """Whether a removal from there is under way."""
    photographs: tuple[int, ...]
    """Ids of the photographs that the actor may read."""


@dataclass(frozen=True, slots=True)
class Wall:
    """What the board shows of one operation."""

    cards: tuple[Card, ...]
    page: Page
    regions: tuple[str, ...]
    """Every jurisdiction of the operation in which the actor sees a child."""
    without_bed: int
    """Cards on this page whose child has no bed."""


def operations(actor: Actor) -> list[OperationRow]:
    """Return the operations under way that the actor may see, newest first.

    :raises NotAllowed: the role sees no operations.
    """
    require(actor, "operation.read")
    rows = list(registry.operations_under_way(actor)[:_LISTED])
    cases = cases_for(actor).filter(operation__in=[row.pk for row in rows]).order_by()
    counts = dict(cases.values_list("operation").annotate(n=Count("pk")))
    late = dict(
        cases.filter(state__in=("rescued", "registered", "medical_cleared"))
        .filter(due_at__lt=timezone.now())
        .values_list("operation")
        .annotate(n=Count("pk"))
    )
    return [
        OperationRow(row.code, row.name, row.starts_at, counts.get(row.pk, 0), late.get(row.pk, 0))
        for row in rows
    ]


def operation_of(actor: Actor, code: str) -> Operation:
    """Return the operation `code`.

    :raises NotAllowed: there is none, it has not started, or it is out of reach; all look alike.
    """
    require(actor, "operation.read")
    found = registry.operations_under_way(actor).filter(code=code).first()
    if found is None:
        raise NotAllowed("no such operation for this role")
    return found


def wall(actor: Actor, operation: Operation, region: str = "", page: str = "1") -> Wall:
    """Return the cards of an operation, those whose time runs out first at the head."""
    cases = cases_for(actor).filter(operation_id=operation.pk)
    regions = tuple(cases.order_by("region").values_list("region", flat=True).distinct())
    if region in regions:
        cases = cases.filter(region=region)
    cases = cases.select_related("child", "transfer_to")
    rows = Paginator(cases.order_by(F("due_at").asc(nulls_last=True), "pk"), _PAGE).get_page(page)
    cards = _cards(actor, list(rows))
    return Wall(cards, rows, regions, sum(card.needs_bed for card in cards))


def _cards(actor: Actor, cases: Sequence[Case]) -> tuple[Card, ...]:
    keys = [case.pk for case in cases]
    beds = {
        place.case_id: place
        for place in Placement.objects.filter(case__in=keys, state__in=LIVE_PLACEMENT)
        .select_related("home", "household")
        .order_by("pk")
    }
    places = _places(keys)
    pictures = registry.photographs_of(actor, [case.child_id for case in cases])
    return tuple(
        Card(
            row=case_row(actor, case),
            place=places.get(case.pk, ""),
            sleeps=place_name(beds[case.pk]) if case.pk in beds else "",
            needs_bed=case.state in IN_CUSTODY and case.pk not in beds,
            leaving=case.pk in beds and beds[case.pk].state == "emergency_removal",
            photographs=tuple(pictures.get(case.child_id, ())),
        )
        for case in cases
    )


def _places(keys: Sequence[int]) -> dict[int, str]:
    """Return the place of the rescue by case; a registration may correct it."""
    records = TransitionRecord.objects.filter(
        machine="case", subject_id__in=keys, rule__in=("rescue", "register")
    ).order_by("number")
    return {
        record.subject_id: str(record.evidence["place"])
        for record in records
        if record.evidence.get("place")
    }
