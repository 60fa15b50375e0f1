"""The only way in which a state changes: `transition`, and `sign` for what several must sign.

One transaction locks the record, checks the row of the table of rules (state, role, agency,
evidence, guards, second factor), writes the transition, lets it take effect and appends the audit
event. Triggers in the database, made from the same table, refuse whatever goes round it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from functools import cache
from typing import Any

from django.db import transaction as database
from django.utils import timezone
from django.utils.translation import gettext as _

from kinward_web.accounts.api import Actor
from kinward_web.casework.evidence import clean_evidence
from kinward_web.casework.machinery import (
    Binding,
    Context,
    Effect,
    Guard,
    binding_of,
    changed,
    execute,
    guard_refusals,
    lock,
    record_refusal,
    register,
    rule_due,
    second_factor_refusals,
    standing_refusals,
)
from kinward_web.casework.models import Proposal, TransitionRecord
from kinward_web.casework.signatures import (
    open_proposals,
    propose,
    sign,
    signing_refusals,
    unfilled,
    withdraw_proposal,
)
from kinward_web.errors import Refusal, TransitionRefused
from kinward_web.rules.roles import ROLES
from kinward_web.rules.table import NEW, Rule

__all__ = [
    "Binding",
    "Context",
    "Effect",
    "Guard",
    "Step",
    "binding_of",
    "last_record",
    "next_steps",
    "open_proposals",
    "record_refusal",
    "register",
    "second_factor_refusals",
    "sign",
    "transition",
    "withdraw_proposal",
]


@dataclass(frozen=True, slots=True)
class Step:
    """A rule that leads out of the present state, and what blocks it for this actor."""

    rule: Rule
    refusals: tuple[Refusal, ...]
    due_at: datetime | None
    role_allowed: bool
    """Whether the actor's role may take or propose the step at all."""
    proposal: Proposal | None = None
    waits_for: tuple[str, ...] = ()
    """Roles that must still sign the open proposal, as labels."""

    @property
    def allowed(self) -> bool:
        """Whether nothing but evidence stands between the actor and this step."""
        return not self.refusals


def transition(
    actor: Actor,
    subject: Any,
    name: str,
    evidence: Mapping[str, Any] | None = None,
    moment: datetime | None = None,
    *,
    seen: int | None = None,
) -> TransitionRecord | Proposal:
    """Make the transition `name` of `subject`, or propose it where others must sign too.

    `subject` itself is brought up to date. A refusal is written to the audit chain.

    :param seen: version of the subject that the actor had before his eyes, where a page knows it.
    :raises TransitionRefused: with every refusal, each beside its legitimate path.
    """
    moment = moment or timezone.now()
    binding = binding_of(subject)
    made: TransitionRecord | Proposal
    try:
        with database.atomic():
            context = _checked(binding, actor, subject.pk, name, evidence or {}, moment, seen)
            made = propose(context) if context.rule.cosigners else execute(context, proposal=None)
    except TransitionRefused as refused:
        record_refusal(binding, actor, subject, name, refused)
        raise
    subject.refresh_from_db()
    return made


def next_steps(actor: Actor, subject: Any, moment: datetime | None = None) -> list[Step]:
    """Return every rule out of the present state with what blocks it for `actor`.

    Evidence is left out: the form asks for it. Guards that look at evidence pass without it.
    """
    moment = moment or timezone.now()
    binding = binding_of(subject)
    # The agencies of the case are the same for every step.
    binding = replace(binding, parties=cache(binding.parties))
    case = binding.case_of(subject)
    waiting = {proposal.rule: proposal for proposal in open_proposals(subject, moment)}
    steps = []
    for rule in binding.machine.from_state(subject.state):
        context = Context(actor, subject, case, rule, {}, moment, binding, locked=False)
        proposal = waiting.get(rule.name)
        if proposal is None:
            refusals = standing_refusals(context)
        else:
            refusals = signing_refusals(context, proposal) + guard_refusals(context)
        steps.append(
            Step(
                rule=rule,
                refusals=tuple(refusals),
                due_at=rule_due(rule, subject.state_since),
                role_allowed=actor.role in rule.roles,
                proposal=proposal,
                waits_for=tuple(
                    " / ".join(str(ROLES[role].label) for role in sorted(roles))
                    for roles in (unfilled(rule, proposal) if proposal else ())
                ),
            )
        )
    return steps


def last_record(subject: Any, rule: str) -> TransitionRecord | None:
    """Return the last transition of `subject` by `rule`, or None if there was none."""
    return (
        TransitionRecord.objects.filter(
            machine=binding_of(subject).machine.key, subject_id=subject.pk, rule=rule
        )
        .order_by("-number")
        .first()
    )


def _checked(
    binding: Binding,
    actor: Actor,
    pk: int,
    name: str,
    evidence: Mapping[str, Any],
    moment: datetime,
    seen: int | None,
) -> Context:
    subject = lock(binding, pk)
    try:
        rule = binding.machine.rule(name, subject.state)
    except KeyError:
        raise TransitionRefused([_not_from_here(binding, subject, name)]) from None
    case = binding.case_of(subject)
    cleaned, faults = clean_evidence(rule, evidence, case, moment)
    context = Context(actor, subject, case, rule, cleaned, moment, binding)
    refusals = [changed()] if seen not in (None, subject.version) else []
    refusals += [*standing_refusals(context), *faults]
    if refusals:
        raise TransitionRefused(refusals)
    return context


def _not_from_here(binding: Binding, subject: Any, name: str) -> Refusal:
    machine = binding.machine
    if name not in {rule.name for rule in machine.rules}:
        message = _("There is no step “%(step)s”.") % {"step": name}
    else:
        label = _("new") if subject.state == NEW else machine.state(subject.state).label
        message = _("“%(step)s” does not lead out of the state “%(state)s”.") % {
            "step": machine.rule(name).label,
            "state": label,
        }
    steps = ", ".join(str(rule.label) for rule in machine.from_state(subject.state))
    return Refusal(
        "state", message, _("From here one can: %(steps)s.") % {"steps": steps or _("nothing")}
    )
