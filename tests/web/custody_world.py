"""A small synthetic world for the tests of custody and of the database's constraints.

Nothing here goes through the engine: `step` writes the rows that the triggers ask for, so that the
triggers can be tested by themselves.
"""

from __future__ import annotations

import itertools
from datetime import UTC, datetime, timedelta
from typing import Any

from agency_world import confirmed

from kinward_web.accounts.models import Agency, User
from kinward_web.casework.models import (
    CareHome,
    Case,
    LinkClearance,
    Placement,
    PlacementPerson,
    Proposal,
    Signature,
    TransitionRecord,
)
from kinward_web.registry.models import (
    Document,
    Household,
    HouseholdMember,
    Identifier,
    IdentifierUse,
    Involvement,
    Link,
    Person,
)

NOW = datetime(2011, 7, 15, 4, 30, tzinfo=UTC)
_number = itertools.count(1)


class World:
    """Two agencies with their people, a child in tracing, and its mother's household."""

    def __init__(self) -> None:
        self.police = self._agency("police")
        self.welfare = self._agency("welfare")
        self.officer = self._user("police_officer", self.police)
        self.worker = self._user("welfare_worker", self.welfare)
        confirmed(self.welfare, accredited=True, named_officer=self.worker)

    def _agency(self, kind: str) -> Agency:
        return Agency.objects.create(code=f"{kind}-{next(_number)}", name=kind, kind=kind)

    def _user(self, role: str, agency: Agency) -> User:
        number = next(_number)
        return User.objects.create(
            email=f"{number}@example.org",
            full_name=f"Synthetic {number}",
            person_number=str(number),
            agency=agency,
            role=role,
        )

    def person(self, *parts: str, identity: str = "verified", standing: str = "alleged") -> Person:
        person = Person.objects.create(identity=identity, entered_by=self.police)
        for part in parts:
            self.involve(person, part, standing)
        return person

    def involve(self, person: Person, part: str, standing: str = "alleged") -> Involvement:
        return Involvement.objects.create(
            person=person, part=part, standing=standing, source="synthetic", entered_by=self.police
        )

    def link(self, first: Person, second: Person, kind: str = "kin") -> Link:
        return Link.objects.create(
            first=first, second=second, kind=kind, source="synthetic", entered_by=self.police
        )

    def share(self, *people: Person, kind: str = "phone", institution: Agency | None = None):
        number = next(_number)
        identifier = Identifier.objects.create(
            kind=kind, value=str(number), value_index=str(number), institution=institution
        )
        for person in people:
            IdentifierUse.objects.create(
                identifier=identifier, person=person, source="synthetic", entered_by=self.police
            )
        return identifier

    def household(self, *adults: Person, minors: tuple[Person, ...] = ()) -> Household:
        household = Household.objects.create(entered_by=self.police)
        for person in adults:
            HouseholdMember.objects.create(household=household, person=person)
        for person in minors:
            HouseholdMember.objects.create(household=household, person=person, adult=False)
        return household

    def case(self, *rules: str) -> Case:
        """Open a case and take it through the rules named."""
        number = next(_number)
        case = Case.objects.create(child=self.person(), code=f"C{number}", region="north")
        for rule in rules:
            self.step(case, "case", rule)
        return case

    def home(self, beds: int = 2, **fields: Any) -> CareHome:
        return CareHome.objects.create(
            **{
                "agency": self.welfare,
                "name": f"Home {next(_number)}",
                "region": "north",
                "latitude": 0,
                "longitude": 0,
                "beds": beds,
                "carers": 2,
                "cost_per_child_day": 10,
                "budget": 1000,
            }
            | fields
        )

    def placement(
        self,
        case: Case | None = None,
        household: Household | None = None,
        home: CareHome | None = None,
        purpose: str = "care",
        people: tuple[tuple[Person, str], ...] = (),
    ) -> Placement:
        placement = Placement.objects.create(
            case=case or self.case("rescue"), household=household, home=home, purpose=purpose
        )
        for person, capacity in people:
            PlacementPerson.objects.create(placement=placement, person=person, capacity=capacity)
        return placement

    def clear_link(self, case: Case, one: Person, other: Person, via: str) -> LinkClearance:
        low, high = sorted((one, other), key=lambda person: person.pk)
        return LinkClearance.objects.create(
            case=case,
            low=low,
            high=high,
            via=via,
            reason="synthetic",
            document=self.document(low),
            police_signer=self.officer,
            police_signed_at=NOW,
            welfare_signer=self.worker,
            welfare_signed_at=NOW,
        )

    def document(self, person: Person, kind: str = "other") -> Document:
        return Document.objects.create(
            person=person,
            kind=kind,
            title="synthetic",
            media_type="text/plain",
            size=1,
            sha256="0" * 64,
            content=b"",
            uploaded_by=self.officer,
        )

    def colleague(self, role: str, agency: Agency) -> User:
        """Appoint one person more."""
        return self._user(role, agency)

    def signer(self, role: str) -> User:
        """Return someone of this role, appointed for the purpose if need be."""
        known = {"police_officer": self.officer, "welfare_worker": self.worker}
        if role in known:
            return known[role]
        kind = {"clinician": "hospital", "panel_member": "welfare", "family_liaison": "ngo"}[role]
        return self._user(role, self._agency(kind))

    def step(self, subject: Any, machine: str, rule: str, **changes: Any) -> TransitionRecord:
        """Write the record of a lawful transition and move the subject, as the engine does."""
        from kinward_web.rules import MACHINES
        from kinward_web.rules.table import RESUME

        row = MACHINES[machine].rule(rule, subject.state)
        target = subject.resume_state if row.target == RESUME else row.target
        number = subject.version + 1
        user = self.signer(min(row.roles - {"system"}))
        proposal = self.signed(subject, machine, rule, user) if row.cosigners else None
        values: dict[str, Any] = {
            "machine": machine,
            "subject_id": subject.pk,
            "number": number,
            "rule": rule,
            "source": subject.state,
            "target": target,
            "actor": user,
            "role": user.role,
            "agency": user.agency,
            "channel": "page",
            "evidence": {},
            "evidence_digest": proposal.digest if proposal else "0" * 64,
            "proposal": proposal,
            "made_at": NOW,
        }
        record = TransitionRecord.objects.create(**values | changes)
        moved = {"state": target, "version": number}
        if machine == "case" and target in ("hold", "transferred", "closed"):
            moved["resume_state"] = subject.state
        if rule == "hand_over":
            returns = subject.placements.filter(state="cleared", purpose="return")
            moved["return_placement"] = returns.first()
        type(subject).objects.filter(pk=subject.pk).update(**moved)
        subject.refresh_from_db()
        return record

    def signed(self, subject: Any, machine: str, rule: str, first: User) -> Proposal:
        """Write a proposal with all the signatures that the table asks for."""
        from kinward_web.rules import MACHINES

        row = MACHINES[machine].rule(rule, subject.state)
        proposal = Proposal.objects.create(
            machine=machine,
            subject_id=subject.pk,
            subject_version=subject.version,
            rule=rule,
            evidence={},
            digest="d" * 64,
            proposed_at=NOW,
            expires_at=NOW + timedelta(hours=1),
        )
        signers = [first]
        for roles in row.cosigners:
            role = min(role for role in roles if role != first.role)
            signers.append(self.signer(role))
        for user in signers:
            self.sign(proposal, user)
        return proposal

    def sign(self, proposal: Proposal, user: User, **changes: Any) -> Signature:
        values = {
            "proposal": proposal,
            "signer": user,
            "agency": user.agency,
            "role": user.role,
            "digest": proposal.digest,
            "signed_at": NOW,
            "second_factor_at": NOW,
        }
        return Signature.objects.create(**values | changes)
