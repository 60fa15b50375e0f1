"""What happens to one synthetic child, as transitions of the engine at moments of the past."""

from __future__ import annotations

import io
import random
from collections.abc import Iterable
from datetime import datetime, timedelta
from itertools import count

from PIL import Image, ImageDraw

from kinward_web.accounts.api import Actor
from kinward_web.casework.cases import open_case, propose_placement
from kinward_web.casework.engine import sign, transition
from kinward_web.casework.models import Case, Placement, Proposal
from kinward_web.demo.offices import Offices
from kinward_web.registry.actions import (
    add_member,
    enter_household,
    enter_link,
    enter_person,
    store_document,
    verify_identity,
)
from kinward_web.registry.models import Document, Household, Operation, Person
from kinward_web.rules.roles import Role

__all__ = ["Story"]

_COLOURS = ("#c9d6c2", "#d9cfc1", "#c6d3dc", "#dcc9cb", "#d6d2e0")


class Story:
    """Takes children through their first days; every step goes through the engine."""

    def __init__(self, offices: Offices, seed: int) -> None:
        self.offices = offices
        self.random = random.Random(seed)
        self._numbers = count(1)

    # ---------------------------------------------------------------------------- documents

    def _picture(self, title: str) -> bytes:
        """Draw a page or face that nobody can take for a real one."""
        image = Image.new("RGB", (240, 300), self.random.choice(_COLOURS))
        draw = ImageDraw.Draw(image)
        draw.ellipse((75, 50, 165, 150), fill="#8d7f74")
        draw.pieslice((40, 160, 200, 340), 180, 360, fill="#8d7f74")
        draw.text((12, 12), f"SYNTHETIC\n{title}", fill="#333333")
        file = io.BytesIO()
        image.save(file, "PNG")
        return file.getvalue()

    def document(self, actor: Actor, person: Person, kind: str, title: str) -> Document:
        """Store a drawn document."""
        picture = self._picture(title)
        return store_document(actor, person, kind=kind, title=title, data=picture)

    # ---------------------------------------------------------------------------- the child

    def police(self, region: str, moment: datetime) -> Actor:
        """Return the police officer of a region."""
        return self.offices.actor(Role.POLICE_OFFICER, f"police-{region.lower()}", moment)

    def welfare(self, region: str, moment: datetime) -> Actor:
        """Return the welfare worker of a region."""
        return self.offices.actor(Role.WELFARE_WORKER, f"welfare-{region.lower()}", moment)

    def child(self, region: str, moment: datetime) -> Person:
        """Enter a child of whom nothing is known but the sex."""
        sex = "female" if self.random.random() < 0.8 else "male"
        return enter_person(self.police(region, moment), sex=sex, region=region)

    def locate(self, region: str, moment: datetime, source: str, *, returned: bool = False) -> Case:
        """Report a child known to be with a buyer."""
        evidence = {
            "source": source,
            "place": f"A village in {region}, synthetic",
            "with_whom": "A couple who paid for the child",
        }
        child = self.child(region, moment)
        officer = self.police(region, moment)
        return open_case(
            officer,
            child.pk,
            "locate",
            evidence,
            region=region,
            returned_to_buyer=returned,
            moment=moment,
        )

    def rescue(
        self, region: str, operation: Operation, moment: datetime, siblings: str = ""
    ) -> Case:
        """Open a case by the rescue."""
        evidence = {
            "happened_at": moment.isoformat(),
            "place": f"A house in {region}, synthetic",
            "operation": operation.pk,
        }
        child = self.child(region, moment)
        officer = self.police(region, moment)
        return open_case(
            officer,
            child.pk,
            "rescue",
            evidence,
            region=region,
            sibling_group=siblings,
            moment=moment,
        )

    def register(self, case: Case, moment: datetime) -> None:
        """Register the child with a band and a drawn photograph."""
        officer = self.police(case.region, moment)
        photograph = self.document(officer, case.child, "photograph", "Face")
        things = ("a blanket with blue flowers", "nothing", "a feeding bottle", "a red thread")
        evidence = {
            "happened_at": moment.isoformat(),
            "place": "Police station, synthetic",
            "operation": case.operation_id,
            "wristband": f"WB-{next(self._numbers):05}",
            "photographs": [photograph.pk],
            "found_with": self.random.choice(things),
        }
        transition(officer, case, "register", evidence, moment)

    def examine(self, case: Case, hospital: str, moment: datetime) -> None:
        """Record an examination by the clinician of the hospital that received the child."""
        clinician = self.offices.actor(Role.CLINICIAN, hospital, moment)
        age = self.random.randint(10, 210)
        evidence = {
            "happened_at": moment.isoformat(),
            "sedation": self.random.choice(("none", "none", "suspected", "certain")),
            "injuries": self.random.choice(("none seen", "birthmark, left shoulder", "rash")),
            "age_days_min": max(1, age - 10),
            "age_days_max": age + 20,
            "sample_a": f"KIT-{next(self._numbers):05}-A",
        }
        transition(clinician, case, "clear_medically", evidence, moment)

    def receive(self, case: Case, home: str, moment: datetime) -> Placement:
        """Let an institution receive the child at night."""
        officer = self.police(case.region, moment)
        place = self.offices.homes[home]
        placement = propose_placement(officer, case, home_id=place.pk, moment=moment)
        evidence = {
            "happened_at": moment.isoformat(),
            "receiving_person": str(place.agency.named_officer),
            "reason": "Night of the rescue, synthetic",
        }
        transition(officer, placement, "receive_at_night", evidence, moment)
        return placement

    def into_care(self, case: Case, moment: datetime) -> None:
        """Receive into care, by the welfare agency of the region."""
        worker = self.join_welfare(case, moment)
        evidence = {"receiving_person": worker.name}
        transition(worker, case, "receive_into_care", evidence, moment)

    def join_welfare(self, case: Case, moment: datetime) -> Actor:
        """Let the welfare agency of the region take part; return its worker."""
        worker = self.welfare(case.region, moment)
        case.parties.get_or_create(agency_id=worker.agency_id)
        return worker

    def trace(self, case: Case, moment: datetime) -> None:
        """Start tracing with the laboratory."""
        laboratory = self.offices.agencies["laboratory"]
        officer = self.police(case.region, moment)
        transition(officer, case, "start_tracing", {"laboratory": laboratory.pk}, moment)

    def tracing(self, region: str, operation: Operation, moment: datetime, hospital: str) -> Case:
        """Take a child from the rescue to tracing within two days."""
        case = self.rescue(region, operation, moment)
        self.receive(case, hospital, moment + timedelta(minutes=50))
        self.register(case, moment + timedelta(minutes=80))
        self.examine(case, hospital, moment + timedelta(hours=4))
        self.into_care(case, moment + timedelta(hours=9))
        self.trace(case, moment + timedelta(hours=30))
        return case

    def find_family(self, case: Case, moment: datetime) -> None:
        """Confirm the finding by welfare and police."""
        worker = self.welfare(case.region, moment)
        report = self.document(worker, case.child, "laboratory", "Both samples")
        interviews = self.document(worker, case.child, "verification", "Interviews")
        evidence = {"laboratory_report": report.pk, "verification": interviews.pk}
        proposal = transition(worker, case, "find_family", evidence, moment)
        assert isinstance(proposal, Proposal)
        later = moment + timedelta(minutes=30)
        sign(self.police(case.region, later), proposal, later)
        case.refresh_from_db()

    # ---------------------------------------------------------------------------- families

    def household(
        self, region: str, names: Iterable[str], moment: datetime, child: Person | None = None
    ) -> tuple[Household, list[Person]]:
        """Enter verified adults who live together; the parents of `child` where one is given."""
        officer = self.police(region, moment)
        home = enter_household(officer, region=region, address=f"Synthetic lane, {region}")
        adults = []
        for name in names:
            person = enter_person(officer, name=f"{name} (synthetic)", region=region)
            paper = self.document(officer, person, "identity", "Identity card")
            verify_identity(officer, person, paper)
            add_member(officer, home, person, adult=True)
            if child is not None:
                enter_link(officer, person, child, "parent", "birth certificate, synthetic")
            adults.append(person)
        return home, adults
