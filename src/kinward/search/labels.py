"""Family classes: who is typed, seen from the missing child."""

from __future__ import annotations

from collections import Counter

import numpy as np
from numpy.typing import NDArray

from kinward.model.registry import FamilyTable
from kinward.search.posterior_table import SlotGroup, group_slots
from kinward.search.slots import Slots

__all__ = ["relationship", "slot_labels"]

IntArray = NDArray[np.int64]
ORDER = (
    "father", "mother", "child", "identical twin", "sibling", "half-sibling", "grandparent",
    "uncle or aunt", "cousin", "other parent of a half-sibling", "own sample", "other relative",
)  # fmt: skip


def relationship(
    father: NDArray[np.int16], mother: NDArray[np.int16], twin: NDArray[np.int16],
    of: int, to: int,
) -> str:  # fmt: skip
    """Name what person `of` is to person `to`, both positions within the family."""

    def parents(person: int) -> set[int]:
        return {int(father[person]), int(mother[person])} - {-1}

    if of == to:
        return "own sample"
    if of == father[to]:
        return "father"
    if of == mother[to]:
        return "mother"
    if to in parents(of):
        return "child"
    if twin[of] and twin[of] == twin[to]:
        return "identical twin"
    shared = parents(of) & parents(to)
    if shared:
        return "sibling" if parents(of) == parents(to) else "half-sibling"
    grandparents = {g for p in parents(to) for g in parents(p)}
    if of in grandparents:
        return "grandparent"
    if parents(of) & grandparents:
        return "uncle or aunt"
    if any(parents(p) & grandparents for p in parents(of)):
        return "cousin"
    half_siblings = [
        person
        for person in range(len(father))
        if person != to and parents(person) & parents(to) and parents(person) != parents(to)
    ]
    if any(of in parents(person) for person in half_siblings):
        return "other parent of a half-sibling"
    return "other relative"


def slot_labels(
    families: FamilyTable, slots: Slots, columns: NDArray[np.intp]
) -> dict[str, IntArray]:
    """Return the slots of every class, keyed by its name.

    Coded slots are named after their typed parents alone: nobody else adds anything to them.
    """
    label = np.empty(len(slots), dtype=object)
    names = {
        (True, True): "father and mother",
        (True, False): "father",
        (False, True): "mother",
        (False, False): "nobody typed",
    }
    for (father, mother), name in names.items():
        label[(slots.father_typed == father) & (slots.mother_typed == mother)] = name
    tabulated = np.flatnonzero(~slots.coded)
    for group in group_slots(families, slots, tabulated):
        label[group.slots] = _group_labels(families, group, columns)
    return {str(name): np.flatnonzero(label == name) for name in dict.fromkeys(label)}


def _group_labels(families: FamilyTable, group: SlotGroup, columns: NDArray[np.intp]) -> list[str]:
    people = group.people[0]
    father, mother, twin = families.father[people], families.mother[people], families.twin[people]
    roles = [
        relationship(father, mother, twin, person, group.person) for person in range(len(people))
    ]
    typed = np.asarray((families.genotypes.codes[group.people][:, :, columns] > 0).any(axis=2))
    typed[:, list(group.hidden)] = False
    patterns, which = np.unique(typed, axis=0, return_inverse=True)
    named = [_name([roles[p] for p in np.flatnonzero(pattern)]) for pattern in patterns]
    return [named[i] for i in which.reshape(-1)]


def _name(roles: list[str]) -> str:
    counts = Counter(roles)
    if not counts:
        return "nobody typed"
    parts = [
        role if counts[role] == 1 else f"{counts[role]} × {role}" for role in ORDER if counts[role]
    ]
    if parts[:2] == ["father", "mother"]:
        parts[:2] = ["father and mother"]
    return ", ".join(parts)
