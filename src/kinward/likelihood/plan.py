"""Elimination planned once per shape: the order of sums, as rows that the kernel executes.

A plan knows sizes but no probabilities, so one plan serves all families and loci of its shape
with equally many alleles. Ties of founder alleles (theta) become several programs of one plan.
"""

from __future__ import annotations

import itertools
import math
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from kinward.errors import TooLargeError
from kinward.likelihood.fill import FILL_WIDTH, fill_row, founder_row
from kinward.likelihood.genome import Shape
from kinward.likelihood.kernel import FINAL_WIDTH, MAX_DIMENSIONS, STEP_HEAD, STEP_WIDTH
from kinward.likelihood.network import (
    Descent,
    Factor,
    Network,
    Variable,
    build_network,
    partitions,
)

__all__ = ["Plan", "make_plan", "plan_network"]

MAX_TABLE = 1 << 27
"""Largest intermediate table, in numbers: 1 GiB."""

MAX_PROGRAMS = 10_000
"""Most eliminations that one plan sums over; some seconds of planning, once per shape."""


_Rule = Literal["product", "result", "growth"]
_RULES: tuple[_Rule, ...] = ("product", "result", "growth")
"""Which variable to eliminate next: that whose factors' product is smallest, or what remains of
it, or what remains less the tables that it replaces. None of them is always best."""


@dataclass(frozen=True, slots=True, eq=False)
class Plan:
    """Rows for `fill.fill` and `kernel.execute`.

    `network` holds the factors to fill, in the order of the first buffers; `typed` the typed
    genomes in the order in which their alleles are given. Per factor: `fills` see `fill`,
    `inbreeding` of its child, `sizes` of its table, `laned` whether it differs from lane to lane,
    `same` the first factor with the same table, which is filled once.
    `founders` (typed founders, 2) see `fill.founder_row`, with their `founder_inbreeding`.
    `steps` are all programs' rows, program i being rows starts[i] to starts[i + 1]. Per program,
    (programs,): `draws` of founder alleles, `exponent` of theta, and `factor`, the product of
    (block size - 1)! and of the probabilities that inbred founders are, or are not, of one draw.
    `final` per program: buffer, number of variables, then size and stride in the result of each.
    `observed` are the positions of factors that `fill` leaves alone. `result_shape` is the shape of
    the result, one axis per target variable, of `entries` numbers; `temporary` the largest number
    of table entries of any program beyond the factors; `work` the number of products that all of
    them sum.
    """

    network: Network
    typed: tuple[int, ...]
    fills: NDArray[np.int64]
    inbreeding: NDArray[np.float64]
    sizes: NDArray[np.int64]
    laned: NDArray[np.bool_]
    same: NDArray[np.int64]
    founders: NDArray[np.int64]
    founder_inbreeding: NDArray[np.float64]
    steps: NDArray[np.int64]
    starts: NDArray[np.int64]
    draws: NDArray[np.int64]
    exponent: NDArray[np.int64]
    factor: NDArray[np.float64]
    final: NDArray[np.int64]
    observed: tuple[int, ...]
    result_shape: tuple[int, ...]
    entries: int
    temporary: int
    work: int


def _domain(variable: Variable, alleles: int, shape: Shape, network: Network) -> int:
    if variable.kind == "allele":
        return alleles
    if variable.kind == "selector":
        return 2
    if variable.genome in network.oriented:
        return 1
    return 1 if shape.x_linked and shape.male[variable.genome] else 2


def _laned(factor: Factor, *, model_laned: bool, counted: bool) -> bool:
    """Return whether a factor differs from lane to lane."""
    if factor.kind in ("observed", "phase", "hand_typed"):
        return True
    if factor.kind == "base":
        return model_laned or counted
    if factor.kind == "inbred":
        return model_laned
    on_phase = factor.variables[-1].kind == "phase"
    return on_phase or (model_laned and factor.kind != "hand_copy")


