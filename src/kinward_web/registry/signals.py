"""Signals of the registry."""

from __future__ import annotations

from django.dispatch import Signal

__all__ = ["graph_changed"]

graph_changed = Signal()
"""Sent within the transaction after a link, household, identifier or involvement was entered or
retracted, with `people_ids`: the people at its ends."""
