"""Entry point of the command `kinward`: the parser, and what an error looks like from outside."""

from __future__ import annotations

import argparse
import os
import signal
import sys
from collections.abc import Collection, Sequence

from kinward.cli import (
    bench,
    convert,
    demo,
    explain,
    lr,
    search,
    simulate,
    tables,
    verify,
)
from kinward.cli.console import print_error
from kinward.errors import KinwardError

__all__ = ["main", "make_parser"]

DONE, NOT_SATISFIED, BAD_INPUT = 0, 1, 2
"""Exit statuses."""
INTERRUPTED = 128 + signal.SIGINT
_NAMES = 22
"""Width of the column of names in the help, as argparse has it."""

_COMMANDS = (demo, search, explain, lr, verify, tables, simulate, convert, bench)
_DESCRIPTION = """\
Compare the DNA profiles of rescued children with those of families searching for a missing
child: every child with every family, completely, with exact likelihood ratios."""
_EPILOG = """\
Exit status: 0 done, 1 not satisfied, 2 wrong usage or input, 130 interrupted.
`kinward COMMAND --help` explains a command and shows an example."""


class _Help(argparse.Action):
    """Print the help, with the commands that other packages add."""

    def __call__(self, parser: argparse.ArgumentParser, *_: object) -> None:
        from kinward.cli.others import summaries

        others = summaries()
        if others:
            rows = "\n".join(f"  {name:<{_NAMES}}{text}" for name, text in others)
            parser.epilog = f"more commands:\n{rows}\n\n{parser.epilog}"
        parser.print_help()
        parser.exit()


class _Version(argparse.Action):
    """Print the version, which takes long to look up, only when asked for."""

    def __call__(self, parser: argparse.ArgumentParser, *_: object) -> None:
        from importlib.metadata import version

        print(f"kinward {version('kinward')}")
        parser.exit()


def make_parser() -> argparse.ArgumentParser:
    """Return the parser of all commands."""
    parser = argparse.ArgumentParser(
        prog="kinward",
        description=_DESCRIPTION,
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        add_help=False,
    )
    parser.add_argument("-h", "--help", action=_Help, nargs=0, help="show this help and exit")
    parser.add_argument("--version", action=_Version, nargs=0, help="show the version and exit")
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    for command in _COMMANDS:
        command.add_to(commands)
    return parser


def _run(words: list[str]) -> int:
    """Run a command of our own, or else one that another package adds."""
    parser = make_parser()
    if words and not words[0].startswith("-") and words[0] not in _own(parser):
        from kinward.cli.others import find

        other = find(words[0])
        if other is not None:
            status: int = other.load()(words[1:])
            return status
    args = parser.parse_args(words)
    status = args.run(args)
    return status


def _own(parser: argparse.ArgumentParser) -> Collection[str]:
    """Return the names of our own commands."""
    return next(
        action.choices or ()
        for action in parser._actions
        if isinstance(action, argparse._SubParsersAction)
    )


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command and return its exit status.

    Errors of the input become sentences on standard error, never a traceback.
    """
    words = list(sys.argv[1:] if argv is None else argv)
    try:
        status = _run(words)
        sys.stdout.flush()
    except KinwardError as error:
        print_error(error)
        return BAD_INPUT
    except BrokenPipeError:
        # The reader of our output has gone, as `kinward loci | head` does: nothing is wrong.
        # Python would complain once more when it flushes at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return DONE
    except KeyboardInterrupt:
        print("kinward: interrupted; nothing was written", file=sys.stderr)
        return INTERRUPTED
    return status
