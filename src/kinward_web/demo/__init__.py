"""The demonstration: the campaign of July 2011 with synthetic people, replayed until now."""

from __future__ import annotations

from kinward_web.demo.fill import fill
from kinward_web.demo.offices import Login

__all__ = ["Login", "fill"]