@lru_cache(maxsize=4096)
def make_plan(shape: Shape, alleles: int, *, theta: bool, model_laned: bool) -> Plan:
    """Plan the elimination for a shape with this many alleles per locus.

    `theta`: founder alleles are tied in every possible way; `model_laned`: frequencies and
    mutation differ from lane to lane. Raises TooLargeError if theta has too many founder alleles
    to tie or a table would pass MAX_TABLE entries.
    """
    network = build_network(shape, theta=theta)
    return plan_network(shape, network, alleles, theta=theta, model_laned=model_laned)


def plan_network(
    shape: Shape, network: Network, alleles: int, *, theta: bool, model_laned: bool
) -> Plan:
    """Plan the elimination of a network of the shape; see `make_plan`."""
    counted = theta and bool(network.typed_founders)
    domains = {
        variable: _domain(variable, alleles, shape, network)
        for variable in (*network.target, *(v for f in network.factors for v in f.variables))
    }
    ties = [tie for descent in network.descents for tie in _ties(descent, theta=theta)]
    if len(ties) > MAX_PROGRAMS:
        raise TooLargeError(
            f"theta above 0 with {len(ties)} ways of descent and of sharing founder alleles: the "
            f"exact sum is offered up to {MAX_PROGRAMS}; set theta to 0 or type a founder"
        )
    # With ties there are thousands of programs, all small; otherwise one, whose order matters.
    rules = _RULES if len(ties) == 1 else _RULES[:1]
    programs = [_cheapest(network, tie, domains, rules) for tie in ties]
    steps = [row for program in programs for row in program.steps]
    starts = np.cumsum([0, *(len(program.steps) for program in programs)])
    typed = tuple(g for g, status in enumerate(shape.status) if status == "phased")
    place = {genome: at for at, genome in enumerate(typed)}
    fills = [fill_row(shape, f, place, _phases(f, domains)) for f in network.factors]
    inbreeding = [_inbreeding(shape, f) for f in network.factors]
    founders = [founder_row(shape, genome, place) for genome in network.typed_founders]
    return Plan(
        network,
        typed,
        np.array(fills, dtype=np.int64).reshape(-1, FILL_WIDTH),
        np.array(inbreeding, dtype=np.float64),
        np.array([_size(f.variables, domains) for f in network.factors], dtype=np.int64),
        np.array(
            [_laned(f, model_laned=model_laned, counted=counted) for f in network.factors],
            dtype=np.bool_,
        ),
        np.array(_same(network.factors, fills, inbreeding), dtype=np.int64),
        np.array(founders, dtype=np.int64).reshape(-1, 2),
        np.array([shape.inbreeding[g] for g in network.typed_founders], dtype=np.float64),
        np.array(steps, dtype=np.int64).reshape(-1, STEP_WIDTH),
        starts.astype(np.int64),
        np.array([tie.draws for tie in ties], dtype=np.int64),
        np.array([tie.exponent for tie in ties], dtype=np.int64),
        np.array([tie.factor for tie in ties], dtype=np.float64),
        np.array([program.final for program in programs], dtype=np.int64),
        tuple(at for at, factor in enumerate(network.factors) if factor.kind == "observed"),
        tuple(domains[v] for v in network.target),
        _size(network.target, domains),
        max(program.temporary for program in programs),
        sum(program.work for program in programs),
    )


def _same(
    factors: Sequence[Factor], fills: Sequence[Sequence[int]], inbreeding: Sequence[float]
) -> list[int]:
    """Return for each factor the first one whose table is the same for every model."""
    first: dict[object, int] = {}
    return [
        at
        if factor.kind == "observed"
        else first.setdefault((tuple(fills[at]), inbreeding[at]), at)
        for at, factor in enumerate(factors)
    ]


def _size(variables: Sequence[Variable], domains: Mapping[Variable, int]) -> int:
    return math.prod(domains[v] for v in variables)


def _inbreeding(shape: Shape, factor: Factor) -> float:
    return shape.inbreeding[factor.child] if factor.kind == "inbred" else 0.0


