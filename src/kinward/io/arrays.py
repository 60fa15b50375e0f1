"""Small bridges from columns of text to arrays."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

__all__ = ["blank_column", "distinct", "equals", "rows_where", "text_objects", "trimmed"]


def blank_column(rows: int) -> pa.Array:
    """Return a column of empty texts."""
    return pa.repeat(pa.scalar(""), rows)


def trimmed(column: pa.Array) -> pa.Array:
    """Return a column as plain strings without white space around them."""
    if pa.types.is_dictionary(column.type):
        column = column.cast(pa.string())
    return pc.utf8_trim_whitespace(column)


def distinct(column: pa.Array) -> tuple[list[str], NDArray[np.int64]]:
    """Return the distinct texts of a column in order of appearance and each row's number."""
    if not pa.types.is_dictionary(column.type):
        column = column.dictionary_encode()
    indices = column.indices.to_numpy(zero_copy_only=False).astype(np.int64)
    return column.dictionary.to_pylist(), indices


def equals(column: pa.Array, text: str) -> NDArray[np.bool_]:
    """Return where a column holds just this text."""
    same: NDArray[np.bool_] = pc.equal(column, text).to_numpy(zero_copy_only=False)
    return same.astype(np.bool_)


def text_objects(column: pa.Array) -> NDArray[np.object_]:
    """Return a text column as an array of str in which equal texts are one object."""
    texts, indices = distinct(column)
    words: NDArray[np.object_] = np.array([*texts, ""], dtype=object)[indices]
    return words


def rows_where(mask: NDArray[np.bool_]) -> list[int]:
    """Return the positions at which a mask is set."""
    rows: list[int] = np.flatnonzero(mask).tolist()
    return rows
