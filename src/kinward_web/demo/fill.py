"""The campaign of July 2011 as synthetic records, moved so that the second raid was last night.

From the event are taken: eight infants found on 15 July in Guangdong and Guangxi, 81 on 20 July in
14 provinces; 39 and 330 suspects; a task force from February, a special campaign until 15
September; that agencies lacked money, and that children were sent back to those who had bought
them. People, places, links and everything that happens to a child are made up.
"""

from __future__ import annotations

from datetime import date, datetime, timedelta

from django.db import transaction
from django.utils import timezone

from kinward_web.accounts.api import Actor, User
from kinward_web.audit.api import append
from kinward_web.casework.cases import propose_placement
from kinward_web.casework.engine import sign, transition
from kinward_web.casework.models import Case, Proposal
from kinward_web.demo.children import Story
from kinward_web.demo.offices import (
    HOME_REGION,
    REGIONS,
    Login,
    Offices,
    login_of,
    open_offices,
)
from kinward_web.registry.actions import (
    add_identifier,
    enter_involvement,
    enter_link,
    save_campaign,
    save_operation,
)
from kinward_web.registry.actions.people import name_index
from kinward_web.registry.models import Campaign, Involvement, Operation, Person
from kinward_web.rules.roles import ROLES, Role

__all__ = ["fill"]

_SEED = 2011
_FIRST_NIGHT, _SECOND_NIGHT = date(2011, 7, 15), date(2011, 7, 20)
_FIRST_SUSPECTS, _SECOND_SUSPECTS = 39, 330
_LAST_NIGHT = timedelta(hours=11)
"""How long ago the second raid struck."""
_SHARES = {"Guangxi": 26, "Guangdong": 15}
"""Children of the second raid in two provinces; the other 40 are spread over the other twelve."""


def fill() -> list[Login]:
    """Fill an empty database and return one login for each role; a filled one is left as it is.

    Of administrators there are two: what one proposes about an agency, the other confirms.
    """
    if not User.objects.exists():
        with transaction.atomic():
            _Campaign(timezone.now()).tell()
    logins = [login_of(role) for role in ROLES if role != Role.SYSTEM]
    return [*logins, login_of(Role.ADMINISTRATOR, 2)]


def _part(index: int) -> str:
    """One in nine suspects is a broker, of the others about a quarter are buyers."""
    if index % 9 == 0:
        return "broker"
    return "buyer" if index % 4 == 0 else "suspect"


