"""Commands that other installed packages add to `kinward`.

A package declares them in the entry-point group `kinward.commands`: each is a function that takes
the arguments after its name and returns an exit status; the first line of its docstring stands in
the help. They are looked up only when asked for, for that reads the files of every package.
"""

from __future__ import annotations

from importlib.metadata import EntryPoint, entry_points

__all__ = ["find", "summaries"]

_GROUP = "kinward.commands"


def find(name: str) -> EntryPoint | None:
    """Return the command `name` of another package, or None."""
    return next(iter(entry_points(group=_GROUP, name=name)), None)


def summaries() -> list[tuple[str, str]]:
    """Return each command's name and the first line of its docstring, in order of names."""
    found = sorted(entry_points(group=_GROUP), key=lambda entry: entry.name)
    return [(entry.name, (entry.load().__doc__ or "").partition("\n")[0]) for entry in found]
