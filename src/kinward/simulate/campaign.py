"""A synthetic campaign in the shape of the rescues of July 2011.

On 15 July 2011 eight infants were found in Guangdong and Guangxi, and on 20 July 81 more in 14
provinces: children of Vietnamese families, 10 days to 7 months old, most of them girls. Here all
genotypes, dates and places are simulated; only those outlines are taken from the event. The
children are searched for among families of two populations, most of whom miss somebody else.

Two cases are planted on purpose: a registered father who is not the biological one, and a
registered man who is the true father's brother.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from kinward.errors import ModelError
from kinward.model.population import FrequencyTable, load_population
from kinward.model.registry import SEXES, ChildTable, FamilyTable, GenotypeColumns
from kinward.simulate.genotypes import (
    AlleleArray,
    SimulationLocus,
    build_loci,
    common_loci,
    hand_down,
)
from kinward.simulate.registry import SimulatedRegistry, SimulationPlan, Truth, simulate_registry

__all__ = ["BROTHER", "NOT_FATHER", "Campaign", "vietnam_campaign"]

NOT_FATHER = "missing child; the registered father is not the biological one"
BROTHER = "child of the registered father's brother"

CHILDREN = 89
REGISTERED = 71
_FIRST_GROUP = 8
_SMALLEST = 500  # families; fewer might lack a family of each kind that the cases need
_SHARE_OF_GIRLS = 0.8
_VIETNAM, _CHINA = "vietnam", "china_han_42str"
_MISSING_RATE = 0.02
_TRAP_LOG10_LR = 5.0
_TRAP_DRAWS = 20_000

_FOUND_FIRST = ("Guangdong", "Guangxi")
_FOUND_LATER = (
    "Anhui",
    "Fujian",
    "Guangdong",
    "Guangxi",
    "Guizhou",
    "Hebei",
    "Henan",
    "Hubei",
    "Hunan",
    "Jiangxi",
    "Shandong",
    "Shanxi",
    "Sichuan",
    "Yunnan",
)
_HOMES = {
    _VIETNAM: (
        "Bac Giang",
        "Cao Bang",
        "Ha Giang",
        "Hai Duong",
        "Hai Phong",
        "Ha Noi",
        "Lang Son",
        "Lao Cai",
        "Nam Dinh",
        "Nghe An",
        "Quang Ninh",
        "Thai Binh",
        "Thanh Hoa",
    ),
    _CHINA: ("Anhui", "Fujian", "Guangdong", "Guangxi", "Guizhou", "Henan", "Sichuan", "Yunnan"),
}
_RESCUE_DAYS = (np.datetime64("2011-07-15"), np.datetime64("2011-07-20"))


@dataclass(frozen=True, slots=True, eq=False)
class Campaign:
    """The synthetic campaign: tables, truth, and the population to search with."""

    registry: SimulatedRegistry
    population: FrequencyTable
    title: str
    seed: int

    @property
    def loci(self) -> tuple[str, ...]:
        """The loci typed in everybody."""
        return self.registry.children.genotypes.loci


def vietnam_campaign(families: int = 100_000, seed: int = 2011) -> Campaign:
    """Simulate the campaign; the same arguments give the same one.

    Two in five families are Vietnamese, the others Chinese Han. Raises ModelError below 500
    families.
    """
    if families < _SMALLEST:
        raise ModelError(f"the campaign needs at least {_SMALLEST} families, not {families}")
    vietnam, china = load_population(_VIETNAM), load_population(_CHINA)
    plan = SimulationPlan(
        children=CHILDREN,
        families=families,
        populations=((vietnam, 0.4), (china, 0.6)),
        loci=common_loci([vietnam, china]),
        missing_rate=_MISSING_RATE,
        related_fraction=REGISTERED / CHILDREN,
        children_from=_VIETNAM,
        seed=seed,
    )
    loci = build_loci([vietnam, china], plan.mutation, plan.loci)
    rng = np.random.default_rng([seed, 3])
    registry = simulate_registry(plan)
    registry = _mostly_girls(registry, rng)
    registry = _plant_other_father(registry, loci, rng)
    registry = _plant_brother(registry, loci, rng)
    registry = _with_facts(registry, rng)
    return Campaign(registry, vietnam, "Children found on 15 and 20 July 2011", seed)


def _mostly_girls(registry: SimulatedRegistry, rng: np.random.Generator) -> SimulatedRegistry:
    families, truth = registry.families, registry.truth
    child_sex = np.where(
        rng.random(CHILDREN) < _SHARE_OF_GIRLS, SEXES.index("female"), SEXES.index("male")
    ).astype(np.int8)
    sex = families.sex.copy()
    home = truth.slot >= 0
    sex[truth.slot[home]] = child_sex[home]
    for slot in truth.slot[home]:
        if families.twin[slot]:
            rows = _rows(families, int(np.searchsorted(families.first, slot, side="right")) - 1)
            sex[rows[families.twin[rows] == families.twin[slot]]] = sex[slot]
    return replace(
        registry,
        children=replace(registry.children, sex=child_sex),
        families=replace(families, sex=sex),
    )


def _rows(families: FamilyTable, family: int) -> NDArray[np.int64]:
    return np.arange(families.first[family], families.first[family + 1])


def _person(families: FamilyTable, family: int, name: str) -> int:
    """Return the row of a person of a family."""
    return next(int(row) for row in _rows(families, family) if families.person_ids[row] == name)


def _plant_other_father(
    registry: SimulatedRegistry, loci: tuple[SimulationLocus, ...], rng: np.random.Generator
) -> SimulatedRegistry:
    """Put an unrelated man in the place of one registered father, the mother staying."""
    truth = registry.truth
    child = int(rng.choice(np.flatnonzero(truth.kind == "both parents")))
    row = _person(registry.families, int(truth.family[child]), "father")
    stranger = [locus.draw(rng, 0, (2, 1)) for locus in loci]
    families = _retyped_families(registry.families, row, loci, stranger)
    relationship = truth.relationship.copy()
    relationship[child] = NOT_FATHER
    return replace(registry, families=families, truth=replace(truth, relationship=relationship))


def _plant_brother(
    registry: SimulatedRegistry, loci: tuple[SimulationLocus, ...], rng: np.random.Generator
) -> SimulatedRegistry:
    """Make one child of no registered family the nephew or niece of a registered father.

    Of many simulated pairs the first is taken that would pass for father and child with a single
    mutation, as a true father may: what chance does to one nephew in some thousands.
    """
    truth, families = registry.truth, registry.families
    child = int(rng.choice(np.flatnonzero(truth.family < 0)))
    family = _free_family(registry, rng)
    men, children = _brothers_and_children(loci, rng)
    row = _person(families, family, "father")
    typed = (registry.children.genotypes.codes[child] > 0) & (families.genotypes.codes[row] > 0)
    passes = _log10_parent(loci, men, children) @ typed >= _TRAP_LOG10_LR
    passes &= (~_share_an_allele(men, children) & typed).sum(axis=1) == 1
    if not passes.any():
        raise ModelError("no simulated brother passes for a father; choose another seed")
    taken = int(np.argmax(passes))
    families = _retyped_families(families, row, loci, [man[:, [taken]] for man in men])
    own = [pair[:, [taken]] for pair in children]
    columns = _retyped(registry.children.genotypes, child, loci, own)
    relationship = truth.relationship.copy()
    relationship[child] = BROTHER
    family_of, kind = truth.family.copy(), truth.kind.copy()
    family_of[child], kind[child] = family, "father"
    sex = families.sex.copy()
    sex[_person(families, family, "child")] = registry.children.sex[child]
    families = replace(families, sex=sex)
    return SimulatedRegistry(
        replace(registry.children, genotypes=columns),
        families,
        Truth(family_of, truth.slot, kind, relationship),
    )


def _free_family(registry: SimulatedRegistry, rng: np.random.Generator) -> int:
    """Return a Vietnamese family with the father typed alone and its child not yet found."""
    families = registry.families
    sizes = np.diff(families.first)
    first = families.first[:-1]
    typed = (families.genotypes.codes != 0).any(axis=1)
    alone = (sizes == 3) & typed[first] & ~typed[first + 1]
    alone &= families.population[first] == _VIETNAM
    alone[registry.truth.family[registry.truth.family >= 0]] = False
    if not alone.any():
        raise ModelError("no Vietnamese family has the father alone; simulate more families")
    return int(rng.choice(np.flatnonzero(alone)))


def _brothers_and_children(
    loci: tuple[SimulationLocus, ...], rng: np.random.Generator
) -> tuple[list[AlleleArray], list[AlleleArray]]:
    """Simulate men and their brothers' children: alleles (2, draws) of each, per locus."""
    men, children = [], []
    for locus in loci:
        father, mother, wife = (locus.draw(rng, 0, (2, _TRAP_DRAWS)) for _ in range(3))
        man, brother = (
            np.stack([hand_down(rng, father, locus.male), hand_down(rng, mother, locus.female)])
            for _ in range(2)
        )
        men.append(man)
        children.append(
            np.stack([hand_down(rng, brother, locus.male), hand_down(rng, wife, locus.female)])
        )
    return men, children


