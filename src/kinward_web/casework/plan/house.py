"""Where those chosen go: the least sum of distances, over every home there is.

A small night is solved over all pairs of unit and home. A large one begins with each unit's nearest
homes; the prices of the relaxation show which other pairs could still help, and they are added
until none can, so that the bound holds for all homes. What the solver leaves open within its time
is then improved neighbourhood by neighbourhood.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from time import monotonic

import numpy as np
from scipy.optimize import linear_sum_assignment

from kinward_web.casework.plan.hull import Facet, facets
from kinward_web.casework.plan.milp import LinearAnswer, Model, whole_bound
from kinward_web.casework.plan.model import Home, Position, Room, Unit
from kinward_web.casework.plan.weights import weight

__all__ = ["distances", "house", "km_matrix"]

_NEAREST = 40
_FEW_PAIRS = 4_000
"""Up to so many pairs are all looked at from the start."""
_GOOD_ENOUGH = 0.002
"""Gap below which no neighbourhood is searched any more."""
_SLACK = 1e-6
_EARTH_KM = 6371.0
_UNHAPPY = 12
"""Units at the heart of a neighbourhood, and …"""
_WISHES = 4
"""… how many of their best homes belong to it."""


def km_matrix(units: Sequence[Unit], homes: Sequence[Home]) -> np.ndarray:
    """Return the kilometres of each unit to each home as the objective counts them."""
    costs = np.zeros((len(units), len(homes)), dtype=np.int64)
    regions = np.array([home.region for home in homes])
    no_nurse = np.array([home.medical_level == 0 for home in homes])
    for row, unit in enumerate(units):
        for child in unit.children:
            if child.origin is not None:
                costs[row] += distances(child.origin, homes)
            costs[row] += weight("other_region") * (regions != child.region)
            if not child.examined:
                costs[row] += weight("no_nurse") * no_nurse
    return costs


def distances(origin: Position, homes: Sequence[Home]) -> np.ndarray:
    """Return the great-circle distance from `origin` to each home, in whole kilometres."""
    there = np.radians([(home.position.latitude, home.position.longitude) for home in homes])
    here = np.radians((origin.latitude, origin.longitude))
    half = (there - here) / 2
    chord = np.sin(half[:, 0]) ** 2
    chord += np.cos(here[0]) * np.cos(there[:, 0]) * np.sin(half[:, 1]) ** 2
    km = 2 * _EARTH_KM * np.arcsin(np.minimum(1.0, np.sqrt(chord)))
    return np.rint(km).astype(np.int64)


def house(
    units: Sequence[Unit],
    homes: Sequence[Home],
    days: int,
    known: Sequence[int],
    seconds: float,
) -> tuple[list[int], int, int]:
    """Return the home of each unit, the sum of kilometres, and what it cannot go below.

    :param units: those chosen; all of them fit.
    :param homes: receiving homes.
    :param known: one way to house them, from which to begin.
    """
    if not units:
        return [], 0, 0
    end = monotonic() + seconds
    costs = km_matrix(units, homes)
    task = _Task(units, homes, costs, [Room.of(home, days) for home in homes])
    best = _exchanged(units, costs, known)
    chosen = task.nearest(best)
    at_least = 0
    if not task.small:
        at_least = task.price(chosen, end)
    found, bound = task.solve(chosen, (end - monotonic()) / 2)
    if found is not None and task.km(found) < task.km(best):
        best = found
    if task.small:
        at_least = bound
    if task.km(best) > at_least * (1 + _GOOD_ENOUGH):
        best = _improved(task, best, days, end)
    return best, task.km(best), min(at_least, task.km(best))


def _exchanged(units: Sequence[Unit], costs: np.ndarray, known: Sequence[int]) -> list[int]:
    """Let units of one kind change homes among themselves, as is best."""
    best = list(known)
    by_kind: dict[tuple[int, int, int], list[int]] = defaultdict(list)
    for number, unit in enumerate(units):
        by_kind[unit.kind].append(number)
    for numbers in by_kind.values():
        places = [known[number] for number in numbers]
        rows, columns = linear_sum_assignment(costs[np.ix_(numbers, places)])
        for row, column in zip(rows, columns, strict=True):
            best[numbers[row]] = places[column]
    return best


class _Task:
    """The pairs of unit and home, as a model over those of them that are looked at."""

    def __init__(
        self,
        units: Sequence[Unit],
        homes: Sequence[Home],
        costs: np.ndarray,
        rooms: Sequence[Room],
    ) -> None:
        self.units, self.homes, self.costs = units, homes, costs
        self._rows: list[list[Facet]] = [
            facets(home, room) for home, room in zip(homes, rooms, strict=True)
        ]
        fits = {
            unit.kind: np.array(
                [
                    home.medical_level >= unit.need and not room.blocked_by(home, unit)
                    for home, room in zip(homes, rooms, strict=True)
                ]
            )
            for unit in {unit.kind: unit for unit in units}.values()
        }
        self.able = np.array([fits[unit.kind] for unit in units])
        """Which unit could live in which home if nobody else came."""
        self._infants = np.array([unit.infants for unit in units])
        self._older = np.array([unit.older for unit in units])

    @property
    def small(self) -> bool:
        """Whether all pairs are looked at from the start."""
        return int(self.able.sum()) <= _FEW_PAIRS

    def km(self, found: Sequence[int]) -> int:
        """Return the sum of kilometres of a solution."""
        return int(self.costs[np.arange(len(found)), list(found)].sum())

    def nearest(self, known: Sequence[int]) -> np.ndarray:
        """Return the pairs to begin with: the nearest homes, and those of a known solution."""
        if self.small:
            return self.able.copy()
        chosen = np.zeros(self.able.shape, dtype=bool)
        far = np.iinfo(np.int64).max
        order = np.argsort(np.where(self.able, self.costs, far), axis=1, kind="stable")
        np.put_along_axis(chosen, order[:, :_NEAREST], True, axis=1)
        chosen &= self.able
        chosen[np.arange(len(known)), list(known)] = True
        return chosen

    def _model(self, chosen: np.ndarray) -> tuple[Model, list[tuple[int, int]]]:
        model, pairs = Model(), []
        by_unit: list[list[int]] = [[] for _ in self.units]
        by_home: list[list[tuple[int, int]]] = [[] for _ in self.homes]
        for row, column in zip(*(axis.tolist() for axis in np.nonzero(chosen)), strict=True):
            number = model.variable(float(self.costs[row, column]), 1)
            pairs.append((row, column))
            by_unit[row].append(number)
            by_home[column].append((number, row))
        for numbers in by_unit:
            model.equal([(number, 1.0) for number in numbers], 1)
        for column, numbers in enumerate(by_home):
            for p, q, r in self._rows[column]:
                loads = [
                    (number, float(p * self._infants[row] + q * self._older[row]))
                    for number, row in numbers
                ]
                model.at_most(loads, r)
        return model, pairs

    def _reduced(self, answer: LinearAnswer) -> np.ndarray:
        """Return the reduced cost of every pair: what using it would add to the relaxation."""
        reduced = self.costs - answer.prices_equal[:, None]
        number = 0
        for column, rows in enumerate(self._rows):
            for p, q, _ in rows:
                load = p * self._infants + q * self._older
                reduced[:, column] -= answer.prices_most[number] * load
                number += 1
        return reduced

    def price(self, chosen: np.ndarray, end: float) -> int:
        """Add pairs to `chosen` until none improves the relaxation; return its bound."""
        while monotonic() < end:
            model, _ = self._model(chosen)
            answer = model.relax(end - monotonic())
            if answer is None:
                break
            helpful = self.able & ~chosen & (self._reduced(answer) < -_SLACK)
            if not helpful.any():
                return int(whole_bound(answer.cost))
            chosen |= helpful
        return 0

    def solve(self, chosen: np.ndarray, seconds: float) -> tuple[list[int] | None, int]:
        """Return the best whole-number solution over `chosen` found in time, and its bound."""
        model, pairs = self._model(chosen)
        answer = model.solve(seconds)
        bound = max(0, int(whole_bound(max(answer.at_least, 0.0))))
        if answer.values is None:
            return None, bound
        return [pairs[number][1] for number in np.flatnonzero(answer.values > 0.5)], bound


def _improved(task: _Task, known: list[int], days: int, end: float) -> list[int]:
    """Solve one neighbourhood after another until a whole round brings nothing."""
    best = list(known)
    ideal = np.where(task.able, task.costs, np.iinfo(np.int64).max).min(axis=1)
    while monotonic() < end:
        before = task.km(best)
        regret = task.costs[np.arange(len(best)), best] - ideal
        unhappy = [int(row) for row in np.argsort(-regret, kind="stable") if regret[row] > 0]
        for start in range(0, len(unhappy), _UNHAPPY):
            if monotonic() >= end:
                break
            _improve_around(task, best, unhappy[start : start + _UNHAPPY], days, end)
        if task.km(best) == before:
            break
    return best


def _improve_around(
    task: _Task, best: list[int], heart: Sequence[int], days: int, end: float
) -> None:
    """Rehouse the units of `heart` and whoever lives in the homes that suit them better."""
    wished = set()
    for row in heart:
        better = np.flatnonzero(task.able[row] & (task.costs[row] < task.costs[row, best[row]]))
        wished |= set(better[np.argsort(task.costs[row, better], kind="stable")][:_WISHES].tolist())
    free = [row for row in range(len(best)) if row in set(heart) or best[row] in wished]
    places = sorted(wished | {best[row] for row in free})
    present = dict.fromkeys(places, (0, 0))
    moving = set(free)
    for row, place in enumerate(best):
        if place in present and row not in moving:
            infants, older = present[place]
            unit = task.units[row]
            present[place] = infants + unit.infants, older + unit.older
    part = _Task(
        [task.units[row] for row in free],
        [task.homes[place] for place in places],
        task.costs[np.ix_(free, places)],
        [Room.of(task.homes[place], days, *present[place]) for place in places],
    )
    here = [places.index(best[row]) for row in free]
    found, _ = part.solve(part.nearest(here), min(2.0, end - monotonic()))
    if found is not None and part.km(found) < part.km(here):
        for row, place in zip(free, found, strict=True):
            best[row] = places[place]
