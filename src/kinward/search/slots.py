"""The families' side of a search: one slot per missing child, and how it can be compared.

A slot is *coded* if at every locus only the genotypes of its two registered parents matter: its
likelihood ratios then follow from two genotype codes per locus. Every other slot is *tabulated*:
its family is eliminated once, and the whole table of likelihood ratios kept while its block is
searched. The choice is about speed only; both are exact.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from kinward.model.locus_model import GeneticModel
from kinward.model.registry import FamilyTable

__all__ = ["Slots", "find_slots", "parents_among", "typed_relatives"]


@dataclass(frozen=True, slots=True, eq=False)
class Slots:
    """All missing children of a family table.

    `row` (slots,) their rows in the table, `family` the positions of their families, `father` and
    `mother` the parents' rows, -1 if the family does not name them. `coded` (slots,) see above;
    `father_typed` and `mother_typed` whether the parent is typed at any locus of the search.
    """

    row: NDArray[np.int64]
    family: NDArray[np.int64]
    father: NDArray[np.int64]
    mother: NDArray[np.int64]
    coded: NDArray[np.bool_]
    father_typed: NDArray[np.bool_]
    mother_typed: NDArray[np.bool_]

    def __len__(self) -> int:
        return len(self.row)


def typed_relatives(families: FamilyTable, columns: NDArray[np.intp]) -> NDArray[np.uint8]:
    """Return how many people who are not missing are typed, shape (families, loci).

    Counts above 255 stop there.
    """
    typed = (families.genotypes.codes[:, columns] > 0) & ~families.missing[:, None]
    return np.minimum(
        np.add.reduceat(typed, families.first[:-1], axis=0, dtype=np.int32), 255
    ).astype(np.uint8)


def find_slots(families: FamilyTable, model: GeneticModel, columns: NDArray[np.intp]) -> Slots:
    """List the missing children; `columns` are the genotype columns that the search uses."""
    row = np.flatnonzero(families.missing).astype(np.int64)
    family = np.searchsorted(families.first, row, side="right").astype(np.int64) - 1
    start = families.first[family]

    def parent_row(relative: NDArray[np.int16]) -> NDArray[np.int64]:
        position = relative[row].astype(np.int64)
        return np.where(position >= 0, start + position, -1)

    father, mother = parent_row(families.father), parent_row(families.mother)
    codes = families.genotypes.codes
    # A parent that is missing as well counts as untyped, whatever its personal item says.
    father_at = (codes[father][:, columns] > 0) & _registered(families, father)
    mother_at = (codes[mother][:, columns] > 0) & _registered(families, mother)
    coded = _coded(families, model, columns, row, family, father, mother, father_at, mother_at)
    return Slots(
        row,
        family,
        father,
        mother,
        coded,
        np.asarray(father_at.any(axis=1)),
        np.asarray(mother_at.any(axis=1)),
    )


def parents_among(families: FamilyTable, children: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Return which people are a parent of one of `children`, both masks over the table's rows."""
    start = np.repeat(families.first[:-1], np.diff(families.first))
    found = np.zeros(len(children), dtype=np.bool_)
    for relative in (families.father, families.mother):
        has = (relative >= 0) & children
        found[start[has] + relative[has]] = True
    return found


def _registered(families: FamilyTable, parent: NDArray[np.int64]) -> NDArray[np.bool_]:
    return ((parent >= 0) & ~families.missing[parent])[:, None]


def _coded(
    families: FamilyTable,
    model: GeneticModel,
    columns: NDArray[np.intp],
    row: NDArray[np.int64],
    family: NDArray[np.int64],
    father: NDArray[np.int64],
    mother: NDArray[np.int64],
    father_at: NDArray[np.bool_],
    mother_at: NDArray[np.bool_],
) -> NDArray[np.bool_]:
    """Return for which slots the parents' genotypes say everything, at every locus.

    With theta all relatives count, as all are drawn from one subpopulation. A silent allele leaves
    a homozygous parent in doubt, on which other relatives throw light.
    """
    coded = (father >= 0) & (mother >= 0)
    if model.theta > 0 or model.silent > 0:
        return np.zeros(len(row), dtype=np.bool_)
    odd = np.zeros(len(families), dtype=np.bool_)
    strange = families.founder_inbreeding > 0
    strange[[r for r, typing in families.typing.items() if not typing.perfect]] = True
    odd[np.searchsorted(families.first, np.flatnonzero(strange), side="right") - 1] = True
    coded &= ~odd[family]
    # The slot's own typing (a personal item), a twin of it, or a child of it speak for themselves.
    coded &= (families.genotypes.codes[row][:, columns] == 0).all(axis=1)
    coded &= families.twin[row] == 0
    is_parent = parents_among(families, np.ones(len(families.father), dtype=np.bool_))
    coded &= ~is_parent[row]
    # Has grandchildren: a founder who has none is no ancestor of the other parent.
    ancestor = parents_among(families, is_parent)

    # A half-typed parent is in doubt like an untyped one.
    partial = np.zeros_like(father_at)
    for position, column in enumerate(columns):
        half = np.array([False, *(g.partial for g in families.genotypes.observed[column])])
        if half.any():
            at = families.genotypes.codes[:, column]
            partial[:, position] = half[at[father]] | half[at[mother]]
    certain = father_at & mother_at & ~partial
    everybody = typed_relatives(families, columns)[family]
    parents = father_at.astype(np.uint8) + mother_at
    others = everybody > parents
    founder = (families.father < 0) & (families.mother < 0)
    father_known = founder[father][:, None] | father_at
    mother_known = founder[mother][:, None] | mother_at
    alone_enough = ~others & father_known & mother_known
    # A half-typed parent with ancestors in the pedigree has no plain prior; nor has an untyped one
    # who is an ancestor of the other parent.
    related = ~(founder[father] & founder[mother])
    doubt = related[:, None] & (partial | (ancestor[father] | ancestor[mother])[:, None])
    coded &= (certain | (alone_enough & ~doubt)).all(axis=1)
    return coded
