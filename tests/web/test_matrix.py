"""Every transition × every role × own and other agency, made from the tables of rules.

A step is taken exactly where the table allows it, and where it does not the refusal names role or
agency. Each subject is driven to the source state through the engine; every attempt is undone.
"""

from __future__ import annotations

from contextlib import contextmanager

import pytest
from django.db import transaction
from django.utils import timezone
from planner import World

from conftest import KIND_OF
from kinward_web.casework import engine
from kinward_web.casework.models import Proposal
from kinward_web.errors import TransitionRefused
from kinward_web.rules.case import CASE
from kinward_web.rules.placement import PLACEMENT
from kinward_web.rules.publication import PUBLICATION
from kinward_web.rules.roles import Role
from kinward_web.rules.table import NEW, RESUME

PEOPLE = [(role, which) for role in KIND_OF for which in ("own", "other")]
NEVER = {("release_hold", "hold", "died")}
"""A corrected death leads to a hold, and that hold back to where the child stood before."""


def steps(machine):
    found = sorted({(rule.name, source, target) for rule, source, target in machine.steps()})
    return [step for step in found if step[1] != NEW and step not in NEVER]


@pytest.fixture
def world(office):
    world = World(office)
    for role, which in PEOPLE:
        office.user(role, which)
    return world


@contextmanager
def undone():
    with transaction.atomic():
        yield
        transaction.set_rollback(True)


def outcome(attempt) -> set[str]:
    """Return the codes of the refusals; empty where the step is taken."""
    try:
        attempt()
    except TransitionRefused as refused:
        return {refusal.code for refusal in refused.refusals}
    return set()


def expected(rule, role, which, subject, world) -> set[str]:
    """Return what the table says of this person."""
    agency = world.office.agency(KIND_OF[role], which).pk
    offered = getattr(subject, "transfer_to_id", None) == agency
    codes = set() if role in rule.roles else {"role"}
    if which == "other" and not rule.anyone and not offered:
        codes |= {"agency"}
    if "not_the_author" in rule.guards and (role, which) == (Role.FAMILY_LIAISON, "own"):
        codes |= {"author"}
    if "actor_is_receiver" in rule.guards and not offered:
        codes |= {"not_receiver"}
    if "actor_is_foreign_receiver" in rule.guards and (role, which) != (
        Role.FOREIGN_AUTHORITY,
        "own",
    ):
        codes |= {"not_foreign_receiver"}
    return codes


def check(world, subject, rule, target):
    """Let everyone try `rule`, each from the same state of the world."""
    moment = timezone.now()
    case = engine.binding_of(subject).case_of(subject)
    world.prepare(case, rule, moment)
    subject.refresh_from_db()
    taken = 0
    for role, which in PEOPLE:
        actor = world.actor(role, which, given=moment)
        evidence = world.evidence(rule, case, actor, moment)
        wanted = expected(rule, role, which, subject, world)
        with undone():
            found = outcome(
                lambda actor=actor, evidence=evidence: engine.transition(
                    actor, subject, rule.name, evidence, moment
                )
            )
            # Who may not transfer at all cannot name a fitting receiver either.
            assert found == wanted, (rule.name, role, which)
            if not found:
                taken += 1
                if rule.cosigners:
                    check_cosigners(world, subject, rule, actor, moment, target)
                else:
                    subject.refresh_from_db()
                    assert subject.state == target
        subject.refresh_from_db()
    assert taken, f"nobody can take {rule.name}"


def check_cosigners(world, subject, rule, proposer, moment, target):
    """Let everyone try to sign the proposal that `proposer` has just made."""
    proposal = Proposal.objects.get(subject_id=subject.pk, rule=rule.name, closed_at=None)
    signed = 0
    for role, which in PEOPLE:
        actor = world.actor(role, which, given=moment)
        offered = getattr(subject, "transfer_to_id", None) == actor.agency_id
        wanted = set() if role in rule.cosigners[0] else {"cosigner"}
        if which == "other" and not offered:
            wanted |= {"agency"}
        if actor.agency_id == proposer.agency_id:
            wanted |= {"same_agency"}
        with undone():
            found = outcome(lambda actor=actor: engine.sign(actor, proposal, moment))
            assert found == wanted, (rule.name, proposer.role, role, which)
            if not found:
                signed += 1
                subject.refresh_from_db()
                assert subject.state == target
    assert signed, f"nobody can cosign {rule.name}"
    subject.refresh_from_db()


@pytest.mark.parametrize(("name", "source", "target"), steps(CASE))
def test_case(world, name, source, target):
    rule = CASE.rule(name, source)
    resume = target if rule.target == RESUME else None
    if source in ("hold", "transferred") and resume is None:
        resume = "in_care"
    check(world, world.case_in(source, resume), rule, target)


@pytest.mark.parametrize("home", [True, False], ids=["home", "family"])
@pytest.mark.parametrize(("name", "source", "target"), steps(PLACEMENT))
def test_placement(world, name, source, target, home):
    rule = PLACEMENT.rule(name, source)
    if not home and name == "receive_at_night":
        pytest.skip("private people never receive at night: test_engine, test_custody")
    check(world, world.placement_in(source, home), rule, target)


@pytest.mark.parametrize(("name", "source", "target"), steps(PUBLICATION))
def test_publication(world, name, source, target):
    rule = PUBLICATION.rule(name, source)
    check(world, world.notice_in(source), rule, target)


@pytest.mark.parametrize("name", ["locate", "rescue"])
def test_opening(world, name):
    """Whoever may open a case may do so from anywhere; nobody else anywhere."""
    rule = CASE.rule(name, NEW)
    for role, which in PEOPLE:
        actor = world.actor(role, which)
        with undone():
            child = world.child()
            evidence = world.evidence(rule, None, actor, timezone.now())
            found = outcome(
                lambda actor=actor, child=child, evidence=evidence: world_open(
                    actor, child, name, evidence
                )
            )
            assert found == (set() if role in rule.roles else {"role"}), (role, which)


def world_open(actor, child, name, evidence):
    from kinward_web.casework.cases import open_case

    return open_case(actor, child.pk, name, evidence, region="Henan")


def test_a_case_assigned_by_name_opens_the_door_of_the_agency(world, office):
    case = world.case_in("registered")
    actor = world.actor(Role.CLINICIAN, "other")
    rule = CASE.rule("clear_medically")
    evidence = world.evidence(rule, case, actor, timezone.now())
    attempt = lambda: engine.transition(actor, case, rule.name, evidence)  # noqa: E731
    assert outcome(attempt) == {"agency"}
    case.assignments.create(user=office.user(Role.CLINICIAN, "other"))
    assert outcome(attempt) == set()
