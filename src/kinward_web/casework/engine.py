"""The only way in which a state changes: `transition`, and `sign` for what several must sign.

One transaction locks the record, checks the row of the table of rules (state, role, agency,
evidence, guards, second factor), writes the transition, lets it take effect and appends the audit
event. Triggers in the database, made from the same table, refuse whatever goes round it.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.db import models, transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from kinward_web.accounts.api import Actor, Channel, User, actor_for
from kinward_web.audit import api as audit
from kinward_web.casework.evidence import clean_evidence
from kinward_web.casework.models import Case, Proposal, Signature, TransitionRecord
from kinward_web.errors import Refusal, TransitionRefused
from kinward_web.rules.policy import load_policy
from kinward_web.rules.roles import ROLES, Role
from kinward_web.rules.table import RESUME, Machine, Rule

__all__ = [
    "Binding",
    "Context",
    "Step",
    "binding_of",
    "last_record",
    "next_steps",
    "open_proposals",
    "register",
    "second_factor_refusals",
    "sign",
    "transition",
    "withdraw_proposal",
]

_STEADY_EXCEPTIONS = ("hold", "transferred", "missing_from_care", "died")
"""States that do not become the state to which a later hold or transfer leads back."""


@dataclass(frozen=True, slots=True)
class Context:
    """What a guard or an effect may look at."""

    actor: Actor
    subject: Any
    """The locked Case, Placement or Publication, still in its source state."""
    case: Case | None
    rule: Rule
    evidence: Mapping[str, Any]
    moment: datetime
    binding: Binding


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


@dataclass(frozen=True, slots=True)
class Step:
    """A rule that leads out of the present state, and what blocks it for this actor."""

    rule: Rule
    refusals: tuple[Refusal, ...]
    due_at: datetime | None
    role_allowed: bool
    proposal: Proposal | None = None
    waits_for: tuple[str, ...] = field(default=())
    """Roles that must still sign the open proposal, as labels."""

    @property
    def open(self) -> bool:
        """Whether nothing but evidence stands between the actor and this step."""
        return not self.refusals


_BINDINGS: dict[type[models.Model], Binding] = {}


def register(binding: Binding) -> None:
    """Join a machine to its model; called once per machine when the applications are ready.

    :raises ValueError: the table names a guard that the binding lacks.
    """
    needed = {name for rule in binding.machine.rules for name in rule.guards}
    missing = needed - set(binding.guards)
    if missing:
        raise ValueError(f"{binding.machine.key}: guards without a function: {sorted(missing)}")
    unknown = {*binding.effects, *binding.sequels} - {rule.name for rule in binding.machine.rules}
    if unknown:
        raise ValueError(f"{binding.machine.key}: effects without a rule: {sorted(unknown)}")
    _BINDINGS[binding.model] = binding


def binding_of(subject: models.Model | str) -> Binding:
    """Return the binding of a record, or of a machine by key.

    :raises KeyError: nothing is bound to it.
    """
    if isinstance(subject, str):
        return next(b for b in _BINDINGS.values() if b.machine.key == subject)
    return _BINDINGS[type(subject)]


# ------------------------------------------------------------------------------ transitions


def transition(
    actor: Actor,
    subject: Any,
    name: str,
    evidence: Mapping[str, Any] | None = None,
    moment: datetime | None = None,
) -> TransitionRecord | Proposal:
    """Make the transition `name` of `subject`, or propose it where others must sign too.

    `subject` itself is brought up to date. A refusal is written to the audit chain.

    :raises TransitionRefused: with every refusal, each beside its legitimate path.
    """
    moment = moment or timezone.now()
    binding = binding_of(subject)
    try:
        with transaction.atomic():
            context = _checked(binding, actor, subject.pk, name, evidence or {}, moment)
            if context.rule.cosigners:
                return _propose(context)
            record = _execute(context, proposal=None)
    except TransitionRefused as refused:
        _audit_refusal(binding, actor, subject, name, refused)
        raise
    subject.refresh_from_db()
    return record


def sign(actor: Actor, proposal: Proposal, moment: datetime | None = None) -> Signature:
    """Add the actor's signature; the last one that is needed makes the transition.

    :raises TransitionRefused: the proposal is closed, expired or void, the actor may not sign it,
        or a guard refuses by now.
    """
    moment = moment or timezone.now()
    binding = binding_of(proposal.machine)
    subject = binding.model._default_manager.get(pk=proposal.subject_id)
    try:
        with transaction.atomic():
            subject = _lock(binding, subject.pk)
            proposal = Proposal.objects.select_for_update().get(pk=proposal.pk)
            rule = binding.machine.rule(proposal.rule)
            refusals = _signing_refusals(binding, actor, subject, proposal, rule, moment)
            if refusals:
                raise TransitionRefused(refusals)
            signature = _add_signature(actor, proposal, moment)
            audit.append(
                actor,
                f"{proposal.machine}.{rule.name}.signed",
                binding.label(subject),
                {"proposal": proposal.pk, "digest": proposal.digest},
            )
            if not _unfilled(rule, proposal):
                _complete(binding, subject, proposal, rule, actor, moment)
    except TransitionRefused as refused:
        _audit_refusal(binding, actor, subject, proposal.rule, refused)
        raise
    return signature


def withdraw_proposal(actor: Actor, proposal: Proposal, moment: datetime | None = None) -> None:
    """Close a proposal without making its transition; anyone who could sign it may.

    :raises TransitionRefused: it is closed already, or the actor has no part in it.
    """
    moment = moment or timezone.now()
    binding = binding_of(proposal.machine)
    with transaction.atomic():
        subject = _lock(binding, proposal.subject_id)
        proposal = Proposal.objects.select_for_update().get(pk=proposal.pk)
        rule = binding.machine.rule(proposal.rule)
        refusals = [
            *_party_refusals(binding, actor, subject, rule),
            *([] if proposal.closed_at is None else [_closed()]),
        ]
        if not any(actor.role in roles for roles in (rule.roles, *rule.cosigners)):
            refusals.append(_role_refusal(rule))
        if refusals:
            raise TransitionRefused(refusals)
        _close(proposal, "withdrawn", moment)
        audit.append(
            actor,
            f"{proposal.machine}.{rule.name}.withdrawn",
            binding.label(subject),
            {"proposal": proposal.pk},
        )


def next_steps(actor: Actor, subject: Any, moment: datetime | None = None) -> list[Step]:
    """Return every rule out of the present state with what blocks it for `actor`.

    Evidence is left out: the form asks for it. Guards that look at evidence pass without it.
    """
    moment = moment or timezone.now()
    binding = binding_of(subject)
    case = binding.case_of(subject)
    waiting = {proposal.rule: proposal for proposal in open_proposals(subject)}
    steps = []
    for rule in binding.machine.from_state(subject.state):
        context = Context(actor, subject, case, rule, {}, moment, binding)
        proposal = waiting.get(rule.name)
        refusals = _standing_refusals(context)
        if proposal is not None:
            refusals = _signing_refusals(binding, actor, subject, proposal, rule, moment)
        steps.append(
            Step(
                rule=rule,
                refusals=tuple(refusals),
                due_at=_rule_due(rule, subject.state_since),
                role_allowed=actor.role in rule.roles,
                proposal=proposal,
                waits_for=tuple(
                    " / ".join(str(ROLES[role].label) for role in sorted(roles))
                    for roles in (_unfilled(rule, proposal) if proposal else ())
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


def open_proposals(subject: Any) -> list[Proposal]:
    """Return the proposals about `subject` that still wait for signatures."""
    binding = binding_of(subject)
    return list(
        Proposal.objects.filter(
            machine=binding.machine.key,
            subject_id=subject.pk,
            subject_version=subject.version,
            closed_at__isnull=True,
            expires_at__gt=timezone.now(),
        ).prefetch_related("signatures")
    )


# ------------------------------------------------------------------------------ checks


def _lock(binding: Binding, pk: int) -> Any:
    return binding.model._default_manager.select_for_update().get(pk=pk)


def _checked(
    binding: Binding,
    actor: Actor,
    pk: int,
    name: str,
    evidence: Mapping[str, Any],
    moment: datetime,
) -> Context:
    subject = _lock(binding, pk)
    try:
        rule = binding.machine.rule(name, subject.state)
    except KeyError:
        raise TransitionRefused([_not_from_here(binding, subject, name)]) from None
    case = binding.case_of(subject)
    cleaned, faults = clean_evidence(rule, evidence, case, moment)
    context = Context(actor, subject, case, rule, cleaned, moment, binding)
    refusals = [*_standing_refusals(context), *faults]
    if refusals:
        raise TransitionRefused(refusals)
    return context


def _standing_refusals(context: Context) -> list[Refusal]:
    rule = context.rule
    refusals = [] if context.actor.role in rule.roles else [_role_refusal(rule)]
    refusals += _party_refusals(context.binding, context.actor, context.subject, rule)
    if rule.second_factor:
        refusals += second_factor_refusals(context.actor, context.moment)
    for name in rule.guards:
        refusals += context.binding.guards[name](context)
    return refusals


def _role_refusal(rule: Rule) -> Refusal:
    labels = ", ".join(str(ROLES[role].label) for role in sorted(rule.roles - {Role.SYSTEM}))
    return Refusal(
        "role",
        _("“%(step)s” is not a step of your role.") % {"step": rule.label},
        _("Ask one of these: %(roles)s.") % {"roles": labels or _("nobody; Kinward does it")},
    )


def _party_refusals(binding: Binding, actor: Actor, subject: Any, rule: Rule) -> list[Refusal]:
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


def second_factor_refusals(actor: Actor, moment: datetime) -> list[Refusal]:
    """Return a refusal unless the actor gave the second factor within the policy's minutes."""
    if actor.role == Role.SYSTEM:
        return []
    minutes = load_policy(settings.COUNTRY).number("second_factor_minutes")
    given = actor.second_factor_at
    if given is not None and timedelta(0) <= moment - given <= timedelta(minutes=minutes):
        return []
    return [
        Refusal(
            "second_factor",
            _("A signature needs your second factor, given within the last %(n)d minutes.")
            % {"n": minutes},
            _("Give it on the page “Second factor”; you come back here."),
        )
    ]


