"""Small random registries of every kind of family, and the slow definition of their search."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields, replace
from types import MappingProxyType

import numpy as np
from hypothesis import strategies as st

from kinward.likelihood.missing import missing_person_lr_by_locus
from kinward.model.locus_model import GeneticModel, LocusModel
from kinward.model.mutation import (
    CustomMutation,
    MutationScheme,
    NoMutation,
    SexMutation,
    parse_mutation,
)
from kinward.model.pedigree import Pedigree, Person
from kinward.model.population import FrequencyTable
from kinward.model.profile import PERFECT_TYPING, Genotype, Profile, TypingModel
from kinward.model.registry import SEXES, ChildTable, Family, FamilyTable, GenotypeColumns
from kinward.search.record import Candidates, SearchRun

LISTED = ("9", "10", "11", "12")
UNLISTED = "13"
ROUNDING = 1e-9
NO_MUTATION = SexMutation(NoMutation(), NoMutation())
FALLIBLE = (
    TypingModel(dropout=0.1),
    TypingModel(dropin=0.05),
    TypingModel(typing_error=0.02),
    TypingModel(dropout=0.2, dropin=0.1, typing_error=0.01),
)


def members(text: str) -> tuple[Person, ...]:
    """Read `id father mother sex`, one person per `;`; a capital C is missing, + is typed."""
    people = []
    for entry in text.split(";"):
        name, *rest = entry.split()
        twin = "1" if "=" in name else None
        sex = {"m": "male", "f": "female", "u": "unknown"}[rest[-1]]
        father, mother = rest[:2] if len(rest) == 3 else (None, None)
        people.append(Person(name.rstrip("=") if twin else name, father, mother, sex, twin))  # type: ignore[arg-type]
    return tuple(people)


# A name with + is typed, with ! missing, with = of the family's monozygotic twins.
KINDS = {
    "father": "f+ m; m f; c! f+ m u",
    "mother": "f m; m+ f; c! f m+ u",
    "parents": "f+ m; m+ f; c! f+ m+ m",
    "parents and sib": "f+ m; m+ f; c! f+ m+ f; s+ f+ m+ m",
    "mother and sibs": "f m; m+ f; c! f m+ u; s+ f m+ m; t+ f m+ f",
    "sibs": "f m; m f; c! f m u; s+ f m m; t+ f m f; u+ f m f",
    "sib": "s+ f m m; c! f m u; m f; f m",
    "half-sib": "f m; m f; n+ f; c! f m u; h+ f n+ f",
    "grandparents": "g+ m; h+ f; f g+ h+ m; m f; c! f m u",
    "one grandparent": "g+ m; h f; f g h m; m+ f; c! f m+ u",
    "uncle": "g m; h f; f g h m; u+ g h m; m+ f; c! f m+ u",
    "typed father with parents": "g+ m; h+ f; f+ g+ h+ m; m f; c! f+ m u",
    "two missing": "f+ m; m+ f; c! f+ m+ m; d! f+ m+ f",
    "three missing": "f m; m+ f; c! f m+ m; d! f m+ f; e! f m+ u; s+ f m+ m",
    "twin": "f m; m+ f; c!= f m+ m; t+= f m+ m",
    "missing twins": "f+ m; m+ f; c!= f+ m+ m; t!= f+ m+ m",
    "twin of the father": "g m; h f; f= g h m; u+= g h m; m f; c! f m u",
    "personal item": "f m; m+ f; c!+ f m+ u",
    "personal item, two missing": "f+ m; m+ f; c! f+ m+ u; d!+ f+ m+ u",
    "nobody": "f m; m f; c! f m u",
    "missing father": "g+ m; h+ f; f!+ g+ h+ m; m+ f; c! f!+ m+ u",
    "cousins": "a m; b f; g a b m; h+ f; k a b f; l m; f g h+ m; m+ l k f; c! f m+ u",
    "uncle and niece": "a+ m; b f; f a+ b m; k a+ b f; l m; m l k f; c! f m u",
    "father's mother": "g m; m f; f+ g m m; c! f+ m u",
    "mother's father": "f m; h+ f; m+ f h+ f; c! f m+ u",
    "child of the missing": "f m; m f; c! f m m; p+ f; k+ c! p+ u",
    "parents and child of the missing": "f+ m; m+ f; c! f+ m+ m; p+ f; k+ c! p+ u",
    "parents and twin": "f+ m; m+ f; c!= f+ m+ m; t+= f+ m+ m",
    "parents and grandparents": "g+ m; h f; f+ g+ h m; m+ f; c! f+ m+ u",
    "missing father of the missing": "f!+ m; m+ f; c! f!+ m+ u",
    "father and daughter": "f m; m f; d f m f; c! f d u; k+ f d m; l+ f d f",
    "missing founder": "c! m; p+ f; k+ c! p+ u",
    "alone": "c! u",
}


def spelled(people: tuple[Person, ...]) -> tuple[Person, ...]:
    """Take the marks out of names."""

    def plain(name: str | None) -> str | None:
        return None if name is None else name.strip("+!=")

    return tuple(
        replace(p, id=plain(p.id), father=plain(p.father), mother=plain(p.mother))  # type: ignore[arg-type]
        for p in people
    )


@dataclass(frozen=True)
class Features:
    """What a registry contains."""

    kinds: tuple[str, ...]
    children: int = 6
    loci: int = 4
    mutation: str = "equal:0.01"
    theta: float = 0.0
    silent: float = 0.0
    half_typed: float = 0.0
    fallible: float = 0.0
    untyped: float = 0.1
    astray: float = 0.05
    inbred: bool = False
    unlisted: bool = False
    seed: int = 0


@st.composite
def features(draw: st.DrawFn) -> Features:
    """Any mixture; rates far above nature, to be seen."""
    theta = draw(st.sampled_from((0.0, 0.0, 0.0, 0.03)))
    chance = st.sampled_from((0.0, 0.0, 0.15))
    mutations = ["none", "equal:0.02", "proportional:0.02", "custom"]
    if not theta:
        mutations += ["stepwise:male=0.02,female=0.01,rate2=0.001,range=0.1", "onestep:0.02"]
    return Features(
        kinds=tuple(draw(st.lists(st.sampled_from(sorted(KINDS)), min_size=3, max_size=10))),
        children=draw(st.integers(3, 12)),
        loci=draw(st.integers(1, 5)),
        mutation=draw(st.sampled_from(mutations)),
        theta=theta,
        silent=draw(st.sampled_from((0.0, 0.0, 0.0, 0.05))),
        half_typed=draw(chance),
        fallible=draw(st.sampled_from((0.0, 0.0, 0.2))),
        untyped=draw(st.sampled_from((0.0, 0.2, 0.6))),
        astray=draw(st.sampled_from((0.0, 0.1))),
        inbred=draw(st.integers(0, 3)) == 0,
        unlisted=draw(st.integers(0, 3)) == 0,
        seed=draw(st.integers(0, 2**32 - 1)),
    )


@dataclass(frozen=True)
class Registry:
    """A registry and its model."""

    children: ChildTable
    families: FamilyTable
    model: GeneticModel
    distinct: int
    """Families differ up to here; those that follow repeat them in order."""

    def repeated(self, times: int) -> Registry:
        """Return the registry with all families so many times."""
        table = self.families
        columns = {
            item.name: np.tile(getattr(table, item.name), times)
            for item in fields(table)
            if item.name not in ("family_ids", "first", "genotypes", "typing", "facts")
        }
        families = FamilyTable(
            family_ids=np.array([f"F{i}" for i in range(times * len(table))], dtype=object),
            first=np.concatenate([[0], np.cumsum(np.tile(np.diff(table.first), times))]),
            genotypes=GenotypeColumns(
                table.genotypes.loci,
                table.genotypes.observed,
                np.tile(table.genotypes.codes, (times, 1)),
            ),
            typing=MappingProxyType(
                {
                    row + part * int(table.first[-1]): typing
                    for part in range(times)
                    for row, typing in table.typing.items()
                }
            ),
            **columns,
        )
        return replace(self, families=families)

    @property
    def slots(self) -> list[tuple[int, int]]:
        """Missing children as (family, row)."""
        return [
            (family, row)
            for family in range(len(self.families))
            for row in range(self.families.first[family], self.families.first[family + 1])
            if self.families.missing[row]
        ]

    def child(self, child: int) -> Profile:
        typing = self.children.typing.get(child, PERFECT_TYPING)
        return self.children.genotypes.profile(child, typing)


def build(wanted: Features, kinds: Mapping[str, str] = KINDS) -> Registry:
    """Draw the genotypes: children of the missing's place in their family, and strangers."""
    rng = np.random.default_rng(wanted.seed)
    names = [f"L{i}" for i in range(wanted.loci)]
    figures = {}
    for name in names:
        weights = rng.integers(1, 9, size=int(rng.integers(2, len(LISTED) + 1))).astype(float)
        # A silent allele takes its share from the listed ones.
        figures[name] = dict(zip(LISTED, weights / weights.sum(), strict=False))
    table = FrequencyTable.build("test", figures, allow_unknown_loci=True)
    alleles = {name: [*figures[name], *([UNLISTED] if wanted.unlisted else [])] for name in names}
    families, profiles, people_typing, places = [], [], {}, []
    row = 0
    for kind in wanted.kinds:
        people = members(kinds[kind])
        pedigree = Pedigree.build(spelled(people))
        drawn = _drop(rng, pedigree, alleles)
        inbred = {p.id: rng.choice([0.0, 0.25, 1.0], p=[0.4, 0.4, 0.2]) for p in pedigree.people}
        shaped = [
            replace(p, founder_inbreeding=inbred[p.id] if wanted.inbred and not p.father else 0.0)
            for p in pedigree.people
        ]
        families.append((tuple(shaped), [("!" in p.id) for p in people]))
        for position, person in enumerate(people):
            typed = ("+" in person.id) != (rng.random() < 0.05)
            cells = _seen(rng, drawn[position], alleles, wanted) if typed else {}
            profiles.append(Profile(cells))
            if "!" in person.id:
                places.append(drawn[position])
            if rng.random() < wanted.fallible:
                people_typing[row] = FALLIBLE[rng.integers(len(FALLIBLE))]
            row += 1
    found = []
    for _ in range(wanted.children):
        if rng.random() < 0.6:
            truth = places[rng.integers(len(places))]
        else:
            truth = {n: (str(rng.choice(a)), str(rng.choice(a))) for n, a in alleles.items()}
        cells = _seen(rng, truth, alleles, wanted)
        if rng.random() < 0.15:
            cells = dict(list(cells.items())[:1])
        found.append(Profile(cells))
    typing = {
        child: FALLIBLE[rng.integers(len(FALLIBLE))]
        for child in range(wanted.children)
        if rng.random() < wanted.fallible
    }
    order = list(rng.permutation(names))
    seen: dict[str, set[str]] = {name: set() for name in names}
    for profile in (*profiles, *found):
        for name, genotype in profile.genotypes.items():
            seen[name].update(genotype.alleles)
    model = GeneticModel.build(
        table,
        _mutation(rng, wanted.mutation, {n: [*figures[n], *sorted(seen[n] - set(figures[n]))]
                                         for n in names}),
        theta=wanted.theta,
        silent=wanted.silent,
        seen=seen,
    )  # fmt: skip
    ids = np.array([f"c{i}" for i in range(wanted.children)], dtype=object)
    sex = rng.integers(0, 3, wanted.children).astype(np.int8)
    children = ChildTable(
        ids, sex, GenotypeColumns.from_profiles(found, order), MappingProxyType(typing)
    )
    table_of_families = _table(families, profiles, names, people_typing)
    return Registry(children, table_of_families, model, len(families))


