"""Taking back a wrong entry: one person proposes with a reason, another confirms.

A link, a shared address or an accusation can bar a child from a household. Whoever could take one
back alone could open that household alone.
"""

from __future__ import annotations

from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from kinward_web.accounts.api import Actor
from kinward_web.audit import api as audit
from kinward_web.casework import api as casework
from kinward_web.errors import NotAllowed, Refusal
from kinward_web.registry.actions.common import (
    EntryRefused,
    announce,
    refuse,
    require_role,
    required_text,
)
from kinward_web.registry.models import (
    Correction,
    Document,
    HouseholdMember,
    IdentifierUse,
    Involvement,
    Link,
    Person,
)
from kinward_web.registry.scope import (
    documents_for,
    involvements_for,
    links_for,
    members_for,
    people_for,
    uses_for,
)
from kinward_web.rules.roles import Role

__all__ = [
    "confirm_correction",
    "corrections_for",
    "propose_correction",
    "record_of",
    "withdraw_correction",
]

Record = Link | HouseholdMember | IdentifierUse | Involvement | Document
_SOURCES = {
    "link": links_for,
    "member": members_for,
    "use": uses_for,
    "involvement": involvements_for,
    "document": documents_for,
}


def record_of(actor: Actor, name: str) -> Record:
    """Return the record named `kind:ID`, which the actor may propose or confirm to take back.

    :raises NotAllowed: there is none, or it is out of the actor's reach for writing.
    """
    kind, _colon, number = name.partition(":")
    row = None
    if kind in _SOURCES and number.isdecimal():
        row = _SOURCES[kind](actor).filter(pk=int(number)).first()
    if row is None:
        raise NotAllowed("no such record for this role")
    _require_writer(actor, row)
    return row


def _person(record: Record) -> Person:
    return record.first if isinstance(record, Link) else record.person


def _taken_back(record: Record) -> bool:
    if isinstance(record, Involvement):
        return record.standing == Involvement.Standing.MISTAKEN
    if isinstance(record, Document):
        return record.destroyed_at is not None
    return record.retracted_at is not None


def corrections_for(actor: Actor, person: Person) -> list[Correction]:
    """Return the open corrections of what the actor may see about `person`."""
    rows = list(person.corrections.filter(closed_at__isnull=True).select_related("proposed_by"))
    named: dict[str, set[int]] = {}
    for row in rows:
        kind, _colon, number = row.record.partition(":")
        named.setdefault(kind, set()).add(int(number))
    seen = {
        f"{kind}:{key}"
        for kind, keys in named.items()
        for key in _SOURCES[kind](actor).filter(pk__in=keys).values_list("pk", flat=True)
    }
    return [row for row in rows if row.record in seen]


def _require_writer(actor: Actor, record: Record) -> None:
    if isinstance(record, Involvement):
        require_role(actor, "suspects.read")
    act = "document.write" if isinstance(record, Document) else "registry.write"
    require_role(actor, act)
    ends = [record.first_id, record.second_id] if isinstance(record, Link) else [record.person_id]
    reach = "case.read" if isinstance(record, Involvement) else act
    if not people_for(actor, reach).filter(pk__in=ends).exists():
        raise NotAllowed(f"{actor.role} may not correct this")


@transaction.atomic
def propose_correction(actor: Actor, name: str, reason: str) -> Correction:
    """Propose to take back the record named `kind:ID`.

    :raises NotAllowed: it is out of the actor's reach for writing.
    :raises EntryRefused: no reason, taken back before, or proposed already.
    """
    record = record_of(actor, name)
    reason = required_text("reason", _("Reason"), reason)
    if _taken_back(record):
        raise refuse(
            "taken_back", _("This has been taken back before."), _("Nothing needs to be done.")
        )
    if Correction.objects.filter(record=name, closed_at__isnull=True).exists():
        raise refuse(
            "correction_open",
            _("This correction is proposed already."),
            _("Ask a second person to confirm it."),
        )
    row = Correction.objects.create(
        record=name, person=_person(record), reason=reason, proposed_by_id=actor.user_id
    )
    subject = f"person:{row.person.code}"
    audit.append(actor, "correction.proposed", subject, {"record": name, "correction": row.pk})
    return row