class _Campaign:
    def __init__(self, now: datetime) -> None:
        self.now = now
        self.second = now - _LAST_NIGHT
        self.first = self.second - (_SECOND_NIGHT - _FIRST_NIGHT)
        self.offices: Offices = open_offices()
        self.story = Story(self.offices, _SEED)

    def _day(self, day: date) -> date:
        """Return a day of 2011 as moved with the raids."""
        return timezone.localdate(self.second) + (day - _SECOND_NIGHT)

    def tell(self) -> None:
        """Fill the database."""
        planner = self.story.police(HOME_REGION, self.now)
        campaign = save_campaign(
            planner,
            None,
            name="Campaign of July 2011, replayed with synthetic people",
            country="CN",
            task_force_from=self._day(date(2011, 2, 1)),
            special_until=self._day(date(2011, 9, 15)),
            note="The nights of 15 and 20 July 2011 are moved to this week.",
        )
        dongxing = self._operation(campaign, "Dongxing", self.first, ("Guangxi", "Guangdong"))
        provinces = self._operation(campaign, "Fourteen provinces", self.second, tuple(REGIONS))
        self._operation(campaign, "Sealed, not yet begun", self.now + timedelta(days=4), REGIONS)
        brokers = self._suspects(dongxing, _FIRST_SUSPECTS, ("Guangxi", "Guangdong"))
        self._suspects(provinces, _SECOND_SUSPECTS, tuple(REGIONS))
        self._first_raid(dongxing, brokers)
        self._second_raid(provinces)
        self._still_with_buyers()

    # ---------------------------------------------------------------------------- operations

    def _operation(
        self, campaign: Campaign, name: str, starts_at: datetime, regions: object
    ) -> Operation:
        agencies = self.offices.agencies
        planner = self.story.police(HOME_REGION, self.now)
        forces = [agencies[f"police-{region.lower()}"] for region in regions]  # type: ignore[attr-defined]
        return save_operation(
            planner,
            None,
            campaign=campaign,
            name=name,
            starts_at=starts_at,
            agencies=[*forces, agencies["police-national"]],
            insiders=[self.offices.people[Role.POLICE_OFFICER, "police-guangxi"]],
            sites=[(force.region, f"Synthetic lane, {force.region}", force) for force in forces],
        )

    def _suspects(
        self, operation: Operation, number: int, regions: tuple[str, ...]
    ) -> list[Person]:
        """Enter suspects, buyers and brokers in one go, as no case knows them yet.

        Returns the brokers.
        """
        agencies = self.offices.agencies
        people = Person.objects.bulk_create(
            Person(
                name=(name := f"Suspect {operation.code} {index + 1} (synthetic)"),
                name_index=name_index(name),
                region=(region := regions[index % len(regions)]),
                identity=Person.Identity.CLAIMED,
                entered_by=agencies[f"police-{region.lower()}"],
            )
            for index in range(number)
        )
        parts = [
            "broker" if i % 9 == 0 else "buyer" if i % 4 == 0 else "suspect" for i in range(number)
        ]
        Involvement.objects.bulk_create(
            Involvement(
                person=person,
                operation=operation,
                part=part,
                standing=("arrested", "alleged", "charged")[index % 3],
                source="Report of the raid, synthetic",
                entered_by_id=person.entered_by_id,
            )
            for index, (person, part) in enumerate(zip(people, parts, strict=True))
        )
        officer = self.story.police(HOME_REGION, self.now)
        append(officer, "demo.suspects", f"operation:{operation.code}", {"count": number})
        return [person for person, part in zip(people, parts, strict=True) if part == "broker"]

    # ---------------------------------------------------------------------------- first raid

    def _first_raid(self, operation: Operation, brokers: list[Person]) -> None:
        """Eight infants, each with a story that a page is there to show."""
        story = self.story
        cases = [
            story.tracing(
                "Guangxi" if index < 6 else "Guangdong",
                operation,
                self.first + timedelta(minutes=4 * index),
                "hospital-guangxi" if index < 6 else "hospital-guangdong",
            )
            for index in range(8)
        ]
        self._return_waits_for_police(cases[0])
        self._buyers_ask(cases[1], operation)
        self._uncle_shares_a_telephone(cases[2], brokers[0])
        self._foster_family_on_hold(cases[3], brokers[1])
        self._missing(cases[4])
        self._repatriation(cases[5])
        self._transfer(cases[6])

    def _return_waits_for_police(self, case: Case) -> None:
        """The family is found and cleared; welfare has signed the hand-over, police has not."""
        found = self.first + timedelta(days=4)
        home, _parents = self.story.household(
            "Guangxi", ("Mother Nong Mai", "Father Nong De"), found, case.child
        )
        self.story.find_family(case, found)
        cleared = self.now - timedelta(hours=5)
        worker = self.story.welfare("Guangxi", cleared)
        place = propose_placement(
            worker, case, household_id=home.pk, purpose="return", moment=cleared
        )
        transition(worker, place, "clear", {}, cleared)
        decision = self.story.document(worker, case.child, "best_interest", "Decision")
        signed = self.now - timedelta(hours=1)
        evidence = {
            "happened_at": signed.isoformat(),
            "place": "Welfare agency, synthetic",
            "escort": "Worker Shen Yue",
            "receiving_person": "Nong Mai, mother",
            "best_interest": decision.pk,
            "child_words": "An infant; calm in the mother's arms at three visits.",
        }
        transition(self.story.welfare("Guangxi", signed), case, "hand_over", evidence, signed)

    def _buyers_ask(self, case: Case, operation: Operation) -> None:
        """As in 2011: the couple who had bought the child ask for it; the guard refuses."""
        asked = self.now - timedelta(hours=3)
        officer = self.story.police("Guangxi", asked)
        home, couple = self.story.household("Guangxi", ("Wife Huang", "Husband Huang"), asked)
        for person in couple:
            self._buyer(officer, person, operation)
        propose_placement(
            self.story.welfare("Guangxi", asked), case, household_id=home.pk, moment=asked
        )

    def _buyer(self, officer: Actor, person: Person, operation: Operation) -> None:
        enter_involvement(
            officer,
            person,
            part="buyer",
            standing="alleged",
            source="Found with the child, synthetic",
            operation=operation,
        )

    def _uncle_shares_a_telephone(self, case: Case, broker: Person) -> None:
        """A willing uncle uses the telephone of a broker: barred until that link is cleared."""
        asked = self.now - timedelta(hours=2)
        officer = self.story.police("Guangxi", asked)
        home, (uncle, _aunt) = self.story.household("Guangxi", ("Uncle Wei", "Aunt Wei"), asked)
        for person in (uncle, broker):
            add_identifier(
                officer,
                person,
                kind="phone",
                value="+86 138 0000 0011",
                source="List of calls, synthetic",
            )
        propose_placement(
            self.story.welfare("Guangxi", asked), case, household_id=home.pk, moment=asked
        )

    def _foster_family_on_hold(self, case: Case, broker: Person) -> None:
        """A cleared foster family; then the raid shows whose sister the foster mother is."""
        placed = self.first + timedelta(days=3)
        worker = self.story.welfare("Guangxi", placed)
        home, (mother, _father) = self.story.household(
            "Guangxi", ("Foster mother Lu", "Foster father Lu"), placed
        )
        family = propose_placement(worker, case, household_id=home.pk, moment=placed)
        transition(worker, family, "clear", {}, placed)
        self._leave_hospital(case, worker, placed)
        arrival = {
            "happened_at": placed.isoformat(),
            "receiving_person": "Foster mother Lu",
            "escort": "Worker Shen Yue",
        }
        transition(worker, family, "place", arrival, placed)
        officer = self.story.police("Guangxi", self.now)
        enter_link(officer, mother, broker, "sibling", "Household book, synthetic")

    def _leave_hospital(self, case: Case, worker: Actor, moment: datetime) -> None:
        ward = case.placements.get(state="placed")
        evidence = {"happened_at": moment.isoformat(), "reason": "Goes to a foster family"}
        transition(worker, ward, "end", evidence, moment)

    def _missing(self, case: Case) -> None:
        gone = self.now - timedelta(hours=7)
        evidence = {
            "happened_at": gone.isoformat(),
            "place": "Ward 3, synthetic",
            "reason": "Not in the cot at the morning round",
        }
        clinician = self.offices.actor(Role.CLINICIAN, "hospital-guangxi", gone)
        transition(clinician, case, "report_missing", evidence, gone)

    def _repatriation(self, case: Case) -> None:
        """Agreed with Viet Nam by both agencies; the authority there has yet to receive."""
        agreed = self.first + timedelta(days=4, hours=6)
        worker = self.story.welfare("Guangxi", agreed)
        decision = self.story.document(worker, case.child, "best_interest", "Decision")
        paper = self.story.document(worker, case.child, "other", "Agreement")
        evidence = {
            "foreign_agency": self.offices.agencies["vietnam"].pk,
            "receiving_person": "Officer Tran Hoa",
            "best_interest": decision.pk,
            "document": paper.pk,
        }
        proposal = transition(worker, case, "begin_repatriation", evidence, agreed)
        assert isinstance(proposal, Proposal)
        sign(self.story.police("Guangxi", agreed), proposal, agreed)

    def _transfer(self, case: Case) -> None:
        offered = self.now - timedelta(hours=9)
        evidence = {
            "receiving_agency": self.offices.agencies["police-guangxi"].pk,
            "reason": "The ring is investigated in Guangxi",
        }
        transition(self.story.police("Guangdong", offered), case, "transfer", evidence, offered)

    # ---------------------------------------------------------------------------- second raid

    def _second_raid(self, operation: Operation) -> None:
        """Children found last night: some have a bed, most wait for tonight's plan."""
        others = [region for region in REGIONS if region not in _SHARES]
        regions = [region for region, share in _SHARES.items() for _ in range(share)]
        regions += [others[index % len(others)] for index in range(81 - len(regions))]
        ward = {"Guangxi": "hospital-guangxi", "Guangdong": "hospital-guangdong"}
        for index, region in enumerate(regions):
            found = self.second + timedelta(minutes=index)
            siblings = f"SIB-{index // 2:02}" if index in (4, 5, 30, 31) else ""
            case = self.story.rescue(region, operation, found, siblings)
            if index % 3:
                self.story.register(case, found + timedelta(minutes=95))
            if index % 4 == 1 and region in ward:
                self.story.receive(case, ward[region], found + timedelta(hours=2))
                if index % 3:
                    self.story.examine(case, ward[region], found + timedelta(hours=5))
                self.story.join_welfare(case, found + timedelta(hours=6))
            elif region == HOME_REGION:
                self.story.join_welfare(case, found + timedelta(hours=1))

    def _still_with_buyers(self) -> None:
        """Children who are known and not yet rescued; two were sent back to those who had paid."""
        for index, region in enumerate(
            ("Guangxi", "Guangxi", "Guangxi", "Henan", "Fujian", "Hebei")
        ):
            told = self.now - timedelta(hours=30 - 4 * index)
            source = (
                "Sent back to the buyer after an earlier rescue, for want of a bed; synthetic"
                if index < 2
                else "A buyer named in an interrogation, synthetic"
            )
            self.story.locate(region, told, source, returned=index < 2)
