"""Steps that several people sign: who may, over what, how long, and what voids it."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.utils import timezone
from planner import World

from kinward_web.audit.api import AuditEvent
from kinward_web.casework import engine
from kinward_web.casework.models import Proposal, TransitionRecord
from kinward_web.errors import TransitionRefused
from kinward_web.registry.models import Document
from kinward_web.rules.policy import load_policy
from kinward_web.rules.roles import Role

POLICY = load_policy("cn")
POLICE, WELFARE = Role.POLICE_OFFICER, Role.WELFARE_WORKER


@pytest.fixture
def world(office):
    return World(office)


@pytest.fixture
def held(world):
    return world.case_in("hold", resume="registered")


def propose(world, case, name="release_hold", role=WELFARE, number=1, moment=None) -> Proposal:
    moment = moment or timezone.now()
    actor = world.actor(role, number=number, given=moment)
    rule = engine.binding_of(case).machine.rule(name, case.state)
    return engine.transition(actor, case, name, world.evidence(rule, case, actor, moment), moment)


def refused_codes(call) -> set[str]:
    with pytest.raises(TransitionRefused) as refused:
        call()
    return {refusal.code for refusal in refused.value.refusals}


def test_two_agencies_sign_and_the_step_is_made(world, held):
    proposal = propose(world, held)
    assert held.state == "hold", "one signature moves nothing"
    signature = engine.sign(world.actor(POLICE), proposal)
    held.refresh_from_db()
    proposal.refresh_from_db()
    assert held.state == "registered"
    assert proposal.outcome == "done"
    assert signature.digest == proposal.digest
    record = TransitionRecord.objects.get(proposal=proposal)
    assert record.role == WELFARE, "made in the name of who proposed it"
    acts = AuditEvent.objects.order_by("-sequence").values_list("act", flat=True)[:3]
    assert list(acts) == [
        "case.release_hold",
        "case.release_hold.signed",
        "case.release_hold.proposed",
    ]


def test_nobody_signs_twice_nor_two_of_one_agency(world, held):
    proposal = propose(world, held)
    for number in (1, 2):
        actor = world.actor(WELFARE, number=number)
        assert refused_codes(lambda actor=actor: engine.sign(actor, proposal)) == {"same_agency"}


def test_wrong_role_and_agency_without_part_are_refused_together(world, held):
    proposal = propose(world, held)
    actor = world.actor(Role.CLINICIAN, "other")
    assert refused_codes(lambda: engine.sign(actor, proposal)) == {"cosigner", "agency"}


@pytest.mark.parametrize("given", [None, timedelta(minutes=11), timedelta(minutes=-1)])
def test_a_stale_second_factor_neither_proposes_nor_signs(world, held, given):
    now = timezone.now()
    proposal = propose(world, held)
    signer = world.actor(POLICE)
    stale = engine_actor(signer, None if given is None else now - given)
    assert refused_codes(lambda: engine.sign(stale, proposal, now)) == {"second_factor"}
    engine.withdraw_proposal(signer, proposal)
    evidence = {"reason": "Synthetic"}
    assert refused_codes(lambda: engine.transition(stale, held, "release_hold", evidence, now)) == {
        "second_factor"
    }


def engine_actor(actor, given):
    from dataclasses import replace

    return replace(actor, second_factor_at=given)


def test_the_last_minute_of_a_second_factor_counts(world, held):
    now = timezone.now()
    minutes = timedelta(minutes=POLICY.number("second_factor_minutes"))
    proposal = propose(world, held, moment=now)
    engine.sign(world.actor(POLICE, given=now - minutes), proposal, now)


def test_time_voids_a_proposal(world, held):
    proposal = propose(world, held)
    late = proposal.expires_at
    actor = world.actor(POLICE, given=late)
    assert refused_codes(lambda: engine.sign(actor, proposal, late)) == {"proposal_closed"}
    again = propose(world, held, moment=late)
    proposal.refresh_from_db()
    assert proposal.outcome == "expired"
    engine.sign(actor, again, late)


def test_any_transition_in_between_voids_a_proposal(world):
    case = world.case_in("tracing")
    proposal = propose(world, case, "find_family")
    world.act(case, "pause_tracing")
    world.act(case, "start_tracing")
    actor = world.actor(POLICE)
    assert refused_codes(lambda: engine.sign(actor, proposal)) == {"proposal_closed"}
    again = propose(world, case, "find_family")
    proposal.refresh_from_db()
    assert proposal.outcome == "void"
    engine.sign(actor, again)


def test_one_open_proposal_per_step(world, held):
    propose(world, held)
    assert refused_codes(lambda: propose(world, held, role=POLICE)) == {"proposal_open"}


def test_an_exchanged_document_voids_the_signature(world):
    case = world.case_in("tracing")
    proposal = propose(world, case, "find_family")
    Document.objects.filter(pk=proposal.evidence["laboratory_report"]).update(sha256="f" * 64)
    actor = world.actor(POLICE)
    assert refused_codes(lambda: engine.sign(actor, proposal)) == {"altered"}


def test_altered_evidence_voids_the_signature(world, held):
    proposal = propose(world, held)
    proposal.evidence = {"reason": "Another one"}
    proposal.save(update_fields=["evidence"])
    actor = world.actor(POLICE)
    assert refused_codes(lambda: engine.sign(actor, proposal)) == {"altered"}


def test_a_withdrawn_proposal_takes_no_signature(world, held):
    proposal = propose(world, held)
    outsider = world.actor(Role.CLINICIAN, "other")
    assert refused_codes(lambda: engine.withdraw_proposal(outsider, proposal)) == {
        "role",
        "agency",
    }
    engine.withdraw_proposal(world.actor(POLICE), proposal)
    actor = world.actor(POLICE)
    assert refused_codes(lambda: engine.sign(actor, proposal)) == {"proposal_closed"}
    assert refused_codes(lambda: engine.withdraw_proposal(actor, proposal)) == {"proposal_closed"}


def test_a_proposer_who_left_the_post_voids_the_step(world, held, office):
    proposal = propose(world, held)
    proposer = office.user(WELFARE)
    proposer.is_active = False
    proposer.save()
    actor = world.actor(POLICE)
    assert refused_codes(lambda: engine.sign(actor, proposal)) == {"signer_gone"}
    assert proposal.signatures.count() == 1, "the refused signature is not kept"


def test_guards_are_asked_again_at_the_last_signature(world):
    case = world.case_in("follow_up")
    world._for_all_visits_done(case, timezone.now())
    proposal = propose(world, case, "close")
    case.visits.update(concern=True)
    actor = world.actor(POLICE)
    assert refused_codes(lambda: engine.sign(actor, proposal)) == {"concern_open"}
    steps = engine.next_steps(actor, case)
    (step,) = [step for step in steps if step.rule.name == "close"]
    assert {refusal.code for refusal in step.refusals} == {"concern_open"}
    case.visits.update(concern_settled_at=timezone.now())
    engine.sign(actor, proposal)
    case.refresh_from_db()
    assert case.state == "closed"


def test_the_page_says_for_whom_a_proposal_waits(world, held):
    proposal = propose(world, held)
    (step,) = [
        step
        for step in engine.next_steps(world.actor(POLICE), held)
        if step.rule.name == "release_hold"
    ]
    assert step.proposal == proposal
    assert step.allowed
    assert step.waits_for == ("Police officer / Welfare worker",)


def test_the_signatures_name_the_household(world):
    """Another household cannot take the place of the one for which welfare signed."""
    case = world.case_in("family_found")
    signed_for = world.propose(case, "return", state="cleared")
    proposal = propose(world, case, "hand_over")
    world.act(signed_for, "withdraw")
    world.propose(case, "return", state="cleared")
    assert refused_codes(lambda: engine.sign(world.actor(POLICE), proposal)) == {"altered"}
    case.refresh_from_db()
    assert case.state == "family_found"


def test_a_hand_over_places_one_household_and_no_other(world):
    case = world.case_in("reunited")
    assert case.return_placement.state == "placed"
    assert case.placements.filter(state="placed").get() == case.return_placement


def test_with_two_households_cleared_no_hand_over_is_signed(world):
    case = world.case_in("family_found")
    for _ in range(2):
        world.propose(case, "return", state="cleared")
    assert "two_returns" in refused_codes(lambda: propose(world, case, "hand_over"))
