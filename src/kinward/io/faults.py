"""Collect faults while a table is read, by row position; line numbers are looked up at the end."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from kinward.errors import Fault
from kinward.io.source import RaggedRow, RawTable

__all__ = ["FaultLog", "PlacedFault", "in_file_order"]


@dataclass(frozen=True, slots=True)
class PlacedFault:
    """A fault and the position of its row among the columns; -1 for none (ragged, whole file)."""

    position: int
    fault: Fault


@dataclass(slots=True)
class FaultLog:
    """The faults of one table.

    Those noted with a row are told apart from those of a column or of the whole file, because
    only the former can be mended by leaving rows out.
    """

    raw: RawTable
    _found: list[tuple[int, str | None, str, str, str]] = field(default_factory=list)
    _whole: list[Fault] = field(default_factory=list)

    def row(self, position: int, locus: str | None, kind: str, message: str, mend: str) -> None:
        """Note a fault of one row."""
        self._found.append((position, locus, kind, message, mend))

    def rows(
        self, positions: Iterable[int], locus: str | None, kind: str, message: str, mend: str
    ) -> None:
        """Note the same fault of several rows."""
        for position in positions:
            self.row(position, locus, kind, message, mend)

    def whole(self, locus: str | None, kind: str, message: str, mend: str) -> None:
        """Note a fault of a column or of the whole file, on its header row."""
        self._whole.append(Fault(self.raw.file, 1, locus, kind, message, mend))

    @property
    def of_whole_file(self) -> tuple[Fault, ...]:
        """Faults that no leaving out of rows can mend."""
        return tuple(self._whole)

    def placed(self) -> list[PlacedFault]:
        """Return the faults of rows with their line numbers, ragged rows included."""
        placed = [PlacedFault(-1, _ragged_fault(self.raw.file, row)) for row in self.raw.ragged]
        if self._found:
            lines = self.raw.lines()
            placed += [
                PlacedFault(
                    position, Fault(self.raw.file, int(lines[position]), locus, kind, message, mend)
                )
                for position, locus, kind, message, mend in self._found
            ]
        return sorted(placed, key=lambda item: _file_order(item.fault))


def _ragged_fault(file: str, row: RaggedRow) -> Fault:
    return Fault(
        file,
        row.line,
        None,
        "ragged-row",
        f"{len(row.cells)} fields where the header has {row.expected}",
        "check the commas and quotation marks of the row",
    )


def _file_order(fault: Fault) -> tuple[str, int, str]:
    return (fault.file, fault.row or 0, fault.locus or "")


def in_file_order(faults: Iterable[Fault]) -> tuple[Fault, ...]:
    """Sort faults by file, row and locus."""
    return tuple(sorted(faults, key=_file_order))
