"""Short lists in CSV or XLSX, read row by row: frequencies, mutation rates."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from kinward.errors import InputError
from kinward.io.arrays import trimmed
from kinward.io.faults import FaultLog, in_file_order
from kinward.io.source import open_table

__all__ = ["ListReader"]


class ListReader:
    """Rows of a list as dictionaries, with a log for their faults.

    Column names are matched without regard to case. Raises InputError if the file cannot be read,
    or if a column is unknown, lacking or there twice.
    """

    def __init__(self, path: Path | str, required: Sequence[str], optional: Sequence[str]) -> None:
        self._raw = open_table(path)
        self.file = self._raw.file
        self.log = FaultLog(self._raw)
        self._columns: dict[str, list[str]] = {}
        allowed = (*required, *optional)
        for name, column in zip(self._raw.header, self._raw.columns, strict=True):
            plain = name.casefold()
            if plain not in allowed:
                mend = f"the columns are {', '.join(allowed)}"
                self.log.whole(None, "unknown-column", f"column {name!r} is not known", mend)
            elif plain in self._columns:
                self.log.whole(
                    None, "duplicate-column", f"column {name!r} is there twice", "keep one"
                )
            else:
                self._columns[plain] = trimmed(column).to_pylist()
        for name in required:
            if name not in self._columns:
                self.log.whole(
                    None, "missing-column", f"there is no column {name}", f"add a column {name}"
                )
        self.check()

    def __iter__(self) -> Iterator[tuple[int, dict[str, str]]]:
        for row in range(self._raw.rows):
            yield row, {name: column[row] for name, column in self._columns.items()}

    def check(self) -> None:
        """Raise InputError with all faults noted so far, if there are any."""
        faults = [*self.log.of_whole_file, *(placed.fault for placed in self.log.placed())]
        if faults:
            raise InputError(in_file_order(faults))
