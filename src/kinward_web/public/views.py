"""Notices: their drafting and approval by staff, and the page that the public sees."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.contrib.auth.decorators import login_not_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.http import urlencode
from django.utils.translation import gettext as _

from kinward_web.casework import api as casework
from kinward_web.errors import NotAllowed, TransitionRefused
from kinward_web.public import actions
from kinward_web.public.forms import NoticeForm
from kinward_web.public.models import Publication
from kinward_web.rules.publication import PUBLICATION

__all__ = ["draft", "edit", "manage", "notice", "notices", "step"]


@login_not_required
def notices(request: HttpRequest) -> HttpResponse:
    """Show the published notices: nothing of a case, no photograph, no search."""
    rows = Publication.objects.filter(state="published", ends_on__gte=timezone.localdate())
    rows = rows.order_by("-state_since").values("title", "text", "contact", "ends_on")
    return render(request, "public/notices.html", {"notices": rows})


def manage(request: HttpRequest) -> HttpResponse:
    """List the notices about cases within reach."""
    casework.require(request.actor, "case.read")
    rows = [(row, PUBLICATION.state(row.state)) for row in actions.notices_for(request.actor)[:200]]
    return render(request, "public/manage.html", {"rows": rows})


def notice(request: HttpRequest, pk: int) -> HttpResponse:
    """Show one notice with its steps; sign or withdraw what waits for signatures."""
    found = actions.get_notice(request.actor, pk)
    refusals: Any = ()
    if request.method == "POST":
        proposal = next(iter(casework.open_proposals(found)), None)
        if proposal is None:
            raise NotAllowed("nothing to sign")
        try:
            act = casework.withdraw_proposal if "withdraw" in request.POST else casework.sign
            act(request.actor, proposal)
            return redirect("public:notice", pk)
        except TransitionRefused as refused:
            if {row.code for row in refused.refusals} == {"second_factor"}:
                return redirect(_second_factor(request))
            refusals = refused.refusals
    steps = casework.step_rows(
        request.actor,
        PUBLICATION,
        casework.next_steps(request.actor, found),
        lambda rule: reverse("public:step", args=[pk, rule.name]),
    )
    context = {
        "notice": found,
        "state": PUBLICATION.state(found.state),
        "steps": [row for row in steps if row.mine],
        "waiting": [row for row in steps if row.proposal is not None],
        "refusals": refusals,
        "may_edit": found.state == "draft" and actions.may_draft(request.actor),
    }
    return render(request, "public/notice.html", context, status=409 if refusals else 200)


def step(request: HttpRequest, pk: int, name: str) -> HttpResponse:
    """Take a step of a notice."""
    actor, found = request.actor, actions.get_notice(request.actor, pk)
    rows = casework.step_rows(actor, PUBLICATION, casework.next_steps(actor, found), lambda _r: "")
    row = next((row for row in rows if row.rule.name == name), None)
    if row is None:
        casework.transition(actor, found, name, {})
        raise NotAllowed(name)
    if row.stale and row.allowed and request.method == "GET":
        return redirect(_second_factor(request))
    form = casework.EvidenceForm(actor, found.case, row.rule, found.version, request.POST or None)
    refusals: Any = row.refusals
    if request.method == "POST" and form.is_valid():
        try:
            seen = form.cleaned_data["seen"]
            casework.transition(actor, found, name, form.evidence(), seen=seen)
        except TransitionRefused as refused:
            refusals = form.take(refused.refusals)
        else:
            messages.success(request, _("Done: %(step)s.") % {"step": row.rule.label})
            return redirect("public:notice", pk)
    context = {"notice": found, "rule": row.rule, "form": form, "refusals": refusals, "row": row}
    status = 409 if request.method == "POST" else 200
    return render(request, "public/step.html", context, status=status)


def draft(request: HttpRequest, code: str) -> HttpResponse:
    """Draft a notice about a child."""
    case = casework.get_case(request.actor, code)
    if not actions.may_draft(request.actor):
        raise NotAllowed("this role drafts no notices")
    form = NoticeForm(request.actor, case.child_id, request.POST or None)
    if request.method == "POST" and form.is_valid():
        made = actions.draft_notice(request.actor, code, **form.cleaned_data)
        return redirect("public:notice", made.pk)
    return render(request, "public/draft.html", {"form": form, "code": code})


def edit(request: HttpRequest, pk: int) -> HttpResponse:
    """Change a draft."""
    found = actions.get_notice(request.actor, pk)
    if not actions.may_draft(request.actor):
        raise NotAllowed("this role drafts no notices")
    initial = {
        "title": found.title,
        "text": found.text,
        "contact": found.contact,
        "ends_on": found.ends_on,
        "photograph": found.photograph_id,
    }
    form = NoticeForm(request.actor, found.case.child_id, request.POST or None, initial=initial)
    if request.method == "POST" and form.is_valid():
        actions.edit_notice(request.actor, found, **form.cleaned_data)
        return redirect("public:notice", pk)
    return render(request, "public/draft.html", {"form": form, "code": found.case.code})


def _second_factor(request: HttpRequest) -> str:
    query = urlencode({"next": request.get_full_path()})
    return f"{reverse('accounts:second_factor')}?{query}"
