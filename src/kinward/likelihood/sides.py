"""The two sides of a missing child: what each parent hands on, computed apart.

The child's paternal and maternal alleles x and y are tied to each other only through relatives who
descend from both sides: a full sibling, a nephew. Where it is given which allele such a relative
got from the father (its orientation) and which a meiosis handed on (its selector), the sum over
all other alleles falls into two factors:

    P(relatives, x, y) = sum over orientations and selectors c of  R_c F_c[x] G_c[y].

F depends on the typed relatives of the father's side alone, and of a full sibling on the one
allele that it got from the father. Families share such parts far more often than whole sets of
genotypes, so each part is computed once for many families.

Where the parents are related, nothing separates x from y, and `split_sides` returns None.
"""

from __future__ import annotations

from collections.abc import Sequence, Set
from dataclasses import dataclass
from functools import lru_cache

from kinward.likelihood.genome import Shape
from kinward.likelihood.network import (
    Descent,
    Factor,
    Network,
    Side,
    Variable,
    build_network,
)
from kinward.likelihood.plan import Plan, plan_network

__all__ = ["Part", "Sides", "part_plan", "split_sides"]

MAX_SEPARATORS = 8
"""Most orientations and selectors to go through: 256 terms, beyond which the joint table is
cheaper."""


@dataclass(frozen=True, slots=True)
class Part:
    """Factors that are summed together.

    `network` has the selectors among the separators and the child's allele, if it is here, as its
    target, in that order. `whole` are typed genomes whose genotype matters here, `received` groups
    of oriented genomes of which only the allele received on one side does; those of a group have
    the same parent, so that their order is immaterial.
    """

    network: Network
    selectors: tuple[Variable, ...]
    whole: tuple[int, ...]
    received: tuple[tuple[Side, tuple[int, ...]], ...]


@dataclass(frozen=True, slots=True)
class Sides:
    """The parts of a shape: the father's and the mother's side of the child, and all the `rest`.

    `oriented` are the genomes of known orientation, `selectors` the selectors among the
    separators.
    """

    oriented: tuple[int, ...]
    selectors: tuple[Variable, ...]
    father: Part
    mother: Part
    rest: Part


@lru_cache(maxsize=4096)
def split_sides(shape: Shape) -> Sides | None:
    """Split a shape with one target, an autosomal child; None if its sides cannot be told apart."""
    network = build_network(shape, theta=False)
    x, y = network.target
    separators = _separators(network.factors, x, y)
    if separators is None or len(separators) > MAX_SEPARATORS:
        return None
    oriented = tuple(sorted(v.genome for v in separators if v.kind == "phase"))
    selectors = tuple(sorted(v for v in separators if v.kind == "selector"))
    # The weight of an orientation (none for the second one of a homozygote) is no part's business.
    factors = [f for f in network.factors if not (f.kind == "phase" and f.child in oriented)]
    father, others = _component(factors, x, separators)
    mother, rest = _component(others, y, separators)

    def part(mine: Sequence[Factor], target: tuple[Variable, ...]) -> Part:
        return _part(shape, mine, selectors, target, oriented)

    return Sides(
        oriented,
        selectors,
        part(father, (x,)),
        part(mother, (y,)),
        _part(shape, rest, selectors, (), oriented, network.typed_founders),
    )


def _separators(factors: Sequence[Factor], x: Variable, y: Variable) -> frozenset[Variable] | None:
    """Return orientations and selectors, none of them needless, that part x from y if given."""
    given = {v for f in factors for v in f.variables if v.kind != "allele"}
    if _joined(factors, x, y, given):
        return None
    # Selectors first: they are given up where orientations do.
    for variable in sorted(given, key=lambda v: (v.kind == "phase", v.genome, v.side or "")):
        if not _joined(factors, x, y, given - {variable}):
            given.discard(variable)
    return frozenset(given)


def _joined(factors: Sequence[Factor], x: Variable, y: Variable, given: Set[Variable]) -> bool:
    component, _ = _component(factors, x, given)
    return any(y in factor.variables for factor in component)


def _component(
    factors: Sequence[Factor], start: Variable, given: Set[Variable]
) -> tuple[list[Factor], list[Factor]]:
    """Return the factors that variables not given tie to `start`, and the others."""
    reached = {start}
    mine: list[Factor] = []
    others = list(factors)
    while True:
        found = [f for f in others if not reached.isdisjoint(f.variables)]
        if not found:
            return mine, others
        mine += found
        others = [f for f in others if reached.isdisjoint(f.variables)]
        reached.update(v for f in found for v in f.variables if v not in given)


def _part(
    shape: Shape,
    factors: Sequence[Factor],
    selectors: Sequence[Variable],
    target: tuple[Variable, ...],
    oriented: Sequence[int],
    typed_founders: tuple[int, ...] = (),
) -> Part:
    mine = tuple(v for v in selectors if any(v in f.variables for f in factors))
    network = Network(
        tuple(factors),
        (Descent(tuple(range(len(factors))), ()),),
        typed_founders,
        (*mine, *target),
        frozenset(oriented),
    )
    whole = set(typed_founders)
    received: dict[int, list[Factor]] = {}
    for factor in factors:
        if factor.kind == "observed":
            whole.add(factor.child)
        if factor.kind == "hand_typed":
            whole.add(factor.parent)
        if factor.kind == "phase":
            whole.add(factor.child)
        elif factor.variables[-1].kind == "phase":
            received.setdefault(factor.child, []).append(factor)
    groups: dict[tuple[Side, int], list[int]] = {}
    for genome, handed in received.items():
        sides = {factor.side for factor in handed}
        if genome in oriented and genome not in whole and len(sides) == 1:
            groups.setdefault((handed[0].side, handed[0].parent), []).append(genome)
        else:
            whole.add(genome)
    return Part(
        network,
        mine,
        tuple(sorted(whole)),
        tuple((side, tuple(genomes)) for (side, _), genomes in groups.items()),
    )


@lru_cache(maxsize=4096)
def part_plan(shape: Shape, part: Part, alleles: int) -> Plan:
    """Plan the elimination of a part for loci with this many alleles, one model for all lanes."""
    return plan_network(shape, part.network, alleles, theta=False, model_laned=False)
