"""What transitions bring about besides the new state, within the same transaction."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import date, datetime, timedelta
from typing import Any

from django.conf import settings
from django.utils import timezone
from django.utils.translation import gettext_noop

from kinward_web.accounts.api import SYSTEM
from kinward_web.casework import custody, engine
from kinward_web.casework.engine import Context, Effect
from kinward_web.casework.guards import beds_full, cleared_return, live_placement
from kinward_web.casework.messages import tell
from kinward_web.casework.models import Case, CaseParty, MedicalExam, Placement, Visit
from kinward_web.registry import api as registry
from kinward_web.rules.policy import load_policy

__all__ = ["CASE_EFFECTS", "CASE_SEQUELS", "HANDED_OVER", "PLACEMENT_EFFECTS"]

HANDED_OVER = gettext_noop("handed over to the family")
"""Why a placement ends when the child goes home; what reads it translates it."""


def _happened(context: Context) -> datetime:
    return datetime.fromisoformat(context.evidence["happened_at"])


def _day(moment: datetime) -> date:
    return timezone.localtime(moment).date()


def _join(case: Case, agency_id: int) -> None:
    CaseParty.objects.get_or_create(case=case, agency_id=agency_id)


def _cancel_visits(case: Case, moment: datetime) -> None:
    case.visits.filter(done_at__isnull=True, cancelled_at__isnull=True).update(cancelled_at=moment)


def _leave_place(context: Context, reason: str) -> None:
    """End the placement of a child who is no longer there."""
    place = live_placement(context.case)
    if place is not None:
        evidence = {"happened_at": context.moment.isoformat(), "reason": reason}
        engine.transition(SYSTEM, place, "end", evidence, context.moment)


# ------------------------------------------------------------------------------ the case


def _rescue(context: Context) -> Mapping[str, Any]:
    number = context.evidence["operation"]
    if context.actor.agency_id is not None:
        # Whoever finds a located child takes part in its case from then on.
        _join(context.case, context.actor.agency_id)
    return {
        "rescued_at": _happened(context),
        "operation_id": number,
        "campaign_id": registry.campaign_of(number),
    }


def _register(context: Context) -> Mapping[str, Any]:
    number = context.evidence["operation"]
    return {
        "wristband": context.evidence["wristband"],
        "operation_id": number,
        "campaign_id": registry.campaign_of(number),
    }


def _clear_medically(context: Context) -> Mapping[str, Any]:
    evidence, examined = context.evidence, _happened(context)
    MedicalExam.objects.create(
        case=context.case,
        clinician_id=context.actor.user_id,
        examined_at=examined,
        sedation=evidence["sedation"],
        injuries=evidence["injuries"],
        age_days_min=evidence["age_days_min"],
        age_days_max=evidence["age_days_max"],
    )
    registry.set_birth_range(
        context.case.child_id,
        _day(examined) - timedelta(days=evidence["age_days_max"]),
        _day(examined) - timedelta(days=evidence["age_days_min"]),
    )
    return {"sample_a": evidence["sample_a"]}


def _undo_rescue(context: Context) -> Mapping[str, Any]:
    return {"rescued_at": None}


def _start_tracing(context: Context) -> None:
    _join(context.case, context.evidence["laboratory"])


def _plan_visits(case: Case, since: datetime) -> None:
    policy = load_policy(settings.COUNTRY)
    _cancel_visits(case, since)
    Visit.objects.bulk_create(
        Visit(case=case, key=key, due_on=_day(since) + timedelta(days=days))
        for key, days in policy.visits
    )


def _hand_over(context: Context) -> Mapping[str, Any]:
    _plan_visits(context.case, _happened(context))
    return {"return_placement_id": cleared_return(context.case).pk}


def _bring_home(context: Context) -> None:
    """End the child's place in care and place it with its family, as both agencies signed."""
    home = Placement.objects.get(pk=context.subject.return_placement_id)
    happened_at = context.evidence["happened_at"]
    reason = {"happened_at": happened_at, "reason": HANDED_OVER}
    place = live_placement(context.case)
    if place is not None:
        engine.transition(context.actor, place, "end", reason, context.moment)
    keys = ("happened_at", "receiving_person", "escort")
    arrival = {key: context.evidence[key] for key in keys}
    engine.transition(context.actor, home, "place", arrival, context.moment)


