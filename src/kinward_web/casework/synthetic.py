"""A synthetic registry of any size, for demonstrations and measurements. Nobody in it exists.

Rows are written in bulk but in the order of the tables of rules: every state is reached by records
of transitions, signed where two must sign, so that all triggers of the database hold.
"""

from __future__ import annotations

import hashlib
import random
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any

from django.apps import apps
from django.conf import settings
from django.db import connection, transaction
from django.db.models import F
from django.utils import timezone

from kinward_web.accounts.api import SYSTEM, Agency, User
from kinward_web.audit import api as audit
from kinward_web.casework.care.places import POSITIONS
from kinward_web.casework.models import (
    CareHome,
    Case,
    CaseParty,
    Clearance,
    MedicalExam,
    Placement,
    Proposal,
    Service,
    Signature,
    TransitionRecord,
    Visit,
)
from kinward_web.registry import api as registry
from kinward_web.rules import MACHINES
from kinward_web.rules.policy import load_policy
from kinward_web.rules.roles import ROLES, AgencyKind, Role
from kinward_web.rules.table import NEW, RESUME, Rule

__all__ = ["SCRIPTS", "make_registry"]

_REGIONS = ("Henan", "Yunnan", "Guangxi", "Fujian", "Shandong", "Sichuan", "Guangdong", "Hebei")
_BATCH = 2_000
_TOLD = "Synthetic."

_RESCUED = (("case", "rescue"),)
_EXAMINED = (*_RESCUED, ("case", "register"), ("case", "clear_medically"))
_IN_CARE = (
    *_EXAMINED,
    ("care", "propose"),
    ("care", "receive_at_night"),
    ("case", "receive_into_care"),
)
_TRACING = (*_IN_CARE, ("case", "start_tracing"))
_FOUND = (*_TRACING, ("case", "find_family"))
_HOME = (
    *_FOUND,
    ("return", "propose"),
    ("return", "clear"),
    ("case", "hand_over"),
    ("care", "end"),
    ("return", "place"),
)
_FOLLOWED = (*_HOME, ("case", "start_follow_up"))

SCRIPTS: dict[str, tuple[int, tuple[tuple[str, str], ...]]] = {
    "located": (40, (("case", "locate"),)),
    "rescued": (15, _RESCUED),
    "registered": (20, (*_RESCUED, ("case", "register"))),
    "medical_cleared": (20, _EXAMINED),
    "in_care": (120, _IN_CARE),
    "tracing": (330, _TRACING),
    "family_found": (60, _FOUND),
    "reunited": (45, _HOME),
    "follow_up": (180, _FOLLOWED),
    "closed": (90, (*_FOLLOWED, ("case", "close"))),
    "hold": (20, (*_TRACING, ("case", "hold"))),
    "transferred": (10, (*_IN_CARE, ("case", "transfer"))),
    "repatriation": (10, (*_IN_CARE, ("case", "begin_repatriation"))),
    "long_term": (30, (*_TRACING, ("case", "decide_long_term"))),
    "missing_from_care": (5, (*_IN_CARE, ("care", "end"), ("case", "report_missing"))),
    "died": (5, (*_EXAMINED, ("case", "record_death"))),
}
"""Final state → (share in thousandths, the transitions that lead to it)."""
_HOURS = {
    "locate": (0, 0),
    "rescue": (0, 0),
    "register": (1, 4),
    "clear_medically": (3, 16),
    "receive_into_care": (2, 30),
    "start_tracing": (20, 90),
    "find_family": (200, 1_200),
    "hand_over": (50, 400),
    "start_follow_up": (60, 90),
    "close": (400, 900),
}
"""Least and most hours since the step before; an hour or less for what is not named."""


@dataclass(slots=True, eq=False)
class _Child:
    """A case on its way through its script."""

    case: Case
    script: tuple[tuple[str, str], ...]
    moment: datetime
    states: dict[str, str] = field(default_factory=lambda: defaultdict(lambda: NEW))
    versions: dict[str, int] = field(default_factory=lambda: defaultdict(int))
    places: dict[str, Placement] = field(default_factory=dict)
    times: dict[str, datetime] = field(default_factory=dict)


def _model(label: str) -> Any:
    return apps.get_model(label)