def _mutation(rng: np.random.Generator, name: str, alleles: dict[str, list[str]]) -> MutationScheme:
    if name != "custom":
        return parse_mutation(name)
    per_locus = {}
    for locus, labels in alleles.items():
        # Some steps have probability zero, so that even mutation does not explain everything.
        weights = 0.02 * rng.integers(0, 2, (len(labels), len(labels))) + np.eye(len(labels))
        model = CustomMutation(tuple(sorted(labels, key=float)), weights / weights.sum(1)[:, None])
        per_locus[locus] = SexMutation(model, model if rng.random() < 0.5 else NoMutation())
    return MutationScheme(NO_MUTATION, MappingProxyType(per_locus), "custom")


def _drop(
    rng: np.random.Generator, pedigree: Pedigree, alleles: dict[str, list[str]]
) -> list[dict[str, tuple[str, str]]]:
    """Hand alleles down a pedigree."""
    drawn: list[dict[str, tuple[str, str]]] = [{} for _ in pedigree.people]
    twins: dict[str, int] = {}
    for position in pedigree.order:
        label = pedigree.people[position].twin
        if label is not None and label in twins:
            drawn[position] = drawn[twins[label]]
            continue
        if label is not None:
            twins[label] = position
        for name, labels in alleles.items():
            drawn[position][name] = tuple(  # type: ignore[assignment]
                str(rng.choice(drawn[parent][name] if parent >= 0 else labels))
                for parent in (pedigree.father[position], pedigree.mother[position])
            )
    return drawn


