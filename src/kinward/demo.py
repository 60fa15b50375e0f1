"""The demonstration: a synthetic campaign, from files to a report, with the truth beside it."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from kinward.io.write import write_children, write_families
from kinward.model.mutation import default_mutation
from kinward.report.decision import Decision, decide
from kinward.report.html import write_report
from kinward.report.views import PlantedTruth, child_row
from kinward.search.engine import prepare_model, search
from kinward.search.inputs import read_inputs
from kinward.search.outputs import RunPaths, publish, run_record
from kinward.search.record import SearchRun
from kinward.simulate.campaign import Campaign, vietnam_campaign

__all__ = ["DEMO_FAMILIES", "DEMO_LOG10_LR", "DEMO_SEED", "DemoOutcome", "demo"]

DEMO_FAMILIES = 100_000
DEMO_SEED = 2011
DEMO_LOG10_LR = 3.0

Progress = Callable[[str, int, int], None]
"""Called with a stage's name, work done and work in all."""


@dataclass(frozen=True, slots=True, eq=False)
class DemoOutcome:
    """What the demonstration did.

    `counts`: (kind of family or story, found, undecided, not found, assigned wrongly) by planted
    truth; `files` in the order of their making; `seconds` the wall time by step.
    """

    run: SearchRun
    decisions: tuple[Decision, ...]
    counts: tuple[tuple[str, int, int, int, int], ...]
    files: tuple[Path, ...]
    seconds: dict[str, float]

    @property
    def wrong(self) -> int:
        """Number of children assigned to a family that is not theirs."""
        return sum(row[-1] for row in self.counts)


def demo(
    out: Path,
    *,
    families: int = DEMO_FAMILIES,
    seed: int = DEMO_SEED,
    threads: int = 2,
    progress: Progress | None = None,
) -> DemoOutcome:
    """Simulate the campaign, search it from its files and write results and report into `out`.

    The folder is made if need be. Everything but times and dates follows from the seed. Raises
    ModelError for fewer than 500 families, OSError if `out` cannot be written.
    """
    out.mkdir(parents=True, exist_ok=True)
    seconds: dict[str, float] = {}
    clock = _Clock(seconds)
    campaign = vietnam_campaign(families, seed)
    clock.lap("simulate")
    inputs_at = out / "children.csv", out / "families.csv"
    write_children(campaign.registry.children, inputs_at[0])
    write_families(campaign.registry.families, inputs_at[1])
    campaign.registry.write_truth(out / "truth.csv")
    clock.lap("write files")
    inputs = read_inputs(*(str(path) for path in inputs_at))
    clock.lap("read files")
    mutation = default_mutation()
    children, searched = inputs.children.table, inputs.families.table
    prepared = prepare_model(children, searched, campaign.population, mutation)
    run = search(
        children,
        searched,
        prepared.model,
        min_log10_lr=DEMO_LOG10_LR,
        threads=threads,
        seed=seed,
        progress=progress,
        notes=(*inputs.notes, *prepared.notes),
    )
    clock.lap("search")
    decisions = decide(run, progress=_examining(progress))
    truth = _truth(campaign)
    paths = RunPaths(out / "results.csv", report=out / "report.html")
    report = _report(run, campaign, decisions, truth)
    publish(run, run_record(run, inputs, mutation), paths, report=report)
    clock.lap("decide and report")
    written = [*inputs_at, out / "truth.csv", paths.results, paths.record, out / "report.html"]
    if len(run.one_parent):
        written.insert(-2, paths.one_parent)
    return DemoOutcome(
        run, decisions, _counts(run, campaign, decisions, truth), tuple(written), seconds
    )


class _Clock:
    """Wall time by step."""

    def __init__(self, seconds: dict[str, float]) -> None:
        self._seconds = seconds
        self._last = time.perf_counter()

    def lap(self, step: str) -> None:
        now = time.perf_counter()
        self._seconds[step] = now - self._last
        self._last = now


def _examining(progress: Progress | None) -> Callable[[int, int], None] | None:
    if progress is None:
        return None
    told = progress
    return lambda done, total: told("examine", done, total)


def _truth(campaign: Campaign) -> dict[str, PlantedTruth]:
    return {
        child: PlantedTruth(family, missing, words)
        for child, family, missing, _, words in campaign.registry.truth_rows()
    }


def _report(
    run: SearchRun,
    campaign: Campaign,
    decisions: tuple[Decision, ...],
    truth: dict[str, PlantedTruth],
) -> bytes:
    with TemporaryDirectory() as folder:
        page = Path(folder) / "report.html"
        write_report(
            run, page, title=campaign.title, synthetic=True, truth=truth, decisions=decisions
        )
        return page.read_bytes()


def _counts(
    run: SearchRun,
    campaign: Campaign,
    decisions: tuple[Decision, ...],
    truth: dict[str, PlantedTruth],
) -> tuple[tuple[str, int, int, int, int], ...]:
    """Count verdicts by planted truth: by kind of family, the two planted cases, and strangers."""
    rows: dict[str, Counter[str]] = {}
    for decision, planted in zip(decisions, campaign.registry.truth_rows(), strict=True):
        _, family, _, kind, words = planted
        story = kind if words == "missing child" else words if family else "family not registered"
        tally = rows.setdefault(story, Counter())
        tally[decision.verdict] += 1
        shown = child_row(run, decision, truth)
        tally["wrong"] += decision.verdict == "found" and not shown.agrees
    ordered = sorted(rows, key=lambda story: (-sum(rows[story].values()), story))
    return tuple(
        (
            story,
            rows[story]["found"],
            rows[story]["undecided"],
            rows[story]["not found"],
            rows[story]["wrong"],
        )
        for story in ordered
    )
