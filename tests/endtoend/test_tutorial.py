"""The documents are run: commands and programs in them, and their outputs compared.

A block marked `console` holds commands after `$ ` and what they print; a block marked `python`
is a program whose output stands in a following block marked `text`. `...` stands for anything.
Blocks with other marks are not run. `python tests/endtoend/test_tutorial.py FILE...` writes the
outputs of now into documents; read the difference before committing it.
"""

from __future__ import annotations

import doctest
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

CHECKOUT = Path(__file__).resolve().parents[2]
DOCUMENTS = [CHECKOUT / "README.md", *sorted((CHECKOUT / "docs" / "tutorial").glob("*.md"))]
_BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


@dataclass(frozen=True)
class Step:
    """One command or program, what it should print, and where that stands in the document."""

    line: int
    words: list[str]
    stdin: str
    expected: str
    span: tuple[int, int]


def steps(text: str) -> Iterator[Step]:
    found = list(_BLOCK.finditer(text))
    for block, following in zip(found, [*found[1:], None], strict=True):
        line = text.count("\n", 0, block.start()) + 1
        if block[1] == "console":
            for part in re.finditer(r"^\$ (.*)\n((?:(?!\$ ).*\n)*)", block[2], re.MULTILINE):
                span = (block.start(2) + part.start(2), block.start(2) + part.end(2))
                yield Step(line, ["bash", "-c", part[1]], "", part[2], span)
        elif block[1] == "python" and following is not None and following[1] == "text":
            yield Step(line, [sys.executable, "-"], block[2], following[2], following.span(2))


def run(step: Step, folder: Path) -> str:
    """Return standard output followed by standard error."""
    environment = {
        **os.environ,
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        "COLUMNS": "100",
        "LC_ALL": "C.UTF-8",
    }
    done = subprocess.run(
        step.words, input=step.stdin, cwd=folder, env=environment, capture_output=True, text=True,
        timeout=300, check=False,
    )  # fmt: skip
    return done.stdout + done.stderr


def workplace(folder: Path) -> Path:
    """Return a folder from which the checkout's tests and what lies beside it can be seen."""
    home = folder / "checkout"
    home.mkdir()
    (home / "tests").symlink_to(CHECKOUT / "tests")
    shared = CHECKOUT.parent / "shared"
    if shared.is_dir():
        (folder / "shared").symlink_to(shared)
    return home


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_document(document: Path, tmp_path: Path, request: pytest.FixtureRequest) -> None:
    text = document.read_text(encoding="utf-8")
    if "../shared/" in text:
        request.getfixturevalue("shared_reference")
    home = workplace(tmp_path)
    checker = doctest.OutputChecker()
    count = 0
    for step in steps(text):
        printed = run(step, home)
        same = checker.check_output(step.expected, printed, doctest.ELLIPSIS)
        assert same, f"{document.name}, line {step.line}: {step.words[-1]}\nprinted:\n{printed}"
        count += 1
    assert count


def test_links_lead_somewhere() -> None:
    broken = []
    for document in [CHECKOUT / "README.md", *sorted((CHECKOUT / "docs").rglob("*.md"))]:
        text = document.read_text(encoding="utf-8")
        for target in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", text):
            if not (document.parent / target).exists():
                broken.append(f"{document.relative_to(CHECKOUT)}: {target}")
    assert not broken


def rewrite(document: Path) -> None:
    """Put what the commands print now into the document, but for times and last digits."""
    text = document.read_text(encoding="utf-8")
    with TemporaryDirectory() as folder:
        home = workplace(Path(folder))
        printed = [(step.span, run(step, home)) for step in steps(text)]
    for (start, stop), output in reversed(printed):
        stable = re.sub(r"^seconds: .*$", "seconds: ...", output, flags=re.MULTILINE)
        stable = re.sub(r"(\.\d{6})\d{5,}", r"\1...", stable)
        text = text[:start] + stable + text[stop:]
    document.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    for name in sys.argv[1:]:
        rewrite(Path(name))
