"""Measure the search on simulated registries: speed, memory, and pairs missed.

Figures are of one run on the machine at hand; compare ratios, not seconds, across machines.
"""

from __future__ import annotations

import resource
import statistics
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from numba import njit
from numpy.typing import NDArray

from kinward.io.results import ResultWriter
from kinward.io.tables import read_children, read_families
from kinward.likelihood.missing import missing_person_lr
from kinward.model.mutation import MutationScheme
from kinward.model.population import FrequencyTable
from kinward.model.registry import ChildTable, FamilyTable
from kinward.search.engine import prepare_model, search, time_scan
from kinward.search.index import FamilyIndex
from kinward.search.record import SearchRun

__all__ = ["BenchInput", "bench_search", "cache_bandwidth"]

CACHE_BYTES = 1 << 20
"""Size of the array by which the second-level cache's bandwidth is measured."""
WARM, TIMED = 5, 100
"""Children asked about before and while the index is timed."""


@dataclass(frozen=True, slots=True)
class BenchInput:
    """Files of a registry, its model, and a smaller one for which every pair is computed."""

    children: Path
    families: Path
    table: FrequencyTable
    mutation: MutationScheme
    small_children: ChildTable
    small_families: FamilyTable


@njit(cache=True, nogil=True)
def _read(words, repeats):  # type: ignore[no-untyped-def]
    """Combine all words `repeats` times; the sum keeps the loop from being optimised away."""
    total = np.uint64(0)
    for _ in range(repeats):
        for w in range(len(words)):
            total ^= words[w]
        words[0] += np.uint64(1)
    return total


def cache_bandwidth(seconds: float = 0.5) -> float:
    """Return bytes per second that one core reads from its second-level cache."""
    words = np.arange(CACHE_BYTES // 8, dtype=np.uint64)
    _read(words, 1)
    repeats, best = 64, 0.0
    stop = time.perf_counter() + seconds
    while time.perf_counter() < stop:
        start = time.thread_time()
        _read(words, repeats)
        best = max(best, repeats * CACHE_BYTES / (time.thread_time() - start))
    return best


def _misses(given: BenchInput, threshold: float) -> tuple[int, int]:
    """Return pairs at the threshold that search or index did not return, and pairs computed."""
    children, families = given.small_children, given.small_families
    model = prepare_model(children, families, given.table, given.mutation).model
    run = search(children, families, model, min_log10_lr=threshold, threads=2)
    found = set(zip(run.candidates.child.tolist(), run.candidates.slot.tolist(), strict=True))
    held = FamilyIndex.of(families, given.table, given.mutation)
    answer = held.search(children, min_log10_lr=threshold).candidates
    names = zip(answer.child.tolist(), answer.family, answer.missing, strict=True)
    told = {(child, str(family), str(missing)) for child, family, missing in names}
    missed = pairs = 0
    profiles = [children.genotypes.profile(child) for child in range(len(children))]
    for position in range(len(families)):
        family = families.family(position)
        start = int(families.first[position])
        for row in range(start, int(families.first[position + 1])):
            if not families.missing[row]:
                continue
            name = str(families.person_ids[row])
            others = [other for other in family.missing if other != name]
            for child, profile in enumerate(profiles):
                exact = missing_person_lr(
                    family.pedigree, family.profiles, name, profile, model, others_missing=others
                ).log10_lr
                pairs += 1
                reaches = exact is not None and exact >= threshold
                missed += reaches and (
                    (child, row) not in found or (child, family.id, name) not in told
                )
    return missed, pairs


def bench_search(
    given: BenchInput,
    *,
    min_log10_lr: float,
    threads: int,
    progress: Callable[[str], None] | None = None,
) -> Mapping[str, float | int | str]:
    """Measure one search from files to ranked results and count misses on a small registry.

    `scan_pairs_per_s`: pairs per second of the filter with extraction and exact scores, slots
    with one or two typed parents, all threads. `end_to_end_pairs_per_s`: from opening the files
    to closing the result file. `bandwidth_share`: bytes that the filter reads per second and
    thread, as a share of what one core can read from its second-level cache. `one_child_ms`: one
    child against the families held in an index, median of many children, from its genotypes to
    ranked results; `index_seconds` to build it. `peak_memory_bytes` of this process.
    """

    def say(stage: str) -> None:
        if progress is not None:
            progress(stage)

    say("compiling")
    missed, computed = _misses(given, min_log10_lr)
    say("searching from files")
    start = time.perf_counter()
    with TemporaryDirectory() as folder:
        children = read_children(given.children).require_clean()
        families = read_families(given.families).require_clean()
        read = time.perf_counter() - start
        model = prepare_model(children, families, given.table, given.mutation).model
        run = search(children, families, model, min_log10_lr=min_log10_lr, threads=threads)
        _write(run, Path(folder) / "results.parquet")
    seconds = time.perf_counter() - start
    say("timing the scan")
    scanned, scan_seconds = time_scan(children, families, model, min_log10_lr, threads)
    loci = len(model.loci)
    bytes_per_pair = loci / 8
    rate = scanned / scan_seconds
    say("building the index")
    start = time.perf_counter()
    held = FamilyIndex.of(families, given.table, given.mutation, threads=threads)
    index_seconds = time.perf_counter() - start
    say("asking the index")
    one_child = _one_child(held, children, min_log10_lr)
    return {
        "children": len(children),
        "slots": int(families.missing.sum()),
        "loci": loci,
        "threads": threads,
        "min_log10_lr": min_log10_lr,
        "pairs": run.pairs,
        "read_seconds": read,
        "end_to_end_seconds": seconds,
        **{f"{stage.replace(' ', '_')}_seconds": value for stage, value in run.seconds.items()},
        "scan_pairs_per_s": rate,
        "end_to_end_pairs_per_s": run.pairs / seconds,
        "bandwidth_share": rate / threads * bytes_per_pair / cache_bandwidth(),
        "index_seconds": index_seconds,
        "one_child_ms": statistics.median(one_child) * 1e3,
        "one_child_worst_ms": max(one_child) * 1e3,
        "candidates": len(run.candidates),
        "misses": missed,
        "pairs_checked_for_misses": computed,
        "peak_memory_bytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024,
    }


def _one_child(held: FamilyIndex, children: ChildTable, threshold: float) -> list[float]:
    """Return seconds per child, each asked about alone; the first ones do not count."""
    seconds = []
    for child in range(min(len(children), WARM + TIMED)):
        one = ChildTable(
            children.ids[child : child + 1],
            children.sex[child : child + 1],
            children.genotypes.take(slice(child, child + 1)),
        )
        start = time.perf_counter()
        held.search(one, min_log10_lr=threshold)
        seconds.append(time.perf_counter() - start)
    return seconds[min(WARM, len(seconds) - 1) :]


def _write(run: SearchRun, path: Path) -> None:
    found = run.candidates
    names: NDArray[np.object_] = run.families.person_ids
    with ResultWriter(path) as writer:
        writer.write(
            {
                "child": run.children.ids[found.child],
                "family": run.families.family_ids[found.family],
                "missing": names[found.slot],
                "log10_lr": found.log10_lr,
                "loci": found.loci,
                "exclusions": found.exclusions,
                "sex_conflict": found.sex_conflict,
            }
        )
