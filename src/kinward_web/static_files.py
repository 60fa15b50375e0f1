"""Static files under names that carry the digest of their content, and how they are collected."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from django.contrib.staticfiles.storage import ManifestStaticFilesStorage
from django.core.files.base import File
from django.core.management import call_command

__all__ = ["Storage", "collect"]


class Storage(ManifestStaticFilesStorage):
    """Names with digests; each file appears whole, so that two starts at once do no harm."""

    def _save(self, name: str, content: File[Any]) -> str:
        # Both starts write the same bytes: the last rename wins and nobody sees half a file.
        draft = f"{name}.{os.getpid()}.part"
        super()._save(draft, content)
        target = Path(self.path(name))
        target.parent.mkdir(parents=True, exist_ok=True)
        os.replace(self.path(draft), target)
        return name

    def get_available_name(self, name: str, max_length: int | None = None) -> str:
        """Keep the name: what stands under it is replaced."""
        return name

    def delete(self, name: str) -> None:
        """Leave the file in place until `_save` replaces it: another start may be reading it."""


def collect() -> None:
    """Copy all static files to `STATIC_ROOT`."""
    call_command("collectstatic", interactive=False, verbosity=0)
