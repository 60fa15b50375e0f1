"""`kinward verify`: recompute a file of likelihood cases and say how far off we are."""

from __future__ import annotations

import argparse
import math

from kinward.cli.console import Progress, counted, finite, format_table, print_json
from kinward.cli.options import Commands, add_command, add_json, add_quiet

__all__ = ["add_to"]

_SHOWN = 20


def add_to(commands: Commands[argparse.ArgumentParser]) -> None:
    """Add the command."""
    parser = add_command(
        commands,
        "verify",
        summary="recompute a file of likelihood cases",
        description="Recompute every likelihood and likelihood ratio of a JSON file of cases with "
        "known\nanswers, and print the largest deviation in natural logarithms. Exit status 1 if "
        "it is\nlarger than the tolerance.",
        example="kinward verify tests/reference/kinship_cases.json",
    )
    parser.add_argument("file", metavar="FILE", help="cases in JSON")
    parser.add_argument(
        "--tolerance",
        type=float,
        default=1e-8,
        metavar="X",
        help="largest deviation allowed, default 1e-8",
    )
    add_json(parser)
    add_quiet(parser)
    parser.set_defaults(run=_run)


def _run(args: argparse.Namespace) -> int:
    from kinward.likelihood.verify import verify_cases

    with Progress(quiet=args.quiet) as progress:
        report = verify_cases(
            args.file, progress=lambda done, total: progress("verifying", done, total)
        )
    failures = report.failures(args.tolerance)
    if args.json:
        print_json(
            {
                "file": args.file,
                "cases": report.cases,
                "figures": len(report.deviations),
                "largest": finite(report.largest),
                "worst_case": report.worst.case,
                "tolerance": args.tolerance,
                "failures": [
                    {
                        "case": one.case,
                        "quantity": one.quantity,
                        "expected": finite(one.expected),
                        "found": finite(one.found),
                    }
                    for one in failures
                ],
            }
        )
        return int(bool(failures))
    rows = [
        (kind, model, f"{worst.size:.1e}", worst.case)
        for (kind, model), worst in report.by_kind().items()
    ]
    print(format_table(("pedigree", "mutation", "largest", "case"), rows, right=(2,)))
    print(
        f"\n{counted(report.cases, 'case')}, {counted(len(report.deviations), 'figure')}: "
        f"largest deviation {report.largest:.1e} ({report.worst.case}, {report.worst.quantity}), "
        f"tolerance {args.tolerance:g}"
    )
    for one in failures[:_SHOWN]:
        print(f"  {one.case}, {one.quantity}: {_ln(one.expected)} expected, {_ln(one.found)} found")
    if len(failures) > _SHOWN:
        print(f"  and {counted(len(failures) - _SHOWN, 'further figure')}")
    return int(bool(failures))


def _ln(value: float) -> str:
    return "no ratio" if math.isnan(value) else f"{value:.12g}"
