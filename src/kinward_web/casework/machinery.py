"""What every transition shares: bindings of machines to models, checks, and the execution itself.

Nothing here decides; the tables in `rules` do, and `engine` and `signatures` call this.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.conf import settings
from django.db import models, transaction
from django.utils.translation import gettext as _

from kinward_web.accounts.api import Actor, second_factor_refusals
from kinward_web.audit import api as audit
from kinward_web.casework.models import Case, Proposal, TransitionRecord
from kinward_web.errors import Refusal, TransitionRefused
from kinward_web.registry import api as registry
from kinward_web.rules.evidence import EVIDENCE, Kind
from kinward_web.rules.policy import load_policy
from kinward_web.rules.roles import ROLES, Role
from kinward_web.rules.table import NEW, RESUME, Machine, Rule

__all__ = [
    "Binding",
    "Context",
    "Effect",
    "Guard",
    "binding_of",
    "bundle_digest",
    "changed",
    "execute",
    "guard_refusals",
    "lock",
    "party_refusals",
    "record_refusal",
    "register",
    "role_refusal",
    "rule_due",
    "second_factor_refusals",
    "standing_refusals",
]

_PASSING = (NEW, "hold", "transferred", "missing_from_care", "died", "closed")
"""States that never become the one to which a hold or transfer leads back."""


@dataclass(frozen=True, slots=True)
class Context:
    """What a guard or an effect may look at."""

    actor: Actor
    subject: Any
    """The Case, Placement or Publication, still in its source state."""
    case: Case | None
    rule: Rule
    evidence: Mapping[str, Any]
    moment: datetime
    binding: Binding
    locked: bool = True
    """Whether rows are locked for a transition; False where a page only asks what blocks it."""


Guard = Callable[[Context], list[Refusal]]
Effect = Callable[[Context], Mapping[str, Any] | None]
"""Writes what the transition brings about; returns further columns of the subject to set."""


@dataclass(frozen=True, slots=True)
class Binding:
    """A machine joined to its model, guards and effects."""

    machine: Machine
    model: type[models.Model]
    guards: Mapping[str, Guard]
    effects: Mapping[str, Effect]
    sequels: Mapping[str, Callable[[Context], None]]
    """Transitions of other records that follow at once, after the subject has its new state."""
    case_of: Callable[[Any], Case | None]
    parties: Callable[[Any], set[int]]
    """Ids of the agencies whose people may act on the subject."""
    label: Callable[[Any], str]
    """The subject in the audit chain, such as `case:K7QM-3T9X-B2`."""
    content: Callable[[Any], Any] = lambda _subject: None
    """What of the subject itself is signed besides the evidence, as JSON: a notice's text."""


_BINDINGS: dict[str, Binding] = {}


def register(binding: Binding) -> None:
    """Join a machine to its model; called once per machine when the applications are ready.

    :raises ValueError: the table names a guard that the binding lacks, or the binding an effect
        without a rule.
    """
    needed = {name for rule in binding.machine.rules for name in rule.guards}
    missing = needed - set(binding.guards)
    if missing:
        raise ValueError(f"{binding.machine.key}: guards without a function: {sorted(missing)}")
    unknown = {*binding.effects, *binding.sequels} - {rule.name for rule in binding.machine.rules}
    if unknown:
        raise ValueError(f"{binding.machine.key}: effects without a rule: {sorted(unknown)}")
    _BINDINGS[binding.machine.key] = binding


def binding_of(subject: models.Model | str) -> Binding:
    """Return the binding of a record, or of a machine by key.

    :raises KeyError: nothing is bound to it.
    """
    if isinstance(subject, str):
        return _BINDINGS[subject]
    for binding in _BINDINGS.values():
        if isinstance(subject, binding.model):
            return binding
    raise KeyError(type(subject).__name__)


def lock(binding: Binding, pk: int) -> Any:
    """Return the subject with its row locked, and before it the row of its case.

    Every transition takes the case first: what a guard reads of the case and its places cannot
    change under it, and no two transitions wait for each other.
    """
    manager = binding.model._default_manager
    case = binding.case_of(manager.get(pk=pk))
    if case is not None:
        Case.objects.select_for_update().get(pk=case.pk)
    return manager.select_for_update().get(pk=pk)


# ------------------------------------------------------------------------------ checks


def standing_refusals(context: Context) -> list[Refusal]:
    """Return everything that blocks the step for this actor, evidence aside."""
    rule = context.rule
    refusals = [] if context.actor.role in rule.roles else [role_refusal(rule)]
    refusals += party_refusals(context.binding, context.actor, context.subject, rule)
    if rule.second_factor:
        refusals += second_factor_refusals(context.actor, context.moment)
    return refusals + guard_refusals(context)


def guard_refusals(context: Context) -> list[Refusal]:
    """Return what the guards of the rule refuse, whoever acts."""
    return [
        refusal for name in context.rule.guards for refusal in context.binding.guards[name](context)
    ]


def role_refusal(rule: Rule) -> Refusal:
    """Return the refusal of a role that has no part in `rule`."""
    labels = ", ".join(str(ROLES[role].label) for role in sorted(rule.roles - {Role.SYSTEM}))
    return Refusal(
        "role",
        _("“%(step)s” is not a step of your role.") % {"step": rule.label},
        _("Ask one of these: %(roles)s.") % {"roles": labels or _("nobody; Kinward does it")},
    )


