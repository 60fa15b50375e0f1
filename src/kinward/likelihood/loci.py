"""All loci of one comparison at once: what a single likelihood ratio costs is mostly overhead.

Loci at which the same people are typed, with full confidence, are the lanes of one run of a plan.
Where the mutation model treats all other alleles alike, those that nobody shows are merged into
one (as in `lumping`), so that lanes are narrow; the other loci are padded to the widest of their
group with alleles of frequency zero. One or two typed parents need no plan at all.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from types import MappingProxyType

import numpy as np
from numba import njit
from numpy.typing import NDArray

from kinward.likelihood.genome import NO_PARENT, Genomes, Status
from kinward.likelihood.run import evaluate
from kinward.likelihood.tables import Lanes, Model
from kinward.model.locus_model import GeneticModel

__all__ = ["PhasedLoci", "PreparedModel", "compare_loci", "prepare"]

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.intp]

WIDTH_STEP = 32
"""Loci that cannot be merged run together if their numbers of alleles, rounded up to a multiple
of this, agree: padding costs time, but every further run costs more, except beside a locus as wide
as SE33."""


@dataclass(frozen=True, slots=True, eq=False)
class PreparedModel:
    """The figures of all loci of a model, padded to the widest (A alleles) and stacked.

    `matrices` (2, loci, A, A) for male and female meioses, the identity on padding;
    `frequencies` (loci, A), zero on padding; `gametes` (2, loci, A): what an untyped unrelated
    parent hands on. Where `merges`, all rows of a matrix agree off the diagonal, in `onto`
    (2, loci, A); `stays` (2, loci, A) are the diagonals.
    """

    names: tuple[str, ...]
    positions: tuple[Mapping[str, int], ...]
    sizes: NDArray[np.int64]
    frequencies: FloatArray
    matrices: FloatArray
    gametes: FloatArray
    onto: FloatArray
    stays: FloatArray
    merges: tuple[bool, ...]
    silent: tuple[bool, ...]
    x_linked: tuple[bool, ...]
    theta: tuple[float, ...]


@lru_cache(maxsize=16)
def prepare(model: GeneticModel) -> PreparedModel:
    """Stack the figures of a model; remembered for the models last used."""
    loci = list(model.loci.values())
    widest = max((len(locus.alleles) for locus in loci), default=1)
    frequencies = np.zeros((len(loci), widest))
    matrices = np.zeros((2, len(loci), widest, widest))
    matrices[..., np.arange(widest), np.arange(widest)] = 1.0
    onto = np.zeros((2, len(loci), widest))
    merges = []
    for at, locus in enumerate(loci):
        size = len(locus.alleles)
        frequencies[at, :size] = locus.frequencies
        agree = not locus.has_silent and size > 1
        for sex, matrix in enumerate((locus.male, locus.female)):
            matrices[sex, at, :size, :size] = matrix
            off = np.where(np.eye(size, dtype=bool), np.nan, matrix)
            if size > 1:
                onto[sex, at, :size] = np.nanmax(off, axis=0)
                agree = agree and bool(np.ptp(_rows_off_diagonal(matrix), axis=0).max() <= 1e-14)
        merges.append(agree)
    return PreparedModel(
        tuple(model.loci),
        tuple(MappingProxyType({a: i for i, a in enumerate(one.alleles)}) for one in loci),
        np.array([len(locus.alleles) for locus in loci], dtype=np.int64),
        frequencies,
        matrices,
        np.einsum("li,slij->slj", frequencies, matrices),
        onto,
        np.ascontiguousarray(matrices[..., np.arange(widest), np.arange(widest)]),
        tuple(merges),
        tuple(locus.has_silent for locus in loci),
        tuple(locus.chromosome == "X" for locus in loci),
        tuple(locus.theta for locus in loci),
    )


def _rows_off_diagonal(matrix: FloatArray) -> FloatArray:
    """Return (alleles - 1, alleles): each column without its diagonal entry."""
    size = len(matrix)
    columns = matrix.T[~np.eye(size, dtype=bool)].reshape(size, size - 1)
    return columns.T


@dataclass(frozen=True, slots=True)
class PhasedLoci:
    """Loci at which the same genomes are typed, each by one infallible complete genotype.

    `loci` are positions in the model; `typed` the genomes; `pairs` (loci, typed and the child last,
    2) their allele indices (a hemizygous allele twice).
    """

    loci: tuple[int, ...]
    typed: tuple[int, ...]
    pairs: NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Comparison:
    """Results for `loci`: the two probabilities, and whether only mutation explains the child."""

    loci: tuple[int, ...]
    numerator: Sequence[float]
    denominator: Sequence[float]
    exclusion: Sequence[bool]


def compare_loci(
    genomes: Genomes, target: int, group: PhasedLoci, prepared: PreparedModel
) -> Iterator[Comparison]:
    """Compare child and missing child (genome `target`) at the loci of a group.

    All loci of a group share chromosome and theta.
    """
    first = group.loci[0]
    x_linked, theta = prepared.x_linked[first], prepared.theta[first]
    parents = (genomes.father[target], genomes.mother[target])
    if not x_linked and not theta and _parents_only(genomes, parents, group):
        yield _by_parents(genomes, parents, group, prepared)
        return
    pairs = np.ascontiguousarray(group.pairs.transpose(1, 2, 0))
    excluded = _exclusions(genomes, target, group, pairs, x_linked=x_linked)
    for lanes, merge in _runs(group.loci, prepared):
        loci = tuple(group.loci[lane] for lane in lanes)
        some = np.ascontiguousarray(pairs[:, :, lanes])
        if merge:
            model, some = _merged(some, loci, prepared, theta)
        else:
            model = _padded(prepared, loci, theta)
        run = _Run(genomes, target, group.typed, some, model, x_linked)
        yield Comparison(
            loci,
            run.numerator().tolist(),
            run.denominator().tolist(),
            [excluded[lane] for lane in lanes],
        )


def _runs(loci: Sequence[int], prepared: PreparedModel) -> Iterator[tuple[list[int], bool]]:
    """Yield the lanes that run together, and whether their unseen alleles are merged."""
    by_width: dict[int, list[int]] = {}
    for lane, locus in enumerate(loci):
        steps = 0 if prepared.merges[locus] else -(-int(prepared.sizes[locus]) // WIDTH_STEP)
        by_width.setdefault(steps, []).append(lane)
    for steps, lanes in by_width.items():
        yield lanes, steps == 0


@lru_cache(maxsize=128)
def _padded(prepared: PreparedModel, loci: tuple[int, ...], theta: float) -> Model:
    """Return the figures of some loci, padded to the widest of them, loci last."""
    index = list(loci)
    widest = int(prepared.sizes[index].max())
    male, female = prepared.matrices[:, index, :widest, :widest].transpose(0, 2, 3, 1).copy()
    return Model(prepared.frequencies[index, :widest].T.copy(), male, female, theta)


def _merged(
    pairs: NDArray[np.int64], loci: tuple[int, ...], prepared: PreparedModel, theta: float
) -> tuple[Model, NDArray[np.int64]]:
    """Return narrow figures in which the alleles not among `pairs` are one, and the new pairs."""
    index = np.array(loci, dtype=np.int64)
    frequencies, matrices, renamed = _merge(
        pairs, index, prepared.sizes, prepared.frequencies, prepared.onto, prepared.stays
    )
    return Model(frequencies, matrices[0], matrices[1], theta), renamed


@njit(cache=True, nogil=True, error_model="numpy")
def _merge(pairs, loci, sizes, frequencies, onto, stays):  # type: ignore[no-untyped-def]
    """Merge what nobody shows; pairs (genomes, 2, lanes), tables as in PreparedModel.

    The last allele stands for all others: a kept one turns into it with what its row has left.
    """
    people, lanes = pairs.shape[0], pairs.shape[2]
    renamed = np.empty_like(pairs)
    kept = np.empty((2 * people, lanes), dtype=np.int64)
    counts = np.zeros(lanes, dtype=np.int64)
    for lane in range(lanes):
        for person in range(people):
            for copy in range(2):
                allele = pairs[person, copy, lane]
                place = 0
                while place < counts[lane] and kept[place, lane] != allele:
                    place += 1
                if place == counts[lane]:
                    kept[place, lane] = allele
                    counts[lane] += 1
                renamed[person, copy, lane] = place
    width = counts.max() + 1
    small = np.zeros((width, lanes))
    matrices = np.zeros((2, width, width, lanes))
    for lane in range(lanes):
        locus, count = loci[lane], counts[lane]
        rest = count < sizes[locus]
        other = width - 1
        for a in range(sizes[locus]):
            small[other, lane] += frequencies[locus, a]
        for i in range(count):
            small[i, lane] = frequencies[locus, kept[i, lane]]
            small[other, lane] -= small[i, lane]
        if not rest or small[other, lane] < 0.0:
            small[other, lane] = 0.0
        for sex in range(2):
            out_of_other = 0.0
            for j in range(count):
                rate = onto[sex, locus, kept[j, lane]]
                out_of_other += rate
                for i in range(count):
                    matrices[sex, i, j, lane] = rate
                matrices[sex, j, j, lane] = stays[sex, locus, kept[j, lane]]
                matrices[sex, other, j, lane] = rate
            matrices[sex, other, other, lane] = 1.0 - out_of_other
            for i in range(count):
                left = 1.0
                for j in range(count):
                    left -= matrices[sex, i, j, lane]
                matrices[sex, i, other, lane] = max(left, 0.0) if rest else 0.0
    return small, matrices, renamed


@njit(cache=True, nogil=True, error_model="numpy")
def _shown_only(pairs):  # type: ignore[no-untyped-def]
    """Number the alleles of each lane by appearance; return the new pairs and the most of any."""
    people, lanes = pairs.shape[0], pairs.shape[2]
    renamed = np.empty_like(pairs)
    kept = np.empty(2 * people, dtype=np.int64)
    most = 0
    for lane in range(lanes):
        count = 0
        for person in range(people):
            for copy in range(2):
                place = 0
                while place < count and kept[place] != pairs[person, copy, lane]:
                    place += 1
                if place == count:
                    kept[place] = pairs[person, copy, lane]
                    count += 1
                renamed[person, copy, lane] = place
        most = max(most, count)
    return renamed, most


def _exclusions(
    genomes: Genomes, target: int, group: PhasedLoci, pairs: NDArray[np.int64], *, x_linked: bool
) -> list[bool]:
    """Return per locus whether the child is impossible without mutation.

    Only whether the probability is zero matters, so all alleles are made equally frequent, and
    those that nobody shows are left out: an untyped person may as well have one that is shown.
    """
    renamed, most = _shown_only(pairs)
    run = _Run(genomes, target, group.typed, renamed, _unchanging(most), x_linked)
    found: list[bool] = (run.numerator() == 0.0).tolist()
    return found


@lru_cache(maxsize=64)
def _unchanging(size: int) -> Model:
    """Return equally frequent alleles without mutation, shared by all lanes."""
    same = np.eye(size)[:, :, None]
    return Model(np.full((size, 1), 1.0 / size), same, same, 0.0)


@dataclass(frozen=True, slots=True)
class _Run:
    """The two hypotheses for some loci; pairs (typed genomes and the child last, 2, lanes)."""

    genomes: Genomes
    target: int
    typed: Sequence[int]
    pairs: NDArray[np.int64]
    model: Model
    x_linked: bool

    def _evaluate(self, genomes: Genomes, typed: Sequence[int]) -> FloatArray:
        status: list[Status] = ["untyped"] * len(genomes.father)
        for genome in typed:
            status[genome] = "phased"
        alleles = dict(zip(typed, self.pairs, strict=False))
        lanes = Lanes(self.pairs.shape[2], alleles, {})
        return evaluate(genomes.shape(status, x_linked=self.x_linked), self.model, lanes)

    def numerator(self) -> FloatArray:
        return self._evaluate(self.genomes, [*self.typed, self.target])

    def denominator(self) -> FloatArray:
        male = self.genomes.male[self.target]
        if self.model.theta:
            apart = self.genomes.with_founder(male=male)
            return self._evaluate(apart, [*self.typed, len(self.genomes.father)])
        lane = np.arange(self.pairs.shape[2])
        first, second = self.pairs[-1]
        child = self.model.frequencies[first, lane]
        if not (self.x_linked and male):
            child = child * self.model.frequencies[second, lane]
            child = np.where(first == second, child, 2.0 * child)
        together: FloatArray = child * self._evaluate(self.genomes, self.typed)
        return together


def _parents_only(genomes: Genomes, parents: tuple[int, int], group: PhasedLoci) -> bool:
    """Return whether the typed relatives are one or both parents, themselves founders."""
    if NO_PARENT in parents or parents[0] == parents[1]:
        return False
    return all(
        genome in parents and genomes.father[genome] == genomes.mother[genome] == NO_PARENT
        for genome in group.typed
    ) and all(genomes.father[g] == genomes.mother[g] == NO_PARENT for g in parents)


def _by_parents(
    genomes: Genomes, parents: tuple[int, int], group: PhasedLoci, prepared: PreparedModel
) -> Comparison:
    trios = np.full((3, len(group.loci), 2), -1, dtype=np.int64)
    trios[2] = group.pairs[:, -1]
    for at, genome in enumerate(group.typed):
        trios[parents.index(genome)] = group.pairs[:, at]
    numerator, denominator, exclusion = _trios(
        trios,
        np.array(group.loci, dtype=np.int64),
        np.array([genomes.inbreeding[parent] for parent in parents]),
        prepared.frequencies,
        prepared.matrices,
        prepared.gametes,
    )
    return Comparison(group.loci, numerator.tolist(), denominator.tolist(), exclusion.tolist())


@njit(cache=True, nogil=True, error_model="numpy")
def _founder(first, second, inbreeding, p):  # type: ignore[no-untyped-def]
    if first == second:
        return inbreeding * p[first] + (1.0 - inbreeding) * p[first] * p[first]
    return 2.0 * (1.0 - inbreeding) * p[first] * p[second]


@njit(cache=True, nogil=True, error_model="numpy")
def _trios(trios, loci, inbreeding, frequencies, matrices, gametes):  # type: ignore[no-untyped-def]
    """Closed form for founder parents; trios (father, mother, child; loci; 2), -1 untyped.

    P(child a/b | parents) = F(a) G(b) + F(b) G(a) if a != b, F and G being what the father and
    the mother hand on; the denominator has the child's genotype drawn from the population.
    """
    count = len(loci)
    numerator = np.empty(count)
    denominator = np.empty(count)
    exclusion = np.empty(count, dtype=np.bool_)
    handed = np.empty((2, 2))
    fits = np.empty((2, 2), dtype=np.bool_)
    for k in range(count):
        locus = loci[k]
        p = frequencies[locus]
        a, b = trios[2, k, 0], trios[2, k, 1]
        relatives = 1.0
        for sex in range(2):
            one, two = trios[sex, k, 0], trios[sex, k, 1]
            if one >= 0:
                relatives *= _founder(one, two, inbreeding[sex], p)
            for copy in range(2):
                allele = trios[2, k, copy]
                if one < 0:
                    handed[sex, copy] = gametes[sex, locus, allele]
                    fits[sex, copy] = True
                else:
                    matrix = matrices[sex, locus]
                    handed[sex, copy] = 0.5 * (matrix[one, allele] + matrix[two, allele])
                    fits[sex, copy] = allele in (one, two)
        chance = handed[0, 0] * handed[1, 1]
        if a != b:
            chance += handed[0, 1] * handed[1, 0]
        numerator[k] = relatives * chance
        denominator[k] = relatives * _founder(a, b, 0.0, p)
        possible = relatives > 0.0 and ((fits[0, 0] and fits[1, 1]) or (fits[0, 1] and fits[1, 0]))
        exclusion[k] = not possible
    return numerator, denominator, exclusion
