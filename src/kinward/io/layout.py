"""What each column of a children's or families' table is: structure, fact or locus."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from functools import cache

import pyarrow.compute as pc

from kinward.io.faults import FaultLog
from kinward.io.source import RawTable
from kinward.model.marker import Locus, all_loci, find_locus

__all__ = ["FACTS", "TYPING_COLUMNS", "Layout", "lay_out"]

TYPING_COLUMNS = ("dropout", "dropin", "typing_error")
"""Columns that say, per sample, how far its genotypes may be trusted."""

FACTS = frozenset(
    {
        "found_date",
        "found_place",
        "age_months",
        "age",
        "birth_date",
        "missing_date",
        "missing_place",
        "last_seen_place",
        "last_seen_date",
        "blood_group",
        "hair",
        "eyes",
        "height_cm",
        "marks",
        "clothing",
        "words",
        "language",
        "name_hint",
        "notes",
    }
)
"""Columns kept for the evidence; the DNA search never reads them."""


@dataclass(frozen=True, slots=True)
class Layout:
    """Column positions by meaning; `loci` may be autosomal or X."""

    structure: dict[str, int]
    typing: dict[str, int]
    facts: dict[str, int]
    loci: tuple[tuple[int, Locus], ...]
    notes: tuple[str, ...]


@cache
def _spellings() -> dict[str, str]:
    """Canonical names by every spelling, case folded."""
    names = {
        spelling.casefold(): locus.name
        for locus in all_loci()
        for spelling in (*locus.aliases, locus.name)
    }
    return names | {name: name for name in (*sorted(FACTS), *TYPING_COLUMNS)}


def _suggestion(name: str, structure: Sequence[str]) -> str:
    known = {**_spellings(), **{word: word for word in structure}}
    near = get_close_matches(name.casefold(), known, n=2, cutoff=0.7)
    if near:
        words = " or ".join(dict.fromkeys(known[word] for word in near))
        return f"did you mean {words}? Otherwise remove the column"
    return "correct the name or remove the column"


def lay_out(
    raw: RawTable, required: Sequence[str], optional: Sequence[str], log: FaultLog
) -> Layout:
    """Tell the columns of a table apart; faults of columns go to the log."""
    layout = Layout({}, {}, {}, (), ())
    seen: dict[str, str] = {}
    loci: list[tuple[int, Locus]] = []
    recognised: list[str] = []
    nameless = 0
    for position, name in enumerate(raw.header):
        plain = "_".join(name.casefold().split())
        locus = None
        if not name and _is_blank(raw, position):
            nameless += 1
            continue
        if plain in required or plain in optional:
            meaning, home = plain, layout.structure
        elif plain in TYPING_COLUMNS:
            meaning, home = plain, layout.typing
        elif plain in FACTS:
            meaning, home = plain, layout.facts
        else:
            locus = find_locus(name)
            if locus is None:
                _unknown(name, position, (*required, *optional), log)
                continue
            meaning, home = locus.name, {}
        if meaning in seen:
            log.whole(
                meaning if locus else None,
                "duplicate-column",
                f"columns {seen[meaning]!r} and {name!r} are both {meaning}",
                "keep one of the two columns",
            )
            continue
        seen[meaning] = name
        home[meaning] = position
        if locus is not None and locus.kind == "recognised":
            recognised.append(locus.name)
        elif locus is not None:
            loci.append((position, locus))
    _require(raw, required, layout.structure, log)
    notes = []
    if recognised:
        notes.append(f"known loci recognised but not searched: {', '.join(recognised)}")
    if nameless:
        notes.append(f"{nameless} empty columns without a name were passed over")
    return Layout(layout.structure, layout.typing, layout.facts, tuple(loci), tuple(notes))


def _is_blank(raw: RawTable, position: int) -> bool:
    return not pc.any(pc.not_equal(raw.columns[position], "")).as_py()


def _unknown(name: str, position: int, structure: Sequence[str], log: FaultLog) -> None:
    shown = repr(name) if name else f"number {position + 1}, which has no name,"
    log.whole(
        name or None,
        "unknown-locus",
        f"column {shown} is neither a known locus nor a known fact",
        _suggestion(name, structure),
    )


def _require(raw: RawTable, required: Sequence[str], found: dict[str, int], log: FaultLog) -> None:
    lacking = [name for name in required if name not in found]
    if len(lacking) == len(required):
        log.whole(
            None,
            "no-header",
            f"the first row ({', '.join(raw.header[:3])} ...) names none of the columns needed",
            f"put a header above the rows: {','.join(required)} and one column for each locus",
        )
        return
    for name in lacking:
        log.whole(None, "missing-column", f"there is no column {name}", f"add a column {name}")
