"""Places for a child: proposing them, and the custody check that explains what bars one."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from django.contrib import messages
from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST

from kinward_web.casework import actions, custody, custody_graph, link_actions
from kinward_web.casework.engine import next_steps, second_factor_refusals
from kinward_web.casework.forms import (
    LinkClearanceForm,
    PlaceForm,
    ReasonForm,
    ScreenedPersonForm,
)
from kinward_web.casework.models import Case, LinkClearance, Placement
from kinward_web.casework.presenters.child import StepRow, step_rows
from kinward_web.casework.presenters.timeline import place_name
from kinward_web.casework.scope import can, placements_for, require
from kinward_web.casework.sealed import as_seen_by
from kinward_web.casework.views.common import (
    PLACERS,
    case_page,
    place_within,
    second_factor_url,
    see_case,
)
from kinward_web.errors import NotAllowed, Refusal, TransitionRefused
from kinward_web.rules.placement import PLACEMENT

__all__ = ["add_person", "checks", "link", "link_new", "place", "places", "screen"]

_PAGE = 50
_SCREENED_STATES = ("proposed", "cleared", "placed")


def checks(request: HttpRequest) -> HttpResponse:
    """List the places that are proposed or cleared, and wait for a screening or an arrival."""
    require(request.actor, "custody.check")
    rows = (
        placements_for(request.actor)
        .filter(state__in=("proposed", "cleared", "emergency_removal"))
        .select_related("case", "home", "household")
        .order_by("state_since")
    )
    page = Paginator(rows, _PAGE).get_page(request.GET.get("page"))
    listed = [(row, place_name(row), PLACEMENT.state(row.state)) for row in page]
    return render(request, "casework/custody_checks.html", {"rows": listed, "page": page})


def places(request: HttpRequest, code: str) -> HttpResponse:
    """List the places of a child and propose another."""
    case = see_case(request, code)
    actor = request.actor
    proposes = actor.role in PLACERS
    if not proposes:
        require(actor, "custody.check", case)
    form = PlaceForm(request.POST or None) if proposes else None
    refusals: tuple[Any, ...] = ()
    if request.method == "POST" and form is not None and form.is_valid():
        try:
            made = _propose(request, case, form)
        except TransitionRefused as refused:
            refusals = refused.refusals
        else:
            if made.home_id is not None:
                # The way for tonight: from the choice of the home straight to the reception.
                return redirect("casework:place_step", case.code, made.pk, "receive_at_night")
            messages.success(request, _("The place is proposed."))
            return redirect("casework:place", case.code, made.pk)
    rows = case.placements.exclude(state="new").select_related("home", "household")
    return case_page(
        request,
        "custody_places.html",
        case,
        "places",
        409 if request.method == "POST" else 200,
        rows=[(row, place_name(row), PLACEMENT.state(row.state)) for row in rows.order_by("-pk")],
        form=form,
        refusals=refusals,
    )


def _propose(request: HttpRequest, case: Case, form: PlaceForm) -> Placement:
    data = form.cleaned_data
    at_home = data["where"] == "home"
    return actions.propose_place(
        request.actor,
        case,
        home_id=data["home"] if at_home else None,
        household="" if at_home else data["household"],
        purpose=data["purpose"],
        people=form.people(),
        reason=data["reason"],
    )


def place(request: HttpRequest, code: str, pk: int, status: int = 200) -> HttpResponse:
    """Show one place: its steps, who was screened, and what bars it by which link."""
    case = see_case(request, code)
    actor = request.actor
    found = place_within(request, case, pk)
    steps = step_rows(
        actor,
        PLACEMENT,
        next_steps(actor, found),
        lambda rule: reverse("casework:place_step", args=[case.code, found.pk, rule.name]),
    )
    screens = can(actor, "custody.check", case)
    screened = found.household_id is not None or found.people.exists()
    screening = None
    if screens and screened and found.state in _SCREENED_STATES:
        screening = as_seen_by(actor, custody.screen(found, timezone.now()))
    last = found.clearances.select_related("screened_by").first() if screens else None
    return case_page(
        request,
        "custody.html",
        case,
        "places",
        status,
        place=found,
        place_name=place_name(found),
        place_state=PLACEMENT.state(found.state),
        steps=_shown(steps, bool(screening and screening.denials)),
        waiting=[row for row in steps if not row.mine and row.kind == "forward"],
        screening=screening,
        denials=_denials(case, screening) if screening else [],
        graph=custody_graph.svg(screening) if screening and screening.denials else "",
        in_words=custody_graph.alternative(screening) if screening else "",
        last=last,
        last_holds=last is not None and last.clear and last.expires_at > timezone.now(),
        screens=screens,
        screened=screened,
        people_form=ScreenedPersonForm() if screens and found.state == "proposed" else None,
        clearances=_link_clearances(case) if screens else [],
        clears=can(actor, "custody.clear_link", case),
        propose_night=actor.role in PLACERS and found.home_id is None,
    )


def _shown(steps: list[StepRow], barred: bool) -> list[StepRow]:
    """Return the own steps; what bars the place stands above them and is not said twice."""
    rows = []
    for row in steps:
        codes = {refusal.code for refusal in row.refusals}
        if not row.mine or "private_at_night" in codes:
            # Private people never receive at night: the page offers who may.
            continue
        if barred and any(code.startswith("custody:") for code in codes):
            others = [one for one in row.refusals if not one.code.startswith("custody:")]
            row = replace(row, refusals=(_see_above(), *others))
        rows.append(row)
    return rows


def _see_above() -> Refusal:
    return Refusal(
        "custody",
        _("The custody check bars this place."),
        _("Each reason stands above with what may be done about it."),
    )


def _denials(case: Case, screening: custody.Screening) -> list[tuple[custody.Denial, list[Any]]]:
    """Return each denial with the links of its route that police and welfare could clear."""
    rows = []
    for denial in screening.denials:
        links = []
        if denial.route is not None and denial.code != custody.SEALED:
            links = [
                (step.source, step.target, link.via, custody.kind_label(link.kind))
                for step in denial.route.steps
                for link in step.open_links
            ]
        rows.append((denial, links))
    return rows


def _link_clearances(case: Case) -> list[LinkClearance]:
    rows = case.link_clearances.select_related(
        "low", "high", "document", "police_signer", "welfare_signer"
    )
    return list(rows.order_by("withdrawn_at", "-pk"))


@require_POST
def screen(request: HttpRequest, code: str, pk: int) -> HttpResponse:
    """Screen now and keep the result."""
    case = see_case(request, code)
    clearance = actions.screen_now(request.actor, place_within(request, case, pk))
    if clearance.clear:
        messages.success(request, _("Nothing bars this place now. The result is kept."))
    else:
        messages.warning(request, _("This place is barred. The result is kept."))
    return redirect("casework:place", case.code, pk)


@require_POST
def add_person(request: HttpRequest, code: str, pk: int) -> HttpResponse:
    """Name someone else to be screened."""
    case = see_case(request, code)
    form = ScreenedPersonForm(request.POST)
    if not form.is_valid():
        messages.error(request, _("Give the code of the person and in what capacity."))
    else:
        found = place_within(request, case, pk)
        actions.add_screened_person(request.actor, found, **form.cleaned_data)
        messages.success(request, _("The person will be screened."))
    return redirect("casework:place", case.code, pk)


# ------------------------------------------------------------------------------ links


def link_new(request: HttpRequest, code: str) -> HttpResponse:
    """Propose that one link does not bar, with reason and document."""
    case = see_case(request, code)
    require(request.actor, "custody.clear_link", case)
    if request.method == "GET" and second_factor_refusals(request.actor, timezone.now()):
        return redirect(second_factor_url(request))
    initial = {key: request.GET.get(key, "") for key in ("first", "second", "via")}
    form = LinkClearanceForm(request.actor, case, request.POST or None, initial=initial)
    refusals: tuple[Any, ...] = ()
    if request.method == "POST" and form.is_valid():
        data = form.cleaned_data
        try:
            made = link_actions.propose_link_clearance(
                request.actor,
                case,
                first=data["first"],
                second=data["second"],
                via=data["via"],
                reason=data["reason"],
                document_id=data["document"],
            )
        except TransitionRefused as refused:
            refusals = refused.refusals
        else:
            messages.success(request, _("Signed by you; it waits for the other agency."))
            return redirect("casework:link", case.code, made.pk)
    return case_page(
        request,
        "custody_link_new.html",
        case,
        "places",
        409 if request.method == "POST" else 200,
        form=form,
        refusals=refusals,
        link={key: form[key].value() for key in ("first", "second", "via")},
    )


def link(request: HttpRequest, code: str, pk: int) -> HttpResponse:
    """Show the clearance of a link; sign it, or take it back."""
    case = see_case(request, code)
    actor = request.actor
    require(actor, "custody.check", case)
    found = next((row for row in _link_clearances(case) if row.pk == pk), None)
    if found is None:
        raise NotAllowed("no such clearance")
    form = ReasonForm(request.POST if "withdraw" in request.POST else None)
    refusals: tuple[Any, ...] = ()
    if request.method == "POST":
        try:
            if "withdraw" not in request.POST:
                link_actions.sign_link_clearance(actor, found)
                messages.success(request, _("Signed. The link no longer bars this child's places."))
                return redirect("casework:link", case.code, pk)
            if form.is_valid():
                link_actions.withdraw_link_clearance(actor, found, form.cleaned_data["reason"])
                messages.success(request, _("Withdrawn. The link bars again."))
                return redirect("casework:link", case.code, pk)
        except TransitionRefused as refused:
            if {row.code for row in refused.refusals} == {"second_factor"}:
                return redirect(second_factor_url(request))
            refusals = refused.refusals
    clears = can(actor, "custody.clear_link", case) and found.withdrawn_at is None
    side = "police" if actor.agency_kind == "police" else "welfare"
    return case_page(
        request,
        "custody_link.html",
        case,
        "places",
        409 if request.method == "POST" else 200,
        clearance=found,
        form=form if clears else None,
        refusals=refusals,
        may_sign=clears and getattr(found, f"{side}_signer_id") is None,
        stale=bool(second_factor_refusals(actor, timezone.now())),
        renew=second_factor_url(request),
    )
