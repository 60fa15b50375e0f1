"""Guards that the database can judge itself: custody, clearances, beds, accreditation."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache

from kinward_web.casework.constraints.base import RECORD, TABLES, Check, in_list, quoted
from kinward_web.rules import MACHINES
from kinward_web.rules.custody import Bar
from kinward_web.rules.roles import PERMISSIONS, ROLES, AgencyKind

__all__ = ["FACTS_LOCK", "clearance_checks", "guard_checks", "link_clearance_checks"]

CUSTODY_LOCK = "PERFORM pg_advisory_xact_lock(1262113620);"
FACTS_LOCK = "PERFORM pg_advisory_xact_lock_shared(1262113620);"
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
    f"AND c.expires_at > (SELECT r.made_at FROM {RECORD} r WHERE r.machine = {{machine}} "
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
        f"WHERE k.id = NEW.case_id AND k.state = {quoted(state)})"
    )


def _denied(scope: str, code: Bar) -> str:
    return (
        "EXISTS (SELECT 1 FROM custody_denial d WHERE d.placement_id = NEW.id "
        f"AND d.code = {quoted(code)})"
        if not scope
        else f"EXISTS (SELECT 1 FROM casework_placement p, custody_denial d WHERE {scope} "
        f"AND d.placement_id = p.id AND d.code = {quoted(code)})"
    )


@cache
def _guards() -> dict[tuple[str, str], tuple[tuple[str, str, str, str], ...]]:
    """Return what a guard refuses, by machine and guard: (suffix, SQL, message, lock)."""

    def custody(scope: str) -> tuple[tuple[str, str, str, str], ...]:
        return tuple(
            (f"_{code}", _denied(scope, code), _MESSAGES[code], CUSTODY_LOCK) for code in Bar
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
        ("placement", "nobody_involved"): (
            (
                f"_{Bar.INVOLVED}",
                f"NEW.home_id IS NOT NULL AND {_denied('', Bar.INVOLVED)}",
                _MESSAGES[Bar.INVOLVED],
                CUSTODY_LOCK,
            ),
        ),
        ("placement", "is_institution"): one(
            "NEW.home_id IS NULL", "private people cannot receive a child without screening"
        ),
        ("placement", "return_family_found"): one(
            _case_state_is_not("family_found"),
            "a child returns to a family only when the family has been found and confirmed",
        ),
        ("placement", "return_signed"): one(
            "NEW.purpose = 'return' AND NOT EXISTS (SELECT 1 FROM casework_case k "
            "WHERE k.id = NEW.case_id AND k.state = 'reunited' AND k.return_placement_id = NEW.id)",
            "a child returns to its family only by the hand-over that two agencies sign",
        ),
        ("case", "return_cleared"): one(
            f"NOT EXISTS (SELECT 1 FROM casework_placement p WHERE {_RETURN} "
            f"AND p.id = NEW.return_placement_id AND p.state = 'cleared' AND {return_fresh})",
            "a child is reunited only with a household that is cleared for its return",
        ),
        ("case", "custody_clear"): custody(f"{_RETURN} AND p.state = 'cleared'"),
        ("case", "no_barring_placement"): custody("p.case_id = NEW.id AND p.state = 'placed'"),
    }


def guard_checks() -> Iterator[Check]:
    """Guards that the database can judge, at the steps for which the table names them."""
    for key, machine in MACHINES.items():
        for guard in dict.fromkeys(name for rule in machine.rules for name in rule.guards):
            names = {rule.name for rule in machine.rules if guard in rule.guards}
            applies = (
                f"NEW.version <> OLD.version AND EXISTS (SELECT 1 FROM {RECORD} r "
                f"WHERE r.machine = {quoted(key)} AND r.subject_id = OLD.id "
                f"AND r.number = NEW.version AND r.rule IN {in_list(names)})"
            )
            for suffix, refused, message, lock in _guards().get((key, guard), ()):
                yield Check(
                    f"{key}_guard_{guard}{suffix}",
                    TABLES[key],
                    "UPDATE OF state, version",
                    f"{applies} AND ({refused})",
                    message,
                    # Only steps that the guard judges: two officers who enter children at once
                    # share the lock already, and would wait for each other for ever.
                    f"IF {applies} THEN {lock} END IF;" if lock else "",
                )


def clearance_checks() -> Iterator[Check]:
    """A frozen screening says what the database finds too."""
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


def link_clearance_checks() -> Iterator[Check]:
    """A cleared link exists and is signed by police and welfare."""
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
            f"AND u.is_active AND u.role IN {in_list(roles)} AND g.kind = {quoted(kind)})"
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
