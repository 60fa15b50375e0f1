"""People and what is said of them: identity, and their part in an investigation."""

from __future__ import annotations

from datetime import date

from django.db import transaction
from django.utils.translation import gettext as _

from kinward_web.accounts.api import Actor
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
from kinward_web.registry.models import Document, Involvement, Operation, Person
from kinward_web.registry.scope import get_operation, involvements_for

__all__ = [
    "change_person",
    "change_standing",
    "enter_involvement",
    "enter_person",
    "enter_suspect",
    "name_index",
    "verify_identity",
]


def name_index(name: str) -> str:
    """Return the blind index of a name; empty for none."""
    return blind_index("name", name) if name.strip() else ""


def _check_birth(born_from: date | None, born_to: date | None) -> None:
    if born_from and born_to and born_from > born_to:
        raise refuse(
            "evidence:born_to",
            _("“Born not after” lies before “born not before”."),
            _("Exchange the two days or correct them."),
        )


@transaction.atomic
def enter_person(
    actor: Actor,
    *,
    name: str = "",
    sex: str = Person.Sex.UNKNOWN,
    born_from: date | None = None,
    born_to: date | None = None,
    region: str = "",
    note: str = "",
    sealed_with: Operation | None = None,
) -> Person:
    """Enter a person; the identity counts as claimed where a name is given, else as unknown.

    :param sealed_with: an operation that has not started, with which the person stays sealed.
    :raises NotAllowed: the role enters nobody, or the operation is out of reach.
    :raises EntryRefused: the birth range is out of order.
    """
    require_role(actor, "registry.write")
    _check_birth(born_from, born_to)
    if sealed_with is not None:
        get_operation(actor, sealed_with.code)
    person = Person.objects.create(
        name=name.strip(),
        name_index=name_index(name),
        sex=sex,
        born_from=born_from,
        born_to=born_to,
        region=region,
        note=note,
        identity=Person.Identity.CLAIMED if name.strip() else Person.Identity.UNKNOWN,
        entered_by_id=actor.agency_id,
        sealed_with=sealed_with,
    )
    audit.append(actor, "person.entered", _audit_subject(person))
    return person


@transaction.atomic
def change_person(
    actor: Actor,
    person: Person,
    *,
    name: str,
    sex: str,
    born_from: date | None,
    born_to: date | None,
    region: str,
    note: str,
) -> Person:
    """Change what is on record about a person.

    Another name takes the verification away: the document spoke of the old one.

    :raises NotAllowed: the person is out of the actor's reach for writing.
    :raises EntryRefused: the birth range is out of order.
    """
    within_reach(actor, "registry.write", [person])
    _check_birth(born_from, born_to)
    row = Person.objects.select_for_update().get(pk=person.pk)
    new = {
        "name": name.strip(),
        "sex": sex,
        "born_from": born_from,
        "born_to": born_to,
        "region": region,
        "note": note,
    }
    changed = sorted(key for key, value in new.items() if getattr(row, key) != value)
    for key, value in new.items():
        setattr(row, key, value)
    if "name" in changed:
        row.name_index = name_index(name)
        row.identity = Person.Identity.CLAIMED if row.name else Person.Identity.UNKNOWN
    row.save()
    audit.append(actor, "person.changed", _audit_subject(row), {"columns": changed})
    if "name" in changed:
        announce(row.pk)
    return row


@transaction.atomic
def verify_identity(actor: Actor, person: Person, document: Document) -> None:
    """Record that an identity document proves who the person is.

    :raises NotAllowed: the person is out of the actor's reach for writing.
    :raises EntryRefused: no name, or no identity document of this very person.
    """
    within_reach(actor, "registry.write", [person])
    row = Person.objects.select_for_update().get(pk=person.pk)
    if not row.name:
        raise refuse(
            "no_name", _("No name is on record."), _("Enter the name that the document shows.")
        )
    fits = (
        document.person_id == row.pk
        and document.kind == Document.Kind.IDENTITY
        and document.destroyed_at is None
    )
    if not fits:
        raise refuse(
            "evidence:document",
            _("This is no identity document of this person."),
            _("Upload it under Documents as an identity document, then choose it here."),
        )
    row.identity = Person.Identity.VERIFIED
    row.save(update_fields=["identity"])
    detail = {"document": document.pk, "sha256": document.sha256}
    audit.append(actor, "person.verified", _audit_subject(row), detail)


