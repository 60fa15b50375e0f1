"""Entering and changing agencies: what could go round the custody rule needs two administrators.

An accredited agency receives children without screening, and an agency's own telephone and address
link nobody. Therefore an agency is entered, accredited, given another kind, officer, telephone or
address only when an administrator of another agency than the proposer's has confirmed it. Taking
away takes effect at once.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.db.models import QuerySet
from django.utils import timezone
from django.utils.translation import gettext as _

from kinward_web.accounts.actor import Actor
from kinward_web.accounts.models import Agency, AgencyChange
from kinward_web.accounts.second_factor import second_factor_refusals
from kinward_web.audit.api import append
from kinward_web.errors import Refusal, TransitionRefused
from kinward_web.registry import api as registry
from kinward_web.rules.policy import load_policy
from kinward_web.rules.roles import reach_of

__all__ = [
    "GUARDED",
    "confirm_change",
    "confirming_refusals",
    "linking_contacts",
    "open_changes",
    "save_agency",
    "withdraw_accreditation",
    "withdraw_change",
]

GUARDED = ("kind", "phone", "address", "accredited", "named_officer_id")
"""Columns of an agency that one administrator cannot change alone."""
_PLAIN = ("name", "code", "country", "region")


def _check(actor: Actor) -> None:
    if reach_of(actor.role, "accounts.manage") is None:
        raise PermissionDenied(
            _("Only an administrator changes agencies. Ask the administrator of your agency.")
        )


def open_changes(actor: Actor, moment: datetime | None = None) -> QuerySet[AgencyChange]:
    """Return the changes that wait for an administrator of another agency.

    :raises PermissionDenied: the actor is no administrator.
    """
    _check(actor)
    rows = AgencyChange.objects.filter(
        closed_at__isnull=True, expires_at__gt=moment or timezone.now()
    )
    return rows.select_related("agency", "named_officer", "proposed_by__agency")


@transaction.atomic
def save_agency(actor: Actor, wanted: Agency) -> AgencyChange | None:
    """Save what one administrator may change alone; propose the rest.

    :param wanted: the agency as it should be, not saved.
    :returns: what waits for another administrator, None where everything has taken effect.
    :raises PermissionDenied: the actor is no administrator.
    :raises TransitionRefused: another change of this agency waits.
    """
    _check(actor)
    if wanted.pk is None:
        return _propose(actor, None, wanted)
    stored = Agency.objects.select_for_update().get(pk=wanted.pk)
    _save_plain(actor, stored, wanted)
    if stored.accredited and not wanted.accredited:
        _withdraw(actor, stored)
    if all(getattr(stored, name) == getattr(wanted, name) for name in GUARDED):
        return None
    return _propose(actor, stored, wanted)


def _save_plain(actor: Actor, stored: Agency, wanted: Agency) -> None:
    changed = [name for name in _PLAIN if getattr(stored, name) != getattr(wanted, name)]
    for name in changed:
        setattr(stored, name, getattr(wanted, name))
    if changed:
        stored.save(update_fields=changed)
        append(actor, "agency.change", f"agency:{stored.code}", {"fields": changed})


def _propose(actor: Actor, agency: Agency | None, wanted: Agency) -> AgencyChange:
    now = timezone.now()
    waiting = AgencyChange.objects.filter(closed_at__isnull=True, code=wanted.code)
    if agency is not None:
        waiting |= AgencyChange.objects.filter(closed_at__isnull=True, agency=agency)
    if waiting.filter(expires_at__gt=now).exists():
        raise TransitionRefused(
            [
                Refusal(
                    "change_open",
                    _("A change of this agency waits already."),
                    _("Confirm or withdraw that one on the page of agencies, then propose anew."),
                )
            ]
        )
    waiting.update(closed_at=now)
    hours = load_policy(settings.COUNTRY).number("signature_hours")
    values = {name: getattr(wanted, name) for name in (*_PLAIN, *GUARDED)}
    change = AgencyChange.objects.create(
        agency=agency,
        proposed_by_id=actor.user_id,
        proposed_at=now,
        expires_at=now + timedelta(hours=hours),
        **values,
    )
    append(actor, "agency.propose", f"agency:{change.code}", _detail(change))
    return change


def _detail(change: AgencyChange) -> dict[str, Any]:
    return {
        "change": change.pk,
        "kind": change.kind,
        "accredited": change.accredited,
        "proposed_by": change.proposed_by_id,
    }


def confirming_refusals(
    actor: Actor, change: AgencyChange, moment: datetime | None = None
) -> list[Refusal]:
    """Return why the actor may not confirm a change; the second factor is not among it."""
    refusals = []
    if change.closed_at is not None or change.expires_at <= (moment or timezone.now()):
        refusals.append(
            Refusal(
                "change_closed",
                _("This change is closed or has run out."),
                _("Look at the agency as it stands now and propose the change anew."),
            )
        )
    if change.proposed_by_id == actor.user_id or change.proposed_by.agency_id == actor.agency_id:
        refusals.append(
            Refusal(
                "same_agency",
                _("You or someone of your agency proposed this change."),
                _("Ask the administrator of another agency to confirm it."),
            )
        )
    if not change.proposed_by.is_active:
        refusals.append(
            Refusal(
                "proposer_gone",
                _("The appointment of the administrator who proposed this has ended."),
                _("Withdraw the change; an administrator who is appointed proposes it anew."),
            )
        )
    if change.agency_id is None and Agency.objects.filter(code=change.code).exists():
        refusals.append(
            Refusal(
                "code_taken",
                _("Another agency has taken this code meanwhile."),
                _("Withdraw the change and propose it with another code."),
            )
        )
    return refusals


@transaction.atomic
def confirm_change(actor: Actor, change: AgencyChange, moment: datetime | None = None) -> Agency:
    """Put a change into effect.

    :raises PermissionDenied: the actor is no administrator.
    :raises TransitionRefused: the same agency, no fresh second factor, closed or run out.
    """
    _check(actor)
    moment = moment or timezone.now()
    row = AgencyChange.objects.select_for_update().get(pk=change.pk)
    refusals = [
        *confirming_refusals(actor, row, moment),
        *second_factor_refusals(actor, moment),
    ]
    if refusals:
        raise TransitionRefused(refusals)
    row.confirmed_by_id = actor.user_id
    row.save(update_fields=["confirmed_by"])
    # The database lets the agency change while the change is confirmed and not yet closed.
    if row.agency_id is None:
        agency = Agency.objects.create(**_values(row, (*_PLAIN, *GUARDED)))
    else:
        agency = Agency.objects.select_for_update().get(pk=row.agency_id)
        for name, value in _values(row, GUARDED).items():
            setattr(agency, name, value)
        agency.save(update_fields=list(GUARDED))
    row.closed_at = moment
    row.save(update_fields=["closed_at"])
    act = "agency.enter" if row.agency_id is None else "agency.change"
    append(actor, act, f"agency:{agency.code}", _detail(row))
    return agency


def _values(change: AgencyChange, names: tuple[str, ...]) -> dict[str, Any]:
    return {name: getattr(change, name) for name in names}


@transaction.atomic
def withdraw_change(actor: Actor, change: AgencyChange) -> None:
    """Close a change that waits; any administrator may.

    :raises PermissionDenied: the actor is no administrator.
    """
    _check(actor)
    row = AgencyChange.objects.select_for_update().get(pk=change.pk)
    if row.closed_at is None:
        row.closed_at = timezone.now()
        row.save(update_fields=["closed_at"])
        append(actor, "agency.propose.withdrawn", f"agency:{row.code}", {"change": row.pk})


@transaction.atomic
def withdraw_accreditation(actor: Actor, agency: Agency) -> None:
    """Take away at once that an agency may receive children; what waits for it is closed.

    :raises PermissionDenied: the actor is no administrator.
    """
    _check(actor)
    _withdraw(actor, Agency.objects.select_for_update().get(pk=agency.pk))


def _withdraw(actor: Actor, agency: Agency) -> None:
    agency.accredited = False
    agency.save(update_fields=["accredited"])
    for change in agency.changes.filter(closed_at__isnull=True):
        withdraw_change(actor, change)
    append(actor, "agency.accreditation.withdrawn", f"agency:{agency.code}")


def linking_contacts(change: AgencyChange) -> list[str]:
    """Return which of `phone` and `address`, new by this change, somebody on record uses.

    They go on forming links: only what is entered afterwards, and by nobody before, is an
    institution's.
    """
    return [
        kind
        for kind in ("phone", "address")
        if getattr(change, kind)
        and (change.agency is None or getattr(change.agency, kind) != getattr(change, kind))
        and registry.identifier_in_use(kind, getattr(change, kind))
    ]
