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

A part of several typed people may fall into smaller ones in the same way: an uncle's orientation
parts the grandfather's alleles from the grandmother's (`split_part`).
"""

from __future__ import annotations

import math
from collections.abc import Sequence, Set
from dataclasses import dataclass
from functools import lru_cache

from kinward.likelihood.genome import NO_PARENT, Shape
from kinward.likelihood.network import (
    Descent,
    Factor,
    Network,
    Side,
    Variable,
    build_network,
)
from kinward.likelihood.plan import Plan, plan_network

__all__ = ["Part", "Sides", "Split", "part_plan", "split_part", "split_sides"]

MAX_SEPARATORS = 8
"""Most orientations and selectors to go through: 256 terms, beyond which the joint table is
cheaper."""

PRODUCT_COST = 2
"""What a number of a product of parts costs, in products of an elimination."""


@dataclass(frozen=True, slots=True)
class Part:
    """Factors that are summed together.

    `network` has selectors among the separators and the child's allele, those that are here, as
    its target, in the order of the whole. `whole` are typed genomes whose genotype matters here,
    `received` groups of oriented genomes of which only the allele received on one side does; those
    of a group have the same parent and play the same role, so that their order is immaterial.
    """

    network: Network
    whole: tuple[int, ...]
    received: tuple[tuple[Side, tuple[int, ...]], ...]


@dataclass(frozen=True, slots=True)
class Sides:
    """The parts of a shape: the father's and the mother's side of the child, and all the `rest`.

    `oriented` are the genomes of known orientation, `alike` a label for each, equal for those who
    play the same role in every part; `selectors` the selectors among the separators.
    """

    oriented: tuple[int, ...]
    alike: tuple[int, ...]
    selectors: tuple[Variable, ...]
    father: Part
    mother: Part
    rest: Part


@dataclass(frozen=True, slots=True)
class Split:
    """A part as a sum of products of smaller ones.

    The sum is over the orientations of genomes `oriented`, beyond those of the part, and over
    `selectors`; the product over `parts`; `alike` as in Sides.
    """

    oriented: tuple[int, ...]
    alike: tuple[int, ...]
    selectors: tuple[Variable, ...]
    parts: tuple[Part, ...]


@lru_cache(maxsize=4096)
def split_sides(shape: Shape) -> Sides | None:
    """Split a shape with one target, an autosomal child; None if its sides cannot be told apart."""
    network = build_network(shape, theta=False)
    x, y = network.target
    given = {v for f in network.factors for v in f.variables if v.kind != "allele"}
    if _joined(network.factors, x, y, given):
        return None
    for variable in _selectors_first(given):
        if not _joined(network.factors, x, y, given - {variable}):
            given.discard(variable)
    if len(given) > MAX_SEPARATORS:
        return None
    oriented, selectors = _oriented(given), _selectors(given)
    factors = _without_phases(network.factors, oriented)
    father, others = _component(factors, x, given)
    mother, rest = _component(others, y, given)
    parts = (
        _part(father, (*selectors, x), oriented),
        _part(mother, (*selectors, y), oriented),
        _part(rest, selectors, oriented, network.typed_founders),
    )
    return Sides(oriented, _alike(oriented, parts), selectors, *parts)


@lru_cache(maxsize=4096)
def split_part(shape: Shape, part: Part, alleles: int) -> Split | None:
    """Split a part into independent ones if that saves work; None if not.

    Selectors of founders' meioses are summed within a part: a founder's two alleles cost little.
    """
    network = part.network
    if len(part.whole) + sum(len(genomes) for _, genomes in part.received) < 2:
        return None
    target = set(network.target)
    unknown = {v for f in network.factors for v in f.variables} - target
    given = {
        v
        for v in unknown
        if (v.kind == "phase" and v.genome not in network.oriented)
        or (v.kind == "selector" and not _of_founder(shape, v))
    }
    for variable in _selectors_first(given):
        factors = [f for f in network.factors if variable in f.variables]
        parts = _components(network.factors, given | target)
        if sum(any(f in part for f in factors) for part in parts) < 2:
            given.discard(variable)
    if not given or len(given) > MAX_SEPARATORS:
        return None
    oriented, selectors = _oriented(given), _selectors(given)
    factors = _without_phases(network.factors, oriented)
    parts = _components(factors, given | target)
    inside = {f for part in parts for f in part}
    left = [f for f in factors if f not in inside]
    entries = math.prod(alleles if v.kind == "allele" else 2 for v in network.target)
    cost = PRODUCT_COST * (len(parts) + 1) * entries << len(given)
    if cost > part_plan(shape, part, alleles).work:
        return None
    known = (*network.oriented, *oriented)
    axes = (*selectors, *network.target)
    smaller = [_part(mine, axes, known) for mine in parts]
    if left or network.typed_founders:
        smaller.append(_part(left, axes, known, network.typed_founders))
    return Split(oriented, _alike(oriented, smaller), selectors, tuple(smaller))


def _alike(oriented: Sequence[int], parts: Sequence[Part]) -> tuple[int, ...]:
    """Label oriented genomes by the groups that they are in; one that matters whole, alone."""
    roles: dict[object, int] = {}
    labels = []
    for genome in oriented:
        role: object = tuple(
            (at, number)
            for at, part in enumerate(parts)
            for number, (_, genomes) in enumerate(part.received)
            if genome in genomes
        )
        # Of what such a genome receives there, the groups do not tell the parent: half-sisters who
        # both have a child by their uncle.
        if any(genome in part.whole for part in parts):
            role = genome
        labels.append(roles.setdefault(role, len(roles)))
    return tuple(labels)


def _selectors_first(variables: Set[Variable]) -> list[Variable]:
    """Return separators in the order in which they are given up: orientations part more."""
    return sorted(variables, key=lambda v: (v.kind == "phase", v.genome, v.side or ""))


def _oriented(given: Set[Variable]) -> tuple[int, ...]:
    return tuple(sorted(v.genome for v in given if v.kind == "phase"))


def _selectors(given: Set[Variable]) -> tuple[Variable, ...]:
    return tuple(sorted(v for v in given if v.kind == "selector"))


def _without_phases(factors: Sequence[Factor], oriented: Sequence[int]) -> list[Factor]:
    """Leave out the weights of orientations (none for a homozygote's second), no part's own."""
    return [f for f in factors if not (f.kind == "phase" and f.child in oriented)]


def _of_founder(shape: Shape, selector: Variable) -> bool:
    parents = shape.father if selector.side == "paternal" else shape.mother
    parent = parents[selector.genome]
    return shape.father[parent] == shape.mother[parent] == NO_PARENT


def _components(factors: Sequence[Factor], given: Set[Variable]) -> list[list[Factor]]:
    """Return factors by what variables not given tie together; without those of none."""
    found = []
    others = list(factors)
    while free := {v for f in others for v in f.variables} - given:
        mine, others = _component(others, min(free), given)
        found.append(mine)
    return found


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
    factors: Sequence[Factor],
    axes: Sequence[Variable],
    oriented: Sequence[int],
    typed_founders: tuple[int, ...] = (),
) -> Part:
    """Make a part of factors; those of the axes that occur in it are its target."""
    known = {v for f in factors for v in f.variables}
    network = Network(
        tuple(factors),
        (Descent(tuple(range(len(factors))), ()),),
        typed_founders,
        tuple(v for v in axes if v in known),
        frozenset(oriented),
    )
    whole = set(typed_founders)
    received: dict[int, list[Factor]] = {}
    for factor in factors:
        if factor.kind in ("observed", "phase"):
            whole.add(factor.child)
            continue
        if factor.kind == "hand_typed":
            whole.add(factor.parent)
        if factor.variables[-1].kind == "phase":
            received.setdefault(factor.child, []).append(factor)
    # A genome whose selector stays open is told from its siblings by it: nephews who changed
    # places would have to change axes of the target too.
    named = {v.genome for v in network.target if v.kind == "selector"}
    groups: dict[tuple[Side, int, int], list[int]] = {}
    for genome, handed in received.items():
        sides = {factor.side for factor in handed}
        if genome in oriented and genome not in whole and len(sides) == 1:
            alone = genome if genome in named else NO_PARENT
            groups.setdefault((handed[0].side, handed[0].parent, alone), []).append(genome)
        else:
            whole.add(genome)
    return Part(
        network,
        tuple(sorted(whole)),
        tuple((side, tuple(genomes)) for (side, _, _), genomes in groups.items()),
    )


@lru_cache(maxsize=4096)
def part_plan(shape: Shape, part: Part, alleles: int) -> Plan:
    """Plan the elimination of a part for loci with this many alleles, one model for all lanes."""
    return plan_network(shape, part.network, alleles, theta=False, model_laned=False)
