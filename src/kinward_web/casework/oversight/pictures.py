"""Geometry of the pictures of oversight: window, funnel, pace, rescues by month."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from math import log
from typing import Any

from kinward_web.casework.oversight.figures import Campaign, Lag, Stage

__all__ = ["Bar", "Column", "Span", "Tick", "Window", "columns", "funnel", "pace_bars", "window"]

_WIDTH = 720
_LABELS = 190
_ROW = 30


@dataclass(frozen=True, slots=True)
class Tick:
    """A mark on an axis."""

    x: float
    label: Any


@dataclass(frozen=True, slots=True)
class Span:
    """A bar of time."""

    x: float
    width: float
    label: str
    start: date
    end: date


@dataclass(frozen=True, slots=True)
class Window:
    """The campaign as a line of time, with today."""

    spans: tuple[Span, ...]
    months: tuple[Tick, ...]
    today: float
    days_left: int | None
    """Until the end of the special campaign; below zero afterwards; None without an end."""


def window(campaign: Campaign | None, today: date) -> Window | None:
    """Return the window of a campaign; None where it has neither beginning nor end."""
    if campaign is None or not (campaign.task_force_from or campaign.special_until):
        return None
    known = [day for day in (campaign.task_force_from, campaign.special_until) if day]
    first = min(*known, today) if len(known) > 1 else min(known[0], today)
    last = max(*known, today)
    first, last = first - timedelta(days=15), last + timedelta(days=15)
    scale = (_WIDTH - 40) / max((last - first).days, 1)

    def x(day: date) -> float:
        return round(20 + (day - first).days * scale, 1)

    spans = []
    if campaign.task_force_from and campaign.special_until:
        start, end = campaign.task_force_from, campaign.special_until
        spans.append(Span(x(start), round(x(end) - x(start), 1), campaign.name, start, end))
    months, month = [], (first + timedelta(days=31)).replace(day=1)
    step = 1 if (last - first).days < 500 else 12
    while month <= last:
        if step == 1 or month.month == 1:
            months.append(Tick(x(month), month))
        month = (month + timedelta(days=32)).replace(day=1)
    left = (campaign.special_until - today).days if campaign.special_until else None
    return Window(tuple(spans), tuple(months), x(today), left)


@dataclass(frozen=True, slots=True)
class Bar:
    """A row of a bar chart; `late` is the part of it that is overdue."""

    key: str
    label: Any
    y: int
    width: float
    late: float
    count: int
    overdue: int
    tone: str


def funnel(stages: Sequence[Stage], rail: bool) -> tuple[Bar, ...]:
    """Return the states of the rail, or those beside it, as bars of one scale."""
    most = max((stage.count for stage in stages), default=0) or 1
    scale = (_WIDTH - _LABELS - 90) / most
    rows = [stage for stage in stages if stage.rail == rail]
    return tuple(
        Bar(
            stage.key,
            stage.label,
            number * _ROW,
            round(max(stage.count * scale, 1.5 if stage.count else 0), 1),
            round(stage.overdue * scale, 1),
            stage.count,
            stage.overdue,
            stage.tone,
        )
        for number, stage in enumerate(rows)
    )


_HOURS = (1, 6, 24, 168, 720, 4_380)


@dataclass(frozen=True, slots=True)
class PaceBar:
    """From nothing to the 90th percentile, with the median marked."""

    lag: Lag
    y: int
    median: float
    p90: float


def pace_bars(lags: Sequence[Lag]) -> tuple[tuple[PaceBar, ...], tuple[Tick, ...]]:
    """Return the bars and the ticks of a logarithmic axis of hours."""
    most = max([lag.p90 for lag in lags] + [_HOURS[-1]])
    scale = (_WIDTH - _LABELS - 40) / log(1 + most)

    def x(hours: int) -> float:
        return round(_LABELS + log(1 + hours) * scale, 1)

    bars = [PaceBar(lag, n * _ROW, x(lag.median), x(lag.p90)) for n, lag in enumerate(lags)]
    return tuple(bars), tuple(Tick(x(hours), hours) for hours in _HOURS)


@dataclass(frozen=True, slots=True)
class Column:
    """One month."""

    x: float
    y: float
    width: float
    height: float
    month: date
    count: int


def columns(months: Sequence[tuple[date, int]], height: int = 120) -> tuple[Column, ...]:
    """Return a column for each month."""
    if not months:
        return ()
    most = max(count for _month, count in months) or 1
    each = min(72.0, (_WIDTH - 20) / len(months))
    return tuple(
        Column(
            round(10 + number * each, 1),
            round(20 + height - count / most * height, 1),
            round(each * 0.78, 1),
            round(count / most * height, 1),
            month,
            count,
        )
        for number, (month, count) in enumerate(months)
    )
