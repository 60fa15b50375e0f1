"""Drives cases and placements through the engine to any state, for tests made from the tables.

Nothing is set by hand: every state is reached by transitions with evidence made from the rows of
`EVIDENCE`, taken by people whom the table allows. All data is synthetic.
"""

from __future__ import annotations

from collections import deque
from datetime import datetime, timedelta
from itertools import count
from typing import Any

from agency_world import confirmed
from django.utils import timezone

from conftest import KIND_OF, Office
from kinward_web.accounts.api import Actor, Channel, actor_for
from kinward_web.casework import cases, engine
from kinward_web.casework.guards import live_placement
from kinward_web.casework.models import CareHome, Case, CaseParty, Placement, Proposal
from kinward_web.public.actions import draft_notice
from kinward_web.public.models import Publication
from kinward_web.registry.models import (
    Campaign,
    Document,
    Household,
    HouseholdMember,
    Operation,
    Person,
)
from kinward_web.rules.case import CASE
from kinward_web.rules.evidence import EVIDENCE, Kind
from kinward_web.rules.placement import PLACEMENT
from kinward_web.rules.publication import PUBLICATION
from kinward_web.rules.roles import AgencyKind, Role
from kinward_web.rules.table import NEW, RESUME, Machine, Rule

__all__ = ["World"]

_ENTRY = {"hold": "hold", "transferred": "transfer"}
"""The rule that enters a state from which another leads back."""
_CLOSINGS = {"located": "unfounded", "follow_up": "close", "died": "close_after_death"}


