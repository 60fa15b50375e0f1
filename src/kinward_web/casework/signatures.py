"""Transitions that several people sign: proposals, signatures, and their completion.

Everyone signs the same bundle (machine, subject, version, rule, evidence, digests of its
documents); any change voids the proposal, and so does time.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from kinward_web.accounts.api import Actor, Channel, User, actor_for
from kinward_web.audit import api as audit
from kinward_web.casework.machinery import (
    Binding,
    Context,
    binding_of,
    bundle_digest,
    execute,
    guard_refusals,
    lock,
    party_refusals,
    record_refusal,
    role_refusal,
    second_factor_refusals,
    standing_refusals,
)
from kinward_web.casework.models import Proposal, Signature
from kinward_web.errors import Refusal, TransitionRefused
from kinward_web.rules.policy import load_policy
from kinward_web.rules.roles import ROLES, Role
from kinward_web.rules.table import Rule

__all__ = [
    "open_proposals",
    "propose",
    "sign",
    "signing_refusals",
    "subject_of",
    "unfilled",
    "waits_for",
    "withdraw_proposal",
]


def propose(context: Context) -> Proposal:
    """Open a proposal for a step that passed every check; the proposer signs first."""
    machine = context.binding.machine.key
    hours = load_policy(settings.COUNTRY).number("signature_hours")
    _close_stale(context)
    proposal = Proposal.objects.create(
        machine=machine,
        subject_id=context.subject.pk,
        subject_version=context.subject.version,
        rule=context.rule.name,
        evidence=dict(context.evidence),
        digest=bundle_digest(machine, context.subject, context.rule, context.evidence),
        proposed_at=context.moment,
        expires_at=context.moment + timedelta(hours=hours),
    )
    _add_signature(context.actor, proposal, context.moment)
    _record(context.actor, context.binding, context.subject, proposal, "proposed")
    return proposal


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
            context, proposal = _locked(binding, actor, proposal, moment)
            # Guards are asked of every signer: who wrote a text may not cosign it either.
            refusals = signing_refusals(context, proposal) or guard_refusals(context)
            if refusals:
                raise TransitionRefused(refusals)
            signature = _add_signature(actor, proposal, moment)
            _record(actor, binding, context.subject, proposal, "signed")
            if not unfilled(context.rule, proposal):
                _complete(context, proposal)
    except TransitionRefused as refused:
        record_refusal(binding, actor, subject, proposal.rule, refused)
        raise
    return signature


def withdraw_proposal(actor: Actor, proposal: Proposal, moment: datetime | None = None) -> None:
    """Close a proposal without making its transition; anyone who could sign it may.

    :raises TransitionRefused: it is closed already, or the actor has no part in it.
    """
    moment = moment or timezone.now()
    binding = binding_of(proposal.machine)
    subject = binding.model._default_manager.get(pk=proposal.subject_id)
    try:
        with transaction.atomic():
            context, proposal = _locked(binding, actor, proposal, moment)
            rule = context.rule
            refusals = party_refusals(binding, actor, context.subject, rule)
            if proposal.closed_at is not None:
                refusals.append(_closed())
            if not any(actor.role in roles for roles in (rule.roles, *rule.cosigners)):
                refusals.append(role_refusal(rule))
            if refusals:
                raise TransitionRefused(refusals)
            _close(proposal, "withdrawn", moment)
            _record(actor, binding, context.subject, proposal, "withdrawn")
    except TransitionRefused as refused:
        record_refusal(binding, actor, subject, proposal.rule, refused)
        raise


def open_proposals(subject: Any, moment: datetime | None = None) -> list[Proposal]:
    """Return the proposals about `subject` that still wait for signatures."""
    return list(
        Proposal.objects.filter(
            machine=binding_of(subject).machine.key,
            subject_id=subject.pk,
            subject_version=subject.version,
            closed_at__isnull=True,
            expires_at__gt=moment or timezone.now(),
        ).prefetch_related("signatures__signer", "signatures__agency")
    )


def unfilled(rule: Rule, proposal: Proposal) -> tuple[frozenset[Role], ...]:
    """Return the places for cosigners that nobody has filled yet; the first signer proposed."""
    open_places = list(rule.cosigners)
    for signature in _signatures(proposal)[1:]:
        place = next((place for place in open_places if signature.role in place), None)
        if place is not None:
            open_places.remove(place)
    return tuple(open_places)


def subject_of(proposal: Proposal) -> Any:
    """Return the record that a proposal is about, as it stands now."""
    return binding_of(proposal.machine).model._default_manager.get(pk=proposal.subject_id)


def waits_for(proposal: Proposal) -> list[str]:
    """Return the roles that must still sign a proposal, as labels."""
    rule = binding_of(proposal.machine).machine.rule(proposal.rule)
    return [
        " / ".join(str(ROLES[role].label) for role in sorted(place))
        for place in unfilled(rule, proposal)
    ]


def signing_refusals(context: Context, proposal: Proposal) -> list[Refusal]:
    """Return what keeps the actor from signing `proposal`, guards aside."""
    actor, subject, rule = context.actor, context.subject, context.rule
    if (
        proposal.closed_at is not None
        or proposal.expires_at <= context.moment
        or proposal.subject_version != subject.version
    ):
        return [_closed()]
    refusals = party_refusals(context.binding, actor, subject, rule)
    if not any(actor.role in place for place in unfilled(rule, proposal)):
        labels = sorted(str(ROLES[role].label) for place in rule.cosigners for role in place)
        refusals.append(
            Refusal(
                "cosigner",
                _("Your role does not cosign this step."),
                _("It waits for: %(roles)s.") % {"roles": ", ".join(dict.fromkeys(labels))},
            )
        )
    signers = _signatures(proposal)
    if any(row.signer_id == actor.user_id or row.agency_id == actor.agency_id for row in signers):
        refusals.append(
            Refusal(
                "same_agency",
                _("You or someone of your agency has signed this already."),
                _("The other signature must come from another agency."),
            )
        )
    if proposal.digest != bundle_digest(proposal.machine, subject, rule, proposal.evidence):
        refusals.append(_altered())
    return [*refusals, *second_factor_refusals(actor, context.moment)]


# ------------------------------------------------------------------------------ the inside


def _locked(
    binding: Binding, actor: Actor, proposal: Proposal, moment: datetime
) -> tuple[Context, Proposal]:
    """Return the context and the proposal as they stand, with their rows locked."""
    subject = lock(binding, proposal.subject_id)
    proposal = Proposal.objects.select_for_update().get(pk=proposal.pk)
    rule = binding.machine.rule(proposal.rule)
    case = binding.case_of(subject)
    return Context(actor, subject, case, rule, proposal.evidence, moment, binding), proposal


def _complete(context: Context, proposal: Proposal) -> None:
    """Check everything again for the proposer, in whose name the step is made, and make it."""
    signatures = _signatures(proposal)
    people = User.objects.select_related("agency").in_bulk([row.signer_id for row in signatures])
    for row in signatures:
        signer = people[row.signer_id]
        if (signer.is_active, signer.role, signer.agency_id) != (True, row.role, row.agency_id):
            raise TransitionRefused([_signer_gone()])
    proposer = actor_for(
        people[signatures[0].signer_id],
        Channel(context.actor.channel),
        second_factor_at=context.moment,
    )
    final = Context(
        proposer,
        context.subject,
        context.case,
        context.rule,
        proposal.evidence,
        context.moment,
        context.binding,
    )
    refusals = standing_refusals(final)
    if refusals:
        raise TransitionRefused(refusals)
    _close(proposal, "done", context.moment)
    execute(final, proposal)


def _close_stale(context: Context) -> None:
    """Close what a later version or the passing of time has voided under this rule.

    :raises TransitionRefused: a proposal is still open.
    """
    for stale in Proposal.objects.filter(
        machine=context.binding.machine.key,
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


def _signatures(proposal: Proposal) -> list[Signature]:
    return sorted(proposal.signatures.all(), key=lambda row: row.pk)


def _add_signature(actor: Actor, proposal: Proposal, moment: datetime) -> Signature:
    return Signature.objects.create(
        proposal=proposal,
        signer_id=actor.user_id,
        agency_id=actor.agency_id,
        role=actor.role.value,
        digest=proposal.digest,
        signed_at=moment,
        second_factor_at=actor.second_factor_at,
    )


def _close(proposal: Proposal, outcome: str, moment: datetime) -> None:
    proposal.closed_at, proposal.outcome = moment, outcome
    proposal.save(update_fields=["closed_at", "outcome"])


def _record(actor: Actor, binding: Binding, subject: Any, proposal: Proposal, what: str) -> None:
    audit.append(
        actor,
        f"{proposal.machine}.{proposal.rule}.{what}",
        binding.label(subject),
        {"proposal": proposal.pk, "digest": proposal.digest},
    )


def _closed() -> Refusal:
    return Refusal(
        "proposal_closed",
        _("This proposal is no longer open."),
        _("Look at the case as it stands now and propose anew if it is still right."),
    )


def _altered() -> Refusal:
    return Refusal(
        "altered",
        _("What was signed is not what stands here now: evidence or a document was changed."),
        _("Withdraw this proposal, look at the evidence and propose anew."),
    )


def _signer_gone() -> Refusal:
    return Refusal(
        "signer_gone",
        _("Someone who signed no longer holds the post under which it was signed."),
        _("Withdraw this proposal and propose anew with people who are appointed."),
    )
