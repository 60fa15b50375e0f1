"""Tables that turn two parents' genotype codes into likelihood ratios.

With both parents typed, T = (F[x] M[y] + F[y] M[x]) / (2 p_x p_y) for a child x/y, where F and M
are the chances that father and mother hand on an allele, mutation included. With one parent typed
T is a table over child rows and parent codes. Both are exact.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from kinward.likelihood.genome import Genomes, Observation, Status, status_of
from kinward.likelihood.observation import observation_matrix
from kinward.likelihood.run import evaluate, model_of
from kinward.likelihood.tables import Lanes
from kinward.model.locus_model import GeneticModel, LocusModel
from kinward.model.pedigree import Pedigree, Person
from kinward.model.registry import FamilyTable
from kinward.search.child_rows import ChildRows, LocusRows

__all__ = ["OneParentTable", "ParentCodes", "ParentTables"]

FloatArray = NDArray[np.float64]

_TRIO = Genomes.of(
    Pedigree.build(
        [Person("F", sex="male"), Person("M", sex="female"), Person("C", "F", "M", "unknown")]
    )
)


@dataclass(frozen=True, slots=True, eq=False)
class OneParentTable:
    """Likelihood ratios with one parent typed, all loci in one flat array.

    Entry start[locus] + row * codes[locus] + code is T; `excluded` says, in the same places,
    whether parent and child share no allele (mutation off).
    """

    ratios: FloatArray
    excluded: NDArray[np.bool_]
    start: NDArray[np.int64]
    codes: NDArray[np.int64]


@dataclass(frozen=True, slots=True, eq=False)
class ParentCodes:
    """Codes of what was seen in registered parents; 0 for untyped, none, or missing as well.

    Code k > 0 at a locus means `observed[locus][k - 1]`. The codes are those of the family table;
    behind them follow the observations that are not taken at their word, whose people are the
    rows `fallible`, in order, with their `fallible_codes` (people, loci).
    """

    families: FamilyTable
    columns: NDArray[np.intp]
    observed: tuple[tuple[Observation, ...], ...]
    fallible: NDArray[np.int64]
    fallible_codes: NDArray[np.int16]

    @classmethod
    def of(cls, families: FamilyTable, columns: Sequence[int]) -> ParentCodes:
        """Number the observations of a family table."""
        people = sorted(row for row, typing in families.typing.items() if not typing.perfect)
        codes = np.zeros((len(people), len(columns)), dtype=np.int16)
        observed = []
        for locus, column in enumerate(columns):
            genotypes = families.genotypes.observed[column]
            extra: dict[Observation, int] = {}
            for place, row in enumerate(people):
                code = int(families.genotypes.codes[row, column])
                if code:
                    seen = Observation(genotypes[code - 1], families.typing[row])
                    codes[place, locus] = extra.setdefault(seen, len(genotypes) + len(extra) + 1)
            observed.append((*(Observation(genotype) for genotype in genotypes), *extra))
        fallible = np.array(people, dtype=np.int64)
        return cls(families, np.array(columns, dtype=np.intp), tuple(observed), fallible, codes)

    def at(self, parent: NDArray[np.int64], locus: int) -> NDArray[np.int64]:
        """Return the codes of some rows of the table (-1 for none) at one locus."""
        codes = self.families.genotypes.codes[parent, self.columns[locus]].astype(np.int64)
        place, apart = self._apart(parent)
        codes[apart] = self.fallible_codes[place[apart], locus]
        return np.where(self._registered(parent), codes, 0)

    def everywhere(self, parent: NDArray[np.int64]) -> NDArray[np.int16]:
        """Return the codes of some rows of the table (-1 for none), (rows, loci)."""
        codes = self.families.genotypes.codes[parent][:, self.columns]
        place, apart = self._apart(parent)
        codes[apart] = self.fallible_codes[place[apart]]
        return np.where(self._registered(parent)[:, None], codes, np.int16(0))

    def _registered(self, parent: NDArray[np.int64]) -> NDArray[np.bool_]:
        return (parent >= 0) & ~self.families.missing[parent]

    def _apart(self, parent: NDArray[np.int64]) -> tuple[NDArray[np.intp], NDArray[np.bool_]]:
        """Return, for each row, its place in `fallible` and whether it is there."""
        if not len(self.fallible):
            return np.zeros(len(parent), np.intp), np.zeros(len(parent), np.bool_)
        place = np.minimum(np.searchsorted(self.fallible, parent), len(self.fallible) - 1)
        return place, self.fallible[place] == parent


@dataclass(frozen=True, slots=True, eq=False)
class ParentTables:
    """Everything that coded slots are scored with.

    `father` and `mother`: chance that a parent of code g hands on allele x, at
    hand_start[locus] + x * codes[locus] + g, flat. Per child row, at row_start[locus] + row:
    alleles `first` and `second` (-1 composite) and `scale` = 1 / (2 p_x p_y). `shown` at
    hand_start + x * codes + g: whether parent code g may carry allele x unmutated.
    """

    parents: ParentCodes
    codes: NDArray[np.int64]
    hand_start: NDArray[np.int64]
    row_start: NDArray[np.int64]
    father: FloatArray
    mother: FloatArray
    shown: NDArray[np.bool_]
    first: NDArray[np.int64]
    second: NDArray[np.int64]
    scale: FloatArray
    father_only: OneParentTable
    mother_only: OneParentTable

    @classmethod
    def build(
        cls, families: FamilyTable, model: GeneticModel, rows: ChildRows, columns: Sequence[int]
    ) -> ParentTables:
        """Build the tables for the genotypes that occur in the family table."""
        parents = ParentCodes.of(families, columns)
        observed = parents.observed
        models = [model.loci[locus] for locus in rows.loci]
        codes = np.array([len(found) + 1 for found in observed], dtype=np.int64)
        alleles = np.array([len(m.alleles) for m in models], dtype=np.int64)
        row_counts = np.array([len(r) for r in rows.per_locus], dtype=np.int64)
        handed = [_handed(found, m) for found, m in zip(observed, models, strict=True)]
        shown = [_shown(found, m) for found, m in zip(observed, models, strict=True)]
        scale = []
        for locus_rows, locus_model in zip(rows.per_locus, models, strict=True):
            p = locus_model.frequencies
            plain = locus_rows.first >= 0
            product = p[locus_rows.first] * p[locus_rows.second]
            scale.append(np.where(plain, 0.5 / product, np.nan))
        return cls(
            parents,
            codes,
            _starts(codes * alleles),
            _starts(row_counts),
            _flat([father for father, _ in handed]),
            _flat([mother for _, mother in handed]),
            np.concatenate([s.reshape(-1) for s in shown]) if shown else np.zeros(0, np.bool_),
            np.concatenate([r.first for r in rows.per_locus]).astype(np.int64),
            np.concatenate([r.second for r in rows.per_locus]).astype(np.int64),
            _flat(scale),
            _one_parent(observed, models, rows, shown, male=True),
            _one_parent(observed, models, rows, shown, male=False),
        )


def _starts(counts: NDArray[np.int64]) -> NDArray[np.int64]:
    return np.concatenate([[0], np.cumsum(counts)]).astype(np.int64)


def _flat(parts: Sequence[FloatArray]) -> FloatArray:
    return np.concatenate([np.ascontiguousarray(part).reshape(-1) for part in parts])


def _handed(observed: Sequence[Observation], model: LocusModel) -> tuple[FloatArray, FloatArray]:
    """Return P(allele handed on | parent's code), (alleles, codes), for fathers and mothers.

    A founder's true genotype given a half-typed one follows from the frequencies.
    """
    p = model.frequencies
    size = len(p)
    carried = np.empty((len(observed) + 1, size))
    # With an untyped parent frequencies count as listed, even if their sum is not quite one.
    carried[0] = p
    for code, seen in enumerate(observed, start=1):
        weights = observation_matrix([seen], model) * np.outer(p, p)
        weights /= weights.sum()
        carried[code] = 0.5 * (weights.sum(axis=0) + weights.sum(axis=1))
    return (carried @ model.male).T, (carried @ model.female).T


def _shown(observed: Sequence[Observation], model: LocusModel) -> NDArray[np.bool_]:
    """Return whether a parent's code may carry an allele, (alleles, codes).

    Untyped may carry any, half-typed too; a homozygote may hide nothing: silent alleles are off.
    """
    visible = len(model.alleles) - int(model.has_silent)
    shown = np.ones((len(model.alleles), len(observed) + 1), dtype=np.bool_)
    for code, seen in enumerate(observed, start=1):
        if not seen.typing.perfect:
            possible = observation_matrix([seen], model)[:visible, :visible] > 0
            shown[:visible, code] = possible.any(axis=0)
            shown[visible:, code] = False
        elif not seen.genotype.partial:
            shown[:, code] = False
            shown[[model.position(a) for a in seen.genotype.alleles], code] = True
    return shown


def _one_parent(
    observed: Sequence[Sequence[Observation]],
    models: Sequence[LocusModel],
    rows: ChildRows,
    shown: Sequence[NDArray[np.bool_]],
    *,
    male: bool,
) -> OneParentTable:
    ratios, excluded, sizes = [], [], []
    for found, model, locus_rows, may in zip(observed, models, rows.per_locus, shown, strict=True):
        ratios.append(_one_parent_locus(found, model, locus_rows, male=male))
        excluded.append(_excludes(locus_rows, may))
        sizes.append(ratios[-1].size)
    return OneParentTable(
        _flat(ratios),
        np.concatenate([e.reshape(-1) for e in excluded]),
        _starts(np.array(sizes, dtype=np.int64)),
        np.array([len(found) + 1 for found in observed], dtype=np.int64),
    )


def _excludes(locus_rows: LocusRows, may: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Return (rows, codes): no allele that the child may have is one the parent may have."""
    excluded = np.empty((len(locus_rows), may.shape[1]), dtype=np.bool_)
    for row in range(len(locus_rows)):
        if row in locus_rows.composite:
            has = np.flatnonzero(locus_rows.composite[row].any(axis=0))
        else:
            has = np.array([locus_rows.first[row], locus_rows.second[row]])
        excluded[row] = ~may[has].any(axis=0)
    return excluded


def _one_parent_locus(
    observed: Sequence[Observation], model: LocusModel, locus_rows: LocusRows, *, male: bool
) -> FloatArray:
    """Return T (rows, codes) with this parent typed and the other one not, one lane a code."""
    parent = 0 if male else 1
    out = np.empty((len(locus_rows), len(observed) + 1))
    seen = [[], *([one] for one in observed)]
    kinds = [status_of(s, model, male=male, inbreeding=0.0) for s in seen]
    for kind in dict.fromkeys(kinds):
        codes = [code for code, k in enumerate(kinds) if k == kind]
        status: list[Status] = ["untyped"] * 3
        status[parent] = kind
        alleles, matrices = {}, {}
        if kind == "phased":
            pairs = [[model.position(a) for a in observed[c - 1].genotype.alleles] for c in codes]
            alleles[parent] = np.array(pairs, dtype=np.intp).T
        elif kind == "open":
            matrices[parent] = np.stack([observation_matrix(seen[c], model) for c in codes], -1)
        lanes = Lanes(len(codes), alleles, matrices)
        joint = evaluate(_TRIO.shape(status, x_linked=False, target=(2,)), model_of(model), lanes)
        same = locus_rows.onto_rows(joint)
        if model.theta:
            apart = _TRIO.with_founder(male=False).shape(
                (*status, "untyped"), x_linked=False, target=(3,)
            )
            unrelated = locus_rows.onto_rows(evaluate(apart, model_of(model), lanes))
        else:
            alone = evaluate(_TRIO.shape(status, x_linked=False), model_of(model), lanes)
            unrelated = locus_rows.chance[:, None] * alone
        out[:, codes] = same / unrelated
    return out
