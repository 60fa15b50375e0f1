"""An agency opens no way round custody unless administrators of two agencies want it."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest
from agency_world import confirmed
from django.core.exceptions import PermissionDenied
from django.db import IntegrityError, transaction
from django.test import Client
from django.utils import timezone

from conftest import Office
from kinward_web.accounts import agencies
from kinward_web.accounts.api import Actor, Agency, actor_for
from kinward_web.accounts.models import AgencyChange
from kinward_web.audit.models import AuditEvent
from kinward_web.errors import TransitionRefused
from kinward_web.registry.actions import add_identifier
from kinward_web.registry.actions.corrections import confirm_correction, propose_correction
from kinward_web.registry.models import Campaign, Identifier, Operation, Person
from kinward_web.registry.network import links_of
from kinward_web.rules.roles import Role

pytestmark = pytest.mark.django_db
Acts = Callable[..., Actor]
PHONE = "+86 771 555 0101"


def wanted(agency: Agency, **values: object) -> Agency:
    found = Agency.objects.get(pk=agency.pk)
    for name, value in values.items():
        setattr(found, name, value)
    return found


def other_administrator(office: Office, fresh: bool = True) -> Actor:
    user = office.user(Role.ADMINISTRATOR, office.agency("welfare"))
    return actor_for(user, second_factor_at=timezone.now() if fresh else None)


def codes(refused: pytest.ExceptionInfo[TransitionRefused]) -> set[str]:
    assert all(row.message and row.path for row in refused.value.refusals)
    return {row.code for row in refused.value.refusals}


@pytest.mark.parametrize("name", ["accredited", "named_officer", "phone", "address", "kind"])
def test_one_administrator_alone_changes_nothing_that_matters(
    office: Office, actor: Acts, name: str
) -> None:
    ward = office.agency("hospital")
    value = {
        "accredited": True,
        "named_officer": office.user(Role.CLINICIAN),
        "kind": "welfare",
    }.get(name, PHONE)
    admin = actor(Role.ADMINISTRATOR)
    change = agencies.save_agency(admin, wanted(ward, **{name: value}))
    assert change is not None
    before = getattr(ward, name)
    ward.refresh_from_db()
    assert getattr(ward, name) == before
    for lonely in (admin, actor(Role.ADMINISTRATOR, number=2)):
        with pytest.raises(TransitionRefused) as refused:
            agencies.confirm_change(lonely, change)
        assert codes(refused) == {"same_agency"}
    agencies.confirm_change(other_administrator(office), change)
    ward.refresh_from_db()
    assert getattr(ward, name) == value
    with pytest.raises(TransitionRefused) as refused:
        agencies.confirm_change(other_administrator(office), change)
    assert codes(refused) == {"change_closed"}
    acts = set(AuditEvent.objects.values_list("act", flat=True))
    assert {"agency.propose", "agency.change"} <= acts


def test_a_confirmation_needs_second_factor_time_and_an_appointed_proposer(
    office: Office, actor: Acts
) -> None:
    ward = office.agency("hospital")
    change = agencies.save_agency(actor(Role.ADMINISTRATOR), wanted(ward, phone=PHONE))
    with pytest.raises(TransitionRefused) as refused:
        agencies.confirm_change(other_administrator(office, fresh=False), change)
    assert codes(refused) == {"second_factor"}
    with pytest.raises(PermissionDenied):
        agencies.confirm_change(actor(Role.AUDITOR), change)
    late = timezone.now() + timedelta(hours=73)
    with pytest.raises(TransitionRefused) as refused:
        agencies.confirm_change(other_administrator(office), change, late)
    assert codes(refused) == {"change_closed", "second_factor"}
    office.user(Role.ADMINISTRATOR).is_active = False
    office.user(Role.ADMINISTRATOR).save()
    with pytest.raises(TransitionRefused) as refused:
        agencies.confirm_change(other_administrator(office), change)
    assert codes(refused) == {"proposer_gone"}
    ward.refresh_from_db()
    assert ward.phone == ""


def test_accreditation_is_withdrawn_by_one_and_not_given_back_by_what_waited(
    office: Office, actor: Acts
) -> None:
    ward = confirmed(
        office.agency("hospital"), accredited=True, named_officer=office.user(Role.CLINICIAN)
    )
    change = agencies.save_agency(actor(Role.ADMINISTRATOR), wanted(ward, phone=PHONE))
    agencies.withdraw_accreditation(actor(Role.ADMINISTRATOR), ward)
    ward.refresh_from_db()
    assert not ward.accredited
    with pytest.raises(TransitionRefused) as refused:
        agencies.confirm_change(other_administrator(office), change)
    assert codes(refused) == {"change_closed"}
    # The form takes it away at once too, while the rest of what it changes waits.
    ward = confirmed(ward, accredited=True)
    rest = agencies.save_agency(
        actor(Role.ADMINISTRATOR), wanted(ward, accredited=False, phone=PHONE, name="Ward")
    )
    ward.refresh_from_db()
    assert (ward.accredited, ward.name, ward.phone) == (False, "Ward", "")
    agencies.confirm_change(other_administrator(office), rest)
    ward.refresh_from_db()
    assert (ward.accredited, ward.phone) == (False, PHONE)


def test_a_new_agency_waits_and_one_change_waits_at_a_time(office: Office, actor: Acts) -> None:
    admin = actor(Role.ADMINISTRATOR)
    new = Agency(code="baoding", name="Baoding", kind="hospital", phone=PHONE)
    change = agencies.save_agency(admin, new)
    assert not Agency.objects.filter(code="baoding").exists()
    with pytest.raises(TransitionRefused) as refused:
        agencies.save_agency(admin, Agency(code="baoding", name="B", kind="hospital"))
    assert codes(refused) == {"change_open"}
    agencies.withdraw_change(admin, change)
    change = agencies.save_agency(admin, new)
    Agency.objects.create(code="baoding", name="Another", kind="ngo")
    with pytest.raises(TransitionRefused) as refused:
        agencies.confirm_change(other_administrator(office), change)
    assert codes(refused) == {"code_taken"}
    Agency.objects.filter(code="baoding").update(code="another")
    found = agencies.confirm_change(other_administrator(office), change)
    assert (found.code, found.phone, found.accredited) == ("baoding", PHONE, False)


def test_the_same_person_cannot_stand_twice_in_the_record(office: Office, actor: Acts) -> None:
    change = agencies.save_agency(
        actor(Role.ADMINISTRATOR), wanted(office.agency("hospital"), phone=PHONE)
    )
    with pytest.raises(IntegrityError), transaction.atomic():
        AgencyChange.objects.filter(pk=change.pk).update(
            confirmed_by=office.user(Role.ADMINISTRATOR)
        )


# ------------------------------------------------------------------------------ links


def people(office: Office, count: int) -> list[Person]:
    return [
        Person.objects.create(identity="verified", entered_by=office.agency("police"))
        for _ in range(count)
    ]


def add(actor: Actor, person: Person, value: str = PHONE) -> None:
    add_identifier(actor, person, kind="phone", value=value, source="synthetic")


def test_a_traffickers_telephone_stays_a_link_when_an_agency_takes_it(
    office: Office, actor: Acts
) -> None:
    analyst = actor(Role.POLICE_ANALYST)
    first, second, third = people(office, 3)
    add(analyst, first)
    add(analyst, second)
    confirmed(office.agency("hospital"), phone=PHONE)
    add(analyst, third)
    assert Identifier.objects.get().institution is None
    ends = {(edge.low, edge.high) for edge in links_of([third.pk])}
    assert ends == {(first.pk, third.pk), (second.pk, third.pk)}
    # The way out: two people correct each use; then the agency's telephone is the agency's.
    for person in (first, second, third):
        name = f"use:{person.identifiers.get().pk}"
        row = propose_correction(analyst, name, "The hospital's telephone")
        confirm_correction(actor(Role.POLICE_ANALYST, number=2), row)
    add(analyst, first)
    assert Identifier.objects.get().institution == office.agency("hospital")
    add(analyst, second)
    assert links_of([first.pk]) == set()


def test_the_confirmation_says_that_a_telephone_is_in_use(
    office: Office, actor: Acts, client_for: Callable[..., Client]
) -> None:
    first, second = people(office, 2)
    add(actor(Role.POLICE_ANALYST), first, "0771 555 0101")
    change = agencies.save_agency(
        actor(Role.ADMINISTRATOR), wanted(office.agency("hospital"), phone=PHONE, address="X 1")
    )
    assert agencies.linking_contacts(change) == ["phone"]
    path = f"/office/agencies/changes/{change.pk}/"
    response = client_for(Role.ADMINISTRATOR, office.agency("welfare")).get(path)
    assert response.status_code == 200, response.headers
    body = response.content.decode()
    assert "The telephone is on record as used by somebody" in body
    assert "The address is on record" not in body
    # Someone entered for a raid that has not started is not betrayed by it.
    raid = Operation.objects.create(
        campaign=Campaign.objects.create(
            name="C", task_force_from="2011-01-01", special_until="2011-12-31"
        ),
        code="OP-1",
        name="Raid",
        lead=office.agency("police"),
        starts_at=timezone.now() + timedelta(days=1),
    )
    Person.objects.filter(pk=first.pk).update(sealed_with=raid)
    assert agencies.linking_contacts(change) == []
    add(actor(Role.POLICE_ANALYST), second)
    assert agencies.linking_contacts(change) == ["phone"]


# ------------------------------------------------------------------------------ pages


def test_an_agency_is_accredited_on_the_pages_by_two(
    office: Office, client_for: Callable[..., Client]
) -> None:
    ward = office.agency("hospital")
    form = {
        "name": ward.name,
        "code": ward.code,
        "kind": "hospital",
        "country": "CN",
        "region": ward.region,
        "accredited": "on",
        "named_officer": office.user(Role.CLINICIAN).pk,
    }
    first = client_for(Role.ADMINISTRATOR)
    response = first.post(f"/office/agencies/{ward.pk}/", form)
    path = f"/office/agencies/changes/{AgencyChange.objects.get().pk}/"
    assert response.headers["Location"] == path
    body = first.get(path).content.decode()
    assert 'name="confirm"' not in body
    assert "administrator of another agency" in body
    assert first.post(path, {"confirm": "1"}).status_code == 409
    again = first.post(f"/office/agencies/{ward.pk}/", form)
    assert again.status_code == 409
    assert "A change of this agency waits already" in again.content.decode()
    second = client_for(Role.ADMINISTRATOR, office.agency("welfare"))
    assert path in second.get("/office/agencies/").content.decode()
    assert 'name="confirm"' in second.get(path).content.decode()
    assert second.post(path, {"confirm": "1"}).status_code == 302
    ward.refresh_from_db()
    assert ward.accredited
    first.post(f"/office/agencies/{ward.pk}/withdraw/")
    ward.refresh_from_db()
    assert not ward.accredited
    assert client_for(Role.POLICE_OFFICER).get(path).status_code == 403