def _audit_subject(person: Person) -> str:
    """Return how the audit chain names a person: by a keyed digest while the person is sealed."""
    if person.sealed_with is not None and person.sealed_with.sealed:
        return f"sealed:{blind_index('person', person.code)[:32]}"
    return f"person:{person.code}"


def _open_standing(standing: str) -> None:
    if standing == Involvement.Standing.MISTAKEN:
        raise refuse(
            "evidence:standing",
            _("Mistaken identity is not entered as a standing."),
            _("Propose the correction on the person's page; a police analyst confirms it."),
        )


def _may_accuse(actor: Actor) -> None:
    for act in ("registry.write", "suspects.read"):
        require_role(actor, act)


@transaction.atomic
def enter_involvement(
    actor: Actor,
    person: Person,
    *,
    part: str,
    standing: str,
    source: str,
    operation: Operation | None = None,
) -> Involvement:
    """Enter the part that a person plays in an investigation, with its source.

    :raises NotAllowed: the role reads no suspects, or person or operation is out of reach.
    :raises EntryRefused: no source, or `mistaken` as a standing.
    """
    _may_accuse(actor)
    within_reach(actor, "case.read", [person])
    source = required_text("source", _("Source"), source)
    _open_standing(standing)
    if operation is not None:
        get_operation(actor, operation.code)
    row = Involvement.objects.create(
        person=person,
        operation=operation,
        part=part,
        standing=standing,
        source=source,
        entered_by_id=actor.agency_id,
    )
    detail = {"involvement": row.pk, "part": part, "standing": standing}
    audit.append(actor, "involvement.entered", _audit_subject(person), detail)
    announce(person.pk)
    return row


@transaction.atomic
def enter_suspect(
    actor: Actor,
    *,
    part: str,
    standing: str,
    source: str,
    operation: Operation | None = None,
    sealed: bool = False,
    name: str = "",
    sex: str = Person.Sex.UNKNOWN,
    born_from: date | None = None,
    born_to: date | None = None,
    region: str = "",
    note: str = "",
) -> Involvement:
    """Enter a person together with the part played in an investigation.

    :param sealed: the operation has not started; the person stays sealed with it.
    :raises NotAllowed, EntryRefused: as `enter_person` and `enter_involvement`.
    """
    _may_accuse(actor)
    person = enter_person(
        actor,
        name=name,
        sex=sex,
        born_from=born_from,
        born_to=born_to,
        region=region,
        note=note,
        sealed_with=operation if sealed else None,
    )
    return enter_involvement(
        actor, person, part=part, standing=standing, source=source, operation=operation
    )


@transaction.atomic
def change_standing(actor: Actor, involvement: Involvement, standing: str, source: str) -> None:
    """Change the legal standing, with the source that says so; an acquittal lifts no bar.

    :raises NotAllowed: out of the actor's reach.
    :raises EntryRefused: no source, a corrected involvement, or `mistaken` as the new standing.
    """
    _may_accuse(actor)
    row = involvements_for(actor).filter(pk=involvement.pk).first()
    if row is None:
        raise NotAllowed("no such involvement for this role")
    row = Involvement.objects.select_for_update().select_related("person").get(pk=row.pk)
    source = required_text("source", _("Source"), source)
    _open_standing(standing)
    if row.standing == Involvement.Standing.MISTAKEN:
        raise refuse(
            "corrected",
            _("This was corrected as mistaken identity."),
            _("If the suspicion is new, enter it anew with its source."),
        )
    before, row.standing = row.standing, standing
    row.source = f"{row.source}\n{source}"
    row.save(update_fields=["standing", "source"])
    detail = {"involvement": row.pk, "from": before, "to": standing}
    audit.append(actor, "involvement.standing", _audit_subject(row.person), detail)
    announce(row.person_id)
