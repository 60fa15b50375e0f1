"""Registries of searching families and rescued children, with the truth kept aside."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from kinward.errors import ModelError
from kinward.model.mutation import MutationScheme, default_mutation
from kinward.model.population import FrequencyTable
from kinward.model.profile import Genotype
from kinward.model.registry import SEXES, ChildTable, FamilyTable, GenotypeColumns
from kinward.simulate.genotypes import SimulationLocus, build_loci, drop_typings, simulate_kind
from kinward.simulate.kinds import DEFAULT_KINDS, FAMILY_KINDS, FamilyKind

__all__ = [
    "MISSING_CHILD",
    "UNRELATED",
    "SimulatedRegistry",
    "SimulationPlan",
    "Truth",
    "simulate_registry",
]

MISSING_CHILD = "missing child"
UNRELATED = "unrelated"

_MALE, _FEMALE = SEXES.index("male"), SEXES.index("female")
_BLOCK = 200_000  # families simulated at once; bounds the working memory


@dataclass(frozen=True, slots=True)
class SimulationPlan:
    """What to simulate.

    `kinds` gives the weight of each family kind (names of `FAMILY_KINDS`); `populations` the
    frequency tables with their weights, a family and its child coming from one; `loci` default to
    those common to all tables. `missing_rate`: probability that a genotype of a typed person is
    absent. `related_fraction`: share of the children who are a missing child of a family; each
    missing child is found at most once. `children_from` names the one population that all children
    come from, if they come from one only. Raises ModelError for impossible figures.
    """

    children: int
    families: int
    populations: tuple[tuple[FrequencyTable, float], ...]
    kinds: Mapping[str, float] = field(default_factory=lambda: DEFAULT_KINDS)
    mutation: MutationScheme = field(default_factory=default_mutation)
    loci: tuple[str, ...] | None = None
    missing_rate: float = 0.0
    related_fraction: float = 0.5
    children_from: str | None = None
    seed: int = 1

    def __post_init__(self) -> None:
        """Validate the figures."""
        problems = []
        if self.children < 1 or self.families < 1:
            problems.append("children and families must be at least 1")
        problems += [
            f"{name} is {value:g}; give a number from 0 to 1"
            for name, value in (
                ("missing_rate", self.missing_rate),
                ("related_fraction", self.related_fraction),
            )
            if not 0 <= value <= 1
        ]
        problems += [
            f"unknown family kind {name!r}; choose from {', '.join(FAMILY_KINDS)}"
            for name in self.kinds
            if name not in FAMILY_KINDS
        ]
        for what, weights in (
            ("kinds", list(self.kinds.values())),
            ("populations", [weight for _, weight in self.populations]),
        ):
            if min(weights, default=-1.0) < 0 or sum(weights) <= 0:
                problems.append(f"the weights of {what} must be 0 or more, not all 0")
        names = [table.name for table, _ in self.populations]
        if self.children_from is not None and self.children_from not in names:
            problems.append(f"children_from {self.children_from!r} is not among the populations")
        if problems:
            raise ModelError("; ".join(problems))

    def child_weights(self) -> list[float]:
        """Return the weight of each population among the children."""
        if self.children_from is None:
            return [weight for _, weight in self.populations]
        return [float(table.name == self.children_from) for table, _ in self.populations]


@dataclass(frozen=True, slots=True, eq=False)
class Truth:
    """Where each child really belongs, as columns by child.

    `family` is a position in the family table and `slot` the row of the missing child, both -1
    for a child whose family is not registered; `kind` is the kind of that family, else empty;
    `relationship` is the child's to the missing child's place in it.
    """

    family: NDArray[np.int64]
    slot: NDArray[np.int64]
    kind: NDArray[np.object_]
    relationship: NDArray[np.object_]

    def __len__(self) -> int:
        return len(self.family)


@dataclass(frozen=True, slots=True, eq=False)
class SimulatedRegistry:
    """Children, families and the truth about them; all synthetic."""

    children: ChildTable
    families: FamilyTable
    truth: Truth

    def truth_rows(self) -> Iterator[tuple[str, str, str, str, str]]:
        """Yield child, family, missing child, kind and relationship of every child, as ids."""
        truth = self.truth
        for child in range(len(truth)):
            family, slot = int(truth.family[child]), int(truth.slot[child])
            yield (
                str(self.children.ids[child]),
                str(self.families.family_ids[family]) if family >= 0 else "",
                str(self.families.person_ids[slot]) if slot >= 0 else "",
                str(truth.kind[child]),
                str(truth.relationship[child]),
            )

    def write_truth(self, path: Path) -> None:
        """Write the truth as CSV."""
        with path.open("w", newline="", encoding="utf-8") as file:
            writer = csv.writer(file, lineterminator="\n")
            writer.writerow(("child", "family", "missing", "kind", "relationship"))
            writer.writerows(self.truth_rows())


def simulate_registry(plan: SimulationPlan) -> SimulatedRegistry:
    """Simulate a registry; the same plan gives the same registry.

    Raises ModelError if more children are to be found than are missing.
    """
    loci = build_loci([table for table, _ in plan.populations], plan.mutation, plan.loci)
    layout = _Layout.draw(plan, np.random.default_rng([plan.seed, 0]))
    rng = np.random.default_rng([plan.seed, 1])
    related = round(plan.children * plan.related_fraction)
    from_here = np.array(plan.child_weights())[layout.population] > 0
    slots = np.flatnonzero(layout.missing & np.repeat(from_here, np.diff(layout.first)))
    if related > len(slots):
        raise ModelError(
            f"{related} children are to be found but only {len(slots)} are missing; "
            "simulate more families or lower related_fraction"
        )
    chosen = np.sort(rng.choice(slots, related, replace=False))
    codes = np.zeros((len(layout.missing), len(loci)), dtype=np.int16)
    found = np.zeros((plan.children, len(loci)), dtype=np.int16)
    _fill_genotypes(plan, loci, layout, chosen, codes, found)
    families = _family_table(plan, loci, layout, codes)
    return _with_children(plan, loci, layout, families, chosen, found, rng)


@dataclass(frozen=True, slots=True, eq=False)
class _Layout:
    """Kinds, populations and rows of all families, before any genotype."""

    kinds: tuple[FamilyKind, ...]
    kind: NDArray[np.int16]
    population: NDArray[np.int16]
    first: NDArray[np.int64]
    sex: NDArray[np.int8]
    missing: NDArray[np.bool_]

    @classmethod
    def draw(cls, plan: SimulationPlan, rng: np.random.Generator) -> _Layout:
        kinds = tuple(FAMILY_KINDS[name] for name in plan.kinds)
        kind = _weighted(rng, list(plan.kinds.values()), plan.families)
        population = _weighted(rng, [weight for _, weight in plan.populations], plan.families)
        sizes = np.array([len(one.members) for one in kinds], dtype=np.int64)[kind]
        first = np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64)
        layout = cls(
            kinds,
            kind,
            population,
            first,
            np.zeros(int(first[-1]), dtype=np.int8),
            np.zeros(int(first[-1]), dtype=np.bool_),
        )
        for number, one in enumerate(kinds):
            layout._draw_sexes(one, layout.rows(np.flatnonzero(kind == number), one), rng)
        return layout

    def rows(self, families: NDArray[np.intp], kind: FamilyKind) -> NDArray[np.int64]:
        """Return the rows (families, members) of some families of one kind."""
        rows: NDArray[np.int64] = self.first[families][:, None] + np.arange(len(kind.members))
        return rows

    def _draw_sexes(
        self, kind: FamilyKind, rows: NDArray[np.int64], rng: np.random.Generator
    ) -> None:
        for i, member in enumerate(kind.members):
            if kind.source[i] != i:
                self.sex[rows[:, i]] = self.sex[rows[:, kind.source[i]]]
            elif member.sex == "any":
                self.sex[rows[:, i]] = rng.integers(_MALE, _FEMALE + 1, len(rows), dtype=np.int8)
            else:
                self.sex[rows[:, i]] = SEXES.index(member.sex)
            self.missing[rows[:, i]] = member.missing


def _weighted(rng: np.random.Generator, weights: Sequence[float], count: int) -> NDArray[np.int16]:
    share = np.array(weights, dtype=np.float64)
    return rng.choice(len(share), count, p=share / share.sum()).astype(np.int16)


def _fill_genotypes(
    plan: SimulationPlan,
    loci: Sequence[SimulationLocus],
    layout: _Layout,
    chosen: NDArray[np.int64],
    codes: NDArray[np.int16],
    found: NDArray[np.int16],
) -> None:
    """Simulate block by block; loci run in threads, each with a generator of its own."""
    with ThreadPoolExecutor() as pool:
        for kind_number, kind in enumerate(layout.kinds):
            for population in range(len(plan.populations)):
                these = (layout.kind == kind_number) & (layout.population == population)
                members = np.flatnonzero(these)
                for start in range(0, len(members), _BLOCK):
                    rows = layout.rows(members[start : start + _BLOCK], kind)
                    key = [plan.seed, 2, kind_number, population, start]
                    jobs = [
                        pool.submit(
                            _fill_locus,
                            np.random.default_rng([*key, number]),
                            kind,
                            locus,
                            population,
                            rows,
                            plan.missing_rate,
                            chosen,
                            codes[:, number],
                            found[:, number],
                        )
                        for number, locus in enumerate(loci)
                    ]
                    for job in jobs:
                        job.result()


def _fill_locus(
    rng: np.random.Generator,
    kind: FamilyKind,
    locus: SimulationLocus,
    population: int,
    rows: NDArray[np.int64],
    missing_rate: float,
    chosen: NDArray[np.int64],
    codes: NDArray[np.int16],
    found: NDArray[np.int16],
) -> None:
    """Simulate one locus of some families of one kind into the columns of the tables.

    `found` receives the genotypes of the missing children whose rows are `chosen` (sorted).
    """
    alleles = simulate_kind(rng, kind, locus, population, len(rows))
    for member, person in enumerate(kind.members):
        genotypes = locus.codes[alleles[member, 0], alleles[member, 1]]
        if person.missing and len(chosen):
            place = np.searchsorted(chosen, rows[:, member])
            place[place == len(chosen)] = 0
            hit = chosen[place] == rows[:, member]
            found[place[hit]] = genotypes[hit]
        if person.typed:
            drop_typings(rng, genotypes, missing_rate)
            codes[rows[:, member]] = genotypes


def _family_table(
    plan: SimulationPlan,
    loci: Sequence[SimulationLocus],
    layout: _Layout,
    codes: NDArray[np.int16],
) -> FamilyTable:
    people = len(layout.missing)
    ids = np.empty(people, dtype=np.object_)
    father = np.empty(people, dtype=np.int16)
    mother = np.empty(people, dtype=np.int16)
    twin = np.zeros(people, dtype=np.int16)
    for number, kind in enumerate(layout.kinds):
        rows = layout.rows(np.flatnonzero(layout.kind == number), kind)
        for i, member in enumerate(kind.members):
            at = rows[:, i]
            ids[at] = member.id
            father[at], mother[at] = kind.parents(i)
            twin[at] = int(member.twin or 0)
    width = len(str(plan.families))
    names = np.array([f"F{k + 1:0{width}d}" for k in range(plan.families)], dtype=np.object_)
    return FamilyTable(
        names,
        layout.first,
        ids,
        father,
        mother,
        layout.sex,
        layout.missing,
        twin,
        np.zeros(people),
        _population_names(plan, layout),
        _columns(loci, codes),
    )


def _population_names(plan: SimulationPlan, layout: _Layout) -> NDArray[np.object_]:
    """Name the population of each person where there are several; one is the run's."""
    if len(plan.populations) == 1:
        return np.full(len(layout.missing), "", dtype=np.object_)
    names = np.array([table.name for table, _ in plan.populations], dtype=np.object_)
    return np.repeat(names[layout.population], np.diff(layout.first))


