"""What people do in a case besides transitions: exams, visits, services, places, links, parties.

Each is one transaction with its audit event, which holds codes and numbers, never names.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any

from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from kinward_web.accounts.api import Actor, Agency
from kinward_web.audit import api as audit
from kinward_web.casework import custody
from kinward_web.casework.cases import open_case, propose_placement
from kinward_web.casework.machinery import (
    binding_of,
    record_refusal,
)
from kinward_web.casework.models import (
    CareHome,
    Case,
    CaseParty,
    Clearance,
    MedicalExam,
    Message,
    Placement,
    PlacementPerson,
    Service,
    Visit,
)
from kinward_web.casework.scope import require
from kinward_web.errors import Refusal, TransitionRefused
from kinward_web.registry import api as registry

__all__ = [
    "add_extra_visit",
    "add_party",
    "add_screened_person",
    "mark_read",
    "open_child",
    "propose_place",
    "record_exam",
    "record_service",
    "record_visit",
    "screen_now",
    "settle_concern",
]


def _refuse(code: str, message: str, path: str) -> TransitionRefused:
    return TransitionRefused([Refusal(code, message, path)])


def open_child(
    actor: Actor,
    rule: str,
    evidence: Mapping[str, Any],
    *,
    name: str,
    sex: str,
    region: str,
    returned_to_buyer: bool,
) -> Case:
    """Enter a child and open its case by `locate` or `rescue`.

    :raises NotAllowed: the role enters nobody.
    :raises TransitionRefused: as the engine; nothing but the refusal is kept then.
    """
    try:
        with transaction.atomic():
            child = registry.enter_child(actor, name=name, sex=sex, region=region)
            return open_case(
                actor,
                child.pk,
                rule,
                evidence,
                region=region,
                returned_to_buyer=returned_to_buyer,
            )
    except TransitionRefused as refused:
        unopened = Case(code=registry.new_code())
        record_refusal(binding_of("case"), actor, unopened, rule, refused)
        raise


# ------------------------------------------------------------------------------ medical


@transaction.atomic
def record_exam(
    actor: Actor,
    case: Case,
    *,
    examined_at: datetime,
    sedation: str,
    injuries: str,
    age_days_min: int,
    age_days_max: int,
    weight_grams: int | None = None,
    note: str = "",
    needs_medical_level: int = 0,
) -> MedicalExam:
    """Record a further examination; its age estimate becomes the child's.

    :raises NotAllowed: the role writes no medical records on this case.
    :raises TransitionRefused: the moment lies in the future, or the ages are in the wrong order.
    """
    require(actor, "medical.write", case)
    if examined_at > timezone.now() + timedelta(minutes=5):
        raise _refuse(
            "examined_at",
            _("The examination lies in the future."),
            _("Give the local time at which it was made."),
        )
    if age_days_min > age_days_max:
        raise _refuse(
            "age_range",
            _("The youngest possible age is above the oldest."),
            _("Exchange the two numbers or correct them."),
        )
    exam = MedicalExam.objects.create(
        case=case,
        clinician_id=actor.user_id,
        examined_at=examined_at,
        sedation=sedation,
        injuries=injuries,
        age_days_min=age_days_min,
        age_days_max=age_days_max,
        weight_grams=weight_grams,
        note=note,
        needs_medical_level=needs_medical_level,
    )
    day = timezone.localtime(examined_at).date()
    registry.set_birth_range(
        case.child_id, day - timedelta(days=age_days_max), day - timedelta(days=age_days_min)
    )
    _record(actor, "exam.recorded", case, exam=exam.pk, level=needs_medical_level)
    return exam


# ------------------------------------------------------------------------------ follow-up


@transaction.atomic
def record_visit(
    actor: Actor,
    visit: Visit,
    *,
    done_at: datetime,
    finding: str,
    concern: bool,
    cost: Decimal = Decimal(0),
) -> None:
    """Record that a planned visit was made, and what was found.

    :raises NotAllowed: the role records no visits on this case.
    :raises TransitionRefused: it was made or cancelled before, or lies in the future.
    """
    require(actor, "service.write", visit.case)
    visit = Visit.objects.select_for_update().select_related("case").get(pk=visit.pk)
    if visit.done_at is not None or visit.cancelled_at is not None:
        raise _refuse(
            "visit_over",
            _("This visit is on record already, or was cancelled."),
            _("Add an extra visit for what was found now."),
        )
    if done_at > timezone.now() + timedelta(minutes=5):
        raise _refuse(
            "visit_in_future",
            _("The visit lies in the future."),
            _("Record it once it has been made."),
        )
    visit.done_at, visit.visitor_id = done_at, actor.user_id
    visit.finding, visit.concern, visit.cost = finding, concern, cost
    visit.save(update_fields=["done_at", "visitor", "finding", "concern", "cost"])
    _record(actor, "visit.recorded", visit.case, visit=visit.pk, concern=concern)


@transaction.atomic
def settle_concern(actor: Actor, visit: Visit, what_was_done: str) -> None:
    """Record what was done about a visit's cause for concern.

    :raises NotAllowed: the role records no visits on this case.
    :raises TransitionRefused: nothing is open, or it is not said what was done.
    """
    require(actor, "service.write", visit.case)
    visit = Visit.objects.select_for_update().select_related("case").get(pk=visit.pk)
    if not visit.concern or visit.concern_settled_at is not None:
        raise _refuse(
            "no_concern", _("No concern is open here."), _("Look at the list of visits again.")
        )
    if not what_was_done.strip():
        raise _refuse(
            "not_said", _("It is not said what was done."), _("Say it in your own words.")
        )
    visit.finding = f"{visit.finding}\n\n{what_was_done.strip()}"
    visit.concern_settled_at = timezone.now()
    visit.save(update_fields=["finding", "concern_settled_at"])
    _record(actor, "visit.settled", visit.case, visit=visit.pk)


@transaction.atomic
def add_extra_visit(actor: Actor, case: Case, due_on: date) -> Visit:
    """Plan a visit besides those of the policy.

    :raises NotAllowed: the role records no visits on this case.
    """
    require(actor, "service.write", case)
    visit = Visit.objects.create(case=case, key="extra", due_on=due_on)
    _record(actor, "visit.planned", case, visit=visit.pk)
    return visit


@transaction.atomic
def record_service(
    actor: Actor,
    case: Case,
    *,
    kind: str,
    given_on: date,
    until: date | None,
    cost: Decimal,
    currency: str,
    note: str = "",
) -> Service:
    """Record a service given, with its date and cost.

    :raises NotAllowed: the role records no services on this case.
    """
    require(actor, "service.write", case)
    service = Service.objects.create(
        case=case,
        kind=kind,
        given_on=given_on,
        until=until,
        cost=cost,
        currency=currency,
        note=note,
        given_by_id=actor.user_id,
    )
    _record(actor, "service.recorded", case, service=service.pk, kind=kind)
    return service


# ------------------------------------------------------------------------------ places


def propose_place(
    actor: Actor,
    case: Case,
    *,
    home_id: int | None,
    household: str,
    purpose: str,
    people: Iterable[tuple[str, str]],
    reason: str = "",
) -> Placement:
    """Propose a care place, or a household by its code, with those to be screened besides.

    :param people: (code, capacity) of escort, payer and carers.
    :raises TransitionRefused: no such household or person within reach, or as the engine.
    """
    household_id = None
    if home_id is None:
        found = registry.find_household(actor, household)
        if found is None:
            raise _no_such(_("household"), household)
        household_id = found.pk
    elif not CareHome.objects.filter(pk=home_id, open=True).exists():
        raise _refuse(
            "unknown_home",
            _("There is no such care place, or it receives nobody now."),
            _("Choose one of the open hospitals and homes."),
        )
    screened = [(_person(actor, code).pk, capacity) for code, capacity in people]
    return propose_placement(
        actor,
        case,
        home_id=home_id,
        household_id=household_id,
        purpose=purpose if household_id else Placement.Purpose.CARE,
        people=screened,
        evidence={"reason": reason} if reason else {},
    )


@transaction.atomic
def add_screened_person(actor: Actor, placement: Placement, code: str, capacity: str) -> None:
    """Name someone who escorts, pays or cares, so that the screening covers them.

    :raises NotAllowed: the role screens nobody in this case.
    :raises TransitionRefused: no such person within reach, or the place is past its proposal.
    """
    require(actor, "custody.check", placement.case)
    placement = Placement.objects.select_for_update().select_related("case").get(pk=placement.pk)
    if placement.state != "proposed":
        raise _refuse(
            "not_proposed",
            _("People are added while a place is proposed; a clearance covers those it names."),
            _("Let the clearance lapse, add the person, and clear the place again."),
        )
    person = _person(actor, code)
    PlacementPerson.objects.get_or_create(placement=placement, person=person, capacity=capacity)
    _record(actor, "placement.person_added", placement.case, person=code, capacity=capacity)


@transaction.atomic
def screen_now(actor: Actor, placement: Placement) -> Clearance:
    """Screen a place and keep the result, whatever it says.

    :raises NotAllowed: the role screens nobody in this case.
    """
    require(actor, "custody.check", placement.case)
    clearance = custody.freeze(actor, placement, timezone.now())
    _record(
        actor,
        "custody.screened",
        placement.case,
        placement=placement.pk,
        clear=clearance.clear,
        digest=clearance.digest,
    )
    return clearance


def _person(actor: Actor, code: str) -> Any:
    found = registry.find_person(actor, code)
    if found is None:
        raise _no_such(_("person"), code)
    return found


def _no_such(what: str, code: str) -> TransitionRefused:
    return _refuse(
        "unknown_code",
        _("There is no %(what)s “%(code)s” within your reach.") % {"what": what, "code": code},
        _("Enter it under “People and links” first, then use the code given there."),
    )


# ------------------------------------------------------------------------------ parties


@transaction.atomic
def add_party(actor: Actor, case: Case, agency: Agency) -> None:
    """Bring another agency into the case, so that its people may read and act on it.

    :raises NotAllowed: the role brings nobody in.
    """
    require(actor, "party.write", case)
    CaseParty.objects.get_or_create(case=case, agency=agency)
    Message.objects.create(agency=agency, case=case, key="joined")
    _record(actor, "party.added", case, agency=agency.pk)


@transaction.atomic
def mark_read(actor: Actor, message: Message) -> None:
    """Note that someone of the agency has read a message."""
    Message.objects.filter(pk=message.pk, agency_id=actor.agency_id, read_at__isnull=True).update(
        read_at=timezone.now(), read_by_id=actor.user_id
    )


def _record(actor: Actor, act: str, case: Case, **detail: Any) -> None:
    audit.append(actor, act, f"case:{case.code}", detail)