class _Maker:
    """Writes one registry."""

    def __init__(self, count: int, seed: int) -> None:
        # States, ages and times follow the seed; codes are drawn anew, so that runs can add up.
        self._chance = random.Random(seed)
        self._count = count
        self._now = timezone.now()
        # Short: the code of an agency has forty characters at most, and PostgreSQL counts them.
        self._stamp = f"{seed}-{int(self._now.timestamp() * 1000):x}"
        self._people: dict[tuple[str, Role], User] = {}

    # -------------------------------------------------------------------- offices

    def offices(self) -> None:
        """Agencies of every kind in every region, and someone for every role."""
        receiving: list[Agency] = []
        for region in _REGIONS:
            for kind in AgencyKind:
                agency = Agency.objects.create(
                    code=f"syn-{region.lower()}-{kind.value}-{self._stamp}",
                    name=f"Synthetic {kind.value} of {region}",
                    kind=kind.value,
                    region=region,
                )
                for role, row in ROLES.items():
                    if kind in row.agencies and (region, role) not in self._people:
                        self._people[region, role] = self._appoint(agency, role, region)
                if kind in (AgencyKind.HOSPITAL, AgencyKind.WELFARE):
                    receiving.append(agency)
        officers = {user.agency_id: user for user in reversed(self._people.values())}
        for agency in receiving:
            self._accredit(agency, officers[agency.pk])
        self._national()
        self._homes()

    def _accredit(self, agency: Agency, officer: User) -> None:
        """Accredit as the administrators of two regions do."""
        one, other = (self._people[region, Role.ADMINISTRATOR] for region in _REGIONS[:2])
        agency.accredited, agency.named_officer = True, officer
        columns = ("code", "name", "kind", "country", "region", "accredited", "named_officer")
        change = _model("accounts.AgencyChange").objects.create(
            agency=agency,
            proposed_by=one,
            proposed_at=self._now,
            expires_at=self._now + timedelta(hours=72),
            **{name: getattr(agency, name) for name in columns},
        )
        change.confirmed_by = other
        change.save(update_fields=["confirmed_by"])
        agency.save(update_fields=["accredited", "named_officer"])
        change.closed_at = self._now
        change.save(update_fields=["closed_at"])

    def _appoint(self, agency: Agency, role: Role, region: str) -> User:
        return User.objects.create_user(
            email=f"{role.value}.{region.lower()}.{self._stamp}@example.org",
            full_name=f"Synthetic {role.value.replace('_', ' ')} of {region}",
            person_number=f"S-{role.value}-{region}-{self._stamp}",
            agency=agency,
            role=role.value,
        )

    def _national(self) -> None:
        agency = Agency.objects.create(
            code=f"syn-national-{self._stamp}",
            name="Synthetic national oversight",
            kind=AgencyKind.OVERSIGHT.value,
        )
        self._appoint(agency, Role.AUDITOR, "national")

    def _homes(self) -> None:
        rows = []
        for number in range(max(16, self._count // 40)):
            region = _REGIONS[number % len(_REGIONS)]
            hospital = number % 5 == 0
            role = Role.CLINICIAN if hospital else Role.WELFARE_WORKER
            where = POSITIONS[region]
            rows.append(
                CareHome(
                    agency_id=self._people[region, role].agency_id,
                    name=f"Synthetic {'hospital' if hospital else 'home'} {number + 1}",
                    region=region,
                    latitude=round(where.latitude + self._chance.uniform(-1.5, 1.5), 2),
                    longitude=round(where.longitude + self._chance.uniform(-1.5, 1.5), 2),
                    hospital=hospital,
                    medical_level=3 if hospital else self._chance.choice((0, 1, 1, 2)),
                    beds=self._chance.randint(8, 90),
                    carers=self._chance.randint(3, 20),
                    cost_per_child_day=Decimal(self._chance.randint(60, 240)),
                    budget=Decimal(self._chance.randint(10_000, 600_000)),
                )
            )
        self._free = {home.pk: home.beds for home in CareHome.objects.bulk_create(rows)}
        self._homes_of: dict[str, list[CareHome]] = defaultdict(list)
        for home in rows:
            self._homes_of[home.region].append(home)

    # -------------------------------------------------------------------- children

    def children(self) -> list[_Child]:
        """Cases in state new, with their children, operations and parties."""
        campaign = _model("registry.Campaign").objects.create(
            name=f"Synthetic campaign {self._stamp}",
            task_force_from=(self._now - timedelta(days=200)).date(),
            special_until=(self._now + timedelta(days=26)).date(),
        )
        operations = [
            _model("registry.Operation").objects.create(
                campaign=campaign,
                code=f"SYN-{number:02}-{self._stamp}",
                name="Synthetic operation",
                lead_id=self._people[region, Role.POLICE_OFFICER].agency_id,
                starts_at=self._now - timedelta(days=200 - number * 20),
            )
            for number, region in enumerate(_REGIONS)
        ]
        weights = [share for share, _script in SCRIPTS.values()]
        finals = self._chance.choices(list(SCRIPTS), weights, k=self._count)
        person = _model("registry.Person")
        people = person.objects.bulk_create(
            (self._person(person, number) for number in range(self._count)), batch_size=_BATCH
        )
        cases = Case.objects.bulk_create(
            (
                Case(
                    child=child,
                    code=registry.new_code(),
                    region=child.region,
                    campaign=campaign,
                    operation=None if final == "located" else self._chance.choice(operations),
                    returned_to_buyer=final == "located" and self._chance.random() < 0.3,
                )
                for child, final in zip(people, finals, strict=True)
            ),
            batch_size=_BATCH,
        )
        roles = (Role.POLICE_OFFICER, Role.WELFARE_WORKER, Role.CLINICIAN)
        CaseParty.objects.bulk_create(
            (
                CaseParty(case=case, agency_id=self._people[case.region, role].agency_id)
                for case, final in zip(cases, finals, strict=True)
                for role in (roles[:1] if final == "located" else roles)
            ),
            batch_size=_BATCH,
        )
        return [
            self._child(case, SCRIPTS[final][1]) for case, final in zip(cases, finals, strict=True)
        ]

    def _person(self, person: Any, number: int) -> Any:
        region = self._chance.choice(_REGIONS)
        age = round(self._chance.triangular(0, 14 * 365, 500))
        born = self._now.date() - timedelta(days=age)
        return person(
            code=registry.new_code(),
            name=f"Synthetic child {number + 1}",
            sex=self._chance.choice(("female", "male")),
            born_from=born - timedelta(days=60),
            born_to=born,
            region=region,
            entered_by_id=self._people[region, Role.POLICE_OFFICER].agency_id,
        )

    def _child(self, case: Case, script: tuple[tuple[str, str], ...]) -> _Child:
        """Let a script end in the last days, or long ago where it is done."""
        needed = timedelta(hours=sum(_HOURS.get(name, (0, 1))[1] for _, name in script))
        spare = timedelta(days=200) - needed
        back = needed + spare * self._chance.random() ** 2 if spare > timedelta(0) else needed
        return _Child(case, script, self._now - back)

    # -------------------------------------------------------------------- transitions

    def walk(self, children: Iterable[_Child]) -> None:
        """Make all transitions, step by step for everyone at once."""
        moving = list(children)
        for number in range(max(len(script) for _share, script in SCRIPTS.values())):
            groups: dict[tuple[str, str], list[_Child]] = defaultdict(list)
            moving = [child for child in moving if number < len(child.script)]
            for child in moving:
                groups[child.script[number]].append(child)
            for (kind, name), members in sorted(groups.items()):
                with transaction.atomic():
                    self._step(kind, name, members)

    def _step(self, kind: str, name: str, members: list[_Child]) -> None:
        machine = MACHINES["case" if kind == "case" else "placement"]
        if name == "propose":
            self._propose(kind, members)
        if name == "clear":
            self._clear(members)
        for child in members:
            low, high = _HOURS.get(name, (0, 1))
            child.moment += timedelta(hours=self._chance.uniform(low, high))
            child.times[name] = child.moment
        rules = {child: machine.rule(name, child.states[kind]) for child in members}
        proposals = self._proposals(kind, rules) if next(iter(rules.values())).cosigners else {}
        records = [
            self._record(kind, child, rule, proposals.get(child)) for child, rule in rules.items()
        ]
        TransitionRecord.objects.bulk_create(records, batch_size=_BATCH)
        _move("casework_case" if kind == "case" else "casework_placement", machine.key)
        self._due(machine.key)
        for child, rule in rules.items():
            child.versions[kind] += 1
            child.states[kind] = rule.target if rule.target != RESUME else child.states[kind]

    def _subject(self, kind: str, child: _Child) -> int:
        return child.case.pk if kind == "case" else child.places[kind].pk

    def _by(self, region: str, roles: Iterable[Role], but: int | None = None) -> User:
        for role in sorted(set(roles) - {Role.SYSTEM}):
            user = self._people[region, role]
            if user.agency_id != but:
                return user
        raise LookupError(f"nobody of {roles} in another agency")

    def _record(
        self, kind: str, child: _Child, rule: Rule, proposal: Proposal | None
    ) -> TransitionRecord:
        user = self._by(child.case.region, rule.roles)
        digest = proposal.digest if proposal else hashlib.sha256(child.case.code.encode())
        return TransitionRecord(
            machine="case" if kind == "case" else "placement",
            subject_id=self._subject(kind, child),
            number=child.versions[kind] + 1,
            rule=rule.name,
            source=child.states[kind],
            target=rule.target,
            actor=user,
            role=user.role,
            agency_id=user.agency_id,
            channel="import",
            evidence={"source": _TOLD},
            evidence_digest=digest if isinstance(digest, str) else digest.hexdigest(),
            proposal=proposal,
            made_at=child.moment,
        )

    def _proposals(self, kind: str, rules: Mapping[_Child, Rule]) -> dict[_Child, Proposal]:
        """Propose and sign: the first by a role that may, each other of another agency."""
        made = {
            child: Proposal(
                machine="case" if kind == "case" else "placement",
                subject_id=self._subject(kind, child),
                subject_version=child.versions[kind],
                rule=rule.name,
                evidence={"source": _TOLD},
                digest=hashlib.sha256(f"{rule.name}{child.case.code}".encode()).hexdigest(),
                proposed_at=child.moment,
                expires_at=child.moment + timedelta(hours=72),
            )
            for child, rule in rules.items()
        }
        Proposal.objects.bulk_create(made.values(), batch_size=_BATCH)
        signatures = []
        for child, proposal in made.items():
            agency = None
            for roles in (rules[child].roles, *rules[child].cosigners):
                user = self._by(child.case.region, roles, agency)
                agency = user.agency_id
                signatures.append(
                    Signature(
                        proposal=proposal,
                        signer=user,
                        agency_id=agency,
                        role=user.role,
                        digest=proposal.digest,
                        signed_at=child.moment,
                        second_factor_at=child.moment,
                    )
                )
        Signature.objects.bulk_create(signatures, batch_size=_BATCH)
        numbers = [proposal.pk for proposal in made.values()]
        for start in range(0, len(numbers), _BATCH):
            part = Proposal.objects.filter(pk__in=numbers[start : start + _BATCH])
            part.update(closed_at=self._now, outcome="done")
        return made

    def _propose(self, kind: str, members: list[_Child]) -> None:
        if kind == "care":
            for child in members:
                child.places[kind] = Placement(case=child.case, home=self._bed(child.case.region))
        else:
            for child, household in zip(members, self._households(members), strict=True):
                child.places[kind] = Placement(
                    case=child.case, household=household, purpose="return"
                )
        Placement.objects.bulk_create([child.places[kind] for child in members], batch_size=_BATCH)

    def _bed(self, region: str) -> CareHome:
        """Choose a home with a free bed, in the region where there is one."""
        for homes in (self._homes_of[region], *self._homes_of.values()):
            free = [home for home in homes if self._free[home.pk] > 0]
            if free:
                home = self._chance.choice(free)
                self._free[home.pk] -= 1
                return home
        raise LookupError("every bed of the synthetic registry is taken")

    def _households(self, members: list[_Child]) -> list[Any]:
        person, household = _model("registry.Person"), _model("registry.Household")
        member = _model("registry.HouseholdMember")
        agencies = [self._people[c.case.region, Role.WELFARE_WORKER].agency_id for c in members]
        parents = person.objects.bulk_create(
            [
                person(
                    code=registry.new_code(),
                    name="Synthetic mother",
                    sex="female",
                    region=child.case.region,
                    identity="verified",
                    entered_by_id=agency,
                )
                for child, agency in zip(members, agencies, strict=True)
            ],
            batch_size=_BATCH,
        )
        homes = household.objects.bulk_create(
            [
                household(code=registry.new_code(), region=child.case.region, entered_by_id=agency)
                for child, agency in zip(members, agencies, strict=True)
            ],
            batch_size=_BATCH,
        )
        member.objects.bulk_create(
            [
                member(household=home, person=parent)
                for home, parent in zip(homes, parents, strict=True)
            ],
            batch_size=_BATCH,
        )
        return homes

    def _clear(self, members: list[_Child]) -> None:
        """Freeze a screening that holds until after the hand-over."""
        Clearance.objects.bulk_create(
            (
                Clearance(
                    placement=child.places["return"],
                    screened_at=child.moment,
                    expires_at=child.moment + timedelta(days=60),
                    clear=True,
                    result={"source": _TOLD},
                    digest="0" * 64,
                    screened_by=self._people[child.case.region, Role.WELFARE_WORKER],
                )
                for child in members
            ),
            batch_size=_BATCH,
        )

    def _due(self, key: str) -> None:
        """Start the clock of the state that was entered, as the engine does."""
        machine, policy = MACHINES[key], load_policy(settings.COUNTRY)
        model = Case if key == "case" else Placement
        for state in {row.target for row in machine.rules} - {RESUME}:
            clocks = [rule.clock for rule in machine.from_state(state) if rule.clock]
            if clocks:
                least = min(policy.clock(clock) for clock in clocks)
                rows = model.objects.filter(state=state, due_at__isnull=True)
                rows.update(due_at=F("state_since") + least)

    # -------------------------------------------------------------------- what comes along

    def attend(self, children: list[_Child]) -> None:
        """Examinations, times of rescue, visits, services, and what the guard refused."""
        with connection.cursor() as cursor:
            cursor.execute(
                "UPDATE casework_case SET rescued_at = r.made_at FROM casework_transitionrecord r "
                "WHERE r.machine = 'case' AND r.rule = 'rescue' "
                "AND r.subject_id = casework_case.id AND casework_case.rescued_at IS NULL"
            )
        MedicalExam.objects.bulk_create(
            (self._exam(child) for child in children if "clear_medically" in child.times),
            batch_size=_BATCH,
        )
        home = [child for child in children if "hand_over" in child.times]
        Visit.objects.bulk_create(
            (visit for child in home for visit in self._visits(child)), batch_size=_BATCH
        )
        Service.objects.bulk_create(
            (self._service(child) for child in home if self._chance.random() < 0.7),
            batch_size=_BATCH,
        )
        with transaction.atomic():
            for child in self._chance.sample(children, min(len(children), 200)):
                codes = [self._chance.choice(("custody:linked", "custody:involved", "no_bed"))]
                audit.append(
                    SYSTEM,
                    "placement.refused",
                    f"case:{child.case.code}",
                    {"step": "clear", "codes": codes, "synthetic": True},
                )

    def _exam(self, child: _Child) -> MedicalExam:
        level = self._chance.choices((0, 1, 2, 3), (60, 25, 10, 5))[0]
        return MedicalExam(
            case=child.case,
            clinician=self._people[child.case.region, Role.CLINICIAN],
            examined_at=child.times["clear_medically"],
            sedation=self._chance.choice(("none", "none", "suspected", "certain")),
            injuries=_TOLD,
            age_days_min=100,
            age_days_max=160,
            needs_medical_level=level,
        )

    def _visits(self, child: _Child) -> Iterable[Visit]:
        since = child.times["hand_over"]
        visitor = self._people[child.case.region, Role.WELFARE_WORKER]
        followed = "start_follow_up" in child.times
        for number, (key, days) in enumerate(load_policy(settings.COUNTRY).visits):
            due = timezone.localtime(since).date() + timedelta(days=days)
            past = due <= timezone.localdate()
            done = "close" in child.times or (number == 0 and followed)
            done = done or (past and followed and self._chance.random() < 0.85)
            yield Visit(
                case=child.case,
                key=key,
                due_on=due,
                done_at=min(self._now, since + timedelta(days=days)) if done else None,
                visitor=visitor if done else None,
                cost=Decimal(self._chance.randint(50, 400)) if done else Decimal(0),
            )

    def _service(self, child: _Child) -> Service:
        since: date = child.times["hand_over"].date()
        return Service(
            case=child.case,
            kind=self._chance.choice(Service.Kind.values),
            given_on=since + timedelta(days=self._chance.randint(0, 5)),
            cost=Decimal(self._chance.randint(200, 6_000)),
            given_by=self._people[child.case.region, Role.WELFARE_WORKER],
        )


def _move(table: str, machine: str) -> None:
    """Bring every record that has a new transition into the state it leads to."""
    further = (
        ", resume_state = CASE WHEN r.source IN ('new', r.target) THEN resume_state"
        " ELSE r.source END"
        ", return_placement_id = CASE WHEN r.rule = 'hand_over' THEN (SELECT p.id"
        " FROM casework_placement p WHERE p.case_id = casework_case.id AND p.purpose = 'return'"
        " AND p.state = 'cleared') ELSE return_placement_id END"
        if machine == "case"
        else ""
    )
    with connection.cursor() as cursor:
        cursor.execute(
            f"UPDATE {table} SET state = r.target, version = r.number, "
            f"state_since = r.made_at, due_at = NULL{further} FROM casework_transitionrecord r "
            f"WHERE r.machine = %s AND r.subject_id = {table}.id "
            f"AND r.number = {table}.version + 1",
            [machine],
        )


def make_registry(count: int, seed: int) -> int:
    """Add a synthetic registry of `count` cases; return how many transitions it took.

    :raises ValueError: `count` is below one.
    """
    if count < 1:
        raise ValueError("a registry needs at least one case")
    maker = _Maker(count, seed)
    before = TransitionRecord.objects.count()
    with transaction.atomic():
        maker.offices()
        children = maker.children()
    maker.walk(children)
    maker.attend(children)
    return TransitionRecord.objects.count() - before
