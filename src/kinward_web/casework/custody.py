"""The custody guard: who in a household, among escorts and payers, bars a placement, and why.

A suspect, buyer or broker bars whatever anyone signs. A link to one within two steps bars until
police and welfare have cleared that very link for this case. Unknown identity bars. Being kin is
never a reason to approve. No role, and nobody, stands above this; `constraints/custody.py` is its
twin in the database.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.utils.translation import gettext as _

from kinward_web.accounts.api import Actor
from kinward_web.casework.models import Case, Clearance, LinkClearance, Placement
from kinward_web.registry import api as registry
from kinward_web.registry.api import Edge, PersonFacts
from kinward_web.rules.custody import VERIFIED, Bar
from kinward_web.rules.policy import load_policy

__all__ = [
    "SEALED",
    "Denial",
    "PathLink",
    "PathStep",
    "Route",
    "Screened",
    "Screening",
    "affected_placements",
    "freeze",
    "kind_label",
    "part_label",
    "screen",
]

SEALED = "sealed"
"""Code of a denial whose reason is under seal for whoever looks (`casework/sealed.py`)."""
HOUSEHOLD = "household"
"""The capacity of someone who is screened as an adult of the household."""


@dataclass(frozen=True, slots=True)
class PathLink:
    """One link of a step; several may join the same two people."""

    kind: str
    via: str
    cleared: bool


@dataclass(frozen=True, slots=True)
class PathStep:
    """One step of a route, with every link that joins the two people."""

    source: str
    target: str
    """Codes of the two people, in the direction of the route."""
    links: tuple[PathLink, ...]

    @property
    def open_links(self) -> tuple[PathLink, ...]:
        """Return the links that nobody has cleared."""
        return tuple(link for link in self.links if not link.cleared)


@dataclass(frozen=True, slots=True)
class Route:
    """How someone screened is linked to a suspect, buyer or broker: one step or two."""

    person: str
    steps: tuple[PathStep, ...]
    parts: tuple[str, ...]
    """What the person at the end is."""

    @property
    def end(self) -> str:
        """Return the code of the person at the end."""
        return self.steps[-1].target


@dataclass(frozen=True, slots=True)
class Denial:
    """One reason to refuse a placement, with the legitimate path beside it."""

    code: str
    """A value of `rules.custody.Bar`."""
    person: str
    """Code of the person screened; empty where nobody lives in the household."""
    parts: tuple[str, ...] = ()
    """What the person is, for `involved`; the agency to ask, for `sealed`."""
    route: Route | None = None
    """How the person is linked, for `linked`."""

    @property
    def message(self) -> str:
        """Return the reason in one sentence."""
        if self.code == SEALED:
            return _("%(person)s is barred for a reason under seal; contact %(agency)s.") % {
                "person": self.person,
                "agency": _join(self.parts),
            }
        if self.code == Bar.INVOLVED:
            return _("%(person)s is on record as %(parts)s.") % {
                "person": self.person,
                "parts": _join(map(part_label, self.parts)),
            }
        if self.code == Bar.UNVERIFIED:
            return _("Nobody has verified who %(person)s is.") % {"person": self.person}
        if self.code == Bar.EMPTY or self.route is None:
            return _("No adult is known to live in this household.")
        route = self.route
        words = {
            "person": self.person,
            "end": route.end,
            "parts": _join(map(part_label, route.parts)),
            "first": _links_in_words(route.steps[0]),
        }
        if len(route.steps) == 1:
            return _("%(person)s is linked to %(end)s, %(parts)s, by %(first)s.") % words
        words |= {"middle": route.steps[0].target, "second": _links_in_words(route.steps[1])}
        return (
            _(
                "%(person)s is linked to %(middle)s by %(first)s, and %(middle)s to %(end)s, "
                "%(parts)s, by %(second)s."
            )
            % words
        )

    @property
    def path(self) -> str:
        """Return what may be done instead."""
        tonight = _("Tonight a hospital or accredited home may receive the child.")
        if self.code == SEALED:
            return _("Ask %(agency)s. %(tonight)s") % {
                "agency": _join(self.parts),
                "tonight": tonight,
            }
        if self.code == Bar.INVOLVED:
            return _(
                "Nobody can clear this: choose other people. If the identity was mistaken, the "
                "police correct that on the person's record. %(tonight)s"
            ) % {"tonight": tonight}
        if self.code == Bar.UNVERIFIED:
            return _("Verify it by an identity document on the person's record. %(tonight)s") % {
                "tonight": tonight
            }
        if self.code == Bar.EMPTY or self.route is None:
            return _("Enter the adults who live there. %(tonight)s") % {"tonight": tonight}
        ways = [_join(link.via for link in step.open_links) for step in self.route.steps]
        return _("Ask police and welfare to look into and clear %(links)s. %(tonight)s") % {
            "links": _(", or ").join(ways),
            "tonight": tonight,
        }


@dataclass(frozen=True, slots=True)
class Screened:
    """One person who was screened."""

    person: str
    capacities: tuple[str, ...]
    """`household`, `escort`, `payer` or `carer`."""
    identity: str
    parts: tuple[str, ...]
    """What bars this person; empty for most."""
    clear: bool


@dataclass(frozen=True, slots=True)
class Screening:
    """The result of one screening. Holds codes only, never names."""

    case: str
    placement: int
    moment: datetime
    screened: tuple[Screened, ...]
    denials: tuple[Denial, ...]
    lifted: tuple[Route, ...]
    """Routes that would bar, had a link on them not been cleared."""

    @property
    def clear(self) -> bool:
        """Return whether nothing bars the placement."""
        return not self.denials

    @property
    def digest(self) -> str:
        """Return the SHA-256 of the canonical JSON of the result."""
        text = json.dumps(self.to_json(), sort_keys=True, ensure_ascii=False, separators=(",", ":"))
        return hashlib.sha256(text.encode()).hexdigest()

    def to_json(self) -> dict[str, Any]:
        """Return the result as JSON values, without sentences, so that no language enters it."""
        return {
            "case": self.case,
            "placement": self.placement,
            "moment": self.moment.isoformat(),
            "screened": [
                {
                    "person": row.person,
                    "capacities": list(row.capacities),
                    "identity": row.identity,
                    "parts": list(row.parts),
                    "clear": row.clear,
                }
                for row in self.screened
            ],
            "denials": [
                {
                    "code": str(denial.code),
                    "person": denial.person,
                    "parts": list(denial.parts),
                    "route": None if denial.route is None else _route_json(denial.route),
                }
                for denial in self.denials
            ],
            "lifted": [_route_json(route) for route in self.lifted],
        }

    @staticmethod
    def from_json(data: Mapping[str, Any]) -> Screening:
        """Read what `to_json` wrote, to show a frozen clearance again."""
        return Screening(
            case=data["case"],
            placement=data["placement"],
            moment=datetime.fromisoformat(data["moment"]),
            screened=tuple(
                Screened(
                    row["person"],
                    tuple(row["capacities"]),
                    row["identity"],
                    tuple(row["parts"]),
                    row["clear"],
                )
                for row in data["screened"]
            ),
            denials=tuple(
                Denial(
                    row["code"],
                    row["person"],
                    tuple(row["parts"]),
                    None if row["route"] is None else _route_from(row["route"]),
                )
                for row in data["denials"]
            ),
            lifted=tuple(_route_from(row) for row in data["lifted"]),
        )


def screen(placement: Placement, moment: datetime) -> Screening:
    """Screen everyone with whom the child would live, or who would escort or pay.

    A constant number of queries, whatever the size of the registry.
    """
    capacities: dict[int, list[str]] = {}
    for person, capacity in placement.people.values_list("person_id", "capacity"):
        capacities.setdefault(person, []).append(capacity)
    adults = registry.adults_of(placement.household_id) if placement.household_id else {}
    for person in adults:
        capacities.setdefault(person, []).append(HOUSEHOLD)
    first = registry.links_of(capacities)
    reached = {end for edge in first for end in (edge.low, edge.high)} - set(capacities)
    # Children are victims, not links: every true parent would be two steps from the buyer.
    children = set(
        Case.objects.filter(child_id__in={*reached, *capacities}).values_list("child_id", flat=True)
    )
    second = registry.links_of(reached - children, only_to_barring=True)
    edges = first | second
    facts = registry.people_facts(
        {*capacities, *(end for edge in edges for end in (edge.low, edge.high))}
    )
    graph = _Graph(edges, facts, children, _cleared(placement.case_id))
    denials: list[Denial] = []
    lifted: list[Route] = []
    if placement.household_id and not any(adults.values()):
        denials.append(Denial(Bar.EMPTY, ""))
    for person in sorted(capacities, key=lambda pk: facts[pk].code):
        own = facts[person]
        if own.barring:
            denials.append(Denial(Bar.INVOLVED, own.code, own.barring))
        if own.identity != VERIFIED:
            denials.append(Denial(Bar.UNVERIFIED, own.code))
        barring, broken = graph.routes(person)
        denials += [Denial(Bar.LINKED, own.code, route=route) for route in barring]
        lifted += broken
    refused = {denial.person for denial in denials}
    return Screening(
        case=placement.case.code,
        placement=placement.pk,
        moment=moment,
        screened=tuple(
            Screened(
                facts[person].code,
                tuple(sorted(capacities[person])),
                facts[person].identity,
                facts[person].barring,
                facts[person].code not in refused,
            )
            for person in sorted(capacities, key=lambda pk: facts[pk].code)
        ),
        denials=tuple(denials),
        lifted=tuple(lifted),
    )


def freeze(actor: Actor, placement: Placement, moment: datetime) -> Clearance:
    """Screen and keep the result, refused ones too; it holds for the policy's clearance hours."""
    screening = screen(placement, moment)
    hours = load_policy(settings.COUNTRY).number("clearance_hours")
    return Clearance.objects.create(
        placement=placement,
        screened_at=moment,
        expires_at=moment + timedelta(hours=hours),
        clear=screening.clear,
        result=screening.to_json(),
        digest=screening.digest,
        screened_by_id=actor.user_id,
    )


