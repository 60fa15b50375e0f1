"""Pages of oversight."""

from __future__ import annotations

from typing import Any

from django.core.cache import cache
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET

from kinward_web.audit import api as audit
from kinward_web.casework.oversight import pictures
from kinward_web.casework.oversight.figures import ACT, Pace, campaigns, figures, pace
from kinward_web.casework.scope import require
from kinward_web.rules.roles import Reach, reach_of

__all__ = ["oversight", "oversight_pace"]

_ROWS = 12
_KEEP_SECONDS = 600


def _chosen(request: HttpRequest) -> int | None:
    value = request.GET.get("campaign", "")
    return int(value) if value.isdecimal() and len(value) < 10 else None


@require_GET
def oversight(request: HttpRequest) -> HttpResponse:
    """Show the campaign window, the funnel, and what is overdue, missing or refused."""
    require(request.actor, ACT)
    now, chosen, listed = timezone.now(), _chosen(request), campaigns()
    found = figures(request.actor, chosen, now)
    dated = [row for row in listed if row.task_force_from or row.special_until]
    shown = next((row for row in listed if row.pk == chosen), dated[0] if dated else None)
    audit.record_read(request.actor, audit.Purpose.OVERSIGHT, ACT, f"campaign:{chosen or 'all'}")
    everywhere = reach_of(request.actor.role, ACT) == Reach.ALL or not request.actor.region
    return render(
        request,
        "casework/oversight.html",
        {
            "found": found,
            "campaigns": listed,
            "chosen": chosen,
            "shown": shown,
            "window": pictures.window(shown, timezone.localtime(now).date()),
            "rail": pictures.funnel(found.stages, rail=True),
            "beside": pictures.funnel(found.stages, rail=False),
            "late": found.late[:_ROWS],
            "late_more": max(0, len(found.late) - _ROWS),
            "homes_short": found.homes_short[:_ROWS],
            "homes_more": max(0, len(found.homes_short) - _ROWS),
            "scope": _("the whole country") if everywhere else request.actor.region,
            "today": timezone.localtime(now).date(),
        },
    )


@require_GET
def oversight_pace(request: HttpRequest) -> HttpResponse:
    """Show the time to each step and the rescues by month; counted anew every ten minutes."""
    require(request.actor, ACT)
    chosen = _chosen(request)
    actor = request.actor
    # The reach depends on role, agency and, by assignment, on the person.
    key = f"oversight-pace:{actor.role}:{actor.agency_id}:{actor.user_id}:{chosen}"
    found: Pace | None = cache.get(key)
    if found is None:
        found = pace(actor, chosen, timezone.now())
        cache.set(key, found, _KEEP_SECONDS)
    bars, ticks = pictures.pace_bars(found.lags)
    context: dict[str, Any] = {
        "pace": found,
        "bars": bars,
        "ticks": ticks,
        "height": len(bars) * 30,
        "columns": pictures.columns(found.rescued),
    }
    page = "casework/oversight_pace.html" if request.htmx else "casework/oversight_pace_page.html"
    return render(request, page, context)
