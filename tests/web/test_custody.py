"""The custody guard, judged in Python and by the database."""

from __future__ import annotations

import json
from itertools import pairwise

import pytest
from custody_world import NOW, World
from django.db import connection

from kinward_web.casework import custody
from kinward_web.casework.models import LinkClearance
from kinward_web.registry.models import HouseholdMember, Link
from kinward_web.rules.custody import Bar

pytestmark = pytest.mark.django_db


def sql_codes(placement) -> set[str]:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT DISTINCT code FROM custody_denial WHERE placement_id = %s", [placement.pk]
        )
        return {code for (code,) in cursor.fetchall()}


def judge(placement) -> custody.Screening:
    """Screen in Python, and see that the database says the same."""
    screening = custody.screen(placement, NOW)
    assert {str(denial.code) for denial in screening.denials} == sql_codes(placement)
    return screening


@pytest.fixture
def world() -> World:
    return World()


def codes(screening: custody.Screening) -> list[str]:
    return [str(denial.code) for denial in screening.denials]


def test_verified_household_without_links_is_clear(world) -> None:
    placement = world.placement(household=world.household(world.person(), world.person()))
    screening = judge(placement)
    assert screening.clear
    assert len(screening.screened) == 2
    assert screening.denials == ()


@pytest.mark.parametrize("part", ["suspect", "buyer", "broker"])
@pytest.mark.parametrize("standing", ["alleged", "charged", "convicted", "acquitted"])
def test_barring_part_bars_absolutely(world, part, standing) -> None:
    placement = world.placement(household=world.household(world.person(part, standing=standing)))
    (denial,) = judge(placement).denials
    assert denial.code == Bar.INVOLVED
    assert "mistaken" in denial.path
    assert "hospital" in denial.path


def test_mistaken_identity_and_witness_do_not_bar(world) -> None:
    mistaken = world.person("buyer", standing="mistaken")
    placement = world.placement(household=world.household(mistaken, world.person("witness")))
    assert judge(placement).clear


@pytest.mark.parametrize("capacity", ["escort", "payer", "carer"])
@pytest.mark.parametrize("private", [True, False])
def test_escort_payer_and_carer_are_screened(world, capacity, private) -> None:
    where = {"household": world.household(world.person())} if private else {"home": world.home()}
    placement = world.placement(**where, people=((world.person("broker"), capacity),))
    assert codes(judge(placement)) == ["involved"]


@pytest.mark.parametrize("identity", ["unknown", "claimed"])
def test_unverified_identity_bars(world, identity) -> None:
    placement = world.placement(household=world.household(world.person(identity=identity)))
    assert codes(judge(placement)) == ["unverified"]


def test_household_without_adults_bars(world) -> None:
    placement = world.placement(household=world.household(minors=(world.person(),)))
    (denial,) = judge(placement).denials
    assert denial.code == Bar.EMPTY
    assert "adults" in denial.path


def test_household_that_everyone_left_bars_and_they_are_still_screened(world) -> None:
    household = world.household(world.person("buyer"))
    HouseholdMember.objects.update(until=NOW.date())
    assert set(codes(judge(world.placement(household=household)))) == {"empty", "involved"}


def test_institution_without_people_is_not_screened(world) -> None:
    assert judge(world.placement(home=world.home())).clear


@pytest.mark.parametrize("kind", Link.Kind.values)
@pytest.mark.parametrize("turned", [False, True])
def test_every_kind_of_link_bars_within_two_steps(world, kind, turned) -> None:
    mother, friend = world.person(), world.person()
    buyer, far = world.person("buyer"), world.person("buyer")
    pair = (mother, buyer)
    world.link(*(reversed(pair) if turned else pair), kind=kind)
    (denial,) = judge(world.placement(household=world.household(mother))).denials
    assert denial.code == Bar.LINKED
    assert [step.target for step in denial.route.steps] == [buyer.code]
    aunt = world.person()
    world.link(aunt, friend, kind=kind)
    world.link(friend, far, kind=kind)
    (denial,) = judge(world.placement(household=world.household(aunt))).denials
    assert [step.target for step in denial.route.steps] == [friend.code, far.code]


