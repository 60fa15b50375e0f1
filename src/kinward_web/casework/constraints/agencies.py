"""What opens a way round custody in an agency's own record needs two administrators."""

from __future__ import annotations

from collections.abc import Iterator

from kinward_web.casework.constraints.base import Check, in_list, table_of
from kinward_web.rules.roles import PERMISSIONS

__all__ = ["agency_checks"]


def agency_checks() -> Iterator[Check]:
    """An agency receives children, or has a telephone that links nobody, by a confirmed change."""
    agency, change = table_of("accounts.Agency"), table_of("accounts.AgencyChange")
    same = " AND ".join(f"c.{name} = NEW.{name}" for name in ("kind", "phone", "address"))
    covered = (
        f"EXISTS (SELECT 1 FROM {change} c WHERE {{which}} AND c.confirmed_by_id IS NOT NULL "
        f"AND c.closed_at IS NULL AND {same} AND c.accredited = NEW.accredited "
        "AND COALESCE(c.named_officer_id, 0) = COALESCE(NEW.named_officer_id, 0))"
    )
    message = "what an agency may do changes only as administrators of two agencies confirm"
    entered = covered.format(which="c.agency_id IS NULL AND c.code = NEW.code")
    yield Check(
        "agency_entered_by_two",
        agency,
        "INSERT",
        "(NEW.accredited OR NEW.named_officer_id IS NOT NULL OR NEW.phone <> '' "
        f"OR NEW.address <> '') AND NOT {entered}",
        message,
    )
    changed = covered.format(which="c.agency_id = NEW.id")
    yield Check(
        "agency_changed_by_two",
        agency,
        "UPDATE",
        "((NEW.accredited AND NOT OLD.accredited) OR NEW.kind <> OLD.kind OR NEW.id <> OLD.id "
        "OR (NEW.phone <> '' AND NEW.phone <> OLD.phone) "
        "OR (NEW.address <> '' AND NEW.address <> OLD.address) "
        "OR (NEW.named_officer_id IS NOT NULL "
        "AND NEW.named_officer_id <> COALESCE(OLD.named_officer_id, 0))) "
        f"AND NOT {changed}",
        message,
    )
    yield from _change_checks(change)


def _change_checks(change: str) -> Iterator[Check]:
    roles = in_list(PERMISSIONS["accounts.manage"].reach)
    yield Check(
        "agencychange_proposed",
        change,
        "INSERT",
        "NEW.confirmed_by_id IS NOT NULL OR NEW.closed_at IS NOT NULL "
        "OR NEW.expires_at <= NEW.proposed_at OR NOT EXISTS (SELECT 1 FROM accounts_user u "
        f"WHERE u.id = NEW.proposed_by_id AND u.is_active AND u.role IN {roles})",
        "a change of an agency begins as the proposal of an administrator",
    )
    yield Check(
        "agencychange_confirmed",
        change,
        "UPDATE OF confirmed_by_id",
        "COALESCE(NEW.confirmed_by_id, 0) <> COALESCE(OLD.confirmed_by_id, 0) AND "
        "(OLD.confirmed_by_id IS NOT NULL OR NOT EXISTS (SELECT 1 FROM accounts_user u "
        "JOIN accounts_user p ON p.id = NEW.proposed_by_id AND p.agency_id <> u.agency_id "
        f"AND p.is_active WHERE u.id = NEW.confirmed_by_id AND u.is_active AND u.role IN {roles}))",
        "a change of an agency is confirmed once, by an administrator of another agency",
    )
    yield Check(
        "agencychange_closed_stays",
        change,
        "UPDATE",
        "OLD.closed_at IS NOT NULL AND (NEW.closed_at IS NULL OR NEW.closed_at <> OLD.closed_at "
        "OR COALESCE(NEW.confirmed_by_id, 0) <> COALESCE(OLD.confirmed_by_id, 0))",
        "a change of an agency that is closed stays closed; propose another",
    )
