"""The factors of a pedigree: which probability tables join which unknown alleles.

Unknowns are the paternal and the maternal allele of every genome that matters and is not typed,
the phase of every typed non-founder, and for every meiosis of an untyped parent a selector that
says which of its two alleles was handed on. The selector splits the usual three-way factor
half (M[a, x] + M[b, x]) into two two-way ones, so that elimination costs alleles squared where it
would cost alleles cubed.

Founders' two alleles are exchangeable, so the selector of a founder's first meiosis is fixed. A
founder with one child then contributes one allele: the other sums to one and is never built.

Under theta founder alleles are tied: `partitions` lists the ways in which they may be copies of
one another, each a network of its own in which tied alleles are one unknown. An inbred founder's
two alleles are then one draw or two, which doubles the number of such networks.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal, NamedTuple

from kinward.errors import TooLargeError
from kinward.likelihood.genome import NO_PARENT, Shape

__all__ = ["MAX_TIED_ALLELES", "Factor", "Network", "Variable", "build_network", "partitions"]

MAX_TIED_ALLELES = 8
"""Exact theta sums over the partitions of at most this many founder alleles: 4,140."""

Side = Literal["paternal", "maternal"]


class Variable(NamedTuple):
    """An unknown: `kind` gives its domain (alleles, phases or two)."""

    kind: Literal["allele", "phase", "selector"]
    genome: int
    side: Side | None = None


class Factor(NamedTuple):
    """A probability table over variables; `kind` says how `tables` fills it."""

    kind: Literal[
        "base", "inbred", "observed", "phase", "hand_typed", "hand_copy", "hand_first",
        "hand_second", "hand_fixed",
    ]  # fmt: skip
    variables: tuple[Variable, ...]
    parent: int = NO_PARENT
    child: int = NO_PARENT
    side: Side = "maternal"


@dataclass(frozen=True, slots=True)
class Network:
    """All factors of a shape, before founder alleles are tied.

    `founder_alleles` are the variables with a draw from the population behind them;
    `inbred_pairs` are those of them that are one draw with the given probability (theta only);
    `typed_founders` are genomes whose genotype probability is a plain number.
    """

    factors: tuple[Factor, ...]
    founder_alleles: tuple[Variable, ...]
    inbred_pairs: tuple[tuple[Variable, Variable, float], ...]
    typed_founders: tuple[int, ...]
    target: tuple[Variable, ...]


def _relevant(shape: Shape) -> set[int]:
    """Return genomes that are typed, targets, or ancestors of one; the rest sums to one."""
    needed = {g for g, status in enumerate(shape.status) if status != "untyped"}
    needed.update(shape.target)
    waiting = list(needed)
    while waiting:
        genome = waiting.pop()
        for parent in (shape.father[genome], shape.mother[genome]):
            if parent != NO_PARENT and parent not in needed:
                needed.add(parent)
                waiting.append(parent)
    return needed


class _Builder:
    """Collects the factors of one shape."""

    def __init__(self, shape: Shape, theta: bool) -> None:
        self.shape = shape
        self.theta = theta
        self.factors: list[Factor] = []
        self.founder_alleles: list[Variable] = []
        self.inbred_pairs: list[tuple[Variable, Variable, float]] = []
        self.typed_founders: list[int] = []
        self.first_meiosis_done: set[int] = set()
        self.used: set[Variable] = set()

    def haploid(self, genome: int) -> bool:
        return self.shape.x_linked and self.shape.male[genome]

    def open_variables(self, genome: int) -> tuple[Variable, ...]:
        maternal = Variable("allele", genome, "maternal")
        if self.haploid(genome):
            return (maternal,)
        return Variable("allele", genome, "paternal"), maternal

    def is_founder(self, genome: int) -> bool:
        return self.shape.father[genome] == self.shape.mother[genome] == NO_PARENT

    def inbred(self, genome: int) -> bool:
        return self.shape.inbreeding[genome] > 0 and not self.haploid(genome)

    def is_phased(self, genome: int) -> bool:
        return self.shape.status[genome] == "phased" and genome not in self.shape.target

    def build(self) -> Network:
        shape = self.shape
        for genome in sorted(_relevant(shape)):
            if shape.status[genome] == "open":
                self.factors.append(Factor("observed", self.open_variables(genome), child=genome))
            if not self.is_founder(genome):
                self._meioses(genome)
            elif self.is_phased(genome):
                self.typed_founders.append(genome)
            elif self.inbred(genome) and not self.theta:
                pair = self.open_variables(genome)
                self.factors.append(Factor("inbred", pair, child=genome))
                self.used.update(pair)
        target = tuple(v for genome in shape.target for v in self.open_variables(genome))
        self.used.update(target)
        for factor in self.factors:
            self.used.update(factor.variables)
        for genome in sorted(_relevant(shape)):
            if self.is_founder(genome) and not self.is_phased(genome):
                self._founder_draws(genome)
        return Network(
            tuple(self.factors),
            tuple(self.founder_alleles),
            tuple(self.inbred_pairs),
            tuple(self.typed_founders),
            target,
        )

    def _founder_draws(self, genome: int) -> None:
        if self.inbred(genome) and not self.theta:
            return
        used = [variable for variable in self.open_variables(genome) if variable in self.used]
        for variable in used:
            self._draw(variable)
        if self.inbred(genome) and len(used) == 2:
            self.inbred_pairs.append((used[0], used[1], self.shape.inbreeding[genome]))

    def _draw(self, variable: Variable) -> None:
        self.founder_alleles.append(variable)
        self.factors.append(Factor("base", (variable,)))

    def _meioses(self, genome: int) -> None:
        shape = self.shape
        phased = self.is_phased(genome)
        if phased:
            phase = Variable("phase", genome)
            self.factors.append(Factor("phase", (phase,), child=genome))
        sides: tuple[tuple[Side, int], ...] = (
            ("paternal", shape.father[genome]),
            ("maternal", shape.mother[genome]),
        )
        for side, parent in sides:
            if side == "paternal" and self.haploid(genome):
                continue
            result = Variable("phase", genome) if phased else Variable("allele", genome, side)
            self._meiosis(parent, genome, side, result)

    def _meiosis(self, parent: int, child: int, side: Side, result: Variable) -> None:
        def add(kind: str, *variables: Variable) -> None:
            self.factors.append(Factor(kind, (*variables, result), parent, child, side))  # type: ignore[arg-type]

        if parent == NO_PARENT:
            # A parent that is not in the pedigree: its allele comes straight from the population.
            source = Variable("allele", -2 - child, side)
            self._draw(source)
            add("hand_copy", source)
        elif self.is_phased(parent):
            add("hand_typed")
        elif self.haploid(parent):
            add("hand_fixed", *self.open_variables(parent))
        elif (
            self.is_founder(parent)
            and parent not in self.first_meiosis_done
            and parent not in self.shape.target
        ):
            self.first_meiosis_done.add(parent)
            add("hand_fixed", self.open_variables(parent)[0])
        else:
            paternal, maternal = self.open_variables(parent)
            selector = Variable("selector", child, side)
            add("hand_first", selector, paternal)
            add("hand_second", selector, maternal)


@lru_cache(maxsize=4096)
def build_network(shape: Shape, *, theta: bool) -> Network:
    """Return the factors of a shape; `theta`: founder alleles may be copies of one another."""
    return _Builder(shape, theta).build()


@lru_cache(maxsize=64)
def partitions(count: int) -> tuple[tuple[int, ...], ...]:
    """Return all set partitions of `count` founder alleles as block numbers per allele.

    Raises TooLargeError beyond MAX_TIED_ALLELES.
    """
    if count > MAX_TIED_ALLELES:
        raise TooLargeError(
            f"theta above 0 with {count} untyped contributing founder alleles: the exact sum is "
            f"offered up to {MAX_TIED_ALLELES}; set theta to 0 or type a founder of this family"
        )
    return tuple(_partitions(count))


def _partitions(count: int) -> Iterator[tuple[int, ...]]:
    if count == 0:
        yield ()
        return
    for rest in _partitions(count - 1):
        for block in range(max(rest, default=-1) + 2):
            yield (*rest, block)
