"""A cursor over the lines of a Familias file, whose errors name the line."""

from __future__ import annotations

import math
import re
from pathlib import Path
from typing import NoReturn

from kinward.errors import Fault, InputError
from kinward.io.source import read_bytes

__all__ = ["FamLines"]

_MEND = "export the case again from Familias, or correct the line"


class FamLines:
    """The lines of the file, read one after the other.

    Names are UTF-8 or, in older files, Windows-1252 (Latin-1). Raises InputError where a line is
    not what it must be, or the file ends too early.
    """

    def __init__(self, path: Path | str) -> None:
        self.file = str(path)
        data = read_bytes(Path(path))
        try:
            text = data.decode("utf-8-sig")
        except UnicodeDecodeError:
            text = data.decode("latin-1")
        self._lines = re.split(r"\r\n|\n|\r", text)
        while self._lines and not self._lines[-1].strip():
            self._lines.pop()
        self._next = 0

    @property
    def row(self) -> int:
        """Number of the line read last."""
        return self._next

    @property
    def at_end(self) -> bool:
        """Whether all lines are read."""
        return self._next >= len(self._lines)

    def fault(self, kind: str, message: str, mend: str = _MEND, locus: str | None = None) -> Fault:
        """Make a fault at the line read last."""
        return Fault(self.file, max(self._next, 1), locus, kind, message, mend)

    def fail(self, message: str, kind: str = "malformed-fam") -> NoReturn:
        """Raise InputError about the line read last."""
        raise InputError([self.fault(kind, message)])

    def peek(self) -> str:
        """Return the next line without reading it; empty at the end."""
        return "" if self.at_end else self._lines[self._next].strip()

    def line(self, what: str) -> str:
        """Read a line; `what` names it in the error if the file ends here."""
        if self.at_end:
            raise InputError(
                [
                    Fault(
                        self.file,
                        max(len(self._lines), 1),
                        None,
                        "truncated-fam",
                        f"the file ends where {what} should follow",
                        "copy or export the file again",
                    )
                ]
            )
        self._next += 1
        return self._lines[self._next - 1].strip()

    def text(self, what: str) -> str:
        """Read a name, without its quotation marks."""
        return self.line(what).replace('"', "").strip()

    def integer(self, what: str, low: int, high: int) -> int:
        """Read a whole number; text after it, as in `-1 (Consider dropouts)`, is passed over."""
        text = self.line(what)
        match = re.match(r"-?\d{1,9}(?=\s|\Z)", text, re.ASCII)
        if match is None or not low <= int(match[0]) <= high:
            self.fail(f"{what} should be a whole number from {low} to {high}, found {text[:40]!r}")
        return int(match[0])

    def number(self, what: str, low: float = 0.0, high: float = 1.0) -> float:
        """Read a number."""
        return self.as_number(self.line(what), what, low, high)

    def as_number(self, text: str, what: str, low: float = 0.0, high: float = 1.0) -> float:
        """Read a number out of part of the line; a decimal comma is understood."""
        try:
            value = float(text.replace(",", "."))
        except ValueError:
            value = math.nan
        if not low <= value <= high:
            self.fail(f"{what} should be a number from {low:g} to {high:g}, found {text[:40]!r}")
        return value

    def flag(self, what: str) -> bool:
        """Read `#TRUE#` or `#FALSE#`."""
        text = self.line(what)
        if not text.startswith(("#TRUE#", "#FALSE#")):
            self.fail(f"{what} should be #TRUE# or #FALSE#, found {text[:40]!r}")
        return text.startswith("#TRUE#")
