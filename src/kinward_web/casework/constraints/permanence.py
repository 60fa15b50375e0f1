"""What is never deleted, never changed, and only added in order."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from django.db import connections
from django.db.models import Model, UniqueConstraint
from django.db.models.sql import Query

from kinward_web.casework.constraints.base import FROZEN, KEPT, Check, model, quoted, table_of
from kinward_web.fields import EncryptedTextField

__all__ = ["audit_checks", "permanence_checks", "replacement_checks"]

_FIXED = {
    "casework.Case": ("id", "child_id", "code"),
    "casework.Placement": ("id", "case_id", "home_id", "household_id", "purpose"),
    "casework.Proposal": (
        "id",
        "machine",
        "subject_id",
        "subject_version",
        "rule",
        "digest",
        "proposed_at",
        "expires_at",
    ),
    "casework.LinkClearance": ("id", "case_id", "low_id", "high_id", "via", "document_id"),
    "registry.HouseholdMember": ("id", "household_id", "person_id"),
    "registry.IdentifierUse": ("id", "identifier_id", "person_id"),
    "registry.Involvement": ("id", "person_id", "part"),
    "registry.Link": ("id", "first_id", "second_id", "kind"),
    "public.Publication": ("id", "case_id"),
    "accounts.AgencyChange": (
        "id",
        "agency_id",
        "code",
        "name",
        "kind",
        "country",
        "region",
        "phone",
        "address",
        "accredited",
        "named_officer_id",
        "proposed_by_id",
        "proposed_at",
        "expires_at",
    ),
    "audit.ReadEvent": ("id", "at", "actor_id", "purpose", "act", "subject"),
}
"""Columns that keep their first value; whoever needs another makes another row."""


def audit_checks() -> Iterator[Check]:
    """The chain of audit events grows by one link at a time."""
    table = table_of("audit.AuditEvent")
    yield Check(
        "audit_without_gaps",
        table,
        "INSERT",
        f"NEW.sequence <> 1 + COALESCE((SELECT max(e.sequence) FROM {table} e), 0)",
        "audit events are numbered without gaps",
    )
    yield Check(
        "audit_chained",
        table,
        "INSERT",
        f"EXISTS (SELECT 1 FROM {table} e WHERE e.sequence = NEW.sequence - 1 "
        "AND e.hash <> NEW.previous)",
        "an audit event carries the hash of the one before it",
    )
    yield Check(
        "audit_read_sealed_once",
        table_of("audit.ReadEvent"),
        "UPDATE OF seal_id",
        "OLD.seal_id IS NOT NULL AND COALESCE(NEW.seal_id, 0) <> OLD.seal_id",
        "a read is sealed once",
    )


def permanence_checks() -> Iterator[Check]:
    """What is never deleted, and what never changes."""
    for label in FROZEN:
        fixed = [
            field.column
            for field in model(label)._meta.local_concrete_fields
            if not isinstance(field, EncryptedTextField)
        ]
        yield from _fixed(label, fixed, "is only ever added")
    for label, columns in _FIXED.items():
        yield from _fixed(label, list(columns), "keeps what it was entered for")
    for label in (*FROZEN, *KEPT):
        name = model(label)._meta.model_name
        yield Check(
            f"{name}_kept",
            table_of(label),
            "DELETE",
            "1 = 1",
            f"a row of {name} is never deleted; withdraw, retract or correct it with a reason",
        )


def _fixed(label: str, columns: list[str], message: str) -> Iterator[Check]:
    meta = model(label)._meta
    name = meta.model_name
    terms = []
    for field in meta.local_concrete_fields:
        if field.column not in columns:
            continue
        # JSON has no equality on PostgreSQL that means the same; its text has.
        cast = "CAST({} AS text)" if field.get_internal_type() == "JSONField" else "{}"
        old, new = cast.format(f"OLD.{field.column}"), cast.format(f"NEW.{field.column}")
        changed = f"{new} <> {old}"
        if field.null:
            changed = (
                f"({new} IS NULL AND {old} IS NOT NULL) OR ({new} IS NOT NULL AND {old} IS NULL) "
                f"OR ({new} IS NOT NULL AND {old} IS NOT NULL AND {changed})"
            )
        terms.append(f"({changed})")
    yield Check(
        f"{name}_fixed",
        meta.db_table,
        "UPDATE",
        " OR ".join(terms),
        f"a row of {name} {message}; add another",
    )


def replacement_checks() -> Iterator[Check]:
    """Refuse INSERT OR REPLACE: it deletes the row in the way without a trigger on deletion.

    Facts and proposals may be replaced by an equal one, but not by another under the same id.
    """
    unique = ("casework.Case", "casework.Placement", "public.Publication", *FROZEN)
    for label in (*unique, *KEPT):
        owner = model(label)
        table, name = owner._meta.db_table, owner._meta.model_name
        matches = _unique_matches(owner) if label in unique else []
        if matches:
            terms = [f"o.id <> OLD.id AND {match}" for match in matches]
            yield Check(
                f"{name}_not_replaced_by_update",
                table,
                "UPDATE",
                " OR ".join(f"EXISTS (SELECT 1 FROM {table} o WHERE {term})" for term in terms),
                f"another row of {name} has this already",
            )
        terms = ["o.id = NEW.id", *matches]
        yield Check(
            f"{name}_not_replaced",
            table,
            "INSERT",
            " OR ".join(f"EXISTS (SELECT 1 FROM {table} o WHERE {term})" for term in terms),
            f"there is such a row of {name} already",
        )


def _unique_matches(owner: type[Model]) -> list[str]:
    """Return, for each unique set of columns, the condition that row `o` has the values of NEW."""
    found = [
        f"o.{field.column} = NEW.{field.column}"
        for field in owner._meta.local_concrete_fields
        if field.unique and not field.primary_key
    ]
    for constraint in owner._meta.constraints:
        if isinstance(constraint, UniqueConstraint):
            terms = [
                f"o.{column} = NEW.{column}"
                for column in (owner._meta.get_field(name).column for name in constraint.fields)
            ]
            if constraint.condition is not None:
                terms += [_condition(owner, constraint, row) for row in ("o", "NEW")]
            found.append(" AND ".join(terms))
    return found


def _condition(owner: type[Model], constraint: UniqueConstraint, row: str) -> str:
    """Return the condition of a partial constraint for the row named `row`, as SQLite reads it."""
    where = Query(owner, alias_cols=False).build_where(constraint.condition)
    connection = _sqlite()
    compiler = Query(owner).get_compiler(connection=connection)
    text, parameters = where.as_sql(compiler, connection)
    for value in parameters:
        text = text.replace("%s", quoted(str(value)), 1)
    columns = (field.column for field in owner._meta.local_concrete_fields)
    for column in columns:
        text = text.replace(f'"{column}"', f"{row}.{column}")
    return f"({text})"


def _sqlite() -> Any:
    from django.db.backends.sqlite3.base import DatabaseWrapper

    return DatabaseWrapper({**connections["default"].settings_dict, "NAME": ":memory:"})
