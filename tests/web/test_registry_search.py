"""The search across agencies tells whom to call, and nothing else."""

from __future__ import annotations

import pytest
from registry_builder import Builder, codes

from kinward_web.audit import api as audit
from kinward_web.errors import NotAllowed
from kinward_web.registry import actions
from kinward_web.registry.actions import search
from kinward_web.rules.roles import PERMISSIONS, Role

pytestmark = pytest.mark.django_db
NAME, PHONE = actions.SearchKind.NAME, actions.SearchKind.PHONE


@pytest.fixture
def make(actor):
    return Builder(actor)


def ask(who, text="Chen Mei", kind=NAME):
    return actions.search_people(who, kind, text, "identification")


def test_within_reach_the_record_outside_the_agency(make, actor, office):
    stranger = actor("police_officer", "other")
    person = actions.enter_person(stranger, name="Chen Mei")
    assert ask(stranger) == actions.Found((person,), ())
    assert ask(make.officer) == actions.Found((), (office.agency("police", "other"),))
    # Two people of one agency look like one.
    actions.enter_person(stranger, name="chen mei")
    assert ask(make.officer) == actions.Found((), (office.agency("police", "other"),))
    assert ask(make.officer, "Chen Me") == actions.Found((), ())


def test_a_buyer_looks_like_anyone_else_to_welfare(make, actor, office):
    make.suspect(name="Chen Mei")
    assert ask(actor("welfare_worker")) == actions.Found((), (office.agency("police"),))


def test_telephones_and_documents_are_searched_in_full(make, actor, office):
    stranger = actor("police_officer", "other")
    person = actions.enter_person(stranger, name="Chen Mei")
    actions.add_identifier(stranger, person, kind="phone", value="13800138000", source="card")
    use = actions.add_identifier(
        stranger, person, kind="identity_document", value="41010219800101123X", source="card"
    )
    other = office.agency("police", "other")
    assert ask(make.officer, "+86 138 0013 8000", PHONE).agencies == (other,)
    number = actions.SearchKind.IDENTITY_DOCUMENT
    assert ask(make.officer, "41010219800101123x", number).agencies == (other,)
    assert ask(make.officer, "13800138000", number).agencies == ()
    proposal = actions.propose_correction(stranger, f"use:{use.pk}", "misread")
    actions.confirm_correction(actor("police_officer", "other", number=2), proposal)
    assert ask(make.officer, "41010219800101123X", number).agencies == ()


@pytest.mark.parametrize(
    "role", sorted(set(Role) - set(PERMISSIONS["registry.search"].reach) - {Role.SYSTEM})
)
def test_other_roles_do_not_search(actor, role):
    with pytest.raises(NotAllowed):
        ask(actor(role))


@pytest.mark.parametrize("role", ["volunteer", "lab_analyst", "lab_signer"])
def test_volunteers_and_laboratories_are_among_them(role):
    assert role not in PERMISSIONS["registry.search"].reach


def test_a_search_is_written_down_without_the_name(make, actor):
    ask(make.officer)
    event = audit.AuditEvent.objects.get(act="registry.search")
    assert event.detail["purpose"] == "identification"
    assert event.detail["within"] == 0
    assert "Chen" not in str(event.detail)
    first = event.detail["key"]
    ask(make.officer, "chen  mei")
    assert audit.AuditEvent.objects.filter(detail__key=first).count() == 2


def test_searches_are_limited_per_login(make, actor, monkeypatch):
    span = search.LIMITS[0][0]
    monkeypatch.setattr(search, "LIMITS", ((span, 3),))
    for _ in range(3):
        ask(make.officer)
    for _ in range(2):
        with pytest.raises(actions.EntryRefused) as refused:
            ask(make.officer)
        assert codes(refused) == ["rate"]
    assert audit.AuditEvent.objects.filter(act="registry.search.refused").count() == 2
    ask(actor("police_officer", number=2))


def test_an_unknown_purpose_is_refused(make):
    with pytest.raises(ValueError, match="offender"):
        actions.search_people(make.officer, NAME, "Chen Mei", "offender search")
