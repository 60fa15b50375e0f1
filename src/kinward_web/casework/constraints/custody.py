"""The custody rule in SQL: the twin of `casework/custody.py`, which the database refuses by.

Written so that SQLite and PostgreSQL read it alike, and so that both look only at the surroundings
of one placement when asked about one.
"""

from __future__ import annotations

from kinward_web.rules.custody import BARRING_PARTS, LIFTING_STANDING, VERIFIED, Bar

__all__ = ["denials", "edges"]

_PARTS = ", ".join(f"'{part}'" for part in BARRING_PARTS)


def edges() -> str:
    """Return the query of `custody_edge`: every link, with the lower id first.

    A link that was retracted, a membership or use that was, and whatever belongs to an institution
    are no links. Having lived together stays one.
    """
    return (
        "SELECT CASE WHEN first_id < second_id THEN first_id ELSE second_id END, "
        "CASE WHEN first_id < second_id THEN second_id ELSE first_id END, kind, 'link:' || id "
        "FROM registry_link WHERE retracted_at IS NULL "
        "UNION ALL SELECT a.person_id, b.person_id, 'household', 'household:' || a.household_id "
        "FROM registry_householdmember a JOIN registry_householdmember b "
        "ON b.household_id = a.household_id AND a.person_id < b.person_id "
        "WHERE a.retracted_at IS NULL AND b.retracted_at IS NULL "
        "UNION ALL SELECT a.person_id, b.person_id, i.kind, 'identifier:' || a.identifier_id "
        "FROM registry_identifieruse a JOIN registry_identifieruse b "
        "ON b.identifier_id = a.identifier_id AND a.person_id < b.person_id "
        "JOIN registry_identifier i ON i.id = a.identifier_id AND i.institution_id IS NULL "
        "WHERE a.retracted_at IS NULL AND b.retracted_at IS NULL"
    )


def denials() -> str:
    """Return the query of `custody_denial`: placement and code, for each reason to refuse it."""
    screened = (
        "(SELECT m.person_id FROM registry_householdmember m "
        "WHERE m.household_id = p.household_id AND m.adult AND m.retracted_at IS NULL "
        "UNION SELECT q.person_id FROM casework_placementperson q WHERE q.placement_id = p.id)"
    )
    reasons = {
        Bar.INVOLVED: f"EXISTS (SELECT 1 FROM {screened} s WHERE {_barring('s.person_id')})",
        Bar.LINKED: f"EXISTS (SELECT 1 FROM {screened} s WHERE {_linked('s.person_id')})",
        Bar.UNVERIFIED: f"EXISTS (SELECT 1 FROM {screened} s JOIN registry_person n "
        f"ON n.id = s.person_id WHERE n.identity <> '{VERIFIED}')",
        Bar.EMPTY: "p.household_id IS NOT NULL AND NOT EXISTS (SELECT 1 "
        "FROM registry_householdmember m WHERE m.household_id = p.household_id AND m.adult "
        "AND m.retracted_at IS NULL AND m.until IS NULL)",
    }
    return " UNION ALL ".join(
        f"SELECT p.id, '{code}' FROM casework_placement p WHERE {condition}"
        for code, condition in reasons.items()
    )


def _barring(person: str) -> str:
    return (
        f"EXISTS (SELECT 1 FROM registry_involvement v WHERE v.person_id = {person} "
        f"AND v.part IN ({_PARTS}) AND v.standing <> '{LIFTING_STANDING}')"
    )


def _linked(person: str) -> str:
    """One step to a barring person, or two through someone who is no child of a case."""
    second = (
        f"EXISTS (SELECT 1 FROM {_arcs('a.head')} b WHERE b.head <> {person} "
        f"AND b.via <> a.via AND {_barring('b.head')} AND NOT {_cleared('a.head', 'b')})"
    )
    return (
        f"EXISTS (SELECT 1 FROM {_arcs(person)} a WHERE NOT {_cleared(person, 'a')} "
        f"AND ({_barring('a.head')} OR (NOT EXISTS (SELECT 1 FROM casework_case k "
        f"WHERE k.child_id = a.head) AND {second})))"
    )


def _arcs(tail: str) -> str:
    """Return, as a query in brackets, where the links from `tail` lead (head) and which (via)."""
    return (
        f"(SELECT l.second_id AS head, 'link:' || l.id AS via FROM registry_link l "
        f"WHERE l.first_id = {tail} AND l.retracted_at IS NULL "
        f"UNION ALL SELECT l.first_id, 'link:' || l.id FROM registry_link l "
        f"WHERE l.second_id = {tail} AND l.retracted_at IS NULL "
        "UNION ALL SELECT y.person_id, 'household:' || y.household_id "
        "FROM registry_householdmember x JOIN registry_householdmember y "
        "ON y.household_id = x.household_id AND y.person_id <> x.person_id "
        f"WHERE x.person_id = {tail} AND x.retracted_at IS NULL AND y.retracted_at IS NULL "
        "UNION ALL SELECT y.person_id, 'identifier:' || y.identifier_id "
        "FROM registry_identifieruse x JOIN registry_identifieruse y "
        "ON y.identifier_id = x.identifier_id AND y.person_id <> x.person_id "
        "JOIN registry_identifier i ON i.id = x.identifier_id AND i.institution_id IS NULL "
        f"WHERE x.person_id = {tail} AND x.retracted_at IS NULL AND y.retracted_at IS NULL)"
    )


def _cleared(tail: str, arc: str) -> str:
    head = f"{arc}.head"
    return (
        "EXISTS (SELECT 1 FROM casework_linkclearance c WHERE c.case_id = p.case_id "
        f"AND c.via = {arc}.via AND ((c.low_id = {tail} AND c.high_id = {head}) "
        f"OR (c.low_id = {head} AND c.high_id = {tail})) AND c.police_signer_id IS NOT NULL "
        "AND c.welfare_signer_id IS NOT NULL AND c.withdrawn_at IS NULL)"
    )
