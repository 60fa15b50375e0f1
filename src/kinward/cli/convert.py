"""`kinward convert`: the same data in another format."""

from __future__ import annotations

import argparse

from kinward.cli.console import counted
from kinward.cli.options import Commands, add_command

__all__ = ["add_to"]

_COUNTED = {
    "children": ("child", "children"),
    "families": ("family", "families"),
    "frequencies": ("locus", "loci"),
}


def add_to(commands: Commands[argparse.ArgumentParser]) -> None:
    """Add the command."""
    parser = add_command(
        commands,
        "convert",
        summary="convert tables, .ped, Familias and GeneMapper files",
        description="Read children, families or allele frequencies and write them in the format "
        "that the ending\nof the second name says: .csv, .csv.gz, .xlsx, or .ped for families. "
        "Sources may also\nbe .ped, Familias .fam, or a GeneMapper .txt (read as documented, not "
        "verified with a\nreal export). Nothing is written if the target cannot hold everything.",
        example="kinward convert tests/reference/registry_400/children.csv children.xlsx",
    )
    parser.add_argument("source", metavar="A", help="the file to read")
    parser.add_argument("target", metavar="B", help="the file to write")
    parser.add_argument("--kind", choices=tuple(_COUNTED), help="which part of a .fam file")
    parser.add_argument(
        "--without",
        action="append",
        default=[],
        metavar="NAME",
        help="leave out a hypothesis of a .fam file",
    )
    parser.set_defaults(run=_run)


def _run(args: argparse.Namespace) -> int:
    from kinward.io.convert import convert

    done = convert(args.source, args.target, args.kind, without=args.without)
    print(f"{counted(done.count, *_COUNTED[done.kind])} written to {args.target}")
    for note in done.notes:
        print(f"note: {note}")
    return 0
