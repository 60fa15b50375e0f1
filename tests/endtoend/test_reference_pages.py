"""The pages of docs/reference agree with the program.

`python tests/endtoend/test_reference_pages.py` writes the page of the command line anew.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path

from kinward.cli.entry import make_parser
from kinward.io.layout import FACTS, TYPING_COLUMNS
from kinward.io.results import RESULT_SCHEMA
from kinward.search.outputs import ALONE

PAGES = Path(__file__).resolve().parents[2] / "docs" / "reference"
_NOTE = "<!-- Made by tests/endtoend/test_reference_pages.py; do not edit. -->\n"


def command_line() -> str:
    parser = make_parser()
    return "".join([_NOTE, "# Command line\n\n", f"{parser.description}\n\n", *_commands(parser)])


def _commands(parser: argparse.ArgumentParser) -> Iterator[str]:
    (choices,) = (a for a in parser._actions if isinstance(a, argparse._SubParsersAction))
    for name, command in choices.choices.items():
        description = " ".join((command.description or "").split())
        example = (command.epilog or "").partition("example:\n")[2].strip()
        yield f"## kinward {name}\n\n{description}\n\n```sh\n{example}\n```\n\n"
        yield "| argument | meaning |\n|---|---|\n"
        for action in command._actions:
            yield f"| `{_spelling(action)}` | {_meaning(action)} |\n"
        yield "\n"
    yield (
        "Exit status: 0 done, 1 not satisfied, 2 wrong usage or input, 130 interrupted. Answers "
        "go to standard output, progress and errors to standard error.\n"
    )


def _spelling(action: argparse.Action) -> str:
    metavar = action.metavar
    if metavar is None and action.choices is not None:
        metavar = ",".join(map(str, action.choices))
    words = " ".join(metavar) if isinstance(metavar, tuple) else (metavar or "")
    if not action.option_strings:
        return words or action.dest
    return f"{', '.join(action.option_strings)} {words}".strip()


def _meaning(action: argparse.Action) -> str:
    required = "required" if action.required and action.option_strings else ""
    return "; ".join(filter(None, [(action.help or "").replace("|", "\\|"), required]))


def test_command_line_page_agrees_with_the_program() -> None:
    assert (PAGES / "command-line.md").read_text(encoding="utf-8") == command_line()


def test_formats_page_names_every_column() -> None:
    page = (PAGES / "formats.md").read_text(encoding="utf-8")
    for name in (*RESULT_SCHEMA.names, *ALONE):
        assert f"| `{name}` |" in page
    for name in (*FACTS, *TYPING_COLUMNS):
        assert f"`{name}`" in page


if __name__ == "__main__":
    (PAGES / "command-line.md").write_text(command_line(), encoding="utf-8")