class World:
    """An office at work: two homes, an operation, and any number of children."""

    def __init__(self, office: Office) -> None:
        self.office = office
        self._numbers = count(1)
        campaign = Campaign.objects.create(name="Synthetic campaign")
        self.operation = Operation.objects.create(
            campaign=campaign,
            code="OP-TEST",
            name="Synthetic operation",
            lead=office.agency("police"),
            starts_at=timezone.now() - timedelta(days=30),
        )
        self.homes = {
            kind: self._home(kind, hospital=kind == AgencyKind.HOSPITAL)
            for kind in (AgencyKind.WELFARE, AgencyKind.HOSPITAL)
        }

    # -------------------------------------------------------------------------- people, things

    def actor(
        self,
        role: Role | str,
        which: str = "own",
        number: int = 1,
        given: datetime | None = None,
    ) -> Actor:
        """Return who acts, with a second factor given now or at `given`."""
        user = self.office.user(role, which, number)
        return actor_for(user, Channel.PAGE, given or timezone.now())

    def _home(self, kind: AgencyKind, hospital: bool = False, beds: int = 500) -> CareHome:
        agency = self.office.agency(kind)
        role = Role.CLINICIAN if kind == AgencyKind.HOSPITAL else Role.WELFARE_WORKER
        confirmed(agency, accredited=True, named_officer=self.office.user(role))
        return CareHome.objects.create(
            agency=agency,
            name=f"Synthetic {kind.value}",
            region=agency.region,
            latitude=34.7,
            longitude=113.6,
            hospital=hospital,
            medical_level=3 if hospital else 1,
            beds=beds,
            carers=5,
            cost_per_child_day=90,
            budget=100_000,
        )

    def person(self, name: str = "Synthetic person", identity: str = "verified") -> Person:
        """Enter a person whose identity is verified."""
        return Person.objects.create(
            name=name, identity=identity, entered_by=self.office.agency("police")
        )

    def child(self) -> Person:
        """Enter a child with one document of each kind."""
        child = self.person("", "unknown")
        for kind in Document.Kind.values:
            self.document(child, kind)
        return child

    def document(self, person: Person, kind: str) -> Document:
        """Add a document without content."""
        return Document.objects.create(
            person=person,
            kind=kind,
            title=f"Synthetic {kind}",
            media_type="application/pdf",
            size=1,
            sha256=f"{next(self._numbers):064x}",
            content=b"",
            uploaded_by=self.office.user(Role.POLICE_OFFICER),
        )

    def household(self, *adults: Person) -> Household:
        """Enter a household of adults, by default one whose identity is verified."""
        household = Household.objects.create(
            region="Henan", address="Synthetic road 1", entered_by=self.office.agency("police")
        )
        for adult in adults or (self.person(),):
            HouseholdMember.objects.create(household=household, person=adult)
        return household

    # -------------------------------------------------------------------------- evidence

    def evidence(
        self, rule: Rule, case: Case | None, actor: Actor, moment: datetime, **given: Any
    ) -> dict[str, Any]:
        """Return what `rule` asks for, made from the rows of `EVIDENCE`."""
        made = {
            key: self._item(key, case.child_id if case else None, actor, moment)
            for key in rule.evidence
        }
        return made | given

    def _item(self, key: str, child_id: int | None, actor: Actor, moment: datetime) -> Any:
        item = EVIDENCE[key]
        special = {
            "age_days_min": 300,
            "age_days_max": 400,
            "laboratory": self.office.agency("laboratory").pk,
            "foreign_agency": self.office.agency("foreign").pk,
            "receiving_agency": self._receiver(actor),
        }
        if key in special:
            return special[key]
        if item.kind in (Kind.DOCUMENT, Kind.DOCUMENTS):
            rows = Document.objects.filter(person_id=child_id)
            if item.document_kinds:
                rows = rows.filter(kind__in=item.document_kinds)
            number = rows.values_list("pk", flat=True)[0]
            return [number] if item.kind == Kind.DOCUMENTS else number
        return {
            Kind.TEXT: f"S-{next(self._numbers)}",
            Kind.LONG_TEXT: "Synthetic account",
            Kind.MOMENT: moment.isoformat(),
            Kind.CHOICE: item.choices[0][0] if item.choices else "",
            Kind.YES: True,
            Kind.OPERATION: self.operation.pk,
        }[item.kind]

    def _receiver(self, actor: Actor) -> int:
        which = "own" if actor.agency_id != self.office.agency(actor.agency_kind).pk else "other"
        return self.office.agency(actor.agency_kind, which).pk

    # -------------------------------------------------------------------------- cases

    def open(self, rule: str = "rescue", moment: datetime | None = None, **options: Any) -> Case:
        """Open the case of a new child; every own agency takes part in it."""
        moment = moment or timezone.now()
        actor = self.actor(Role.POLICE_OFFICER, given=moment)
        child = self.child()
        evidence = self.evidence(CASE.rule(rule), None, actor, moment)
        case = cases.open_case(
            actor, child.pk, rule, evidence, region="Henan", moment=moment, **options
        )
        for (_kind, which), agency in self.office.agencies.items():
            if which == "own":
                CaseParty.objects.get_or_create(case=case, agency=agency)
        return case

    def case_in(self, state: str, resume: str | None = None) -> Case:
        """Return a case in `state`; with `resume`, one that came there from that state."""
        if resume is not None:
            case = self.case_in(resume)
            self.act(case, _CLOSINGS[resume] if state == "closed" else _ENTRY[state])
            return case
        # The usual way, through registration and examination.
        path = _path(CASE, state, avoid=("protect",))
        case = self.open(path[0].name)
        for rule in path[1:]:
            self.act(case, rule.name)
        assert case.state == state
        return case

    def act(
        self,
        subject: Any,
        name: str,
        role: Role | str | None = None,
        which: str = "own",
        moment: datetime | None = None,
        **given: Any,
    ) -> None:
        """Take a step, with what its guards ask for and every signature it needs."""
        moment = moment or timezone.now()
        machine = engine.binding_of(subject).machine
        rule = machine.rule(name, subject.state)
        actor = self.actor(role or _usual(rule), which, given=moment)
        made = self.attempt(subject, rule, actor, moment, **given)
        if isinstance(made, Proposal):
            for place in rule.cosigners:
                engine.sign(self.cosigner(place, actor, moment), made, moment)
            subject.refresh_from_db()

    def attempt(
        self, subject: Any, rule: Rule, actor: Actor, moment: datetime | None = None, **given: Any
    ) -> Any:
        """Let `actor` try a step whose guards and evidence are in order."""
        moment = moment or timezone.now()
        case = engine.binding_of(subject).case_of(subject)
        self.prepare(case, rule, moment)
        evidence = self.evidence(rule, case, actor, moment, **given)
        return engine.transition(actor, subject, rule.name, evidence, moment)

    def cosigner(self, place: frozenset[Role], proposer: Actor, moment: datetime) -> Actor:
        """Return who may cosign: of a role that fits and of another agency of the case."""
        role = next(
            role
            for role in sorted(place)
            if self.office.agency(KIND_OF[role]).pk != proposer.agency_id
        )
        return self.actor(role, given=moment)

    def prepare(self, case: Case | None, rule: Rule, moment: datetime) -> None:
        """Make the world such that the guards of `rule` pass."""
        for guard in rule.guards:
            action = getattr(self, f"_for_{guard}", None)
            if action is not None:
                action(case, moment)

    def _for_placed(self, case: Case, moment: datetime) -> None:
        if live_placement(case) is None:
            self.place_in_home(case, moment)

    def _for_not_placed(self, case: Case, moment: datetime) -> None:
        place = live_placement(case)
        if place is not None:
            self.act(place, "end", moment=moment)

    def _for_placed_in_institution(self, case: Case, moment: datetime) -> None:
        place = live_placement(case)
        if place is not None and place.home_id is None:
            self.act(place, "remove_now", moment=moment)
            place = None
        if place is None:
            self.place_in_home(case, moment)

    def _for_return_cleared(self, case: Case, moment: datetime) -> None:
        if not case.placements.filter(state="cleared", purpose="return").exists():
            self.propose(case, "return", moment, state="cleared")

    def _for_first_visit_done(self, case: Case, moment: datetime) -> None:
        visit = case.visits.filter(done_at__isnull=True).first()
        visit.done_at = moment
        visit.save()

    def _for_all_visits_done(self, case: Case, moment: datetime) -> None:
        case.visits.filter(done_at__isnull=True).update(done_at=moment)

    def _for_received_abroad(self, case: Case, moment: datetime) -> None:
        record = engine.last_record(case, "receive_abroad")
        if record is None:
            self.act(case, "receive_abroad", moment=moment)

    # -------------------------------------------------------------------------- placements

    def propose(
        self,
        case: Case,
        purpose: str = "care",
        moment: datetime | None = None,
        home: bool = False,
        state: str = "proposed",
    ) -> Placement:
        """Propose a place, in a home or with a verified household, and bring it to `state`."""
        moment = moment or timezone.now()
        actor = self.actor(Role.WELFARE_WORKER, given=moment)
        options = (
            {"home_id": self.homes[AgencyKind.WELFARE].pk}
            if home
            else {"household_id": self.household().pk, "purpose": purpose}
        )
        placement = cases.propose_placement(actor, case, moment=moment, **options)
        # Private people never receive at night: they are cleared first.
        avoid = () if home else ("receive_at_night",)
        for rule in _path(PLACEMENT, state, avoid)[1:]:
            self.act(placement, rule.name, moment=moment)
        return placement

    def place_in_home(self, case: Case, moment: datetime | None = None) -> Placement:
        """Receive the child in the accredited home, as at night."""
        placement = self.propose(case, moment=moment, home=True)
        self.act(placement, "receive_at_night", moment=moment)
        return placement

    def placement_in(self, state: str, home: bool = True) -> Placement:
        """Return the placement of a new child in `state`."""
        return self.propose(self.case_in("medical_cleared"), home=home, state=state)

    # -------------------------------------------------------------------------- notices

    def notice_in(self, state: str) -> Publication:
        """Return a notice in `state`; its author is a liaison who approves nothing."""
        case = self.case_in("registered")
        author = self.actor(Role.FAMILY_LIAISON)
        notice = draft_notice(
            author,
            case.code,
            title="Synthetic notice",
            text="Synthetic text",
            contact="Synthetic telephone",
            ends_on=timezone.localdate() + timedelta(days=30),
            photograph=None,
        )
        for rule in _path(PUBLICATION, state)[1:]:
            self.act(notice, rule.name)
        return notice


def _usual(rule: Rule) -> Role:
    """Return the role that takes a step in tests: one that works in cases."""
    order = (
        Role.WELFARE_WORKER,
        Role.POLICE_OFFICER,
        Role.CLINICIAN,
        Role.PANEL_MEMBER,
        Role.FAMILY_LIAISON,
        Role.FOREIGN_AUTHORITY,
    )
    return next(role for role in order if role in rule.roles)


def _path(machine: Machine, state: str, avoid: tuple[str, ...] = ()) -> list[Rule]:
    """Return the shortest way from nothing to `state` without the rules in `avoid`."""
    queue: deque[tuple[str, list[Rule]]] = deque([(NEW, [])])
    seen = {NEW}
    while queue:
        here, path = queue.popleft()
        if here == state:
            return path
        for rule in machine.from_state(here):
            passable = rule.target != RESUME and rule.name not in avoid
            if passable and rule.target not in seen:
                seen.add(rule.target)
                queue.append((rule.target, [*path, rule]))
    raise AssertionError(f"{machine.key} never reaches {state}")