def test_three_steps_do_not_bar(world) -> None:
    chain = [world.person(), world.person(), world.person(), world.person("buyer")]
    for one, two in pairwise(chain):
        world.link(one, two)
    assert judge(world.placement(household=world.household(chain[0]))).clear
    assert not judge(world.placement(household=world.household(chain[1]))).clear


@pytest.mark.parametrize(
    "kind", ["phone", "address", "identity_document", "payment_account", "vehicle"]
)
def test_shared_identifier_bars_unless_an_institution_owns_it(world, kind) -> None:
    mother, buyer = world.person(), world.person("buyer")
    placement = world.placement(household=world.household(mother))
    world.share(mother, buyer, kind=kind, institution=world.welfare)
    assert judge(placement).clear
    identifier = world.share(mother, buyer, kind=kind)
    (denial,) = judge(placement).denials
    assert denial.route.steps[0].links[0].via == f"identifier:{identifier.pk}"
    identifier.uses.filter(person=buyer).update(retracted_at=NOW)
    assert judge(placement).clear


def test_having_lived_together_bars_after_moving_out(world) -> None:
    mother, buyer = world.person(), world.person("buyer")
    old = world.household(mother, buyer)
    old.members.update(until=NOW.date())
    placement = world.placement(household=world.household(mother))
    assert codes(judge(placement)) == ["linked"]
    old.members.filter(person=buyer).update(retracted_at=NOW)
    assert judge(placement).clear


def test_retracted_link_does_not_bar(world) -> None:
    mother = world.person()
    link = world.link(mother, world.person("buyer"))
    placement = world.placement(household=world.household(mother))
    assert not judge(placement).clear
    Link.objects.filter(pk=link.pk).update(retracted_at=NOW)
    assert judge(placement).clear


def test_no_path_runs_through_a_child(world) -> None:
    """The child was with the buyer: that must not bar its own true parents."""
    case = world.case("rescue")
    mother, buyer = world.person(), world.person("buyer")
    world.link(mother, case.child, "parent")
    world.household(buyer, minors=(case.child,))
    placement = world.placement(case, household=world.household(mother))
    assert judge(placement).clear
    world.link(mother, buyer, "payment")
    assert codes(judge(placement)) == ["linked"]


def test_kinship_never_weighs_in_favour(world) -> None:
    case = world.case("rescue")
    father = world.person("broker")
    world.link(father, case.child, "parent")
    assert not judge(world.placement(case, household=world.household(father))).clear