def _columns(loci: Sequence[SimulationLocus], codes: NDArray[np.int16]) -> GenotypeColumns:
    """Return the columns with only those genotypes listed that somebody has."""
    observed: list[tuple[Genotype, ...]] = []
    for number, locus in enumerate(loci):
        present = np.bincount(codes[:, number], minlength=len(locus.genotypes) + 1) > 0
        present[0] = False
        observed.append(tuple(locus.genotypes[k] for k in np.flatnonzero(present) - 1))
        renumbered = np.where(present, np.cumsum(present), 0).astype(np.int16)
        codes[:, number] = renumbered[codes[:, number]]
    return GenotypeColumns(tuple(locus.locus for locus in loci), tuple(observed), codes)


def _with_children(
    plan: SimulationPlan,
    loci: Sequence[SimulationLocus],
    layout: _Layout,
    families: FamilyTable,
    chosen: NDArray[np.int64],
    codes: NDArray[np.int16],
    rng: np.random.Generator,
) -> SimulatedRegistry:
    """Add children of no registered family, drop some typings, and put all in random order."""
    related = len(chosen)
    strangers = plan.children - related
    population = _weighted(rng, plan.child_weights(), strangers)
    for number, locus in enumerate(loci):
        for which in range(len(plan.populations)):
            these = np.flatnonzero(population == which) + related
            pair = locus.draw(rng, which, (2, len(these)))
            codes[these, number] = locus.codes[pair[0], pair[1]]
    drop_typings(rng, codes, plan.missing_rate)
    slot = np.full(plan.children, -1, dtype=np.int64)
    slot[:related] = chosen
    family = np.full(plan.children, -1, dtype=np.int64)
    family[:related] = np.searchsorted(layout.first, chosen, side="right") - 1
    sex = rng.integers(_MALE, _FEMALE + 1, plan.children, dtype=np.int8)
    sex[:related] = layout.sex[chosen]
    kind = np.full(plan.children, "", dtype=np.object_)
    kind_names = np.array([one.name for one in layout.kinds], dtype=np.object_)
    kind[:related] = kind_names[layout.kind[family[:related]]]
    relationship = np.full(plan.children, UNRELATED, dtype=np.object_)
    relationship[:related] = MISSING_CHILD
    order = rng.permutation(plan.children)
    width = len(str(plan.children))
    ids = np.array([f"C{k + 1:0{width}d}" for k in range(plan.children)], dtype=np.object_)
    children = ChildTable(ids, sex[order], _columns(loci, codes[order]))
    truth = Truth(family[order], slot[order], kind[order], relationship[order])
    return SimulatedRegistry(children, families, truth)
