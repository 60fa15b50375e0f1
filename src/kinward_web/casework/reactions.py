"""What Kinward itself does when a new fact bars a place that was cleared, or where a child is.

A cleared place goes back to its proposal; the case of a child who is there goes on hold. Every
agency of the case is told. Nothing is undone by itself: two agencies settle a hold.
"""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime
from typing import Any

from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from kinward_web.accounts.api import SYSTEM
from kinward_web.casework import custody, engine
from kinward_web.casework.messages import tell
from kinward_web.casework.models import Case, Placement
from kinward_web.rules.case import CASE

__all__ = ["on_graph_changed", "recheck"]


def on_graph_changed(people_ids: Collection[int], **_others: Any) -> None:
    """Receive the registry's signal that facts about these people were entered or retracted."""
    recheck(people_ids)


@transaction.atomic
def recheck(people_ids: Collection[int], moment: datetime | None = None) -> list[Placement]:
    """Screen anew every place near these people; return those that are barred now.

    Within the transaction in which the fact was entered: a link is never on record without what
    follows from it.
    """
    moment = moment or timezone.now()
    barred = []
    for placement in custody.affected_placements(people_ids):
        if custody.screen(placement, moment).clear:
            continue
        barred.append(placement)
        if placement.state == "cleared":
            reason = {"reason": _("A new fact bars this place.")}
            engine.transition(SYSTEM, placement, "lapse", reason, moment)
            tell(placement.case, "clearance_lapsed")
        elif placement.state == "placed":
            _hold(placement.case, moment)
    return barred


def _hold(case: Case, moment: datetime) -> None:
    if any(rule.name == "hold" for rule in CASE.from_state(case.state)):
        reason = {"reason": _("A new fact bars the place where the child is.")}
        engine.transition(SYSTEM, case, "hold", reason, moment)
    elif case.messages.filter(key="new_link", read_at__isnull=True).exists():
        return
    tell(case, "new_link")
