"""What the other applications may use of `registry`."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date, datetime

from django.utils import timezone

from kinward_web.registry.models import Document, Operation, Person, new_code
from kinward_web.registry.network import (
    Edge,
    PersonFacts,
    adults_of,
    links_of,
    people_facts,
    within,
)
from kinward_web.registry.signals import graph_changed

__all__ = [
    "Edge",
    "PersonFacts",
    "adults_of",
    "campaign_of",
    "document_digests",
    "document_kinds",
    "graph_changed",
    "links_of",
    "new_code",
    "operation_exists",
    "operation_started",
    "people_facts",
    "set_birth_range",
    "within",
]


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
