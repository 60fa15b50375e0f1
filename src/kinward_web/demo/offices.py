"""Agencies, logins and care places of the demonstration. All of them are synthetic."""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections import Counter
from dataclasses import dataclass
from datetime import datetime

from allauth.mfa.recovery_codes.internal.auth import RecoveryCodes
from allauth.mfa.totp.internal.auth import TOTP
from django.conf import settings
from django.contrib.auth.hashers import make_password
from django.utils import timezone

from kinward_web.accounts.agencies import confirm_change, save_agency
from kinward_web.accounts.api import Actor, Agency, Channel, User, actor_for
from kinward_web.casework.models import CareHome
from kinward_web.rules.roles import AgencyKind, Role

__all__ = ["HOME_REGION", "REGIONS", "Login", "Offices", "login_of", "open_offices"]

PASSWORD = "eighty nine children"
HOME_REGION = "Guangxi"
REGIONS: dict[str, tuple[float, float]] = {
    "Anhui": (31.9, 117.3),
    "Fujian": (26.1, 119.3),
    "Guangdong": (23.1, 113.3),
    "Guangxi": (22.8, 108.3),
    "Guizhou": (26.6, 106.7),
    "Hebei": (38.0, 114.5),
    "Henan": (34.8, 113.6),
    "Hubei": (30.6, 114.3),
    "Hunan": (28.2, 112.9),
    "Jiangxi": (28.7, 115.9),
    "Shandong": (36.7, 117.0),
    "Shanxi": (37.9, 112.6),
    "Sichuan": (30.7, 104.1),
    "Yunnan": (25.0, 102.7),
}
"""Provinces of the second raid, with latitude and longitude of their capitals."""

_LOGINS: tuple[tuple[Role, str, str], ...] = (
    (Role.POLICE_OFFICER, "police-guangxi", "Officer Lan Wei"),
    (Role.POLICE_ANALYST, "police-national", "Analyst Qiu Ning"),
    (Role.CLINICIAN, "hospital-guangxi", "Doctor Bai Lu"),
    (Role.WELFARE_WORKER, "welfare-guangxi", "Worker Shen Yue"),
    (Role.PANEL_MEMBER, "welfare-guangxi", "Judge Tan Rui"),
    (Role.LAB_ANALYST, "laboratory", "Analyst Guo Min"),
    (Role.LAB_SIGNER, "laboratory", "Signer He Ping"),
    (Role.FAMILY_LIAISON, "ngo", "Liaison Pham Thu"),
    (Role.VOLUNTEER, "ngo", "Volunteer Le An"),
    (Role.FOREIGN_AUTHORITY, "vietnam", "Officer Tran Hoa"),
    (Role.AUDITOR, "oversight", "Auditor Xu Jing"),
    (Role.ADMINISTRATOR, "police-guangxi", "Administrator Mo Fei"),
    (Role.ADMINISTRATOR, "welfare-guangxi", "Administrator Ye Lin"),
)
_FOUNDERS = ("police-guangxi", "welfare-guangxi")
"""The agencies whose administrators enter and confirm all the others."""


@dataclass(frozen=True, slots=True)
class Login:
    """One login of the demonstration, as it is printed."""

    role: str
    email: str
    password: str
    secret: str
    """Base32 secret of the authenticator app."""


def _secret(email: str) -> str:
    """Derive the authenticator secret, so that a second start prints the same one."""
    digest = hmac.new(settings.SECRET_KEY.encode(), email.encode(), hashlib.sha256).digest()
    return base64.b32encode(digest[:20]).decode()


def _email(role: Role, number: int = 1) -> str:
    name = role.value.replace("_", "-")
    return f"{name}@demo.example" if number == 1 else f"{name}-{number}@demo.example"


def login_of(role: Role, number: int = 1) -> Login:
    """Return the login of `role` as it is printed; administrators have a second one."""
    email = _email(role, number)
    return Login(role.value, email, PASSWORD, _secret(email))


@dataclass(frozen=True, slots=True)
class Offices:
    """The agencies by code, and who acts for each."""

    agencies: dict[str, Agency]
    people: dict[tuple[Role, str], User]
    homes: dict[str, CareHome]

    def actor(self, role: Role, agency: str, moment: datetime) -> Actor:
        """Return who acts for an agency, with a second factor given at `moment`."""
        return actor_for(self.people[role, agency], Channel.COMMAND, second_factor_at=moment)


