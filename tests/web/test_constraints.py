"""What goes round the engine is refused by the database, on SQLite and on PostgreSQL.

Every attempt is raw SQL and belongs to one constraint. It is made three times: with everything in
force, with that constraint alone, which refuses it in its own words, and without any, where it
succeeds: so that it is the constraint which refuses. No constraint is without an attempt.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from agency_world import administrator_of, proposal
from custody_world import NOW, World
from django.db import DatabaseError, IntegrityError, connection, transaction

from kinward_web.accounts.actor import SYSTEM, actor_for
from kinward_web.audit import api as audit
from kinward_web.audit.models import AuditEvent, ReadEvent
from kinward_web.casework import constraints, custody
from kinward_web.casework.models import (
    Clearance,
    Placement,
    Proposal,
    Signature,
    TransitionRecord,
)
from kinward_web.public.models import Publication
from kinward_web.registry.models import HouseholdMember

ON_POSTGRES = os.environ.get("KINWARD_TEST_DATABASE") == "postgres"
# The owner of the tables is another connection on PostgreSQL, and sees only what is committed.
pytestmark = pytest.mark.django_db(transaction=ON_POSTGRES)

Statement = tuple[str, tuple[Any, ...]]
Build = Callable[[World], list[Statement]]
ATTEMPTS: list[tuple[str, Build]] = []
EXAMINED = ("rescue", "register", "clear_medically")
TRACING = (*EXAMINED, "receive_into_care", "start_tracing")
FOUND = (*TRACING, "find_family")


def attempt(check: str) -> Callable[[Build], Build]:
    """Name the constraint that refuses what the function returns."""

    def note(build: Build) -> Build:
        ATTEMPTS.append((check, build))
        return build

    return note


def run(statements: list[Statement]) -> None:
    with transaction.atomic(), connection.cursor() as cursor:
        for statement, values in statements:
            cursor.execute(statement, values)


# ------------------------------------------------------------------------------ building blocks


def insert(table: str, verb: str = "INSERT", **values: Any) -> Statement:
    names, marks = ", ".join(values), ", ".join(["%s"] * len(values))
    return f"{verb} INTO {table} ({names}) VALUES ({marks})", (*values.values(),)


def update(row: Any, **values: Any) -> Statement:
    pairs = ", ".join(f"{name} = %s" for name in values)
    return f"UPDATE {row._meta.db_table} SET {pairs} WHERE id = %s", (*values.values(), row.pk)


def delete(row: Any) -> Statement:
    return f"DELETE FROM {row._meta.db_table} WHERE id = %s", (row.pk,)


def copy_of(row: Any, **changes: Any) -> Statement:
    """Return INSERT OR REPLACE of a row with changes."""
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT * FROM {row._meta.db_table} WHERE id = %s", (row.pk,))
        names = [column[0] for column in cursor.description]
        values = dict(zip(names, cursor.fetchone(), strict=True))
    return insert(row._meta.db_table, "INSERT OR REPLACE", **values | changes)


def record(world: World, subject: Any, rule: str, target: str, **changes: Any) -> Statement:
    """Return the statement that forges a record of a transition."""
    values: dict[str, Any] = {
        "machine": subject._meta.model_name,
        "subject_id": subject.pk,
        "number": subject.version + 1,
        "rule": rule,
        "source": subject.state,
        "target": target,
        "actor_id": world.worker.pk,
        "role": "welfare_worker",
        "agency_id": world.welfare.pk,
        "channel": "page",
        "evidence": "",
        "evidence_digest": "d" * 64,
        "proposal_id": None,
        "made_at": NOW,
    }
    return insert("casework_transitionrecord", **values | changes)


def move(subject: Any, state: str, **changes: Any) -> Statement:
    return update(subject, state=state, version=subject.version + 1, **changes)


def place(world: World, placement: Placement, **changes: Any) -> list[Statement]:
    return [record(world, placement, "place", "placed", **changes), move(placement, "placed")]


def cleared(world: World, *adults: Any, **where: Any) -> Placement:
    """Return a placement that has lawfully been cleared, with a frozen clearance."""
    case = where.pop("case", None) or world.case(*EXAMINED)
    if adults:
        where["household"] = world.household(*adults)
    placement = world.placement(case, **where)
    world.step(placement, "placement", "propose")
    custody.freeze(actor_for(world.worker), placement, NOW)
    world.step(placement, "placement", "clear")
    return placement


def in_home(world: World, rule: str, home: Any) -> Placement:
    placement = cleared(world, home=home) if rule == "place" else world.placement(home=home)
    if rule != "place":
        world.step(placement, "placement", "propose")
    return placement


def notice(world: World) -> Publication:
    return Publication.objects.create(
        title="Synthetic", text="x", contact="x", author=world.officer, ends_on=NOW.date()
    )


def join(placement: Placement, person: Any) -> None:
    HouseholdMember.objects.create(household=placement.household, person=person)


# ------------------------------------------------------------------------------ custody


@attempt("placement_guard_custody_clear_involved")
def child_back_to_its_buyer(world: World) -> list[Statement]:
    """2011: the household was in order on paper, and the buyer lives in it."""
    placement = cleared(world, world.person())
    join(placement, world.person("buyer"))
    return place(world, placement)


@attempt("placement_guard_custody_clear_linked")
def child_to_the_buyers_circle(world: World) -> list[Statement]:
    aunt, friend = world.person(), world.person()
    placement = cleared(world, aunt)
    world.link(aunt, friend)
    world.share(friend, world.person("broker"))
    return place(world, placement)


@attempt("placement_guard_custody_clear_unverified")
def child_to_a_stranger(world: World) -> list[Statement]:
    placement = cleared(world, world.person())
    join(placement, world.person(identity="claimed"))
    return place(world, placement)


@attempt("placement_guard_custody_clear_empty")
def child_to_nobody(world: World) -> list[Statement]:
    placement = cleared(world, world.person())
    placement.household.members.update(retracted_at=NOW)
    return place(world, placement)


@attempt("placement_guard_custody_clear_involved")
def escorted_by_a_broker(world: World) -> list[Statement]:
    placement = cleared(world, home=world.home())
    broker = world.person("broker")
    return [
        insert(
            "casework_placementperson",
            placement_id=placement.pk,
            person_id=broker.pk,
            capacity="escort",
        ),
        *place(world, placement),
    ]


@attempt("placement_guard_custody_clear_involved")
def removal_from_the_buyer_cancelled(world: World) -> list[Statement]:
    placement = cleared(world, world.person())
    world.step(placement, "placement", "place")
    world.step(placement, "placement", "remove_now")
    join(placement, world.person("buyer"))
    proposal = world.signed(placement, "placement", "cancel_removal", world.worker)
    rows = record(world, placement, "cancel_removal", "placed", proposal_id=proposal.pk)
    return [rows, move(placement, "placed")]


@attempt("placement_guard_clearance_fresh")
def clearance_that_ran_out(world: World) -> list[Statement]:
    return place(world, cleared(world, world.person()), made_at=NOW + timedelta(hours=72))


@attempt("placement_guard_clearance_fresh")
def never_screened(world: World) -> list[Statement]:
    placement = world.placement(world.case(*EXAMINED), household=world.household(world.person()))
    world.step(placement, "placement", "propose")
    world.step(placement, "placement", "clear")
    return place(world, placement)


@attempt("placement_guard_clearance_fresh")
def cleared_once_and_refused_since(world: World) -> list[Statement]:
    placement = cleared(world, world.person())
    Clearance.objects.create(
        placement=placement,
        screened_at=NOW + timedelta(minutes=1),
        expires_at=NOW + timedelta(hours=1),
        clear=False,
        result={},
        digest="0" * 64,
    )
    return place(world, placement)


@attempt("clearance_as_computed")
def forged_clearance(world: World) -> list[Statement]:
    placement = world.placement(household=world.household(world.person("buyer")))
    return [
        insert(
            "casework_clearance",
            placement_id=placement.pk,
            screened_at=NOW,
            expires_at=NOW + timedelta(hours=72),
            clear=True,
            result="",
            digest="0" * 64,
            screened_by_id=None,
        )
    ]


@attempt("clearance_has_an_end")
def clearance_without_end(world: World) -> list[Statement]:
    placement = world.placement(household=world.household(world.person()))
    return [
        insert(
            "casework_clearance",
            placement_id=placement.pk,
            screened_at=NOW,
            expires_at=NOW,
            clear=False,
            result="",
            digest="0" * 64,
            screened_by_id=None,
        )
    ]


@attempt("placement_guard_return_signed")
def returned_by_one_person(world: World) -> list[Statement]:
    return place(world, cleared(world, world.person(), case=world.case(*FOUND), purpose="return"))


@attempt("placement_guard_return_signed")
def returned_to_another_household_than_signed(world: World) -> list[Statement]:
    case = world.case(*FOUND)
    cleared(world, world.person(), case=case, purpose="return")
    other = cleared(world, world.person(), case=case, purpose="return")
    world.step(case, "case", "hand_over")
    return place(world, other)


@attempt("case_guard_return_cleared")
def reunited_without_naming_the_household(world: World) -> list[Statement]:
    case = world.case(*FOUND)
    cleared(world, world.person(), case=case, purpose="return")
    rows, _move = hand_over(world, case)
    return [rows, move(case, "reunited")]


@attempt("case_return_kept")
def another_household_named_by_hand(world: World) -> list[Statement]:
    case = world.case(*FOUND)
    place = cleared(world, world.person(), case=case, purpose="return")
    return [update(case, return_placement_id=place.pk)]


@attempt("placement_guard_return_family_found")
def returned_to_a_family_not_found(world: World) -> list[Statement]:
    placement = world.placement(
        world.case(*TRACING), household=world.household(world.person()), purpose="return"
    )
    world.step(placement, "placement", "propose")
    return [record(world, placement, "clear", "cleared"), move(placement, "cleared")]


def hand_over(world: World, case: Any) -> list[Statement]:
    proposal = world.signed(case, "case", "hand_over", world.worker)
    rows = record(world, case, "hand_over", "reunited", proposal_id=proposal.pk)
    place = case.placements.filter(state="cleared", purpose="return").first()
    return [rows, move(case, "reunited", return_placement_id=place and place.pk)]


@attempt("case_guard_return_cleared")
def reunited_with_no_household(world: World) -> list[Statement]:
    return hand_over(world, world.case(*FOUND))


def _return_barred(world: World, person: Any) -> list[Statement]:
    case = world.case(*FOUND)
    placement = cleared(world, world.person(), case=case, purpose="return")
    if person is None:
        placement.household.members.update(retracted_at=NOW)
    else:
        join(placement, person)
    return hand_over(world, case)


@attempt("case_guard_custody_clear_involved")
def reunited_with_a_parent_who_sold(world: World) -> list[Statement]:
    return _return_barred(world, world.person("suspect"))


@attempt("case_guard_custody_clear_linked")
def reunited_with_a_parent_who_was_paid(world: World) -> list[Statement]:
    father = world.person()
    world.link(world.person("broker"), father, "payment")
    return _return_barred(world, father)


@attempt("case_guard_custody_clear_unverified")
def reunited_with_a_claimed_parent(world: World) -> list[Statement]:
    return _return_barred(world, world.person(identity="claimed"))


@attempt("case_guard_custody_clear_empty")
def reunited_with_an_empty_house(world: World) -> list[Statement]:
    return _return_barred(world, None)


def _release(world: World, person: Any) -> list[Statement]:
    case = world.case(*TRACING)
    placement = cleared(world, world.person(), case=case)
    world.step(placement, "placement", "place")
    world.step(case, "case", "hold")
    if person is None:
        placement.household.members.update(retracted_at=NOW)
    else:
        join(placement, person)
    proposal = world.signed(case, "case", "release_hold", world.worker)
    rows = record(world, case, "release_hold", "tracing", proposal_id=proposal.pk)
    return [rows, move(case, "tracing")]


@attempt("case_guard_no_barring_placement_involved")
def released_though_a_buyer_is_there(world: World) -> list[Statement]:
    return _release(world, world.person("buyer"))


@attempt("case_guard_no_barring_placement_linked")
def released_though_a_link_is_there(world: World) -> list[Statement]:
    aunt = world.person()
    world.link(aunt, world.person("buyer"))
    return _release(world, aunt)


@attempt("case_guard_no_barring_placement_unverified")
def released_though_a_stranger_is_there(world: World) -> list[Statement]:
    return _release(world, world.person(identity="unknown"))


@attempt("case_guard_no_barring_placement_empty")
def released_though_nobody_is_there(world: World) -> list[Statement]:
    return _release(world, None)


def _clearance(world: World, **changes: Any) -> Statement:
    mother, buyer = world.person(), world.person("buyer")
    link = world.link(mother, buyer)
    values: dict[str, Any] = {
        "case_id": world.case("rescue").pk,
        "low_id": mother.pk,
        "high_id": buyer.pk,
        "via": f"link:{link.pk}",
        "reason": "",
        "document_id": world.document(mother).pk,
        "police_signer_id": None,
        "police_signed_at": None,
        "welfare_signer_id": None,
        "welfare_signed_at": None,
        "withdrawn_at": None,
        "withdrawal": "",
    }
    return insert("casework_linkclearance", **values | changes)


@attempt("link_clearance_names_a_link")
def clearing_what_is_no_link(world: World) -> list[Statement]:
    return [_clearance(world, via="link:999999")]


@attempt("link_clearance_police_entered")
def welfare_signs_for_the_police(world: World) -> list[Statement]:
    return [_clearance(world, police_signer_id=world.worker.pk)]


@attempt("link_clearance_welfare_entered")
def police_sign_for_welfare(world: World) -> list[Statement]:
    return [_clearance(world, welfare_signer_id=world.officer.pk)]


def _signed_clearance(world: World) -> Any:
    mother, buyer = world.person(), world.person("buyer")
    link = world.link(mother, buyer)
    return world.clear_link(world.case("rescue"), mother, buyer, f"link:{link.pk}")


def _half_signed(world: World, missing: str) -> Any:
    row = _signed_clearance(world)
    type(row).objects.filter(pk=row.pk).update(withdrawn_at=NOW)
    row.pk, row.withdrawn_at = None, None
    setattr(row, missing, None)
    row.save(force_insert=True)
    return row


@attempt("link_clearance_police_signed")
def welfare_signs_later_for_the_police(world: World) -> list[Statement]:
    clearance = _half_signed(world, "police_signer")
    other = world._user("welfare_worker", world.welfare)
    return [update(clearance, police_signer_id=other.pk)]


@attempt("link_clearance_welfare_signed")
def police_sign_later_for_welfare(world: World) -> list[Statement]:
    clearance = _half_signed(world, "welfare_signer")
    other = world._user("police_officer", world.police)
    return [update(clearance, welfare_signer_id=other.pk)]


@attempt("link_clearance_police_stands")
def police_signature_replaced(world: World) -> list[Statement]:
    other = world._user("police_officer", world.police)
    return [update(_signed_clearance(world), police_signer_id=other.pk)]


@attempt("link_clearance_welfare_stands")
def welfare_signature_taken_back(world: World) -> list[Statement]:
    return [update(_signed_clearance(world), welfare_signer_id=None)]


@attempt("link_clearance_withdrawn_stays")
def withdrawn_clearance_revived(world: World) -> list[Statement]:
    clearance = _signed_clearance(world)
    type(clearance).objects.filter(pk=clearance.pk).update(withdrawn_at=NOW)
    return [update(clearance, withdrawn_at=None)]


# ------------------------------------------------------------------------------ states


@attempt("placement_begins_new")
def placement_inserted_as_placed(world: World) -> list[Statement]:
    return [
        insert(
            "casework_placement",
            case_id=world.case("rescue").pk,
            home_id=world.home().pk,
            purpose="care",
            state="placed",
            version=1,
            over_capacity=False,
            planned=False,
            created_at=NOW,
        )
    ]


@attempt("case_begins_new")
def case_inserted_as_reunited(world: World) -> list[Statement]:
    return [
        insert(
            "casework_case",
            child_id=world.person().pk,
            code="CX",
            region="north",
            state="reunited",
            version=0,
            resume_state="",
            wristband="",
            sample_a="",
            returned_to_buyer=False,
            sibling_group="",
            opened_at=NOW,
        )
    ]


@attempt("publication_begins_new")
def notice_inserted_as_published(world: World) -> list[Statement]:
    return [
        insert(
            "public_publication",
            title="x",
            text="x",
            contact="x",
            author_id=world.officer.pk,
            ends_on=NOW.date(),
            state="published",
            version=0,
        )
    ]


@attempt("case_moves_by_transition")
def case_reunited_by_hand(world: World) -> list[Statement]:
    return [update(world.case("rescue"), state="reunited")]


@attempt("case_moves_by_transition")
def version_set_by_hand(world: World) -> list[Statement]:
    return [update(world.case("rescue"), version=7)]


@attempt("case_moves_by_transition")
def old_record_used_again(world: World) -> list[Statement]:
    return [update(world.case("rescue", "undo_rescue"), state="rescued", version=1)]


@attempt("placement_moves_by_transition")
def placed_by_hand(world: World) -> list[Statement]:
    return [move(world.placement(household=world.household(world.person("buyer"))), "placed")]


@attempt("publication_moves_by_transition")
def published_by_hand(world: World) -> list[Statement]:
    return [move(notice(world), "published")]


@attempt("case_kept")
def case_deleted(world: World) -> list[Statement]:
    case = world.case("rescue")
    return [delete(case)]


@attempt("placement_kept")
def placement_deleted(world: World) -> list[Statement]:
    placement = world.placement(home=world.home())
    world.step(placement, "placement", "propose")
    return [delete(placement)]


@attempt("publication_kept")
def notice_deleted(world: World) -> list[Statement]:
    row = notice(world)
    world.step(row, "publication", "draft")
    return [delete(row)]


@attempt("case_resume_kept")
def hold_turned_to_lead_elsewhere(world: World) -> list[Statement]:
    return [update(world.case("rescue", "hold"), resume_state="reunited")]


@attempt("placement_capacity_kept")
def bed_freed_on_paper(world: World) -> list[Statement]:
    placement = in_home(world, "receive_at_night", world.home())
    world.step(placement, "placement", "receive_at_night")
    return [update(placement, over_capacity=True)]


# ------------------------------------------------------------------------------ records


@attempt("transition_in_table")
def leap_to_reunited(world: World) -> list[Statement]:
    return [record(world, world.case("rescue"), "hand_over", "reunited")]


@attempt("transition_from_current")
def forged_source(world: World) -> list[Statement]:
    case = world.case("rescue")
    return [record(world, case, "receive_into_care", "in_care", source="medical_cleared")]


@attempt("transition_from_current")
def forged_number(world: World) -> list[Statement]:
    return [record(world, world.case(*EXAMINED), "receive_into_care", "in_care", number=9)]


@attempt("transition_resumes_where_left")
def released_to_another_state(world: World) -> list[Statement]:
    case = world.case("rescue", "hold")
    proposal = world.signed(case, "case", "release_hold", world.worker)
    return [record(world, case, "release_hold", "family_found", proposal_id=proposal.pk)]


@attempt("transition_by_role")
def welfare_records_an_examination(world: World) -> list[Statement]:
    return [record(world, world.case("rescue", "register"), "clear_medically", "medical_cleared")]


@attempt("transition_by_role")
def nobody_in_the_name_of_kinward(world: World) -> list[Statement]:
    case = world.case(*EXAMINED)
    nobody = {"actor_id": None, "role": "system", "agency_id": None}
    return [record(world, case, "receive_into_care", "in_care", **nobody)]


@attempt("transition_by_login")
def role_claimed(world: World) -> list[Statement]:
    case = world.case("rescue", "register")
    return [record(world, case, "clear_medically", "medical_cleared", role="clinician")]


@attempt("transition_by_login")
def agency_claimed(world: World) -> list[Statement]:
    case = world.case(*EXAMINED)
    return [record(world, case, "receive_into_care", "in_care", agency_id=world.police.pk)]


@attempt("transition_by_login")
def login_without_appointment(world: World) -> list[Statement]:
    case = world.case(*EXAMINED)
    type(world.worker).objects.filter(pk=world.worker.pk).update(is_active=False)
    return [record(world, case, "receive_into_care", "in_care")]


@attempt("transition_signed_by_2")
def nobody_else_signed(world: World) -> list[Statement]:
    return [record(world, world.case(*TRACING), "find_family", "family_found")]


def _proposal(world: World, signed: bool = True) -> tuple[Any, Any]:
    """Return a case in tracing and a proposal that its family is found."""
    case = world.case(*TRACING)
    if signed:
        return case, world.signed(case, "case", "find_family", world.worker)
    proposal = Proposal.objects.create(
        machine="case",
        subject_id=case.pk,
        subject_version=case.version,
        rule="find_family",
        evidence={},
        digest="d" * 64,
        proposed_at=NOW,
        expires_at=NOW + timedelta(hours=1),
    )
    return case, proposal


@attempt("transition_signed_by_2")
def one_of_two_signed(world: World) -> list[Statement]:
    case, proposal = _proposal(world, signed=False)
    world.sign(proposal, world.worker)
    forged = {"proposal_id": proposal.pk, "evidence_digest": proposal.digest}
    return [record(world, case, "find_family", "family_found", **forged)]


@attempt("transition_signed_by_2")
def other_evidence_than_was_signed(world: World) -> list[Statement]:
    case, proposal = _proposal(world)
    forged = {"proposal_id": proposal.pk, "evidence_digest": "0" * 64}
    return [record(world, case, "find_family", "family_found", **forged)]


@attempt("transition_signed_by_2")
def signatures_of_another_case(world: World) -> list[Statement]:
    _case, proposal = _proposal(world)
    case = world.case(*TRACING)
    return [record(world, case, "find_family", "family_found", proposal_id=proposal.pk)]


@attempt("transition_signed_by_2")
def signatures_too_old(world: World) -> list[Statement]:
    case, proposal = _proposal(world)
    late = {"proposal_id": proposal.pk, "made_at": NOW + timedelta(hours=2)}
    return [record(world, case, "find_family", "family_found", **late)]


def _signature(world: World, proposal: Any, user: Any, **changes: Any) -> Statement:
    values = {
        "proposal_id": proposal.pk,
        "signer_id": user.pk,
        "agency_id": user.agency_id,
        "role": user.role,
        "digest": proposal.digest,
        "signed_at": NOW,
        "second_factor_at": NOW,
    }
    return insert("casework_signature", **values | changes)


@attempt("signature_by_login")
def signature_in_a_claimed_role(world: World) -> list[Statement]:
    _case, proposal = _proposal(world, signed=False)
    return [_signature(world, proposal, world.worker, role="police_officer")]


@attempt("signature_of_proposal")
def signature_under_another_text(world: World) -> list[Statement]:
    _case, proposal = _proposal(world, signed=False)
    return [_signature(world, proposal, world.officer, digest="0" * 64)]


@attempt("signature_of_proposal")
def signature_by_a_role_that_does_not_sign(world: World) -> list[Statement]:
    _case, proposal = _proposal(world, signed=False)
    return [_signature(world, proposal, world.signer("clinician"))]


# ------------------------------------------------------------------------------ places


@attempt("placement_guard_institution_accredited")
def home_without_accreditation(world: World) -> list[Statement]:
    placement = in_home(world, "receive_at_night", world.home())
    type(world.welfare).objects.update(accredited=False)
    return [record(world, placement, "receive_at_night", "placed"), move(placement, "placed")]


@attempt("placement_guard_institution_accredited")
def home_without_a_named_officer(world: World) -> list[Statement]:
    placement = cleared(world, home=world.home())
    type(world.welfare).objects.update(named_officer=None)
    return place(world, placement)


@attempt("placement_guard_institution_accredited")
def closed_home(world: World) -> list[Statement]:
    home = world.home()
    placement = cleared(world, home=home)
    return [update(home, open=False), *place(world, placement)]


@attempt("placement_guard_bed_free")
def no_bed(world: World) -> list[Statement]:
    home = world.home(beds=1)
    world.step(cleared(world, home=home), "placement", "place")
    return place(world, cleared(world, home=home))


@attempt("placement_guard_bed_free_or_reason")
def no_bed_at_night(world: World) -> list[Statement]:
    placement = in_home(world, "receive_at_night", world.home(beds=0))
    return [record(world, placement, "receive_at_night", "placed"), move(placement, "placed")]


@attempt("placement_guard_nobody_involved_involved")
def brought_by_a_broker_at_night(world: World) -> list[Statement]:
    placement = in_home(world, "receive_at_night", world.home())
    person = world.person("broker").pk
    return [
        insert(
            "casework_placementperson",
            placement_id=placement.pk,
            person_id=person,
            capacity="escort",
        ),
        record(world, placement, "receive_at_night", "placed"),
        move(placement, "placed"),
    ]


@attempt("placement_guard_is_institution")
def private_people_at_night(world: World) -> list[Statement]:
    placement = world.placement(household=world.household(world.person()))
    world.step(placement, "placement", "propose")
    return [record(world, placement, "receive_at_night", "placed"), move(placement, "placed")]


# ------------------------------------------------------------------------------ permanence


@attempt("case_fixed")
def another_child_in_the_case(world: World) -> list[Statement]:
    return [update(world.case("rescue"), child_id=world.person().pk)]


@attempt("placement_fixed")
def household_exchanged(world: World) -> list[Statement]:
    placement = cleared(world, world.person())
    return [update(placement, household_id=world.household(world.person("buyer")).pk)]


@attempt("publication_fixed")
def notice_of_another_case(world: World) -> list[Statement]:
    return [update(notice(world), case_id=world.case().pk)]


@attempt("proposal_fixed")
def proposal_altered(world: World) -> list[Statement]:
    return [update(_proposal(world)[1], digest="0" * 64)]


@attempt("linkclearance_fixed")
def clearance_turned_to_another_link(world: World) -> list[Statement]:
    return [update(_signed_clearance(world), via="link:999999")]


@attempt("link_fixed")
def payment_made_a_friendship(world: World) -> list[Statement]:
    return [update(world.link(world.person(), world.person(), "payment"), kind="contact")]


@attempt("involvement_fixed")
def buyer_made_a_witness(world: World) -> list[Statement]:
    return [update(world.involve(world.person(), "buyer"), part="witness")]


@attempt("householdmember_fixed")
def member_exchanged(world: World) -> list[Statement]:
    row = world.household(world.person()).members.get()
    return [update(row, person_id=world.person().pk)]


@attempt("identifieruse_fixed")
def user_of_a_telephone_exchanged(world: World) -> list[Statement]:
    row = world.share(world.person()).uses.get()
    return [update(row, person_id=world.person().pk)]


def _event_on_record(world: World) -> AuditEvent:
    with transaction.atomic():
        audit.append(SYSTEM, "test.first")
        return audit.append(SYSTEM, "test.second")


def _last_record(world: World) -> TransitionRecord:
    world.case("rescue")
    return TransitionRecord.objects.latest("pk")


def _last_signature(world: World) -> Signature:
    _proposal(world)
    return Signature.objects.latest("pk")


def _refused_clearance(world: World) -> Clearance:
    placement = world.placement(household=world.household(world.person("buyer")))
    return custody.freeze(actor_for(world.worker), placement, NOW)


_ROWS: dict[str, Callable[[World], Any]] = {
    "transitionrecord": _last_record,
    "signature": _last_signature,
    "clearance": _refused_clearance,
    "auditevent": _event_on_record,
    "readevent": lambda world: _read(world),
    "linkclearance": lambda world: _signed_clearance(world),
    "proposal": lambda world: _proposal(world, signed=False)[1],
    "householdmember": lambda world: world.household(world.person()).members.get(),
    "identifieruse": lambda world: world.share(world.person()).uses.get(),
    "involvement": lambda world: world.involve(world.person(), "buyer"),
    "link": lambda world: world.link(world.person(), world.person()),
    "agencychange": lambda world: _change(world),
    "case": lambda world: world.case("rescue"),
    "placement": lambda world: cleared(world, world.person()),
    "publication": lambda world: notice(world),
}


def _read(world: World) -> Any:
    return ReadEvent.objects.create(
        at=NOW, actor=world.officer, purpose="care", act="case.read", subject="case:X"
    )


_ALTERED = {
    "transitionrecord": {"made_at": NOW + timedelta(days=1)},
    "signature": {"second_factor_at": NOW + timedelta(days=1)},
    "clearance": {"expires_at": NOW + timedelta(days=99)},
    "auditevent": {"act": "something.else"},
    "readevent": {"subject": "case:Y"},
    "agencychange": {"phone": "+86 000"},
}
_KEPT = (
    *_ALTERED,
    "linkclearance",
    "proposal",
    "householdmember",
    "identifieruse",
    "involvement",
    "link",
)


def _permanence() -> None:
    """Add one attempt to alter and one to delete for each kind of row that stays."""
    for name, values in _ALTERED.items():

        def alter(world: World, name: str = name, values: dict = values) -> list[Statement]:
            return [update(_ROWS[name](world), **values)]

        attempt(f"{name}_fixed")(alter)
    for name in _KEPT:

        def erase(world: World, name: str = name) -> list[Statement]:
            return [delete(_ROWS[name](world))]

        attempt(f"{name}_kept")(erase)
    for name in (*_KEPT, "case", "placement", "publication"):

        def replace(world: World, name: str = name) -> list[Statement]:
            return [copy_of(_ROWS[name](world))]

        attempt(f"{name}_not_replaced")(replace)


_permanence()


@attempt("case_not_replaced_by_update")
def case_pushed_out_by_its_wristband(world: World) -> list[Statement]:
    case, other = world.case("rescue"), world.case("rescue")
    type(case).objects.filter(pk=case.pk).update(wristband="W1")
    return [("UPDATE OR REPLACE casework_case SET wristband = 'W1' WHERE id = %s", (other.pk,))]


@attempt("placement_not_replaced_by_update")
def placement_pushed_out(world: World) -> list[Statement]:
    first = in_home(world, "receive_at_night", world.home())
    world.step(first, "placement", "receive_at_night")
    second = world.placement(first.case, home=world.home())
    return [
        ("UPDATE OR REPLACE casework_placement SET state = 'placed' WHERE id = %s", (second.pk,))
    ]


@attempt("transitionrecord_not_replaced_by_update")
def record_pushed_out(world: World) -> list[Statement]:
    world.case("rescue", "undo_rescue")
    first, second = TransitionRecord.objects.order_by("-pk")[:2]
    return [
        (
            "UPDATE OR REPLACE casework_transitionrecord SET number = %s WHERE id = %s",
            (second.number, first.pk),
        )
    ]


@attempt("signature_not_replaced_by_update")
def signature_pushed_out(world: World) -> list[Statement]:
    _proposal(world)
    first, second = Signature.objects.order_by("-pk")[:2]
    return [
        (
            "UPDATE OR REPLACE casework_signature SET signer_id = %s WHERE id = %s",
            (second.signer_id, first.pk),
        )
    ]


@attempt("auditevent_not_replaced_by_update")
def audit_event_pushed_out(world: World) -> list[Statement]:
    event = _event_on_record(world)
    return [("UPDATE OR REPLACE audit_auditevent SET sequence = 1 WHERE id = %s", (event.pk,))]


def _event(world: World, **changes: Any) -> list[Statement]:
    event = _event_on_record(world)
    values: dict[str, Any] = {
        "id": event.pk + 1,
        "sequence": event.sequence + 1,
        "at": NOW,
        "role": "system",
        "channel": "system",
        "act": "forged",
        "subject": "",
        "detail": "{}",
        "previous": event.hash,
        "hash": "0" * 64,
    }
    return [insert("audit_auditevent", **values | changes)]


@attempt("audit_without_gaps")
def gap_in_the_chain(world: World) -> list[Statement]:
    return _event(world, sequence=99)


@attempt("audit_chained")
def broken_chain(world: World) -> list[Statement]:
    return _event(world, previous="0" * 64)


def _change(world: World, **values: Any) -> Any:
    """Propose that the welfare agency gets a telephone; the police may confirm."""
    administrator_of(world.police)
    return proposal(world.welfare, **{"phone": "+86 771", **values})


def _confirmed_change(world: World, **values: Any) -> Any:
    change = _change(world, **values)
    change.confirmed_by = administrator_of(world.police)
    change.save()
    return change


@attempt("agency_changed_by_two")
def agency_accredited_alone(world: World) -> list[Statement]:
    return [update(world.police, accredited=True, named_officer_id=world.officer.pk)]


@attempt("agency_changed_by_two")
def agency_accredited_by_a_proposal(world: World) -> list[Statement]:
    type(world.welfare).objects.filter(pk=world.welfare.pk).update(accredited=False)
    _change(world, accredited=True)
    return [update(world.welfare, accredited=True, phone="+86 771")]


@attempt("agency_changed_by_two")
def agency_accredited_again_by_a_change_of_before(world: World) -> list[Statement]:
    type(world.welfare).objects.filter(pk=world.welfare.pk).update(accredited=False)
    return [update(world.welfare, accredited=True)]


@attempt("agency_changed_by_two")
def agency_takes_a_telephone(world: World) -> list[Statement]:
    return [update(world.welfare, phone="+86 771")]


@attempt("agency_changed_by_two")
def agency_takes_an_address(world: World) -> list[Statement]:
    return [update(world.welfare, address="Lane 1")]


@attempt("agency_changed_by_two")
def agency_takes_more_than_was_confirmed(world: World) -> list[Statement]:
    _confirmed_change(world)
    return [update(world.welfare, phone="+86 772")]


@attempt("agency_changed_by_two")
def agency_of_another_kind(world: World) -> list[Statement]:
    return [update(world.police, kind="welfare")]


@attempt("agency_changed_by_two")
def agency_with_another_officer(world: World) -> list[Statement]:
    return [update(world.welfare, named_officer_id=world.officer.pk)]


def _agency(**values: Any) -> list[Statement]:
    bare: dict[str, Any] = {
        "code": "forged",
        "name": "Forged",
        "kind": "welfare",
        "country": "CN",
        "region": "",
        "phone": "",
        "address": "",
        "accredited": False,
    }
    return [insert("accounts_agency", **bare | values)]


@attempt("agency_entered_by_two")
def agency_entered_accredited(world: World) -> list[Statement]:
    return _agency(accredited=True)


@attempt("agency_entered_by_two")
def agency_entered_with_a_telephone(world: World) -> list[Statement]:
    return _agency(phone="+86 771")


def _change_row(world: World, **values: Any) -> list[Statement]:
    row: dict[str, Any] = {
        "code": "forged",
        "name": "Forged",
        "kind": "welfare",
        "country": "CN",
        "region": "",
        "phone": "",
        "address": "",
        "accredited": True,
        "proposed_by_id": administrator_of(world.welfare).pk,
        "proposed_at": NOW,
        "expires_at": NOW + timedelta(hours=1),
    }
    return [insert("accounts_agencychange", **row | values)]


@attempt("agencychange_proposed")
def change_entered_as_confirmed(world: World) -> list[Statement]:
    return _change_row(world, confirmed_by_id=administrator_of(world.police).pk)


@attempt("agencychange_proposed")
def change_proposed_by_an_officer(world: World) -> list[Statement]:
    return _change_row(world, proposed_by_id=world.officer.pk)


@attempt("agencychange_confirmed")
def change_confirmed_by_an_officer(world: World) -> list[Statement]:
    return [update(_change(world), confirmed_by_id=world.officer.pk)]


@attempt("agencychange_confirmed")
def change_confirmed_within_the_agency(world: World) -> list[Statement]:
    change = _change(world)
    colleague = world.colleague("administrator", world.welfare)
    return [update(change, confirmed_by_id=colleague.pk)]


@attempt("agencychange_closed_stays")
def change_opened_again(world: World) -> list[Statement]:
    change = _change(world)
    type(change).objects.filter(pk=change.pk).update(closed_at=NOW)
    return [update(change, closed_at=None)]


@attempt("audit_read_sealed_once")
def read_sealed_anew(world: World) -> list[Statement]:
    read = _read(world)
    type(read).objects.filter(pk=read.pk).update(seal=_event_on_record(world))
    return [update(read, seal_id=AuditEvent.objects.earliest("pk").pk)]


# ------------------------------------------------------------------------------ the tests


@pytest.fixture
def world() -> World:
    return World()


@pytest.mark.parametrize(
    ("check", "build"),
    [pytest.param(check, build, id=f"{check}-{build.__name__}") for check, build in ATTEMPTS],
)
def test_attempt_is_refused_by_its_constraint(harness, world, check, build) -> None:
    known = {row.name: row for row in constraints.checks(harness.vendor)}
    if check not in known:
        pytest.skip("REPLACE is a statement of SQLite alone")
    statements = build(world)
    # On PostgreSQL the application may also lack the right to try.
    with pytest.raises(DatabaseError, match=r"Kinward: |permission denied"):
        run(statements)
    with (
        harness.only(f"kinward_{check}"),
        pytest.raises(IntegrityError, match="Kinward: " + re.escape(known[check].message)),
    ):
        harness.run_as_owner(statements)
    with harness.only():
        harness.run_as_owner(statements)
    assert constraints.faults() == []


def test_no_constraint_is_without_an_attempt(harness) -> None:
    names = {row.name for row in constraints.checks(harness.vendor)}
    assert names - {check for check, _build in ATTEMPTS} == set()
