"""What is under seal bars all the same, and shows nothing but the agency to ask."""

from __future__ import annotations

import itertools
from datetime import timedelta

import pytest
from custody_world import NOW, World
from django.utils import timezone

from kinward_web.accounts.api import actor_for
from kinward_web.audit.models import AuditEvent
from kinward_web.casework import custody, custody_graph
from kinward_web.casework.sealed import as_seen_by
from kinward_web.registry import actions
from kinward_web.registry.models import Campaign, Operation

pytestmark = pytest.mark.django_db


@pytest.fixture
def raid(world):
    operation = Operation.objects.create(
        campaign=Campaign.objects.create(
            name="C", task_force_from="2011-01-01", special_until="2011-12-31"
        ),
        code="OP-RAID",
        name="Raid",
        lead=world.police,
        starts_at=timezone.now() + timedelta(days=1),
    )
    operation.insiders.add(world.officer)
    return operation


@pytest.fixture
def world():
    return World()


@pytest.mark.parametrize("how", ["person", "involvement"])
@pytest.mark.parametrize("where", ["linked", "through", "involved"])
def test_an_outsider_learns_only_whom_to_ask(world, raid, how, where):
    suspect, member, middle = world.person(), world.person(), world.person()
    accusation = world.involve(suspect, "buyer")
    if how == "person":
        suspect.sealed_with = raid
        suspect.save()
    else:
        accusation.operation = raid
        accusation.save()
    chain = {"linked": [member, suspect], "through": [member, middle, suspect]}.get(where, [])
    for one, other in itertools.pairwise(chain):
        world.link(one, other, "payment")
    home = world.household(suspect if where == "involved" else member)
    screening = custody.screen(world.placement(household=home), NOW)
    inside = as_seen_by(actor_for(world.officer), screening)
    assert inside == screening
    seen = as_seen_by(actor_for(world.worker), screening)
    assert not seen.clear
    (denial,) = seen.denials
    assert denial.code == "sealed"
    assert world.police.name in denial.message
    assert "hospital" in denial.path
    shown = f"{denial.message} {denial.path} {custody_graph.svg(seen)} {seen.to_json()}"
    for secret in ("buyer", "payment", raid.code, middle.code):
        assert secret not in shown
    if where != "involved":
        assert suspect.code not in shown
    # Once it has started everybody sees why.
    Operation.objects.update(starts_at=timezone.now() - timedelta(minutes=1))
    assert as_seen_by(actor_for(world.worker), screening) == screening


def test_an_accusation_on_record_elsewhere_stays_visible(world, raid):
    suspect = world.person("suspect")
    accusation = world.involve(suspect, "buyer")
    accusation.operation = raid
    accusation.save()
    placement = world.placement(household=world.household(suspect))
    (denial,) = as_seen_by(actor_for(world.worker), custody.screen(placement, NOW)).denials
    assert denial.code == "involved"


def test_the_audit_chain_names_a_sealed_person_by_a_digest(world, raid):
    person = actions.enter_person(actor_for(world.officer), name="A B", sealed_with=raid)
    event = AuditEvent.objects.get(act="person.entered")
    assert event.subject.startswith("sealed:")
    assert person.code not in f"{event.subject} {event.detail}"
