"""The first page: what must be done now; and the list of all children within reach."""

from __future__ import annotations

from django.core.paginator import Paginator
from django.db.models import F
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render

from kinward_web.audit import api as audit
from kinward_web.casework.presenters.child import purpose_of
from kinward_web.casework.presenters.today import case_row, today_for, with_child
from kinward_web.casework.scope import cases_for, require
from kinward_web.rules.case import CASE
from kinward_web.rules.table import NEW

__all__ = ["children", "today"]

_PAGE = 50


def today(request: HttpRequest) -> HttpResponse:
    """Show what must be done now."""
    require(request.actor, "case.read")
    found = today_for(request.actor)
    lists = (found.located, found.missing, found.held, found.clocks)
    codes = {row.case.code for listed in lists for row in listed.rows}
    if codes:
        audit.record_list_read(request.actor, purpose_of(request.actor.role), "case.list", codes)
    role = request.actor.role
    opens = [rule for rule in CASE.from_state(NEW) if role in rule.roles]
    return render(request, "casework/today.html", {"today": found, "opens": opens})


def children(request: HttpRequest) -> HttpResponse:
    """List the children within reach, by state."""
    require(request.actor, "case.read")
    state = request.GET.get("state", "")
    cases = with_child(cases_for(request.actor))
    if state in {row.key for row in CASE.states}:
        cases = cases.filter(state=state)
    cases = cases.order_by(F("due_at").asc(nulls_last=True), "pk")
    page = Paginator(cases, _PAGE).get_page(request.GET.get("page"))
    rows = [case_row(request.actor, case) for case in page]
    if rows:
        audit.record_list_read(
            request.actor,
            purpose_of(request.actor.role),
            "case.list",
            [row.case.code for row in rows],
        )
    context = {"rows": rows, "page": page, "states": CASE.states, "state": state}
    return render(request, "casework/today_children.html", context)
