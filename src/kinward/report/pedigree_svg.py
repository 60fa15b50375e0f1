"""Pedigrees drawn as SVG, in the nomenclature of genetics.

Squares are male, circles female, diamonds of unknown sex (Bennett et al. 2008,
doi:10.1007/s10897-008-9169-9). A filled symbol gave a sample; the missing child has a frame of
its own, and the name of the rescued child that is proposed for it. Parents who are related are
joined by a double line, monozygotic twins by a fork and a bar.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from html import escape

from kinward.model.pedigree import Pedigree
from kinward.report.pedigree_layout import SYMBOL, Symbol, Wire, layout_pedigree

__all__ = ["pedigree_svg"]

_LETTERS = 15  # longest label shown in full; the whole of it is in the tooltip
_LETTER_WIDTH = 6.4
_LINE = 14.0

_COLOURS = {
    "ink": "#33414e",
    "line": "#5b6b79",
    "paper": "#ffffff",
    "typed": "#2f6f7e",
    "missing": "#c2571a",
    "soft": "#fdf1e7",
}


def pedigree_svg(
    pedigree: Pedigree,
    *,
    typed: Collection[str] = (),
    missing: Collection[str] = (),
    candidates: Mapping[str, str] | None = None,
    title: str = "Pedigree",
    identifier: str = "pedigree",
) -> str:
    """Return the drawing as one `<svg>` element without styles or references of its own.

    `typed` and `missing` are ids; `candidates` gives, for a missing child, the name of the rescued
    child that is proposed. `identifier` must be unique in the page that holds the drawing.
    """
    named = dict(candidates or {})
    labels = [_labels(person.id, named.get(person.id)) for person in pedigree.people]
    widths = [max(len(line) for line in lines) * _LETTER_WIDTH for lines in labels]
    layout = layout_pedigree(pedigree, widths)
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" class="pedigree" role="img" '
        f'viewBox="0 0 {layout.width:.0f} {layout.height:.0f}" '
        f'width="{layout.width:.0f}" height="{layout.height:.0f}" '
        f'aria-labelledby="{escape(identifier)}-t {escape(identifier)}-d" '
        'font-family="inherit" font-size="11.5">',
        f'<title id="{escape(identifier)}-t">{escape(title)}</title>',
        f'<desc id="{escape(identifier)}-d">'
        f"{escape(_describe(pedigree, typed, missing, named))}</desc>",
    ]
    parts += [_wire(wire) for wire in layout.wires]
    for symbol, lines in zip(layout.symbols, labels, strict=True):
        parts.append(_person(pedigree, symbol, lines, typed, missing, named))
    return "".join(parts) + "</svg>"


def _describe(
    pedigree: Pedigree,
    typed: Collection[str],
    missing: Collection[str],
    candidates: Mapping[str, str],
) -> str:
    """Return the drawing in words, for those who cannot see it."""
    sentences = []
    for person in pedigree.people:
        words = [f"{person.id}: {person.sex if person.sex != 'unknown' else 'sex unknown'}"]
        if person.father is not None or person.mother is not None:
            words.append(f"child of {' and '.join(p for p in (person.father, person.mother) if p)}")
        if person.twin is not None:
            words.append("monozygotic twin")
        words.append("sample taken" if person.id in typed else "no sample")
        if person.id in missing:
            words.append("missing child")
        if person.id in candidates:
            words.append(f"compared with {candidates[person.id]}")
        sentences.append(", ".join(words) + ".")
    return " ".join(sentences)


def _short(text: str) -> str:
    return text if len(text) <= _LETTERS else text[: _LETTERS - 1] + "…"


def _labels(name: str, candidate: str | None) -> list[str]:
    return [_short(name)] if candidate is None else [_short(name), _short(f"= {candidate}?")]


def _wire(wire: Wire) -> str:
    if wire.doubled:
        (x1, y1), (x2, y2) = wire.points
        return _line((x1, y1 - 2), (x2, y2 - 2)) + _line((x1, y1 + 2), (x2, y2 + 2))
    points = " ".join(f"{x:.1f},{y:.1f}" for x, y in wire.points)
    colour = _COLOURS["line"]
    return f'<polyline points="{points}" fill="none" stroke="{colour}" stroke-width="1.5"/>'


def _line(start: tuple[float, float], end: tuple[float, float]) -> str:
    return (
        f'<line x1="{start[0]:.1f}" y1="{start[1]:.1f}" x2="{end[0]:.1f}" y2="{end[1]:.1f}" '
        f'stroke="{_COLOURS["line"]}" stroke-width="1.5"/>'
    )


def _person(
    pedigree: Pedigree,
    symbol: Symbol,
    lines: list[str],
    typed: Collection[str],
    missing: Collection[str],
    candidates: Mapping[str, str],
) -> str:
    person = pedigree.people[symbol.person]
    is_missing, is_typed = person.id in missing, person.id in typed
    fill = _COLOURS["typed"] if is_typed else _COLOURS["soft" if is_missing else "paper"]
    stroke = _COLOURS["missing"] if is_missing else _COLOURS["ink"]
    style = f'fill="{fill}" stroke="{stroke}" stroke-width="{3 if is_missing else 1.5}"'
    parts = [
        "<g>",
        f"<title>{escape(_tooltip(pedigree, symbol.person, typed, missing))}</title>",
        _shape(person.sex, symbol, style),
    ]
    if is_missing:
        parts.append(_text(symbol.x, symbol.y + 6, "?", stroke, size=18, bold=True))
    for number, line in enumerate(lines):
        colour = _COLOURS["missing" if is_missing and number else "ink"]
        y = symbol.y + SYMBOL / 2 + 13 + number * _LINE
        parts.append(_text(symbol.x, y, line, colour, bold=bool(number)))
    return "".join(parts) + "</g>"


def _tooltip(
    pedigree: Pedigree, person: int, typed: Collection[str], missing: Collection[str]
) -> str:
    """Return the tooltip of one person."""
    one = pedigree.people[person]
    words = [one.id, one.sex if one.sex != "unknown" else "sex unknown"]
    words.append("sample taken" if one.id in typed else "no sample")
    if one.id in missing:
        words.append("missing child")
    return ", ".join(words)


def _shape(sex: str, symbol: Symbol, style: str) -> str:
    x, y, half = symbol.x, symbol.y, SYMBOL / 2
    if sex == "male":
        corner = f'x="{x - half:.1f}" y="{y - half:.1f}" width="{SYMBOL:.0f}" height="{SYMBOL:.0f}"'
        return f"<rect {corner} {style}/>"
    if sex == "female":
        return f'<circle cx="{x:.1f}" cy="{y:.1f}" r="{half:.0f}" {style}/>'
    corners = ((x, y - half), (x + half, y), (x, y + half), (x - half, y))
    points = " ".join(f"{a:.1f},{b:.1f}" for a, b in corners)
    return f'<polygon points="{points}" {style}/>'


def _text(
    x: float, y: float, words: str, colour: str, *, size: float | None = None, bold: bool = False
) -> str:
    # The white outline keeps words readable where a line passes beneath them.
    extra = f' font-size="{size:g}"' if size else ' stroke="#ffffff" stroke-width="3"'
    weight = ' font-weight="600"' if bold else ""
    return (
        f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="middle" fill="{colour}" '
        f'paint-order="stroke"{extra}{weight}>{escape(words)}</text>'
    )
