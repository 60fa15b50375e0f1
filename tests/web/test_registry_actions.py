"""People, what is said of them, what joins them, and how a wrong entry is taken back."""

from __future__ import annotations

import pytest
from agency_world import confirmed
from django.db import DatabaseError, IntegrityError, connection, transaction
from registry_builder import Builder, codes

from kinward_web.audit import api as audit
from kinward_web.errors import NotAllowed
from kinward_web.registry import actions, scope
from kinward_web.registry.models import Correction, Identifier, Involvement, Link, Person
from kinward_web.registry.signals import graph_changed
from kinward_web.rules.roles import PERMISSIONS, Role

pytestmark = pytest.mark.django_db

OTHERS = sorted(set(Role) - set(PERMISSIONS["registry.write"].reach) - {Role.SYSTEM})


@pytest.fixture
def make(actor):
    return Builder(actor)


@pytest.fixture
def changes():
    seen = []

    def listen(people_ids, **_):
        seen.append(sorted(people_ids))

    graph_changed.connect(listen)
    yield seen
    graph_changed.disconnect(listen)


def last_event():
    return audit.AuditEvent.objects.order_by("-sequence").first()


# ------------------------------------------------------------------------------ people


def test_a_name_is_encrypted_and_found_by_its_index(make):
    person = actions.enter_person(make.officer, name="Lý Thị Hoa")
    with connection.cursor() as cursor:
        cursor.execute("SELECT name, name_index FROM registry_person")
        stored, index = cursor.fetchone()
    assert "Hoa" not in stored
    assert "Hoa" not in index
    found = actions.search_people(
        make.officer, actions.SearchKind.NAME, "  lý thị HOA ", "identification"
    )
    assert found.people == (person,)


@pytest.mark.parametrize("role", OTHERS)
def test_other_roles_enter_nobody(actor, role):
    with pytest.raises(NotAllowed):
        actions.enter_person(actor(role), name="A")
    assert not Person.objects.exists()


def test_audit_holds_no_name(make):
    person = actions.enter_person(make.officer, name="Wang Xiulan", note="scar on the left hand")
    actions.change_person(
        make.officer,
        person,
        name="Wang Xiu Lan",
        sex="female",
        born_from=None,
        born_to=None,
        region="",
        note="",
    )
    event = last_event()
    assert event.detail == {"columns": ["name", "note", "sex"]}
    for row in audit.AuditEvent.objects.all():
        assert "Wang" not in str(row.detail) + row.subject


def test_identity_is_verified_by_a_document_and_lost_with_another_name(make):
    from registry_builder import picture

    officer = make.officer
    person = actions.enter_person(officer, name="Chen Mei")
    assert person.identity == "claimed"
    photo = actions.store_document(officer, person, kind="photograph", title="face", data=picture())
    with pytest.raises(actions.EntryRefused):
        actions.verify_identity(officer, person, photo)
    card = actions.store_document(officer, person, kind="identity", title="card", data=picture())
    actions.verify_identity(officer, person, card)
    person.refresh_from_db()
    assert person.identity == "verified"
    same = {"sex": "female", "born_from": None, "born_to": None, "region": "", "note": ""}
    actions.change_person(officer, person, name="Chen Mei", **same)
    person.refresh_from_db()
    assert person.identity == "verified"
    actions.change_person(officer, person, name="Chen Li", **same)
    person.refresh_from_db()
    assert person.identity == "claimed"


def test_the_document_of_someone_else_verifies_nobody(make):
    from registry_builder import picture

    officer = make.officer
    one, other = (actions.enter_person(officer, name=name) for name in ("A B", "C D"))
    card = actions.store_document(officer, other, kind="identity", title="card", data=picture())
    with pytest.raises(actions.EntryRefused) as refused:
        actions.verify_identity(officer, one, card)
    assert codes(refused) == ["evidence:document"]


# ------------------------------------------------------------------------------ involvements


def test_accusations_are_entered_and_read_by_roles_that_may(make, actor, changes):
    buyer = make.suspect()
    assert changes == [[buyer.pk]]
    welfare = actor("welfare_worker")
    assert not scope.involvements_for(welfare).exists()
    with pytest.raises(NotAllowed):
        actions.enter_involvement(
            welfare, buyer, part="buyer", standing="alleged", source="hearsay"
        )


