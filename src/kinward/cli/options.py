"""Arguments that several commands share, and the values they stand for."""

from __future__ import annotations

import argparse
import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    from kinward.model.mutation import MutationScheme
    from kinward.model.population import FrequencyTable

__all__ = [
    "Commands",
    "add_command",
    "add_json",
    "add_model",
    "add_mutation",
    "add_quiet",
    "add_threads",
    "frequencies_of",
    "make_folder",
    "mutation_of",
    "positive",
]

Commands = argparse._SubParsersAction  # argparse offers no public name for it
_TABLE_ENDINGS = (".csv", ".csv.gz", ".xlsx")


def add_command(
    commands: Commands[argparse.ArgumentParser],
    name: str,
    *,
    summary: str,
    description: str,
    example: str,
) -> argparse.ArgumentParser:
    """Add a command whose help ends with an example."""
    return commands.add_parser(
        name,
        help=summary,
        description=description,
        epilog=f"example:\n  {example}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )


def add_model(parser: argparse.ArgumentParser) -> None:
    """Add population, mutation, theta and silent alleles."""
    group = parser.add_argument_group("genetic model")
    source = group.add_mutually_exclusive_group(required=True)
    source.add_argument(
        "--population",
        metavar="NAME",
        help="packaged allele frequencies; A+B takes from B the loci that A lacks "
        "(`kinward populations` lists them)",
    )
    source.add_argument(
        "--frequencies", metavar="FILE", help="allele frequencies: locus,allele,frequency[,n]"
    )
    add_mutation(group)
    group.add_argument(
        "--theta",
        type=float,
        default=0.0,
        metavar="X",
        help="coancestry in the population (F_ST), default 0",
    )
    group.add_argument(
        "--silent",
        type=float,
        default=0.0,
        metavar="X",
        help="frequency of a silent allele at every locus, default 0",
    )


def add_mutation(group: argparse._ActionsContainer) -> None:
    """Add the mutation model."""
    group.add_argument(
        "--mutation",
        default="default",
        metavar="MODEL",
        help="default (packaged rates per locus and sex, stepwise), none, equal:0.002, "
        "stepwise:male=0.002,female=0.0005,rate2=1e-6,range=0.1, or a FILE.csv per locus",
    )


def add_json(parser: argparse.ArgumentParser) -> None:
    """Add --json."""
    parser.add_argument("--json", action="store_true", help="print the answer as JSON")


def add_quiet(parser: argparse.ArgumentParser) -> None:
    """Add --quiet."""
    parser.add_argument("--quiet", action="store_true", help="show no progress")


def add_threads(parser: argparse.ArgumentParser) -> None:
    """Add --threads."""
    parser.add_argument(
        "--threads",
        type=positive,
        default=_processors(),
        metavar="N",
        help="default: as many as there are processors",
    )


def positive(text: str) -> int:
    """Read a whole number of at least 1."""
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f"{text} is not a whole number of at least 1")
    return number


def _processors() -> int:
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def make_folder(folder: Path) -> None:
    """Make a folder if need be; raise InputError if that is impossible."""
    from kinward.errors import Fault, InputError

    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        message = f"the folder cannot be made ({error.strerror})"
        fault = Fault(str(folder), None, None, "unwritable", message, "name another folder")
        raise InputError([fault]) from None


def frequencies_of(args: argparse.Namespace) -> FrequencyTable:
    """Return the frequency table that the arguments name."""
    from kinward.io.frequencies import read_frequencies
    from kinward.model.population import load_population

    if args.frequencies is not None:
        return read_frequencies(args.frequencies)
    return load_population(args.population)


def mutation_of(args: argparse.Namespace) -> MutationScheme:
    """Return the mutation models that the arguments name."""
    from kinward.io.mutation import read_mutation
    from kinward.model.mutation import parse_mutation

    if args.mutation.lower().endswith(_TABLE_ENDINGS):
        return read_mutation(args.mutation)
    return parse_mutation(args.mutation)
