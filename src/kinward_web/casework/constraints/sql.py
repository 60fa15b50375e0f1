"""The frame that each database puts round a check, and the whole as statements."""

from __future__ import annotations

import hashlib

from kinward_web.casework.constraints import custody
from kinward_web.casework.constraints.agencies import agency_checks
from kinward_web.casework.constraints.base import (
    DIGEST_VIEW,
    FROZEN,
    KEPT,
    PREFIX,
    Check,
    View,
    quoted,
    table_of,
)
from kinward_web.casework.constraints.guards import (
    FACTS_LOCK,
    clearance_checks,
    guard_checks,
    link_clearance_checks,
)
from kinward_web.casework.constraints.permanence import (
    audit_checks,
    permanence_checks,
    replacement_checks,
)
from kinward_web.casework.constraints.steps import (
    record_checks,
    rule_views,
    signature_checks,
    state_checks,
)

__all__ = ["checks", "digest", "statements", "views"]


def views() -> list[View]:
    """Return the views: the tables of rules, and what custody is computed from."""
    return [
        *rule_views(),
        View("custody_edge", ("low", "high", "kind", "via"), custody.edges()),
        View("custody_denial", ("placement_id", "code"), custody.denials()),
    ]


def checks(vendor: str) -> list[Check]:
    """Return every check, in the order of their names.

    :param vendor: `sqlite` or `postgresql`; SQLite also needs to refuse REPLACE, which deletes
        rows past every trigger on deletion.
    """
    found = [
        *state_checks(),
        *record_checks(),
        *signature_checks(),
        *guard_checks(),
        *clearance_checks(),
        *link_clearance_checks(),
        *agency_checks(),
        *audit_checks(),
        *permanence_checks(),
    ]
    if vendor == "sqlite":
        found += replacement_checks()
    return sorted(found, key=lambda check: check.name)


def statements(vendor: str) -> list[tuple[str, str]]:
    """Return (name, statement) for each object, in an order in which they can be made."""
    made = [
        (view.name, f"CREATE VIEW {view.name} ({', '.join(view.columns)}) AS {view.query}")
        for view in views()
    ]
    render = sqlite_trigger if vendor == "sqlite" else postgres_trigger
    for check in checks(vendor):
        made.append((f"{PREFIX}{check.name}", render(check)))
    if vendor == "postgresql":
        made += postgres_extras()
    text = "\n".join(statement for _name, statement in made)
    mark = hashlib.sha256(text.encode()).hexdigest()
    made.append((DIGEST_VIEW, f"CREATE VIEW {DIGEST_VIEW} (digest) AS SELECT '{mark}'"))
    return made


def digest(vendor: str) -> str:
    """Return the digest that the view `kinward_constraints` holds when all of this is in force."""
    return statements(vendor)[-1][1][-65:-1]


def sqlite_trigger(check: Check) -> str:
    return (
        f"CREATE TRIGGER {PREFIX}{check.name} BEFORE {check.event} ON {check.table} "
        f"FOR EACH ROW BEGIN SELECT RAISE(ABORT, {quoted('Kinward: ' + check.message)}) "
        f"WHERE {check.refused}; END"
    )


def postgres_trigger(check: Check) -> str:
    # The search path ends with pg_temp: a temporary table must not stand before a real one.
    name = f"{PREFIX}{check.name}"
    row = "OLD" if check.event == "DELETE" else "NEW"
    return (
        f"CREATE FUNCTION {name}() RETURNS trigger LANGUAGE plpgsql "
        f"SET search_path = public, pg_temp AS $kinward$ BEGIN {check.lock} "
        f"IF {check.refused} THEN RAISE EXCEPTION {quoted('Kinward: ' + check.message)} "
        f"USING ERRCODE = 'integrity_constraint_violation'; END IF; RETURN {row}; END $kinward$; "
        f"CREATE TRIGGER {name} BEFORE {check.event} ON {check.table} "
        f"FOR EACH ROW EXECUTE FUNCTION {name}()"
    )


def postgres_extras() -> list[tuple[str, str]]:
    """TRUNCATE passes row triggers by; facts entered meanwhile must not pass a placement by."""
    emptied = f"{PREFIX}not_emptied"
    facts = f"{PREFIX}facts_wait"
    head = "RETURNS trigger LANGUAGE plpgsql SET search_path = public, pg_temp AS $kinward$ BEGIN"
    text = (
        f"CREATE FUNCTION {emptied}() {head} RAISE EXCEPTION 'Kinward: this table is never "
        "emptied' USING ERRCODE = 'integrity_constraint_violation'; END $kinward$"
    )
    labels = ("casework.Case", "casework.Placement", "public.Publication", *FROZEN, *KEPT)
    for label in labels:
        text += (
            f"; CREATE TRIGGER {emptied} BEFORE TRUNCATE ON {table_of(label)} "
            f"FOR EACH STATEMENT EXECUTE FUNCTION {emptied}()"
        )
    wait = f"CREATE FUNCTION {facts}() {head} {FACTS_LOCK} RETURN NULL; END $kinward$"
    for label in (
        "casework.LinkClearance",
        "casework.PlacementPerson",
        "registry.HouseholdMember",
        "registry.Identifier",
        "registry.IdentifierUse",
        "registry.Involvement",
        "registry.Link",
        "registry.Person",
    ):
        wait += (
            f"; CREATE TRIGGER {facts} BEFORE INSERT OR UPDATE OR DELETE ON {table_of(label)} "
            f"FOR EACH STATEMENT EXECUTE FUNCTION {facts}()"
        )
    return [(emptied, text), (facts, wait)]
