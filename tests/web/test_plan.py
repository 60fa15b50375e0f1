"""The plan of a night against brute force: the best, no rule broken, every reason true."""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import product

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from kinward_web.casework.plan import Child, Home, Plan, Position, make_plan
from kinward_web.casework.plan.choose import points
from kinward_web.casework.plan.house import km_matrix
from kinward_web.casework.plan.hull import facets
from kinward_web.casework.plan.model import INFANT_DAYS, Room, Unit, units_of
from kinward_web.casework.plan.shortfall import home_need
from kinward_web.casework.plan.weights import WEIGHTS, weight

POSITIONS = st.builds(
    Position, st.sampled_from((23.0, 25.0, 34.7)), st.sampled_from((102.7, 113.6, 116.4))
)
REGIONS = st.sampled_from(("Henan", "Yunnan"))
few = settings(
    max_examples=120, deadline=None, suppress_health_check=[HealthCheck.too_slow], derandomize=True
)


@st.composite
def nights(draw: st.DrawFn) -> tuple[list[Child], list[Home], int]:
    children = [
        Child(
            code=f"C{number}",
            youngest_days=draw(st.sampled_from((None, 30, INFANT_DAYS - 1, INFANT_DAYS, 3000))),
            medical_level=draw(st.sampled_from((0, 0, 1, 3))),
            examined=draw(st.booleans()),
            siblings=draw(st.sampled_from(("", "", "S"))),
            origin=draw(st.none() | POSITIONS),
            region=draw(REGIONS),
        )
        for number in range(draw(st.integers(0, 5)))
    ]
    homes = [
        Home(
            key=number,
            name=f"Home {number}",
            region=draw(REGIONS),
            position=draw(POSITIONS),
            medical_level=draw(st.sampled_from((0, 1, 3))),
            beds=draw(st.integers(0, 5)),
            carers=draw(st.integers(0, 2)),
            infants_per_carer=draw(st.integers(1, 3)),
            children_per_carer=draw(st.integers(2, 5)),
            cost=draw(st.sampled_from((0, 100, 250))),
            money=draw(st.integers(0, 5000)),
            infants=draw(st.integers(0, 1)),
            older=draw(st.integers(0, 2)),
            receiving=draw(st.sampled_from((True, True, True, False))),
        )
        for number in range(draw(st.integers(0, 3)))
    ]
    return children, homes, draw(st.sampled_from((1, 3, 10)))


@dataclass(frozen=True)
class Best:
    """What brute force finds."""

    placed: int
    points: int


def fits(home: Home, units: list[Unit], days: int) -> bool:
    """The definition: beds, carers and money, children already there included."""
    if not units:
        return True
    infants = home.infants + sum(unit.infants for unit in units)
    older = home.older + sum(unit.older for unit in units)
    return (
        home.receiving
        and all(child.medical_level <= home.medical_level for u in units for child in u.children)
        and infants + older <= home.beds
        and infants / home.infants_per_carer + older / home.children_per_carer <= home.carers + 1e-9
        and (not home.cost or (infants + older) * home.cost * days <= home.money)
    )


def assignments(units: list[Unit], homes: list[Home], days: int):
    """Every way to house some of the units."""
    for choice in product(range(-1, len(homes)), repeat=len(units)):
        at = [
            [u for u, place in zip(units, choice, strict=True) if place == n]
            for n in range(len(homes))
        ]
        if all(fits(home, here, days) for home, here in zip(homes, at, strict=True)):
            yield choice


def brute(units: list[Unit], homes: list[Home], days: int) -> Best:
    ranked = [
        (
            sum(unit.size for unit, place in zip(units, choice, strict=True) if place >= 0),
            sum(points(unit) for unit, place in zip(units, choice, strict=True) if place >= 0),
        )
        for choice in assignments(units, homes, days)
    ]
    return Best(*max(ranked))


def where_of(plan: Plan) -> dict[str, int]:
    return {row.child: row.home for row in plan.placings}


@few
@given(nights())
def test_the_plan_is_the_best_there_is(night: tuple[list[Child], list[Home], int]) -> None:
    children, homes, days = night
    units = units_of(children)
    plan = make_plan(children, homes, days)
    best = brute(units, homes, days)
    assert (plan.proof.placed, plan.proof.priority) == (best.placed, best.points)
    assert plan.proof.best
    # Of all ways to house those chosen, none has fewer kilometres.
    where = where_of(plan)
    chosen = [unit for unit in units if unit.children[0].code in where]
    costs = km_matrix(chosen, homes) if homes else None
    least = min(
        sum(int(costs[row, place]) for row, place in enumerate(choice))
        for choice in assignments(chosen, homes, days)
        if -1 not in choice
    )
    assert plan.proof.km == least


