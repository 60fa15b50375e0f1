"""What joins people: links, households and identifiers. Nothing here is ever erased."""

from __future__ import annotations

import unicodedata
from datetime import date

from django.db import transaction
from django.utils.translation import gettext as _

from kinward_web.accounts.api import Actor, Agency
from kinward_web.audit import api as audit
from kinward_web.errors import NotAllowed
from kinward_web.fields import blind_index
from kinward_web.registry.actions.common import (
    announce,
    refuse,
    require_role,
    required_text,
    within_reach,
)
from kinward_web.registry.models import (
    Household,
    HouseholdMember,
    Identifier,
    IdentifierUse,
    Link,
    Person,
)
from kinward_web.registry.scope import FAMILY, members_for, people_for, reads_suspects

__all__ = [
    "add_identifier",
    "add_member",
    "enter_household",
    "enter_link",
    "households_for",
    "identifier_index",
    "institution_of",
    "join_household",
    "move_out",
]

_COUNTRY_CODES = {"86": 11, "84": 9}
"""Calling code and digits of a full national number without a leading zero."""


def _plain(text: str) -> str:
    return unicodedata.normalize("NFKC", text).strip()


def _phone(text: str) -> str:
    """Return the national number: the same telephone is written in many ways."""
    plain = _plain(text)
    digits = "".join(sign for sign in plain if sign.isdigit())
    abroad = plain.startswith("+") or digits.startswith("00")
    digits = digits.lstrip("0")
    for code, length in _COUNTRY_CODES.items():
        if digits.startswith(code) and (abroad or len(digits) >= len(code) + length):
            return digits[len(code) :].lstrip("0")
    return digits


def identifier_index(kind: str, value: str) -> str:
    """Return the blind index of an identifier, the same for every usual way of writing it."""
    plain = _phone(value) if kind == Identifier.Kind.PHONE else _plain(value)
    return blind_index(kind, plain)


def institution_of(kind: str, value: str) -> Agency | None:
    """Return the agency whose own telephone or address this is."""
    if kind not in (Identifier.Kind.PHONE, Identifier.Kind.ADDRESS):
        return None
    field = "phone" if kind == Identifier.Kind.PHONE else "address"
    wanted = identifier_index(kind, value)
    for agency in Agency.objects.exclude(**{field: ""}):
        if identifier_index(kind, getattr(agency, field)) == wanted:
            return agency
    return None


@transaction.atomic
def enter_link(actor: Actor, first: Person, second: Person, kind: str, source: str) -> Link:
    """Enter a link between two people, with its source.

    :param first: the parent, or the payer; else either of the two.
    :raises NotAllowed: one of them is out of sight, neither is within reach for writing, or the
        role does not enter links of an investigation.
    :raises EntryRefused: no source, the same person twice, or a link that is on record.
    """
    require_role(actor, "registry.write")
    within_reach(actor, "case.read", [first, second])
    keys = [first.pk, second.pk]
    if not people_for(actor, "registry.write").filter(pk__in=keys).exists():
        raise NotAllowed("neither person is within reach for writing")
    if kind not in FAMILY and not reads_suspects(actor):
        raise NotAllowed("links of an investigation are entered by the police")
    source = required_text("source", _("Source"), source)
    if first.pk == second.pk:
        raise refuse(
            "evidence:second",
            _("A link joins two people."),
            _("Choose the other person."),
        )
    # Siblings, partners, kin and contacts are the same link from either end.
    directed = kind in (Link.Kind.PARENT, Link.Kind.PAYMENT)
    ends = [(first, second)] if directed else [(first, second), (second, first)]
    for one, other in ends:
        if Link.objects.filter(
            first=one, second=other, kind=kind, retracted_at__isnull=True
        ).exists():
            raise refuse(
                "link_known",
                _("This link is on record already."),
                _("Open either person's page to see it and its source."),
            )
    link = Link.objects.create(
        first=first, second=second, kind=kind, source=source, entered_by_id=actor.agency_id
    )
    detail = {"link": link.pk, "kind": kind, "to": second.code}
    audit.append(actor, "link.entered", f"person:{first.code}", detail)
    announce(first.pk, second.pk)
    return link


def households_for(actor: Actor) -> list[Household]:
    """Return the households of which the actor may see a member, or that the own agency entered."""
    seen = members_for(actor).values("household_id")
    mine = Household.objects.filter(entered_by_id=actor.agency_id)
    return list((Household.objects.filter(pk__in=seen) | mine).distinct().order_by("code"))


