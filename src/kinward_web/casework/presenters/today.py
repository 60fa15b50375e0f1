"""What must be done now: the first page of whoever works in cases.

Every list is cut at `LONGEST` and says how many there are in all; the number of queries does not
depend on how many cases there are.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from django.db.models import Count, F, QuerySet
from django.urls import reverse
from django.utils import timezone
from django.utils.functional import Promise

from kinward_web.accounts.api import Actor
from kinward_web.casework.engine import binding_of
from kinward_web.casework.messages import TEXTS
from kinward_web.casework.models import Case, Message, Proposal, Visit
from kinward_web.casework.presenters.child import age_text
from kinward_web.casework.presenters.timeline import visit_label
from kinward_web.casework.scope import cases_for
from kinward_web.casework.signatures import unfilled
from kinward_web.rules import MACHINES
from kinward_web.rules.case import CASE
from kinward_web.rules.table import Rule, StateRow

__all__ = [
    "LONGEST",
    "CaseRow",
    "Listed",
    "ProposalRow",
    "Today",
    "case_row",
    "today_for",
    "with_child",
]

LONGEST = 25
"""Rows of a list on the page."""
_COLUMNS = ("code", "region", "state", "due_at", "returned_to_buyer")
"""Of a case, in lists."""
_SOON = timedelta(hours=24)
_FIRST = ("located", "missing_from_care", "hold")
"""States with a list of their own."""


@dataclass(frozen=True, slots=True)
class CaseRow:
    """One child in a list."""

    case: Case
    state: StateRow
    child: str
    """Sex and age in words."""
    step: Rule | None
    """The step whose clock runs."""
    mine: bool
    """Whether the actor's role takes it."""

    @property
    def overdue(self) -> bool:
        """Whether the time is over."""
        return self.case.due_at is not None and self.case.due_at < timezone.now()


@dataclass(frozen=True, slots=True)
class Listed:
    """A list cut at its longest, and how many there are in all."""

    rows: tuple[CaseRow, ...]
    total: int

    @property
    def more(self) -> int:
        """Return how many are not shown."""
        return self.total - len(self.rows)


@dataclass(frozen=True, slots=True)
class ProposalRow:
    """A proposal that waits for the actor's signature."""

    proposal: Proposal
    label: str | Promise
    case: Case
    proposer: str
    agency: str

    @property
    def url(self) -> str:
        """Return the page on which it is signed."""
        if self.proposal.machine == "publication":
            return reverse("public:notice", args=[self.proposal.subject_id])
        return reverse("casework:proposal", args=[self.case.code, self.proposal.pk])


@dataclass(frozen=True, slots=True)
class MessageRow:
    """Word to the agency."""

    message: Message
    text: str | Promise


@dataclass(frozen=True, slots=True)
class VisitRow:
    """A visit that is due."""

    visit: Visit
    label: str
    overdue: bool


@dataclass(frozen=True, slots=True)
class Today:
    """Everything on the page, in the order in which it is shown."""

    located: Listed
    missing: Listed
    held: Listed
    clocks: Listed
    proposals: tuple[ProposalRow, ...]
    messages: tuple[MessageRow, ...]
    visits: tuple[VisitRow, ...]
    total: int
    """Cases within reach."""


def today_for(actor: Actor, moment: datetime | None = None) -> Today:
    """Return what the actor must look at now."""
    moment = moment or timezone.now()
    cases = cases_for(actor)
    first = (F("returned_to_buyer").desc(), F("due_at").asc(nulls_last=True), "pk")
    running = cases.exclude(state__in=_FIRST).filter(due_at__lte=moment + _SOON)
    counts = dict(cases.order_by().values_list("state").annotate(n=Count("pk")))

    def listed(state: str) -> Listed:
        rows = _rows(actor, cases.filter(state=state), *first)
        return Listed(rows, counts.get(state, 0))

    return Today(
        located=listed("located"),
        missing=listed("missing_from_care"),
        held=listed("hold"),
        clocks=Listed(_rows(actor, running, "due_at", "pk"), running.count()),
        proposals=_proposals(actor, cases, moment),
        messages=_messages(actor),
        visits=_visits(actor, timezone.localdate(moment)),
        total=sum(counts.values()),
    )