def _take_back(context: Context) -> None:
    _cancel_visits(context.case, context.moment)


def _hold(context: Context) -> None:
    tell(context.case, "hold")


def _transfer(context: Context) -> Mapping[str, Any]:
    number = context.evidence["receiving_agency"]
    tell(context.case, "transfer_offered", agency_ids=[number])
    return {"transfer_to_id": number}


def _accept_transfer(context: Context) -> Mapping[str, Any]:
    offered = engine.last_record(context.case, "transfer")
    CaseParty.objects.filter(case=context.case, agency_id=offered.agency_id).delete()
    _join(context.case, context.actor.agency_id)
    return {"transfer_to_id": None}


def _decline_transfer(context: Context) -> Mapping[str, Any]:
    tell(context.case, "transfer_declined")
    return {"transfer_to_id": None}


def _begin_repatriation(context: Context) -> Mapping[str, Any]:
    number = context.evidence["foreign_agency"]
    _join(context.case, number)
    tell(context.case, "repatriation", agency_ids=[number])
    return {"foreign_agency_id": number}


def _receive_abroad(context: Context) -> None:
    _leave_place(context, "arrived abroad")


def _confirm_abroad(context: Context) -> None:
    _plan_visits(context.case, _happened(context))


def _report_missing(context: Context) -> None:
    _leave_place(context, "missing from care")
    _cancel_visits(context.case, context.moment)
    tell(context.case, "missing")


def _recover(context: Context) -> Mapping[str, Any]:
    tell(context.case, "recovered")
    return _rescue(context)


def _record_death(context: Context) -> None:
    _leave_place(context, "died")
    _cancel_visits(context.case, context.moment)
    tell(context.case, "died")


# ------------------------------------------------------------------------------ the placement


def _propose(context: Context) -> None:
    if context.subject.home_id:
        _join(context.case, context.subject.home.agency_id)


def _clear(context: Context) -> None:
    if context.subject.household_id or context.subject.people.exists():
        custody.freeze(context.actor, context.subject, context.moment)


def _receive_at_night(context: Context) -> Mapping[str, Any]:
    home = context.subject.home
    tell(context.case, "received_at_night", agency_ids=[home.agency_id])
    return {"over_capacity": beds_full(context)}


def _cancel_removal(context: Context) -> Mapping[str, Any]:
    _clear(context)
    # The child never left, even if its bed was counted as free meanwhile and given away.
    return {"over_capacity": context.subject.home_id is not None and beds_full(context)}


def _remove_now(context: Context) -> None:
    tell(context.case, "removal")


CASE_EFFECTS: dict[str, Effect] = {
    "rescue": _rescue,
    "register": _register,
    "clear_medically": _clear_medically,
    "undo_rescue": _undo_rescue,
    "start_tracing": _start_tracing,
    "hand_over": _hand_over,
    "take_back": _take_back,
    "protect": _take_back,
    "hold": _hold,
    "transfer": _transfer,
    "accept_transfer": _accept_transfer,
    "decline_transfer": _decline_transfer,
    "begin_repatriation": _begin_repatriation,
    "receive_abroad": _receive_abroad,
    "confirm_abroad": _confirm_abroad,
    "report_missing": _report_missing,
    "recover": _recover,
    "record_death": _record_death,
}

CASE_SEQUELS: dict[str, Callable[[Context], None]] = {"hand_over": _bring_home}

PLACEMENT_EFFECTS: dict[str, Effect] = {
    "propose": _propose,
    "clear": _clear,
    "place": _clear,
    "receive_at_night": _receive_at_night,
    "remove_now": _remove_now,
    "cancel_removal": _cancel_removal,
}
