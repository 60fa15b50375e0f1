"""Search across agencies: a record within reach, or no more than whom to call.

What lies outside the actor's reach is answered with the name and telephone of the agency that
entered it: not who, how many, or why. Whatever is sealed with an operation is not there for others.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum

from django.db import transaction
from django.db.models import Q, QuerySet
from django.utils import timezone
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from kinward_web.accounts.api import Actor, Agency
from kinward_web.audit import api as audit
from kinward_web.registry.actions.common import (
    EntryRefused,
    refuse,
    require_role,
    required_text,
)
from kinward_web.registry.actions.people import name_index
from kinward_web.registry.actions.ties import identifier_index
from kinward_web.registry.models import IdentifierUse, Operation, Person
from kinward_web.registry.scope import people_for

__all__ = ["LIMITS", "SEARCHED_BY", "Found", "SearchKind", "search_people"]

LIMITS = ((timedelta(minutes=10), 30), (timedelta(days=1), 200))
"""Most searches of one login within each time."""
_ACT = "registry.search"
_MOST = 50
"""Most people looked at; a name that more people bear is no search key."""


class SearchKind(StrEnum):
    """What one searches by."""

    NAME = "name"
    PHONE = "phone"
    IDENTITY_DOCUMENT = "identity_document"


SEARCHED_BY: dict[SearchKind, str | Promise] = {
    SearchKind.NAME: gettext_lazy("name"),
    SearchKind.PHONE: gettext_lazy("telephone"),
    SearchKind.IDENTITY_DOCUMENT: gettext_lazy("number of an identity document"),
}


@dataclass(frozen=True, slots=True)
class Found:
    """The answer to one search."""

    people: tuple[Person, ...]
    """Within the actor's reach."""
    agencies: tuple[Agency, ...]
    """Agencies that may know the person; nothing else of what they know is told."""


def _matches(kind: SearchKind, text: str) -> tuple[str, QuerySet[Person]]:
    if kind == SearchKind.NAME:
        index = name_index(text)
        return index, Person.objects.filter(name_index=index)
    index = identifier_index(kind, text)
    uses = IdentifierUse.objects.filter(
        identifier__kind=kind.value,
        identifier__value_index=index,
        identifier__institution__isnull=True,
        retracted_at__isnull=True,
    )
    return index, Person.objects.filter(pk__in=uses.values("person_id"))


def _check_rate(actor: Actor) -> None:
    now = timezone.now()
    mine = audit.AuditEvent.objects.filter(actor_id=actor.user_id, act=_ACT)
    for span, most in LIMITS:
        if mine.filter(at__gt=now - span).count() > most:
            raise refuse(
                "rate",
                _("That was more than %(n)d searches in %(time)s minutes.")
                % {"n": most, "time": int(span.total_seconds() // 60)},
                _("Wait, or ask the agency that you think knows the person."),
            )


def _telling(people: QuerySet[Person]) -> QuerySet[Person]:
    """Leave out people sealed with an operation that has not started."""
    sealed = Operation.objects.filter(starts_at__gt=timezone.now())
    return people.filter(Q(sealed_with__isnull=True) | ~Q(sealed_with__in=sealed.values("pk")))


def search_people(actor: Actor, kind: SearchKind, text: str, purpose: str) -> Found:
    """Search people by name, telephone or number of an identity document, written in full.

    :param purpose: a key of `audit.api.PURPOSES`; none of them is a search for offenders.
    :raises NotAllowed: the role does not search.
    :raises EntryRefused: nothing to search for, or more searches than allowed.
    :raises ValueError: `purpose` is not in `PURPOSES`.
    """
    require_role(actor, _ACT)
    text = required_text("text", _("What to search for"), text)
    try:
        with transaction.atomic():
            return _search(actor, kind, text, purpose)
    except EntryRefused:
        with transaction.atomic():
            audit.append(actor, f"{_ACT}.refused", "", {"code": "rate"})
        raise


def _search(actor: Actor, kind: SearchKind, text: str, purpose: str) -> Found:
    index, matches = _matches(kind, text)
    purpose = audit.Purpose(purpose).value
    keys = list(matches.values_list("pk", flat=True)[:_MOST])
    reach = people_for(actor).filter(pk__in=keys)
    own = tuple(reach.select_related("case", "entered_by").order_by("code"))
    others = _telling(Person.objects.filter(pk__in=set(keys) - {person.pk for person in own}))
    agencies = tuple(
        Agency.objects.filter(pk__in=set(others.values_list("entered_by_id", flat=True)))
    )
    # The keyed digest shows a search that is repeated, not what was searched for.
    detail = {
        "kind": kind.value,
        "key": index[:16],
        "purpose": purpose,
        "within": len(own),
        "agencies": [agency.code for agency in agencies],
    }
    # Counted after the event is appended: the lock of the chain makes two at once count right.
    audit.append(actor, _ACT, "", detail)
    _check_rate(actor)
    return Found(own, agencies)
