"""The page of one child, and bringing another agency into the case."""

from __future__ import annotations

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils.translation import gettext as _

from kinward_web.casework import actions
from kinward_web.casework.engine import next_steps
from kinward_web.casework.forms import OpenCaseForm, PartyForm
from kinward_web.casework.models import Case
from kinward_web.casework.presenters.child import age_text, records_of, stages, step_rows
from kinward_web.casework.presenters.timeline import place_name, timeline
from kinward_web.casework.scope import acts_on, cases_for, require
from kinward_web.casework.views.common import case_page, see_case, to_case
from kinward_web.errors import NotAllowed, Refusal, TransitionRefused
from kinward_web.registry import api as registry
from kinward_web.rules.case import CASE, SEARCHED
from kinward_web.rules.placement import PLACEMENT
from kinward_web.rules.publication import PUBLICATION
from kinward_web.rules.table import NEW

__all__ = ["child", "new_case", "parties"]


def new_case(request: HttpRequest, name: str) -> HttpResponse:
    """Enter a child who was found or rescued, and open its case."""
    actor = request.actor
    rule = next((rule for rule in CASE.from_state(NEW) if rule.name == name), None)
    if rule is None or actor.role not in rule.roles:
        raise NotAllowed("this role opens no case so")
    initial = {"region": actor.region}
    form = OpenCaseForm(actor, None, rule, 0, request.POST or None, initial=initial)
    refusals: list[Refusal] = []
    if request.method == "POST" and form.is_valid():
        known = {key: form.cleaned_data[key] for key in form.declared_fields if key != "seen"}
        try:
            case = actions.open_child(actor, name, form.evidence(), **known)
        except TransitionRefused as refused:
            refusals = form.take(refused.refusals)
        else:
            messages.success(request, _("The case is open. %(next)s") % {"next": rule.unlocks})
            return to_case(case)
    status = 409 if request.method == "POST" else 200
    context = {"rule": rule, "form": form, "refusals": refusals}
    return render(request, "casework/child_new.html", context, status=status)


def child(request: HttpRequest, code: str) -> HttpResponse:
    """Show where the case stands, what blocks the next step, and what has happened."""
    actor = request.actor
    case = see_case(request, code)
    records = records_of(case)
    places = list(
        case.placements.exclude(state="new").select_related("home", "household").order_by("-pk")
    )
    steps = step_rows(
        actor,
        CASE,
        next_steps(actor, case),
        lambda rule: reverse("casework:step", args=[case.code, rule.name]),
    )
    documents = list(
        registry.documents_of(actor, case.child_id).select_related("uploaded_by__agency")
    )
    may = acts_on(actor, case, ("document.write", "party.write", "medical.read"))
    return case_page(
        request,
        "child.html",
        case,
        "child",
        stages=stages(case, records),
        mine=[row for row in steps if row.mine and row.kind == "forward"],
        others=[row for row in steps if not row.mine and row.kind == "forward"],
        further=[row for row in steps if row.mine and row.kind != "forward"],
        entries=timeline(actor, case, records, places, documents),
        places=[(place, place_name(place), PLACEMENT.state(place.state)) for place in places],
        parties=case.parties.select_related("agency").order_by("agency__kind", "agency__name"),
        siblings=_siblings(request, case),
        documents=documents,
        may_upload="document.write" in may,
        may_draft=case.state in SEARCHED and actor.role in PUBLICATION.rule("draft").roles,
        may_add_party="party.write" in may,
        reads_medical="medical.read" in may,
    )


def _siblings(request: HttpRequest, case: Case) -> list[tuple[Case, str, object]]:
    if not case.sibling_group:
        return []
    rows = cases_for(request.actor).filter(sibling_group=case.sibling_group).exclude(pk=case.pk)
    return [
        (row, age_text(row.child.born_from, row.child.born_to), CASE.state(row.state))
        for row in rows.select_related("child")
    ]


def parties(request: HttpRequest, code: str) -> HttpResponse:
    """Bring another agency into the case."""
    case = see_case(request, code)
    require(request.actor, "party.write", case)
    form = PartyForm(case, request.POST or None)
    if request.method == "POST" and form.is_valid():
        agency = form.cleaned_data["agency"]
        actions.add_party(request.actor, case, agency)
        messages.success(request, _("%(agency)s now takes part.") % {"agency": agency.name})
        return to_case(case)
    return case_page(request, "child_form.html", case, "child", form=form, kind="party")
