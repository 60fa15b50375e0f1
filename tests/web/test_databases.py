"""The harness itself: who is connected, and that tests leave nothing behind."""

from __future__ import annotations

import subprocess
import sys

import pytest
from django.db import DatabaseError, connection

from kinward_web.accounts.models import Agency
from kinward_web.casework import constraints


@pytest.mark.django_db
def test_constraints_are_in_force() -> None:
    assert constraints.faults() == []


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("turn", [1, 2])
def test_committed_rows_are_gone_after_the_test(turn: int) -> None:
    assert Agency.objects.count() == 0
    Agency.objects.create(code=f"a{turn}", name="A", kind="police")


@pytest.mark.django_db(transaction=True)
def test_constraints_survive_emptying() -> None:
    assert constraints.faults() == []


@pytest.mark.django_db
def test_postgres_tests_run_as_a_role_that_owns_nothing(harness) -> None:
    if harness.vendor != "postgresql":
        pytest.skip("SQLite has no roles")
    with connection.cursor() as cursor:
        cursor.execute("SELECT session_user, current_user")
        assert cursor.fetchone() == ("kinward_app", "kinward_app")
        cursor.execute("SELECT count(*) FROM pg_class WHERE relowner = 'kinward_app'::regrole")
        assert cursor.fetchone() == (0,)
    with pytest.raises(DatabaseError):
        connection.cursor().execute("SET ROLE kinward_owner")


def test_fresh_installation_serves_a_process(fresh_installation) -> None:
    place = fresh_installation()
    script = (
        "import django; django.setup(); from kinward_web.accounts.models import Agency; "
        "Agency.objects.create(code='a', name='A', kind='police')"
    )
    command = [sys.executable, "-W", "ignore", "-c", script]
    subprocess.run(command, env=place.environment, check=True, timeout=120)
    with place.connect() as raw:
        assert raw.execute("SELECT code FROM accounts_agency").fetchall() == [("a",)]
    other = fresh_installation("other")
    with other.connect() as raw:
        assert raw.execute("SELECT code FROM accounts_agency").fetchall() == []
