"""Likelihood ratios in a line or two: genotypes as text, populations by name.

This is what `import kinward` offers a newcomer; everything here only prepares a call of
`missing_person_lr`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache

from kinward.errors import Fault, InputError
from kinward.likelihood.missing import LocusResult, MissingPersonResult, missing_person_lr
from kinward.model.locus_model import GeneticModel
from kinward.model.marker import find_locus, linked_among
from kinward.model.mutation import MutationScheme, parse_mutation
from kinward.model.pedigree import Pedigree, Person
from kinward.model.population import FrequencyTable, load_population
from kinward.model.profile import Genotype, GenotypeError, Profile, parse_genotype

__all__ = ["KinshipModel", "KinshipResult", "kinship_lr", "load_model", "paternity_lr"]

Cells = Mapping[str, str]
"""Genotypes by locus name or alias, such as {"vWA": "14/17", "D3S1358": "15/15"}."""


@dataclass(frozen=True, slots=True, eq=False)
class KinshipModel:
    """A population and how its alleles mutate; make one with `load_model`.

    `theta` (F_ST) is the coancestry of the population, `silent` the frequency of a silent allele
    at every locus.
    """

    table: FrequencyTable
    mutation: MutationScheme
    theta: float = 0.0
    silent: float = 0.0


@dataclass(frozen=True, slots=True)
class KinshipResult:
    """A likelihood ratio and its story.

    `log10_lr`: minus infinity if the relationship is impossible, None if the relatives already
    contradict one another; `exclusions` counts loci that only mutation explains; `added` lists
    alleles that the population lacks and the frequency they were given; `skipped` the loci that
    were not used, with the reason; `linked` the pairs of loci whose ratios were multiplied although
    they lie close together on a chromosome.
    """

    log10_lr: float | None
    per_locus: tuple[LocusResult, ...]
    exclusions: int
    added: Mapping[str, Mapping[str, float]]
    skipped: Mapping[str, str]
    linked: tuple[tuple[str, str], ...]

    @property
    def loci(self) -> int:
        """Number of loci typed in the child and in a relative."""
        return sum(one.compared for one in self.per_locus)


def load_model(
    population: str | FrequencyTable,
    *,
    mutation: str | MutationScheme = "default",
    theta: float = 0.0,
    silent: float = 0.0,
) -> KinshipModel:
    """Load a packaged population (`kinward populations` lists them) with a mutation model.

    `mutation` is `default` (stepwise, packaged rates per locus and sex), `none`, `equal:0.002` or
    another word of the command line. Raises ModelError for what it does not know.
    """
    table = load_population(population) if isinstance(population, str) else population
    scheme = parse_mutation(mutation) if isinstance(mutation, str) else mutation
    return KinshipModel(table, scheme, theta, silent)


def paternity_lr(
    child: Cells, father: Cells | None, mother: Cells | None, model: KinshipModel
) -> KinshipResult:
    """Compare `child is theirs` with `child is unrelated to them`; either may be None (untyped).

    Raises InputError listing every genotype or locus name that cannot be read.
    """
    family = Pedigree.build(
        [
            Person("father", sex="male"),
            Person("mother", sex="female"),
            Person("child", "father", "mother"),
        ]
    )
    parents = {"father": father, "mother": mother}
    typed = {person: cells for person, cells in parents.items() if cells is not None}
    return kinship_lr(family, typed, "child", child, model)


def kinship_lr(
    pedigree: Pedigree,
    relatives: Mapping[str, Cells],
    missing: str,
    child: Cells,
    model: KinshipModel,
) -> KinshipResult:
    """Compare `child is the missing person of this family` with `child is unrelated`.

    `relatives` holds genotypes by person of the pedigree. Raises InputError listing every genotype
    or locus name that cannot be read, and every person that the pedigree lacks.
    """
    faults = [
        Fault(person, None, None, "unknown-person", "not in the pedigree", "add the person to it")
        for person in (*relatives, missing)
        if person not in pedigree.index
    ]
    skipped: dict[str, str] = {}
    profiles = {
        person: _profile(person, cells, model, faults, skipped)
        for person, cells in relatives.items()
    }
    mine = _profile("child", child, model, faults, skipped)
    if faults:
        raise InputError(faults)
    figures = _genetic_model(model, _unlisted(model, [*profiles.values(), mine]))
    result: MissingPersonResult = missing_person_lr(pedigree, profiles, missing, mine, figures)
    compared = [one.locus for one in result.per_locus if one.compared]
    return KinshipResult(
        result.log10_lr,
        result.per_locus,
        result.exclusions,
        figures.added,
        skipped,
        tuple((pair.first, pair.second) for pair in linked_among(compared)),
    )


@lru_cache(maxsize=32)
def _genetic_model(
    model: KinshipModel, unlisted: tuple[tuple[str, tuple[str, ...]], ...]
) -> GeneticModel:
    autosomal = [
        name
        for name in model.table.loci
        if (locus := find_locus(name)) is None or locus.kind == "autosomal"
    ]
    return GeneticModel.build(
        model.table,
        model.mutation,
        theta=model.theta,
        silent=model.silent,
        loci=autosomal,
        seen=dict(unlisted),
    )


def _unlisted(
    model: KinshipModel, profiles: list[Profile]
) -> tuple[tuple[str, tuple[str, ...]], ...]:
    """Return the alleles that the population lacks, by locus, both sorted."""
    strange: dict[str, set[str]] = {}
    for profile in profiles:
        for locus, genotype in profile.genotypes.items():
            unlisted = set(genotype.alleles) - set(model.table.loci[locus].alleles)
            if unlisted:
                strange.setdefault(locus, set()).update(unlisted)
    return tuple((locus, tuple(sorted(strange[locus]))) for locus in sorted(strange))


def _profile(
    person: str,
    cells: Cells,
    model: KinshipModel,
    faults: list[Fault],
    skipped: dict[str, str],
) -> Profile:
    genotypes: dict[str, Genotype] = {}
    for given, cell in cells.items():
        known = find_locus(given)
        name = known.name if known is not None else given
        if known is None and name not in model.table.loci:
            mend = "correct its name or leave it out"
            faults.append(Fault(person, None, given, "unknown-locus", "unknown locus", mend))
            continue
        if name in genotypes:
            faults.append(Fault(person, None, name, "locus-twice", "given twice", "keep one"))
            continue
        if known is not None and known.kind != "autosomal":
            skipped[name] = "not an autosomal locus"
            continue
        if name not in model.table.loci:
            skipped[name] = f"no frequencies in {model.table.name}"
            continue
        try:
            genotype = parse_genotype(cell)
        except GenotypeError as error:
            faults.append(Fault(person, None, name, error.kind, error.message, error.mend))
            continue
        if genotype is None:
            continue
        if len(genotype.alleles) == 1 and not genotype.partial:
            text = f"{cell!r} is one allele where two are expected"
            mend = "write 12/12 for a homozygote, 12/? if the other allele was not read"
            faults.append(Fault(person, None, name, "one-allele", text, mend))
            continue
        genotypes[name] = genotype
    return Profile(genotypes)
