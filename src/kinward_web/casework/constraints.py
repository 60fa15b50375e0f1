"""The rules of casework as triggers and views of the database, made from the tables in `rules`.

They refuse what goes round the engine: a state set by hand, a forged or altered record, a child
given to someone whom custody bars. `migrate` drops them before it changes tables and makes them
anew from the tables of rules, so that a changed rule is in force at once. Both databases get the
same conditions; only the frame round a condition differs.

Times are compared with the moment that the transition itself records, not with the clock of the
database server.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from typing import Any

from django.apps import apps
from django.db import connections, transaction
from django.db.models import Model, UniqueConstraint
from django.db.models.sql import Query

from kinward_web.casework import custody_sql
from kinward_web.fields import EncryptedTextField
from kinward_web.rules import MACHINES
from kinward_web.rules.custody import Bar
from kinward_web.rules.roles import PERMISSIONS, ROLES, AgencyKind, Role
from kinward_web.rules.table import NEW, RESUME

__all__ = [
    "Check",
    "View",
    "checks",
    "digest",
    "drop",
    "faults",
    "grants",
    "install",
    "statements",
    "tables_needed",
    "views",
]

_PREFIX = "kinward_"
_DIGEST_VIEW = "kinward_constraints"
_RECORD = "casework_transitionrecord"
_TABLES = {
    "case": "casework_case",
    "placement": "casework_placement",
    "publication": "public_publication",
}
_FROZEN = (
    "casework.TransitionRecord",
    "casework.Signature",
    "casework.Clearance",
    "audit.AuditEvent",
)
"""Only ever added; an encrypted column alone may be written anew, for a new key."""
_KEPT = (
    "audit.ReadEvent",
    "casework.LinkClearance",
    "casework.Proposal",
    "registry.HouseholdMember",
    "registry.IdentifierUse",
    "registry.Involvement",
    "registry.Link",
)
"""Never deleted; what they say is withdrawn or retracted with a reason."""
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
    "audit.ReadEvent": ("id", "at", "actor_id", "purpose", "act", "subject"),
}
"""Columns that keep their first value; whoever needs another makes another row."""


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


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


def _list(values: Any) -> str:
    return "(" + ", ".join(_quoted(str(value)) for value in sorted(values)) + ")"


def _model(label: str) -> type[Model]:
    return apps.get_model(label)


def _table(label: str) -> str:
    return str(_model(label)._meta.db_table)


# ------------------------------------------------------------------------------ views


def views() -> list[View]:
    """Return the views: the tables of rules, and what custody is computed from."""
    steps, roles = [], []
    for machine in MACHINES.values():
        for rule, source, target in machine.steps():
            back = int(rule.target == RESUME)
            texts = ", ".join(map(_quoted, (machine.key, rule.name, source, target)))
            steps.append(f"({texts}, {back}, {rule.signatures})")
            for place, allowed in enumerate((rule.roles, *rule.cosigners)):
                for role in sorted(allowed):
                    texts = ", ".join(map(_quoted, (machine.key, rule.name, source)))
                    roles.append(f"({texts}, {place}, {_quoted(role)})")
    return [
        View(
            "rule_step",
            ("machine", "rule", "source", "target", "resumes", "signatures"),
            "VALUES " + ", ".join(dict.fromkeys(steps)),
        ),
        View(
            "rule_role",
            ("machine", "rule", "source", "place", "role"),
            "VALUES " + ", ".join(dict.fromkeys(roles)),
        ),
        View("custody_edge", ("low", "high", "kind", "via"), custody_sql.edges()),
        View("custody_denial", ("placement_id", "code"), custody_sql.denials()),
    ]


# ------------------------------------------------------------------------------ checks


def checks(vendor: str) -> list[Check]:
    """Return every check, in the order of their names.

    :param vendor: `sqlite` or `postgresql`; SQLite also needs to refuse REPLACE, which deletes
        rows past every trigger on deletion.
    """
    found = [
        *_state_checks(),
        *_record_checks(),
        *_signature_checks(),
        *_guard_checks(),
        *_clearance_checks(),
        *_link_clearance_checks(),
        *_audit_checks(),
        *_permanence_checks(),
    ]
    if vendor == "sqlite":
        found += _replacement_checks()
    return sorted(found, key=lambda check: check.name)


def _state_checks() -> Iterator[Check]:
    """The state of a record moves only along a transition on record."""
    for key, table in _TABLES.items():
        yield Check(
            f"{key}_begins_new",
            table,
            "INSERT",
            f"NEW.state <> {_quoted(NEW)} OR NEW.version <> 0",
            f"a {key} begins in state new with version 0; make its first transition",
        )
        yield Check(
            f"{key}_moves_by_transition",
            table,
            "UPDATE OF state, version",
            "(NEW.state <> OLD.state OR NEW.version <> OLD.version) AND NOT EXISTS ("
            f"SELECT 1 FROM {_RECORD} r WHERE r.machine = {_quoted(key)} "
            "AND r.subject_id = OLD.id AND r.number = NEW.version "
            "AND NEW.version = OLD.version + 1 "
            "AND r.source = OLD.state AND r.target = NEW.state)",
            f"the state of a {key} changes only by a transition on record",
        )
        yield Check(
            f"{key}_kept",
            table,
            "DELETE",
            f"OLD.version <> 0 OR OLD.state <> {_quoted(NEW)}",
            f"a {key} with a history is never deleted",
        )
    yield Check(
        "case_resume_kept",
        _TABLES["case"],
        "UPDATE OF resume_state",
        "NEW.resume_state <> OLD.resume_state AND NEW.version = OLD.version",
        "where a held case goes on changes only with its state",
    )
    yield Check(
        "placement_capacity_kept",
        _TABLES["placement"],
        "UPDATE OF over_capacity",
        "NEW.over_capacity <> OLD.over_capacity AND NEW.version = OLD.version",
        "whether a child was received over capacity is decided when it is received",
    )


def _record_checks() -> Iterator[Check]:
    """A transition on record follows the table of rules and is made by whom it allows."""
    yield Check(
        "transition_in_table",
        _RECORD,
        "INSERT",
        "NOT EXISTS (SELECT 1 FROM rule_step s WHERE s.machine = NEW.machine "
        "AND s.rule = NEW.rule AND s.source = NEW.source AND s.target = NEW.target)",
        "the table of rules has no such transition",
    )
    current = " OR ".join(
        f"(NEW.machine = {_quoted(key)} AND EXISTS (SELECT 1 FROM {table} t "
        "WHERE t.id = NEW.subject_id AND t.state = NEW.source AND t.version + 1 = NEW.number))"
        for key, table in _TABLES.items()
    )
    yield Check(
        "transition_from_current",
        _RECORD,
        "INSERT",
        f"NOT ({current})",
        "a transition starts from the present state and counts on from the present version",
    )
    yield Check(
        "transition_resumes_where_left",
        _RECORD,
        "INSERT",
        "EXISTS (SELECT 1 FROM rule_step s WHERE s.machine = NEW.machine AND s.rule = NEW.rule "
        "AND s.source = NEW.source AND s.resumes = 1) AND NOT EXISTS ("
        f"SELECT 1 FROM {_TABLES['case']} c JOIN {_RECORD} r ON r.machine = NEW.machine "
        "AND r.subject_id = NEW.subject_id AND r.target = NEW.target "
        "WHERE NEW.machine = 'case' AND c.id = NEW.subject_id AND c.resume_state = NEW.target)",
        "a held, transferred or closed case goes on where it stood",
    )
    yield Check(
        "transition_by_role",
        _RECORD,
        "INSERT",
        "NOT EXISTS (SELECT 1 FROM rule_role a WHERE a.machine = NEW.machine "
        "AND a.rule = NEW.rule AND a.source = NEW.source AND a.place = 0 AND a.role = NEW.role)",
        "this role does not make this transition",
    )
    system = _quoted(Role.SYSTEM)
    yield Check(
        "transition_by_login",
        _RECORD,
        "INSERT",
        f"NOT ((NEW.actor_id IS NULL AND NEW.role = {system} AND NEW.agency_id IS NULL) "
        "OR EXISTS (SELECT 1 FROM accounts_user u WHERE u.id = NEW.actor_id AND u.is_active "
        "AND u.role = NEW.role AND u.agency_id = NEW.agency_id))",
        "a transition is made by an active login in its own role and agency",
    )
    yield from _signed_checks()


def _signed_checks() -> Iterator[Check]:
    """What several must sign needs a proposal that enough of them have signed."""
    counts = {rule.signatures for m in MACHINES.values() for rule in m.rules if rule.cosigners}
    for count in sorted(counts):
        places = range(count)
        tables = ", ".join(f"casework_signature s{i}, rule_role a{i}" for i in places)
        terms = [
            f"s{i}.proposal_id = p.id AND s{i}.digest = p.digest AND a{i}.machine = NEW.machine "
            f"AND a{i}.rule = NEW.rule AND a{i}.source = NEW.source AND a{i}.place = {i} "
            f"AND a{i}.role = s{i}.role"
            for i in places
        ]
        terms += [
            f"s{i}.signer_id <> s{j}.signer_id AND s{i}.agency_id <> s{j}.agency_id"
            for i in places
            for j in range(i + 1, count)
        ]
        yield Check(
            f"transition_signed_by_{count}",
            _RECORD,
            "INSERT",
            "EXISTS (SELECT 1 FROM rule_step s WHERE s.machine = NEW.machine "
            "AND s.rule = NEW.rule AND s.source = NEW.source "
            f"AND s.signatures = {count}) AND NOT EXISTS ("
            f"SELECT 1 FROM casework_proposal p, {tables} WHERE p.id = NEW.proposal_id "
            "AND p.machine = NEW.machine AND p.subject_id = NEW.subject_id "
            "AND p.rule = NEW.rule AND p.subject_version + 1 = NEW.number "
            "AND p.digest = NEW.evidence_digest AND p.expires_at > NEW.made_at "
            "AND p.outcome IN ('', 'done') AND s0.signer_id = NEW.actor_id "
            f"AND {' AND '.join(terms)})",
            f"this transition needs {count} people of {count} agencies who signed the same",
        )


def _signature_checks() -> Iterator[Check]:
    table = "casework_signature"
    yield Check(
        "signature_by_login",
        table,
        "INSERT",
        "NOT EXISTS (SELECT 1 FROM accounts_user u WHERE u.id = NEW.signer_id AND u.is_active "
        "AND u.role = NEW.role AND u.agency_id = NEW.agency_id)",
        "a signature is given by an active login in its own role and agency",
    )
    yield Check(
        "signature_of_proposal",
        table,
        "INSERT",
        "NOT EXISTS (SELECT 1 FROM casework_proposal p JOIN rule_role a "
        "ON a.machine = p.machine AND a.rule = p.rule AND a.role = NEW.role "
        "WHERE p.id = NEW.proposal_id AND p.digest = NEW.digest AND p.closed_at IS NULL)",
        "a signature stands under an open proposal, the same digest, by a role that signs it",
    )


# ------------------------------------------------------------------------------ guards

_CUSTODY_LOCK = "PERFORM pg_advisory_xact_lock(1262113620);"
_FACTS_LOCK = "PERFORM pg_advisory_xact_lock_shared(1262113620);"
"""Placing takes the lock alone, entering facts share it: a link entered meanwhile is either seen
by the placement or finds the placement there."""
_MESSAGES = {
    Bar.INVOLVED: "custody: a suspect, buyer or broker is in the household, escorts or pays",
    Bar.LINKED: "custody: someone screened is linked within two steps to a suspect, buyer or "
    "broker, and the link is not cleared",
    Bar.UNVERIFIED: "custody: the identity of someone screened is not verified",
    Bar.EMPTY: "custody: no adult is known to live in the household",
}
_SCREENED = (
    "({p}.household_id IS NOT NULL OR EXISTS "
    "(SELECT 1 FROM casework_placementperson q WHERE q.placement_id = {p}.id))"
)
_FRESH = (
    "EXISTS (SELECT 1 FROM casework_clearance c WHERE c.placement_id = {p}.id AND c.clear "
    f"AND c.expires_at > (SELECT r.made_at FROM {_RECORD} r WHERE r.machine = {{machine}} "
    "AND r.subject_id = NEW.id AND r.number = NEW.version) "
    "AND NOT EXISTS (SELECT 1 FROM casework_clearance d WHERE d.placement_id = {p}.id "
    "AND (d.screened_at > c.screened_at OR (d.screened_at = c.screened_at AND d.id > c.id))))"
)
_TAKEN = (
    "(SELECT count(*) FROM casework_placement o WHERE o.home_id = NEW.home_id "
    "AND o.state = 'placed' AND NOT o.over_capacity AND o.id <> NEW.id) "
    ">= (SELECT h.beds FROM casework_carehome h WHERE h.id = NEW.home_id)"
)
_LOCK_HOME = "PERFORM 1 FROM casework_carehome WHERE id = NEW.home_id FOR UPDATE;"
_RETURN = "p.case_id = NEW.id AND p.purpose = 'return' AND p.household_id IS NOT NULL"


def _case_state_is_not(state: str) -> str:
    return (
        "NEW.purpose = 'return' AND NOT EXISTS (SELECT 1 FROM casework_case k "
        f"WHERE k.id = NEW.case_id AND k.state = {_quoted(state)})"
    )


def _denied(scope: str, code: Bar) -> str:
    return (
        "EXISTS (SELECT 1 FROM custody_denial d WHERE d.placement_id = NEW.id "
        f"AND d.code = {_quoted(code)})"
        if not scope
        else f"EXISTS (SELECT 1 FROM casework_placement p, custody_denial d WHERE {scope} "
        f"AND d.placement_id = p.id AND d.code = {_quoted(code)})"
    )


@cache
def _guards() -> dict[tuple[str, str], tuple[tuple[str, str, str, str], ...]]:
    """Return what a guard refuses, by machine and guard: (suffix, SQL, message, lock)."""

    def custody(scope: str) -> tuple[tuple[str, str, str, str], ...]:
        return tuple(
            (f"_{code}", _denied(scope, code), _MESSAGES[code], _CUSTODY_LOCK) for code in Bar
        )

    def one(refused: str, message: str, lock: str = "") -> tuple[tuple[str, str, str, str], ...]:
        return (("", refused, message, lock),)

    fresh = _FRESH.format(p="NEW", machine="'placement'")
    return_fresh = _FRESH.format(p="p", machine="'case'")
    return {
        ("placement", "custody_clear"): custody(""),
        ("placement", "clearance_fresh"): one(
            f"{_SCREENED.format(p='NEW')} AND NOT {fresh}",
            "custody: the last screening of this place did not clear it, or has run out",
        ),
        ("placement", "institution_accredited"): one(
            "NEW.home_id IS NOT NULL AND NOT EXISTS (SELECT 1 FROM casework_carehome h "
            "JOIN accounts_agency g ON g.id = h.agency_id JOIN accounts_user u "
            "ON u.id = g.named_officer_id WHERE h.id = NEW.home_id AND h.open AND g.accredited "
            "AND u.is_active)",
            "this place is closed, not accredited, or no named officer answers for it",
        ),
        ("placement", "bed_free"): one(
            f"NEW.home_id IS NOT NULL AND {_TAKEN}", "every bed of this place is taken", _LOCK_HOME
        ),
        ("placement", "bed_free_or_reason"): one(
            f"NEW.home_id IS NOT NULL AND NOT NEW.over_capacity AND {_TAKEN}",
            "every bed of this place is taken, and the child is not marked as over capacity",
            _LOCK_HOME,
        ),
        ("placement", "is_institution"): one(
            "NEW.home_id IS NULL", "private people cannot receive a child without screening"
        ),
        ("placement", "return_family_found"): one(
            _case_state_is_not("family_found"),
            "a child returns to a family only when the family has been found and confirmed",
        ),
        ("placement", "return_signed"): one(
            _case_state_is_not("reunited"),
            "a child returns to its family only by the hand-over that two agencies sign",
        ),
        ("case", "return_cleared"): one(
            f"NOT EXISTS (SELECT 1 FROM casework_placement p WHERE {_RETURN} "
            f"AND p.state = 'cleared' AND {return_fresh})",
            "a child is reunited only with a household that is cleared for its return",
        ),
        ("case", "custody_clear"): custody(f"{_RETURN} AND p.state = 'cleared'"),
        ("case", "no_barring_placement"): custody("p.case_id = NEW.id AND p.state = 'placed'"),
    }


def _guard_checks() -> Iterator[Check]:
    """Guards that the database can judge, at the steps for which the table names them."""
    for key, machine in MACHINES.items():
        for guard in dict.fromkeys(name for rule in machine.rules for name in rule.guards):
            names = {rule.name for rule in machine.rules if guard in rule.guards}
            for suffix, refused, message, lock in _guards().get((key, guard), ()):
                yield Check(
                    f"{key}_guard_{guard}{suffix}",
                    _TABLES[key],
                    "UPDATE OF state, version",
                    f"NEW.version <> OLD.version AND EXISTS (SELECT 1 FROM {_RECORD} r "
                    f"WHERE r.machine = {_quoted(key)} AND r.subject_id = OLD.id "
                    f"AND r.number = NEW.version AND r.rule IN {_list(names)}) AND ({refused})",
                    message,
                    lock,
                )


def _clearance_checks() -> Iterator[Check]:
    yield Check(
        "clearance_as_computed",
        "casework_clearance",
        "INSERT",
        "NEW.clear AND EXISTS "
        "(SELECT 1 FROM custody_denial d WHERE d.placement_id = NEW.placement_id)",
        "custody: a place that custody bars is not recorded as clear",
    )
    yield Check(
        "clearance_has_an_end",
        "casework_clearance",
        "INSERT",
        "NEW.expires_at <= NEW.screened_at",
        "a clearance ends after the screening",
    )


def _link_clearance_checks() -> Iterator[Check]:
    table = "casework_linkclearance"
    yield Check(
        "link_clearance_names_a_link",
        table,
        "INSERT",
        "NOT EXISTS (SELECT 1 FROM custody_edge e WHERE e.low = NEW.low_id "
        "AND e.high = NEW.high_id AND e.via = NEW.via)",
        "a clearance names a link that is on record",
    )
    allowed = PERMISSIONS["custody.clear_link"].reach
    for kind in (AgencyKind.POLICE, AgencyKind.WELFARE):
        roles = {role for role in allowed if kind in ROLES[role].agencies}
        signer = f"{kind.value}_signer_id"
        lawful = (
            f"NEW.{signer} IS NOT NULL AND NOT EXISTS (SELECT 1 FROM accounts_user u "
            f"JOIN accounts_agency g ON g.id = u.agency_id WHERE u.id = NEW.{signer} "
            f"AND u.is_active AND u.role IN {_list(roles)} AND g.kind = {_quoted(kind)})"
        )
        message = (
            f"the {kind.value} signature of a clearance is given by someone of the {kind.value}"
        )
        yield Check(f"link_clearance_{kind.value}_entered", table, "INSERT", lawful, message)
        changed = f"COALESCE(NEW.{signer}, 0) <> COALESCE(OLD.{signer}, 0)"
        yield Check(
            f"link_clearance_{kind.value}_signed",
            table,
            f"UPDATE OF {signer}",
            f"{changed} AND {lawful}",
            message,
        )
        yield Check(
            f"link_clearance_{kind.value}_stands",
            table,
            f"UPDATE OF {signer}",
            f"{changed} AND OLD.{signer} IS NOT NULL",
            "a signature is not taken back or replaced; withdraw the clearance",
        )
    yield Check(
        "link_clearance_withdrawn_stays",
        table,
        "UPDATE",
        "OLD.withdrawn_at IS NOT NULL AND (NEW.withdrawn_at IS NULL "
        "OR NEW.withdrawn_at <> OLD.withdrawn_at "
        "OR COALESCE(NEW.police_signer_id, 0) <> COALESCE(OLD.police_signer_id, 0) "
        "OR COALESCE(NEW.welfare_signer_id, 0) <> COALESCE(OLD.welfare_signer_id, 0))",
        "a clearance that was withdrawn stays withdrawn; propose a new one",
    )


def _audit_checks() -> Iterator[Check]:
    table = _table("audit.AuditEvent")
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
        _table("audit.ReadEvent"),
        "UPDATE OF seal_id",
        "OLD.seal_id IS NOT NULL AND COALESCE(NEW.seal_id, 0) <> OLD.seal_id",
        "a read is sealed once",
    )


def _permanence_checks() -> Iterator[Check]:
    """What is never deleted, and what never changes."""
    for label in _FROZEN:
        model = _model(label)
        fixed = [
            field.column
            for field in model._meta.local_concrete_fields
            if not isinstance(field, EncryptedTextField)
        ]
        yield from _fixed(label, fixed, "is only ever added")
    for label, columns in _FIXED.items():
        yield from _fixed(label, list(columns), "keeps what it was entered for")
    for label in (*_FROZEN, *_KEPT):
        name = _model(label)._meta.model_name
        yield Check(
            f"{name}_kept",
            _table(label),
            "DELETE",
            "1 = 1",
            f"a row of {name} is never deleted; withdraw, retract or correct it with a reason",
        )


def _fixed(label: str, columns: list[str], message: str) -> Iterator[Check]:
    model = _model(label)
    name = model._meta.model_name
    terms = []
    for field in model._meta.local_concrete_fields:
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
        model._meta.db_table,
        "UPDATE",
        " OR ".join(terms),
        f"a row of {name} {message}; add another",
    )


def _replacement_checks() -> Iterator[Check]:
    """Refuse INSERT OR REPLACE: it deletes the row in the way without a trigger on deletion."""
    labels = ("casework.Case", "casework.Placement", "public.Publication", *_FROZEN, *_KEPT)
    for label in labels:
        model = _model(label)
        table, name = model._meta.db_table, model._meta.model_name
        terms = [
            f"EXISTS (SELECT 1 FROM {table} o WHERE o.id <> OLD.id AND {match})"
            for match in _unique_matches(model)
        ]
        if terms:
            yield Check(
                f"{name}_not_replaced_by_update",
                table,
                "UPDATE",
                " OR ".join(terms),
                f"another row of {name} has this already",
            )
        terms = [
            f"EXISTS (SELECT 1 FROM {table} o WHERE {match})"
            for match in ("o.id = NEW.id", *_unique_matches(model))
        ]
        yield Check(
            f"{name}_not_replaced",
            table,
            "INSERT",
            " OR ".join(terms),
            f"there is such a row of {name} already",
        )


def _unique_matches(model: type[Model]) -> list[str]:
    """Return, for each unique set of columns, the condition that row `o` has the values of NEW."""
    found = [
        f"o.{field.column} = NEW.{field.column}"
        for field in model._meta.local_concrete_fields
        if field.unique and not field.primary_key
    ]
    for constraint in model._meta.constraints:
        if isinstance(constraint, UniqueConstraint):
            terms = [
                f"o.{column} = NEW.{column}"
                for column in (model._meta.get_field(name).column for name in constraint.fields)
            ]
            if constraint.condition is not None:
                terms += [_condition(model, constraint, row) for row in ("o", "NEW")]
            found.append(" AND ".join(terms))
    return found


def _condition(model: type[Model], constraint: UniqueConstraint, row: str) -> str:
    """Return the condition of a partial constraint for the row named `row`, as SQLite reads it."""
    where = Query(model, alias_cols=False).build_where(constraint.condition)
    connection = _sqlite()
    compiler = Query(model).get_compiler(connection=connection)
    text, parameters = where.as_sql(compiler, connection)
    for value in parameters:
        text = text.replace("%s", _quoted(str(value)), 1)
    columns = (field.column for field in model._meta.local_concrete_fields)
    for column in columns:
        text = text.replace(f'"{column}"', f"{row}.{column}")
    return f"({text})"


def _sqlite() -> Any:
    from django.db.backends.sqlite3.base import DatabaseWrapper

    return DatabaseWrapper({**connections["default"].settings_dict, "NAME": ":memory:"})


# ------------------------------------------------------------------------------ SQL


def statements(vendor: str) -> list[tuple[str, str]]:
    """Return (name, statement) for each object, in an order in which they can be made."""
    made = [
        (view.name, f"CREATE VIEW {view.name} ({', '.join(view.columns)}) AS {view.query}")
        for view in views()
    ]
    render = _sqlite_trigger if vendor == "sqlite" else _postgres_trigger
    for check in checks(vendor):
        made.append((f"{_PREFIX}{check.name}", render(check)))
    if vendor == "postgresql":
        made += _postgres_extras()
    text = "\n".join(statement for _name, statement in made)
    mark = hashlib.sha256(text.encode()).hexdigest()
    made.append((_DIGEST_VIEW, f"CREATE VIEW {_DIGEST_VIEW} (digest) AS SELECT '{mark}'"))
    return made


def digest(vendor: str) -> str:
    """Return the digest that the view `kinward_constraints` holds when all of this is in force."""
    return statements(vendor)[-1][1][-65:-1]


def _sqlite_trigger(check: Check) -> str:
    return (
        f"CREATE TRIGGER {_PREFIX}{check.name} BEFORE {check.event} ON {check.table} "
        f"FOR EACH ROW BEGIN SELECT RAISE(ABORT, {_quoted('Kinward: ' + check.message)}) "
        f"WHERE {check.refused}; END"
    )


def _postgres_trigger(check: Check) -> str:
    # The search path ends with pg_temp: a temporary table must not stand before a real one.
    name = f"{_PREFIX}{check.name}"
    row = "OLD" if check.event == "DELETE" else "NEW"
    return (
        f"CREATE FUNCTION {name}() RETURNS trigger LANGUAGE plpgsql "
        f"SET search_path = public, pg_temp AS $kinward$ BEGIN {check.lock} "
        f"IF {check.refused} THEN RAISE EXCEPTION {_quoted('Kinward: ' + check.message)} "
        f"USING ERRCODE = 'integrity_constraint_violation'; END IF; RETURN {row}; END $kinward$; "
        f"CREATE TRIGGER {name} BEFORE {check.event} ON {check.table} "
        f"FOR EACH ROW EXECUTE FUNCTION {name}()"
    )


def _postgres_extras() -> list[tuple[str, str]]:
    """TRUNCATE passes row triggers by; facts entered meanwhile must not pass a placement by."""
    emptied = f"{_PREFIX}not_emptied"
    facts = f"{_PREFIX}facts_wait"
    head = "RETURNS trigger LANGUAGE plpgsql SET search_path = public, pg_temp AS $kinward$ BEGIN"
    text = (
        f"CREATE FUNCTION {emptied}() {head} RAISE EXCEPTION 'Kinward: this table is never "
        "emptied' USING ERRCODE = 'integrity_constraint_violation'; END $kinward$"
    )
    labels = ("casework.Case", "casework.Placement", "public.Publication", *_FROZEN, *_KEPT)
    for label in labels:
        text += (
            f"; CREATE TRIGGER {emptied} BEFORE TRUNCATE ON {_table(label)} "
            f"FOR EACH STATEMENT EXECUTE FUNCTION {emptied}()"
        )
    wait = f"CREATE FUNCTION {facts}() {head} {_FACTS_LOCK} RETURN NULL; END $kinward$"
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
            f"; CREATE TRIGGER {facts} BEFORE INSERT OR UPDATE OR DELETE ON {_table(label)} "
            f"FOR EACH STATEMENT EXECUTE FUNCTION {facts}()"
        )
    return [(emptied, text), (facts, wait)]


# ------------------------------------------------------------------------------ in force


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
        f"WHERE c.oid = to_regclass('{_TABLES['case']}') AND a.grantee <> c.relowner "
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
                f"AND substr(name, 1, {len(_PREFIX)}) = '{_PREFIX}'"
            )
            drops = [f"DROP TRIGGER {name}" for (name,) in cursor.fetchall()]
        else:
            cursor.execute(
                "SELECT p.oid::regprocedure::text FROM pg_proc p JOIN pg_namespace n "
                "ON n.oid = p.pronamespace WHERE n.nspname = 'public' "
                f"AND left(p.proname, {len(_PREFIX)}) = '{_PREFIX}'"
            )
            drops = [f"DROP FUNCTION {name} CASCADE" for (name,) in cursor.fetchall()]
        names = (_DIGEST_VIEW, *(view.name for view in reversed(views())))
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
    wrong = {name for name in made if not name.startswith(_PREFIX) and name not in present}
    if _DIGEST_VIEW not in present:
        return sorted({*wrong, _DIGEST_VIEW})
    cursor.execute(f"SELECT digest FROM {_DIGEST_VIEW}")
    if cursor.fetchone()[0] != digest("postgresql"):
        wrong.add(_DIGEST_VIEW)
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


# ------------------------------------------------------------------------------ rights


def grants(role: str) -> list[str]:
    """Return the statements that give a PostgreSQL role what the application needs, and no more.

    The role owns nothing: it can neither alter a table nor switch a trigger off. What is only ever
    added it cannot delete, and can update in its encrypted columns alone, for a new key.

    :raises ValueError: the name is no plain lower-case name.
    """
    with suppress(ValueError):
        if role.isidentifier() and role == role.lower():
            return list(_grants(role))
    raise ValueError(f"not the name of a role: {role!r}")


def _grants(role: str) -> Iterator[str]:
    tables = {model._meta.db_table: model for model in apps.get_models(include_auto_created=True)}
    frozen = {_table(label) for label in _FROZEN}
    kept = {_table(label) for label in (*_KEPT, "casework.Case", "casework.Placement")}
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