def party_refusals(binding: Binding, actor: Actor, subject: Any, rule: Rule) -> list[Refusal]:
    """Return a refusal unless the agency takes part in the case or the case is assigned by name."""
    if rule.anyone or actor.role == Role.SYSTEM or actor.agency_id in binding.parties(subject):
        return []
    case = binding.case_of(subject)
    if case is not None and case.assignments.filter(user_id=actor.user_id).exists():
        return []
    return [
        Refusal(
            "agency",
            _("Your agency takes no part in this case."),
            _("Ask the agency that answers for the child to transfer the case or to assign you."),
        )
    ]


def changed() -> Refusal:
    """Return the refusal of a step that rests on a state which is no longer so."""
    return Refusal(
        "changed",
        _("Someone has changed this record since you opened it."),
        _("Look at it as it stands now and take the step again if it is still right."),
    )


# ------------------------------------------------------------------------------ execution


def bundle_digest(machine: str, subject: Any, rule: Rule, evidence: Mapping[str, Any]) -> str:
    """Return the SHA-256 over machine, subject, version, content, rule, evidence and documents.

    The documents count with their own digests, so that none can be exchanged under a signature.
    """
    ids: list[int] = []
    for key, value in evidence.items():
        if EVIDENCE[key].kind in (Kind.DOCUMENT, Kind.DOCUMENTS):
            ids += value if isinstance(value, list) else [value]
    documents = sorted(registry.document_digests(ids).items()) if ids else []
    content = binding_of(machine).content(subject)
    bundle = [machine, subject.pk, subject.version, rule.name, evidence, documents, content]
    text = json.dumps(bundle, sort_keys=True, ensure_ascii=False, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


def execute(context: Context, proposal: Proposal | None) -> TransitionRecord:
    """Make a transition that has passed every check, with its effects and its audit event."""
    subject, rule, binding = context.subject, context.rule, context.binding
    source = subject.state
    target = subject.resume_state if rule.target == RESUME else rule.target
    digest = bundle_digest(binding.machine.key, subject, rule, context.evidence)
    record = TransitionRecord.objects.create(
        machine=binding.machine.key,
        subject_id=subject.pk,
        number=subject.version + 1,
        rule=rule.name,
        source=source,
        target=target,
        actor_id=context.actor.user_id,
        role=context.actor.role.value,
        agency_id=context.actor.agency_id,
        channel=context.actor.channel.value,
        evidence=dict(context.evidence),
        evidence_digest=digest,
        proposal=proposal,
        made_at=context.moment,
    )
    effect = binding.effects.get(rule.name)
    columns: dict[str, Any] = dict(effect(context) or {}) if effect else {}
    if hasattr(subject, "resume_state"):
        columns["resume_state"] = _resume_state(binding.machine, subject, source, target)
    since = _clock_start(context)
    columns |= {
        "state": target,
        "version": subject.version + 1,
        "state_since": since,
        "due_at": _due(binding.machine, target, since),
    }
    rows = binding.model._default_manager.filter(pk=subject.pk, version=subject.version)
    if rows.update(**columns) != 1:
        raise TransitionRefused([changed()])
    audit.append(
        context.actor,
        f"{binding.machine.key}.{rule.name}",
        binding.label(subject),
        {
            "from": source,
            "to": target,
            "number": record.number,
            "evidence": digest,
            "proposal": proposal.pk if proposal else None,
        },
    )
    sequel = binding.sequels.get(rule.name)
    if sequel is not None:
        subject.refresh_from_db()
        sequel(context)
    return record


def _resume_state(machine: Machine, subject: Any, source: str, target: str) -> str:
    """Return to which state a later hold, transfer or reopening leads back."""
    if target == "closed":
        return source
    if source == "closed":
        # Closing stored where the case stood; what it stood on before is in the history.
        history = TransitionRecord.objects.filter(machine=machine.key, subject_id=subject.pk)
        steady = history.exclude(source__in=_PASSING).order_by("-number")
        return steady.values_list("source", flat=True).first() or ""
    return subject.resume_state if source in (*_PASSING, target) else source


def _clock_start(context: Context) -> datetime:
    """Clocks run from when it happened, not from when someone found time to record it."""
    happened = context.evidence.get("happened_at")
    return datetime.fromisoformat(happened) if happened else context.moment


def rule_due(rule: Rule, since: datetime | None) -> datetime | None:
    """Return when `rule` is due in a state entered at `since`; None without a clock."""
    if rule.clock is None or since is None:
        return None
    return since + load_policy(settings.COUNTRY).clock(rule.clock)


def _due(machine: Machine, state: str, since: datetime) -> datetime | None:
    times = [rule_due(rule, since) for rule in machine.from_state(state)]
    return min((time for time in times if time is not None), default=None)


def record_refusal(
    binding: Binding, actor: Actor, subject: Any, name: str, refused: TransitionRefused
) -> None:
    """Append a refused step to the audit chain; called once what was begun has been undone."""
    with transaction.atomic():
        audit.append(
            actor,
            f"{binding.machine.key}.refused",
            binding.label(subject),
            {"step": name, "codes": [refusal.code for refusal in refused.refusals]},
        )
