"""Families out of rows in any order: grouping, parents, sexes, twins, all checked on arrays."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from kinward.io.arrays import distinct, equals, rows_where
from kinward.io.faults import FaultLog
from kinward.model.registry import SEXES

__all__ = ["Families", "Kin", "check_twins", "group_families", "relate"]

_UNKNOWN, _MALE, _FEMALE = (SEXES.index(name) for name in ("unknown", "male", "female"))
_MOST_PEOPLE = np.iinfo(np.int16).max
IntArray = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Families:
    """Which family each row belongs to, numbered in order of first appearance.

    `order` sorts the rows by family, keeping their order within it; `first[k]` is where family k
    starts among the sorted rows; `place` is the position of a row within its family.
    """

    names: NDArray[np.object_]
    code: IntArray
    order: IntArray
    first: IntArray
    place: IntArray


@dataclass(frozen=True, slots=True)
class Kin:
    """Parents as row positions (-1 for none) and sexes filled in from roles, in file order."""

    father: IntArray
    mother: IntArray
    sex: NDArray[np.int8]


def group_families(column: pa.Array, log: FaultLog) -> Families:
    """Number the families; a row without a family name is a fault."""
    texts, code = distinct(column)
    count = len(texts)
    for row in rows_where(equals(column, "")):
        log.row(
            row,
            None,
            "empty-id",
            "the row has no family",
            "write the family's name in the column family",
        )
    order = np.argsort(code, kind="stable")
    size = np.bincount(code, minlength=count)
    first = np.concatenate(([0], np.cumsum(size))).astype(np.int64)
    place = np.empty(len(code), dtype=np.int64)
    place[order] = np.arange(len(code)) - np.repeat(first[:-1], size)
    for family in rows_where(size > _MOST_PEOPLE):
        log.row(
            order[first[family]],
            None,
            "too-many-people",
            f"family {texts[family]} has {size[family]} people",
            f"split families of more than {_MOST_PEOPLE} people",
        )
    return Families(np.array(texts, dtype=object), code, order, first, place)


def relate(
    families: Families,
    ids: pa.Array,
    father: pa.Array,
    mother: pa.Array,
    sex: NDArray[np.int8],
    log: FaultLog,
) -> Kin:
    """Find each person's parents and check them; faults go to the log."""
    finder = _Finder(families, ids, log)
    parents = {"father": finder.find(father, "father"), "mother": finder.find(mother, "mother")}
    has_father, has_mother = ~equals(father, ""), ~equals(mother, "")
    for row in rows_where(has_father != has_mother):
        lacking = "mother" if has_father[row] else "father"
        log.row(
            row,
            None,
            "one-parent-only",
            f"{ids[row]} has no {lacking}",
            f"add the {lacking} as an untyped person, or leave both parents empty",
        )
    filled = _fill_sexes(parents, ids, sex, log)
    _check_ancestry(parents["father"], parents["mother"], ids, log)
    return Kin(parents["father"], parents["mother"], filled)


class _Finder:
    """Looks people up by family and id; the ids' own faults are noted on the way."""

    def __init__(self, families: Families, ids: pa.Array, log: FaultLog) -> None:
        encoded = ids.dictionary_encode()
        self._log = log
        self._ids = ids
        self._words = encoded.dictionary
        self._families = families
        self._count = max(len(encoded.dictionary), 1)
        code = encoded.indices.to_numpy(zero_copy_only=False).astype(np.int64)
        key = families.code * self._count + code
        self._rows = np.argsort(key, kind="stable")
        self._keys = key[self._rows]
        for row in rows_where(equals(ids, "")):
            log.row(
                row,
                None,
                "empty-id",
                "the person has no id",
                "give every person of a family an id of its own",
            )
        for at in rows_where(self._keys[1:] == self._keys[:-1]):
            row = int(self._rows[at + 1])
            name = str(ids[row])
            if name:
                log.row(
                    row,
                    None,
                    "duplicate-id",
                    f"id {name} occurs twice in family {families.names[families.code[row]]}",
                    "rename one of them, or remove the row if it is a copy",
                )

    def find(self, parent: pa.Array, role: str) -> IntArray:
        """Return the row of each person's parent, -1 for none."""
        found = np.full(len(parent), -1, dtype=np.int64)
        named = np.flatnonzero(~equals(parent, ""))
        if not len(named):
            return found
        words = pc.fill_null(pc.index_in(parent, self._words), -1)
        code = words.to_numpy(zero_copy_only=False).astype(np.int64)[named]
        key = self._families.code[named] * self._count + code
        at = np.minimum(np.searchsorted(self._keys, key), len(self._keys) - 1)
        known = (code >= 0) & (self._keys[at] == key)
        found[named[known]] = self._rows[at[known]]
        for row in named[~known].tolist():
            self._log.row(
                row,
                None,
                "unknown-parent",
                f"{role} {parent[row]} of {self._ids[row]} is not in the family",
                "correct the id, or add the parent as an untyped person",
            )
        return found


