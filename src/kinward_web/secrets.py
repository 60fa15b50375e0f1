"""Secrets kept in files that only their owner may read."""

from __future__ import annotations

import os
import secrets
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

__all__ = ["read_or_make", "read_or_make_secret", "replace_text"]


def read_or_make(path: Path, make: Callable[[], str]) -> str:
    """Return the text in `path`, making file and folder on first use with mode 600.

    Two processes that start at once agree: whoever loses the race to create the file reads it.
    """
    if not path.exists():
        draft = _draft(path, make())
        with suppress(FileExistsError):
            os.link(draft, path)
        draft.unlink()
    return path.read_text().strip()


def replace_text(path: Path, text: str) -> None:
    """Put `text` into `path` with mode 600; whoever reads finds the old text or the new one."""
    draft = _draft(path, text)
    draft.replace(path)
    if os.name != "posix":
        return
    # The renaming itself must outlive a power cut.
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def _draft(path: Path, text: str) -> Path:
    """Write `text` into a new file beside `path` that only its owner may read."""
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f"{path.name}.{os.getpid()}.{secrets.token_hex(4)}")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    return draft


def read_or_make_secret(path: Path) -> str:
    """Return the random secret of 384 bits in `path`, made on first use."""
    return read_or_make(path, lambda: secrets.token_urlsafe(48))
