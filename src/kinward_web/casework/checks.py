"""Checks of `manage check --database default`."""

from __future__ import annotations

from typing import Any

from django.core.checks import CheckMessage, Error, Tags, Warning, register
from django.db import DatabaseError, connections

from kinward_web.casework import constraints
from kinward_web.ringcheck import ring_fault

__all__ = ["constraints_in_force", "ring_reads_the_database"]


@register(Tags.database)
def constraints_in_force(databases: Any = None, **_others: Any) -> list[CheckMessage]:
    """Warn of triggers and views that are missing or differ from the table of rules.

    A warning, because `migrate`, which mends it, would stop at an error. A database without our
    tables has nothing to protect yet.
    """
    found: list[CheckMessage] = []
    for using in databases or ():
        try:
            tables = set(connections[using].introspection.table_names())
            if not constraints.tables_needed() <= tables:
                continue
            wrong = constraints.faults(using)
        except DatabaseError as error:
            wrong = [str(error)]
        if wrong:
            found.append(
                Warning(
                    "The database does not enforce the rules of casework: "
                    + ", ".join(wrong[:5])
                    + (f" and {len(wrong) - 5} more" if len(wrong) > 5 else ""),
                    hint="Run `kinward manage migrate` or `kinward manage install_constraints`.",
                    id="casework.W001",
                )
            )
    return found


@register(Tags.database)
def ring_reads_the_database(databases: Any = None, **_others: Any) -> list[CheckMessage]:
    """Refuse to go on with a key ring that does not read what the database holds."""
    fault = ring_fault() if "default" in (databases or ()) else None
    return [] if fault is None else [Error(fault, id="casework.E001")]
