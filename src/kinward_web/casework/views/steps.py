"""Taking a step, and signing one that several must sign."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _

from kinward_web.accounts.api import Agency
from kinward_web.casework.engine import (
    binding_of,
    next_steps,
    second_factor_refusals,
    sign,
    transition,
    withdraw_proposal,
)
from kinward_web.casework.evidence_form import EvidenceForm
from kinward_web.casework.guards import cleared_return
from kinward_web.casework.models import Case, Placement, Proposal
from kinward_web.casework.presenters.child import step_rows, visible_refusals
from kinward_web.casework.presenters.timeline import place_name, shown_evidence
from kinward_web.casework.signatures import unfilled
from kinward_web.casework.views.common import case_page, place_within, second_factor_url, see_case
from kinward_web.errors import NotAllowed, TransitionRefused
from kinward_web.registry import api as registry
from kinward_web.rules.roles import ROLES
from kinward_web.rules.table import Rule

__all__ = ["place_step", "proposal", "step"]


def step(request: HttpRequest, code: str, name: str) -> HttpResponse:
    """Take a step of the case."""
    case = see_case(request, code)
    return _step(request, case, case, name, "child", reverse("casework:child", args=[code]))


def place_step(request: HttpRequest, code: str, pk: int, name: str) -> HttpResponse:
    """Take a step of a placement."""
    case = see_case(request, code)
    place = place_within(request, case, pk)
    back = reverse("casework:place", args=[code, pk])
    return _step(request, case, place, name, "places", back)


def _step(
    request: HttpRequest, case: Case, subject: Any, name: str, tab: str, back: str
) -> HttpResponse:
    actor = request.actor
    machine = binding_of(subject).machine
    steps = {
        row.rule.name: row
        for row in step_rows(actor, machine, next_steps(actor, subject), lambda rule: "")
    }
    found = steps.get(name)
    if found is None:
        # Out of this state there is no such step: the engine says so, and what there is.
        transition(actor, subject, name, {})
        raise NotAllowed(name)
    if found.proposal is not None:
        return redirect("casework:proposal", case.code, found.proposal.pk)
    if found.stale and found.allowed and request.method == "GET":
        return redirect(second_factor_url(request))
    form = EvidenceForm(actor, case, found.rule, subject.version, request.POST or None)
    refusals, status = found.refusals, 200
    if request.method == "POST":
        status = 409
        if form.is_valid():
            try:
                made = transition(
                    actor,
                    subject,
                    name,
                    form.evidence(),
                    seen=form.cleaned_data["seen"],
                )
            except TransitionRefused as refused:
                refusals = form.take(visible_refusals(actor, refused.refusals))
            else:
                return _done(request, case, found.rule, made, back)
    return case_page(
        request,
        "steps.html",
        case,
        tab,
        status,
        rule=found.rule,
        form=form if found.allowed else None,
        refusals=refusals,
        back=back,
        due_at=found.due_at,
        subject_name=place_name(subject) if isinstance(subject, Placement) else "",
        cosigners=[_roles(place) for place in found.rule.cosigners],
        goes_to=_goes_to(case, found.rule),
        renew=second_factor_url(request) if _has(refusals, "second_factor") else "",
    )


def _goes_to(case: Case, rule: Rule) -> Placement | None:
    """Return the household to which a hand-over brings the child: it is part of what is signed."""
    return cleared_return(case) if rule.name == "hand_over" else None


def _has(refusals: Any, code: str) -> bool:
    return any(refusal.code == code for refusal in refusals)


def _roles(place: frozenset[Any]) -> str:
    return " / ".join(str(ROLES[role].label) for role in sorted(place))


def _done(request: HttpRequest, case: Case, rule: Rule, made: Any, back: str) -> HttpResponse:
    if isinstance(made, Proposal):
        messages.success(request, _("Proposed and signed by you; it waits for the other agency."))
        return redirect("casework:proposal", case.code, made.pk)
    messages.success(
        request, _("Done: %(step)s. %(next)s") % {"step": rule.label, "next": rule.unlocks}
    )
    return redirect(back)


# ------------------------------------------------------------------------------ signatures


def proposal(request: HttpRequest, code: str, pk: int) -> HttpResponse:
    """Show exactly what is signed; sign it, or withdraw it."""
    case = see_case(request, code)
    found, subject = _proposal_within(request, case, pk)
    rule = binding_of(found.machine).machine.rule(found.rule)
    signatures = sorted(found.signatures.all(), key=lambda row: row.pk)
    is_open = (
        found.closed_at is None
        and found.expires_at > timezone.now()
        and found.subject_version == subject.version
    )
    refusals = _why_not(request, subject, rule) if is_open else ()
    status = 200
    if request.method == "POST":
        try:
            if "withdraw" in request.POST:
                withdraw_proposal(request.actor, found)
                messages.success(request, _("The proposal was withdrawn."))
            else:
                sign(request.actor, found)
                messages.success(request, _("Signed. The step is made."))
        except TransitionRefused as refused:
            if {refusal.code for refusal in refused.refusals} == {"second_factor"}:
                return redirect(second_factor_url(request))
            refusals, status = visible_refusals(request.actor, refused.refusals), 409
        else:
            return redirect(_back(case, subject))
    signed = {row.agency_id for row in signatures}
    waiting = unfilled(rule, found)
    may_sign = is_open and any(request.actor.role in place for place in waiting)
    return case_page(
        request,
        "steps_proposal.html",
        case,
        "places" if found.machine == "placement" else "child",
        status,
        proposal=found,
        rule=rule,
        signatures=signatures,
        is_open=is_open,
        facts=shown_evidence(request.actor, found.evidence, _names(request, case)),
        waits_for=[_roles(place) for place in waiting],
        goes_to=_goes_to(case, rule) if is_open else None,
        may_sign=may_sign and request.actor.agency_id not in signed,
        may_withdraw=is_open
        and any(request.actor.role in place for place in (rule.roles, *rule.cosigners)),
        stale=bool(second_factor_refusals(request.actor, timezone.now())),
        refusals=refusals,
        renew=second_factor_url(request),
        back=_back(case, subject),
        subject_name=place_name(subject) if isinstance(subject, Placement) else "",
    )


def _proposal_within(request: HttpRequest, case: Case, pk: int) -> tuple[Proposal, Any]:
    rows = Proposal.objects.filter(pk=pk, machine__in=("case", "placement"))
    found = rows.prefetch_related("signatures__signer", "signatures__agency").first()
    if found is None:
        raise NotAllowed("no such proposal")
    if found.machine == "placement":
        return found, place_within(request, case, found.subject_id)
    if found.subject_id != case.pk:
        raise NotAllowed("no such proposal for this case")
    return found, case


def _why_not(request: HttpRequest, subject: Any, rule: Rule) -> tuple[Any, ...]:
    """Return what would refuse the last signature now, the own second factor aside."""
    machine = binding_of(subject).machine
    rows = step_rows(request.actor, machine, next_steps(request.actor, subject), lambda row: "")
    ours = ("cosigner", "same_agency")
    return tuple(
        refusal
        for row in rows
        if row.rule == rule
        for refusal in row.refusals
        if refusal.code not in ours
    )


def _names(request: HttpRequest, case: Case) -> dict[str, dict[int, str]]:
    return {
        "document": {
            row.pk: f"{row.title} (SHA-256 {row.sha256[:16]}…)"
            for row in registry.documents_of(request.actor, case.child_id)
        },
        "agency": dict(Agency.objects.values_list("pk", "name")),
        "operation": dict(registry.operations_under_way(request.actor).values_list("pk", "code")),
    }


def _back(case: Case, subject: Any) -> str:
    if isinstance(subject, Placement):
        return reverse("casework:place", args=[case.code, subject.pk])
    return reverse("casework:child", args=[case.code])