@few
@given(nights())
def test_no_rule_is_broken_and_nobody_is_forgotten(
    night: tuple[list[Child], list[Home], int],
) -> None:
    children, homes, days = night
    plan = make_plan(children, homes, days)
    where = where_of(plan)
    left = [code for row in plan.unplaced for code in row.children]
    assert sorted([*where, *left]) == sorted(child.code for child in children)
    for unit in units_of(children):
        assert len({where.get(child.code) for child in unit.children}) == 1, "siblings apart"
    for home in homes:
        here = [u for u in units_of(children) if where.get(u.children[0].code) == home.key]
        assert fits(home, here, days)
    for need in plan.needs:
        assert not need.short


@few
@given(nights())
def test_every_reason_is_true(night: tuple[list[Child], list[Home], int]) -> None:
    children, homes, days = night
    plan = make_plan(children, homes, days)
    where = where_of(plan)
    units = units_of(children)
    for row in plan.unplaced:
        unit = next(unit for unit in units if unit.children[0].code == row.children[0])
        able = [h for h in homes if h.receiving and h.medical_level >= unit.need]
        alone = [home for home in able if fits(home, [unit], days)]
        obstacle = row.obstacle
        assert obstacle.suitable == len(able)
        assert obstacle.code == ("no_ability" if not able else "taken" if alone else "fits_nowhere")
        for home in able:
            present = [u for u in units if where.get(u.children[0].code) == home.key]
            assert not fits(home, [*present, unit], days), "there was room"
        crowd = [
            (home, [u for u in units if where.get(u.children[0].code) == home.key])
            if obstacle.code == "taken"
            else (home, [])
            for home in able
        ]
        needs = [
            home_need(
                home,
                sum(u.infants for u in [*here, unit]),
                sum(u.older for u in [*here, unit]),
                days,
            )
            for home, here in crowd
        ]
        assert obstacle.by_beds == sum(bool(need.beds_short) for need in needs)
        assert obstacle.by_carers == sum(bool(need.carers_short) for need in needs)
        assert obstacle.by_money == sum(bool(need.money_short) for need in needs)


def price(need: dict[str, int]) -> int:
    return sum(weight(key) * amount for key, amount in need.items())


@few
@given(nights())
def test_the_shortfall_suffices_and_nothing_less_does(
    night: tuple[list[Child], list[Home], int],
) -> None:
    children, homes, days = night
    plan = make_plan(children, homes, days)
    if plan.night is None:
        assert not plan.unplaced
        return
    receiving = [home for home in homes if home.receiving]
    top = max((home.medical_level for home in receiving), default=-1)
    units = [unit for unit in units_of(children) if unit.need <= top]
    out_of_reach = sum(len(unit.children) for unit in units_of(children) if unit.need > top)
    assert sum(count for _, count in plan.night.to_open) == out_of_reach
    assert sum(need.coming for need in plan.night.homes) == sum(unit.size for unit in units)
    assert plan.night.proven
    # Give every home exactly what the sentence asks for: now everyone has a place.
    needs = {need.home: need for need in plan.night.homes}
    helped = [
        replace(
            home,
            beds=home.beds + needs[home.key].beds_short,
            carers=home.carers + needs[home.key].carers_short,
            money=home.money + needs[home.key].money_short,
        )
        if home.key in needs
        else home
        for home in homes
    ]
    again = make_plan([child for unit in units for child in unit.children], helped, days)
    assert not again.unplaced
    assert price_of(plan) == min(
        sum(home_price(home, here, days) for home, here in zip(receiving, at, strict=True))
        for at in ways(units, receiving)
    )


def ways(units: list[Unit], homes: list[Home]):
    """Every way to house all units where the ability suffices, room or not."""
    for choice in product(range(len(homes)), repeat=len(units)):
        if all(homes[p].medical_level >= u.need for u, p in zip(units, choice, strict=True)):
            yield [
                [u for u, place in zip(units, choice, strict=True) if place == n]
                for n in range(len(homes))
            ]


def home_price(home: Home, units: list[Unit], days: int) -> int:
    before = home_need(home, 0, 0, days)
    after = home_need(home, sum(u.infants for u in units), sum(u.older for u in units), days)
    each = home.cost * days
    room = max(0, home.money - before.money_needed) // each if each else after.coming
    return price(
        {
            "bed": after.beds_short - before.beds_short,
            "carer": after.carers_short - before.carers_short,
            "stay": max(0, after.coming - room),
        }
    )