def _agencies() -> list[Agency]:
    """Return the agencies as they shall be, not saved."""
    rows = [
        Agency(code="police-national", name="National police bureau", kind=AgencyKind.POLICE),
        Agency(
            code="hospital-guangxi",
            name="Children's hospital, Nanning",
            kind=AgencyKind.HOSPITAL,
            region="Guangxi",
            phone="+86 771 0000 120",
        ),
        Agency(
            code="hospital-guangdong",
            name="Children's hospital, Guangzhou",
            kind=AgencyKind.HOSPITAL,
            region="Guangdong",
            phone="+86 20 0000 120",
        ),
        Agency(
            code="hospital-henan",
            name="Children's hospital, Zhengzhou",
            kind=AgencyKind.HOSPITAL,
            region="Henan",
        ),
        Agency(code="laboratory", name="Forensic DNA laboratory", kind=AgencyKind.LABORATORY),
        Agency(code="ngo", name="Way Home (NGO)", kind=AgencyKind.NGO, region="Guangxi"),
        Agency(
            code="vietnam",
            name="Child protection office, Lang Son",
            kind=AgencyKind.FOREIGN,
            country="VN",
        ),
        Agency(code="oversight", name="Inspection office", kind=AgencyKind.OVERSIGHT),
    ]
    for region in REGIONS:
        key = region.lower()
        rows.append(
            Agency(
                code=f"police-{key}",
                name=f"Police of {region}",
                kind=AgencyKind.POLICE,
                region=region,
            )
        )
        rows.append(
            Agency(
                code=f"welfare-{key}",
                name=f"Child welfare agency of {region}",
                kind=AgencyKind.WELFARE,
                region=region,
                phone=f"+86 000 0000 {len(rows):04}",
            )
        )
    for row in rows:
        row.kind = AgencyKind(row.kind).value
        row.name = f"{row.name} (synthetic)"
    return rows


def _found(rows: list[Agency]) -> dict[str, Agency]:
    """Save the first two agencies, bare: nobody is there yet who could confirm anything."""
    return {
        row.code: Agency.objects.create(
            code=row.code, name=row.name, kind=row.kind, region=row.region
        )
        for row in rows
        if row.code in _FOUNDERS
    }


def _settle(people: dict[tuple[Role, str], User], wanted: Agency) -> Agency:
    """Enter or change an agency as two administrators do; return it as it stands then."""
    one, other = (
        actor_for(people[Role.ADMINISTRATOR, code], Channel.COMMAND, timezone.now())
        for code in _FOUNDERS
    )
    change = save_agency(one, wanted)
    return wanted if change is None else confirm_change(other, change)


def _people(
    agencies: dict[str, Agency], people: dict[tuple[Role, str], User], rows: list[Agency]
) -> None:
    """Appoint everyone; as soon as both administrators are there, they enter the other agencies."""
    encoded = make_password(PASSWORD)

    def appoint(role: Role, code: str, name: str, email: str, password: str) -> User:
        user = User(
            email=email,
            full_name=f"{name} (synthetic)",
            person_number=f"S-{len(people) + 1:04}",
            agency=agencies[code],
            role=role.value,
            password=password,
        )
        user.full_clean()
        user.save()
        people.setdefault((role, code), user)
        return user

    seen: Counter[Role] = Counter()
    for role, code, name in sorted(_LOGINS, key=lambda row: row[0] != Role.ADMINISTRATOR):
        seen[role] += 1
        user = appoint(role, code, name, _email(role, seen[role]), encoded)
        TOTP.activate(user, _secret(user.email))
        RecoveryCodes.activate(user)
        if seen[Role.ADMINISTRATOR] == len(_FOUNDERS) and len(agencies) == len(_FOUNDERS):
            _enter(agencies, people, rows)
    shut = make_password(None)
    for code, agency in agencies.items():
        role = {
            AgencyKind.POLICE: Role.POLICE_OFFICER,
            AgencyKind.WELFARE: Role.WELFARE_WORKER,
            AgencyKind.HOSPITAL: Role.CLINICIAN,
        }.get(AgencyKind(agency.kind))
        if role is not None and (role, code) not in people:
            appoint(role, code, f"{agency.region or 'National'} duty", f"{code}@demo.example", shut)


def _enter(
    agencies: dict[str, Agency], people: dict[tuple[Role, str], User], rows: list[Agency]
) -> None:
    for row in rows:
        if row.code in agencies:
            row.pk = agencies[row.code].pk
        agencies[row.code] = _settle(people, row)


def _homes(offices: dict[str, Agency], people: dict[tuple[Role, str], User]) -> dict[str, CareHome]:
    homes = {}
    for code, agency in list(offices.items()):
        hospital = agency.kind == AgencyKind.HOSPITAL
        if not hospital and agency.kind != AgencyKind.WELFARE:
            continue
        agency.accredited = True
        agency.named_officer = people[
            Role.CLINICIAN if hospital else Role.WELFARE_WORKER, agency.code
        ]
        agency = offices[code] = _settle(people, agency)
        latitude, longitude = REGIONS[agency.region]
        large = agency.region in ("Guangxi", "Guangdong")
        homes[code] = CareHome.objects.create(
            agency=agency,
            name="Ward 3" if hospital else f"Children's home of {agency.region}",
            region=agency.region,
            latitude=latitude,
            longitude=longitude,
            hospital=hospital,
            medical_level=3 if hospital else 1,
            beds=20 if hospital else (12 if large else 4),
            carers=7 if hospital else (4 if large else 2),
            cost_per_child_day=240 if hospital else 90,
            # Agencies lacked money in 2011, and so they do here.
            budget=150_000 if hospital else (30_000 if large else 6_000),
        )
    return homes


def open_offices() -> Offices:
    """Enter agencies, people and care places."""
    rows = _agencies()
    agencies = _found(rows)
    people: dict[tuple[Role, str], User] = {}
    _people(agencies, people, rows)
    return Offices(agencies, people, _homes(agencies, people))