def test_mistaken_identity_takes_an_analyst_and_a_second_person(make, actor, changes):
    buyer = make.suspect()
    row = buyer.involvements.get()
    record = f"involvement:{row.pk}"
    with pytest.raises(actions.EntryRefused):
        actions.change_standing(make.officer, row, "mistaken", "the clerk")
    proposal = actions.propose_correction(make.officer, record, "a namesake")
    colleague = actor("police_officer", number=2)
    with pytest.raises(actions.EntryRefused) as refused:
        actions.confirm_correction(colleague, proposal)
    assert codes(refused) == ["role"]
    with pytest.raises(actions.EntryRefused) as refused:
        actions.confirm_correction(actor("police_analyst", fresh=False), proposal)
    assert codes(refused) == ["second_factor"]
    changes.clear()
    actions.confirm_correction(actor("police_analyst"), proposal)
    row.refresh_from_db()
    assert (row.standing, row.correction) == ("mistaken", "a namesake")
    assert changes == [[buyer.pk]]
    assert last_event().detail["proposed_by"] == make.officer.user_id


def test_an_analyst_does_not_confirm_an_own_proposal(make, actor):
    row = make.suspect().involvements.get()
    analyst = actor("police_analyst")
    proposal = actions.propose_correction(analyst, f"involvement:{row.pk}", "a namesake")
    with pytest.raises(actions.EntryRefused) as refused:
        actions.confirm_correction(analyst, proposal)
    assert codes(refused) == ["same_person"]
    with pytest.raises(IntegrityError), transaction.atomic():
        Correction.objects.filter(pk=proposal.pk).update(confirmed_by=analyst.user_id)
    row.refresh_from_db()
    assert row.standing == "arrested"


def test_a_corrected_involvement_keeps_its_standing(make, actor):
    row = make.suspect().involvements.get()
    proposal = actions.propose_correction(make.officer, f"involvement:{row.pk}", "a namesake")
    actions.confirm_correction(actor("police_analyst"), proposal)
    with pytest.raises(actions.EntryRefused) as refused:
        actions.change_standing(make.officer, row, "charged", "the file")
    assert codes(refused) == ["corrected"]


# ------------------------------------------------------------------------------ links


def test_a_link_has_a_source_and_is_entered_once(make, changes):
    officer = make.officer
    one, other = (actions.enter_person(officer, name=name) for name in ("A B", "C D"))
    with pytest.raises(actions.EntryRefused) as refused:
        actions.enter_link(officer, one, other, "sibling", "  ")
    assert codes(refused) == ["evidence:source"]
    with pytest.raises(actions.EntryRefused):
        actions.enter_link(officer, one, one, "sibling", "the village book")
    actions.enter_link(officer, one, other, "sibling", "the village book")
    assert changes == [sorted([one.pk, other.pk])]
    with pytest.raises(actions.EntryRefused) as refused:
        actions.enter_link(officer, other, one, "sibling", "the village book")
    assert codes(refused) == ["link_known"]
    actions.enter_link(officer, one, other, "parent", "an error of the clerk")
    actions.enter_link(officer, other, one, "parent", "the village book")


def test_a_link_is_retracted_by_two_people_and_stays_on_record(make, actor, changes):
    officer = make.officer
    one, other = (actions.enter_person(officer, name=name) for name in ("A B", "C D"))
    link = actions.enter_link(officer, one, other, "kin", "a neighbour")
    proposal = actions.propose_correction(officer, f"link:{link.pk}", "other village")
    with pytest.raises(actions.EntryRefused) as refused:
        actions.propose_correction(officer, f"link:{link.pk}", "other village")
    assert codes(refused) == ["correction_open"]
    with pytest.raises(actions.EntryRefused) as refused:
        actions.confirm_correction(officer, proposal)
    assert codes(refused) == ["same_person"]
    changes.clear()
    actions.confirm_correction(actor("police_officer", number=2), proposal)
    link.refresh_from_db()
    assert link.retracted_at
    assert link.retraction == "other village"
    assert changes == [sorted([one.pk, other.pk])]
    assert Link.objects.count() == 1
    with pytest.raises(actions.EntryRefused) as refused:
        actions.confirm_correction(actor("police_officer", number=3), proposal)
    assert codes(refused) == ["correction_closed"]


def test_strangers_neither_see_nor_correct(make, actor):
    officer = make.officer
    one, other = (actions.enter_person(officer, name=name) for name in ("A B", "C D"))
    link = actions.enter_link(officer, one, other, "kin", "a neighbour")
    proposal = actions.propose_correction(officer, f"link:{link.pk}", "other village")
    for stranger in (actor("police_officer", "other"), actor("welfare_worker")):
        assert not scope.links_for(stranger).exists()
        with pytest.raises(NotAllowed):
            actions.propose_correction(stranger, f"link:{link.pk}", "no")
        with pytest.raises(NotAllowed):
            actions.confirm_correction(stranger, proposal)
        with pytest.raises(NotAllowed):
            actions.enter_link(stranger, one, other, "sibling", "no")
    link.refresh_from_db()
    assert link.retracted_at is None


