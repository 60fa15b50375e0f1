"""The rules of casework as data: roles, evidence, transitions, clocks.

Guards, page rails, database constraints, documentation and tests all derive from these tables.
Nothing here touches the database.
"""

from __future__ import annotations

from kinward_web.rules.case import CASE
from kinward_web.rules.placement import PLACEMENT
from kinward_web.rules.publication import PUBLICATION
from kinward_web.rules.table import Machine

__all__ = ["MACHINES"]

MACHINES: dict[str, Machine] = {machine.key: machine for machine in (CASE, PLACEMENT, PUBLICATION)}