def price_of(plan: Plan) -> int:
    assert plan.night is not None
    total = 0
    for need in plan.night.homes:
        each = need.money_needed // need.children if need.children else 0
        paid = need.there * each
        room = max(0, need.money - paid) // each if each else need.coming
        total += price(
            {
                "bed": need.beds_short - need.beds_short_before,
                "carer": need.carers_short - need.carers_short_before,
                "stay": max(0, need.coming - room),
            }
        )
    return total


@few
@given(st.data())
def test_the_hull_has_exactly_the_numbers_that_fit(data: st.DataObject) -> None:
    room = Room(*(data.draw(st.integers(0, 12)) for _ in range(3)))
    home = Home(
        1, "H", "", Position(0, 0), 0, 0, 0,
        data.draw(st.integers(1, 5)), data.draw(st.integers(1, 7)), 1, 0,
    )  # fmt: skip
    a, b, _ = home.load_unit
    for infants, older in product(range(14), repeat=2):
        truly = (
            infants + older <= min(room.beds, room.paid) and a * infants + b * older <= room.load
        )
        by_rows = all(p * infants + q * older <= r for p, q, r in facets(home, room))
        assert truly == by_rows


def home(key: int = 1, **changes: object) -> Home:
    base = Home(key, "Qujing", "Yunnan", Position(25.5, 103.8), 1, 10, 2, 3, 6, 8000, 10**9)
    return replace(base, **changes)


def test_siblings_of_five_that_fit_nowhere_are_named_so() -> None:
    five = [Child(f"C{n}", 4000, siblings="S") for n in range(5)]
    plan = make_plan([*five, Child("D", 4000)], [home(1, beds=4), home(2, beds=4)], 30)
    assert where_of(plan) == {"D": 1}
    (row,) = plan.unplaced
    assert (row.children, row.obstacle.code) == (("C0", "C1", "C2", "C3", "C4"), "fits_nowhere")
    assert (row.obstacle.by_beds, row.obstacle.by_carers) == (2, 0)
    assert plan.night is not None
    assert plan.night.beds == 1


def test_the_sentence_of_2011() -> None:
    infants = [Child(f"C{n}", 100) for n in range(12)]
    plan = make_plan(infants, [home(beds=20, carers=3, money=12 * 8000 * 30 - 5)], 30)
    assert plan.proof.placed == 9
    assert plan.night is not None
    (need,) = plan.night.homes
    assert (need.children, need.days, need.carers_needed, need.money_needed) == (
        12, 30, 4, 2_880_000,
    )  # fmt: skip
    assert (need.carers_short, need.money_short, need.beds_short) == (1, 5, 0)
    assert plan.night.money == (("CNY", 5),)


def test_medical_need_goes_before_age_and_age_before_distance() -> None:
    ill = Child("A", 4000, medical_level=1, examined=True)
    baby, near = Child("B", 30), Child("C", 800, origin=Position(25.5, 103.8))
    for beds, expected in ((1, {"A"}), (2, {"A", "B"}), (3, {"A", "B", "C"})):
        plan = make_plan([near, baby, ill], [home(beds=beds)], 1)
        assert set(where_of(plan)) == expected


def test_the_same_night_gives_the_same_plan_in_any_order() -> None:
    children = [
        Child(f"C{n:02}", 200 * n, origin=Position(25 + n % 3, 103), siblings="S" if n < 3 else "")
        for n in range(20)
    ]
    homes = [home(n, beds=4, position=Position(25 + n / 10, 103.8)) for n in range(4)]
    first = make_plan(children, homes, 3)
    second = make_plan(reversed(children), reversed(homes), 3)
    assert first.placings == second.placings
    assert first.unplaced == second.unplaced


def test_every_weight_has_a_reason() -> None:
    assert len({row.key for row in WEIGHTS}) == len(WEIGHTS)
    assert all(row.value > 0 and row.reason and row.label for row in WEIGHTS)


def test_a_child_or_home_listed_twice_is_refused() -> None:
    with pytest.raises(ValueError, match="C1 is listed twice"):
        make_plan([Child("C1"), Child("C1")], [home()], 1)
    with pytest.raises(ValueError, match="home"):
        make_plan([], [home(), home()], 1)
    with pytest.raises(ValueError, match="one day"):
        make_plan([], [], 0)