class TestClearedLinks:
    def test_only_the_very_link_is_lifted_for_the_very_case(self, world) -> None:
        mother, buyer = world.person(), world.person("buyer")
        first, second = world.link(mother, buyer, "kin"), world.link(mother, buyer, "payment")
        case, other = world.case("rescue"), world.case("rescue")
        household = world.household(mother)
        placement = world.placement(case, household=household)
        world.clear_link(case, mother, buyer, f"link:{first.pk}")
        (denial,) = judge(placement).denials
        assert [link.via for link in denial.route.steps[0].open_links] == [f"link:{second.pk}"]
        world.clear_link(case, mother, buyer, f"link:{second.pk}")
        screening = judge(placement)
        assert screening.clear
        assert [route.end for route in screening.lifted] == [buyer.code]
        assert not judge(world.placement(other, household=household)).clear

    @pytest.mark.parametrize("missing", ["police_signer", "welfare_signer"])
    def test_one_signature_is_not_enough(self, world, missing) -> None:
        mother, buyer = world.person(), world.person("buyer")
        link = world.link(mother, buyer)
        placement = world.placement(household=world.household(mother))
        low, high = sorted((mother, buyer), key=lambda person: person.pk)
        signers = {"police_signer": world.officer, "welfare_signer": world.worker}
        signers[missing] = None
        LinkClearance.objects.create(
            case=placement.case,
            low=low,
            high=high,
            via=f"link:{link.pk}",
            reason="synthetic",
            document=world.document(low),
            **signers,
        )
        assert not judge(placement).clear

    def test_withdrawn_clearance_bars_again(self, world) -> None:
        mother, buyer = world.person(), world.person("buyer")
        link = world.link(mother, buyer)
        placement = world.placement(household=world.household(mother))
        clearance = world.clear_link(placement.case, mother, buyer, f"link:{link.pk}")
        assert judge(placement).clear
        LinkClearance.objects.filter(pk=clearance.pk).update(withdrawn_at=NOW)
        assert not judge(placement).clear

    def test_a_bar_in_person_cannot_be_cleared(self, world) -> None:
        mother, buyer = world.person("suspect"), world.person("buyer")
        link = world.link(mother, buyer)
        placement = world.placement(household=world.household(mother))
        world.clear_link(placement.case, mother, buyer, f"link:{link.pk}")
        assert codes(judge(placement)) == ["involved"]

    def test_clearing_one_household_does_not_leave_a_second_step_through_it(self, world) -> None:
        mother, minor, buyer = world.person(), world.person(), world.person("buyer")
        shared = world.household(mother, buyer, minors=(minor,))
        shared.members.filter(person=buyer).update(until=NOW.date())
        placement = world.placement(household=world.household(mother))
        world.clear_link(placement.case, mother, buyer, f"household:{shared.pk}")
        assert judge(placement).clear
        world.link(minor, buyer)
        assert codes(judge(placement)) == ["linked"]


def test_every_denial_names_what_to_do(world) -> None:
    mother, friend, buyer = world.person(identity="claimed"), world.person(), world.person("buyer")
    link = world.link(mother, friend)
    phone = world.share(friend, buyer)
    screening = judge(world.placement(household=world.household(mother)))
    assert len(screening.denials) == 2
    linked = screening.denials[1]
    assert f"link:{link.pk}" in linked.path
    assert f"identifier:{phone.pk}" in linked.path
    assert "police and welfare" in linked.path
    assert buyer.code in linked.message
    for denial in screening.denials:
        assert "hospital" in denial.path


def test_screening_survives_json(world) -> None:
    mother, buyer = world.person(), world.person("buyer")
    link = world.link(mother, buyer)
    placement = world.placement(household=world.household(mother, world.person(identity="unknown")))
    world.share(mother, buyer)
    world.clear_link(placement.case, mother, buyer, f"link:{link.pk}")
    screening = judge(placement)
    again = custody.Screening.from_json(json.loads(json.dumps(screening.to_json())))
    assert again == screening
    assert again.digest == screening.digest


def test_freeze_keeps_clear_and_refused_results(world) -> None:
    from kinward_web.accounts.actor import actor_for

    placement = world.placement(household=world.household(world.person()))
    actor = actor_for(world.worker)
    clearance = custody.freeze(actor, placement, NOW)
    assert clearance.clear
    assert (clearance.expires_at - clearance.screened_at).total_seconds() == 72 * 3600
    clearance.refresh_from_db()
    assert custody.Screening.from_json(clearance.result).digest == clearance.digest
    world.household(world.person("buyer"))
    HouseholdMember.objects.create(household=placement.household, person=world.person("buyer"))
    assert not custody.freeze(actor, placement, NOW).clear


def test_number_of_queries_does_not_grow(world, django_assert_num_queries) -> None:
    def build(size: int):
        adults = [world.person() for _ in range(size)]
        for adult in adults:
            for _ in range(size):
                friend, buyer = world.person(), world.person("buyer")
                world.link(adult, friend)
                world.share(friend, buyer)
        return world.placement(household=world.household(*adults))

    small, large = build(1), build(4)
    small.case, large.case  # noqa: B018  (loaded beforehand)
    with django_assert_num_queries(15):
        assert len(custody.screen(small, NOW).denials) == 1
    with django_assert_num_queries(15):
        assert len(custody.screen(large, NOW).denials) == 16
