"""`kinward demo`: a campaign from simulated files to a report."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from kinward.cli.console import Json, Progress, counted, format_table, print_json
from kinward.cli.options import (
    Commands,
    add_command,
    add_json,
    add_quiet,
    add_threads,
    make_folder,
    positive,
)

if TYPE_CHECKING:
    from kinward.demo import DemoOutcome

__all__ = ["add_to"]


def add_to(commands: Commands[argparse.ArgumentParser]) -> None:
    """Add the command."""
    parser = add_command(
        commands,
        "demo",
        summary="search a simulated campaign and write a report",
        description="Simulate a rescue campaign with its searching families, search it from its "
        "files, and write\nresults and a report into a folder, with the planted truth beside "
        "them. All people are\nsynthetic. Exit status 1 if a child is assigned to a wrong family.",
        example="kinward demo --families 2000 --out build/demo",
    )
    parser.add_argument("--out", default="kinward-demo", metavar="DIR", help="default kinward-demo")
    parser.add_argument(
        "--families", type=positive, default=100_000, metavar="N", help="default 100,000"
    )
    add_threads(parser)
    parser.add_argument("--seed", type=int, default=2011, metavar="N", help="default 2011")
    add_quiet(parser)
    add_json(parser)
    parser.set_defaults(run=_run)


def _run(args: argparse.Namespace) -> int:
    from pathlib import Path

    from kinward.demo import demo

    out = Path(args.out)
    make_folder(out)
    with Progress(quiet=args.quiet) as progress:
        outcome = demo(
            out, families=args.families, seed=args.seed, threads=args.threads, progress=progress
        )
    if args.json:
        print_json(_as_json(outcome))
    else:
        print(_as_text(outcome))
    return int(outcome.wrong > 0)


def _as_text(outcome: DemoOutcome) -> str:
    run = outcome.run
    rows = [(story, *(f"{count:,}" for count in counts)) for story, *counts in outcome.counts]
    header = ("planted", "found", "undecided", "not found", "assigned wrongly")
    times = ", ".join(f"{step} {seconds:.1f}" for step, seconds in outcome.seconds.items())
    return "\n".join(
        [
            f"{counted(len(run.children), 'child', 'children')} against "
            f"{counted(len(run.families), 'family', 'families')}, all synthetic: "
            f"{counted(run.pairs, 'pair')} compared",
            "",
            format_table(header, rows, right=(1, 2, 3, 4)),
            "",
            f"seconds: {times}",
            *(f"written: {path}" for path in outcome.files),
        ]
    )


def _as_json(outcome: DemoOutcome) -> dict[str, Json]:
    names = ("planted", "found", "undecided", "not_found", "assigned_wrongly")
    return {
        "children": len(outcome.run.children),
        "families": len(outcome.run.families),
        "pairs": outcome.run.pairs,
        "by_planted_truth": [dict(zip(names, row, strict=True)) for row in outcome.counts],
        "assigned_wrongly": outcome.wrong,
        "files": [str(path) for path in outcome.files],
        "seconds": outcome.seconds,
    }
