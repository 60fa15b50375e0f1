"""The links between people as custody counts them: retracted ones and institutions left out."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from django.db.models import Q

from kinward_web.registry.models import (
    HouseholdMember,
    IdentifierUse,
    Involvement,
    Link,
    Person,
)
from kinward_web.rules.custody import BARRING_PARTS, LIFTING_STANDING

__all__ = ["Edge", "PersonFacts", "adults_of", "links_of", "people_facts", "within"]


@dataclass(frozen=True, slots=True, order=True)
class Edge:
    """One link between two people, as a row of the view `custody_edge`."""

    low: int
    high: int
    """Ids of the two people in order."""
    kind: str
    via: str
    """The very link: `link:ID`, `household:ID` or `identifier:ID`."""

    def other(self, person: int) -> int:
        """Return the person at the other end."""
        return self.high if person == self.low else self.low


@dataclass(frozen=True, slots=True)
class PersonFacts:
    """What counts about one person."""

    code: str
    identity: str
    barring: tuple[str, ...]
    """The parts (suspect, buyer, broker) that bar this person; empty for most."""


def _edge(one: int, other: int, kind: str, via: str) -> Edge:
    return Edge(min(one, other), max(one, other), kind, via)


def _barring_involvements() -> Q:
    return Q(part__in=BARRING_PARTS) & ~Q(standing=LIFTING_STANDING)


def links_of(people: Collection[int], only_to_barring: bool = False) -> set[Edge]:
    """Return every link of the people given, in a fixed number of queries.

    Each query begins at an index over the people given, whatever the size of the registry.

    :param only_to_barring: leave out links whose two ends both bar nobody.
    """
    if not people:
        return set()
    live = Link.objects.filter(retracted_at__isnull=True)
    columns = ("first_id", "second_id", "kind", "pk")
    links = {
        *live.filter(first_id__in=people).values_list(*columns),
        *live.filter(second_id__in=people).values_list(*columns),
    }
    found = {_edge(one, two, kind, f"link:{pk}") for one, two, kind, pk in links}
    members = HouseholdMember.objects.filter(
        person_id__in=people,
        retracted_at__isnull=True,
        household__members__retracted_at__isnull=True,
    ).values_list("person_id", "household__members__person_id", "household_id")
    found |= {
        _edge(one, two, "household", f"household:{pk}") for one, two, pk in members if one != two
    }
    uses = IdentifierUse.objects.filter(
        person_id__in=people,
        retracted_at__isnull=True,
        identifier__institution__isnull=True,
        identifier__uses__retracted_at__isnull=True,
    ).values_list("person_id", "identifier__uses__person_id", "identifier__kind", "identifier_id")
    found |= {
        _edge(one, two, kind, f"identifier:{pk}") for one, two, kind, pk in uses if one != two
    }
    if not only_to_barring:
        return found
    ends = {end for edge in found for end in (edge.low, edge.high)}
    rows = Involvement.objects.filter(_barring_involvements(), person_id__in=ends)
    barring = set(rows.values_list("person_id", flat=True))
    return {edge for edge in found if edge.low in barring or edge.high in barring}


def within(people: Collection[int], steps: int) -> set[int]:
    """Return everyone within so many steps of the people given, themselves included."""
    reached, edge_of_reach = set(people), set(people)
    for _step in range(steps):
        found = {end for edge in links_of(edge_of_reach) for end in (edge.low, edge.high)}
        edge_of_reach = found - reached
        reached |= found
    return reached


def people_facts(people: Collection[int]) -> dict[int, PersonFacts]:
    """Return code, identity and barring parts of people, by id, in two queries."""
    parts: dict[int, set[str]] = {}
    rows = Involvement.objects.filter(_barring_involvements(), person_id__in=people)
    for person, part in rows.values_list("person_id", "part"):
        parts.setdefault(person, set()).add(part)
    return {
        pk: PersonFacts(code, identity, tuple(sorted(parts.get(pk, ()))))
        for pk, code, identity in Person.objects.filter(pk__in=people).values_list(
            "pk", "code", "identity"
        )
    }


def adults_of(household_id: int) -> dict[int, bool]:
    """Return the adults of a household by id, and whether each still lives there."""
    rows = HouseholdMember.objects.filter(
        household_id=household_id, adult=True, retracted_at__isnull=True
    )
    return {person: until is None for person, until in rows.values_list("person_id", "until")}
