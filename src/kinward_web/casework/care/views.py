"""Pages of care places and of tonight's plan."""

from __future__ import annotations

from itertools import groupby
from typing import Any

from django.contrib import messages
from django.core.paginator import Paginator
from django.db.models import Count, prefetch_related_objects
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_GET, require_http_methods

from kinward_web.audit import api as audit
from kinward_web.casework.care import texts
from kinward_web.casework.care.actions import (
    accept_rows,
    compute_plan,
    homes_kept_by,
    keep_home,
    plan_for,
)
from kinward_web.casework.care.forms import HomeForm, PlanForm
from kinward_web.casework.care.models import NightPlan, NightPlanRow
from kinward_web.casework.care.pictures import flow_picture, home_map
from kinward_web.casework.care.places import position_of
from kinward_web.casework.care.queries import Occupied, homes_now, waiting_cases
from kinward_web.casework.models import CareHome
from kinward_web.casework.plan import WEIGHTS, Home
from kinward_web.casework.plan.model import Room
from kinward_web.casework.scope import can
from kinward_web.errors import NotAllowed
from kinward_web.rules.placement import PLACEMENT

__all__ = ["care_places", "edit_home", "plan", "show_plan"]

_PER_PAGE = 50
_SEEN_BY = ("care.manage", "care.plan", "oversight.read")
_A_MONTH = 30


@require_GET
def care_places(request: HttpRequest) -> HttpResponse:
    """Show every care place: free beds, carers, money, medical ability; as a map and a list."""
    if not any(can(request.actor, act) for act in _SEEN_BY):
        raise NotAllowed(f"{request.actor.role} sees no care places")
    homes = homes_now(CareHome.objects.order_by("region", "name"), timezone.now())
    status = _status()
    rows = [_home_row(*row, status) for row in homes]
    regions = sorted({home.region for home, _row, _taken in homes})
    chosen = request.GET.get("region", "")
    listed = [row for row in rows if chosen in ("", row["home"].region)]
    page = Paginator(listed, _PER_PAGE).get_page(request.GET.get("page"))
    for row in page:
        home = row["home"]
        row["level"] = texts.level_name(home.medical_level)
        row["money"] = texts.money(row["at_hand"], home.currency)
    prefetch_related_objects([row["home"] for row in page], "agency")
    return render(
        request,
        "casework/care_places.html",
        {
            "page": page,
            "map": _map(listed),
            "regions": regions,
            "chosen": chosen,
            "totals": {
                "free": sum(row["free"] for row in listed if row["receiving"]),
                "room": sum(row["room"] for row in listed if row["receiving"]),
                "there": sum(row["there"] for row in listed),
                "receiving": sum(row["receiving"] for row in listed),
                "homes": len(listed),
            },
            "may_keep": can(request.actor, "care.manage"),
            "may_plan": can(request.actor, "care.plan"),
        },
    )


def _status() -> dict[str, str]:
    """Return what the tones mean, looked up once per page and not once per home."""
    return {
        "ended": _("Not receiving"),
        "home": _("Receives"),
        "waiting": _("Beds, but no carer or money"),
        "urgent": _("Full"),
    }


