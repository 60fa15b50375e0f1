"""What the other applications may use of `registry`."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date, datetime
from typing import TYPE_CHECKING

from django.db.models import Q, QuerySet
from django.utils import timezone

from kinward_web.registry.models import (
    Document,
    Household,
    IdentifierUse,
    Involvement,
    Operation,
    Person,
    new_code,
)
from kinward_web.registry.network import (
    Edge,
    PersonFacts,
    adults_of,
    links_of,
    people_facts,
    within,
)
from kinward_web.registry.signals import graph_changed

# The scope of the registry asks casework for cases, and casework asks this module: the functions
# below import it when they are called.
if TYPE_CHECKING:
    from kinward_web.accounts.api import Actor

__all__ = [
    "Edge",
    "PersonFacts",
    "adults_of",
    "campaign_of",
    "document_digests",
    "document_kinds",
    "documents_of",
    "enter_child",
    "find_household",
    "find_person",
    "graph_changed",
    "identifier_in_use",
    "ids_of_codes",
    "links_of",
    "new_code",
    "operation_exists",
    "operation_started",
    "operations_under_way",
    "people_facts",
    "photographs_of",
    "sealed_bars",
    "set_birth_range",
    "within",
]


def identifier_in_use(kind: str, value: str) -> bool:
    """Return whether somebody on record uses this, sealed people left out."""
    from kinward_web.registry.actions.ties import identifier_index

    uses = IdentifierUse.objects.filter(
        identifier__kind=kind,
        identifier__value_index=identifier_index(kind, value),
        identifier__institution__isnull=True,
        retracted_at__isnull=True,
    )
    now = timezone.now()
    return uses.filter(
        Q(person__sealed_with__isnull=True) | Q(person__sealed_with__starts_at__lte=now)
    ).exists()


def document_kinds(person_id: int) -> dict[int, str]:
    """Return the kind of each document of a person that has not been destroyed, by id."""
    rows = Document.objects.filter(person_id=person_id, destroyed_at__isnull=True)
    return dict(rows.values_list("pk", "kind"))


def document_digests(ids: Iterable[int]) -> dict[int, str]:
    """Return the SHA-256 of each document that has not been destroyed, by id."""
    rows = Document.objects.filter(pk__in=list(ids), destroyed_at__isnull=True)
    return dict(rows.values_list("pk", "sha256"))


def operation_exists(operation_id: int) -> bool:
    """Return whether there is such an operation and it is no longer sealed.

    One that has not started looks like none: a refusal must not give it away.
    """
    return operation_started(operation_id, timezone.now())


def operation_started(operation_id: int, moment: datetime) -> bool:
    """Return whether the operation has started by `moment`."""
    return Operation.objects.filter(pk=operation_id, starts_at__lte=moment).exists()


def campaign_of(operation_id: int) -> int | None:
    """Return the campaign to which an operation belongs."""
    rows = Operation.objects.filter(pk=operation_id)
    return rows.values_list("campaign_id", flat=True).first()


def set_birth_range(person_id: int, born_from: date, born_to: date) -> None:
    """Record between which days a person was born, as an examination estimates."""
    Person.objects.filter(pk=person_id).update(born_from=born_from, born_to=born_to)


def enter_child(actor: Actor, *, name: str, sex: str, region: str) -> Person:
    """Enter a child before its case is opened.

    :raises NotAllowed: the role enters nobody.
    """
    from kinward_web.registry.actions import enter_person

    return enter_person(actor, name=name, sex=sex, region=region)


def find_person(actor: Actor, code: str) -> Person | None:
    """Return the person `code` if within the actor's reach for entering people, else None."""
    from kinward_web.registry.scope import people_for

    return people_for(actor, "registry.write").filter(code=code.strip().upper()).first()


def find_household(actor: Actor, code: str) -> Household | None:
    """Return the household `code` if the actor may see it, else None."""
    from kinward_web.registry.scope import members_for

    rows = Household.objects.filter(code=code.strip().upper())
    seen = members_for(actor).values("household_id")
    return rows.filter(Q(pk__in=seen) | Q(entered_by_id=actor.agency_id)).first()


def ids_of_codes(codes: Iterable[str]) -> dict[str, int]:
    """Return the id of each person by code; unknown codes are left out."""
    return dict(Person.objects.filter(code__in=list(codes)).values_list("code", "pk"))


def operations_under_way(actor: Actor) -> QuerySet[Operation]:
    """Return the operations that have started and that the actor may see, newest first."""
    from kinward_web.registry.scope import operations_for

    return operations_for(actor).filter(starts_at__lte=timezone.now()).order_by("-starts_at")


def documents_of(actor: Actor, person_id: int) -> QuerySet[Document]:
    """Return the documents of a person that the actor may read, newest first, without content."""
    from kinward_web.registry.scope import documents_for

    rows = documents_for(actor, person=person_id).filter(destroyed_at__isnull=True)
    return rows.defer("content").order_by("-uploaded_at", "-pk")


def photographs_of(actor: Actor, people: Iterable[int]) -> dict[int, list[int]]:
    """Return the ids of the photographs of each person that the actor may read, newest first.

    One query, whatever the number of people; whoever has none is left out.
    """
    from kinward_web.registry.scope import documents_for

    rows = documents_for(actor).filter(
        person_id__in=list(people), kind=Document.Kind.PHOTOGRAPH, destroyed_at__isnull=True
    )
    found: dict[int, list[int]] = {}
    for person, pk in rows.order_by("-pk").values_list("person_id", "pk"):
        found.setdefault(person, []).append(pk)
    return found


def sealed_bars(actor: Actor, codes: Iterable[str]) -> dict[str, str]:
    """Return, by code, the agency to ask about each person whose bar is sealed to `actor`.

    Sealed is a person who was entered for an operation that has not started, or whose every bar
    comes from such operations.
    """
    from kinward_web.registry.scope import BARRING, unsealed

    rows = Involvement.objects.filter(BARRING, person__code__in=list(codes))
    bars = list(rows.select_related("operation__lead", "person__sealed_with__lead"))
    operations = {row.operation_id for row in bars} | {row.person.sealed_with_id for row in bars}
    seen = Operation.objects.filter(unsealed(actor), pk__in=operations - {None})
    open_to = {None, *seen.values_list("pk", flat=True)}
    hidden: dict[str, str] = {}
    shown: set[str] = set()
    for row in bars:
        person = row.person
        if person.sealed_with_id not in open_to:
            hidden[person.code] = person.sealed_with.lead.name
        elif row.operation_id not in open_to:
            hidden.setdefault(person.code, row.operation.lead.name)
        else:
            shown.add(person.code)
    return {code: agency for code, agency in hidden.items() if code not in shown}