def _share_an_allele(men: list[AlleleArray], children: list[AlleleArray]) -> NDArray[np.bool_]:
    """Return whether man and child share an allele, (draws, loci)."""
    return np.stack(
        [
            (man[:, None] == child[None]).any(axis=(0, 1))
            for man, child in zip(men, children, strict=True)
        ],
        axis=1,
    )


def _log10_parent(
    loci: tuple[SimulationLocus, ...], fathers: list[AlleleArray], children: list[AlleleArray]
) -> NDArray[np.float64]:
    """Return log10 LR of fatherhood against no relation, (draws, loci), the mother unknown.

    Per locus ½(t(x)/p(x) + t(y)/p(y)) for child x/y, t being the chance that the man hands the
    allele on. Mutation of the unknown mother's allele is left out: it hardly changes the figure.
    """
    scores = np.zeros((fathers[0].shape[1], len(loci)))
    for column, locus, man, child in zip(scores.T, loci, fathers, children, strict=True):
        p = np.diff(locus.founders[0], prepend=0.0)
        # An allele that only mutation brings has no frequency here; such draws score nothing.
        weight = np.divide(1.0, p, out=np.zeros_like(p), where=p > 0)
        handed = 0.5 * (locus.male[man[0][None], child] + locus.male[man[1][None], child])
        # The floor stands for an impossible transmission, which a locus not typed must not spread.
        column[:] = np.log10(np.maximum(0.5 * (handed * weight[child]).sum(axis=0), 1e-30))
    return scores


