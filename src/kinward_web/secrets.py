"""Secrets kept in files that only their owner may read."""

from __future__ import annotations

import os
import secrets
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

__all__ = ["read_or_make", "read_or_make_secret"]


def read_or_make(path: Path, make: Callable[[], str]) -> str:
    """Return the text in `path`, making file and folder on first use with mode 600.

    Two processes that start at once agree: whoever loses the race to create the file reads it.
    """
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        draft = path.with_name(f"{path.name}.{os.getpid()}.{secrets.token_hex(4)}")
        descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w") as file:
            file.write(make())
        with suppress(FileExistsError):
            os.link(draft, path)
        draft.unlink()
    return path.read_text().strip()


def read_or_make_secret(path: Path) -> str:
    """Return the random secret of 384 bits in `path`, made on first use."""
    return read_or_make(path, lambda: secrets.token_urlsafe(48))
