"""One child's page: the rail of stages, the steps, the people and the facts."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime

from django.utils import timezone
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from kinward_web.accounts.api import Actor
from kinward_web.casework.engine import Step
from kinward_web.casework.models import Case, Proposal, TransitionRecord
from kinward_web.errors import Refusal
from kinward_web.rules.case import CASE
from kinward_web.rules.roles import ROLES, Role, reach_of
from kinward_web.rules.table import Machine, Rule

__all__ = [
    "Stage",
    "StepRow",
    "age_text",
    "purpose_of",
    "records_of",
    "stages",
    "step_rows",
    "visible_refusals",
]

_PURPOSES = {
    Role.POLICE_OFFICER: "rescue",
    Role.POLICE_ANALYST: "investigation",
    Role.CLINICIAN: "care",
    Role.WELFARE_WORKER: "care",
    Role.PANEL_MEMBER: "placement",
    Role.FAMILY_LIAISON: "follow_up",
    Role.FOREIGN_AUTHORITY: "return",
    Role.AUDITOR: "audit",
}
_STEP_ORDER = ("forward", "other", "back")


def purpose_of(role: Role) -> str:
    """Return the ordinary purpose for which a role looks at a case: a key of `audit.PURPOSES`."""
    return _PURPOSES.get(role, "care")


@dataclass(frozen=True, slots=True)
class Stage:
    """One station of the rail."""

    label: str | Promise
    status: str
    """`done`, `current`, `next` or `skipped`."""
    at: datetime | None = None
    note: str | Promise = ""


def records_of(case: Case) -> list[TransitionRecord]:
    """Return every transition of the case in order, with who made it."""
    rows = TransitionRecord.objects.filter(machine="case", subject_id=case.pk)
    return list(rows.select_related("actor", "agency").order_by("number"))


def stages(case: Case, records: Sequence[TransitionRecord]) -> list[Stage]:
    """Return the rail of a case, derived from where it stands and what is on record.

    A state beside the rail (a hold, a transfer …) is shown as a note at the station from which it
    was entered.
    """
    rail = [row for row in CASE.states if row.rail]
    keys = [row.key for row in rail]
    entered = {record.target: record.made_at for record in records}
    here = _station(case, records, keys)
    position = keys.index(here)
    beside = "" if case.state in keys else CASE.state(case.state).label
    found = []
    for number, row in enumerate(rail):
        if number == position:
            found.append(Stage(row.label, "current", entered.get(row.key), beside))
        elif number > position:
            found.append(Stage(row.label, "next"))
        elif row.key in entered:
            found.append(Stage(row.label, "done", entered[row.key]))
        else:
            found.append(Stage(row.label, "skipped"))
    # A case that began with the rescue never was located: that station is not part of its way.
    return [stage for stage in found if stage.status != "skipped" or stage.label != rail[0].label]


def _station(case: Case, records: Sequence[TransitionRecord], keys: Sequence[str]) -> str:
    if case.state in keys:
        return case.state
    for record in reversed(records):
        for state in (record.target, record.source):
            if state in keys:
                return state
    return keys[0]


# ------------------------------------------------------------------------------ steps


@dataclass(frozen=True, slots=True)
class StepRow:
    """One step on the page."""

    rule: Rule
    kind: str
    """`forward`, `other` or `back`."""
    mine: bool
    """Whether the actor's role takes, proposes or signs it."""
    allowed: bool
    refusals: tuple[Refusal, ...]
    due_at: datetime | None
    url: str
    who: str
    """The roles that take it, in words."""
    proposal: Proposal | None
    waits_for: tuple[str, ...]
    stale: bool
    """Whether only a fresh second factor is missing."""

    @property
    def overdue(self) -> bool:
        """Whether its time is over."""
        return self.due_at is not None and self.due_at < timezone.now()


def step_rows(
    actor: Actor, machine: Machine, steps: Iterable[Step], url: Callable[[Rule], str]
) -> list[StepRow]:
    """Return the steps of a page: those towards home first, then others, then backward ones."""
    rows = []
    for step in steps:
        signs = step.proposal is not None and any(
            actor.role in place for place in step.rule.cosigners
        )
        blocking = tuple(row for row in step.refusals if row.code != "second_factor")
        rows.append(
            StepRow(
                rule=step.rule,
                kind=_kind(machine, step.rule),
                mine=step.role_allowed or signs,
                allowed=not blocking,
                refusals=tuple(visible_refusals(actor, blocking)),
                due_at=step.due_at,
                url=url(step.rule),
                who=", ".join(
                    str(ROLES[role].label) for role in sorted(step.rule.roles - {Role.SYSTEM})
                ),
                proposal=step.proposal,
                waits_for=step.waits_for,
                stale=len(blocking) < len(step.refusals),
            )
        )
    return sorted(rows, key=lambda row: _STEP_ORDER.index(row.kind))


def _kind(machine: Machine, rule: Rule) -> str:
    keys = [row.key for row in machine.states if row.rail]
    if rule.clock is not None:
        return "forward"
    if rule.target not in keys or machine.state(rule.target).final:
        return "other"
    places = [keys.index(source) for source in rule.sources if source in keys]
    if not places:
        return "other"
    return "forward" if keys.index(rule.target) > max(places) else "back"


def visible_refusals(actor: Actor, refusals: Iterable[Refusal]) -> list[Refusal]:
    """Return the refusals as the role may read them.

    Who bars a place, and by which link, is told only to those who may screen it.
    """
    told = reach_of(actor.role, "custody.check") is not None
    found, barred = [], False
    for refusal in refusals:
        if told or not refusal.code.startswith("custody:"):
            found.append(refusal)
        elif not barred:
            barred = True
            found.append(
                Refusal(
                    "custody",
                    _("The custody check bars this place."),
                    _(
                        "Ask the police or welfare worker of this case. Tonight a hospital or "
                        "accredited home may receive the child."
                    ),
                )
            )
    return found


# ------------------------------------------------------------------------------ facts


def age_text(born_from: date | None, born_to: date | None) -> str:
    """Return the age as a range, in the unit that fits: days, months or years."""
    if born_from is None or born_to is None:
        return ""
    today = timezone.localdate()
    low, high = (today - born_to).days, (today - born_from).days
    if high < 62:
        return _range(low, high, ngettext("%(age)s day", "%(age)s days", high))
    if high < 730:
        months = round(high / 30.44)
        return _range(
            round(low / 30.44), months, ngettext("%(age)s month", "%(age)s months", months)
        )
    years = int(high / 365.25)
    return _range(int(low / 365.25), years, ngettext("%(age)s year", "%(age)s years", years))


def _range(low: int, high: int, text: str) -> str:
    return text % {"age": str(high) if low == high else f"{max(low, 0)}–{high}"}
