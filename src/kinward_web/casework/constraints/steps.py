"""Transitions: the tables of rules as views, and the checks that hold every record to them."""

from __future__ import annotations

from collections.abc import Iterator

from kinward_web.casework.constraints.base import RECORD, TABLES, Check, View, quoted
from kinward_web.rules import MACHINES
from kinward_web.rules.roles import Role
from kinward_web.rules.table import NEW, RESUME

__all__ = ["record_checks", "rule_views", "signature_checks", "state_checks"]


def rule_views() -> list[View]:
    """Return the tables of rules: each step, and who may make or sign it."""
    steps, roles = [], []
    for machine in MACHINES.values():
        for rule, source, target in machine.steps():
            back = int(rule.target == RESUME)
            texts = ", ".join(map(quoted, (machine.key, rule.name, source, target)))
            steps.append(f"({texts}, {back}, {rule.signatures})")
            for place, allowed in enumerate((rule.roles, *rule.cosigners)):
                for role in sorted(allowed):
                    texts = ", ".join(map(quoted, (machine.key, rule.name, source)))
                    roles.append(f"({texts}, {place}, {quoted(role)})")
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
    ]


def state_checks() -> Iterator[Check]:
    """The state of a record moves only along a transition on record."""
    for key, table in TABLES.items():
        yield Check(
            f"{key}_begins_new",
            table,
            "INSERT",
            f"NEW.state <> {quoted(NEW)} OR NEW.version <> 0",
            f"a {key} begins in state new with version 0; make its first transition",
        )
        yield Check(
            f"{key}_moves_by_transition",
            table,
            "UPDATE OF state, version",
            "(NEW.state <> OLD.state OR NEW.version <> OLD.version) AND NOT EXISTS ("
            f"SELECT 1 FROM {RECORD} r WHERE r.machine = {quoted(key)} "
            "AND r.subject_id = OLD.id AND r.number = NEW.version "
            "AND NEW.version = OLD.version + 1 "
            "AND r.source = OLD.state AND r.target = NEW.state)",
            f"the state of a {key} changes only by a transition on record",
        )
        yield Check(
            f"{key}_kept",
            table,
            "DELETE",
            f"OLD.version <> 0 OR OLD.state <> {quoted(NEW)}",
            f"a {key} with a history is never deleted",
        )
    yield Check(
        "case_resume_kept",
        TABLES["case"],
        "UPDATE OF resume_state",
        "NEW.resume_state <> OLD.resume_state AND NEW.version = OLD.version",
        "where a held case goes on changes only with its state",
    )
    yield Check(
        "case_return_kept",
        TABLES["case"],
        "UPDATE OF return_placement_id",
        "COALESCE(NEW.return_placement_id, 0) <> COALESCE(OLD.return_placement_id, 0) "
        f"AND NOT EXISTS (SELECT 1 FROM {RECORD} r WHERE r.machine = 'case' "
        "AND r.subject_id = OLD.id AND r.number = NEW.version AND NEW.version = OLD.version + 1 "
        "AND r.rule = 'hand_over')",
        "the place of a child's return is named by the hand-over that two agencies sign",
    )
    yield Check(
        "placement_capacity_kept",
        TABLES["placement"],
        "UPDATE OF over_capacity",
        "NEW.over_capacity <> OLD.over_capacity AND NEW.version = OLD.version",
        "whether a child was received over capacity is decided when it is received",
    )


def record_checks() -> Iterator[Check]:
    """A transition on record follows the table of rules and is made by whom it allows."""
    yield Check(
        "transition_in_table",
        RECORD,
        "INSERT",
        "NOT EXISTS (SELECT 1 FROM rule_step s WHERE s.machine = NEW.machine "
        "AND s.rule = NEW.rule AND s.source = NEW.source AND s.target = NEW.target)",
        "the table of rules has no such transition",
    )
    current = " OR ".join(
        f"(NEW.machine = {quoted(key)} AND EXISTS (SELECT 1 FROM {table} t "
        "WHERE t.id = NEW.subject_id AND t.state = NEW.source AND t.version + 1 = NEW.number))"
        for key, table in TABLES.items()
    )
    yield Check(
        "transition_from_current",
        RECORD,
        "INSERT",
        f"NOT ({current})",
        "a transition starts from the present state and counts on from the present version",
    )
    yield Check(
        "transition_resumes_where_left",
        RECORD,
        "INSERT",
        "EXISTS (SELECT 1 FROM rule_step s WHERE s.machine = NEW.machine AND s.rule = NEW.rule "
        "AND s.source = NEW.source AND s.resumes = 1) AND NOT EXISTS ("
        f"SELECT 1 FROM {TABLES['case']} c JOIN {RECORD} r ON r.machine = NEW.machine "
        "AND r.subject_id = NEW.subject_id AND r.target = NEW.target "
        "WHERE NEW.machine = 'case' AND c.id = NEW.subject_id AND c.resume_state = NEW.target)",
        "a held, transferred or closed case goes on where it stood",
    )
    yield Check(
        "transition_by_role",
        RECORD,
        "INSERT",
        "NOT EXISTS (SELECT 1 FROM rule_role a WHERE a.machine = NEW.machine "
        "AND a.rule = NEW.rule AND a.source = NEW.source AND a.place = 0 AND a.role = NEW.role)",
        "this role does not make this transition",
    )
    system = quoted(Role.SYSTEM)
    yield Check(
        "transition_by_login",
        RECORD,
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
            RECORD,
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


def signature_checks() -> Iterator[Check]:
    """A signature is the signer's own, under an open proposal."""
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
