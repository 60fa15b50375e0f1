"""Hook of the build: the catalogues of translations are compiled before files are gathered."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface


class CatalogueHook(BuildHookInterface):
    """Runs for the wheel, the source distribution and the editable installation alike."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Compile what is missing or older than its source."""
        sys.path.insert(0, str(Path(self.root) / "tools"))
        from catalogues import compile_stale

        compile_stale()
