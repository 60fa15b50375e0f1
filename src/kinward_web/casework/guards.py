"""The guards that the tables of rules name: each returns its refusals, none when it passes.

A guard that looks at evidence passes where that evidence is absent: the missing item is refused by
itself, and a page can ask before anything is filled in.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace

from django.utils.translation import gettext as _

from kinward_web.accounts.api import Agency
from kinward_web.casework import custody
from kinward_web.casework.engine import Context, Guard
from kinward_web.casework.models import Case, Placement, TransitionRecord
from kinward_web.casework.sealed import as_seen_by
from kinward_web.errors import Refusal
from kinward_web.registry import api as registry
from kinward_web.rules.case import IN_CUSTODY
from kinward_web.rules.custody import Bar
from kinward_web.rules.roles import AgencyKind

__all__ = ["CASE_GUARDS", "PLACEMENT_GUARDS", "beds_full", "cleared_return", "live_placement"]

_PRIVATE_CARE = ("medical_cleared", "in_care", "tracing", "family_found", "long_term")
"""States in which a child may go to private people: examined, and known to be who it is."""
_INSTITUTION_MAY_RECEIVE = (*IN_CUSTODY, "hold", "reunited", "follow_up", "transferred")


def live_placement(case: Case) -> Placement | None:
    """Return the placement where the child is now."""
    return case.placements.filter(state="placed").select_related("home", "household").first()


# ------------------------------------------------------------------------------ the case


def _operation_started(context: Context) -> list[Refusal]:
    number = context.evidence.get("operation")
    if number is None or registry.operation_started(number, context.moment):
        return []
    return [
        Refusal(
            "operation_not_started",
            _("This operation has not started."),
            _("Choose the operation that found the child, or correct the start of this one."),
        )
    ]


def _wristband_free(context: Context) -> list[Refusal]:
    code = context.evidence.get("wristband")
    if not code or not Case.objects.filter(wristband=code).exclude(pk=context.case.pk).exists():
        return []
    return [
        Refusal(
            "wristband_taken",
            _("Another child wears this wristband code."),
            _("Read the band again; if it is right, print a new band for this child."),
        )
    ]


def _age_range_in_order(context: Context) -> list[Refusal]:
    low, high = context.evidence.get("age_days_min"), context.evidence.get("age_days_max")
    if low is None or high is None or low <= high:
        return []
    return [
        Refusal(
            "age_range",
            _("The youngest possible age is above the oldest."),
            _("Exchange the two numbers or correct them."),
        )
    ]


def _sample_code_free(context: Context) -> list[Refusal]:
    code = context.evidence.get("sample_a")
    if not code or not Case.objects.filter(sample_a=code).exclude(pk=context.case.pk).exists():
        return []
    return [
        Refusal(
            "sample_taken",
            _("This sample code belongs to another child."),
            _("Read the kit again; if it is right, take a new sample with a new kit."),
        )
    ]


def _examined(context: Context) -> list[Refusal]:
    if context.case.sample_a and context.case.exams.exists():
        return []
    return [
        Refusal(
            "not_examined_yet",
            _("The child has not been registered and examined."),
            _(
                "Release the hold; registration and examination follow at once. Meanwhile a "
                "hospital may receive the child."
            ),
        )
    ]


def _placed(context: Context) -> list[Refusal]:
    if live_placement(context.case):
        return []
    return [
        Refusal(
            "not_placed",
            _("The child has no place."),
            _("Propose a place; a hospital or accredited home may receive at any hour."),
        )
    ]


def _not_placed(context: Context) -> list[Refusal]:
    if not live_placement(context.case):
        return []
    return [
        Refusal(
            "still_placed",
            _("The child is still recorded at a place."),
            _("End the placement first."),
        )
    ]


def _placed_in_institution(context: Context) -> list[Refusal]:
    place = live_placement(context.case)
    if place is not None and place.home_id is not None:
        return []
    return [
        Refusal(
            "not_in_institution",
            _("The child is not in a hospital or accredited home."),
            _("Order the removal from the family's place, then let a hospital receive the child."),
        )
    ]


def cleared_return(case: Case) -> Placement | None:
    """Return the family's household that is cleared for the child's return."""
    returns = case.placements.filter(state="cleared", purpose=Placement.Purpose.RETURN)
    return returns.select_related("household").first()


def _return_cleared(context: Context) -> list[Refusal]:
    place = cleared_return(context.case)
    if place is None:
        return [
            Refusal(
                "return_not_cleared",
                _("The family's household is not cleared for the return."),
                _("Propose it as a return and clear it; the hand-over then brings the child."),
            )
        ]
    if context.case.placements.filter(state="cleared", purpose=place.purpose).count() > 1:
        return [
            Refusal(
                "two_returns",
                _("More than one household is cleared for the return."),
                _("Withdraw all but the one to which the child goes; the signatures name it."),
            )
        ]
    return _clearance_fresh_of(place, context)


def _case_custody_clear(context: Context) -> list[Refusal]:
    place = cleared_return(context.case)
    return _screened(place, context) if place is not None else []


def _no_barring_placement(context: Context) -> list[Refusal]:
    place = live_placement(context.case)
    return _screened(place, context) if place is not None else []


def _first_visit_done(context: Context) -> list[Refusal]:
    if context.case.visits.filter(done_at__isnull=False).exists():
        return []
    return [
        Refusal(
            "no_visit",
            _("No follow-up visit is on record."),
            _("Visit the child and record it under Follow-up."),
        )
    ]


def _all_visits_done(context: Context) -> list[Refusal]:
    visits = context.case.visits.filter(cancelled_at__isnull=True)
    refusals = []
    missing = visits.filter(done_at__isnull=True).count()
    if missing:
        refusals.append(
            Refusal(
                "visits_missing",
                _("%(n)d planned visits have not been made.") % {"n": missing},
                _("Make them, or take the child back into care if it cannot be visited."),
            )
        )
    if visits.filter(concern=True, concern_settled_at__isnull=True).exists():
        refusals.append(
            Refusal(
                "concern_open",
                _("A visit gave cause for concern that nobody has settled."),
                _("Settle it on the visit's page with what was done, or take the child back."),
            )
        )
    return refusals


def _laboratory_is_laboratory(context: Context) -> list[Refusal]:
    return _agency_is(context, "laboratory", AgencyKind.LABORATORY)


def _foreign_agency_is_foreign(context: Context) -> list[Refusal]:
    return _agency_is(context, "foreign_agency", AgencyKind.FOREIGN)


def _agency_is(context: Context, key: str, kind: AgencyKind) -> list[Refusal]:
    number = context.evidence.get(key)
    if number is None or Agency.objects.filter(pk=number, kind=kind.value).exists():
        return []
    return [
        Refusal(
            "agency_kind",
            _("The agency chosen is of another kind."),
            _("Choose one from the list; an administrator enters one that is missing."),
        )
    ]


def _receiver_is_other_of_same_kind(context: Context) -> list[Refusal]:
    number = context.evidence.get("receiving_agency")
    if number is None:
        return []
    kind = context.actor.agency_kind
    own = number == context.actor.agency_id
    if not own and kind and Agency.objects.filter(pk=number, kind=kind.value).exists():
        return []
    return [
        Refusal(
            "receiver_kind",
            _("A case is transferred to another agency of the same kind as yours."),
            _("Choose such an agency; others join a case by being assigned, not by transfer."),
        )
    ]


def _actor_is_receiver(context: Context) -> list[Refusal]:
    if context.actor.agency_id == context.case.transfer_to_id:
        return []
    return [
        Refusal(
            "not_receiver",
            _("The case was not offered to your agency."),
            _("The agency that was asked accepts; the one that offered may withdraw the offer."),
        )
    ]


def _actor_is_foreign_receiver(context: Context) -> list[Refusal]:
    if context.actor.agency_id == context.case.foreign_agency_id:
        return []
    return [
        Refusal(
            "not_foreign_receiver",
            _("Your authority was not named for this return."),
            _("The authority named in the agreement records arrival and safety."),
        )
    ]


def _received_abroad_number(case: Case) -> bool:
    """Whether the child has arrived since the repatriation was last agreed."""
    last = (
        TransitionRecord.objects.filter(
            machine="case",
            subject_id=case.pk,
            rule__in=("begin_repatriation", "receive_abroad"),
        )
        .order_by("-number")
        .first()
    )
    return last is not None and last.rule == "receive_abroad"


def _received_abroad(context: Context) -> list[Refusal]:
    if _received_abroad_number(context.case):
        return []
    return [
        Refusal(
            "not_arrived",
            _("The arrival of the child is not on record."),
            _("Record the arrival first, with the person who received the child."),
        )
    ]


def _not_received_abroad(context: Context) -> list[Refusal]:
    if not _received_abroad_number(context.case):
        return []
    return [
        Refusal(
            "already_abroad",
            _("The foreign authority has recorded the child's arrival."),
            _("Agree the way back with that authority; put the case on hold meanwhile."),
        )
    ]


# ------------------------------------------------------------------------------ the placement


def _case_in_custody(context: Context) -> list[Refusal]:
    placement: Placement = context.subject
    states = _INSTITUTION_MAY_RECEIVE if placement.home_id else _PRIVATE_CARE
    if placement.purpose == Placement.Purpose.RETURN:
        states = (*states, "reunited")
    if context.case.state in states:
        return []
    if placement.home_id or context.case.state not in IN_CUSTODY:
        return [
            Refusal(
                "not_in_custody",
                _("Public care does not answer for this child at present."),
                _("Record the rescue first; then any hospital or accredited home may receive."),
            )
        ]
    return [
        Refusal(
            "not_examined",
            _("A child goes to private people only after registration and examination."),
            _("Tonight a hospital or accredited home may receive the child."),
        )
    ]


def _not_placed_elsewhere(context: Context) -> list[Refusal]:
    place = live_placement(context.case)
    if place is None or place.pk == context.subject.pk:
        return []
    return [
        Refusal(
            "placed_elsewhere",
            _("The child is recorded at another place."),
            _("End that placement, or order the removal from it."),
        )
    ]


def beds_full(context: Context) -> bool:
    """Return whether every bed of the placement's home is taken; it must have a home."""
    placement = context.subject
    homes = type(placement.home)._default_manager.all()
    if context.locked:
        # The row of the home is locked, so that two operators cannot both take the last bed.
        homes = homes.select_for_update()
    home = homes.get(pk=placement.home_id)
    taken = Placement.objects.filter(home=home, state="placed", over_capacity=False).count()
    return taken >= home.beds


