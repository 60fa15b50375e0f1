"""Everything that a search leaves on disk, published together or not at all.

Beside the results `X.csv` stand `X.one-parent.csv`, if one registered parent alone explains a
child whom both together do not, and `X.run.json`, from which the run can be repeated and judged.
"""

from __future__ import annotations

import json
import platform
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from kinward.io.atomic import atomic_write
from kinward.io.results import ResultWriter
from kinward.io.source import file_fault
from kinward.io.tables import Rejects
from kinward.io.write import write_rejects
from kinward.model.mutation import MutationScheme
from kinward.search.inputs import Inputs
from kinward.search.record import Candidates, SearchRun

__all__ = ["RunPaths", "publish", "run_record"]

ALONE = {"father_alone": pa.float64(), "mother_alone": pa.float64()}
_BLOCK = 500_000
_LIBRARIES = ("numpy", "numba", "pyarrow")


@dataclass(frozen=True, slots=True)
class RunPaths:
    """The files of one run."""

    results: Path
    rejects: Path | None = None
    report: Path | None = None

    @property
    def one_parent(self) -> Path:
        """Where pairs that only one registered parent explains are written."""
        return self.results.with_name(f"{self.results.stem}.one-parent{self.results.suffix}")

    @property
    def record(self) -> Path:
        """Where parameters, model and digests are written."""
        return self.results.with_name(f"{self.results.stem}.run.json")

    def check(self) -> None:
        """Raise InputError now, not after the search, where nothing could be written."""
        ResultWriter(self.results, ALONE)  # opens nothing yet, but knows the formats
        for path in (self.results, self.rejects, self.report):
            if path is not None and not path.absolute().parent.is_dir():
                raise file_fault(
                    path, "unwritable", "there is no such folder", "make it, or name another"
                )


def publish(
    run: SearchRun,
    record: Mapping[str, Any],
    paths: RunPaths,
    *,
    rejects: Rejects | None = None,
    report: bytes = b"",
) -> None:
    """Write all files of a run; they appear when all are complete, and not after an error."""
    with ExitStack() as stack:
        results = stack.enter_context(ResultWriter(paths.results, ALONE))
        _write(run, run.candidates, results)
        if len(run.one_parent):
            one_parent = stack.enter_context(ResultWriter(paths.one_parent, ALONE))
            _write(run, run.one_parent, one_parent)
        file = stack.enter_context(atomic_write(paths.record))
        text = json.dumps(record, indent=1, allow_nan=False, ensure_ascii=False)
        file.write(text.encode() + b"\n")
        if paths.report is not None:
            stack.enter_context(atomic_write(paths.report)).write(report)
        if paths.rejects is not None and rejects is not None:
            write_rejects(rejects, paths.rejects)
        if not len(run.one_parent):
            # That of an earlier run of the same name would be read as this one's.
            paths.one_parent.unlink(missing_ok=True)


def _write(run: SearchRun, table: Candidates, out: ResultWriter) -> None:
    for start in range(0, len(table), _BLOCK):
        span = slice(start, start + _BLOCK)
        out.write(
            {
                "child": run.children.ids[table.child[span]],
                "family": run.families.family_ids[table.family[span]],
                "missing": run.families.person_ids[table.slot[span]],
                "log10_lr": table.log10_lr[span],
                "loci": table.loci[span],
                "exclusions": table.exclusions[span],
                "sex_conflict": table.sex_conflict[span],
                "father_alone": _or_null(table.father_alone[span]),
                "mother_alone": _or_null(table.mother_alone[span]),
            }
        )


def _or_null(values: np.ndarray[Any, np.dtype[np.float64]]) -> pa.Array:
    return pa.array(values, mask=np.isnan(values))


def run_record(
    run: SearchRun,
    inputs: Inputs,
    mutation: MutationScheme,
    *,
    expected_false: float | None = None,
) -> dict[str, Any]:
    """Return all that is needed to repeat the run and to judge it, ready for JSON."""
    libraries = {name: version(name) for name in _LIBRARIES}
    children, families = inputs.files
    return {
        "kinward": run.version,
        "python": platform.python_version(),
        "libraries": libraries,
        "files": {"children": asdict(children), "families": asdict(families)},
        "parameters": {
            "population": run.model.population,
            "mutation": run.model.mutation,
            "theta": run.model.theta,
            "silent": run.model.silent,
            "min_log10_lr": run.min_log10_lr,
            "expected_false": expected_false,
            "seed": run.seed,
            "threads": run.threads,
        },
        "counts": {
            "children": len(run.children),
            "families": len(run.families),
            "missing_children": int(run.families.missing.sum()),
            "pairs": run.pairs,
            "candidates": len(run.candidates),
            "children_with_candidates": len(np.unique(run.candidates.child)),
            "one_parent": len(run.one_parent),
            "rejected_rows": inputs.rejected_rows,
        },
        "chance_matches": [asdict(one) for one in run.chance],
        "families_in_contradiction": [
            {
                "family": str(run.families.family_ids[one.family]),
                "loci": list(one.loci),
                "impossible": one.impossible,
            }
            for one in run.findings
        ],
        "notes": list(run.notes),
        "seconds": run.seconds,
        "model": {"digest": run.model.digest(), "loci": _loci(run, mutation)},
    }


def _loci(run: SearchRun, mutation: MutationScheme) -> dict[str, Any]:
    return {
        name: {
            "mutation": mutation.for_locus(name).describe(),
            "frequencies": dict(zip(locus.alleles, locus.frequencies.tolist(), strict=True)),
            "added": dict(run.model.added.get(name, {})),
        }
        for name, locus in run.model.loci.items()
    }
