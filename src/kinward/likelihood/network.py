"""The factors of a pedigree: which probability tables join which unknown alleles.

Unknowns are the paternal and the maternal allele of every genome that matters and is not typed,
the phase of every typed non-founder, and for every meiosis of an untyped parent a selector that
says which of its two alleles was handed on. The selector splits the usual three-way factor
half (M[a, x] + M[b, x]) into two two-way ones, so that elimination costs alleles squared where it
would cost alleles cubed.

Founders' two alleles are exchangeable, so the selector of a founder's first meiosis is fixed. A
founder with one child then contributes one allele: the other sums to one and is never built.

Under theta founder alleles are tied: `partitions` lists the ways in which they may be copies of
one another. Since their number grows fast, every choice of selectors is then a network of its own,
a `Descent`, in which only the founder alleles that reach a typed person are drawn.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal, NamedTuple

from kinward.errors import TooLargeError
from kinward.likelihood.genome import NO_PARENT, Shape

__all__ = [
    "MAX_DESCENTS",
    "MAX_TIED_ALLELES",
    "Descent",
    "Factor",
    "Network",
    "Variable",
    "build_network",
    "partitions",
]

MAX_TIED_ALLELES = 8
"""Exact theta sums over the partitions of at most this many founder alleles: 4,140."""

MAX_DESCENTS = 1024
"""Exact theta goes through at most this many choices of which alleles were handed on."""

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
class Descent:
    """Factors that are summed together; all of them but under theta.

    `factors` are positions in the network's; `draws` the variables with a draw from the population
    behind them; `inbred_pairs` those of them that are one draw with the given probability (theta
    only); `chance` the probability of the choices of this descent.
    """

    factors: tuple[int, ...]
    draws: tuple[Variable, ...]
    inbred_pairs: tuple[tuple[Variable, Variable, float], ...] = ()
    chance: float = 1.0


@dataclass(frozen=True, slots=True)
class Network:
    """All factors of a shape, before founder alleles are tied.

    The probability is the sum over `descents`; `typed_founders` are genomes whose genotype
    probability is a plain number; `target` variables stay open. `oriented` are typed genomes of
    which it is given which allele came from the father (see `sides`): one phase instead of two.
    """

    factors: tuple[Factor, ...]
    descents: tuple[Descent, ...]
    typed_founders: tuple[int, ...]
    target: tuple[Variable, ...]
    oriented: frozenset[int] = frozenset()


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


class _Family:
    """Questions about a shape."""

    def __init__(self, shape: Shape) -> None:
        self.shape = shape
        self.genomes = sorted(_relevant(shape))
        self.typed_founders = tuple(
            genome for genome in self.genomes if self.is_founder(genome) and self.is_phased(genome)
        )
        self.target = tuple(v for genome in shape.target for v in self.open_variables(genome))

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

    def parent(self, genome: int, side: Side) -> int:
        return (self.shape.father if side == "paternal" else self.shape.mother)[genome]

    def sides(self, genome: int) -> tuple[Side, ...]:
        return ("maternal",) if self.haploid(genome) else ("paternal", "maternal")

    def is_phased(self, genome: int) -> bool:
        return self.shape.status[genome] == "phased" and genome not in self.shape.target


class _Builder(_Family):
    """Collects the factors of one shape, for founder alleles that are drawn independently."""

    def __init__(self, shape: Shape) -> None:
        super().__init__(shape)
        self.factors: list[Factor] = []
        self.draws: list[Variable] = []
        self.first_meiosis_done: set[int] = set()

    def build(self) -> Network:
        inbred: set[int] = set()
        for genome in self.genomes:
            if self.shape.status[genome] == "open":
                self.factors.append(Factor("observed", self.open_variables(genome), child=genome))
            if not self.is_founder(genome):
                self._meioses(genome)
            elif self.inbred(genome) and not self.is_phased(genome):
                self.factors.append(Factor("inbred", self.open_variables(genome), child=genome))
                inbred.add(genome)
        used = {variable for factor in self.factors for variable in factor.variables}
        used.update(self.target)
        for genome in self.genomes:
            if self.is_founder(genome) and not self.is_phased(genome) and genome not in inbred:
                for variable in self.open_variables(genome):
                    if variable in used:
                        self._draw(variable)
        descent = Descent(tuple(range(len(self.factors))), tuple(self.draws))
        return Network(tuple(self.factors), (descent,), self.typed_founders, self.target)

    def _draw(self, variable: Variable) -> None:
        self.draws.append(variable)
        self.factors.append(Factor("base", (variable,)))

    def _meioses(self, genome: int) -> None:
        phased = self.is_phased(genome)
        if phased:
            phase = Variable("phase", genome)
            self.factors.append(Factor("phase", (phase,), child=genome))
        for side in self.sides(genome):
            result = Variable("phase", genome) if phased else Variable("allele", genome, side)
            self._meiosis(self.parent(genome, side), genome, side, result)

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


class _Meiosis(NamedTuple):
    """An allele whose origin has yet to be told."""

    child: int
    side: Side
    result: Variable


class _Trace(NamedTuple):
    """A descent in the making: what has been decided, and the meioses still to be traced."""

    waiting: tuple[_Meiosis, ...]
    factors: tuple[Factor, ...]
    traced: frozenset[Variable]
    chance: float


class _Tracer(_Family):
    """Lists the descents of one shape, from the typed people back to the founders."""

    def build(self) -> Network:
        number: dict[Factor, int] = {}
        descents = []
        waiting = [self._start()]
        while waiting:
            trace = waiting.pop()
            while trace.waiting and len(options := self._sources(trace)) == 1:
                trace = self._follow(trace, *options[0])
            if trace.waiting:
                waiting += [self._follow(trace, *option) for option in options]
            else:
                descents.append(self._finish(trace, number))
            if len(descents) + len(waiting) > MAX_DESCENTS:
                raise TooLargeError(
                    f"theta above 0 in a pedigree of more than {MAX_DESCENTS} ways of descent; "
                    "set theta to 0 or leave out the relatives that say least"
                )
        return Network(tuple(number), tuple(descents), self.typed_founders, self.target)

    def _start(self) -> _Trace:
        trace = _Trace((), (), frozenset(), 1.0)
        for genome in self.genomes:
            status = self.shape.status[genome]
            factors = trace.factors
            if status == "open":
                factors += (Factor("observed", self.open_variables(genome), child=genome),)
            trace = trace._replace(factors=factors)
            if self.is_phased(genome):
                if self.is_founder(genome):
                    continue
                phase = Variable("phase", genome)
                meioses = tuple(_Meiosis(genome, side, phase) for side in self.sides(genome))
                trace = trace._replace(
                    factors=(*factors, Factor("phase", (phase,), child=genome)),
                    waiting=trace.waiting + meioses,
                )
            elif status == "open" or genome in self.shape.target:
                for variable in self.open_variables(genome):
                    trace = self._need(trace, variable)
        return trace

    def _need(self, trace: _Trace, variable: Variable) -> _Trace:
        """Ask for the origin of an allele, once."""
        if variable in trace.traced:
            return trace
        trace = trace._replace(traced=trace.traced | {variable})
        if self.is_founder(variable.genome):
            return trace._replace(factors=(*trace.factors, Factor("base", (variable,))))
        meiosis = _Meiosis(variable.genome, variable.side or "maternal", variable)
        return trace._replace(waiting=(*trace.waiting, meiosis))

    def _sources(self, trace: _Trace) -> list[tuple[Variable | None, float]]:
        """Return what the last waiting meiosis may have handed on; None for a known genotype."""
        child, side, _ = trace.waiting[-1]
        parent = self.parent(child, side)
        if parent == NO_PARENT:
            return [(Variable("allele", -2 - child, side), 1.0)]
        if self.is_phased(parent):
            return [(None, 1.0)]
        variables = self.open_variables(parent)
        untouched = self.is_founder(parent) and trace.traced.isdisjoint(variables)
        if len(variables) == 1 or untouched:
            return [(variables[0], 1.0)]
        return [(variable, 0.5) for variable in variables]

    def _follow(self, trace: _Trace, source: Variable | None, chance: float) -> _Trace:
        child, side, result = trace.waiting[-1]
        parent = self.parent(child, side)
        trace = trace._replace(waiting=trace.waiting[:-1], chance=trace.chance * chance)
        if source is None:
            return trace._replace(
                factors=(*trace.factors, Factor("hand_typed", (result,), parent, child, side))
            )
        if parent == NO_PARENT:
            base = Factor("base", (source,))
            copy = Factor("hand_copy", (source, result), parent, child, side)
            return trace._replace(factors=(*trace.factors, base, copy))
        handed = Factor("hand_fixed", (source, result), parent, child, side)
        return self._need(trace._replace(factors=(*trace.factors, handed)), source)

    def _finish(self, trace: _Trace, number: dict[Factor, int]) -> Descent:
        draws = tuple(factor.variables[0] for factor in trace.factors if factor.kind == "base")
        pairs = []
        for genome in self.genomes:
            both = self.open_variables(genome)
            if self.inbred(genome) and set(both) <= set(draws):
                pairs.append((both[0], both[1], self.shape.inbreeding[genome]))
        factors = tuple(number.setdefault(factor, len(number)) for factor in trace.factors)
        return Descent(factors, draws, tuple(pairs), trace.chance)


@lru_cache(maxsize=4096)
def build_network(shape: Shape, *, theta: bool) -> Network:
    """Return the factors of a shape; `theta`: founder alleles may be copies of one another.

    Raises TooLargeError if theta has more than MAX_DESCENTS ways of descent to go through.
    """
    return _Tracer(shape).build() if theta else _Builder(shape).build()


@lru_cache(maxsize=64)
def partitions(count: int) -> tuple[tuple[int, ...], ...]:
    """Return all set partitions of `count` founder alleles as block numbers per allele.

    Raises TooLargeError beyond MAX_TIED_ALLELES.
    """
    if count > MAX_TIED_ALLELES:
        raise TooLargeError(
            f"theta above 0 with {count} alleles of untyped founders to trace: the exact sum is "
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