def _confirming_refusals(actor: Actor, correction: Correction, record: Record) -> list[Refusal]:
    refusals = []
    if correction.closed_at is not None:
        refusals.append(
            Refusal(
                "correction_closed",
                _("This correction is closed."),
                _("Look at the person's page as it stands now."),
            )
        )
    if correction.proposed_by_id == actor.user_id:
        refusals.append(
            Refusal(
                "same_person",
                _("You proposed this correction yourself."),
                _("A second person confirms it."),
            )
        )
    if isinstance(record, Involvement) and actor.role != Role.POLICE_ANALYST:
        refusals.append(
            Refusal(
                "role",
                _("Mistaken identity is confirmed by a police analyst."),
                _("Ask a police analyst who did not propose it."),
            )
        )
    return refusals + casework.second_factor_refusals(actor, timezone.now())


@transaction.atomic
def confirm_correction(actor: Actor, correction: Correction) -> None:
    """Confirm a correction: the record is taken back and stays on record as such.

    An involvement becomes `mistaken`, which lifts its bar; a document is destroyed and leaves a
    tombstone; all else is retracted.

    :raises NotAllowed: the record is out of the actor's reach for writing.
    :raises EntryRefused: the same person, another role, no fresh second factor, or closed.
    """
    row = Correction.objects.select_for_update().select_related("person").get(pk=correction.pk)
    record = record_of(actor, row.record)
    refusals = _confirming_refusals(actor, row, record)
    if refusals:
        raise EntryRefused(refusals)
    _take_back(record, row)
    row.confirmed_by_id, row.closed_at = actor.user_id, timezone.now()
    row.save(update_fields=["confirmed_by", "closed_at"])
    detail = {"record": row.record, "correction": row.pk, "proposed_by": row.proposed_by_id}
    audit.append(actor, "correction.confirmed", f"person:{row.person.code}", detail)
    _announce(record)


def _take_back(record: Record, correction: Correction) -> None:
    now = timezone.now()
    if isinstance(record, Involvement):
        record.standing = Involvement.Standing.MISTAKEN
        record.correction = correction.reason
        record.save(update_fields=["standing", "correction"])
    elif isinstance(record, Document):
        record.content, record.title, record.destroyed_at = b"", "", now
        record.save(update_fields=["content", "title", "destroyed_at"])
    else:
        record.retracted_at = now
        if isinstance(record, Link):
            record.retraction = correction.reason
        record.save()


def _announce(record: Record) -> None:
    if isinstance(record, Link):
        announce(record.first_id, record.second_id)
    elif isinstance(record, HouseholdMember):
        announce(*record.household.members.values_list("person_id", flat=True))
    elif isinstance(record, IdentifierUse):
        announce(*record.identifier.uses.values_list("person_id", flat=True))
    else:
        announce(record.person_id)


@transaction.atomic
def withdraw_correction(actor: Actor, correction: Correction) -> None:
    """Close a correction without taking anything back; whoever could propose it may.

    :raises NotAllowed: the record is out of the actor's reach for writing.
    :raises EntryRefused: it is closed.
    """
    row = Correction.objects.select_for_update().select_related("person").get(pk=correction.pk)
    record_of(actor, row.record)
    if row.closed_at is not None:
        raise refuse(
            "correction_closed",
            _("This correction is closed."),
            _("Look at the person's page as it stands now."),
        )
    row.closed_at = timezone.now()
    row.save(update_fields=["closed_at"])
    detail = {"record": row.record, "correction": row.pk}
    audit.append(actor, "correction.withdrawn", f"person:{row.person.code}", detail)
