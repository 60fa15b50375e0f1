"""What would suffice: the least beds, carers and money with which everyone could be placed.

Every home may be given more than it has; the model pays for that by the ranks of the table of
weights, then, at the same price, sends children to nearer homes.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

import numpy as np

from kinward_web.casework.plan.house import km_matrix
from kinward_web.casework.plan.milp import Answer, Model, whole_bound
from kinward_web.casework.plan.model import Home, HomeNeed, NightNeed, Unit
from kinward_web.casework.plan.weights import weight

__all__ = ["home_need", "night_need"]

_Slack = tuple[int, int, int]
"""Variables of one home: beds, carers and paid stays that would have to be found."""


def home_need(home: Home, infants: int, older: int, days: int) -> HomeNeed:
    """Return what `home` needs if so many children come, and what it lacks then."""
    there = home.infants + home.older
    return HomeNeed(
        home=home.key,
        there=there,
        coming=infants + older,
        days=days,
        carers_needed=home.carers_for(home.infants + infants, home.older + older),
        carers=home.carers,
        money_needed=home.money_for(there + infants + older, days),
        money=home.money,
        currency=home.currency,
        beds=home.beds,
        carers_short_before=max(0, home.carers_for(home.infants, home.older) - home.carers),
        beds_short_before=max(0, there - home.beds),
        money_short_before=max(0, home.money_for(there, days) - home.money),
    )


def night_need(
    units: Sequence[Unit], homes: Sequence[Home], days: int, seconds: float
) -> NightNeed:
    """Return the least that would suffice to place all `units`.

    Children whose medical need no home can meet are listed apart: no bed helps them.
    """
    best_level = max((home.medical_level for home in homes), default=-1)
    to_open: dict[int, int] = defaultdict(int)
    housed: list[Unit] = []
    for unit in units:
        if unit.need > best_level:
            to_open[unit.need] += unit.size
        else:
            housed.append(unit)
    model = _Relaxation(housed, homes, days)
    first = model.solve(seconds / 2)
    found, proven = first, first.values is not None and model.proves(first)
    if first.values is not None:
        model.prefer_nearer(first)
        second = model.solve(seconds / 2)
        found = second if second.values is not None else first
    needs = tuple(model.needs(found)) if found.values is not None else ()
    money: dict[str, int] = defaultdict(int)
    for need in needs:
        money[need.currency] += need.money_short - need.money_short_before
    return NightNeed(
        beds=sum(need.beds_short - need.beds_short_before for need in needs),
        carers=sum(need.carers_short - need.carers_short_before for need in needs),
        money=tuple(sorted((code, amount) for code, amount in money.items() if amount)),
        homes=needs,
        to_open=tuple(sorted(to_open.items())),
        proven=proven,
    )


class _Relaxation:
    """Units of each kind counted at each home, with slack on everything a home lacks."""

    def __init__(self, units: Sequence[Unit], homes: Sequence[Home], days: int) -> None:
        self._homes, self._days = homes, days
        self._model = Model()
        self._counts: dict[tuple[tuple[int, int, int], int], int] = {}
        self._members: dict[tuple[int, int, int], list[Unit]] = defaultdict(list)
        for unit in units:
            self._members[unit.kind].append(unit)
        for kind, members in self._members.items():
            columns = []
            for place, home in enumerate(homes):
                if home.medical_level >= kind[2]:
                    column = self._model.variable(0, len(members))
                    self._counts[kind, place] = column
                    columns.append((column, 1.0))
            self._model.equal(columns, len(members))
        at_home: dict[int, list[tuple[tuple[int, int, int], int]]] = defaultdict(list)
        for (kind, place), column in self._counts.items():
            at_home[place].append((kind, column))
        self._slack = {
            place: self._bound_home(place, columns) for place, columns in at_home.items()
        }

    def _bound_home(
        self, place: int, columns: Sequence[tuple[tuple[int, int, int], int]]
    ) -> _Slack:
        """Let a home take more than it has, at a price for what is missing after tonight only."""
        home, model = self._homes[place], self._model
        before = home_need(home, 0, 0, self._days)
        beds = model.variable(weight("bed"), whole=False)
        carers = model.variable(weight("carer"))
        stays = model.variable(weight("stay"), whole=False)
        heads = [(column, float(kind[0] + kind[1])) for kind, column in columns]
        model.at_most([*heads, (beds, -1.0)], max(0, home.beds - before.there))
        per_infant, per_older, per_carer = home.load_unit
        load = [
            (column, float(kind[0] * per_infant + kind[1] * per_older)) for kind, column in columns
        ]
        there = home.infants * per_infant + home.older * per_older
        carers_there = home.carers + before.carers_short_before
        model.at_most([*load, (carers, -float(per_carer))], carers_there * per_carer - there)
        each = home.cost * self._days
        if each:
            paid = max(0, home.money - before.money_needed) // each
            model.at_most([*heads, (stays, -1.0)], paid)
        return beds, carers, stays

    def solve(self, seconds: float) -> Answer:
        """Solve the model as it stands."""
        counts = np.zeros(len(self._model.costs), dtype=bool)
        counts[list(self._counts.values())] = True
        return self._model.settle(seconds, counts)

    def _price(self, answer: Answer) -> float:
        keys = ("bed", "carer", "stay")
        return sum(
            weight(key) * float(answer.values[column])
            for columns in self._slack.values()
            for key, column in zip(keys, columns, strict=True)
        )

    def proves(self, answer: Answer) -> bool:
        """Whether no smaller price suffices."""
        return self._price(answer) <= whole_bound(answer.at_least)

    def prefer_nearer(self, answer: Answer) -> None:
        """Give every home what the answer gives it, and minimise distances from now on."""
        for columns in self._slack.values():
            for column in columns:
                self._model.upper[column] = float(np.ceil(answer.values[column] - 1e-6))
        self._model.costs = [0.0] * len(self._model.costs)
        for kind, members in self._members.items():
            mean = km_matrix(members, self._homes).mean(axis=0)
            for place in range(len(self._homes)):
                if (kind, place) in self._counts:
                    self._model.costs[self._counts[kind, place]] = float(np.rint(mean[place]))

    def needs(self, answer: Answer) -> list[HomeNeed]:
        """Return what each home needs that would receive children."""
        coming: dict[int, list[int]] = defaultdict(lambda: [0, 0])
        for (kind, place), column in self._counts.items():
            count = int(answer.values[column])
            coming[place][0] += count * kind[0]
            coming[place][1] += count * kind[1]
        return [
            home_need(self._homes[place], infants, older, self._days)
            for place, (infants, older) in sorted(coming.items())
            if infants + older
        ]
