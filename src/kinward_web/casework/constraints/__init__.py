"""The rules of casework as triggers and views of the database, made from the tables in `rules`.

They refuse what goes round the engine: a state set by hand, a forged or altered record, a child
given to someone whom custody bars. `migrate` drops them before it changes tables and makes them
anew from the tables of rules, so that a changed rule is in force at once. Both databases get the
same conditions; only the frame round a condition differs.

Times are compared with the moment that the transition itself records, not with the clock of the
database server.
"""

from __future__ import annotations

from kinward_web.casework.constraints.installation import (
    drop,
    faults,
    grants,
    install,
    tables_needed,
)
from kinward_web.casework.constraints.sql import checks, digest, statements

__all__ = [
    "checks",
    "digest",
    "drop",
    "faults",
    "grants",
    "install",
    "statements",
    "tables_needed",
]
