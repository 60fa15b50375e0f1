"""Measure Kinward on this machine and write the table into the README.

`python benchmarks/run.py` takes some minutes. Figures are medians of repeated runs; those of other
programs were measured elsewhere by others and stand beside ours for orientation.
"""

from __future__ import annotations

import json
import os
import platform
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np

from kinward.likelihood.genome import Genomes, Observation
from kinward.likelihood.missing import missing_person_lr
from kinward.likelihood.run import locus_likelihood
from kinward.model.allele import allele_sort_key
from kinward.model.locus_model import GeneticModel, LocusModel
from kinward.model.mutation import NoMutation, SexMutation, default_mutation, parse_mutation
from kinward.model.pedigree import Pedigree, Person
from kinward.model.population import LocusFrequencies, load_population
from kinward.model.profile import Genotype
from kinward.search.child_rows import child_rows
from kinward.search.posterior_table import TableBuilder, group_slots
from kinward.search.slots import find_slots
from kinward.simulate.registry import SimulationPlan, simulate_registry

README = Path(__file__).parent.parent / "README.md"
START, END = "<!-- bench:start -->", "<!-- bench:end -->"
TABLE = load_population("china_han_42str")
LOCI = tuple(TABLE.loci)[:24]
SEED = 1

Row = tuple[str, str, str, str]


def median_seconds(work: Callable[[], object], repeats: int) -> float:
    """Return the median time of one call after a first one that does not count."""
    work()
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        work()
        times.append(time.perf_counter() - start)
    return statistics.median(times)


def single_lr() -> list[Row]:
    """Time one missing-person LR over 24 loci."""
    rows = []
    peers = {
        "none": "9 to 14 ms (forrel)",
        "equal:0.002": "29 ms (forrel)",
        "default": "5 ms (Familias R, duo, stepwise)",
    }
    for kind in ("father", "two siblings", "uncle and aunt"):
        plan = SimulationPlan(10, 20, ((TABLE, 1.0),), {kind: 1.0}, loci=LOCI, seed=SEED)
        registry = simulate_registry(plan)
        family = registry.families.family(0)
        child = registry.children.genotypes.profile(0)
        for mutation, peer in peers.items():
            model = GeneticModel.build(TABLE, parse_mutation(mutation), loci=LOCI)

            one = partial(
                missing_person_lr,
                family.pedigree,
                family.profiles,
                family.missing[0],
                child,
                model,
            )
            seconds = median_seconds(lambda one=one: one().log10_lr, 200)
            rows.append(
                (
                    f"one LR, 24 loci, {kind} typed, mutation {mutation}",
                    f"{seconds * 1e3:.2f} ms",
                    "0.5 ms",
                    peer if kind == "father" else "",
                )
            )
    return rows


def family_tables() -> list[Row]:
    """Count families per second and core whose table of all children's LRs is built."""
    rows = []
    for kind in ("grandparents", "two siblings", "half-sibling and its mother", "uncle and aunt"):
        plan = SimulationPlan(
            2000, 4096, ((TABLE, 1.0),), {kind: 1.0}, loci=LOCI, missing_rate=0.01, seed=SEED
        )
        registry = simulate_registry(plan)
        model = GeneticModel.build(TABLE, default_mutation(), loci=LOCI)
        columns = np.array([registry.families.genotypes.loci.index(locus) for locus in LOCI])
        slots = find_slots(registry.families, model, columns)
        children = child_rows(registry.children, model, LOCI)
        builder = TableBuilder(registry.families, model, children, columns.tolist())
        groups = group_slots(registry.families, slots, np.arange(len(slots)))

        def build(groups: list = groups, builder: TableBuilder = builder) -> None:
            for group in groups:
                for locus in range(len(LOCI)):
                    builder.tables(group, locus)

        seconds = median_seconds(build, 3)
        rows.append(
            (
                f"missing-child tables, 24 loci, stepwise, {kind}",
                f"{len(slots) / seconds:,.0f} families/s per core",
                "5,000/s",
                "",
            )
        )
    return rows