def affected_placements(people_ids: Collection[int]) -> list[Placement]:
    """Return the live placements that a new fact about these people may bar or free."""
    near = registry.within(people_ids, steps=2)
    live = Placement.objects.filter(state__in=("proposed", "cleared", "placed"))
    pks = {
        *live.filter(people__person_id__in=near).values_list("pk", flat=True),
        *live.filter(
            household__members__person_id__in=near,
            household__members__retracted_at__isnull=True,
        ).values_list("pk", flat=True),
        # A membership that was just retracted may have left the household empty.
        *live.filter(household__members__person_id__in=people_ids).values_list("pk", flat=True),
    }
    return list(Placement.objects.filter(pk__in=pks).select_related("case").order_by("pk"))


# ------------------------------------------------------------------------------ the graph


def _cleared(case_id: int) -> set[tuple[int, int, str]]:
    rows = LinkClearance.objects.filter(
        case_id=case_id,
        police_signer__isnull=False,
        welfare_signer__isnull=False,
        withdrawn_at__isnull=True,
    )
    return set(rows.values_list("low_id", "high_id", "via"))


class _Graph:
    """The surroundings of those screened."""

    def __init__(
        self,
        edges: Iterable[Edge],
        facts: Mapping[int, PersonFacts],
        children: Collection[int],
        cleared: Collection[tuple[int, int, str]],
    ) -> None:
        self._facts = facts
        self._children = children
        self._cleared = cleared
        self._between: dict[int, dict[int, list[Edge]]] = {}
        for edge in sorted(edges):
            for end in (edge.low, edge.high):
                self._between.setdefault(end, {}).setdefault(edge.other(end), []).append(edge)

    def routes(self, person: int) -> tuple[list[Route], list[Route]]:
        """Return the routes that bar a person, and those that a cleared link has broken."""
        barring: list[Route] = []
        broken: list[Route] = []
        for steps in self._ways(person):
            target = broken if self._is_broken(steps) else barring
            codes = [self._facts[person].code]
            codes += [self._facts[end].code for end, _edges in steps]
            target.append(
                Route(
                    codes[0],
                    tuple(
                        PathStep(codes[n], codes[n + 1], self._labels(edges))
                        for n, (_end, edges) in enumerate(steps)
                    ),
                    self._facts[steps[-1][0]].barring,
                )
            )
        return barring, broken

    def _ways(self, person: int) -> Iterable[list[tuple[int, list[Edge]]]]:
        """Yield each way to someone barring: (person reached, links) per step."""
        for near, edges in self._between.get(person, {}).items():
            if self._facts[near].barring:
                yield [(near, edges)]
            elif near not in self._children:
                for far, onward in self._between.get(near, {}).items():
                    if far == person or not self._facts[far].barring:
                        continue
                    # Everyone who shares a household or telephone is one step apart by it: to go
                    # on through the same one is not a second step.
                    ways = [(a, b) for a in edges for b in onward if a.via != b.via]
                    if ways:
                        yield [
                            (near, sorted({a for a, _b in ways})),
                            (far, sorted({b for _a, b in ways})),
                        ]

    def _is_cleared(self, edge: Edge) -> bool:
        return (edge.low, edge.high, edge.via) in self._cleared

    def _is_broken(self, steps: list[tuple[int, list[Edge]]]) -> bool:
        open_links = [
            [edge.via for edge in edges if not self._is_cleared(edge)] for _end, edges in steps
        ]
        if len(open_links) == 1:
            return not open_links[0]
        return not any(a != b for a in open_links[0] for b in open_links[1])

    def _labels(self, edges: Iterable[Edge]) -> tuple[PathLink, ...]:
        return tuple(PathLink(edge.kind, edge.via, self._is_cleared(edge)) for edge in edges)