def _fill_sexes(
    parents: dict[str, IntArray], ids: pa.Array, sex: NDArray[np.int8], log: FaultLog
) -> NDArray[np.int8]:
    filled = sex.copy()
    for role, right in (("father", _MALE), ("mother", _FEMALE)):
        rows = parents[role]
        rows = rows[rows >= 0]
        filled[rows[sex[rows] == _UNKNOWN]] = right
    for role, right in (("father", _MALE), ("mother", _FEMALE)):
        children = np.flatnonzero(parents[role] >= 0)
        wrong = children[filled[parents[role][children]] != right]
        for row in wrong.tolist():
            parent = int(parents[role][row])
            written = sex[parent] != _UNKNOWN
            what = f"recorded as {SEXES[sex[parent]]}" if written else "also named as a father"
            log.row(
                row,
                None,
                "wrong-sex-parent",
                f"{role} {ids[parent]} of {ids[row]} is {what}",
                "correct the sex, or swap father and mother",
            )
    return filled


def _check_ancestry(father: IntArray, mother: IntArray, ids: pa.Array, log: FaultLog) -> None:
    """Place people after their parents; those who never can be are their own ancestors or below."""
    placed = np.zeros(len(father) + 1, dtype=np.bool_)
    placed[-1] = True  # where -1, no parent, points
    waiting = np.arange(len(father))
    while len(waiting):
        ready = placed[father[waiting]] & placed[mother[waiting]]
        if not ready.any():
            break
        placed[waiting[ready]] = True
        waiting = waiting[~ready]
    for row in waiting.tolist():
        log.row(
            row,
            None,
            "own-ancestor",
            f"{ids[row]} descends from itself or from such a person",
            "correct father and mother so that nobody is its own ancestor",
        )


def check_twins(
    label: pa.Array, families: Families, kin: Kin, ids: pa.Array, log: FaultLog
) -> NDArray[np.int16]:
    """Number the monozygotic twins of each family from 1; check that they can be twins."""
    number = np.zeros(len(label), dtype=np.int16)
    groups: dict[tuple[int, str], list[int]] = {}
    for row in rows_where(~equals(label, "")):
        groups.setdefault((int(families.code[row]), str(label[row])), []).append(row)
    used: dict[int, int] = {}
    for (family, name), rows in groups.items():
        used[family] = used.get(family, 0) + 1
        number[rows] = used[family]
        problem = _twin_problem(rows, kin)
        if problem is not None:
            kind, message, mend = problem
            log.row(rows[-1], None, kind, f"twins {name} ({ids[rows[-1]]}): {message}", mend)
    return number


def _twin_problem(rows: list[int], kin: Kin) -> tuple[str, str, str] | None:
    if len(rows) == 1:
        return "lone-twin", "nobody else has this label", "give both twins the label, or neither"
    parents = {(int(kin.father[row]), int(kin.mother[row])) for row in rows}
    if len(parents) > 1:
        return "twins-differ", "they have different parents", "give twins the same parents"
    if parents == {(-1, -1)}:
        return "twins-without-parents", "they have no parents", "add the parents as untyped people"
    if len({int(kin.sex[row]) for row in rows} - {_UNKNOWN}) > 1:
        return "twins-differ", "they differ in sex", "correct the sex; such twins share no label"
    return None
