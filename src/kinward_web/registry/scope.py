"""Who sees which operation and which person: the one place where the registry is scoped.

An operation that has not started is sealed: only its insiders find it, or whoever was entered for
it, by any query here. Everything else in the registry asks these functions first.
"""

from __future__ import annotations

from django.db.models import Q, QuerySet
from django.utils import timezone

from kinward_web.accounts.api import Actor
from kinward_web.casework import api as casework
from kinward_web.errors import NotAllowed
from kinward_web.registry.models import (
    Document,
    HouseholdMember,
    IdentifierUse,
    Involvement,
    Link,
    Operation,
    Person,
)
from kinward_web.rules.roles import Reach, reach_of

__all__ = [
    "BARRING",
    "FAMILY",
    "documents_for",
    "get_operation",
    "get_person",
    "involvements_for",
    "links_for",
    "members_for",
    "operations_for",
    "people_for",
    "reads_suspects",
    "unsealed",
    "uses_for",
]

FAMILY = (Link.Kind.PARENT, Link.Kind.PARTNER, Link.Kind.SIBLING, Link.Kind.KIN)
"""Links that make a person one of the family; the others belong to the investigation."""
BARRING = Q(part__in=("suspect", "buyer", "broker")) & ~Q(standing="mistaken")
"""Involvements that bar custody absolutely."""


def unsealed(actor: Actor, path: str = "") -> Q:
    """Return the condition that an operation is not sealed to `actor`.

    :param path: lookup of the operation from the queried model, such as `operation__`.
    """
    open_now = Q(**{f"{path}starts_at__lte": timezone.now()})
    if actor.user_id is None:
        return open_now
    inside = Operation.insiders.through.objects.filter(user_id=actor.user_id)
    return open_now | Q(**{f"{path}id__in": inside.values("operation_id")})


def _unsealed_or_none(actor: Actor, field: str) -> Q:
    return Q(**{f"{field}__isnull": True}) | unsealed(actor, f"{field}__")


def operations_for(actor: Actor, act: str = "operation.read") -> QuerySet[Operation]:
    """Return the operations that `actor` may do `act` on; sealed ones only to insiders.

    :raises KeyError: `act` is no permission.
    """
    reach = reach_of(actor.role, act)
    operations = Operation.objects.filter(unsealed(actor))
    if reach is None:
        return operations.none()
    if reach == Reach.ALL or (reach == Reach.REGION and not actor.region):
        return operations
    own = Q(lead_id=actor.agency_id)
    if act == "operation.read":
        own |= Q(
            pk__in=Operation.agencies.through.objects.filter(agency_id=actor.agency_id).values(
                "operation_id"
            )
        )
        own |= Q(sites__agency_id=actor.agency_id)
        own |= Q(pk__in=casework.cases_for(actor).values("operation_id"))
        if actor.user_id is not None:
            own |= Q(insiders=actor.user_id)
    if reach == Reach.REGION:
        own |= Q(lead__region=actor.region) | Q(sites__region=actor.region)
    return operations.filter(pk__in=Operation.objects.filter(own).values("pk"))


def get_operation(actor: Actor, code: str, act: str = "operation.read") -> Operation:
    """Return the operation `code`.

    :raises NotAllowed: there is none, it is sealed, or it is out of reach; all look alike.
    """
    found = operations_for(actor, act).select_related("campaign", "lead").filter(code=code).first()
    if found is None:
        raise NotAllowed("no such operation for this role")
    return found


def reads_suspects(actor: Actor) -> bool:
    """Return whether the role may read suspects, buyers and the links of an investigation."""
    return reach_of(actor.role, "suspects.read") is not None


def involvements_for(actor: Actor) -> QuerySet[Involvement]:
    """Return the involvements that `actor` may read, sealed operations left out."""
    reach = reach_of(actor.role, "suspects.read")
    rows = Involvement.objects.filter(
        _unsealed_or_none(actor, "operation"), _unsealed_or_none(actor, "person__sealed_with")
    )
    if reach is None:
        return rows.none()
    if reach == Reach.ALL or not actor.region:
        return rows
    children = casework.cases_for(actor).values("child_id")
    return rows.filter(
        Q(person__region=actor.region)
        | Q(entered_by__region=actor.region)
        | Q(entered_by_id=actor.agency_id)
        | Q(operation__lead_id=actor.agency_id)
        | Q(operation__lead__region=actor.region)
        | Q(person__in=Link.objects.filter(second__in=children).values("first_id"))
        | Q(person__in=Link.objects.filter(first__in=children).values("second_id"))
    )