# ------------------------------------------------------------------------------ words


def kind_label(kind: str) -> str:
    """Return the kind of a link in words."""
    return {
        "parent": _("parent and child"),
        "partner": _("partners"),
        "sibling": _("siblings"),
        "kin": _("other kin"),
        "payment": _("payment"),
        "contact": _("contact"),
        "household": _("the same household"),
        "phone": _("the same telephone"),
        "address": _("the same address"),
        "identity_document": _("the same identity document"),
        "payment_account": _("the same payment account"),
        "vehicle": _("the same vehicle"),
        SEALED: _("under seal"),
    }[kind]


def part_label(part: str) -> str:
    """Return the part someone plays in words."""
    return {
        "suspect": _("suspect"),
        "buyer": _("buyer"),
        "broker": _("broker"),
        SEALED: _("under seal"),
    }[part]


def _join(words: Iterable[str]) -> str:
    return _(" and ").join(words)


def _links_in_words(step: PathStep) -> str:
    return _join(f"{kind_label(link.kind)} ({link.via})" for link in step.open_links)


def _route_json(route: Route) -> dict[str, Any]:
    return {
        "person": route.person,
        "parts": list(route.parts),
        "steps": [
            {
                "source": step.source,
                "target": step.target,
                "links": [
                    {"kind": link.kind, "via": link.via, "cleared": link.cleared}
                    for link in step.links
                ],
            }
            for step in route.steps
        ],
    }


def _route_from(data: Mapping[str, Any]) -> Route:
    return Route(
        data["person"],
        tuple(
            PathStep(
                step["source"],
                step["target"],
                tuple(
                    PathLink(link["kind"], link["via"], link["cleared"]) for link in step["links"]
                ),
            )
            for step in data["steps"]
        ),
        tuple(data["parts"]),
    )