def _retyped_families(
    families: FamilyTable,
    row: int,
    loci: tuple[SimulationLocus, ...],
    alleles: list[AlleleArray],
) -> FamilyTable:
    return replace(families, genotypes=_retyped(families.genotypes, row, loci, alleles))


def _retyped(
    columns: GenotypeColumns,
    row: int,
    loci: tuple[SimulationLocus, ...],
    alleles: list[AlleleArray],
) -> GenotypeColumns:
    """Return the columns with one person's typed loci given other alleles."""
    codes = columns.codes.copy()
    observed = list(columns.observed)
    for number, (locus, pair) in enumerate(zip(loci, alleles, strict=True)):
        if not codes[row, number]:
            continue
        genotype = locus.genotypes[int(locus.codes[pair[0, 0], pair[1, 0]]) - 1]
        if genotype not in observed[number]:
            observed[number] = (*observed[number], genotype)
        codes[row, number] = observed[number].index(genotype) + 1
    return GenotypeColumns(columns.loci, tuple(observed), codes)


def _with_facts(registry: SimulatedRegistry, rng: np.random.Generator) -> SimulatedRegistry:
    """Add when and where the children were found and taken, as they would be recorded."""
    first = np.arange(CHILDREN) < _FIRST_GROUP
    found = np.where(first, *_RESCUE_DAYS)
    days = np.where(first, rng.integers(10, 214, CHILDREN), rng.integers(10, 123, CHILDREN))
    places = np.where(first, rng.choice(_FOUND_FIRST, CHILDREN), rng.choice(_FOUND_LATER, CHILDREN))
    facts = {
        "found_date": found.astype(str).astype(np.object_),
        "found_place": places.astype(np.object_),
        "age_months": np.array([f"{d / 30.44:.1f}" for d in days], dtype=np.object_),
    }
    children = replace(registry.children, facts=facts)
    families = _families_with_facts(registry, found - days, days, rng)
    return replace(registry, children=_named(children), families=families)


def _named(children: ChildTable) -> ChildTable:
    names = np.array([f"R{k + 1:02d}" for k in range(len(children))], dtype=np.object_)
    return replace(children, ids=names)


def _families_with_facts(
    registry: SimulatedRegistry,
    born: NDArray[np.datetime64],
    days: NDArray[np.int64],
    rng: np.random.Generator,
) -> FamilyTable:
    families, truth = registry.families, registry.truth
    slots = np.flatnonzero(families.missing)
    birth = np.datetime64("2011-07-01") - rng.integers(30, 3650, len(slots))
    taken = np.minimum(birth + rng.integers(3, 720, len(slots)), np.datetime64("2011-07-10"))
    # The planted brother's family, too, misses an infant of that age.
    home = truth.family >= 0
    own = np.where(truth.slot >= 0, truth.slot, families.first[truth.family] + 2)
    at = np.searchsorted(slots, own[home])
    birth[at] = born[home]
    taken[at] = born[home] + rng.integers(2, days[home] - 2)
    place = np.empty(len(slots), dtype=np.object_)
    for population, names in _HOMES.items():
        these = families.population[slots] == population
        place[these] = rng.choice(np.array(names, dtype=np.object_), int(these.sum()))
    facts = {}
    for name, values in (
        ("birth_date", birth),
        ("missing_date", taken),
        ("last_seen_place", place),
    ):
        column = np.full(len(families.missing), "", dtype=np.object_)
        column[slots] = values.astype(str).astype(np.object_)
        facts[name] = column
    return replace(families, facts=facts)
