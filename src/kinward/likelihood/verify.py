"""Comparison with likelihoods computed elsewhere: files of cases, and how far we are from them.

A file is a JSON object. `likelihood_cases` hold a pedigree, one locus with its frequencies, a
mutation model, theta, genotypes and the natural logarithm of their probability; `lr_cases` hold a
family, a child, and the likelihood ratio per locus and in all, with the allele frequencies of all
loci in `frequencies`. Null for a logarithm means that it is exactly minus infinity. Frequencies
are used as they stand: nothing is rescaled and no allele is added.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

import numpy as np

from kinward.errors import Fault, InputError, KinwardError
from kinward.likelihood.genome import Genomes, Observation
from kinward.likelihood.missing import missing_person_lr
from kinward.likelihood.run import locus_likelihood
from kinward.model.allele import allele_sort_key, canonical_allele
from kinward.model.locus_model import Chromosome, GeneticModel, LocusModel
from kinward.model.marker import find_locus
from kinward.model.mutation import CustomMutation, MutationModel, SexMutation, build_mutation
from kinward.model.pedigree import Pedigree, Person
from kinward.model.population import LocusFrequencies
from kinward.model.profile import Genotype, Profile

__all__ = ["Deviation", "VerifyReport", "verify_cases"]

LN10 = math.log(10.0)


@dataclass(frozen=True, slots=True)
class Deviation:
    """One compared figure.

    `quantity` is `ln L`, `ln LR` (all loci) or `ln LR <locus>`; `kind` of pedigree is the name of
    the case without its number; `expected` and `found` are natural logarithms, minus infinity for
    an exact zero, NaN for a ratio that the relatives make impossible to form.
    """

    case: str
    kind: str
    model: str
    quantity: str
    expected: float
    found: float

    @property
    def size(self) -> float:
        """Absolute difference; infinite unless both or neither are exactly zero (or impossible)."""
        if math.isfinite(self.expected) and math.isfinite(self.found):
            return abs(self.expected - self.found)
        alike = self.expected == self.found or (
            math.isnan(self.expected) and math.isnan(self.found)
        )
        return 0.0 if alike else math.inf


@dataclass(frozen=True, slots=True)
class VerifyReport:
    """Every compared figure, in the order of the file."""

    deviations: tuple[Deviation, ...]

    @property
    def worst(self) -> Deviation:
        """The figure that deviates most; the first of them."""
        return max(self.deviations, key=lambda deviation: deviation.size)

    @property
    def largest(self) -> float:
        """Largest deviation, in natural logarithm."""
        return self.worst.size

    @property
    def cases(self) -> int:
        """Number of cases compared."""
        return len({deviation.case for deviation in self.deviations})

    def failures(self, tolerance: float = 1e-8) -> tuple[Deviation, ...]:
        """Return the figures that deviate by more than `tolerance`, largest first."""
        failed = [deviation for deviation in self.deviations if not deviation.size <= tolerance]
        return tuple(sorted(failed, key=lambda deviation: -deviation.size))

    def by_kind(self) -> Mapping[tuple[str, str], Deviation]:
        """Return the worst figure for each kind of pedigree and mutation model, sorted."""
        worst: dict[tuple[str, str], Deviation] = {}
        for deviation in self.deviations:
            key = (deviation.kind, deviation.model)
            if key not in worst or deviation.size > worst[key].size:
                worst[key] = deviation
        return MappingProxyType(dict(sorted(worst.items())))


def verify_cases(
    source: Path | str | Mapping[str, object],
    *,
    progress: Callable[[int, int], None] | None = None,
) -> VerifyReport:
    """Compute every case of a file (or of its parsed content) and compare.

    `progress` is called with the cases done and their number. Raises InputError listing every
    malformed case before anything is computed.
    """
    name, content = _load(source)
    cases = _parse(name, content)
    found: list[Deviation] = []
    for done, case in enumerate(cases):
        if progress is not None:
            progress(done, len(cases))
        try:
            found += case.compare()
        except KinwardError as error:
            fault = Fault(name, None, None, "impossible-case", f"{case.name}: {error}", MEND)
            raise InputError([fault]) from error
    if progress is not None:
        progress(len(cases), len(cases))
    return VerifyReport(tuple(found))


MEND = "correct the case or leave it out"


class _MalformedError(Exception):
    """One case cannot be read; says where in it and why."""


def _load(source: Path | str | Mapping[str, object]) -> tuple[str, Mapping[str, object]]:
    if isinstance(source, Mapping):
        return "cases", source
    name = str(source)

    def refuse(word: str) -> float:
        raise ValueError(f"{word} is not a number of JSON")

    try:
        content = json.loads(Path(source).read_bytes(), parse_constant=refuse)
    except OSError as error:
        message = f"the file cannot be read ({error.strerror})"
        raise InputError(
            [Fault(name, None, None, "unreadable", message, "check the path")]
        ) from error
    except json.JSONDecodeError as error:
        message = f"column {error.colno}: {error.msg}"
        raise InputError(
            [Fault(name, error.lineno, None, "not-json", message, "correct the JSON")]
        ) from error
    except ValueError as error:
        mend = "write UTF-8 with finite numbers, or null for the logarithm of zero"
        raise InputError([Fault(name, None, None, "not-json", str(error), mend)]) from error
    if not isinstance(content, Mapping):
        message, mend = "it is not a JSON object", 'write {"likelihood_cases": [...]}'
        raise InputError([Fault(name, None, None, "not-cases", message, mend)])
    return name, content


def _parse(file: str, content: Mapping[str, object]) -> list[_LikelihoodCase | _RatioCase]:
    cases: list[_LikelihoodCase | _RatioCase] = []
    faults: list[Fault] = []

    def fault(place: str, problem: str) -> None:
        faults.append(Fault(file, None, None, "malformed-case", f"{place}: {problem}", MEND))

    loci: Mapping[str, LocusFrequencies] = {}
    try:
        _keys(content, ("reference", "frequencies", "likelihood_cases", "lr_cases"), ())
        loci = _frequency_tables(_object(content.get("frequencies") or {}, "frequencies"))
    except _MalformedError as error:
        fault("the file", str(error))
    names: set[str] = set()
    for section in ("likelihood_cases", "lr_cases"):
        rows = content.get(section, [])
        if not isinstance(rows, list):
            fault(section, "it is not a list")
            continue
        for number, row in enumerate(rows):
            place = f"{section}[{number}]"
            try:
                item = _object(row, "the case")
                name = _text(item.get("name"), "name")
                place += f" ({name})"
                if name in names:
                    raise _MalformedError("another case has the same name")
                names.add(name)
                cases.append(
                    _likelihood_case(item)
                    if section == "likelihood_cases"
                    else _ratio_case(item, loci)
                )
            except (_MalformedError, KinwardError) as error:
                fault(place, str(error))
    if not cases and not faults:
        fault("the file", "it holds no cases")
    if faults:
        raise InputError(faults)
    return cases


@dataclass(frozen=True, slots=True)
class _LikelihoodCase:
    name: str
    mutation: str
    genomes: Genomes
    evidence: Mapping[int, list[Observation]]
    locus_model: LocusModel
    expected: float

    def compare(self) -> list[Deviation]:
        value = locus_likelihood(self.genomes, self.evidence, self.locus_model)
        found = _ln(value)
        kind = _kind(self.name)
        return [Deviation(self.name, kind, self.mutation, "ln L", self.expected, found)]


@dataclass(frozen=True, slots=True)
class _RatioCase:
    name: str
    mutation: str
    pedigree: Pedigree
    relatives: Mapping[str, Profile]
    missing: str
    child: Profile
    model: GeneticModel
    expected: Mapping[str, float]
    """Natural logarithms of the ratios by locus; all loci under the empty name."""

    def compare(self) -> list[Deviation]:
        result = missing_person_lr(
            self.pedigree, self.relatives, self.missing, self.child, self.model
        )
        ratios = {one.locus: one.lr for one in result.per_locus}
        found = {
            locus: math.nan if ratio is None else _ln(ratio) for locus, ratio in ratios.items()
        }
        total = result.log10_lr
        found[""] = math.nan if total is None else total * LN10
        strange = self.expected.keys() - found.keys()
        if strange:
            raise KinwardError(f"{min(strange)} is not typed in the child and in a relative")
        return [
            Deviation(
                self.name,
                _kind(self.name),
                self.mutation,
                f"ln LR {locus}".strip(),
                expected,
                found[locus],
            )
            for locus, expected in self.expected.items()
        ]


def _ln(value: float) -> float:
    return math.log(value) if value > 0 else -math.inf


def _kind(name: str) -> str:
    return name.rstrip("0123456789").rstrip("_") or name


def _likelihood_case(item: Mapping[str, object]) -> _LikelihoodCase:
    needed = ("name", "pedigree", "locus", "frequencies", "mutation", "genotypes", "loglikelihood")
    _keys(item, (*needed, "chromosome", "theta", "silent"), needed)
    locus = _locus_name(_text(item["locus"], "locus"))
    mutation, label = _mutation(item["mutation"])
    chromosome = item.get("chromosome", "autosomal")
    if chromosome not in ("autosomal", "X"):
        raise _MalformedError(f"chromosome is {chromosome!r}; write autosomal or X")
    model = _locus_model(
        locus,
        _frequencies(_object(item["frequencies"], "frequencies"), "frequencies"),
        mutation,
        item,
        "X" if chromosome == "X" else "autosomal",
    )
    pedigree = _pedigree(item["pedigree"])
    genomes = Genomes.of(pedigree)
    evidence: dict[int, list[Observation]] = {}
    for person, cell in _object(item["genotypes"], "genotypes").items():
        _known(person, pedigree)
        seen = Observation(_genotype(cell, f"genotype of {person}"))
        evidence.setdefault(genomes.of_person[person], []).append(seen)
    expected = item["loglikelihood"]
    return _LikelihoodCase(
        _text(item["name"], "name"),
        label,
        genomes,
        evidence,
        model,
        -math.inf if expected is None else _number(expected, "loglikelihood"),
    )


def _ratio_case(item: Mapping[str, object], tables: Mapping[str, LocusFrequencies]) -> _RatioCase:
    needed = ("name", "pedigree", "missing", "mutation", "relatives", "child", "lr_per_locus")
    _keys(item, (*needed, "log10_lr", "related", "theta", "silent"), (*needed, "log10_lr"))
    pedigree = _pedigree(item["pedigree"])
    missing = _text(item["missing"], "missing")
    _known(missing, pedigree)
    child = _profile(item["child"], "child")
    relatives = {}
    for person, cells in _object(item["relatives"], "relatives").items():
        _known(person, pedigree)
        relatives[person] = _profile(cells, f"relative {person}")
    mutation, label = _mutation(item["mutation"])
    expected: dict[str, float] = {}
    for given, ratio in _object(item["lr_per_locus"], "lr_per_locus").items():
        locus = _locus_name(given)
        if locus in expected:
            raise _MalformedError(f"lr_per_locus has {locus} twice")
        expected[locus] = math.nan if ratio is None else _ln(_number(ratio, f"LR of {locus}"))
    total = item["log10_lr"]
    impossible = any(math.isnan(ratio) for ratio in expected.values())
    zero = math.nan if impossible else -math.inf
    expected[""] = zero if total is None else _number(total, "log10_lr") * LN10
    models = {}
    for locus in child.genotypes:
        if any(locus in profile.genotypes for profile in relatives.values()):
            if locus not in tables:
                raise _MalformedError(f"{locus} is not in the frequencies of the file")
            models[locus] = _locus_model(locus, tables[locus], mutation, item, "autosomal")
    theta = float(next(iter(models.values())).theta) if models else 0.0
    model = GeneticModel(MappingProxyType(models), "cases", label, theta, 0.0, {})
    return _RatioCase(
        _text(item["name"], "name"), label, pedigree, relatives, missing, child, model, expected
    )


def _locus_model(
    locus: str,
    frequencies: LocusFrequencies,
    mutation: SexMutation,
    item: Mapping[str, object],
    chromosome: Chromosome,
) -> LocusModel:
    return LocusModel.build(
        locus,
        frequencies,
        mutation,
        theta=_number(item.get("theta", 0.0), "theta"),
        silent=_number(item.get("silent", 0.0), "silent"),
        chromosome=chromosome,
    )


def _pedigree(value: object) -> Pedigree:
    if not isinstance(value, list):
        raise _MalformedError("the pedigree is not a list of people")
    people = []
    for number, row in enumerate(value):
        place = f"person {number + 1}"
        item = _object(row, place)
        _keys(
            item,
            ("id", "father", "mother", "sex", "twin", "founder_inbreeding"),
            ("id", "father", "mother", "sex"),
        )
        sex = item["sex"]
        if sex not in ("male", "female", "unknown"):
            raise _MalformedError(f"{place}: sex is {sex!r}; write male, female or unknown")
        people.append(
            Person(
                _text(item["id"], f"{place}: id"),
                _text_or_none(item["father"], f"{place}: father"),
                _text_or_none(item["mother"], f"{place}: mother"),
                "male" if sex == "male" else "female" if sex == "female" else "unknown",
                _text_or_none(item.get("twin"), f"{place}: twin"),
                _number(item.get("founder_inbreeding", 0.0), f"{place}: founder_inbreeding"),
            )
        )
    return Pedigree.build(people, allow_single_parent=True)


def _known(person: str, pedigree: Pedigree) -> None:
    if person not in pedigree.index:
        raise _MalformedError(f"{person} is not in the pedigree")


def _mutation(value: object) -> tuple[SexMutation, str]:
    item = _object(value, "mutation")
    _keys(item, ("model", "male", "female"), ("model",))
    name = _text(item["model"], "mutation model")
    models = [_one_mutation(name, item.get(sex, {}), sex) for sex in ("male", "female")]
    return SexMutation(*models), name


def _one_mutation(name: str, value: object, sex: str) -> MutationModel:
    item = _object(value, f"mutation of the {sex}")
    if name != "custom":
        numbers = {key: _number(number, f"{sex} {key}") for key, number in item.items()}
        return build_mutation(name, numbers)
    _keys(item, ("alleles", "matrix"), ("alleles", "matrix"))
    alleles, rows = item["alleles"], item["matrix"]
    if not isinstance(alleles, list) or not isinstance(rows, list):
        raise _MalformedError("a custom model takes a list of alleles and a list of rows")
    values = [
        [_number(entry, "matrix") for entry in row] if isinstance(row, list) else [] for row in rows
    ]
    if any(len(row) != len(alleles) for row in values) or len(values) != len(alleles):
        raise _MalformedError("the matrix is not as large as the list of alleles")
    return CustomMutation(tuple(_allele(a, "mutation") for a in alleles), np.array(values))


def _frequency_tables(value: Mapping[str, object]) -> Mapping[str, LocusFrequencies]:
    tables: dict[str, LocusFrequencies] = {}
    for given, alleles in value.items():
        locus = _locus_name(given)
        if locus in tables:
            raise _MalformedError(f"frequencies have {locus} twice")
        tables[locus] = _frequencies(_object(alleles, f"frequencies of {given}"), given)
    return tables


def _frequencies(value: Mapping[str, object], place: str) -> LocusFrequencies:
    given = {
        _allele(allele, place): _number(number, f"{place}: {allele}")
        for allele, number in value.items()
    }
    if len(given) != len(value):
        raise _MalformedError(f"{place}: an allele is given twice")
    alleles = tuple(sorted(given, key=allele_sort_key))
    try:
        return LocusFrequencies(alleles, np.array([given[allele] for allele in alleles]))
    except KinwardError as error:
        raise _MalformedError(f"{place}: {error}") from None


def _profile(value: object, place: str) -> Profile:
    genotypes: dict[str, Genotype] = {}
    for given, cell in _object(value, place).items():
        locus = _locus_name(given)
        if locus in genotypes:
            raise _MalformedError(f"{place} has {locus} twice")
        genotypes[locus] = _genotype(cell, f"{place}, {given}")
    return Profile(genotypes)


def _genotype(value: object, place: str) -> Genotype:
    """Read `"12/13"` or `["12", "13"]`; a single allele is hemizygous; `?` is an unread one."""
    parts = value.split("/") if isinstance(value, str) else value
    if not isinstance(parts, list) or len(parts) not in (1, 2):
        raise _MalformedError(f'{place} is {value!r}; write "12/13" or ["12", "13"]')
    partial = len(parts) == 2 and parts.count("?") == 1
    visible: Iterable[object] = [part for part in parts if part != "?"] if partial else parts
    return Genotype(tuple(_allele(part, place) for part in visible), partial)


def _allele(value: object, place: str) -> str:
    if isinstance(value, int | float) and not isinstance(value, bool):
        value = f"{value:g}"
    if not isinstance(value, str) or not value.strip() or value.strip() == "?":
        raise _MalformedError(f"{place}: {value!r} is not an allele")
    return canonical_allele(value.strip()) or value.strip()


def _locus_name(given: str) -> str:
    known = find_locus(given)
    return known.name if known is not None else given.strip()


def _object(value: object, place: str) -> Mapping[str, object]:
    if not isinstance(value, Mapping):
        raise _MalformedError(f"{place} is not a JSON object")
    return value


def _keys(item: Mapping[str, object], allowed: Iterable[str], needed: Iterable[str]) -> None:
    missing = [key for key in needed if key not in item]
    if missing:
        raise _MalformedError(f"{', '.join(missing)} is missing")
    strange = sorted(set(item) - set(allowed))
    if strange:
        raise _MalformedError(f"{strange[0]!r} is not a known key")


def _text(value: object, place: str) -> str:
    if not isinstance(value, str) or not value.strip():
        raise _MalformedError(f"{place} is {value!r}; write a text")
    return value


def _text_or_none(value: object, place: str) -> str | None:
    return None if value is None else _text(value, place)


def _number(value: object, place: str) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise _MalformedError(f"{place} is {value!r}; write a finite number")
    return float(value)
