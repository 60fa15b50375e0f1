"""The plan of a rescue night: which child goes to which home, and what is missing.

Pure functions on plain rows: nothing here knows Django or a database.
"""

from __future__ import annotations

from kinward_web.casework.plan.model import (
    Child,
    Home,
    HomeNeed,
    NightNeed,
    Obstacle,
    Placing,
    Plan,
    Position,
    Proof,
    Unplaced,
)
from kinward_web.casework.plan.solve import make_plan
from kinward_web.casework.plan.weights import WEIGHTS, Weight

__all__ = [
    "WEIGHTS",
    "Child",
    "Home",
    "HomeNeed",
    "NightNeed",
    "Obstacle",
    "Placing",
    "Plan",
    "Position",
    "Proof",
    "Unplaced",
    "Weight",
    "make_plan",
]
