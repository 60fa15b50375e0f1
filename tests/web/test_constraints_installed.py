"""The constraints are in force after every migration, and the application cannot put them aside."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
import threading
from io import StringIO

import pytest
from custody_world import NOW, World
from django.core.management import CommandError, call_command
from django.db import DatabaseError, IntegrityError, connection, transaction

from kinward_web.casework import constraints
from kinward_web.casework.checks import constraints_in_force
from kinward_web.casework.models import Placement, TransitionRecord
from kinward_web.registry.models import Involvement

ON_POSTGRES = os.environ.get("KINWARD_TEST_DATABASE") == "postgres"
on_postgres = pytest.mark.skipif(not ON_POSTGRES, reason="SQLite has no roles")
on_sqlite = pytest.mark.skipif(ON_POSTGRES, reason="of SQLite alone")
FROZEN = (
    "casework_transitionrecord",
    "casework_signature",
    "casework_clearance",
    "audit_auditevent",
)


def manage(place, *arguments: str, owner: bool = True) -> subprocess.CompletedProcess[str]:
    environment = place.owner_environment if owner else place.environment
    command = [sys.executable, "-W", "ignore", "-m", "django", *arguments]
    return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=300)


# ------------------------------------------------------------------------------ installation


def drop_one(place) -> None:
    with place.connect(admin=True) as raw:
        raw.execute(
            "DROP TRIGGER kinward_case_begins_new" + (" ON casework_case" if ON_POSTGRES else "")
        )


def test_missing_trigger_is_noticed_and_mended(fresh_installation) -> None:
    place = fresh_installation()
    assert manage(place, "install_constraints", "--check").returncode == 0
    drop_one(place)
    found = manage(place, "install_constraints", "--check")
    assert found.returncode == 1
    assert "kinward_case_begins_new" in found.stderr
    warned = manage(place, "check", "--database", "default")
    assert "kinward_case_begins_new" in warned.stderr
    assert "install_constraints" in warned.stderr
    assert manage(place, "migrate").returncode == 0
    assert manage(place, "install_constraints", "--check").returncode == 0


def test_migration_of_guarded_tables_works_and_leaves_the_constraints(fresh_installation) -> None:
    """Backwards and forwards: a migration alters tables that views and triggers look at."""
    place = fresh_installation()
    back = manage(place, "migrate", "public", "zero")
    assert back.returncode == 0, back.stderr
    assert manage(place, "install_constraints", "--check").returncode == 1
    forth = manage(place, "migrate")
    assert forth.returncode == 0, forth.stderr
    assert manage(place, "install_constraints", "--check").returncode == 0


@on_postgres
def test_migration_keeps_the_rights_of_the_application(fresh_installation) -> None:
    place = fresh_installation()
    assert manage(place, "migrate", "public", "zero").returncode == 0
    assert manage(place, "migrate").returncode == 0
    with place.connect() as raw:
        raw.execute("SELECT count(*) FROM custody_denial")
        raw.execute("SELECT count(*) FROM public_publication")


@on_sqlite
@pytest.mark.django_db
def test_altered_trigger_is_noticed() -> None:
    with connection.cursor() as cursor:
        cursor.execute("DROP TRIGGER kinward_case_begins_new")
        cursor.execute(
            "CREATE TRIGGER kinward_case_begins_new BEFORE INSERT ON casework_case "
            "FOR EACH ROW BEGIN SELECT 1; END"
        )
    assert constraints.faults() == ["kinward_case_begins_new"]
    (warning,) = constraints_in_force(databases=["default"])
    assert "kinward_case_begins_new" in warning.msg
    constraints.install()
    assert constraints.faults() == []


@on_postgres
@pytest.mark.django_db(transaction=True)
def test_disabled_and_altered_triggers_are_noticed(harness) -> None:
    with harness.only("kinward_case_begins_new"):
        found = constraints.faults()
        assert "kinward_case_kept" in found
        assert "kinward_case_begins_new" not in found
    body = "CREATE OR REPLACE FUNCTION kinward_case_kept() RETURNS trigger LANGUAGE plpgsql AS "
    harness.run_as_owner([(body + "'BEGIN RETURN OLD; END'", ())])
    try:
        assert constraints.faults() == ["kinward_case_kept"]
    finally:
        statement = dict(constraints.statements("postgresql"))["kinward_case_kept"]
        function = statement.split("; CREATE TRIGGER")[0]
        harness.run_as_owner(
            [(function.replace("CREATE FUNCTION", "CREATE OR REPLACE FUNCTION"), ())]
        )
    assert constraints.faults() == []


@pytest.mark.django_db
def test_a_changed_table_of_rules_is_noticed(monkeypatch) -> None:
    from dataclasses import replace

    from kinward_web.rules import MACHINES
    from kinward_web.rules.roles import Role

    case = MACHINES["case"]
    rules = tuple(
        replace(rule, roles=rule.roles | {Role.VOLUNTEER}) if rule.name == "rescue" else rule
        for rule in case.rules
    )
    monkeypatch.setitem(MACHINES, "case", replace(case, rules=rules))
    assert "kinward_constraints" in constraints.faults()


@pytest.mark.django_db
def test_printing_changes_nothing() -> None:
    out = StringIO()
    arguments = {"role": "kinward_app"} if ON_POSTGRES else {}
    call_command("install_constraints", show=True, stdout=out, **arguments)
    text = out.getvalue()
    assert "CREATE VIEW custody_denial" in text
    if ON_POSTGRES:
        assert "GRANT SELECT ON ALL TABLES IN SCHEMA public TO kinward_app;" in text


@pytest.mark.django_db
@pytest.mark.parametrize("role", ["x; DROP TABLE casework_case", "Kinward", "", "a-b", 'a"b'])
def test_names_of_roles_are_not_sql(role) -> None:
    with pytest.raises(ValueError, match="not the name of a role"):
        constraints.grants(role)


@on_sqlite
@pytest.mark.django_db
def test_sqlite_has_no_roles_to_grant_to() -> None:
    with pytest.raises(CommandError, match="SQLite has no roles"):
        call_command("install_constraints", role="kinward_app")


# ------------------------------------------------------------------------------ the application

ASIDE = [
    "ALTER TABLE casework_case DISABLE TRIGGER USER",
    "ALTER TABLE casework_placement DISABLE TRIGGER kinward_placement_moves_by_transition",
    "DROP TRIGGER kinward_case_begins_new ON casework_case",
    "DROP FUNCTION kinward_case_begins_new() CASCADE",
    "CREATE OR REPLACE FUNCTION kinward_case_begins_new() RETURNS trigger LANGUAGE plpgsql "
    "AS 'BEGIN RETURN NEW; END'",
    "DROP VIEW custody_denial CASCADE",
    "CREATE OR REPLACE VIEW rule_role AS SELECT 1",
    "SET session_replication_role = replica",
    "SET ROLE kinward_owner",
    "SET SESSION AUTHORIZATION postgres",
    "GRANT kinward_owner TO kinward_app",
    "ALTER TABLE casework_case OWNER TO kinward_app",
    "DROP TABLE audit_auditevent",
    "ALTER TABLE audit_auditevent ADD COLUMN x int",
    "CREATE TABLE public.registry_involvement2 (id int)",
    "CREATE FUNCTION public.now() RETURNS int LANGUAGE sql AS 'SELECT 1'",
    *(f"TRUNCATE {table} CASCADE" for table in (*FROZEN, "casework_case", "registry_link")),
    *(f"DELETE FROM {table}" for table in (*FROZEN, "casework_case", "casework_placement")),
    *(f"DELETE FROM {table}" for table in ("registry_link", "registry_involvement")),
    "UPDATE casework_transitionrecord SET rule = 'x'",
    "UPDATE audit_auditevent SET hash = 'x'",
    "UPDATE casework_signature SET signer_id = 1",
    "UPDATE casework_clearance SET clear = true",
]


@on_postgres
@pytest.mark.django_db
@pytest.mark.parametrize("statement", ASIDE)
def test_the_application_cannot_put_the_rules_aside(statement) -> None:
    with (
        pytest.raises(DatabaseError, match=r"permission denied|must be owner|must be able to"),
        transaction.atomic(),
    ):
        connection.cursor().execute(statement)


@on_postgres
@pytest.mark.django_db(transaction=True)
def test_truncate_is_refused_even_to_the_owner(harness) -> None:
    for table in (*FROZEN, "casework_case", "casework_placement", "registry_link"):
        with pytest.raises(IntegrityError, match="never emptied"):
            harness.run_as_owner([(f"TRUNCATE {table} CASCADE", ())])


@pytest.mark.django_db
def test_temporary_table_does_not_stand_before_the_real_one() -> None:
    """The buyer's accusation hidden behind an empty table of the same name."""
    world = World()
    buyer = world.person()
    placement = world.placement(
        world.case("rescue", "register", "clear_medically"), household=world.household(buyer)
    )
    world.step(placement, "placement", "propose")
    world.involve(buyer, "buyer")
    columns = "id bigint, person_id bigint, part text, standing text"
    with connection.cursor() as cursor:
        cursor.execute(f"CREATE TEMPORARY TABLE registry_involvement ({columns})")
    try:
        assert not Involvement.objects.filter(person=buyer).exists()
        with pytest.raises(IntegrityError, match="suspect, buyer or broker"), transaction.atomic():
            world.step(placement, "placement", "clear")
    finally:
        with connection.cursor() as cursor:
            temporary = "pg_temp" if ON_POSTGRES else "temp"
            cursor.execute(f"DROP TABLE {temporary}.registry_involvement")


