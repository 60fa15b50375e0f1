"""Joins the machine of notices to its model, guards and effects, and takes notices down in time."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext as _

from kinward_web.accounts.api import SYSTEM
from kinward_web.casework.api import Binding, Context, register, transition
from kinward_web.public.guards import PUBLICATION_GUARDS
from kinward_web.public.models import Publication
from kinward_web.rules.case import SEARCHED
from kinward_web.rules.publication import PUBLICATION

__all__ = ["on_transition", "register_machine", "take_down_over"]

_STILL_SHOWN = (*SEARCHED, "hold", "transferred", "missing_from_care")
"""States of a case in which a published notice stays."""


def _remove_photograph(context: Context) -> Mapping[str, Any]:
    return {"photograph_id": None}


def _parties(notice: Publication) -> set[int]:
    own = {notice.author.agency_id}
    if notice.case is None:
        return own
    return own | set(notice.case.parties.values_list("agency_id", flat=True))


def _content(notice: Publication) -> list[Any]:
    return [
        notice.title,
        notice.text,
        notice.photograph_id,
        notice.contact,
        notice.ends_on.isoformat(),
    ]


def register_machine() -> None:
    """Register the machine with the engine."""
    register(
        Binding(
            machine=PUBLICATION,
            model=Publication,
            guards=PUBLICATION_GUARDS,
            effects={"take_down": _remove_photograph, "discard": _remove_photograph},
            sequels={},
            case_of=lambda notice: notice.case,
            parties=_parties,
            label=lambda notice: f"publication:{notice.pk}",
            content=_content,
        )
    )


def on_transition(instance: Any, created: bool, **_others: Any) -> None:
    """Take a child's notices down in the transaction in which its search ends."""
    if created and instance.machine == "case" and instance.target not in _STILL_SHOWN:
        shown = Publication.objects.filter(state="published", case_id=instance.subject_id)
        _take_down(shown, _("The search for the family has ended."), instance.made_at)


def take_down_over(moment: datetime | None = None) -> int:
    """Take down every notice past its end or whose search is over; return how many."""
    moment = moment or timezone.now()
    over = Q(ends_on__lt=timezone.localdate(moment)) | ~Q(case__state__in=_STILL_SHOWN)
    shown = Publication.objects.filter(over, state="published")
    return _take_down(shown, _("The notice has come to its end."), moment)


def _take_down(notices: Any, reason: str, moment: datetime) -> int:
    rows = list(notices)
    for notice in rows:
        transition(SYSTEM, notice, "take_down", {"reason": reason}, moment)
    return len(rows)
