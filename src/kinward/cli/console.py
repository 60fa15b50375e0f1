"""What the commands share in speaking: errors, tables, JSON, progress."""

from __future__ import annotations

import json
import math
import sys
import time
from collections.abc import Iterable, Mapping, Sequence
from types import TracebackType
from typing import TYPE_CHECKING, TypeAlias

from kinward.errors import InputError, KinwardError

if TYPE_CHECKING:
    from rich.progress import Progress as Bar
    from rich.progress import TaskID

__all__ = [
    "Json",
    "Progress",
    "counted",
    "finite",
    "format_table",
    "print_error",
    "print_json",
]

Json: TypeAlias = "Mapping[str, Json] | Sequence[Json] | str | int | float | bool | None"
MOST_FAULTS = 50
"""Faults printed one by one; the others are counted."""
PATIENCE = 2.0
"""Seconds of work before a progress bar appears."""


def print_error(error: KinwardError) -> None:
    """Tell an error on standard error: one sentence, or one line for each located fault."""
    if not isinstance(error, InputError):
        print(f"kinward: error: {error}", file=sys.stderr)
        return
    count = len(error.faults)
    if count == 1:
        print(f"kinward: error: {error.faults[0]}", file=sys.stderr)
        return
    print(f"kinward: error: {count:,} faults in the input", file=sys.stderr)
    for fault in error.faults[:MOST_FAULTS]:
        print(f"  {fault}", file=sys.stderr)
    if count > MOST_FAULTS:
        print(f"  and {count - MOST_FAULTS:,} more", file=sys.stderr)


def print_json(value: Json) -> None:
    """Print a value for programs; infinite numbers and NaN are not JSON and must not occur."""
    print(json.dumps(value, indent=2, allow_nan=False, ensure_ascii=False))


def finite(value: float | None) -> float | str | None:
    """Spell a number for JSON: `-inf` and `inf` as text, NaN as null."""
    if value is None or math.isnan(value):
        return None
    return value if math.isfinite(value) else ("inf" if value > 0 else "-inf")


def counted(number: int, singular: str, plural: str = "") -> str:
    """Return for instance `1 family` or `1,200 families`."""
    word = singular if number == 1 else plural or singular + "s"
    return f"{number:,} {word}"


def format_table(
    header: Sequence[str], rows: Iterable[Sequence[str]], *, right: Sequence[int] = ()
) -> str:
    """Align rows under a header; columns listed in `right` are set flush right."""
    body = [tuple(header), *(tuple(row) for row in rows)]
    widths = [max(len(row[i]) for row in body) for i in range(len(header))]
    lines = []
    for row in body:
        cells = [
            cell.rjust(width) if i in right else cell.ljust(width)
            for i, (cell, width) in enumerate(zip(row, widths, strict=True))
        ]
        lines.append("  ".join(cells).rstrip())
    lines.insert(1, "  ".join("-" * width for width in widths))
    return "\n".join(lines)


class Progress:
    """A bar on standard error for work that takes longer than `PATIENCE`.

    Call it with a stage, the work done and the work in all. Silent if `quiet` or if standard
    error is not a terminal. Use it as a context manager.
    """

    def __init__(self, *, quiet: bool) -> None:
        self._silent = quiet or not sys.stderr.isatty()
        self._since = time.monotonic()
        self._bar: Bar | None = None
        self._task: TaskID | None = None
        self._stage = ""

    def __enter__(self) -> Progress:
        return self

    def __call__(self, stage: str, done: int, total: int) -> None:
        """Show how far a stage has come."""
        if self._silent or time.monotonic() - self._since < PATIENCE:
            return
        if self._bar is None:
            self._bar = _new_bar()
            self._bar.start()
        if self._task is None or stage != self._stage:
            self._stage = stage
            self._task = self._bar.add_task(stage, total=total)
        self._bar.update(self._task, completed=done)

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._bar is not None:
            self._bar.stop()


def _new_bar() -> Bar:
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
    from rich.progress import Progress as Bar

    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
    )
    return Bar(*columns, console=Console(stderr=True), transient=True)