def test_key_rotation_may_still_write_encrypted_columns(db) -> None:
    """A new key must reach every row; nothing else of a frozen row may change with it."""
    world = World()
    world.case("rescue")
    row = TransitionRecord.objects.latest("pk")
    statement = "UPDATE casework_transitionrecord SET evidence = evidence WHERE id = %s"
    with connection.cursor() as cursor:
        cursor.execute(statement, [row.pk])
        assert cursor.rowcount == 1
    with pytest.raises(DatabaseError), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(statement.replace("WHERE", ", rule = 'x' WHERE"), [row.pk])


# ------------------------------------------------------------------------------ at once


def at_once(*acts) -> list[Exception | None]:
    """Run acts in threads that start together, each on its own connection."""
    ready = threading.Barrier(len(acts))
    results: list[Exception | None] = [None] * len(acts)

    def run(number: int) -> None:
        try:
            ready.wait()
            with transaction.atomic():
                acts[number]()
        except (DatabaseError, sqlite3.Error) as error:
            results[number] = error
        finally:
            connection.close()

    threads = [threading.Thread(target=run, args=(number,)) for number in range(len(acts))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    return results


@pytest.mark.django_db(transaction=True)
def test_two_children_do_not_get_the_last_bed() -> None:
    world = World()
    home = world.home(beds=1)
    placements = []
    for _child in range(4):
        placements.append(world.placement(home=home))
        world.step(placements[-1], "placement", "propose")

    def receive(placement):
        return lambda: world.step(placement, "placement", "receive_at_night")

    results = at_once(*(receive(placement) for placement in placements))
    assert sum(result is None for result in results) == 1
    assert Placement.objects.filter(state="placed").count() == 1
    assert all("every bed" in str(result) for result in results if result is not None)


@on_postgres
@pytest.mark.django_db(transaction=True)
def test_link_entered_while_a_child_is_being_placed_is_seen(harness) -> None:
    """The link is entered but not yet committed when the placement is decided."""
    import psycopg

    world = World()
    mother, buyer = world.person(), world.person("buyer")
    placement = world.placement(
        world.case("rescue", "register", "clear_medically"), household=world.household(mother)
    )
    world.step(placement, "placement", "propose")
    entering = psycopg.connect(harness.application_url)
    entering.execute(
        "INSERT INTO registry_link (first_id, second_id, kind, source, retraction, "
        "entered_by_id, entered_at) VALUES (%s, %s, 'kin', '', '', %s, %s)",
        (mother.pk, buyer.pk, world.police.pk, NOW),
    )
    results: list[Exception | None] = []
    clearing = threading.Thread(
        target=lambda: results.extend(at_once(lambda: world.step(placement, "placement", "clear")))
    )
    clearing.start()
    clearing.join(1.0)
    waits = clearing.is_alive()
    entering.commit()
    entering.close()
    clearing.join(30)
    assert waits
    assert "linked within two steps" in str(results[0])
