"""`kinward search`: every child against every family."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Any

from kinward.cli.console import Progress, counted, format_table, print_json
from kinward.cli.options import (
    Commands,
    add_command,
    add_json,
    add_model,
    add_quiet,
    add_threads,
    frequencies_of,
    mutation_of,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from kinward.io.tables import Rejects
    from kinward.model.registry import FamilyTable
    from kinward.search.inputs import Inputs
    from kinward.search.outputs import RunPaths
    from kinward.search.record import FamilyFinding, SearchRun

__all__ = ["add_to"]

_SHOWN = 20


def add_to(commands: Commands[argparse.ArgumentParser]) -> None:
    """Add the command."""
    parser = add_command(
        commands,
        "search",
        summary="compare every child with every family",
        description="Compare every rescued child with every missing child of every family, and "
        "write all pairs\nwhose log10 likelihood ratio reaches the threshold. Beside OUT.csv "
        "stand OUT.run.json (all\nparameters, the frequencies used, digests of the files) and, "
        "if there are any,\nOUT.one-parent.csv: pairs that one registered parent explains but "
        "not both.\nA candidate is a reason to look further, not an identification.",
        example="kinward search tests/reference/registry_400/children.csv "
        "tests/reference/registry_400/families.csv --population vietnam --min-log10-lr 4 "
        "--out results.csv",
    )
    parser.add_argument("children", metavar="CHILDREN", help="rescued children")
    parser.add_argument("families", metavar="FAMILIES", help="searching families")
    add_model(parser)
    threshold = parser.add_mutually_exclusive_group(required=True)
    threshold.add_argument(
        "--min-log10-lr", type=float, metavar="X", help="smallest log10 likelihood ratio listed"
    )
    threshold.add_argument(
        "--expected-false",
        type=float,
        metavar="X",
        help="choose the threshold at which X chance matches are expected in this run",
    )
    parser.add_argument("--out", required=True, metavar="FILE", help=".csv or .parquet")
    parser.add_argument("--report", metavar="FILE.html", help="also write a report to read")
    parser.add_argument(
        "--rejects",
        metavar="FILE",
        help="write faulty rows with their reasons here and search the others",
    )
    add_threads(parser)
    parser.add_argument(
        "--seed", type=int, default=1, metavar="N", help="of the chance matches, default 1"
    )
    add_quiet(parser)
    add_json(parser)
    parser.set_defaults(run=_run)


def _run(args: argparse.Namespace) -> int:
    from functools import partial
    from pathlib import Path

    from kinward.search.engine import prepare_model, search
    from kinward.search.inputs import read_inputs
    from kinward.search.outputs import RunPaths, publish, run_record

    table, mutation = frequencies_of(args), mutation_of(args)
    paths = RunPaths(
        Path(args.out),
        Path(args.rejects) if args.rejects else None,
        Path(args.report) if args.report else None,
    )
    paths.check()
    with Progress(quiet=args.quiet) as progress:
        inputs = read_inputs(args.children, args.families)
        refuse = paths.rejects is None
        if refuse:
            inputs.require_clean()
        children, families = inputs.children.table, inputs.families.table
        prepared = prepare_model(
            children, families, table, mutation, theta=args.theta, silent=args.silent
        )
        run = search(
            children,
            families,
            prepared.model,
            min_log10_lr=args.min_log10_lr,
            expected_false=args.expected_false,
            threads=args.threads,
            seed=args.seed,
            progress=progress,
            notes=(*inputs.notes, *prepared.notes),
            on_findings=partial(_refuse, families, args.families) if refuse else None,
        )
        rejects = _rejects(run, inputs, args.families)
    record = run_record(run, inputs, mutation, expected_false=args.expected_false)
    report = _report(run, inputs) if paths.report is not None else b""
    publish(run, record, paths, rejects=rejects, report=report)
    if args.json:
        print_json(_as_json(record, paths))
    else:
        print(_summary(run, inputs, paths))
    return 0


def _refuse(families: FamilyTable, path: str, findings: Sequence[FamilyFinding]) -> None:
    """Raise InputError, before anything is compared, if a family is impossible."""
    from kinward.errors import InputError
    from kinward.search.inputs import inconsistent_families

    rows = inconsistent_families(families, findings, path)
    if rows:
        raise InputError([row.fault for row in rows if row.fault.kind == "inconsistent-family"])


def _rejects(run: SearchRun, inputs: Inputs, path: str) -> Rejects:
    """Collect what a rejects file holds."""
    from kinward.io.tables import Rejects
    from kinward.search.inputs import inconsistent_families, joined_rejects

    rows = inconsistent_families(run.families, run.findings, path)
    found = Rejects(inputs.families.rejected.header, rows)
    return joined_rejects([inputs.children.rejected, inputs.families.rejected, found])


def _report(run: SearchRun, inputs: Inputs) -> bytes:
    """Return the report, which is published together with the results."""
    from pathlib import Path
    from tempfile import TemporaryDirectory

    from kinward.report.html import write_report

    with TemporaryDirectory() as folder:
        page = Path(folder) / "report.html"
        rejected = inputs.children.left_out + inputs.families.left_out
        write_report(run, page, title="Search report", synthetic=False, rejected=rejected)
        return page.read_bytes()


def _summary(run: SearchRun, inputs: Inputs, paths: RunPaths) -> str:
    slots = int(run.families.missing.sum())
    with_candidates = len(set(run.candidates.child.tolist()))
    lines = [
        f"{counted(len(run.children), 'child', 'children')}, "
        f"{counted(len(run.families), 'family', 'families')} with "
        f"{counted(slots, 'missing child', 'missing children')}: "
        f"{counted(run.pairs, 'pair')} compared at {counted(len(run.model.loci), 'locus', 'loci')}",
        f"{counted(len(run.candidates), 'candidate pair')} at log10 LR {run.min_log10_lr:g} or "
        f"more, for {counted(with_candidates, 'child', 'children')}: {paths.results}",
    ]
    if len(run.one_parent):
        lines.append(
            f"{counted(len(run.one_parent), 'pair')} that one registered parent explains but not "
            f"both: {paths.one_parent}"
        )
    lines.append(f"parameters, frequencies used and digests: {paths.record}")
    if paths.report is not None:
        lines.append(f"report: {paths.report}")
    for what, read in (("children", inputs.children), ("families", inputs.families)):
        if len(read.rejected):
            lines.append(
                f"{what} rejected: {read.left_out:,} left out, "
                f"{counted(len(read.rejected), 'entry', 'entries')} in {paths.rejects}"
            )
    lines += ["", _chance(run)]
    lines += _findings(run, run.findings)
    lines += [f"note: {note}" for note in run.notes]
    times = ", ".join(f"{stage} {seconds:.2f}" for stage, seconds in run.seconds.items())
    lines += ["", f"seconds: {times}"]
    return "\n".join(lines)


def _chance(run: SearchRun) -> str:
    """Return the table of chance matches: a candidate may well be one of them."""
    rows = [
        (
            one.family_class + (f", {one.one_parent} alone" if one.one_parent else ""),
            f"{one.slots:,}",
            f"{one.expected:.3g} ± {one.standard_error:.1g}",
            f"{one.found:,}",
        )
        for one in run.chance
    ]
    header = ("typed in the family", "missing", "unrelated pairs expected", "pairs found")
    return format_table(header, rows, right=(1, 2, 3)) + "\n"


def _findings(run: SearchRun, findings: Sequence[FamilyFinding]) -> list[str]:
    lines = []
    for impossible, head in (
        (True, "families not searched, since their members cannot be related as stated:"),
        (
            False,
            "families whose members fit each other only by mutation (check the relationships):",
        ),
    ):
        these = [one for one in findings if one.impossible == impossible]
        if not these:
            continue
        lines.append(head)
        for one in these[:_SHOWN]:
            lines.append(f"  {run.families.family_ids[one.family]}: {', '.join(one.loci)}")
        if len(these) > _SHOWN:
            lines.append(
                f"  and {counted(len(these) - _SHOWN, 'further family', 'further families')}"
            )
        lines.append("")
    return lines


def _as_json(record: dict[str, Any], paths: RunPaths) -> dict[str, Any]:
    """Return the record without the model, which the file holds, and with the files written."""
    answer = {key: value for key, value in record.items() if key != "model"}
    answer["model_digest"] = record["model"]["digest"]
    written = {"results": str(paths.results), "record": str(paths.record)}
    if record["counts"]["one_parent"]:
        written["one_parent"] = str(paths.one_parent)
    if paths.rejects is not None:
        written["rejects"] = str(paths.rejects)
    if paths.report is not None:
        written["report"] = str(paths.report)
    return {**answer, "written": written}
