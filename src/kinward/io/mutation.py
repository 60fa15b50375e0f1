"""Read mutation models per locus: `locus,model,male,female,rate2,range`, with a row `default`."""

from __future__ import annotations

from pathlib import Path
from types import MappingProxyType

from kinward.errors import ModelError
from kinward.io.lists import ListReader
from kinward.io.source import file_fault
from kinward.model.marker import find_locus
from kinward.model.mutation import MutationModel, MutationScheme, SexMutation, build_mutation

__all__ = ["read_mutation"]

_DEFAULT = "default"


def read_mutation(path: Path | str) -> MutationScheme:
    """Read mutation models; loci that are not listed take the row `default`, which must be there.

    `male` and `female` are rates per meiosis; `rate2` and `range` may be empty, which gives the
    model's defaults. Raises InputError with every fault.
    """
    reader = ListReader(path, ("locus", "model", "male", "female"), ("rate2", "range"))
    models: dict[str, SexMutation] = {}
    for row, cells in reader:
        locus = _name(cells["locus"])
        if locus is None:
            reader.log.row(
                row,
                cells["locus"] or None,
                "unknown-locus",
                f"{cells['locus']!r} is not a known locus",
                "correct the name, or write default for all others",
            )
            continue
        if locus in models:
            reader.log.row(
                row, locus, "duplicate-locus", f"{locus} is there twice", "keep one of the rows"
            )
            continue
        try:
            models[locus] = SexMutation(_model(cells, "male"), _model(cells, "female"))
        except ModelError as error:
            reader.log.row(
                row, locus, "bad-mutation", str(error), "correct the model or its parameters"
            )
    reader.check()
    if _DEFAULT not in models:
        raise file_fault(
            path,
            "no-default",
            "there is no row for the loci that are not listed",
            "add a row with default in the column locus",
        )
    default = models.pop(_DEFAULT)
    return MutationScheme(default, MappingProxyType(models), f"per locus from {Path(path).name}")


def _name(given: str) -> str | None:
    if given.casefold() == _DEFAULT:
        return _DEFAULT
    locus = find_locus(given)
    return None if locus is None else locus.name


def _model(cells: dict[str, str], sex: str) -> MutationModel:
    parameters = {}
    for column, parameter in ((sex, "rate"), ("rate2", "rate2"), ("range", "range")):
        text = cells.get(column, "")
        if not text:
            continue
        try:
            parameters[parameter] = float(text)
        except ValueError:
            raise ModelError(f"{column} is {text!r}, not a number") from None
    return build_mutation(cells["model"].casefold(), parameters)
