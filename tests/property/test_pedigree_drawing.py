"""Geometry of pedigree drawings: nothing overlaps, everyone hangs on their parents."""

from __future__ import annotations

import xml.etree.ElementTree as ElementTree
from dataclasses import replace
from itertools import combinations

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from kinward.model.pedigree import Pedigree, Person
from kinward.report.pedigree_layout import SYMBOL, Layout, layout_pedigree
from kinward.report.pedigree_svg import pedigree_svg
from kinward.simulate.kinds import FAMILY_KINDS

CLOSE = 0.75


def near(value, low, high):
    return min(low, high) - CLOSE <= value <= max(low, high) + CLOSE


def segments(layout, union):
    return [
        (a, b)
        for wire in layout.wires
        if wire.union == union
        for a, b in zip(wire.points, wire.points[1:], strict=False)
    ]


def touch(one, other):
    """Whether an end of one segment lies on the other."""

    def on(point, segment):
        (x, y), ((ax, ay), (bx, by)) = point, segment
        length = ((bx - ax) ** 2 + (by - ay) ** 2) ** 0.5
        if not (near(x, ax, bx) and near(y, ay, by)):
            return False
        return length < CLOSE or abs((bx - ax) * (y - ay) - (by - ay) * (x - ax)) / length < CLOSE

    return any(on(p, other) for p in one) or any(on(p, one) for p in other)


def reaches(segment, symbol):
    half = SYMBOL / 2 + CLOSE
    return any(abs(x - symbol.x) <= half and abs(y - symbol.y) <= half for x, y in segment)


def enters(segment, symbol):
    """Whether an upright or level segment runs through the inside of a symbol."""
    (ax, ay), (bx, by) = segment
    half = SYMBOL / 2 - 1
    return (
        min(ax, bx) < symbol.x + half
        and max(ax, bx) > symbol.x - half
        and min(ay, by) < symbol.y + half
        and max(ay, by) > symbol.y - half
    )


def run_together(one, other):
    """Whether two upright or two level segments lie on top of each other for a while."""
    for across, along in ((0, 1), (1, 0)):
        spots = [point[across] for point in (*one, *other)]
        if max(spots) - min(spots) > 1.5:
            continue
        low = max(min(p[along] for p in one), min(p[along] for p in other))
        high = min(max(p[along] for p in one), max(p[along] for p in other))
        if high - low > 2:
            return True
    return False


def faults(pedigree: Pedigree, layout: Layout) -> list[str]:
    found = []
    for one, other in combinations(layout.symbols, 2):
        if abs(one.x - other.x) < SYMBOL + 4 and abs(one.y - other.y) < SYMBOL + 4:
            found.append(f"{one.person} and {other.person} overlap")
    by_pair = {pair: number for number, pair in enumerate(layout.unions)}
    for child, pair in enumerate(zip(pedigree.father, pedigree.mother, strict=True)):
        if pair == (-1, -1):
            continue
        lines = segments(layout, by_pair[pair])
        reached = {k for k, line in enumerate(lines) if reaches(line, layout.symbols[child])}
        grown = True
        while grown:
            more = {
                k
                for k, line in enumerate(lines)
                if k not in reached and any(touch(line, lines[r]) for r in reached)
            }
            grown = bool(more)
            reached |= more
        for parent in (p for p in pair if p >= 0):
            if not any(reaches(lines[k], layout.symbols[parent]) for k in reached):
                found.append(f"{child} does not hang on {parent}")
            if layout.symbols[parent].y >= layout.symbols[child].y:
                found.append(f"{child} stands above its parent {parent}")
    for union in range(len(layout.unions)):
        for line in segments(layout, union):
            for symbol in layout.symbols:
                if line[0][0] != line[1][0] and line[0][1] != line[1][1]:
                    continue  # the fork of twins
                if enters(line, symbol):
                    found.append(f"a line of union {union} runs through {symbol.person}")
    for one, other in combinations(range(len(layout.unions)), 2):
        if any(run_together(a, b) for a in segments(layout, one) for b in segments(layout, other)):
            found.append(f"lines of unions {one} and {other} run together")
    if any(not 0 <= s.x <= layout.width or not 0 <= s.y <= layout.height for s in layout.symbols):
        found.append("a symbol lies outside")
    return found


@st.composite
def pedigrees(draw):
    """Random pedigrees: several mates, loops, mates of different generations, twins."""
    people = [Person("p0", sex="male"), Person("p1", sex="female")]
    twins = 0
    for number in range(2, draw(st.integers(3, 13))):
        men = [p.id for p in people if p.sex == "male"]
        women = [p.id for p in people if p.sex == "female"]
        founder = draw(st.integers(0, 2)) == 0
        parents = (None, None)
        if not founder:
            parents = (draw(st.sampled_from(men)), draw(st.sampled_from(women)))
        sex = draw(st.sampled_from(["male", "female"]))
        person = Person(f"p{number}", *parents, sex=sex)
        last = people[-1]
        if parents != (None, None) and (last.father, last.mother) == parents and last.sex == sex:
            label = last.twin or str(twins)
            if draw(st.booleans()):
                twins += 1
                people[-1] = replace(last, twin=label)
                person = replace(person, twin=label)
        people.append(person)
    return Pedigree.build(people)


