"""Small bars of a tally, for server-side SVG: one piece per tone, on a common scale."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from kinward_web.registry.actions import Tally
from kinward_web.rules.case import CASE
from kinward_web.rules.table import Tone

__all__ = ["WIDTH", "Piece", "StateCount", "TallyRow", "rows_of", "states_of"]

WIDTH = 1000
"""Units across the whole bar."""


@dataclass(frozen=True, slots=True)
class Piece:
    """One coloured piece of a bar, in units of `WIDTH`."""

    tone: Tone
    count: int
    x: int
    width: int


@dataclass(frozen=True, slots=True)
class StateCount:
    """Children in one state."""

    label: object
    tone: Tone
    count: int


@dataclass(frozen=True, slots=True)
class TallyRow:
    """One row of a table of tallies."""

    label: str
    total: int
    at_home: int
    tones: dict[str, int]
    """Children by tone, every tone present."""
    pieces: tuple[Piece, ...]
    url: str = ""
    code: str = ""


def states_of(tally: Tally) -> list[StateCount]:
    """Return the states of a tally in table order, with label and tone."""
    return [
        StateCount(CASE.state(key).label, CASE.state(key).tone, count)
        for key, count in tally.by_state.items()
    ]


def _tones(tally: Tally) -> dict[Tone, int]:
    found = dict.fromkeys(Tone, 0)
    for state in states_of(tally):
        found[state.tone] += state.count
    return found


def _pieces(tones: dict[Tone, int], scale: int) -> tuple[Piece, ...]:
    pieces, seen = [], 0
    for tone, count in tones.items():
        # Edges are rounded, not widths, so that the pieces of a full bar fill it.
        start, end = (round(WIDTH * edge / scale) for edge in (seen, seen + count))
        seen += count
        if count:
            pieces.append(Piece(tone, count, start, end - start))
    return tuple(pieces)


def rows_of(named: Iterable[tuple[str, Tally, str, str]]) -> list[TallyRow]:
    """Return rows of (label, tally, address, code), their bars on the scale of the largest."""
    listed = list(named)
    scale = max((row[1].total for row in listed), default=0) or 1
    return [
        TallyRow(
            label,
            tally.total,
            tally.at_home,
            {tone.value: count for tone, count in _tones(tally).items()},
            _pieces(_tones(tally), scale),
            url,
            code,
        )
        for label, tally, url, code in listed
    ]
