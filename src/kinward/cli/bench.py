"""`kinward bench`: measure this machine."""

from __future__ import annotations

import argparse
import sys
from typing import TYPE_CHECKING

from kinward.cli.console import print_json
from kinward.cli.options import (
    Commands,
    add_command,
    add_json,
    add_quiet,
    add_threads,
    positive,
)

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from kinward.model.population import FrequencyTable
    from kinward.simulate.registry import SimulatedRegistry

__all__ = ["add_to"]

_SMALL_CHILDREN, _SMALL_FAMILIES = 60, 120
"""Size of the registry all of whose pairs are also computed exactly."""


def add_to(commands: Commands[argparse.ArgumentParser]) -> None:
    """Add the command."""
    parser = add_command(
        commands,
        "bench",
        summary="measure the speed of the search on this machine",
        description="Measure the search of a simulated registry from files to results, and count "
        "what it\nmisses on a smaller one all of whose pairs are also computed exactly. Exit "
        "status 1 if\nanything is missed.",
        example="kinward bench search --children 1000 --families 20000 --json",
    )
    parser.add_argument("what", choices=("search",), help="what to measure")
    parser.add_argument(
        "--children", type=positive, default=5_000, metavar="N", help="default 5,000"
    )
    parser.add_argument(
        "--families", type=positive, default=50_000, metavar="N", help="default 50,000"
    )
    parser.add_argument(
        "--min-log10-lr", type=float, default=3.0, metavar="X", help="threshold, default 3"
    )
    add_threads(parser)
    parser.add_argument("--seed", type=int, default=1, metavar="N", help="default 1")
    add_quiet(parser)
    add_json(parser)
    parser.set_defaults(run=_run)


def _run(args: argparse.Namespace) -> int:
    from pathlib import Path
    from tempfile import TemporaryDirectory

    with TemporaryDirectory() as folder:
        figures = _measure(args, Path(folder))
    if args.json:
        print_json(figures)
    else:
        for name, value in figures.items():
            print(f"{name}: {value:,.4g}" if isinstance(value, float) else f"{name}: {value}")
    return int(figures["misses"] != 0)


def _measure(args: argparse.Namespace, folder: Path) -> Mapping[str, float | int | str]:
    from kinward.io.write import write_children, write_families
    from kinward.model.mutation import default_mutation
    from kinward.model.population import load_population
    from kinward.search.bench import BenchInput, bench_search

    table = load_population("china_han_42str+uk_dna17_chinese")
    large = _registry(args.children, args.families, table, args.seed)
    small = _registry(_SMALL_CHILDREN, _SMALL_FAMILIES, table, args.seed)
    children, families = folder / "children.csv", folder / "families.csv"
    write_children(large.children, children)
    write_families(large.families, families)
    silent = args.quiet or not sys.stderr.isatty()
    return bench_search(
        BenchInput(children, families, table, default_mutation(), small.children, small.families),
        min_log10_lr=args.min_log10_lr,
        threads=args.threads,
        progress=None if silent else lambda stage: print(f"{stage} ...", file=sys.stderr),
    )


def _registry(children: int, families: int, table: FrequencyTable, seed: int) -> SimulatedRegistry:
    """Simulate a registry with the loci of a common kit."""
    from kinward.model.marker import all_loci
    from kinward.simulate.registry import SimulationPlan, simulate_registry

    loci = tuple(
        locus.name
        for locus in all_loci()
        if "VeriFilerPlus" in locus.kits and locus.name in table.loci
    )
    return simulate_registry(
        SimulationPlan(
            children=children,
            families=families,
            populations=((table, 1.0),),
            loci=loci,
            missing_rate=0.02,
            related_fraction=min(0.5, families / children / 2),
            seed=seed,
        )
    )
