"""The rescue board: who sees whose children, a child just found, its band, and quiet refreshing."""

from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path
from uuid import uuid4

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone
from planner import World

from kinward_web import middleware
from kinward_web.audit.models import AuditEvent, ReadEvent
from kinward_web.casework.models import Case, OutboxReceipt, TransitionRecord
from kinward_web.qr import qr_svg
from kinward_web.registry.models import Operation, Person
from kinward_web.rules.roles import Role

POLICE, WELFARE, CLINICIAN = Role.POLICE_OFFICER, Role.WELFARE_WORKER, Role.CLINICIAN
SEES = {POLICE, WELFARE, CLINICIAN, Role.PANEL_MEMBER, Role.POLICE_ANALYST, Role.AUDITOR}


@pytest.fixture
def world(office):
    return World(office)


def board(name="board", code="OP-TEST"):
    return reverse(f"casework:{name}", args=[code])


def text(response) -> str:
    return " ".join(response.content.decode().split())


def form(**given):
    return {
        "client_id": str(uuid4()),
        "region": "Henan",
        "place": "the third courtyard",
        "happened_at": timezone.localtime().strftime("%Y-%m-%dT%H:%M"),
        "sex": "female",
    } | given


# ------------------------------------------------------------------------------ who sees what


@pytest.mark.parametrize("role", list(Role))
def test_each_role_sees_the_board_or_nothing(world, client_for, role):
    if role == Role.SYSTEM:
        return
    case = world.case_in("rescued")
    client = client_for(role)
    sees = role in SEES
    for url in (reverse("casework:boards"), board(), board("board_wall")):
        assert client.get(url).status_code == (200 if sees else 404), url
    if sees:
        assert case.code in text(client.get(board()))
        assert "OP-TEST" in text(client.get(reverse("casework:boards")))
    assert ("New child found" in text(client.get(board()))) == (role == POLICE)
    refused = client.post(board("board_found"), form())
    assert refused.status_code == (302 if role == POLICE else 404)


@pytest.mark.parametrize("role", [POLICE, WELFARE, CLINICIAN])
def test_another_agency_sees_neither_operation_nor_child(world, client_for, role):
    case = world.case_in("rescued")
    client = client_for(role, "other")
    assert "OP-TEST" not in text(client.get(reverse("casework:boards")))
    for url in (board(), board("board_wall"), reverse("casework:band", args=[case.code])):
        assert client.get(url).status_code == 404, url
    assert client.post(board("board_found"), form()).status_code == 404
    assert Case.objects.count() == 1


def test_a_visitor_is_asked_to_sign_in(world, client):
    for url in (reverse("casework:boards"), board(), board("board_wall")):
        assert "/sign-in/" in client.get(url)["Location"]


def test_a_sealed_operation_looks_like_none(world, client_for, office):
    sealed = Operation.objects.create(
        campaign=world.operation.campaign,
        code="OP-SEALED",
        name="Synthetic dawn",
        lead=office.agency("police"),
        starts_at=timezone.now() + timedelta(hours=5),
    )
    sealed.insiders.add(office.user(POLICE))
    client = client_for(POLICE)
    body = text(client.get(reverse("casework:boards")))
    assert "OP-SEALED" not in body
    assert "Synthetic dawn" not in body
    for url in (board(code="OP-SEALED"), board("board_wall", "OP-SEALED"), board(code="OP-NONE")):
        assert client.get(url).status_code == 404
    assert client.post(board("board_found", "OP-SEALED"), form()).status_code == 404
    assert not Case.objects.exists()


# ------------------------------------------------------------------------------ the wall


def test_a_card_says_where_the_child_is_and_what_time_is_left(world, client_for):
    case = world.open(sibling_group="S-7")
    body = text(client_for(POLICE).get(board()))
    record = TransitionRecord.objects.get(subject_id=case.pk, machine="case")
    for expected in (case.code, "Rescued", record.evidence["place"], "no bed yet", "S-7", " left"):
        assert expected in body, expected
    Case.objects.filter(pk=case.pk).update(due_at=timezone.now() - timedelta(hours=3))
    assert "overdue for 3" in text(client_for(POLICE).get(board()))
    world.act(case, "register", wristband="W-11")
    world.place_in_home(case)
    body = text(client_for(POLICE).get(board()))
    assert "Synthetic welfare" in body
    assert "no bed yet" not in body
    assert "W-11" in body


def test_only_a_child_in_public_care_lacks_a_bed(world, client_for):
    case = world.case_in("located")
    Case.objects.filter(pk=case.pk).update(operation=world.operation)
    body = text(client_for(POLICE).get(board()))
    assert case.code in body
    assert "no bed yet" not in body


def test_photographs_are_links_for_those_who_may_read_them(world, client_for, office):
    case = world.case_in("rescued")
    photograph = world.document(case.child, "photograph")
    medical = world.document(case.child, "medical")
    url = reverse("registry:document", args=[photograph.pk])
    body = text(client_for(POLICE).get(board()))
    assert f'href="{url}"' in body
    assert "<img" not in body
    assert reverse("registry:document", args=[medical.pk]) not in body
    photograph.destroyed_at = timezone.now()
    photograph.save()
    assert f'href="{url}"' not in text(client_for(POLICE).get(board()))