def _phases(factor: Factor, domains: Mapping[Variable, int]) -> int:
    """Return the number of phases of a factor's result; 0 if that is an allele."""
    result = factor.variables[-1]
    return domains[result] if result.kind == "phase" else 0


@dataclass(frozen=True, slots=True)
class _Tie:
    """One way of tying a descent's founder alleles: the block of each, and the constants."""

    factors: tuple[int, ...]
    block: Mapping[Variable, int]
    factor: float
    draws: int = 0
    exponent: int = 0


def _ties(descent: Descent, *, theta: bool) -> Iterator[_Tie]:
    """Yield every partition of the draws, for every choice of inbred founders of one draw."""
    if not theta:
        yield _Tie(descent.factors, {}, descent.chance)
        return
    for single in itertools.product((True, False), repeat=len(descent.inbred_pairs)):
        chance = descent.chance
        copies: dict[Variable, Variable] = {}
        for one_draw, (first, second, inbreeding) in zip(single, descent.inbred_pairs, strict=True):
            chance *= inbreeding if one_draw else 1.0 - inbreeding
            if one_draw:
                copies[second] = first
        if not chance:
            continue
        drawn = [variable for variable in descent.draws if variable not in copies]
        for partition in partitions(len(drawn)):
            block = dict(zip(drawn, partition, strict=True))
            block.update({second: block[first] for second, first in copies.items()})
            sizes = Counter(partition).values()
            factor = chance * math.prod(math.factorial(size - 1) for size in sizes)
            yield _Tie(descent.factors, block, factor, len(drawn), len(drawn) - len(sizes))


@dataclass(slots=True)
class _Program:
    steps: list[list[int]]
    final: list[int]
    temporary: int
    work: int


@dataclass(slots=True)
class _Table:
    buffer: int
    variables: tuple[Variable, ...]


def _cheapest(
    network: Network, tie: _Tie, domains: Mapping[Variable, int], rules: Sequence[_Rule]
) -> _Program:
    """Plan one elimination by several rules and return the one of least work."""
    found: list[_Program] = []
    refused: TooLargeError | None = None
    for rule in rules:
        try:
            found.append(_program(network, tie, domains, rule))
        except TooLargeError as error:
            refused = error
    if not found and refused is not None:
        raise refused
    return min(found, key=lambda program: program.work)


def _program(network: Network, tie: _Tie, domains: Mapping[Variable, int], rule: _Rule) -> _Program:
    """Plan one elimination, founder alleles of one block being one unknown."""
    first_of_block: dict[int, Variable] = {}
    for variable, block in tie.block.items():
        first_of_block.setdefault(block, variable)

    def tied(variable: Variable) -> Variable:
        return first_of_block[tie.block[variable]] if variable in tie.block else variable

    work = _Elimination(domains, len(network.factors))
    tables = []
    for buffer in tie.factors:
        factor = network.factors[buffer]
        variables = tuple(tied(v) for v in factor.variables)
        if factor.kind == "base" and variables != factor.variables:
            continue  # the block's one draw is already there
        # An unknown of one value is none.
        open_ = tuple(v for v in variables if domains[v] > 1)
        tables.append(work.distinct(_Table(buffer, open_)))
    target = tuple(tied(v) for v in network.target)
    remaining = {v for table in tables for v in table.variables} - set(target)
    while remaining:
        variable = min(remaining, key=lambda v: (work.cost(tables, v, rule), v))
        tables = work.eliminate(tables, variable)
        remaining.discard(variable)
    return work.program(_final(work.product(tables), target, domains))


def _final(
    result: _Table | None, target: Sequence[Variable], domains: Mapping[Variable, int]
) -> list[int]:
    """Say where the entries of a program's last table go in the result."""
    if result is None:
        return [-1] + [0] * (FINAL_WIDTH - 1)
    strides = dict.fromkeys(target, 0)
    stride = 1
    for variable in reversed(target):
        strides[variable] += stride
        stride *= domains[variable]
    final = [result.buffer, len(result.variables)]
    for variable in result.variables:
        final += [domains[variable], strides[variable]]
    return final + [0] * (FINAL_WIDTH - len(final))


