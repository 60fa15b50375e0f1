"""Roles, the kinds of agency they work in, and what each may do besides transitions."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

__all__ = [
    "PERMISSIONS",
    "ROLES",
    "AgencyKind",
    "Permission",
    "Reach",
    "Role",
    "RoleRow",
    "reach_of",
]


class AgencyKind(StrEnum):
    """What an agency is."""

    POLICE = "police"
    HOSPITAL = "hospital"
    WELFARE = "welfare"
    LABORATORY = "laboratory"
    NGO = "ngo"
    FOREIGN = "foreign"
    OVERSIGHT = "oversight"


class Role(StrEnum):
    """What a person is appointed to; one login holds one role in one agency."""

    POLICE_OFFICER = "police_officer"
    POLICE_ANALYST = "police_analyst"
    CLINICIAN = "clinician"
    WELFARE_WORKER = "welfare_worker"
    PANEL_MEMBER = "panel_member"
    LAB_ANALYST = "lab_analyst"
    LAB_SIGNER = "lab_signer"
    FAMILY_LIAISON = "family_liaison"
    VOLUNTEER = "volunteer"
    FOREIGN_AUTHORITY = "foreign_authority"
    AUDITOR = "auditor"
    ADMINISTRATOR = "administrator"
    SYSTEM = "system"
    """The program itself, for a hold after a new link and for what expires; no login has it."""


@dataclass(frozen=True, slots=True)
class RoleRow:
    """One role: its name on the page and the kinds of agency that may appoint to it."""

    role: Role
    label: str | Promise
    agencies: frozenset[AgencyKind]


def _row(role: Role, label: str | Promise, *agencies: AgencyKind) -> RoleRow:
    return RoleRow(role, label, frozenset(agencies))


ROLES: dict[Role, RoleRow] = {
    row.role: row
    for row in (
        _row(Role.POLICE_OFFICER, _("Police officer"), AgencyKind.POLICE),
        _row(Role.POLICE_ANALYST, _("Police analyst"), AgencyKind.POLICE),
        _row(Role.CLINICIAN, _("Clinician"), AgencyKind.HOSPITAL),
        _row(Role.WELFARE_WORKER, _("Welfare worker"), AgencyKind.WELFARE),
        _row(Role.PANEL_MEMBER, _("Best-interest panel"), AgencyKind.WELFARE),
        _row(Role.LAB_ANALYST, _("Laboratory analyst"), AgencyKind.LABORATORY),
        _row(Role.LAB_SIGNER, _("Laboratory signer"), AgencyKind.LABORATORY),
        _row(
            Role.FAMILY_LIAISON,
            _("Family liaison"),
            AgencyKind.POLICE,
            AgencyKind.WELFARE,
            AgencyKind.NGO,
        ),
        _row(Role.VOLUNTEER, _("Volunteer"), AgencyKind.NGO),
        _row(Role.FOREIGN_AUTHORITY, _("Foreign authority"), AgencyKind.FOREIGN),
        _row(Role.AUDITOR, _("Auditor"), AgencyKind.OVERSIGHT),
        _row(Role.ADMINISTRATOR, _("Administrator"), *AgencyKind),
        _row(Role.SYSTEM, _("Kinward itself")),
    )
}


class Reach(StrEnum):
    """How far a permission reaches."""

    CASE = "case"
    """Cases that the own agency takes part in, and cases assigned by name."""
    REGION = "region"
    """As CASE, and every case of the own region."""
    AGENCY = "agency"
    """What belongs to the own agency."""
    ALL = "all"


@dataclass(frozen=True, slots=True)
class Permission:
    """One act other than a transition, and who may do it how far."""

    act: str
    label: str | Promise
    reach: dict[Role, Reach]


_WORKERS = (Role.POLICE_OFFICER, Role.CLINICIAN, Role.WELFARE_WORKER)

PERMISSIONS: dict[str, Permission] = {
    row.act: row
    for row in (
        Permission(
            "case.read",
            _("read a child's case"),
            dict.fromkeys(
                (*_WORKERS, Role.FAMILY_LIAISON, Role.FOREIGN_AUTHORITY),
                Reach.CASE,
            )
            | {
                Role.POLICE_ANALYST: Reach.REGION,
                Role.PANEL_MEMBER: Reach.REGION,
                Role.AUDITOR: Reach.ALL,
            },
        ),
        Permission(
            "medical.read",
            _("read medical records"),
            dict.fromkeys((Role.CLINICIAN, Role.WELFARE_WORKER, Role.PANEL_MEMBER), Reach.CASE),
        ),
        Permission(
            "medical.write",
            _("write medical records"),
            {Role.CLINICIAN: Reach.CASE},
        ),
        Permission(
            "registry.write",
            _("enter people, links and households"),
            {
                Role.POLICE_OFFICER: Reach.CASE,
                Role.POLICE_ANALYST: Reach.REGION,
                Role.WELFARE_WORKER: Reach.CASE,
            },
        ),
        Permission(
            "registry.search",
            _("ask whether another agency knows a person"),
            dict.fromkeys((*_WORKERS, Role.FAMILY_LIAISON, Role.PANEL_MEMBER), Reach.CASE)
            | {Role.POLICE_ANALYST: Reach.REGION},
        ),
        Permission(
            "document.write",
            _("upload documents and photographs"),
            dict.fromkeys((*_WORKERS, Role.FAMILY_LIAISON, Role.FOREIGN_AUTHORITY), Reach.CASE)
            | dict.fromkeys((Role.POLICE_ANALYST, Role.PANEL_MEMBER), Reach.REGION),
        ),
        Permission(
            "suspects.read",
            _("read suspects, buyers and their links"),
            {
                Role.POLICE_OFFICER: Reach.REGION,
                Role.POLICE_ANALYST: Reach.ALL,
                Role.AUDITOR: Reach.ALL,
            },
        ),
        Permission(
            "custody.check",
            _("screen a household before a placement"),
            {
                Role.POLICE_OFFICER: Reach.CASE,
                Role.WELFARE_WORKER: Reach.CASE,
                Role.PANEL_MEMBER: Reach.CASE,
                Role.AUDITOR: Reach.ALL,
            },
        ),
        Permission(
            "custody.clear_link",
            _("sign the clearance of one link"),
            {Role.POLICE_OFFICER: Reach.CASE, Role.WELFARE_WORKER: Reach.CASE},
        ),
        Permission(
            "party.write",
            _("bring another agency into a case"),
            {Role.POLICE_OFFICER: Reach.CASE, Role.WELFARE_WORKER: Reach.CASE},
        ),
        Permission(
            "operation.manage",
            _("plan and run an operation"),
            {Role.POLICE_OFFICER: Reach.AGENCY},
        ),
        Permission(
            "operation.read",
            _("see operations and their tallies"),
            dict.fromkeys((*_WORKERS, Role.PANEL_MEMBER), Reach.CASE)
            | {Role.POLICE_OFFICER: Reach.AGENCY}
            | {Role.POLICE_ANALYST: Reach.REGION, Role.AUDITOR: Reach.ALL},
        ),
        Permission(
            "import.run",
            _("import tables"),
            {
                Role.POLICE_OFFICER: Reach.AGENCY,
                Role.POLICE_ANALYST: Reach.AGENCY,
                Role.WELFARE_WORKER: Reach.AGENCY,
            },
        ),
        Permission(
            "export.run",
            _("export tables"),
            {
                Role.POLICE_ANALYST: Reach.REGION,
                Role.WELFARE_WORKER: Reach.CASE,
                Role.AUDITOR: Reach.ALL,
            },
        ),
        Permission(
            "care.manage",
            _("keep the beds, carers and money of a care place"),
            {Role.WELFARE_WORKER: Reach.AGENCY, Role.CLINICIAN: Reach.AGENCY},
        ),
        Permission(
            "care.plan",
            _("make tonight's plan"),
            {Role.WELFARE_WORKER: Reach.REGION, Role.PANEL_MEMBER: Reach.REGION},
        ),
        Permission(
            "service.write",
            _("record visits and services"),
            {
                Role.WELFARE_WORKER: Reach.CASE,
                Role.FAMILY_LIAISON: Reach.CASE,
                # After a repatriation the visits are made, and reported, abroad.
                Role.FOREIGN_AUTHORITY: Reach.CASE,
            },
        ),
        Permission(
            "oversight.read",
            _("see indicators of the whole campaign"),
            {
                Role.POLICE_ANALYST: Reach.REGION,
                Role.PANEL_MEMBER: Reach.REGION,
                Role.AUDITOR: Reach.ALL,
            },
        ),
        Permission("audit.read", _("read the audit chain"), {Role.AUDITOR: Reach.ALL}),
        Permission(
            "accounts.manage",
            _("appoint people and end appointments"),
            {Role.ADMINISTRATOR: Reach.AGENCY},
        ),
    )
}


def reach_of(role: Role | str, act: str) -> Reach | None:
    """Return how far `role` may do `act`, or None where it may not.

    :raises KeyError: `act` is not in `PERMISSIONS`.
    """
    return PERMISSIONS[act].reach.get(Role(role))
