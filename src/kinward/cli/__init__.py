"""The command line: parse, call, print, and nothing else.

Numerical libraries are imported inside the commands, so that `kinward --help` answers at once.
"""

from __future__ import annotations

from kinward.cli.entry import main

__all__ = ["main"]