def people(*rows):
    """Build a pedigree of (name, father, mother, sex), or with the label of twins as a fifth."""
    return Pedigree.build(
        Person(name, father or None, mother or None, sex, *twin)
        for name, father, mother, sex, *twin in rows
    )


UNCLE_NIECE = people(
    ("gf", "", "", "male"),
    ("gm", "", "", "female"),
    ("uncle", "gf", "gm", "male"),
    ("mother", "gf", "gm", "female"),
    ("in-law", "", "", "male"),
    ("niece", "in-law", "mother", "female"),
    ("child", "uncle", "niece", "unknown"),
)
FATHER_DAUGHTER = people(
    ("f", "", "", "male"),
    ("m", "", "", "female"),
    ("d", "f", "m", "female"),
    ("c", "f", "d", "unknown"),
)
THREE_MATES = people(
    ("f", "", "", "male"),
    ("a", "", "", "female"),
    ("b", "", "", "female"),
    ("c", "", "", "female"),
    ("1", "f", "a", "male"),
    ("2", "f", "b", "female"),
    ("3", "f", "c", "female"),
    ("4", "f", "c", "male"),
)
HALF_BROTHER_BETWEEN_TWINS = people(
    ("f", "", "", "male"),
    ("a", "", "", "female"),
    ("b", "", "", "female"),
    ("twin", "f", "b", "male", "1"),
    ("other", "f", "b", "male", "1"),
    ("g", "", "", "male"),
    ("half-sister", "f", "a", "female"),
    ("sister", "f", "b", "female"),
    ("mate", "g", "a", "female"),
    ("child", "twin", "mate", "male"),
    ("between", "f", "a", "male"),
)
TWINS_WHO_MARRIED_TWINS = people(
    ("f", "", "", "male"),
    ("m", "", "", "female"),
    ("g", "", "", "male"),
    ("n", "", "", "female"),
    ("brother", "f", "m", "male", "1"),
    ("his twin", "f", "m", "male", "1"),
    ("sister", "g", "n", "female", "2"),
    ("her twin", "g", "n", "female", "2"),
    ("son", "brother", "sister", "male"),
    ("daughter", "his twin", "her twin", "female"),
)


@settings(max_examples=300, deadline=None)
@given(pedigrees())
@example(UNCLE_NIECE)
@example(FATHER_DAUGHTER)
@example(THREE_MATES)
@example(HALF_BROTHER_BETWEEN_TWINS)
@example(TWINS_WHO_MARRIED_TWINS)
def test_no_drawing_has_a_fault(pedigree):
    assert faults(pedigree, layout_pedigree(pedigree)) == []


@pytest.mark.parametrize("name", FAMILY_KINDS)
def test_every_family_kind_can_be_drawn(name):
    pedigree = Pedigree.build(
        Person(m.id, m.father, m.mother, "unknown" if m.sex == "any" else m.sex, m.twin)
        for m in FAMILY_KINDS[name].members
    )
    layout = layout_pedigree(pedigree, [80.0] * len(pedigree.people))
    assert faults(pedigree, layout) == []
    assert layout.width < 900


def test_planted_faults_are_caught():
    layout = layout_pedigree(UNCLE_NIECE)
    first, second, *rest = layout.symbols
    moved = replace(second, x=first.x + 5, y=first.y)
    assert faults(UNCLE_NIECE, replace(layout, symbols=(first, moved, *rest)))
    for number in range(len(layout.wires)):
        fewer = layout.wires[:number] + layout.wires[number + 1 :]
        assert faults(UNCLE_NIECE, replace(layout, wires=fewer)), layout.wires[number]


def test_related_parents_are_joined_by_a_double_line():
    assert any(w.doubled for w in layout_pedigree(UNCLE_NIECE).wires)
    assert not any(w.doubled for w in layout_pedigree(THREE_MATES).wires)


def test_bars_of_different_twins_do_not_look_like_one():
    wires = layout_pedigree(TWINS_WHO_MARRIED_TWINS).wires
    one, other = sorted(wire.points for wire in wires if wire.kind == "twins")
    assert one[1][0] < other[0][0] - SYMBOL or one[0][1] != other[0][1]


def test_the_drawing_says_in_words_what_it_shows():
    svg = pedigree_svg(
        THREE_MATES,
        typed={"f", "a"},
        missing={"1"},
        candidates={"1": "R<07>"},
        title="Family of 1 & 2",
        identifier="p7",
    )
    root = ElementTree.fromstring(svg)
    space = "{http://www.w3.org/2000/svg}"
    assert root.get("role") == "img"
    assert root.find(f"{space}title").text == "Family of 1 & 2"
    words = root.find(f"{space}desc").text
    assert "1: male, child of f and a, no sample, missing child, compared with R<07>." in words
    assert "f: male, sample taken." in words
    shapes = [element.tag.removeprefix(space) for element in root.iter()]
    assert shapes.count("rect") == 3
    assert shapes.count("circle") == 5
    assert "?" in [element.text for element in root.iter(f"{space}text")]


def test_long_names_are_shortened_and_told_in_full():
    pedigree = people(("a very long name indeed", "", "", "unknown"))
    svg = pedigree_svg(pedigree)
    root = ElementTree.fromstring(svg)
    texts = [e.text for e in root.iter("{http://www.w3.org/2000/svg}text")]
    assert texts == ["a very long na…"]
    assert "a very long name indeed" in svg
    assert "polygon" in svg