def _seen(
    rng: np.random.Generator,
    truth: dict[str, tuple[str, str]],
    alleles: dict[str, list[str]],
    wanted: Features,
) -> dict[str, Genotype]:
    cells = {}
    for name, pair in truth.items():
        if rng.random() < wanted.untyped:
            continue
        if rng.random() < wanted.astray:
            pair = (str(rng.choice(alleles[name])), pair[1])
        if rng.random() < wanted.half_typed:
            cells[name] = Genotype(pair[:1], partial=True)
        else:
            cells[name] = Genotype(pair)
    return cells


def _table(
    families: list[tuple[tuple[Person, ...], list[bool]]],
    profiles: list[Profile],
    loci: list[str],
    typing: dict[int, TypingModel],
) -> FamilyTable:
    people = [person for group, _ in families for person in group]
    father, mother = [], []
    for group, _ in families:
        place = {person.id: position for position, person in enumerate(group)}
        father += [place[p.father] if p.father else -1 for p in group]
        mother += [place[p.mother] if p.mother else -1 for p in group]
    return FamilyTable(
        family_ids=np.array([f"F{i}" for i in range(len(families))], dtype=object),
        first=np.cumsum([0, *(len(group) for group, _ in families)]).astype(np.int64),
        person_ids=np.array([p.id for p in people], dtype=object),
        father=np.array(father, dtype=np.int16),
        mother=np.array(mother, dtype=np.int16),
        sex=np.array([SEXES.index(p.sex) for p in people], dtype=np.int8),
        missing=np.array([flag for _, flags in families for flag in flags]),
        twin=np.array([int(p.twin or 0) for p in people], dtype=np.int16),
        founder_inbreeding=np.array([p.founder_inbreeding for p in people]),
        population=np.full(len(people), "", dtype=object),
        genotypes=GenotypeColumns.from_profiles(profiles, loci),
        typing=MappingProxyType(typing),
    )


