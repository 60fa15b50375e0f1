"""Asking for the passphrase of a backup."""

from __future__ import annotations

import getpass
from argparse import ArgumentParser
from pathlib import Path

from kinward_web.backup import BackupError

__all__ = ["SHORTEST", "add_passphrase_option", "read_passphrase"]

SHORTEST = 16
"""Characters that a passphrase must have; six random words have more."""


def add_passphrase_option(parser: ArgumentParser) -> None:
    """Let the passphrase come from a file, for backups without anyone at the keyboard."""
    parser.add_argument(
        "--passphrase-file",
        type=Path,
        metavar="FILE",
        help="first line is the passphrase; without it you are asked",
    )


def read_passphrase(file: Path | None, twice: bool) -> str:
    """Return the passphrase from `file`, or as it is typed, twice if it is a new one.

    :raises BackupError: too short, or the two do not agree.
    """
    if file is not None:
        with file.open(encoding="utf-8") as lines:
            text = lines.readline().rstrip("\r\n")
    else:
        text = getpass.getpass("Passphrase: ")
        if twice and getpass.getpass("Once more: ") != text:
            raise BackupError("the two passphrases are not the same: try again")
    if len(text) < SHORTEST:
        raise BackupError(f"the passphrase needs {SHORTEST} characters or more, such as six words")
    return text
