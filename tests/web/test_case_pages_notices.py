"""Notices: two approvals of one very text, and how they come down."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.core.management import call_command
from django.urls import reverse
from django.utils import timezone
from planner import World

from kinward_web.casework import engine
from kinward_web.errors import TransitionRefused
from kinward_web.public.actions import edit_notice
from kinward_web.public.models import Publication
from kinward_web.rules.roles import Role

POLICE, WELFARE, LIAISON = Role.POLICE_OFFICER, Role.WELFARE_WORKER, Role.FAMILY_LIAISON
LIST = "/notices/"


@pytest.fixture
def world(office):
    return World(office)


def text(response) -> str:
    return " ".join(response.content.decode().split())


def codes(refused) -> set[str]:
    return {refusal.code for refusal in refused.value.refusals}


def test_from_draft_to_the_public_page(world, client_for, client):
    case = world.case_in("registered")
    data = {
        "title": "Who knows this girl?",
        "text": "Found in July",
        "contact": "110",
        "ends_on": (timezone.localdate() + timedelta(days=20)).isoformat(),
        "photograph": case.child.documents.get(kind="photograph").pk,
    }
    draft = reverse("public:draft", args=[case.code])
    assert client_for(WELFARE).get(draft).status_code == 404
    response = client_for(LIAISON).post(draft, data)
    notice = Publication.objects.get()
    page = reverse("public:notice", args=[notice.pk])
    assert response["Location"] == page
    assert "Who knows this girl?" not in text(client.get(LIST))
    consent = case.child.documents.get(kind="consent").pk
    approve = reverse("public:step", args=[notice.pk, "approve"])
    assert client_for(WELFARE).post(approve, {"seen": 1, "consent": consent}).status_code == 302
    assert page in text(client_for(POLICE).get(reverse("casework:today")))
    assert client_for(POLICE).post(page, {"sign": "1"}).status_code == 302
    publish = reverse("public:step", args=[notice.pk, "publish"])
    assert client_for(LIAISON).post(publish, {"seen": 2}).status_code == 302
    body = text(client.get(LIST))
    assert "Who knows this girl?" in body
    assert case.code not in body
    assert "<img" not in body


def test_without_consent_nothing_is_approved(world):
    notice = world.notice_in("draft")
    with pytest.raises(TransitionRefused) as refused:
        engine.transition(world.actor(WELFARE), notice, "approve", {})
    assert codes(refused) == {"evidence:consent"}


def test_the_author_neither_approves_nor_cosigns(world, office):
    notice = world.notice_in("draft")
    Publication.objects.filter(pk=notice.pk).update(author=office.user(POLICE))
    notice.refresh_from_db()
    rule = engine.binding_of(notice).machine.rule("approve")
    police, welfare = world.actor(POLICE), world.actor(WELFARE)
    evidence = world.evidence(rule, notice.case, police, timezone.now())
    with pytest.raises(TransitionRefused) as refused:
        engine.transition(police, notice, "approve", evidence)
    assert codes(refused) == {"author"}
    proposal = engine.transition(welfare, notice, "approve", evidence)
    with pytest.raises(TransitionRefused) as refused:
        engine.sign(police, proposal)
    assert codes(refused) == {"author"}


def test_a_changed_text_voids_the_signature(world):
    notice = world.notice_in("draft")
    welfare = world.actor(WELFARE)
    rule = engine.binding_of(notice).machine.rule("approve")
    evidence = world.evidence(rule, notice.case, welfare, timezone.now())
    proposal = engine.transition(welfare, notice, "approve", evidence)
    edit_notice(
        world.actor(LIAISON),
        notice,
        title="Another title",
        text=notice.text,
        contact=notice.contact,
        ends_on=notice.ends_on,
        photograph=None,
    )
    with pytest.raises(TransitionRefused) as refused:
        engine.sign(world.actor(POLICE), proposal)
    assert codes(refused) == {"altered"}


def test_a_found_family_takes_the_notice_down_at_once(world, client):
    notice = world.notice_in("published")
    case = notice.case
    world.act(case, "clear_medically")
    world._for_placed(case, timezone.now())
    for name in ("receive_into_care", "start_tracing"):
        world.act(case, name)
    assert "Synthetic notice" in text(client.get(LIST))
    world.act(case, "find_family")
    notice.refresh_from_db()
    assert notice.state == "taken_down"
    assert "Synthetic notice" not in text(client.get(LIST))


def test_the_command_takes_down_what_is_over(world):
    over, running = world.notice_in("published"), world.notice_in("published")
    Publication.objects.filter(pk=over.pk).update(ends_on=timezone.localdate() - timedelta(days=1))
    call_command("expire_notices", verbosity=0)
    over.refresh_from_db()
    running.refresh_from_db()
    assert (over.state, running.state) == ("taken_down", "published")


def test_an_end_too_far_away_is_not_published(world):
    notice = world.notice_in("approved")
    Publication.objects.filter(pk=notice.pk).update(
        ends_on=timezone.localdate() + timedelta(days=400)
    )
    with pytest.raises(TransitionRefused) as refused:
        engine.transition(world.actor(LIAISON), notice, "publish", {})
    assert codes(refused) == {"end_of_notice"}


@pytest.mark.parametrize("role", [POLICE, WELFARE, LIAISON])
def test_another_agency_finds_no_notice(world, client_for, role):
    notice = world.notice_in("draft")
    client = client_for(role, "other")
    assert client.get(reverse("public:notice", args=[notice.pk])).status_code == 404
    assert "Synthetic notice" not in text(client.get(reverse("public:manage")))