@dataclass(frozen=True)
class Expected:
    """What the slow twin says about one pair; log10 LR None where the family is impossible."""

    log10_lr: float | None
    father_alone: float
    mother_alone: float
    loci: int
    exclusions: int
    sex_conflict: bool


class SlowSearch:
    """The definition: one exact likelihood ratio per pair, one locus after the other."""

    def __init__(self, registry: Registry) -> None:
        self.registry = registry
        self.plain = without_mutation_model(registry.model)
        self._known: dict[tuple[object, ...], tuple[float, float, bool, bool]] = {}
        self._pairs: dict[tuple[int, int, str], Expected] = {}

    def _locus(
        self,
        key: tuple[object, ...],
        family: Family,
        missing: str,
        child: Profile,
        locus: str,
        model: GeneticModel,
    ) -> tuple[float, float, bool, bool]:
        """Return numerator, denominator, exclusion, compared; children of one genotype share."""
        genotype = child.genotypes[locus]
        known = (*key, missing, locus, genotype, child.typing)
        if known not in self._known:
            others = [other for other in family.missing if other != missing]
            one = replace(model, loci={locus: model.loci[locus]})
            (result,) = missing_person_lr_by_locus(
                family.pedigree, family.profiles, missing, child, one, others_missing=others
            ).per_locus
            self._known[known] = (
                result.numerator, result.denominator, result.exclusion, result.compared
            )  # fmt: skip
        return self._known[known]

    def pair(self, child: int, family: int, row: int) -> Expected:
        """Return what is to be found about a child and the missing child of a row."""
        origin = family % self.registry.distinct
        missing = str(self.registry.families.person_ids[row])
        if (child, origin, missing) not in self._pairs:
            self._pairs[child, origin, missing] = self._pair(child, origin, missing)
        return self._pairs[child, origin, missing]

    def _pair(self, child: int, family_number: int, missing: str) -> Expected:
        registry = self.registry
        profile = registry.child(child)
        family = registry.families.family(family_number)
        row = int(registry.families.first[family_number]) + family.pedigree.index[missing]
        parents = self._parents(family, missing)
        both = len(parents) == 2
        loci = [locus for locus in registry.model.loci if locus in profile.genotypes]
        found = [
            self._locus((family_number,), family, missing, profile, locus, registry.model)
            for locus in loci
        ]
        exclusions = 0
        for locus, (_, _, excluded, _) in zip(loci, found, strict=True):
            if self.contradicted(family, family_number, missing, locus, self.plain):
                # Only the typed parents are asked.
                asked = self._reduced(family, missing, tuple(parents.values()))
                excluded = self._locus(
                    (family_number, "parents"), asked, missing, profile, locus, registry.model
                )[2]
            exclusions += excluded
        sexes = registry.children.sex[child], registry.families.sex[row]
        return Expected(
            self._sum([(n, d) for n, d, _, _ in found]),
            *(
                self._alone(family, family_number, missing, parents, role, profile, loci)
                if both
                else math.nan
                for role in ("father", "mother")
            ),
            sum(compared for *_, compared in found),
            exclusions,
            bool(sexes[0] and sexes[1] and sexes[0] != sexes[1]),
        )

    @staticmethod
    def _sum(ratios: list[tuple[float, float]]) -> float | None:
        if any(d == 0.0 for _, d in ratios):
            return None
        if any(n == 0.0 for n, _ in ratios):
            return -math.inf
        return math.fsum(math.log10(n / d) for n, d in ratios)

    def _parents(self, family: Family, missing: str) -> dict[str, str]:
        """Return the registered, typed parents by role."""
        pedigree = family.pedigree
        at = pedigree.index[missing]
        found = {}
        for role, position in (("father", pedigree.father[at]), ("mother", pedigree.mother[at])):
            if position < 0:
                continue
            name = pedigree.people[position].id
            if name in family.profiles and name not in family.missing:
                found[role] = name
        return found

    def _reduced(self, family: Family, missing: str, typed: tuple[str, ...]) -> Family:
        """Return father, mother and missing child alone; only `typed` are typed."""
        pedigree = family.pedigree
        person = pedigree.people[pedigree.index[missing]]
        if person.father is None or person.mother is None:
            people = [replace(person, twin=None)]
        else:
            people = [
                Person(person.father, sex="male"),
                Person(person.mother, sex="female"),
                replace(person, twin=None),
            ]
        profiles = {name: family.profiles[name] for name in typed}
        return Family(family.id, Pedigree.build(people), profiles, (missing,))

    def _alone(
        self,
        family: Family,
        number: int,
        missing: str,
        parents: dict[str, str],
        role: str,
        child: Profile,
        loci: list[str],
    ) -> float:
        reduced = self._reduced(family, missing, (parents[role],))
        ratios = [
            self._locus((number, role), reduced, missing, child, locus, self.registry.model)[:2]
            for locus in loci
        ]
        total = self._sum(ratios)
        assert total is not None
        return total

    def contradicted(
        self, family: Family, number: int, missing: str, locus: str, model: GeneticModel
    ) -> bool:
        """Whether the relatives (other missing children untyped) are impossible under a model."""
        key = (number, missing, locus, model is self.plain, "relatives")
        if key not in self._known:
            alleles = model.loci[locus].alleles
            anybody = Profile({locus: Genotype((alleles[0], alleles[0]))})
            _, denominator, _, _ = self._locus(
                (number, model is self.plain), family, missing, anybody, locus, model
            )
            self._known[key] = (0.0, denominator, False, False)
        return self._known[key][1] == 0.0

    def findings(self) -> Iterator[tuple[int, tuple[str, ...], bool]]:
        """Yield families in contradiction without mutation: loci, and whether impossible."""
        registry = self.registry
        for number in range(registry.distinct):
            family = registry.families.family(number)
            soft, hard = [], []
            for locus in registry.model.loci:
                for missing in family.missing:
                    if self.contradicted(family, number, missing, locus, self.plain):
                        soft.append(locus)
                        if self.contradicted(family, number, missing, locus, registry.model):
                            hard.append(locus)
            if soft:
                yield number, tuple(dict.fromkeys(hard or soft)), bool(hard)


