"""The one exception tree of Kinward.

Every exception that the library raises on purpose derives from `KinwardError`; the command line
turns it into one sentence on standard error and exit status 2.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

__all__ = [
    "Fault",
    "InputError",
    "KinwardError",
    "ModelError",
    "PedigreeError",
    "TooLargeError",
]


class KinwardError(Exception):
    """Base class of every error that Kinward raises on purpose."""


@dataclass(frozen=True, slots=True, order=True)
class Fault:
    """One fault found in the input: where it is, what it is and how to mend it.

    `row` is the number that a spreadsheet or text editor shows for the line (the header is row 1);
    None where the fault concerns the whole file. `kind` is a short stable word, such as
    `unknown-locus`, by which programs may group faults.
    """

    file: str
    row: int | None
    locus: str | None
    kind: str
    message: str
    mend: str

    def __str__(self) -> str:
        place = self.file
        if self.row is not None:
            place += f", row {self.row}"
        if self.locus is not None:
            place += f", {self.locus}"
        return f"{place}: {self.message}; {self.mend}"


class InputError(KinwardError):
    """The input has faults; all of them are in `faults`, in file and row order."""

    def __init__(self, faults: Sequence[Fault]) -> None:
        self.faults = tuple(faults)
        count = len(self.faults)
        head = f"{count} fault{'s' if count != 1 else ''} in the input"
        super().__init__("\n".join([head, *(f"  {fault}" for fault in self.faults)]))


class ModelError(KinwardError):
    """A mutation model, frequency table or other parameter is impossible; says the mend."""


class PedigreeError(KinwardError):
    """A pedigree is malformed; every fault of it is in `problems`."""

    def __init__(self, problems: Sequence[str]) -> None:
        self.problems = tuple(problems)
        super().__init__("malformed pedigree: " + "; ".join(self.problems))


class TooLargeError(KinwardError):
    """The exact computation asked for is beyond the stated limit; says the limit and the mend."""
