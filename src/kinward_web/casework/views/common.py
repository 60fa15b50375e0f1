"""What the case pages share: the case within reach, the recorded look, the tabs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.functional import Promise
from django.utils.http import urlencode
from django.utils.translation import gettext_lazy as _

from kinward_web.audit import api as audit
from kinward_web.casework.models import Case, Placement
from kinward_web.casework.presenters.child import age_text, purpose_of
from kinward_web.casework.scope import acts_on, get_case, placements_for
from kinward_web.errors import NotAllowed
from kinward_web.rules.case import CASE
from kinward_web.rules.roles import Role, reach_of

__all__ = [
    "PLACERS",
    "case_page",
    "place_within",
    "second_factor_url",
    "see_case",
    "to_case",
]

PLACERS = frozenset({Role.POLICE_OFFICER, Role.WELFARE_WORKER, Role.CLINICIAN})
"""Roles that propose places, as the table of placements has it."""


@dataclass(frozen=True, slots=True)
class Tab:
    """One page of a case."""

    key: str
    label: str | Promise
    url: str


def see_case(request: HttpRequest, code: str, act: str = "case.read") -> Case:
    """Return the case and write down the look, with the purpose chosen or the role's own.

    :raises NotAllowed: there is none within reach.
    """
    case = get_case(request.actor, code, act)
    if request.method == "GET":
        audit.record_read(request.actor, _purpose(request), act, f"case:{case.code}")
    return case


def _purpose(request: HttpRequest) -> str:
    chosen = request.GET.get("purpose", "")
    return chosen if chosen in audit.PURPOSES else purpose_of(request.actor.role)


def place_within(request: HttpRequest, case: Case, pk: int) -> Placement:
    """Return a placement of the case.

    :raises NotAllowed: there is none within reach.
    """
    rows = placements_for(request.actor).filter(case=case, pk=pk)
    place = rows.select_related("home__agency__named_officer", "household", "case__child").first()
    if place is None:
        raise NotAllowed("no such placement for this role")
    return place


def case_page(
    request: HttpRequest, template: str, case: Case, tab: str, status: int = 200, **context: Any
) -> HttpResponse:
    """Render a page of a case within its tabs."""
    purpose = _purpose(request)
    context |= {
        "case": case,
        "state": CASE.state(case.state),
        "age": age_text(case.child.born_from, case.child.born_to),
        "tab": tab,
        "tabs": _tabs(request, case),
        "purpose": purpose,
        "purposes": audit.PURPOSES,
        "purpose_label": audit.PURPOSES[purpose],
    }
    return render(request, f"casework/{template}", context, status=status)


def _tabs(request: HttpRequest, case: Case) -> list[Tab]:
    actor = request.actor
    rows = [Tab("child", _("Child"), reverse("casework:child", args=[case.code]))]
    may = acts_on(actor, case, ("medical.read", "custody.check"))
    if "medical.read" in may:
        rows.append(Tab("medical", _("Medical"), reverse("casework:medical", args=[case.code])))
    if actor.role in PLACERS or "custody.check" in may:
        rows.append(Tab("places", _("Places"), reverse("casework:places", args=[case.code])))
    if reach_of(actor.role, "service.write") or "custody.check" in may:
        url = reverse("casework:follow_up", args=[case.code])
        rows.append(Tab("follow_up", _("Follow-up"), url))
    return rows


def to_case(case: Case) -> HttpResponse:
    """Go to the child's page."""
    return redirect("casework:child", case.code)


def second_factor_url(request: HttpRequest) -> str:
    """Return where a fresh second factor is given; it leads back to this page."""
    query = urlencode({"next": request.get_full_path()})
    return f"{reverse('accounts:second_factor')}?{query}"
