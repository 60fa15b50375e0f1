"""Do the relatives of a family fit each other, before anyone is compared with them?"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from kinward.model.registry import FamilyTable
from kinward.search.posterior_table import TableBuilder, group_slots
from kinward.search.record import FamilyFinding
from kinward.search.slots import Slots

__all__ = ["check_families"]


def _worth_checking(families: FamilyTable, columns: NDArray[np.intp]) -> NDArray[np.intp]:
    """Return families in which relatives can contradict each other.

    Without a typed parent and child, or typed twins, any genotypes are possible.
    """
    typed = (families.genotypes.codes[:, columns] > 0).any(axis=1) & ~families.missing
    family = np.repeat(np.arange(len(families)), np.diff(families.first))
    start = families.first[family]
    suspect = typed & (families.twin > 0)
    for relative in (families.father, families.mother):
        known = relative >= 0
        parent_typed = np.zeros_like(typed)
        parent_typed[known] = typed[start[known] + relative[known]]
        suspect |= typed & parent_typed
    # Three typed siblings can show five alleles between untyped parents.
    found = np.unique(family[suspect])
    many = np.flatnonzero(np.add.reduceat(typed, families.first[:-1], dtype=np.int64) >= 3)
    return np.union1d(found, many)


def check_families(
    families: FamilyTable,
    slots: Slots,
    builder: TableBuilder,
    plain: Callable[[], TableBuilder],
    columns: NDArray[np.intp],
) -> tuple[FamilyFinding, ...]:
    """Return families whose relatives contradict each other without mutation.

    `impossible` if the model of the run cannot explain it either.
    """
    families_to_check = _worth_checking(families, columns)
    first_slot = np.searchsorted(slots.family, families_to_check)
    first_slot = first_slot[first_slot < len(slots)]
    findings: list[FamilyFinding] = []
    if not len(first_slot):
        return ()
    strict = plain()
    for group in group_slots(families, slots, first_slot.astype(np.int64)):
        contradicted: dict[int, list[int]] = {}
        impossible: dict[int, list[int]] = {}
        for locus in range(len(columns)):
            alone = strict.relatives(group, locus)
            zero = np.flatnonzero(alone == 0.0)
            if not len(zero):
                continue
            under_model = builder.relatives(group, locus)
            for lane in zero.tolist():
                contradicted.setdefault(lane, []).append(locus)
                if under_model[lane] == 0.0:
                    impossible.setdefault(lane, []).append(locus)
        for lane, found in contradicted.items():
            hard = impossible.get(lane)
            findings.append(
                FamilyFinding(
                    int(slots.family[group.slots[lane]]),
                    tuple(builder.rows.loci[i] for i in (hard or found)),
                    hard is not None,
                )
            )
    return tuple(sorted(findings, key=lambda finding: finding.family))