class _Elimination:
    """Emits steps: each multiplies two tables and sums out at most one variable."""

    def __init__(self, domains: Mapping[Variable, int], buffers: int) -> None:
        self.domains = domains
        self.next_buffer = buffers
        self.steps: list[list[int]] = []
        self.temporary = 0

    def size(self, variables: Sequence[Variable]) -> int:
        return _size(variables, self.domains)

    def cost(self, tables: Sequence[_Table], variable: Variable, rule: _Rule) -> int:
        """Return what it costs to eliminate a variable now, by some rule."""
        mine = [table.variables for table in tables if variable in table.variables]
        joined = self.size(tuple({v for variables in mine for v in variables}))
        if rule == "product":
            return joined
        result = joined // self.domains[variable]
        return result if rule == "result" else result - sum(self.size(v) for v in mine)

    def program(self, final: list[int]) -> _Program:
        """Return what has been planned."""
        work = sum(row[2] * row[4] for row in self.steps)
        return _Program(self.steps, final, self.temporary, work)

    def distinct(self, table: _Table) -> _Table:
        """Return the table with a variable that occurs twice (a tie) taken on its diagonal."""
        unique = tuple(dict.fromkeys(table.variables))
        if unique == table.variables:
            return table
        return self._emit(table, None, unique, None)

    def eliminate(self, tables: Sequence[_Table], variable: Variable) -> list[_Table]:
        """Multiply all tables of a variable, sum it out, return what remains."""
        mine = [table for table in tables if variable in table.variables]
        others = [table for table in tables if variable not in table.variables]
        mine.sort(key=lambda table: self.size(table.variables))
        while len(mine) > 2:
            mine = [self._multiply(mine[0], mine[1], None), *mine[2:]]
            mine.sort(key=lambda table: self.size(table.variables))
        second = mine[1] if len(mine) == 2 else None
        return [*others, self._multiply(mine[0], second, variable)]

    def product(self, tables: Sequence[_Table]) -> _Table | None:
        """Multiply what is left into one table."""
        rest = sorted(tables, key=lambda table: self.size(table.variables))
        while len(rest) > 1:
            rest = [self._multiply(rest[0], rest[1], None), *rest[2:]]
        return rest[0] if rest else None

    def _multiply(self, a: _Table, b: _Table | None, summed: Variable | None) -> _Table:
        union = dict.fromkeys((*a.variables, *(b.variables if b is not None else ())))
        union.pop(summed, None)  # type: ignore[arg-type]
        return self._emit(a, b, tuple(union), summed)

    def _emit(
        self, a: _Table, b: _Table | None, out: tuple[Variable, ...], summed: Variable | None
    ) -> _Table:
        size = self.size(out)
        if size > MAX_TABLE or len(out) > MAX_DIMENSIONS:
            raise TooLargeError(
                f"this pedigree needs a table of {size:.3g} entries over {len(out)} unknowns; "
                "leave out the relatives that say least, or type one of the untyped ancestors"
            )
        strides_a, strides_b = self._strides(a), self._strides(b)
        row = [a.buffer, b.buffer if b is not None else -1, size, len(out)]
        row += (
            [self.domains[summed], strides_a.get(summed, 0), strides_b.get(summed, 0)]
            if (summed is not None)
            else [1, 0, 0]
        )
        assert len(row) == STEP_HEAD
        for variable in out:
            row += [
                self.domains[variable],
                strides_a.get(variable, 0),
                strides_b.get(variable, 0),
            ]
        row += [0] * (STEP_WIDTH - len(row))
        self.steps.append(row)
        self.temporary += size
        self.next_buffer += 1
        return _Table(self.next_buffer - 1, out)

    def _strides(self, table: _Table | None) -> dict[Variable, int]:
        strides: dict[Variable, int] = {}
        stride = 1
        for variable in reversed(table.variables if table is not None else ()):
            strides[variable] = strides.get(variable, 0) + stride
            stride *= self.domains[variable]
        return strides