@transaction.atomic
def enter_household(actor: Actor, *, region: str, address: str) -> Household:
    """Enter a household.

    :raises NotAllowed: the role enters no households.
    :raises EntryRefused: the address is that of an agency.
    """
    require_role(actor, "registry.write")
    if address and institution_of(Identifier.Kind.ADDRESS, address) is not None:
        raise refuse(
            "evidence:address",
            _("This is the address of an agency, not of a household."),
            _("Propose the care place itself; it needs no screening of a household."),
        )
    household = Household.objects.create(
        region=region, address=address.strip(), entered_by_id=actor.agency_id
    )
    audit.append(actor, "household.entered", f"household:{household.code}")
    return household


@transaction.atomic
def add_member(
    actor: Actor, household: Household, person: Person, *, adult: bool, until: date | None = None
) -> HouseholdMember:
    """Record that a person lives, or lived, in a household.

    :param until: the day on which the person moved out; the link stays.
    :raises NotAllowed: household or person is out of reach.
    :raises EntryRefused: the person is recorded there already.
    """
    require_role(actor, "registry.write")
    within_reach(actor, "case.read", [person])
    if household.pk not in {row.pk for row in households_for(actor)}:
        raise NotAllowed("no such household for this role")
    known = household.members.filter(person=person, retracted_at__isnull=True)
    if known.exists():
        raise refuse(
            "member_known",
            _("This person is recorded in this household already."),
            _("Record the day of moving out there, if that is what has changed."),
        )
    member = HouseholdMember.objects.create(
        household=household, person=person, adult=adult, until=until
    )
    detail = {"member": member.pk, "adult": adult, "person": person.code}
    audit.append(actor, "household.member", f"household:{household.code}", detail)
    announce(*household.members.values_list("person_id", flat=True))
    return member


@transaction.atomic
def join_household(
    actor: Actor,
    person: Person,
    household: Household | None,
    *,
    adult: bool,
    region: str = "",
    address: str = "",
) -> HouseholdMember:
    """Record that a person lives in a household, entering it first where it is new (None).

    :raises NotAllowed, EntryRefused: as `enter_household` and `add_member`; nothing is kept then.
    """
    home = household or enter_household(actor, region=region, address=address)
    return add_member(actor, home, person, adult=adult)


@transaction.atomic
def move_out(actor: Actor, member: HouseholdMember, until: date) -> None:
    """Record the day on which a person left a household; having lived together stays a link.

    :raises NotAllowed: the person is out of the actor's reach for writing.
    """
    within_reach(actor, "registry.write", [member.person])
    member.until = until
    member.save(update_fields=["until"])
    subject = f"household:{member.household.code}"
    audit.append(actor, "household.moved_out", subject, {"member": member.pk, "until": until})
    announce(*member.household.members.values_list("person_id", flat=True))


@transaction.atomic
def add_identifier(
    actor: Actor, person: Person, *, kind: str, value: str, source: str
) -> IdentifierUse:
    """Record that a person uses a telephone, address, document, account or vehicle.

    Whatever is an agency's own telephone or address is marked as such and links nobody. What
    somebody uses already goes on linking people until those uses are corrected by two.

    :raises NotAllowed: the person is out of the actor's reach for writing.
    :raises EntryRefused: no value or source, or this use is on record.
    """
    within_reach(actor, "registry.write", [person])
    value = required_text("value", _("Value"), value)
    source = required_text("source", _("Source"), source)
    index = identifier_index(kind, value)
    agency = institution_of(kind, value)
    row, _made = Identifier.objects.get_or_create(
        kind=kind, value_index=index, defaults={"value": value, "institution": agency}
    )
    used = row.uses.filter(retracted_at__isnull=True).exists()
    if agency is not None and row.institution_id is None and not used:
        row.institution = agency
        row.save(update_fields=["institution"])
        detail = {"agency": agency.code}
        audit.append(actor, "identifier.institutional", f"identifier:{row.pk}", detail)
    if row.uses.filter(person=person, retracted_at__isnull=True).exists():
        raise refuse(
            "identifier_known",
            _("This is on record for this person already."),
            _("Nothing needs to be entered."),
        )
    use = IdentifierUse.objects.create(
        identifier=row, person=person, source=source, entered_by_id=actor.agency_id
    )
    detail = {"use": use.pk, "kind": kind, "institutional": row.institution_id is not None}
    audit.append(actor, "identifier.entered", f"person:{person.code}", detail)
    announce(*row.uses.values_list("person_id", flat=True))
    return use