def _not_from_here(binding: Binding, subject: Any, name: str) -> Refusal:
    known = {rule.name for rule in binding.machine.rules}
    if name not in known:
        message = _("There is no step “%(step)s”.") % {"step": name}
    else:
        row = binding.machine.state(subject.state).label if subject.state != "new" else "new"
        message = _("“%(step)s” does not lead out of the state “%(state)s”.") % {
            "step": binding.machine.rule(name).label,
            "state": row,
        }
    steps = ", ".join(str(rule.label) for rule in binding.machine.from_state(subject.state))
    return Refusal(
        "state", message, _("From here one can: %(steps)s.") % {"steps": steps or _("nothing")}
    )


# ------------------------------------------------------------------------------ signatures


def _closed() -> Refusal:
    return Refusal(
        "proposal_closed",
        _("This proposal is no longer open."),
        _("Look at the case as it stands now and propose anew if it is still right."),
    )


def _digest(machine: str, subject: Any, rule: Rule, evidence: Mapping[str, Any]) -> str:
    bundle = [machine, subject.pk, subject.version, rule.name, evidence]
    text = json.dumps(bundle, sort_keys=True, ensure_ascii=False, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


def _propose(context: Context) -> Proposal:
    machine = context.binding.machine.key
    hours = load_policy(settings.COUNTRY).number("signature_hours")
    # A later version or the passing of time has voided what is still open under this rule.
    for stale in Proposal.objects.filter(
        machine=machine,
        subject_id=context.subject.pk,
        rule=context.rule.name,
        closed_at__isnull=True,
    ):
        live = stale.subject_version == context.subject.version
        if live and stale.expires_at > context.moment:
            raise TransitionRefused(
                [
                    Refusal(
                        "proposal_open",
                        _("This step is already proposed and waits for signatures."),
                        _("Sign that proposal, or withdraw it before you propose anew."),
                    )
                ]
            )
        _close(stale, "expired" if live else "void", context.moment)
    proposal = Proposal.objects.create(
        machine=machine,
        subject_id=context.subject.pk,
        subject_version=context.subject.version,
        rule=context.rule.name,
        evidence=dict(context.evidence),
        digest=_digest(machine, context.subject, context.rule, context.evidence),
        proposed_at=context.moment,
        expires_at=context.moment + timedelta(hours=hours),
    )
    _add_signature(context.actor, proposal, context.moment)
    audit.append(
        context.actor,
        f"{machine}.{context.rule.name}.proposed",
        context.binding.label(context.subject),
        {"proposal": proposal.pk, "digest": proposal.digest},
    )
    return proposal


def _add_signature(actor: Actor, proposal: Proposal, moment: datetime) -> Signature:
    return Signature.objects.create(
        proposal=proposal,
        signer_id=actor.user_id,
        agency_id=actor.agency_id,
        role=actor.role.value,
        digest=proposal.digest,
        signed_at=moment,
        second_factor_at=actor.second_factor_at or moment,
    )


def _unfilled(rule: Rule, proposal: Proposal) -> tuple[frozenset[Role], ...]:
    """Return the places for cosigners that nobody has filled yet; the first signer proposed."""
    open_places = list(rule.cosigners)
    for signature in sorted(proposal.signatures.all(), key=lambda row: row.pk)[1:]:
        place = next((place for place in open_places if signature.role in place), None)
        if place is not None:
            open_places.remove(place)
    return tuple(open_places)


def _signing_refusals(
    binding: Binding,
    actor: Actor,
    subject: Any,
    proposal: Proposal,
    rule: Rule,
    moment: datetime,
) -> list[Refusal]:
    if (
        proposal.closed_at is not None
        or proposal.expires_at <= moment
        or proposal.subject_version != subject.version
    ):
        return [_closed()]
    refusals = _party_refusals(binding, actor, subject, rule)
    if not any(actor.role in place for place in _unfilled(rule, proposal)):
        labels = sorted(str(ROLES[role].label) for place in rule.cosigners for role in place)
        refusals.append(
            Refusal(
                "cosigner",
                _("Your role does not cosign this step."),
                _("It waits for: %(roles)s.") % {"roles": ", ".join(dict.fromkeys(labels))},
            )
        )
    signers = proposal.signatures.all()
    if any(row.signer_id == actor.user_id or row.agency_id == actor.agency_id for row in signers):
        refusals.append(
            Refusal(
                "same_agency",
                _("You or someone of your agency has signed this already."),
                _("The other signature must come from another agency."),
            )
        )
    return [*refusals, *second_factor_refusals(actor, moment)]


def _complete(
    binding: Binding,
    subject: Any,
    proposal: Proposal,
    rule: Rule,
    last: Actor,
    moment: datetime,
) -> None:
    first = min(proposal.signatures.all(), key=lambda row: row.pk)
    proposer = User.objects.select_related("agency").get(pk=first.signer_id)
    if not proposer.is_active or proposer.role != first.role:
        raise TransitionRefused([_closed()])
    if proposal.digest != _digest(proposal.machine, subject, rule, proposal.evidence):
        raise TransitionRefused([_closed()])
    actor = actor_for(proposer, Channel(last.channel), second_factor_at=moment)
    context = Context(
        actor, subject, binding.case_of(subject), rule, proposal.evidence, moment, binding
    )
    refusals = _standing_refusals(context)
    if refusals:
        raise TransitionRefused(refusals)
    _close(proposal, "done", moment)
    _execute(context, proposal)


def _close(proposal: Proposal, outcome: str, moment: datetime) -> None:
    proposal.closed_at, proposal.outcome = moment, outcome
    proposal.save(update_fields=["closed_at", "outcome"])


# ------------------------------------------------------------------------------ execution


def _execute(context: Context, proposal: Proposal | None) -> TransitionRecord:
    subject, rule, binding = context.subject, context.rule, context.binding
    source = subject.state
    target = subject.resume_state if rule.target == RESUME else rule.target
    digest = _digest(binding.machine.key, subject, rule, context.evidence)
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
    if hasattr(subject, "resume_state") and _is_resumable(source, target):
        columns["resume_state"] = source
    columns |= {
        "state": target,
        "version": subject.version + 1,
        "state_since": context.moment,
        "due_at": _due(binding.machine, target, _clock_start(context)),
    }
    changed = binding.model._default_manager.filter(pk=subject.pk, version=subject.version)
    if changed.update(**columns) != 1:
        raise TransitionRefused([_closed()])
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


def _is_resumable(source: str, target: str) -> bool:
    """Whether a later hold, transfer or reopening may lead back to `source`."""
    if source in ("new", target):
        return False
    return source not in _STEADY_EXCEPTIONS or target == "closed"


def _clock_start(context: Context) -> datetime:
    """Clocks run from when it happened, not from when someone found time to record it."""
    happened = context.evidence.get("happened_at")
    return datetime.fromisoformat(happened) if happened else context.moment


def _rule_due(rule: Rule, since: datetime | None) -> datetime | None:
    if rule.clock is None or since is None:
        return None
    return since + load_policy(settings.COUNTRY).clock(rule.clock)


def _due(machine: Machine, state: str, since: datetime) -> datetime | None:
    times = [_rule_due(rule, since) for rule in machine.from_state(state)]
    return min((time for time in times if time is not None), default=None)


def _audit_refusal(
    binding: Binding, actor: Actor, subject: Any, name: str, refused: TransitionRefused
) -> None:
    with transaction.atomic():
        audit.append(
            actor,
            f"{binding.machine.key}.refused",
            binding.label(subject),
            {"step": name, "codes": [refusal.code for refusal in refused.refusals]},
        )
