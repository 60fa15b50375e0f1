"""An operation is sealed until it starts; afterwards its figures are live and agree."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.utils import timezone
from registry_builder import Builder, codes

from kinward_web.audit.models import AuditEvent
from kinward_web.casework import api as casework
from kinward_web.casework.models import Case
from kinward_web.errors import NotAllowed, TransitionRefused
from kinward_web.registry import actions, scope
from kinward_web.registry.models import Campaign, Operation
from kinward_web.rules.roles import Role

pytestmark = pytest.mark.django_db

EVERYONE = sorted(set(Role) - {Role.SYSTEM})


@pytest.fixture
def make(actor):
    return Builder(actor)


def start(operation):
    Operation.objects.filter(pk=operation.pk).update(
        starts_at=timezone.now() - timedelta(minutes=1)
    )


@pytest.mark.parametrize("role", EVERYONE)
def test_nobody_but_insiders_finds_a_sealed_operation(make, actor, role):
    operation = make.operation(+5)
    outsiders = [actor(role, number=9), actor(role, "other")]
    for outsider in outsiders:
        assert operation not in scope.operations_for(outsider)
        with pytest.raises(NotAllowed):
            scope.get_operation(outsider, operation.code)
    assert scope.get_operation(make.officer, operation.code) == operation


def test_an_insider_of_another_agency_sees_it(make, actor, office):
    clinician = actor("clinician")
    operation = make.operation(+5, insiders=[office.user("clinician")])
    assert operation in scope.operations_for(clinician)
    assert operation not in scope.operations_for(actor("clinician", number=2))


def test_it_opens_to_its_agencies_when_it_starts(make, actor, office):
    operation = make.operation(+5, agencies=[office.agency("hospital")])
    assert operation not in scope.operations_for(actor("clinician"))
    start(operation)
    for role in ("clinician", "police_officer", "police_analyst", "auditor"):
        assert operation in scope.operations_for(actor(role, number=2)), role
    assert operation not in scope.operations_for(actor("police_officer", "other"))
    assert operation not in scope.operations_for(actor("volunteer"))


def test_people_entered_for_a_sealed_operation_are_sealed_with_it(make, actor):
    operation = make.operation(+5)
    suspect = make.suspect(operation=operation, sealed=True, name="Zhao Lei", region="Henan")
    actions.add_identifier(
        make.officer, suspect, kind="phone", value="13800138000", source="intercept"
    )
    other = actions.enter_person(make.officer, name="Sun Li")
    actions.enter_link(make.officer, suspect, other, "payment", "bank")
    colleague, analyst = actor("police_officer", number=2), actor("police_analyst")
    for outsider in (colleague, analyst, actor("auditor"), actor("welfare_worker")):
        assert suspect not in scope.people_for(outsider)
        assert not scope.involvements_for(outsider).exists()
        assert not scope.links_for(outsider).exists()
        assert not scope.uses_for(outsider).exists()
    for outsider in (colleague, analyst, actor("welfare_worker", "other")):
        for kind, text in (("name", "Zhao Lei"), ("phone", "138 0013 8000")):
            found = actions.search_people(
                outsider, actions.SearchKind(kind), text, "identification"
            )
            assert found == actions.Found((), ())
    assert suspect in scope.people_for(make.officer)
    start(operation)
    assert suspect in scope.people_for(analyst)
    found = actions.search_people(
        actor("welfare_worker", "other"), actions.SearchKind.NAME, "Zhao Lei", "protection"
    )
    assert [agency.code for agency in found.agencies] == ["own-police"]
    assert not found.people


def test_a_known_person_does_not_vanish_when_a_sealed_operation_names_it(make, actor):
    person = actions.enter_person(make.officer, name="Sun Li")
    operation = make.operation(+5)
    actions.enter_involvement(
        make.officer, person, part="suspect", standing="alleged", source="x", operation=operation
    )
    colleague = actor("police_officer", number=2)
    assert person in scope.people_for(colleague)
    assert not scope.involvements_for(colleague).exists()


def test_a_refusal_does_not_tell_a_sealed_operation_from_none(make, actor):
    operation = make.operation(+5)
    child = actions.enter_person(make.officer)
    texts = []
    for number in (operation.pk, operation.pk + 1000):
        evidence = {"happened_at": timezone.now(), "place": "x", "operation": number}
        with pytest.raises(TransitionRefused) as refused:
            casework.open_case(
                actor("police_officer", number=2), child.pk, "rescue", evidence, region="Henan"
            )
        texts.append([(row.code, str(row)) for row in refused.value.refusals])
    assert texts[0] == texts[1]
    assert texts[0]


def test_the_audit_chain_does_not_tell_what_is_sealed(make):
    operation = make.operation(+5)
    for event in AuditEvent.objects.filter(actor=make.officer.user_id):
        text = f"{event.act} {event.subject} {event.detail}"
        assert operation.code not in text
        assert operation.starts_at.date().isoformat() not in text
    sealed = actions.audit_subject(operation)
    assert AuditEvent.objects.filter(act="sealed.entered", subject=sealed).exists()
    assert not sealed.startswith("operation:")
    start(operation)
    operation.refresh_from_db()
    assert actions.audit_subject(operation) == f"operation:{operation.code}"


def test_an_outsider_neither_changes_it_nor_enters_anybody_for_it(make, actor):
    operation = make.operation(+5)
    colleague = actor("police_officer", number=2)
    person = actions.enter_person(colleague)
    with pytest.raises(NotAllowed):
        actions.enter_involvement(
            colleague, person, part="suspect", standing="alleged", source="x", operation=operation
        )
    with pytest.raises(NotAllowed):
        actions.enter_person(colleague, sealed_with=operation)
    with pytest.raises(NotAllowed):
        actions.save_operation(
            colleague,
            operation,
            campaign=operation.campaign,
            name="x",
            starts_at=timezone.now(),
        )


def test_a_started_operation_is_not_sealed_again(make):
    operation = make.operation(-5)
    with pytest.raises(actions.EntryRefused) as refused:
        actions.save_operation(
            make.officer,
            operation,
            campaign=operation.campaign,
            name="x",
            starts_at=timezone.now() + timedelta(hours=1),
        )
    assert codes(refused) == ["evidence:starts_at"]


def test_another_agency_does_not_change_it(make, actor):
    operation = make.operation(-5)
    with pytest.raises(NotAllowed):
        actions.save_operation(
            actor("police_officer", "other"),
            operation,
            campaign=operation.campaign,
            name="x",
            starts_at=operation.starts_at,
        )


def test_the_window_of_a_campaign_is_in_order(make):
    today = timezone.localdate()
    with pytest.raises(actions.EntryRefused) as refused:
        actions.save_campaign(
            make.officer,
            None,
            name="Backwards",
            country="CN",
            task_force_from=today,
            special_until=today - timedelta(days=1),
        )
    assert codes(refused) == ["evidence:special_until"]
    assert not Campaign.objects.exists()


# ------------------------------------------------------------------------------ tallies


def test_sums_agree_from_case_to_campaign(make, actor, django_assert_num_queries):
    campaign = make.campaign()
    operations = [make.operation(campaign=campaign) for _ in range(3)]
    for number, operation in enumerate(operations):
        for region in ("Henan", "Hebei", "Henan")[: number + 1]:
            make.rescued(operation, region=region)
    sealed = make.operation(+5, campaign=campaign)
    Case.objects.filter(operation=operations[2], region="Hebei").update(operation=sealed)
    analyst = actor("police_analyst")
    tally = actions.campaign_tally(analyst, campaign)
    assert sealed.pk not in tally.operations
    each = [actions.operation_tally(analyst, operation) for operation in operations]
    for operation, own in zip(operations, each, strict=True):
        assert tally.operations[operation.pk] == own.all
        assert sum(region.total for region in own.regions.values()) == own.all.total
        assert own.all.total == Case.objects.filter(operation=operation).count()
    assert tally.all.total == sum(own.all.total for own in each) == 5
    assert tally.all.by_state == {"rescued": 5}
    with django_assert_num_queries(3):
        # The operation within reach, its children, its suspects.
        actions.operation_tally(make.officer, operations[0])


def test_suspects_are_counted_for_those_who_may_read_them(make, actor, office):
    operation = make.operation(agencies=[office.agency("hospital")])
    for standing in ("arrested", "arrested", "charged"):
        make.suspect(operation=operation, standing=standing)
    make.suspect(operation=operation, part="witness")
    shown = actions.operation_tally(make.officer, operation)
    assert shown.suspects == {"arrested": 2, "charged": 1}
    hidden = actions.operation_tally(actor("clinician"), operation)
    assert (hidden.suspects, hidden.suspects_shown) == ({}, False)