def _home_row(home: CareHome, row: Home, taken: Occupied, status: dict[str, str]) -> dict[str, Any]:
    there, expected = taken.there, taken.expected
    room = Room.of(row, _A_MONTH)
    free = max(0, home.beds - there - expected)
    takes = min(free, room.paid, room.load // row.load_unit[1])
    tone = "ended" if not row.receiving else "home" if takes else "waiting" if free else "urgent"
    return {
        "home": home,
        "there": there,
        "expected": expected,
        "free": free,
        "room": takes if row.receiving else 0,
        "carers_needed": row.carers_for(row.infants, row.older),
        "days_paid": row.money // (row.cost * (there + expected))
        if row.cost and there + expected
        else None,
        "at_hand": row.money,
        "receiving": row.receiving,
        "tone": tone,
        "status": status[tone],
    }


def _map(rows: list[dict[str, Any]]) -> Any:
    regions = {}
    for name in {row["home"].region for row in rows}:
        position = position_of(name)
        if position is not None:
            regions[name] = (position.latitude, position.longitude)
    beds = {
        free: ngettext("%(n)d free bed", "%(n)d free beds", free) % {"n": free}
        for free in {row["free"] for row in rows}
    }
    return home_map(
        [
            (
                row["home"].latitude,
                row["home"].longitude,
                row["home"].beds,
                row["free"],
                row["tone"],
                f"{row['home'].name}: {beds[row['free']]}",
            )
            for row in rows
        ],
        regions,
    )


@require_http_methods(["GET", "POST"])
def edit_home(request: HttpRequest, number: int | None = None) -> HttpResponse:
    """Change the numbers of a care place of the own agency, or add one."""
    mine = homes_kept_by(request.actor)
    home = CareHome(region=request.actor.region) if number is None else None
    if home is None:
        home = get_object_or_404(mine, pk=number)
    title = _("New care place") if number is None else home.name
    form = HomeForm(request.POST or None, instance=home)
    if request.method == "POST" and form.is_valid():
        changed = {name: form.cleaned_data[name] for name in form.changed_data}
        keep_home(request.actor, form.instance, changed)
        messages.success(request, _("The numbers of “%(name)s” are kept.") % {"name": home.name})
        return redirect("casework:care_places")
    return render(request, "casework/care_place.html", {"form": form, "title": title})


@require_http_methods(["GET", "POST"])
def plan(request: HttpRequest) -> HttpResponse:
    """Choose what tonight's plan covers, and compute it; older plans stand below."""
    waiting = waiting_cases(request.actor, timezone.now())
    by_code = waiting.values_list("operation_id", "operation__code").annotate(n=Count("pk"))
    counts = list(by_code.order_by("operation__code"))
    by_operation = [(pk, f"{code} ({n})") for pk, code, n in counts if pk]
    data = request.POST if request.method == "POST" else None
    form = PlanForm(data, operations=by_operation)
    if data is not None and form.is_valid():
        operations = [int(pk) for pk in form.cleaned_data["operations"]]
        made = compute_plan(request.actor, form.cleaned_data["days"], operations)
        return redirect("casework:plan_show", made.pk)
    if not can(request.actor, "care.plan"):
        raise NotAllowed(f"{request.actor.role} makes no plans")
    plans = NightPlan.objects.filter(agency_id=request.actor.agency_id).select_related("made_by")
    return render(
        request,
        "casework/care_plan_new.html",
        {"form": form, "waiting": sum(row[2] for row in counts), "plans": plans[:10]},
    )


@require_http_methods(["GET", "POST"])
def show_plan(request: HttpRequest, number: int) -> HttpResponse:
    """Show a plan: who goes where and why, what is missing; accept all of it or some."""
    found = plan_for(request.actor, number)
    refusals = []
    if request.method == "POST":
        rows = found.rows.filter(placement__isnull=True)
        codes = request.POST.getlist("case")
        if "all" in request.POST:
            codes = list(rows.values_list("case__code", flat=True))
        outcome = accept_rows(request.actor, found, codes)
        if outcome.accepted:
            n = len(outcome.accepted)
            text = ngettext("%(n)d place is proposed.", "%(n)d places are proposed.", n)
            messages.success(request, text % {"n": n})
        if not outcome.stale and not outcome.refused:
            return redirect("casework:plan_show", number)
        refusals = [outcome.stale_refusal] if outcome.stale else []
        refusals += dict.fromkeys(r for rows in outcome.refused.values() for r in rows)
    rows = list(
        found.rows.select_related("case", "home", "placement").order_by(
            "home__name", "home_id", "pk"
        )
    )
    codes = [row.case.code for row in rows]
    audit.record_list_read(request.actor, audit.Purpose.PLACEMENT, "plan.read", codes)
    return render(
        request, "casework/care_plan.html", _plan_context(found, rows) | {"refusals": refusals}
    )


def _plan_context(found: NightPlan, rows: list[Any]) -> dict[str, Any]:
    content = found.content
    names = dict(CareHome.objects.values_list("pk", "name"))
    night = content["night"]
    unknown = _("origin unknown")
    pairs = [(row.facts["origin"] or unknown, row.home.name) for row in rows]
    for row in content["unplaced"]:
        pairs += [(origin or unknown, None) for origin in row["origins"]]
    return {
        "plan": found,
        "rows": rows,
        "groups": [
            {"home": home, "rows": [_plan_row(row) for row in members]}
            for home, members in groupby(rows, key=lambda row: row.home)
        ],
        "open": sum(row.placement_id is None for row in rows),
        "unplaced": [
            {"children": row["children"], "why": texts.obstacle_sentence(row, names)}
            for row in content["unplaced"]
        ],
        "left_out": sum(len(row["children"]) for row in content["unplaced"]),
        "needs": [
            {"sentence": texts.home_sentence(need, names.get(need["home"], "?"))}
            for need in content["needs"]
        ],
        "night": texts.night_sentence(night) if night else "",
        "to_open": [
            (count, texts.level_name(level)) for level, count in (night["to_open"] if night else ())
        ],
        "missing": [
            texts.home_sentence(need, names.get(need["home"], "?"))
            for need in (night["homes"] if night else ())
            if _short(need)
        ],
        "proof": texts.proof_sentences(content["proof"]),
        "seconds": content["proof"]["seconds"],
        "picture": flow_picture(pairs, _("others"), _("no place")),
        "weights": [(_(row.label), row.value, _(row.unit), _(row.reason)) for row in WEIGHTS],
    }


def _plan_row(row: NightPlanRow) -> dict[str, Any]:
    state = PLACEMENT.state(row.placement.state) if row.placement else None
    return {
        "row": row,
        "reason": texts.reason(row.facts),
        "state": state and state.label,
        "tone": state and state.tone,
    }


def _short(need: dict[str, Any]) -> bool:
    return (
        need["there"] + need["coming"] > need["beds"]
        or need["carers_needed"] > need["carers"]
        or need["money_needed"] > need["money"]
    )
