"""A mixed-integer model built row by row, solved by HiGHS."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from time import monotonic

import numpy as np
from scipy.optimize import Bounds, LinearConstraint, linprog, milp
from scipy.sparse import csr_array

__all__ = ["Answer", "LinearAnswer", "Model", "whole_bound"]

Term = tuple[int, float]
"""(variable, coefficient)."""
_ROUNDING = 1e-6


@dataclass(frozen=True, slots=True)
class Answer:
    """The best solution found, and what no solution can go below."""

    values: np.ndarray | None
    """None if none was found in time, or there is none."""
    at_least: float
    """Bound of the minimum; minus infinity if nothing is proved."""


@dataclass(frozen=True, slots=True)
class LinearAnswer:
    """The solution of the relaxation, with the price of every row."""

    values: np.ndarray
    cost: float
    prices_equal: np.ndarray
    prices_most: np.ndarray


@dataclass(slots=True)
class Model:
    """Minimise a cost over variables ≥ 0 under rows `= r` and `≤ r`."""

    costs: list[float] = field(default_factory=list)
    upper: list[float] = field(default_factory=list)
    whole: list[bool] = field(default_factory=list)
    _equal: list[tuple[list[Term], float]] = field(default_factory=list)
    _most: list[tuple[list[Term], float]] = field(default_factory=list)

    def variable(self, cost: float = 0, upper: float = np.inf, whole: bool = True) -> int:
        """Add a variable and return its number."""
        self.costs.append(cost)
        self.upper.append(upper)
        self.whole.append(whole)
        return len(self.costs) - 1

    def equal(self, terms: Iterable[Term], right: float) -> int:
        """Add the row Σ terms = right and return its number among these."""
        self._equal.append((list(terms), right))
        return len(self._equal) - 1

    def at_most(self, terms: Iterable[Term], right: float) -> int:
        """Add the row Σ terms ≤ right and return its number among these."""
        self._most.append((list(terms), right))
        return len(self._most) - 1

    def _matrix(self, rows: list[tuple[list[Term], float]]) -> tuple[csr_array, np.ndarray]:
        counts = [len(terms) for terms, _ in rows]
        columns = np.fromiter((column for terms, _ in rows for column, _ in terms), dtype=np.int64)
        data = np.fromiter((value for terms, _ in rows for _, value in terms), dtype=float)
        starts = np.concatenate(([0], np.cumsum(counts)))
        matrix = csr_array((data, columns, starts), shape=(len(rows), len(self.costs)))
        return matrix, np.array([right for _, right in rows], dtype=float)

    def solve(self, seconds: float, from_below: np.ndarray | None = None) -> Answer:
        """Return the best whole-number solution found within `seconds`, with its bound.

        :param from_below: least value of each variable; the bound then holds under these only.
        """
        if not self.costs:
            return Answer(np.zeros(0), 0.0)
        constraints = []
        for rows, lowest in ((self._equal, None), (self._most, -np.inf)):
            if rows:
                matrix, right = self._matrix(rows)
                left = right if lowest is None else np.full(len(rows), lowest)
                constraints.append(LinearConstraint(matrix, left, right))
        found = milp(
            np.array(self.costs),
            integrality=np.array(self.whole, dtype=int),
            bounds=Bounds(0 if from_below is None else from_below, np.array(self.upper)),
            constraints=constraints,
            options={"time_limit": max(seconds, 0.05), "mip_rel_gap": 0.0},
        )
        bound = found.mip_dual_bound
        at_least = -np.inf if bound is None or np.isnan(bound) else float(bound)
        if found.x is None:
            return Answer(None, at_least)
        if found.status == 0:
            # Optimal; a model without whole variables has no bound of its own.
            at_least = max(at_least, float(found.fun))
        return Answer(np.where(self.whole, np.rint(found.x), found.x), at_least)

    def cost(self, values: np.ndarray) -> float:
        """Return what a solution costs."""
        return float(np.dot(self.costs, values))

    def dive(self, answer: LinearAnswer, seconds: float, fixed: np.ndarray) -> Answer:
        """Return a good solution near that of the relaxation, with the relaxation's bound.

        :param fixed: which variables keep the whole part of their value as their least.
        """
        below = np.where(fixed, np.floor(answer.values + _ROUNDING), 0.0)
        return Answer(self.solve(seconds, np.minimum(below, self.upper)).values, answer.cost)

    def settle(self, seconds: float, fixed: np.ndarray) -> Answer:
        """Return the better of a dive and a full search, with the better bound of the two."""
        end = monotonic() + seconds
        relaxed = self.relax(seconds)
        if relaxed is None:
            return self.solve(end - monotonic())
        dived = self.dive(relaxed, (end - monotonic()) / 2, fixed)
        at_least = whole_bound(relaxed.cost) if self._counts_whole() else relaxed.cost
        if dived.values is not None and self.cost(dived.values) <= at_least:
            return Answer(dived.values, at_least)
        full = self.solve(end - monotonic())
        found = [answer.values for answer in (dived, full) if answer.values is not None]
        best = min(found, key=self.cost, default=None)
        return Answer(best, max(at_least, full.at_least))

    def _counts_whole(self) -> bool:
        """Whether every solution costs a whole number."""
        return all(cost == int(cost) for cost in self.costs)

    def relax(self, seconds: float) -> LinearAnswer | None:
        """Return the solution in fractions, or None if there is none in time."""
        if not self.costs:
            return LinearAnswer(np.zeros(0), 0.0, np.zeros(0), np.zeros(0))
        matrix_equal, right_equal = self._matrix(self._equal)
        matrix_most, right_most = self._matrix(self._most)
        found = linprog(
            np.array(self.costs),
            A_ub=matrix_most if len(right_most) else None,
            b_ub=right_most if len(right_most) else None,
            A_eq=matrix_equal if len(right_equal) else None,
            b_eq=right_equal if len(right_equal) else None,
            bounds=np.column_stack((np.zeros(len(self.upper)), self.upper)),
            method="highs",
            options={"time_limit": max(seconds, 0.05)},
        )
        if not found.success:
            return None
        return LinearAnswer(
            found.x, float(found.fun), found.eqlin.marginals, found.ineqlin.marginals
        )


def whole_bound(at_least: float) -> float:
    """Round the bound of a minimum of whole numbers up, tolerating the solver's rounding."""
    return float(np.ceil(at_least - _ROUNDING * max(1.0, abs(at_least))))