def _bed_free(context: Context) -> list[Refusal]:
    if not context.subject.home_id or not beds_full(context):
        return []
    return [
        Refusal(
            "no_bed",
            _("Every bed of this place is taken."),
            _("Choose another place, or receive at night with a reason on record."),
        )
    ]


def _bed_free_or_reason(context: Context) -> list[Refusal]:
    if not context.evidence or not context.subject.home_id or not beds_full(context):
        return []
    if context.evidence.get("reason"):
        return []
    return [
        Refusal(
            "no_bed_no_reason",
            _("Every bed of this place is taken."),
            _("Say in “Reason” why the child is received all the same; that is enough tonight."),
        )
    ]


def _is_institution(context: Context) -> list[Refusal]:
    if context.subject.home_id:
        return []
    return [
        Refusal(
            "private_at_night",
            _("Private people cannot receive a child without screening."),
            _("Tonight a hospital or accredited home may; screen the family tomorrow."),
        )
    ]


def _institution_accredited(context: Context) -> list[Refusal]:
    home = context.subject.home
    if home is None:
        return []
    officer = home.agency.named_officer
    if home.open and home.agency.accredited and officer is not None and officer.is_active:
        return []
    return [
        Refusal(
            "not_accredited",
            _("This place is closed, not accredited, or no named officer answers for it."),
            _("Choose an accredited place; its agency names the officer on its own page."),
        )
    ]


