"""Read the plain columns of children and families: ids, sex, missing flag, numbers."""

from __future__ import annotations

import math

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from kinward.io.arrays import distinct, equals, rows_where, trimmed
from kinward.io.faults import FaultLog
from kinward.io.layout import Layout
from kinward.io.source import RawTable
from kinward.io.structure import Families
from kinward.model.profile import TypingModel
from kinward.model.registry import SEXES

__all__ = ["check_child_ids", "read_inbreeding", "read_missing", "read_sex", "read_typing"]

_SEX_CODES: dict[str, int] = {"": 0, **{name: code for code, name in enumerate(SEXES)}}


def check_child_ids(ids: pa.Array, log: FaultLog) -> None:
    """Check that every child has an id of its own."""
    texts, code = distinct(ids)
    often = np.bincount(code, minlength=len(texts)) > 1
    lines: NDArray[np.int64] | None = None
    first: dict[str, int] = {}
    for row in rows_where(often[code] | equals(ids, "")):
        name = texts[code[row]]
        if not name:
            log.row(row, None, "empty-id", "the child has no id", "give every child an id")
            continue
        if lines is None:
            lines = log.raw.lines()
        other = first.setdefault(name, row)
        where = f"first in row {lines[other]}" if other != row else "again below"
        log.row(
            row,
            None,
            "duplicate-id",
            f"id {name} occurs more than once, {where}",
            "rename one of them, or remove the row if it is a copy",
        )


def read_sex(raw: RawTable, layout: Layout, log: FaultLog) -> NDArray[np.int8]:
    """Return the sex codes; a blank cell is unknown."""
    position = layout.structure.get("sex")
    if position is None:
        return np.zeros(raw.rows, dtype=np.int8)
    texts, indices = distinct(trimmed(raw.columns[position]))
    codes = np.array([*(_SEX_CODES.get(text.casefold(), -1) for text in texts), 0], dtype=np.int8)
    sex = codes[indices]
    for row in rows_where(sex < 0):
        log.row(
            row,
            None,
            "bad-sex",
            f"sex is {texts[indices[row]]!r}",
            "write male, female or unknown",
        )
    return np.maximum(sex, 0).astype(np.int8)


def read_missing(column: pa.Array, families: Families, log: FaultLog) -> NDArray[np.bool_]:
    """Return who is a missing child; every family needs one."""
    missing = equals(column, "1")
    strange = ~(missing | equals(column, "0") | equals(column, ""))
    for row in rows_where(strange):
        log.row(
            row,
            None,
            "bad-missing",
            f"missing is {str(column[row])!r}",
            "write 1 for a missing child and leave the others empty",
        )
    stated = np.bincount(families.code, weights=missing | strange, minlength=len(families.names))
    for family in rows_where(stated == 0):
        log.row(
            int(families.order[families.first[family]]),
            None,
            "no-missing-child",
            f"family {families.names[family]} has no missing child",
            "write 1 in the column missing on the row of the missing child",
        )
    return missing


def _number(text: str) -> float:
    try:
        return float(text) if text else 0.0
    except ValueError:
        return math.nan


def read_inbreeding(
    column: pa.Array, founder: NDArray[np.bool_], log: FaultLog
) -> NDArray[np.float64]:
    """Return the founders' inbreeding coefficients, 0 where the cell is empty."""
    texts, indices = distinct(column)
    value = np.array([*(_number(text) for text in texts), 0.0])[indices]
    sound = (value >= 0) & (value <= 1)
    for row in rows_where(~sound):
        log.row(
            row,
            None,
            "bad-inbreeding",
            f"founder_inbreeding is {texts[indices[row]]!r}",
            "give a number from 0 to 1, such as 0.0625, or leave it empty",
        )
    for row in rows_where(sound & (value > 0) & ~founder):
        log.row(
            row,
            None,
            "bad-inbreeding",
            "founder_inbreeding is given for a person with parents",
            "leave it empty here; inbreeding follows from the parents",
        )
    return np.where(sound, value, 0.0)


def read_typing(raw: RawTable, layout: Layout, log: FaultLog) -> dict[int, TypingModel]:
    """Return the typing models of the rows that are not taken at their word."""
    values: dict[str, NDArray[np.float64]] = {}
    for name, position in layout.typing.items():
        texts, indices = distinct(trimmed(raw.columns[position]))
        value = np.array([*(_number(text) for text in texts), 0.0])[indices]
        sound = (value >= 0) & (value < 1)
        for row in rows_where(~sound):
            log.row(
                row,
                None,
                "bad-probability",
                f"{name} is {texts[indices[row]]!r}",
                "give a probability from 0 to below 1, or leave it empty",
            )
        values[name] = np.where(sound, value, 0.0)
    if not values:
        return {}
    return {
        row: TypingModel(**{name: float(value[row]) for name, value in values.items()})
        for row in rows_where(np.any(np.stack(list(values.values())) > 0, axis=0))
    }
