"""Installing, dropping and verifying the constraints, and the rights of the application."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from django.apps import apps
from django.db import connections, transaction

from kinward_web.casework.constraints.base import (
    DIGEST_VIEW,
    FROZEN,
    KEPT,
    PREFIX,
    TABLES,
    table_of,
)
from kinward_web.casework.constraints.sql import digest, statements, views
from kinward_web.fields import EncryptedTextField

__all__ = ["drop", "faults", "grants", "install", "tables_needed"]


def tables_needed() -> set[str]:
    """Return the tables that must exist before anything can be installed."""
    applications = ("accounts", "audit", "casework", "public", "registry")
    return {
        model._meta.db_table
        for label in applications
        for model in apps.get_app_config(label).get_models()
    }


def install(using: str = "default") -> None:
    """Drop what is there and make all views and triggers anew, in one transaction."""
    connection = connections[using]
    with transaction.atomic(using=using), connection.cursor() as cursor:
        roles = _granted(cursor) if connection.vendor == "postgresql" else []
        drop(using)
        for _name, statement in statements(connection.vendor):
            cursor.execute(statement)
        # Whoever had rights keeps them, on new tables and on the views just made.
        for role in roles:
            for statement in grants(role):
                cursor.execute(statement)


def _granted(cursor: Any) -> list[str]:
    """Return the roles, besides the owner, that may read the cases."""
    cursor.execute(
        "SELECT DISTINCT a.grantee::regrole::text FROM pg_class c, aclexplode(c.relacl) a "
        f"WHERE c.oid = to_regclass('{TABLES['case']}') AND a.grantee <> c.relowner "
        "AND a.grantee <> 0 AND a.privilege_type = 'SELECT'"
    )
    return [role for (role,) in cursor.fetchall()]


def drop(using: str = "default") -> None:
    """Drop every view and trigger of this module, of whatever version."""
    connection = connections[using]
    with transaction.atomic(using=using), connection.cursor() as cursor:
        if connection.vendor == "sqlite":
            cursor.execute(
                "SELECT name FROM sqlite_master WHERE type = 'trigger' "
                f"AND substr(name, 1, {len(PREFIX)}) = '{PREFIX}'"
            )
            drops = [f"DROP TRIGGER {name}" for (name,) in cursor.fetchall()]
        else:
            cursor.execute(
                "SELECT p.oid::regprocedure::text FROM pg_proc p JOIN pg_namespace n "
                "ON n.oid = p.pronamespace WHERE n.nspname = 'public' "
                f"AND left(p.proname, {len(PREFIX)}) = '{PREFIX}'"
            )
            drops = [f"DROP FUNCTION {name} CASCADE" for (name,) in cursor.fetchall()]
        names = (DIGEST_VIEW, *(view.name for view in reversed(views())))
        for statement in (*drops, *(f"DROP VIEW IF EXISTS {name}" for name in names)):
            cursor.execute(statement)


def faults(using: str = "default") -> list[str]:
    """Return what is not in force as the table of rules says: names, none when all is well."""
    connection = connections[using]
    made = dict(statements(connection.vendor))
    with connection.cursor() as cursor:
        if connection.vendor == "sqlite":
            cursor.execute("SELECT name, sql FROM sqlite_master WHERE type IN ('trigger', 'view')")
            present = dict(cursor.fetchall())
            return sorted(name for name, sql in made.items() if present.get(name) != sql)
        return _postgres_faults(cursor, made)


def _postgres_faults(cursor: Any, made: dict[str, str]) -> list[str]:
    cursor.execute("SELECT viewname FROM pg_views WHERE schemaname = 'public'")
    present = {name for (name,) in cursor.fetchall()}
    wrong = {name for name in made if not name.startswith(PREFIX) and name not in present}
    if DIGEST_VIEW not in present:
        return sorted({*wrong, DIGEST_VIEW})
    cursor.execute(f"SELECT digest FROM {DIGEST_VIEW}")
    if cursor.fetchone()[0] != digest("postgresql"):
        wrong.add(DIGEST_VIEW)
    cursor.execute(
        "SELECT p.proname, p.prosrc, t.tgrelid::regclass::text, t.tgenabled FROM pg_trigger t "
        "JOIN pg_proc p ON p.oid = t.tgfoid WHERE NOT t.tgisinternal"
    )
    rows = {(name, table): (source, on) for name, source, table, on in cursor.fetchall()}
    for name, statement in made.items():
        if "CREATE FUNCTION" not in statement:
            continue
        body = statement.split("$kinward$")[1]
        for part in statement.split("CREATE TRIGGER ")[1:]:
            table = part.split(" ON ", 1)[1].split(" ", 1)[0]
            if rows.get((name, table)) != (body, "O"):
                wrong.add(name)
    return sorted(wrong)


def grants(role: str) -> list[str]:
    """Return the statements that give a PostgreSQL role what the application needs, and no more.

    The role owns nothing: it can neither alter a table nor switch a trigger off. What is only ever
    added it cannot delete, and can update in its encrypted columns alone, for a new key.

    :raises ValueError: the name is no plain lower-case name.
    """
    if not (role.isascii() and role.isidentifier() and role == role.lower()):
        raise ValueError(f"not the name of a role in lower case: {role!r}")
    return list(_grants(role))


def _grants(role: str) -> Iterator[str]:
    tables = {model._meta.db_table: model for model in apps.get_models(include_auto_created=True)}
    frozen = {table_of(label) for label in FROZEN}
    kept = {table_of(label) for label in (*KEPT, "casework.Case", "casework.Placement")}
    yield f"GRANT USAGE ON SCHEMA public TO {role}"
    yield f"REVOKE CREATE ON SCHEMA public FROM {role}, PUBLIC"
    yield f"REVOKE ALL ON ALL TABLES IN SCHEMA public FROM {role}"
    yield f"GRANT SELECT ON ALL TABLES IN SCHEMA public TO {role}"
    yield f"GRANT USAGE, SELECT ON ALL SEQUENCES IN SCHEMA public TO {role}"
    for table, model in sorted(tables.items()):
        if not model._meta.managed:
            continue
        yield f"GRANT INSERT ON {table} TO {role}"
        if table in frozen:
            secret = [
                field.column
                for field in model._meta.local_concrete_fields
                if isinstance(field, EncryptedTextField)
            ]
            if secret:
                yield f"GRANT UPDATE ({', '.join(secret)}) ON {table} TO {role}"
        else:
            yield f"GRANT UPDATE{'' if table in kept else ', DELETE'} ON {table} TO {role}"
