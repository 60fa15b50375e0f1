"""Doing to the tables of the audit what only their owner can: with all triggers out of force."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any

import pytest
from databases import APPLICATION, OWNER
from django.db import connection

__all__ = ["owner"]

Opened = Callable[[], AbstractContextManager[None]]
_TABLES = ("audit_auditevent", "audit_readevent")

if os.environ.get("KINWARD_TEST_DATABASE") == "postgres":

    @pytest.fixture
    def owner(transactional_db: None, harness: Any) -> Opened:
        """Open the tables of the audit to any change: `with owner(): …`."""
        return lambda: _as_owner(harness)

else:

    @pytest.fixture
    def owner(db: None) -> Opened:
        """Open the tables of the audit to any change: `with owner(): …`."""
        return _without_triggers


@contextmanager
def _without_triggers() -> Iterator[None]:
    with connection.cursor() as cursor:
        cursor.execute("SELECT name, sql FROM sqlite_master WHERE type='trigger'")
        triggers = [row for row in cursor.fetchall() if any(name in row[1] for name in _TABLES)]
        for name, _sql in triggers:
            cursor.execute(f'DROP TRIGGER "{name}"')
        try:
            yield
        finally:
            for _name, sql in triggers:
                cursor.execute(sql)


@contextmanager
def _as_owner(harness: Any) -> Iterator[None]:
    harness._attach("kinward_tests", OWNER)
    try:
        with connection.cursor() as cursor:
            for table in _TABLES:
                cursor.execute(f"ALTER TABLE {table} DISABLE TRIGGER USER")
            yield
            for table in _TABLES:
                cursor.execute(f"ALTER TABLE {table} ENABLE TRIGGER USER")
    finally:
        harness._attach("kinward_tests", APPLICATION)
