"""What the constraints are made of: checks, views, and names of tables."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from django.apps import apps
from django.db.models import Model

__all__ = [
    "DIGEST_VIEW",
    "FROZEN",
    "KEPT",
    "PREFIX",
    "RECORD",
    "TABLES",
    "Check",
    "View",
    "in_list",
    "model",
    "quoted",
    "table_of",
]

PREFIX = "kinward_"
"""Begins the name of every trigger and function."""
DIGEST_VIEW = "kinward_constraints"
"""A view that holds the digest of all statements in force."""
RECORD = "casework_transitionrecord"
"""The table of transitions on record."""
TABLES = {
    "case": "casework_case",
    "placement": "casework_placement",
    "publication": "public_publication",
}
"""The table of each machine."""
FROZEN = (
    "casework.TransitionRecord",
    "casework.Signature",
    "casework.Clearance",
    "audit.AuditEvent",
)
"""Only ever added; an encrypted column alone may be written anew, for a new key."""
KEPT = (
    "accounts.AgencyChange",
    "audit.ReadEvent",
    "casework.LinkClearance",
    "casework.Proposal",
    "registry.HouseholdMember",
    "registry.IdentifierUse",
    "registry.Involvement",
    "registry.Link",
)
"""Never deleted; what they say is withdrawn or retracted with a reason."""


@dataclass(frozen=True, slots=True)
class Check:
    """One refusal: when a row of `table` is about to change and `refused` is true of it."""

    name: str
    table: str
    event: str
    """INSERT, DELETE, UPDATE, or UPDATE OF columns."""
    refused: str
    """SQL over NEW and OLD that means the same on both databases."""
    message: str
    lock: str = ""
    """What PostgreSQL runs first, so that nobody changes the facts in between. SQLite has one
    writer at a time."""


@dataclass(frozen=True, slots=True)
class View:
    """A view: its name with columns, and its query."""

    name: str
    columns: tuple[str, ...]
    query: str


def quoted(text: str) -> str:
    """Return `text` as a literal of SQL."""
    return "'" + text.replace("'", "''") + "'"


def in_list(values: Iterable[str]) -> str:
    """Return the values as a list for IN, in order."""
    return "(" + ", ".join(quoted(str(value)) for value in sorted(values)) + ")"


def model(label: str) -> type[Model]:
    """Return the model `application.Name`; an application uses another's tables by name only."""
    return apps.get_model(label)


def table_of(label: str) -> str:
    """Return the table of the model `application.Name`."""
    return str(model(label)._meta.db_table)
