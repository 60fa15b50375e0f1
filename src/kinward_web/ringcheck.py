"""Whether the key ring in force is the one that the database was written with.

A ring that is lost is made anew on first use. Beside a database with values of the old ring that
would go unnoticed, until somebody needs a name that nobody can read any more.
"""

from __future__ import annotations

from django.db import DatabaseError

from kinward_web.keyring import DecryptionError, ring_is_fixed, ring_path
from kinward_web.rotation import columns, first_values

__all__ = ["ring_fault"]


def ring_fault() -> str | None:
    """Return, in one sentence, that the ring does not read the database; None where it does.

    Of each column one value for each key among the first ones is read. No ring is made.
    """
    for column in columns():
        try:
            values = first_values(column)
        except DatabaseError:
            # A table that has yet to be made holds nothing.
            continue
        if values and not ring_is_fixed() and not ring_path().exists():
            return _sentence(str(column))
        for row, value in values:
            try:
                column.fresh(row, value)
            except DecryptionError:
                return _sentence(str(column))
    return None


def _sentence(column: str) -> str:
    place = "KINWARD_KEYS" if ring_is_fixed() else str(ring_path())
    return (
        f"the key ring is not the one that this database was written with ({column} cannot be "
        f"read): restore the old ring from its copy to {place}; a new one cannot replace it"
    )
