"""Visits after the return, and services given."""

from __future__ import annotations

from datetime import timedelta

from django.contrib import messages
from django.db.models import Sum
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST

from kinward_web.casework import actions
from kinward_web.casework.forms import ReasonForm, ServiceForm, VisitForm
from kinward_web.casework.models import Case, Visit
from kinward_web.casework.presenters.timeline import visit_label
from kinward_web.casework.scope import can, require
from kinward_web.casework.views.common import case_page, see_case
from kinward_web.errors import NotAllowed, TransitionRefused
from kinward_web.rules.roles import reach_of

__all__ = ["extra_visit", "follow_up", "service", "visit"]


def follow_up(request: HttpRequest, code: str) -> HttpResponse:
    """Show the visits planned and made, and the services with their sums."""
    case = see_case(request, code)
    _require_reader(request, case)
    today = timezone.localdate()
    rows = list(case.visits.select_related("visitor__agency"))
    waiting = [row for row in rows if row.done_at is None and row.cancelled_at is None]
    # The next visit, and those that are due: the page of any other opens from Today in its time.
    ready = {row.pk for row in waiting if row.due_on <= today} | {row.pk for row in waiting[:1]}
    visits = [
        (row, visit_label(row.key), row.done_at is None and row.due_on < today, row.pk in ready)
        for row in rows
    ]
    services = case.services.select_related("given_by__agency")
    sums = services.order_by("currency").values("currency").annotate(total=Sum("cost"))
    return case_page(
        request,
        "follow_up.html",
        case,
        "follow_up",
        visits=visits,
        services=services,
        sums=sums,
        writes=can(request.actor, "service.write", case),
    )


def _require_reader(request: HttpRequest, case: Case) -> None:
    if reach_of(request.actor.role, "service.write") is None:
        require(request.actor, "custody.check", case)


def visit(request: HttpRequest, code: str, pk: int) -> HttpResponse:
    """Record a visit, or settle the concern that it gave."""
    case = see_case(request, code)
    require(request.actor, "service.write", case)
    found = case.visits.filter(pk=pk, cancelled_at__isnull=True).first()
    if found is None:
        raise NotAllowed("no such visit")
    settling = found.concern and found.concern_settled_at is None
    if found.done_at is not None and not settling:
        return redirect("casework:follow_up", case.code)
    form = ReasonForm(request.POST or None) if settling else VisitForm(request.POST or None)
    if settling:
        form.fields["reason"].label = _("What was done about it")
    refusals: tuple[object, ...] = ()
    if request.method == "POST" and form.is_valid():
        try:
            _save_visit(request, found, form, settling)
        except TransitionRefused as refused:
            refusals = refused.refusals
        else:
            messages.success(request, _("The visit is on record."))
            return redirect("casework:follow_up", case.code)
    return case_page(
        request,
        "follow_up_form.html",
        case,
        "follow_up",
        409 if request.method == "POST" else 200,
        form=form,
        kind="settle" if settling else "visit",
        visit=found,
        label=visit_label(found.key),
        refusals=refusals,
    )


def _save_visit(
    request: HttpRequest, found: Visit, form: VisitForm | ReasonForm, settling: bool
) -> None:
    if settling:
        actions.settle_concern(request.actor, found, form.cleaned_data["reason"])
    else:
        actions.record_visit(request.actor, found, **form.cleaned_data)


@require_POST
def extra_visit(request: HttpRequest, code: str) -> HttpResponse:
    """Plan a visit besides those of the policy, for tomorrow."""
    case = see_case(request, code)
    day = timezone.localdate() + timedelta(days=1)
    added = actions.add_extra_visit(request.actor, case, day)
    messages.success(request, _("A visit is planned for %(day)s.") % {"day": added.due_on})
    return redirect("casework:follow_up", case.code)


def service(request: HttpRequest, code: str) -> HttpResponse:
    """Record a service given."""
    case = see_case(request, code)
    require(request.actor, "service.write", case)
    form = ServiceForm(request.POST or None, initial={"given_on": timezone.localdate()})
    if request.method == "POST" and form.is_valid():
        actions.record_service(request.actor, case, **form.cleaned_data)
        messages.success(request, _("The service is on record."))
        return redirect("casework:follow_up", case.code)
    return case_page(
        request,
        "follow_up_form.html",
        case,
        "follow_up",
        409 if request.method == "POST" else 200,
        form=form,
        kind="service",
    )