def test_the_filter_of_jurisdictions(world, client_for):
    here, there = world.case_in("rescued"), world.case_in("rescued")
    Case.objects.filter(pk=there.pk).update(region="Shanxi")
    client = client_for(POLICE)
    body = text(client.get(board(), {"region": "Shanxi"}))
    assert there.code in body
    assert here.code not in body
    # A jurisdiction in which nobody was found shows everyone rather than nobody.
    assert here.code in text(client.get(board(), {"region": "Nowhere"}))


def test_queries_do_not_grow_with_children(world, client_for):
    client = client_for(POLICE)

    def queries():
        with CaptureQueriesContext(
            connection,
        ) as captured:
            assert client.get(board("board_wall")).status_code == 200
        return len(captured)

    world.place_in_home(world.case_in("registered"))
    client.get(board())
    few = queries()
    for _ in range(4):
        world.place_in_home(world.case_in("registered"))
    assert queries() == few


def test_a_look_is_written_down_once_while_the_list_is_the_same(world, client_for):
    world.case_in("rescued")
    client = client_for(POLICE)
    seen = client.get(board()).context["seen"]
    assert ReadEvent.objects.filter(act="case.list").count() == 1
    client.get(board("board_wall"), {"seen": seen})
    assert ReadEvent.objects.filter(act="case.list").count() == 1
    world.case_in("rescued")
    client.get(board("board_wall"), {"seen": seen})
    assert ReadEvent.objects.filter(act="case.list").count() == 2


def test_a_board_left_open_does_not_keep_the_login_open(world, client_for, monkeypatch):
    client = client_for(POLICE)
    client.get(board())
    before = client.session["seen"]
    monkeypatch.setattr(middleware, "_MINUTE", -1)
    client.get(board("board_wall"), headers={"Kinward-Poll": "1"})
    assert client.session["seen"] == before
    client.get(board("board_wall"))
    assert client.session["seen"] > before


# ------------------------------------------------------------------------------ a child found


def test_a_child_is_entered_once_however_often_the_form_is_sent(world, client_for):
    client = client_for(POLICE)
    sent = form()
    first, second = (client.post(board("board_found"), sent) for _ in range(2))
    case = Case.objects.get()
    assert first["Location"] == second["Location"] == reverse("casework:band", args=[case.code])
    assert (case.state, case.operation.code, case.region) == ("rescued", "OP-TEST", "Henan")
    assert case.child.sex == "female"
    assert OutboxReceipt.objects.get().case == case
    assert TransitionRecord.objects.get().channel == "page"


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"region": ""}, "Jurisdiction"),
        ({"place": " "}, "Place"),
        ({"happened_at": "2999-01-01T00:00"}, "future"),
    ],
)
def test_what_is_wrong_is_said_and_nothing_is_kept(world, client_for, wrong, said):
    people = Person.objects.count()
    response = client_for(POLICE).post(board("board_found"), form(**wrong))
    assert response.status_code == 409
    assert said in text(response)
    assert not Case.objects.exists()
    assert not OutboxReceipt.objects.exists()
    assert Person.objects.count() == people


def test_a_refused_entry_stands_in_the_chain(world, client_for):
    client_for(POLICE).post(board("board_found"), form(happened_at="2999-01-01T00:00"))
    event = AuditEvent.objects.get(act="case.refused")
    assert event.detail["codes"] == ["evidence:happened_at"]


# ------------------------------------------------------------------------------ the band


def test_the_band_holds_the_code_and_nothing_else(world, client_for):
    case = world.open()
    body = client_for(POLICE).get(reverse("casework:band", args=[case.code])).content.decode()
    assert str(qr_svg(case.code, f"Code of the band: {case.code}")) in body
    assert str(qr_svg(case.code + "x", f"Code of the band: {case.code}")) not in body
    record = TransitionRecord.objects.get(subject_id=case.pk, machine="case")
    assert record.evidence["place"] not in body
    assert case.child.code not in body
    assert reverse("casework:step", args=[case.code, "register"]) in body
    assert reverse("casework:step", args=[case.code, "register"]) not in text(
        client_for(WELFARE).get(reverse("casework:band", args=[case.code]))
    )


# ------------------------------------------------------------------------------ the outbox


def test_signing_out_tells_the_browser_to_erase_what_it_keeps(world, client_for):
    client = client_for(POLICE)
    assert "Clear-Site-Data" not in client.get(reverse("account_logout"))
    assert client.post(reverse("account_logout"))["Clear-Site-Data"] == '"storage"'


def test_the_browser_knows_the_login_by_a_digest(world, client_for, office):
    def name(client):
        return client.get(board()).context["outbox_login"]

    one = name(client_for(POLICE))
    assert one == name(client_for(POLICE))
    assert one != name(client_for(POLICE, number=2))
    assert str(office.user(POLICE).pk) != one


def test_the_script_names_no_text_and_only_sentences_that_exist(world, client_for):
    source = Path(middleware.__file__).parent / "static" / "kinward" / "outbox.js"
    script = source.read_text()
    body = client_for(POLICE).get(board()).content.decode()
    for word in ("signed_out", "form", "not_allowed", "server", "offline", "sent", "refused"):
        assert f'"{word}"' in script
        assert f'data-key="{word}"' in body
    assert "eval" not in script
    assert "innerHTML" not in script
    assert json.dumps("/api/v1/sync") in script
