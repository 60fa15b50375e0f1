"""A new link lapses clearances and holds cases, and tells both agencies."""

from __future__ import annotations

import pytest
from custody_world import NOW, World

from kinward_web.accounts.actor import actor_for
from kinward_web.casework import constraints, custody, reactions
from kinward_web.casework.models import CaseParty, Message, TransitionRecord
from kinward_web.registry.api import graph_changed
from kinward_web.registry.models import HouseholdMember, Person

pytestmark = pytest.mark.django_db


@pytest.fixture
def world() -> World:
    return World()


def placed(world: World, *adults: Person, state: str = "placed", **where):
    case = world.case("rescue", "register", "clear_medically")
    for agency in (world.police, world.welfare):
        CaseParty.objects.create(case=case, agency=agency)
    if adults:
        where["household"] = world.household(*adults)
    placement = world.placement(case, **where)
    world.step(placement, "placement", "propose")
    if state != "proposed":
        custody.freeze(actor_for(world.worker), placement, NOW)
        world.step(placement, "placement", "clear")
    if state == "placed":
        world.step(placement, "placement", "place")
    return placement


def announce(*people: Person) -> None:
    graph_changed.send(sender=Person, people_ids=[person.pk for person in people])


def told(placement) -> set[tuple[str, int]]:
    return set(Message.objects.filter(case=placement.case).values_list("key", "agency_id"))


def test_new_link_holds_the_case_of_a_child_who_is_there(world) -> None:
    mother, buyer = world.person(), world.person("buyer")
    placement = placed(world, mother)
    world.link(mother, buyer, "payment")
    announce(mother, buyer)
    placement.case.refresh_from_db()
    assert placement.case.state == "hold"
    assert placement.case.resume_state == "medical_cleared"
    for agency in (world.police, world.welfare):
        assert ("new_link", agency.pk) in told(placement)
    record = TransitionRecord.objects.filter(machine="case").latest("pk")
    assert (record.rule, record.role, record.actor_id) == ("hold", "system", None)


def test_new_link_lapses_a_clearance(world) -> None:
    mother, friend, buyer = world.person(), world.person(), world.person("buyer")
    placement = placed(world, mother, state="cleared")
    world.link(mother, friend)
    announce(mother, friend)
    placement.refresh_from_db()
    assert placement.state == "cleared"
    world.link(friend, buyer)
    announce(friend, buyer)
    placement.refresh_from_db()
    assert placement.state == "proposed"
    assert ("clearance_lapsed", world.police.pk) in told(placement)
    placement.case.refresh_from_db()
    assert placement.case.state == "medical_cleared"


def test_new_accusation_two_steps_away_holds_the_case(world) -> None:
    mother, friend, other = world.person(), world.person(), world.person()
    placement = placed(world, mother)
    world.link(mother, friend)
    world.share(friend, other)
    world.involve(other, "broker")
    announce(other)
    placement.case.refresh_from_db()
    assert placement.case.state == "hold"


def test_facts_further_away_change_nothing(world) -> None:
    mother, *chain, buyer = (*(world.person() for _ in range(3)), world.person("buyer"))
    placement = placed(world, mother)
    for one, two in zip([mother, *chain], [*chain, buyer], strict=True):
        world.link(one, two)
    announce(*chain, buyer)
    placement.case.refresh_from_db()
    assert placement.case.state == "medical_cleared"
    assert told(placement) == set()


def test_barred_payer_of_an_institution_holds_the_case(world) -> None:
    payer = world.person()
    placement = placed(world, home=world.home(), people=((payer, "payer"),))
    world.involve(payer, "suspect")
    announce(payer)
    placement.case.refresh_from_db()
    assert placement.case.state == "hold"


def test_household_that_loses_its_last_adult_lapses(world) -> None:
    mother = world.person()
    placement = placed(world, mother, state="cleared")
    HouseholdMember.objects.filter(person=mother).update(retracted_at=NOW)
    announce(mother)
    placement.refresh_from_db()
    assert placement.state == "proposed"


def test_suspect_entered_into_a_live_household_is_a_fact_and_holds(world) -> None:
    """The database does not refuse the fact; it is what the hold is for."""
    placement = placed(world, world.person())
    buyer = world.person("buyer")
    HouseholdMember.objects.create(household=placement.household, person=buyer)
    announce(buyer)
    placement.case.refresh_from_db()
    assert placement.case.state == "hold"
    assert constraints.faults() == []


def test_each_agency_is_told_once_until_it_has_read(world) -> None:
    mother = world.person()
    placement = placed(world, mother)
    for _turn in range(2):
        buyer = world.person("buyer")
        world.link(mother, buyer)
        announce(mother, buyer)
    assert Message.objects.filter(case=placement.case, key="new_link").count() == 2
    Message.objects.update(read_at=NOW)
    world.involve(mother, "suspect")
    announce(mother)
    assert Message.objects.filter(case=placement.case, key="new_link").count() == 4


def test_clear_places_are_left_alone(world) -> None:
    mother = world.person()
    placement = placed(world, mother)
    world.link(mother, world.person("buyer"), "kin")
    link = mother.links_from.get()
    world.clear_link(placement.case, mother, link.second, f"link:{link.pk}")
    assert reactions.recheck([mother.pk]) == []
    placement.case.refresh_from_db()
    assert placement.case.state == "medical_cleared"