def _rows(actor: Actor, cases: QuerySet[Case], *order: object) -> tuple[CaseRow, ...]:
    return tuple(case_row(actor, case) for case in with_child(cases).order_by(*order)[:LONGEST])


def with_child(cases: QuerySet[Case]) -> QuerySet[Case]:
    """Join what lists show of the child: no name is fetched, so none is decrypted."""
    shown = ("child__sex", "child__born_from", "child__born_to")
    return cases.select_related("child").only(*_COLUMNS, *shown)


def case_row(actor: Actor, case: Case) -> CaseRow:
    """Return one child as lists show it."""
    clocked = [rule for rule in CASE.from_state(case.state) if rule.clock is not None]
    step = clocked[0] if clocked and case.due_at else None
    age = age_text(case.child.born_from, case.child.born_to)
    sex = "" if case.child.sex == "unknown" else str(case.child.get_sex_display())
    return CaseRow(
        case=case,
        state=CASE.state(case.state),
        child=", ".join(filter(None, (sex, age))),
        step=step,
        mine=step is not None and actor.role in step.roles,
    )


def _proposals(actor: Actor, cases: QuerySet[Case], moment: datetime) -> tuple[ProposalRow, ...]:
    waiting = list(
        Proposal.objects.filter(closed_at__isnull=True, expires_at__gt=moment)
        .prefetch_related("signatures__signer", "signatures__agency")
        .order_by("proposed_at")
    )
    mine = [row for row in waiting if _waits_for(actor, row)]
    subjects: dict[tuple[str, int], tuple[int, Case]] = {}
    for machine in MACHINES:
        binding = binding_of(machine)
        found = binding.model._default_manager.filter(
            pk__in=[row.subject_id for row in mine if row.machine == machine]
        )
        if machine == "case":
            found = found.filter(pk__in=cases.values("pk"))
        else:
            found = found.filter(case__in=cases.values("pk")).select_related("case")
        subjects |= {(machine, row.pk): (row.version, binding.case_of(row)) for row in found}
    return tuple(_proposal_rows(mine, subjects))


def _waits_for(actor: Actor, proposal: Proposal) -> bool:
    rule = binding_of(proposal.machine).machine.rule(proposal.rule)
    signed = {row.agency_id for row in proposal.signatures.all()}
    places = unfilled(rule, proposal)
    return actor.agency_id not in signed and any(actor.role in place for place in places)


def _proposal_rows(
    proposals: Sequence[Proposal], subjects: dict[tuple[str, int], tuple[int, Case]]
) -> Iterable[ProposalRow]:
    for proposal in proposals:
        version, case = subjects.get((proposal.machine, proposal.subject_id), (None, None))
        if case is None or version != proposal.subject_version:
            continue
        first = min(proposal.signatures.all(), key=lambda row: row.pk)
        rule = binding_of(proposal.machine).machine.rule(proposal.rule)
        yield ProposalRow(proposal, rule.label, case, first.signer.full_name, first.agency.name)


def _messages(actor: Actor) -> tuple[MessageRow, ...]:
    rows = Message.objects.filter(agency_id=actor.agency_id, read_at__isnull=True)
    # Only cases that the role may open: the text names a case.
    rows = rows.filter(case__in=cases_for(actor).values("pk")).select_related("case")
    return tuple(MessageRow(row, TEXTS[row.key]) for row in rows[:LONGEST])


def _visits(actor: Actor, today: date) -> tuple[VisitRow, ...]:
    rows = Visit.objects.filter(
        case__in=cases_for(actor, "service.write").values("pk"),
        done_at__isnull=True,
        cancelled_at__isnull=True,
        due_on__lte=today + timedelta(days=7),
    ).select_related("case")
    return tuple(
        VisitRow(visit, visit_label(visit.key), visit.due_on < today) for visit in rows[:LONGEST]
    )
