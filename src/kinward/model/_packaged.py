"""Reading of the packaged tables; the only place that knows where they lie."""

from __future__ import annotations

import csv
from importlib.resources import files

__all__ = ["packaged_rows"]


def packaged_rows(path: str) -> list[dict[str, str]]:
    """Rows of a packaged CSV file, such as `loci.csv`, as dictionaries keyed by column."""
    resource = files("kinward").joinpath("data", *path.split("/"))
    return list(csv.DictReader(resource.read_text(encoding="utf-8").splitlines()))