def people_for(actor: Actor, act: str = "case.read") -> QuerySet[Person]:
    """Return the people within the actor's reach for `act`, one row each.

    They are the children of the cases, their families and households, whoever the own agency
    entered, and, for roles that read suspects, those of the investigation. Other roles see someone
    who is accused only as one of the family, and the accusation not at all.

    :raises KeyError: `act` is no permission.
    """
    reach = reach_of(actor.role, act)
    open_people = Person.objects.filter(_unsealed_or_none(actor, "sealed_with"))
    if reach is None:
        return open_people.none()
    suspects = reach_of(actor.role, "suspects.read")
    if suspects == Reach.ALL and act in ("case.read", "suspects.read"):
        return open_people
    children = casework.cases_for(actor, act).values("child_id")
    kinds = Link.Kind.values if suspects else FAMILY
    links = Link.objects.filter(kind__in=kinds)
    family = (
        Q(pk__in=children)
        | Q(pk__in=links.filter(first__in=children).values("second_id"))
        | Q(pk__in=links.filter(second__in=children).values("first_id"))
    )
    if reach_of(actor.role, "registry.write") is not None:
        family |= Q(entered_by_id=actor.agency_id)
    shared = HouseholdMember.objects.filter(household__members__person__in=children)
    home = Q(pk__in=shared.values("person_id"))
    if suspects:
        known = family | home | Q(pk__in=involvements_for(actor).values("person_id"))
    else:
        accused = Involvement.objects.filter(BARRING).values("person_id")
        known = family | (home & ~Q(pk__in=accused))
    return open_people.filter(known)


def get_person(actor: Actor, code: str, act: str = "case.read") -> Person:
    """Return the person `code`.

    :raises NotAllowed: there is none, or the person is out of reach; the two look alike.
    """
    person = people_for(actor, act).select_related("entered_by", "case").filter(code=code).first()
    if person is None:
        raise NotAllowed("no such person for this role")
    return person


def links_for(actor: Actor) -> QuerySet[Link]:
    """Return the links of which `actor` may see both ends; those of the investigation by role."""
    people = people_for(actor).values("pk")
    kinds = Link.Kind.values if reads_suspects(actor) else FAMILY
    return Link.objects.filter(first__in=people, second__in=people, kind__in=kinds)


def members_for(actor: Actor) -> QuerySet[HouseholdMember]:
    """Return the members of households whom `actor` may see."""
    return HouseholdMember.objects.filter(person__in=people_for(actor).values("pk"))


def uses_for(actor: Actor) -> QuerySet[IdentifierUse]:
    """Return the uses of identifiers by people whom `actor` may see."""
    return IdentifierUse.objects.filter(person__in=people_for(actor).values("pk"))


def documents_for(
    actor: Actor, act: str = "case.read", person: int | None = None
) -> QuerySet[Document]:
    """Return the documents that `actor` may read; medical ones with `medical.read` alone.

    :param person: only those of this person. Whether it is the child of a case within reach, which
        it mostly is, is asked first: that needs no look at families and households.
    """
    documents = Document.objects.all() if person is None else Document.objects.filter(person=person)
    children = casework.cases_for(actor, act, few=True).filter(child_id=person)
    if person is not None and children.exists():
        documents = documents.filter(_unsealed_or_none(actor, "person__sealed_with"))
    else:
        documents = documents.filter(person__in=people_for(actor, act).values("pk"))
    medical = reach_of(actor.role, "medical.read")
    if medical is None:
        return documents.exclude(kind=Document.Kind.MEDICAL)
    children = casework.cases_for(actor, "medical.read").values("child_id")
    return documents.filter(~Q(kind=Document.Kind.MEDICAL) | Q(person__in=children))
