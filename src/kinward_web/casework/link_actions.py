"""Clearing one link for one case: police and welfare look into it and both sign."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from kinward_web.accounts.api import Actor
from kinward_web.audit import api as audit
from kinward_web.casework.machinery import second_factor_refusals
from kinward_web.casework.models import Case, LinkClearance
from kinward_web.casework.scope import require
from kinward_web.errors import Refusal, TransitionRefused
from kinward_web.registry import api as registry
from kinward_web.rules.roles import AgencyKind

__all__ = ["propose_link_clearance", "sign_link_clearance", "withdraw_link_clearance"]


def _refuse(code: str, message: str, path: str) -> TransitionRefused:
    return TransitionRefused([Refusal(code, message, path)])


def propose_link_clearance(
    actor: Actor, case: Case, *, first: str, second: str, via: str, reason: str, document_id: int
) -> LinkClearance:
    """Say, with reason and document, that one link has been looked into and does not bar.

    :param first, second: codes of the two people whom the link joins.
    :raises NotAllowed: the role clears no links in this case.
    :raises TransitionRefused: a stale second factor, no reason, no document of the child, no such
        link, or the link is cleared or proposed already.
    """
    require(actor, "custody.clear_link", case)
    moment = timezone.now()
    refusals = second_factor_refusals(actor, moment)
    if not reason.strip():
        refusals.append(
            Refusal("evidence:reason", _("“Reason” is missing."), _("Say what you looked into."))
        )
    if document_id not in registry.document_kinds(case.child_id):
        refusals.append(
            Refusal(
                "evidence:document",
                _("“Document” is missing or is no document of this child."),
                _("Upload the record of the inquiry under Documents, then choose it here."),
            )
        )
    if refusals:
        raise TransitionRefused(refusals)
    with transaction.atomic():
        Case.objects.select_for_update().get(pk=case.pk)
        low, high = _ends(first, second, via)
        standing = LinkClearance.objects.filter(
            case=case, low_id=low, high_id=high, via=via, withdrawn_at__isnull=True
        )
        if standing.exists():
            raise _refuse(
                "link_proposed",
                _("A clearance of this link is proposed or in force already."),
                _("Sign that one, or withdraw it first."),
            )
        clearance = LinkClearance(
            case=case,
            low_id=low,
            high_id=high,
            via=via,
            reason=reason.strip(),
            document_id=document_id,
        )
        _sign(actor, clearance, moment)
        clearance.save()
        _record(actor, "link_clearance.proposed", case, clearance=clearance.pk, via=via)
    return clearance


@transaction.atomic
def sign_link_clearance(actor: Actor, clearance: LinkClearance) -> None:
    """Add the other agency's signature: the clearance is in force from now on.

    :raises NotAllowed: the role clears no links in this case.
    :raises TransitionRefused: a stale second factor, or the own agency's kind has signed, or the
        clearance was withdrawn.
    """
    require(actor, "custody.clear_link", clearance.case)
    clearance = (
        LinkClearance.objects.select_for_update().select_related("case").get(pk=clearance.pk)
    )
    moment = timezone.now()
    refusals = second_factor_refusals(actor, moment)
    if clearance.withdrawn_at is not None:
        refusals.append(
            Refusal(
                "withdrawn",
                _("This clearance was withdrawn."),
                _("Propose a new one if the link has been looked into again."),
            )
        )
    if getattr(clearance, f"{_side(actor)}_signer_id") is not None:
        refusals.append(
            Refusal(
                "same_agency",
                _("Your side has signed this already."),
                _("The other signature comes from the police or from welfare: the other one."),
            )
        )
    if refusals:
        raise TransitionRefused(refusals)
    _sign(actor, clearance, moment)
    clearance.save()
    _record(actor, "link_clearance.signed", clearance.case, clearance=clearance.pk)


@transaction.atomic
def withdraw_link_clearance(actor: Actor, clearance: LinkClearance, reason: str) -> None:
    """Take a clearance back: the link bars again at once.

    :raises NotAllowed: the role clears no links in this case.
    :raises TransitionRefused: no reason is given, or it was withdrawn before.
    """
    require(actor, "custody.clear_link", clearance.case)
    clearance = (
        LinkClearance.objects.select_for_update().select_related("case").get(pk=clearance.pk)
    )
    if not reason.strip() or clearance.withdrawn_at is not None:
        raise _refuse(
            "not_withdrawn",
            _("No reason is given, or the clearance was withdrawn before."),
            _("Say in your own words why."),
        )
    clearance.withdrawn_at, clearance.withdrawal = timezone.now(), reason.strip()
    clearance.save()
    _record(actor, "link_clearance.withdrawn", clearance.case, clearance=clearance.pk)
    registry.graph_changed.send(LinkClearance, people_ids={clearance.low_id, clearance.high_id})


def _ends(first: str, second: str, via: str) -> tuple[int, int]:
    """Return the ids of the two people whom the link `via` joins.

    The codes come from a screening's denial, whose people may be out of the reach in which the
    actor could look them up.
    """
    ids = registry.ids_of_codes([first, second])
    low, high = sorted(ids.values()) if len(ids) == 2 else (0, 0)
    known = {(edge.low, edge.high, edge.via) for edge in registry.links_of({low})}
    if (low, high, via) not in known:
        raise _refuse(
            "no_such_link",
            _("There is no such link on record now."),
            _("Screen the place again and look at what bars it today."),
        )
    return low, high


def _side(actor: Actor) -> str:
    return "police" if actor.agency_kind == AgencyKind.POLICE else "welfare"


def _sign(actor: Actor, clearance: LinkClearance, moment: datetime) -> None:
    side = _side(actor)
    setattr(clearance, f"{side}_signer_id", actor.user_id)
    setattr(clearance, f"{side}_signed_at", moment)


def _record(actor: Actor, act: str, case: Case, **detail: Any) -> None:
    audit.append(actor, act, f"case:{case.code}", detail)