def without_mutation_model(model: GeneticModel) -> GeneticModel:
    """Return the model with mutation, silent alleles and theta off, by the definition."""
    loci = {}
    for name, locus in model.loci.items():
        visible = len(locus.alleles) - int(locus.has_silent)
        loci[name] = LocusModel(
            name,
            locus.alleles[:visible],
            locus.frequencies[:visible].copy(),
            np.eye(visible),
            np.eye(visible),
        )
    return replace(model, loci=MappingProxyType(loci), theta=0.0, silent=0.0)


def check(run: SearchRun, slow: SlowSearch, threshold: float) -> None:
    """Compare a search with its definition."""
    registry = slow.registry
    repeats = len(registry.families) // registry.distinct
    findings = [
        (number + repeat * registry.distinct, loci, hard)
        for repeat in range(repeats)
        for number, loci, hard in slow.findings()
    ]
    assert [(f.family, f.loci, f.impossible) for f in run.findings] == findings
    impossible = {number for number, _, hard in findings if hard}
    full, alone = {}, {}
    # Rounding may put a pair at the threshold, such as one of no information, on either side.
    either: set[tuple[int, int]] = set()
    for family, row in registry.slots:
        if family in impossible:
            continue
        for child in range(len(registry.children)):
            expected = slow.pair(child, family, row)
            assert expected.log10_lr is not None
            figures = (expected.log10_lr, expected.father_alone, expected.mother_alone)
            if any(abs(figure - threshold) < ROUNDING for figure in figures):
                either.add((child, row))
            elif expected.log10_lr >= threshold:
                full[child, row] = expected
            elif max(figures[1:]) >= threshold:
                alone[child, row] = expected
    assert run.pairs == len(registry.children) * len(registry.slots)
    same_list(run.candidates, full, either)
    same_list(run.one_parent, alone, either)


def same_list(
    found: Candidates, expected: dict[tuple[int, int], Expected], either: set[tuple[int, int]]
) -> None:
    """Compare one list of pairs, figures and order."""
    listed = list(zip(found.child.tolist(), found.slot.tolist(), strict=True))
    assert len(set(listed)) == len(listed)
    assert set(listed) - either == set(expected)
    order = list(
        zip(found.child.tolist(), (-found.log10_lr).tolist(), found.family.tolist(),
            found.slot.tolist(), strict=True)
    )  # fmt: skip
    assert order == sorted(order)
    for number, pair in enumerate(listed):
        if pair in either:
            continue
        one = expected[pair]
        for mine, theirs in (
            (found.log10_lr, one.log10_lr),
            (found.father_alone, one.father_alone),
            (found.mother_alone, one.mother_alone),
        ):
            np.testing.assert_allclose(mine[number], theirs, rtol=1e-9, atol=1e-9)
        assert found.loci[number] == one.loci, pair
        assert found.exclusions[number] == one.exclusions, pair
        assert found.sex_conflict[number] == one.sex_conflict, pair