def _needs_screening(placement: Placement) -> bool:
    return placement.household_id is not None or placement.people.exists()


def _clearance_fresh(context: Context) -> list[Refusal]:
    return _clearance_fresh_of(context.subject, context)


def _clearance_fresh_of(placement: Placement, context: Context) -> list[Refusal]:
    if not _needs_screening(placement):
        return []
    last = placement.clearances.first()
    if last is not None and last.clear and last.expires_at > context.moment:
        return []
    return [
        Refusal(
            "clearance_old",
            _("The clearance of this place has run out."),
            _("Let it lapse and clear the place again."),
        )
    ]


def _custody_clear(context: Context) -> list[Refusal]:
    return _screened(context.subject, context)


def _nobody_involved(context: Context) -> list[Refusal]:
    """At night links and papers wait; that a buyer brings, pays or cares does not."""
    if context.subject.household_id is not None:
        return []
    return _screened(context.subject, context, (Bar.INVOLVED,))


def _screened(
    placement: Placement, context: Context, bars: Collection[Bar] = tuple(Bar)
) -> list[Refusal]:
    if not _needs_screening(placement):
        return []
    found = custody.screen(placement, context.moment)
    # What counts is decided before anything is hidden from whoever asks.
    counting = replace(found, denials=tuple(row for row in found.denials if row.code in bars))
    screening = as_seen_by(context.actor, counting)
    return [
        Refusal(f"custody:{denial.code}", denial.message, denial.path)
        for denial in screening.denials
    ]