def theta_cousins() -> Row:
    """Time first cousins with theta on one locus of 26 alleles."""
    people = [
        Person("a", sex="male"), Person("b", sex="female"), Person("c", "a", "b", "male"),
        Person("d", "a", "b", "male"), Person("e", sex="female"), Person("f", sex="female"),
        Person("g", "c", "e", "male"), Person("h", "d", "f", "male"),
    ]  # fmt: skip
    genomes = Genomes.of(Pedigree.build(people))
    alleles = tuple(sorted((str(n) for n in range(5, 31)), key=allele_sort_key))
    frequencies = LocusFrequencies(alleles, np.full(26, 1 / 26), None)
    model = LocusModel.build("x", frequencies, SexMutation(NoMutation(), NoMutation()), theta=0.02)
    evidence = {
        genomes.of_person["g"]: [Observation(Genotype(("10", "12")))],
        genomes.of_person["h"]: [Observation(Genotype(("12", "15")))],
    }
    seconds = median_seconds(lambda: locus_likelihood(genomes, evidence, model), 50)
    return (
        "theta 0.02, first cousins, one locus of 26 alleles",
        f"{seconds * 1e3:.2f} ms",
        "10 ms",
        "seconds to tens of seconds where genotypes are enumerated",
    )


def search_figures(children: int, families: int) -> dict[str, float]:
    """Run `kinward bench search` in a process of its own."""
    command = [
        sys.executable, "-m", "kinward", "bench", "search", "--children", str(children),
        "--families", str(families), "--min-log10-lr", "3", "--seed", str(SEED), "--json",
    ]  # fmt: skip
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    figures: dict[str, float] = json.loads(done.stdout)
    return figures


def search_rows() -> list[Row]:
    """Measure the search at two sizes: the cost of a pair must not grow."""
    rows = []
    for children, families in ((5_000, 50_000), (20_000, 100_000)):
        f = search_figures(children, families)
        size = f"{children:,} children × {families:,} families, {f['loci']:.0f} loci, LR 10³"
        rows += [
            (f"scan, {size}", f"{f['scan_pairs_per_s']:.2g} pairs/s", "1.2e10 pairs/s", ""),
            (
                "… share of second-level cache bandwidth",
                f"{f['bandwidth_share']:.0%}",
                "30 %",
                "",
            ),
            (
                "… from files to ranked results, one-parent scores and chance matches included",
                f"{f['end_to_end_seconds']:.1f} s, {f['end_to_end_pairs_per_s']:.2g} pairs/s",
                "",
                "",
            ),
            ("… peak memory", f"{f['peak_memory_bytes'] / 2**30:.2f} GiB", "8 GiB", ""),
            (
                "… pairs missed, of all pairs of a small registry computed one by one",
                f"{f['misses']:.0f} of {f['pairs_checked_for_misses']:,.0f}",
                "0",
                "",
            ),
        ]
    return rows


def index_rows() -> list[Row]:
    """Measure one child at a time against a national registry held in memory."""
    f = search_figures(1_000, 1_000_000)
    return [
        (
            f"one child against 1,000,000 families in an index, {f['loci']:.0f} loci, LR 10³",
            f"{f['one_child_ms']:.1f} ms (slowest of 100: {f['one_child_worst_ms']:.0f} ms)",
            "10 ms",
            "",
        ),
        ("… building the index", f"{f['index_seconds']:.0f} s", "", ""),
        ("… peak memory", f"{f['peak_memory_bytes'] / 2**30:.2f} GiB", "8 GiB", ""),
    ]


def start_time() -> Row:
    """Time `kinward --help`."""
    seconds = median_seconds(
        lambda: subprocess.run(
            [sys.executable, "-m", "kinward", "--help"], capture_output=True, check=True
        ),
        10,
    )
    return ("`kinward --help`", f"{seconds:.2f} s", "0.3 s", "")


def main() -> None:
    """Measure everything and replace the table of the README."""
    rows = [
        *single_lr(), *family_tables(), theta_cousins(), start_time(), *search_rows(), *index_rows()
    ]  # fmt: skip
    lines = [
        START,
        f"Measured by `make bench` with {os.cpu_count()} cores, Python "
        f"{platform.python_version()}, NumPy {np.__version__}; medians, seed {SEED}. Figures of "
        "other programs are quoted, from other machines.",
        "",
        "| what | measured | target | other programs |",
        "|---|---|---|---|",
        *(f"| {' | '.join(row)} |" for row in rows),
        END,
    ]
    text = README.read_text(encoding="utf-8")
    before, rest = text.split(START)
    after = rest.split(END)[1]
    README.write_text(before + "\n".join(lines) + after, encoding="utf-8")
    print("\n".join(lines[1:-1]))


if __name__ == "__main__":
    main()
