"""Do the relatives of a family fit each other, before anyone is compared with them?"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import numpy as np
from numpy.typing import NDArray

from kinward.model.registry import FamilyTable
from kinward.search.posterior_table import SlotGroup, TableBuilder, group_slots
from kinward.search.record import FamilyFinding
from kinward.search.slots import Slots, parents_among

__all__ = ["check_families"]


def _worth_checking(families: FamilyTable, columns: NDArray[np.intp]) -> NDArray[np.intp]:
    """Return families in which relatives can contradict each other.

    Without a typed parent and child, or typed twins, any genotypes of two people are possible,
    unless ancestors are shared or inbred. A personal item counts as typed.
    """
    typed = np.asarray((families.genotypes.codes[:, columns] > 0).any(axis=1))
    family = np.repeat(np.arange(len(families)), np.diff(families.first))
    start = families.first[family]
    suspect = typed & (families.twin > 0)
    for relative in (families.father, families.mother):
        known = relative >= 0
        parent_typed = np.zeros_like(typed)
        parent_typed[known] = typed[start[known] + relative[known]]
        suspect |= typed & parent_typed
    # An inbred founder may have one allele only.
    suspect |= families.founder_inbreeding > 0
    # Three typed siblings can show five alleles between untyped parents; two children of a man
    # and his daughter four, one too many.
    looped = np.zeros(len(families), dtype=np.bool_)
    looped[family[_parents_may_be_related(families, start)]] = True
    count = np.add.reduceat(typed, families.first[:-1], dtype=np.int64)
    many = np.flatnonzero(count >= np.where(looped, 2, 3))
    return np.union1d(np.unique(family[suspect]), many)


def _parents_may_be_related(families: FamilyTable, start: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Return people whose parents may share an ancestor; some of them do not."""
    founder = (families.father < 0) & (families.mother < 0)
    is_parent = parents_among(families, np.ones(len(founder), dtype=np.bool_))
    descended = ~founder | parents_among(families, is_parent)
    found = (families.father >= 0) & (families.mother >= 0)
    at = np.flatnonzero(found)
    father, mother = start[at] + families.father[at], start[at] + families.mother[at]
    both_founders = founder[father] & founder[mother]
    found[at] = descended[father] & descended[mother] & ~both_founders
    return found


def check_families(
    families: FamilyTable,
    slots: Slots,
    builder: TableBuilder,
    plain: Callable[[], TableBuilder],
    columns: NDArray[np.intp],
    threads: int = 1,
) -> tuple[FamilyFinding, ...]:
    """Return families whose relatives contradict each other without mutation.

    `impossible` if the model of the run cannot explain it either. A missing child's own sample
    counts as a relative of the others in no comparison, but it must fit the family as well.
    """
    families_to_check = _worth_checking(families, columns)
    # One missing child stands for all, but for those with a personal item of their own.
    first_of_family = np.diff(slots.family, prepend=-1) > 0
    own = (families.genotypes.codes[slots.row][:, columns] > 0).any(axis=1)
    chosen = np.flatnonzero(np.isin(slots.family, families_to_check) & (first_of_family | own))
    if not len(chosen):
        return ()
    strict = plain()

    def check(group: SlotGroup, locus: int) -> tuple[int, list[int], list[int]]:
        numbers = slots.family[group.slots]
        zero = strict.relatives(group, locus) == 0.0
        if not zero.any():
            return locus, [], []
        under_model = builder.relatives(group, locus) == 0.0
        return locus, numbers[zero].tolist(), numbers[under_model].tolist()

    groups = group_slots(families, slots, chosen.astype(np.int64))
    pairs = [(group, locus) for group in groups for locus in range(len(columns))]
    contradicted: dict[int, set[int]] = {}
    impossible: dict[int, set[int]] = {}
    with ThreadPoolExecutor(max_workers=threads) as pool:
        for locus, without_mutation, under_model in pool.map(check, *zip(*pairs, strict=True)):
            for family in without_mutation:
                contradicted.setdefault(family, set()).add(locus)
            for family in under_model:
                impossible.setdefault(family, set()).add(locus)
    return tuple(
        FamilyFinding(
            family,
            tuple(builder.rows.loci[i] for i in sorted(impossible.get(family, found))),
            family in impossible,
        )
        for family, found in sorted(contradicted.items())
    )