def _return_family_found(context: Context) -> list[Refusal]:
    if context.subject.purpose != Placement.Purpose.RETURN or context.case.state == "family_found":
        return []
    return [
        Refusal(
            "family_not_found",
            _("A child returns to a family only when the family has been found and confirmed."),
            _("Confirm the finding with two agencies first; visits can go on meanwhile."),
        )
    ]


def _return_signed(context: Context) -> list[Refusal]:
    if context.subject.purpose != Placement.Purpose.RETURN:
        return []
    signed = context.case.return_placement_id == context.subject.pk
    if signed and context.case.state == "reunited":
        return []
    return [
        Refusal(
            "return_not_signed",
            _("No single person brings a child back to its family."),
            _("Take the step “Hand over to the family”: two agencies sign, and that places it."),
        )
    ]


CASE_GUARDS: dict[str, Guard] = {
    "operation_started": _operation_started,
    "wristband_free": _wristband_free,
    "age_range_in_order": _age_range_in_order,
    "sample_code_free": _sample_code_free,
    "examined": _examined,
    "placed": _placed,
    "not_placed": _not_placed,
    "placed_in_institution": _placed_in_institution,
    "return_cleared": _return_cleared,
    "custody_clear": _case_custody_clear,
    "no_barring_placement": _no_barring_placement,
    "first_visit_done": _first_visit_done,
    "all_visits_done": _all_visits_done,
    "laboratory_is_laboratory": _laboratory_is_laboratory,
    "foreign_agency_is_foreign": _foreign_agency_is_foreign,
    "receiver_is_other_of_same_kind": _receiver_is_other_of_same_kind,
    "actor_is_receiver": _actor_is_receiver,
    "actor_is_foreign_receiver": _actor_is_foreign_receiver,
    "received_abroad": _received_abroad,
    "not_received_abroad": _not_received_abroad,
}

PLACEMENT_GUARDS: dict[str, Guard] = {
    "case_in_custody": _case_in_custody,
    "not_placed_elsewhere": _not_placed_elsewhere,
    "bed_free": _bed_free,
    "bed_free_or_reason": _bed_free_or_reason,
    "is_institution": _is_institution,
    "nobody_involved": _nobody_involved,
    "institution_accredited": _institution_accredited,
    "clearance_fresh": _clearance_fresh,
    "custody_clear": _custody_clear,
    "return_family_found": _return_family_found,
    "return_signed": _return_signed,
}
