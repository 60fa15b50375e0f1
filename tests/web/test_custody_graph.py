"""The picture of a custody check: nothing overlaps, everything is said, nothing by colour alone."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from itertools import combinations
from xml.etree import ElementTree

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kinward_web.casework import custody_graph as graph
from kinward_web.casework.custody import Denial, PathLink, PathStep, Route, Screened, Screening

KINDS = ["household", "payment", "identity_document", "kin", "vehicle"]
MOMENT = datetime(2011, 7, 15, tzinfo=UTC)


def step(source: str, target: str, *links: tuple[str, str, bool]) -> PathStep:
    return PathStep(source, target, tuple(PathLink(*link) for link in links))


def sample() -> Screening:
    """One of everything."""
    direct = Route(
        "MOTHER",
        (step("MOTHER", "FATHER", ("household", "household:1", False), ("kin", "link:2", True)),),
        ("buyer",),
    )
    through = Route(
        "MOTHER",
        (
            step("MOTHER", "FRIEND", ("contact", "link:3", False)),
            step("FRIEND", "BROKER", ("phone", "identifier:4", False)),
        ),
        ("broker",),
    )
    lifted = Route(
        "GRANNY", (step("GRANNY", "BROKER", ("vehicle", "identifier:5", True)),), ("broker",)
    )
    return Screening(
        "CASE",
        1,
        MOMENT,
        (
            Screened("MOTHER", ("household",), "verified", (), False),
            Screened("FATHER", ("household", "payer"), "verified", ("buyer",), False),
            Screened("GRANNY", ("household",), "claimed", (), False),
            Screened("ESCORT", ("escort",), "verified", (), True),
        ),
        (
            Denial("involved", "FATHER", ("buyer",)),
            Denial("linked", "MOTHER", route=direct),
            Denial("linked", "MOTHER", route=through),
            Denial("unverified", "GRANNY"),
        ),
        (lifted,),
    )


@st.composite
def screenings(draw) -> Screening:
    people = [f"SCRN-{n}" for n in range(draw(st.integers(1, 5)))]
    routes = []
    for n in range(draw(st.integers(0, 8))):
        person = draw(st.sampled_from(people))
        end = f"BARR-{draw(st.integers(0, 2))}"
        middle = f"MIDD-{draw(st.integers(0, 3))}"

        def links(salt: int, n: int = n) -> tuple[tuple[str, str, bool], ...]:
            count = draw(st.integers(1, 3))
            return tuple(
                (draw(st.sampled_from(KINDS)), f"link:{n}{salt}{m}", draw(st.booleans()))
                for m in range(count)
            )

        if draw(st.booleans()):
            steps = (step(person, end, *links(1)),)
        else:
            steps = (step(person, middle, *links(1)), step(middle, end, *links(2)))
        routes.append(Route(person, steps, ("buyer",)))
    cut = draw(st.integers(0, len(routes)))
    return Screening(
        "CASE",
        1,
        MOMENT,
        tuple(Screened(person, ("household",), "verified", (), False) for person in people),
        tuple(Denial("linked", route.person, route=route) for route in routes[:cut]),
        tuple(routes[cut:]),
    )


def overlaps(drawing: graph.Drawing) -> list[tuple[str, str]]:
    return [
        (one.key, other.key)
        for one, other in combinations(drawing.boxes, 2)
        if one.x < other.right
        and other.x < one.right
        and one.y < other.y + other.height
        and other.y < one.y + one.height
    ]


def crossings(drawing: graph.Drawing) -> list[tuple[graph.Line, str]]:
    """Return the lines that run through a box; the bend is followed in 20 steps."""
    found = []
    for line in drawing.lines:
        (x1, y1), (x2, y2) = line.start, line.end
        bend = (x1 + x2) / 2
        for n in range(21):
            t = n / 20
            u = 1 - t
            x = u**3 * x1 + 3 * u * u * t * bend + 3 * u * t * t * bend + t**3 * x2
            y = (u**3 + 3 * u * u * t) * y1 + (3 * u * t * t + t**3) * y2
            found += [
                (line, box.key)
                for box in drawing.boxes
                if box.x + 0.1 < x < box.right - 0.1 and box.y < y < box.y + box.height
            ]
    return found


@settings(deadline=None, max_examples=150, database=None, derandomize=True)
@given(screenings())
def test_nothing_overlaps_and_no_line_crosses_a_box(screening) -> None:
    drawing = graph.draw(screening)
    assert overlaps(drawing) == []
    assert crossings(drawing) == []
    for box in drawing.boxes:
        assert box.x >= 0
        assert box.right <= drawing.width
        assert box.y >= 0
        assert box.y + box.height <= drawing.height


def test_overlap_and_crossing_are_found_when_planted() -> None:
    drawing = graph.draw(sample())
    first, second, *others = drawing.boxes
    moved = replace(second, x=first.x + 1, y=first.y + 1)
    assert overlaps(replace(drawing, boxes=(first, moved, *others))) != []
    line = drawing.lines[0]
    through = replace(first, x=(line.start[0] + line.end[0]) / 2 - 20, width=40.0)
    through = replace(through, y=min(line.start[1], line.end[1]) - 50, height=200.0)
    assert crossings(replace(drawing, boxes=(*drawing.boxes, through))) != []


def classes(root: ElementTree.Element, name: str) -> list[ElementTree.Element]:
    return [node for node in root.iter() if name in node.get("class", "").split()]


def test_svg_is_sound_and_without_inline_style() -> None:
    text = graph.svg(sample())
    root = ElementTree.fromstring(text)
    tags = {node.tag.split("}")[1] for node in root.iter()}
    assert tags == {
        "svg", "title", "desc", "g", "path", "rect", "polygon", "circle", "text",
    }  # fmt: skip
    assert all("style" not in node.attrib for node in root.iter())
    assert "<script" not in text
    named = root.get("aria-labelledby").split()
    assert {node.get("id") for node in root if node.get("id")} == set(named)


def test_bars_and_cleared_links_differ_in_shape_not_only_in_colour() -> None:
    root = ElementTree.fromstring(graph.svg(sample()))
    for kind, tag in (("barring", "polygon"), ("involved", "polygon"), ("clear", "rect")):
        (first, *_others) = classes(root, f"custody-graph__person--{kind}")
        assert tag in {node.tag.split("}")[1] for node in first}
    (unverified,) = classes(root, "custody-graph__person--unverified")
    assert "?" in {node.text for node in unverified.iter()}
    for label in classes(root, "custody-graph__link--cleared"):
        assert label[0].get("stroke-dasharray")
        assert classes(label, "custody-graph__tick")
    for line in classes(root, "custody-graph__line--cleared"):
        assert line.get("stroke-dasharray")
    for line in classes(root, "custody-graph__line--open"):
        assert line.get("stroke-dasharray") is None


def test_the_list_says_all_that_the_picture_shows() -> None:
    text = graph.alternative(sample())
    assert text.count("<li>") == len(sample().denials) + len(sample().lifted) + 1
    for word in ("MOTHER", "FATHER", "FRIEND", "BROKER", "GRANNY", "ESCORT", "identifier:5"):
        assert word in text


def test_codes_are_escaped() -> None:
    screening = replace(
        sample(),
        screened=(Screened("<b>&", ("household",), "verified", (), True),),
        denials=(),
        lifted=(),
    )
    assert "<b>" not in graph.svg(screening) + graph.alternative(screening)


def test_empty_household_is_drawn() -> None:
    screening = Screening("CASE", 1, MOMENT, (), (Denial("empty", ""),), ())
    assert "no adult lives here" in graph.svg(screening)


@pytest.mark.parametrize("language", ["en", "zh-hans", "vi"])
def test_every_word_fits_its_box_in_a_browser(browser, language) -> None:
    from django.utils.translation import override

    with override(language):
        picture = graph.svg(sample())
    page = browser.new_page()
    page.set_content(picture)
    outside = page.evaluate(
        """() => [...document.querySelectorAll('g')].flatMap(group => {
          const frame = group.querySelector(':scope > rect, :scope > polygon');
          if (!frame) return [];
          const box = frame.getBBox();
          return [...group.querySelectorAll('text')].filter(text => {
            const own = text.getBBox();
            return own.x < box.x || own.x + own.width > box.x + box.width
                || own.y < box.y || own.y + own.height > box.y + box.height;
          }).map(text => text.textContent);
        })"""
    )
    page.close()
    assert outside == []
