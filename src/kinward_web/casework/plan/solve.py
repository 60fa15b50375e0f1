"""The plan: who, then where, then what is missing and why."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from time import monotonic

from kinward_web.casework.plan.choose import choose, points
from kinward_web.casework.plan.house import distances, house, km_matrix
from kinward_web.casework.plan.model import (
    Child,
    Home,
    Obstacle,
    Placing,
    Plan,
    Proof,
    Room,
    Unit,
    Unplaced,
    units_of,
)
from kinward_web.casework.plan.shortfall import home_need, night_need

__all__ = ["make_plan"]

_TO_CHOOSE, _TO_SUFFICE = 0.3, 0.25
"""Shares of the time for choosing who, and for finding what would suffice; the rest is where."""


def make_plan(
    children: Iterable[Child], homes: Iterable[Home], days: int, seconds: float = 9.0
) -> Plan:
    """Return the plan of a night for `days` days.

    The same input gives the same plan as long as `seconds` suffice; where they do not, `proof`
    says how far the plan may be from the best.

    :raises ValueError: fewer than one day, or a child or home listed twice.
    """
    if days < 1:
        raise ValueError("a plan needs at least one day")
    begin = monotonic()
    units = units_of(children)
    every = sorted(homes, key=lambda home: home.key)
    if len({home.key for home in every}) < len(every):
        raise ValueError("a home is listed twice")
    open_homes = [home for home in every if home.receiving]
    choice = choose(units, open_homes, days, seconds * _TO_CHOOSE)
    numbers = sorted(choice.homes)
    chosen = [units[number] for number in numbers]
    known = [choice.homes[number] for number in numbers]
    left_out = [unit for number, unit in enumerate(units) if number not in choice.homes]
    last = begin + seconds * (1 - _TO_SUFFICE if left_out else 1)
    where, km, km_at_least = house(chosen, open_homes, days, known, last - monotonic())
    coming = _coming(chosen, where, len(open_homes))
    for unit, place in _fill(left_out, open_homes, coming, days):
        chosen.append(unit)
        where.append(place)
        left_out.remove(unit)
        km += int(km_matrix([unit], open_homes)[0, place])
    priority = sum(points(unit) for unit in chosen)
    night = night_need(units, open_homes, days, seconds * _TO_SUFFICE) if left_out else None
    return Plan(
        days=days,
        placings=tuple(
            placing
            for unit, place in zip(chosen, where, strict=True)
            for placing in _placings(unit, open_homes, place)
        ),
        unplaced=tuple(
            Unplaced(
                tuple(child.code for child in unit.children),
                _obstacle(unit, open_homes, coming, days),
            )
            for unit in left_out
        ),
        needs=tuple(
            home_need(home, infants, older, days)
            for home, (infants, older) in zip(open_homes, coming, strict=True)
            if infants + older
        ),
        night=night,
        proof=Proof(
            placed=sum(unit.size for unit in chosen),
            at_most=choice.at_most,
            priority=priority,
            priority_at_most=max(priority, choice.points_at_most),
            km=km,
            km_at_least=km_at_least,
            seconds=monotonic() - begin,
        ),
    )


def _coming(units: Sequence[Unit], where: Sequence[int], homes: int) -> list[tuple[int, int]]:
    """Return (infants, older children) that come to each home."""
    rows = [(0, 0)] * homes
    for unit, place in zip(units, where, strict=True):
        infants, older = rows[place]
        rows[place] = infants + unit.infants, older + unit.older
    return rows


def _fill(
    left_out: Sequence[Unit], homes: Sequence[Home], coming: list[tuple[int, int]], days: int
) -> list[tuple[Unit, int]]:
    """Use what is left after all; only a choice cut short by the time leaves anything."""
    added = []
    for unit in left_out:
        for place, home in enumerate(homes):
            room = Room.of(home, days, *coming[place])
            if home.medical_level >= unit.need and not room.blocked_by(home, unit):
                infants, older = coming[place]
                coming[place] = infants + unit.infants, older + unit.older
                added.append((unit, place))
                break
    return added


def _placings(unit: Unit, homes: Sequence[Home], place: int) -> list[Placing]:
    home = homes[place]
    able = [n for n, other in enumerate(homes) if other.medical_level >= unit.need]
    rows = []
    for child in unit.children:
        km = distances(child.origin, homes) if child.origin is not None else None
        rows.append(
            Placing(
                child=child.code,
                home=home.key,
                km=None if km is None else int(km[place]),
                same_region=home.region == child.region,
                need=child.medical_level,
                siblings=unit.size - 1,
                nearer=0 if km is None else int((km[able] < km[place]).sum()),
            )
        )
    return rows


def _obstacle(
    unit: Unit, homes: Sequence[Home], coming: Sequence[tuple[int, int]], days: int
) -> Obstacle:
    """Return why `unit` has no place: what blocks it at every home that has the ability."""
    able = [number for number, home in enumerate(homes) if home.medical_level >= unit.need]
    if not able:
        return Obstacle("no_ability", unit.need, 0, 0, 0, 0)
    before = [Room.of(homes[n], days).blocked_by(homes[n], unit) for n in able]
    code, blocks = "fits_nowhere", before
    if not all(before):
        code = "taken"
        blocks = [Room.of(homes[n], days, *coming[n]).blocked_by(homes[n], unit) for n in able]
    nearest, nearest_km = _nearest(unit, homes, able)
    return Obstacle(
        code=code,
        need=unit.need,
        suitable=len(able),
        by_beds=sum("beds" in block for block in blocks),
        by_carers=sum("carers" in block for block in blocks),
        by_money=sum("money" in block for block in blocks),
        nearest=nearest,
        nearest_km=nearest_km,
    )


def _nearest(
    unit: Unit, homes: Sequence[Home], able: Sequence[int]
) -> tuple[int | None, int | None]:
    child = next((row for row in unit.children if row.origin is not None), None)
    if child is None:
        return None, None
    km = distances(child.origin, homes)
    number = min(able, key=lambda n: (km[n], n))
    return homes[number].key, int(km[number])