def test_welfare_sees_the_family_but_no_link_of_the_investigation(make, actor):
    from kinward_web.casework.models import CaseParty

    case = make.rescued(make.operation())
    buyer, mother = make.suspect(), actions.enter_person(make.officer, name="Mother")
    actions.enter_link(make.officer, mother, case.child, "parent", "her own word")
    actions.enter_link(make.officer, buyer, case.child, "contact", "found with the child")
    home = actions.enter_household(make.officer, region="Henan", address="3 Mill Lane")
    for person in (buyer, case.child):
        actions.add_member(make.officer, home, person, adult=person == buyer)
    welfare = actor("welfare_worker")
    CaseParty.objects.create(case=case, agency_id=welfare.agency_id)
    assert set(scope.people_for(welfare)) == {case.child, mother}
    assert [link.kind for link in scope.links_for(welfare)] == ["parent"]
    # A mother who is accused stays the mother; the accusation is not shown.
    actions.enter_involvement(
        make.officer, mother, part="suspect", standing="alleged", source="statement 9"
    )
    assert mother in scope.people_for(welfare)
    assert not scope.involvements_for(welfare).exists()
    with pytest.raises(NotAllowed):
        actions.enter_link(welfare, mother, case.child, "payment", "a receipt")


# ------------------------------------------------------------------------------ households


def test_a_household_member_who_moved_out_stays_linked(make):
    from django.utils import timezone

    officer = make.officer
    home = actions.enter_household(officer, region="Henan", address="3 Mill Lane")
    person = actions.enter_person(officer, name="A B")
    member = actions.add_member(officer, home, person, adult=True)
    with pytest.raises(actions.EntryRefused) as refused:
        actions.add_member(officer, home, person, adult=True)
    assert codes(refused) == ["member_known"]
    actions.move_out(officer, member, timezone.localdate())
    member.refresh_from_db()
    assert member.until
    assert member.retracted_at is None


def test_the_address_of_a_shelter_is_no_household(make, office):
    shelter = office.agency("welfare")
    confirmed(shelter, address="12 River Road, Zhengzhou")
    with pytest.raises(actions.EntryRefused) as refused:
        actions.enter_household(make.officer, region="", address="12 River Road Zhengzhou")
    assert codes(refused) == ["evidence:address"]


# ------------------------------------------------------------------------------ identifiers


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("+86 138 0013 8000", "138-0013-8000"),
        ("0086 13800138000", "１３８００１３８０００"),
        ("+84 912 345 678", "0912345678"),
        ("8613800138000", "13800138000"),
        ("+86 0371 65901234", "0371-65901234"),
    ],
)
def test_one_telephone_written_in_two_ways_is_one(one, other):
    assert actions.identifier_index("phone", one) == actions.identifier_index("phone", other)


def test_two_telephones_are_two():
    assert actions.identifier_index("phone", "0371 65901234") != actions.identifier_index(
        "phone", "0371 65901235"
    )
    assert actions.identifier_index("phone", "13800138000") != actions.identifier_index(
        "vehicle", "13800138000"
    )


def test_a_telephone_of_an_agency_links_nobody(make, office, changes):
    hospital = office.agency("hospital")
    confirmed(hospital, phone="0371 6590 1234")
    officer = make.officer
    one, other = (actions.enter_person(officer, name=name) for name in ("A B", "C D"))
    for person in (one, other):
        actions.add_identifier(
            officer, person, kind="phone", value="+86 371-65901234", source="card"
        )
    identifier = Identifier.objects.get()
    assert identifier.institution == hospital
    private = actions.add_identifier(
        officer, one, kind="phone", value="138 0013 8000", source="card"
    )
    assert private.identifier.institution is None
    assert not actions.search_people(
        officer, actions.SearchKind.PHONE, "0371 65901234", "identification"
    ).people


def test_an_identifier_is_entered_once_per_person(make, changes):
    officer = make.officer
    one, other = (actions.enter_person(officer, name=name) for name in ("A B", "C D"))
    actions.add_identifier(officer, one, kind="vehicle", value="豫A 12345", source="camera")
    with pytest.raises(actions.EntryRefused) as refused:
        actions.add_identifier(officer, one, kind="vehicle", value="豫A12345", source="camera")
    assert codes(refused) == ["identifier_known"]
    actions.add_identifier(officer, other, kind="vehicle", value="豫A12345", source="camera")
    assert changes[-1] == sorted([one.pk, other.pk])


def test_involvement_rows_are_never_deleted(make):
    make.suspect()
    # A trigger refuses it on SQLite; on PostgreSQL the application has no such right at all.
    with pytest.raises(DatabaseError), transaction.atomic():
        Involvement.objects.all().delete()
