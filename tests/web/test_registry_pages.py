"""Every page of the registry as owner, other agency, wrong role and visitor, and what it shows."""

from __future__ import annotations

import re
from types import SimpleNamespace

import pytest
from agency_world import confirmed
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone
from registry_builder import Builder, picture
from test_shell import check_page

from kinward_web.audit.models import AuditEvent, ReadEvent
from kinward_web.casework.models import Case
from kinward_web.registry import actions, urls
from kinward_web.registry.models import (
    Campaign,
    Correction,
    Document,
    HouseholdMember,
    Operation,
    Person,
)
from kinward_web.registry.transfer import importing

pytestmark = pytest.mark.django_db

ALL = {"police_officer", "police_analyst", "clinician", "welfare_worker", "panel_member", "auditor"}
POLICE = {"police_officer", "police_analyst"}


@pytest.fixture
def make(actor):
    return Builder(actor)


@pytest.fixture
def world(make):
    """A child, its mother, a buyer, and everything that the pages show about them."""
    officer = make.officer
    campaign = make.campaign()
    operation = make.operation(campaign=campaign, sites=[])
    case = make.rescued(operation, name="Child Li")
    mother = actions.enter_person(officer, name="Mother Wang", region="Henan")
    buyer = make.suspect(name="Buyer Zhao", operation=operation)
    link = actions.enter_link(officer, mother, case.child, "parent", "her own word")
    actions.enter_link(officer, buyer, mother, "payment", "a receipt")
    member = actions.join_household(officer, mother, None, adult=True, address="3 Mill Lane")
    use = actions.add_identifier(
        officer, mother, kind="phone", value="13800138000", source="her own word"
    )
    actions.add_identifier(officer, buyer, kind="phone", value="13800138000", source="card")
    document = actions.store_document(
        officer, case.child, kind="photograph", title="front", data=picture()
    )
    upload = importing.stage_import(officer, "t.csv", b"step\nlocate\n", "children")
    correction = actions.propose_correction(officer, link.record, "wrong village")
    return SimpleNamespace(
        campaign=campaign,
        operation=operation,
        case=case,
        mother=mother,
        buyer=buyer,
        link=link,
        member=member,
        use=use,
        document=document,
        upload=upload,
        correction=correction,
        involvement=buyer.involvements.get(),
    )


def addresses(world):
    """Return every address of the registry with the roles of the own agencies that see it."""
    code = {"code": world.mother.code}
    pages = {
        "campaigns": ({}, ALL),
        "new_campaign": ({}, {"police_officer"}),
        "campaign": ({"pk": world.campaign.pk}, ALL),
        "edit_campaign": ({"pk": world.campaign.pk}, {"police_officer"}),
        "operations": ({}, ALL),
        "new_operation": ({}, {"police_officer"}),
        "operation": (
            {"code": world.operation.code},
            {*POLICE, "panel_member", "auditor"},
        ),
        "edit_operation": ({"code": world.operation.code}, {"police_officer"}),
        "people": ({}, {*ALL, "family_liaison", "foreign_authority"}),
        "new_person": ({}, {*POLICE, "welfare_worker"}),
        "new_suspect": ({}, POLICE),
        "search": (
            {},
            {*POLICE, "clinician", "welfare_worker", "panel_member", "family_liaison"},
        ),
        "person": (code, {*POLICE, "panel_member", "auditor"}),
        "edit_person": (code, POLICE),
        "verify": (code, POLICE),
        "add_involvement": (code, POLICE),
        "add_link": (code, POLICE),
        "add_member": (code, POLICE),
        "add_identifier": (code, POLICE),
        "add_document": (code, {*POLICE, "panel_member"}),
        "correct": (code | {"record": world.link.record}, POLICE),
        "change_standing": ({"pk": world.involvement.pk}, POLICE),
        "move_out": ({"pk": world.member.pk}, POLICE),
        "document": ({"pk": world.document.pk}, {*POLICE, "panel_member", "auditor"}),
        "imports": ({}, {*POLICE, "welfare_worker"}),
        "import": ({"pk": world.upload.pk}, {"police_officer"}),
        "rejected": ({"pk": world.upload.pk}, {"police_officer"}),
        "template": ({"table": "links", "form": "csv"}, {*POLICE, "welfare_worker"}),
        "exports": ({}, {"police_analyst", "welfare_worker", "auditor"}),
    }
    return {
        name: (reverse(f"registry:{name}", kwargs=keys), see) for name, (keys, see) in pages.items()
    }


SENT = {"settle_correction", "settle_import", "export"}
"""Addresses that only take what is sent to them."""
OTHERS_TOO = {
    "campaigns",
    "new_campaign",
    "campaign",
    "edit_campaign",
    "operations",
    "new_operation",
    "people",
    "new_person",
    "new_suspect",
    "search",
    "imports",
    "template",
    "exports",
}
"""Pages that belong to no record of an agency, or to a campaign, which no agency owns."""
ROLES = sorted(
    {
        *ALL,
        "family_liaison",
        "foreign_authority",
        "volunteer",
        "lab_analyst",
        "lab_signer",
        "administrator",
    }
)


def test_every_address_is_tested(world):
    assert {row.name for row in urls.urlpatterns} == set(addresses(world)) | SENT


@pytest.mark.parametrize("role", ROLES)
def test_each_role_sees_its_pages_and_no_other(world, client_for, role):
    client = client_for(role)
    for name, (path, roles) in addresses(world).items():
        response = client.get(path)
        expected = {200, 302} if role in roles else {404}
        assert response.status_code in expected, name
        check_page(response)


@pytest.mark.parametrize("role", ["police_officer", "welfare_worker", "clinician", "panel_member"])
def test_another_agency_finds_no_record(world, client_for, role):
    client = client_for(role, "other")
    for name, (path, _roles) in addresses(world).items():
        if name not in OTHERS_TOO:
            assert client.get(path).status_code == 404, name


def test_visitors_are_sent_to_sign_in(world):
    for name, (path, _roles) in addresses(world).items():
        response = Client().get(path)
        assert response.status_code == 302, name
        assert response["Location"].startswith("/sign-in/"), name
    for path in (
        reverse("registry:settle_correction", args=[world.correction.pk, "confirm"]),
        reverse("registry:settle_import", args=[world.upload.pk, "all"]),
        reverse("registry:export", args=["children", "csv"]),
    ):
        assert Client().post(path)["Location"].startswith("/sign-in/")


@pytest.mark.parametrize("role", ROLES)
def test_what_is_sent_by_a_wrong_role_changes_nothing(world, client_for, role):
    own = {"police_officer", "police_analyst"}
    if role in own:
        return
    client = client_for(role)
    before = (Person.objects.count(), Operation.objects.count(), Campaign.objects.count())
    code = {"code": world.mother.code}
    posts = {
        reverse("registry:edit_person", kwargs=code): {"name": "X", "sex": "male"},
        reverse("registry:add_identifier", kwargs=code): {
            "kind": "phone",
            "value": "1",
            "source": "x",
        },
        reverse("registry:new_campaign"): {"name": "X", "country": "CN"},
        reverse("registry:new_suspect"): {"part": "buyer", "standing": "alleged", "source": "x"},
        reverse("registry:settle_correction", args=[world.correction.pk, "confirm"]): {},
        reverse("registry:settle_import", args=[world.upload.pk, "clean"]): {},
    }
    for path, data in posts.items():
        assert client.post(path, data).status_code == 404, path
    after = (Person.objects.count(), Operation.objects.count(), Campaign.objects.count())
    assert before == after
    world.link.refresh_from_db()
    assert world.link.retracted_at is None


# ------------------------------------------------------------------------------ what they show


def test_a_person_page_shows_what_joins_the_person_and_records_the_look(world, client_for):
    html = (
        client_for("police_officer")
        .get(reverse("registry:person", args=[world.mother.code]))
        .content.decode()
    )
    for text in (
        "Mother Wang",
        "Child Li",
        "Buyer Zhao",
        "a receipt",
        "3 Mill Lane",
        "13800138000",
    ):
        assert text in html
    assert "A correction waits for a second person" in html
    assert "The identity is not verified" in html
    assert ReadEvent.objects.filter(subject=f"person:{world.mother.code}").exists()
    html = (
        client_for("police_officer")
        .get(reverse("registry:person", args=[world.buyer.code]))
        .content.decode()
    )
    assert "Bars custody absolutely" in html


def test_the_panel_sees_the_mother_but_nothing_of_the_investigation(world, client_for):
    html = (
        client_for("panel_member")
        .get(reverse("registry:person", args=[world.mother.code]))
        .content.decode()
    )
    assert "Child Li" in html
    for text in ("Buyer Zhao", "a receipt", "Part in investigations"):
        assert text not in html


def test_a_sealed_operation_is_on_no_page_of_an_outsider(make, client_for, office, world):
    operation = make.operation(+5, campaign=world.campaign)
    Operation.objects.filter(pk=operation.pk).update(name="Quiet Dawn")
    make.suspect(name="Sealed Sun", operation=operation, sealed=True, region="Henan")
    colleague = client_for("police_officer", number=2)
    for client in (colleague, client_for("police_analyst"), client_for("auditor")):
        pages = [path for path, _roles in addresses(world).values()]
        for path in pages:
            html = client.get(path).content
            for secret in (operation.code.encode(), b"Quiet Dawn", b"Sealed Sun"):
                assert secret not in html, path
        assert client.get(reverse("registry:operation", args=[operation.code])).status_code == 404
    page = client_for("police_officer").get(reverse("registry:operation", args=[operation.code]))
    assert b"Quiet Dawn" in page.content


def test_a_document_is_served_with_care(world, client_for):
    response = client_for("police_officer").get(
        reverse("registry:document", args=[world.document.pk])
    )
    assert response["Content-Type"] == "image/jpeg"
    name = f"photograph-{world.document.pk}.jpeg"
    assert response["Content-Disposition"] == f'inline; filename="{name}"'
    assert response["X-Content-Type-Options"] == "nosniff"
    assert "no-store" in response["Cache-Control"]
    assert ReadEvent.objects.filter(subject=f"document:{world.document.pk}").exists()


# ------------------------------------------------------------------------------ entry


def test_errors_are_summed_up_with_links_to_the_fields(world, client_for):
    client = client_for("police_officer")
    response = client.post(
        reverse("registry:add_link", args=[world.mother.code]),
        {"said": "kin", "other": "NOBODY", "source": "x"},
    )
    assert response.status_code == 422
    html = response.content.decode()
    assert "error-summary" in html
    assert 'href="#id_other"' in html
    assert "Nobody within your reach has this code." in html


def test_a_link_is_entered_from_either_side(world, client_for, make):
    client = client_for("police_officer")
    child = make.rescued(world.operation).child
    response = client.post(
        reverse("registry:add_link", args=[child.code]),
        {"said": "child_of", "other": world.mother.code, "source": "x"},
    )
    assert response.status_code == 302
    link = child.links_to.get()
    assert (link.first, link.kind) == (world.mother, "parent")


def test_a_photograph_is_uploaded_and_a_script_is_not(world, client_for):
    client = client_for("police_officer")
    path = reverse("registry:add_document", args=[world.case.child.code])
    for name, data, status in (
        ("evil.jpg", b"<html><script>alert(1)</script>", 422),
        ("photo.html", picture(), 302),
    ):
        file = SimpleUploadedFile(name, data)
        response = client.post(path, {"kind": "photograph", "title": "x", "content": file})
        assert response.status_code == status
    assert Document.objects.count() == 2


def test_an_operation_is_planned_with_sites_and_insiders(make, client_for, office):
    campaign = make.campaign()
    hospital = office.agency("hospital")
    data = {
        "campaign": campaign.pk,
        "name": "Quiet Dawn",
        "starts_at": "2099-07-15T04:30",
        "agencies": [hospital.pk],
        "colleagues": [],
        "others": office.user("clinician").email,
        "sites-TOTAL_FORMS": "2",
        "sites-INITIAL_FORMS": "0",
        "sites-0-region": "Henan",
        "sites-0-address": "3 Mill Lane",
        "sites-0-agency": office.agency("police").pk,
        "sites-1-region": "Hebei",
    }
    client = client_for("police_officer")
    response = client.post(reverse("registry:new_operation"), data)
    assert response.status_code == 422
    assert not Operation.objects.exists()
    data["sites-1-agency"] = office.agency("police", "other").pk
    assert client.post(reverse("registry:new_operation"), data).status_code == 302
    operation = Operation.objects.get()
    assert operation.sites.count() == 2
    insiders = {office.user("police_officer").pk, office.user("clinician").pk}
    assert set(operation.insiders.values_list("pk", flat=True)) == insiders
    page = client.get(reverse("registry:edit_operation", args=[operation.code]))
    assert b"3 Mill Lane" in page.content
    data["others"] = "nobody@example.org"
    response = client.post(reverse("registry:edit_operation", args=[operation.code]), data)
    assert b"Nobody is appointed under nobody@example.org" in response.content


def test_a_correction_needs_another_person(world, client_for):
    path = reverse("registry:settle_correction", args=[world.correction.pk, "confirm"])
    response = client_for("police_officer").post(path)
    assert response.status_code == 422
    assert b"You proposed this correction yourself." in response.content
    assert client_for("police_officer", number=2).post(path).status_code == 302
    world.link.refresh_from_db()
    assert world.link.retracted_at


def test_a_search_shows_the_agency_and_nothing_else(world, client_for, office):
    police = office.agency("police")
    confirmed(police, phone="0371-110110")
    response = client_for("welfare_worker", "other").post(
        reverse("registry:search"),
        {"kind": "name", "text": "buyer zhao", "purpose": "placement"},
    )
    html = response.content.decode()
    assert f"Possible match, contact {police.name} (0371-110110)." in html
    assert world.buyer.code not in html
    assert "buyer" not in html.replace("buyer zhao", "").lower()


# ------------------------------------------------------------------------------ import, export


def test_the_pages_import_after_a_dry_run(client_for, make):
    client = client_for("police_officer")
    text = "step,region,source,place,with_whom\nlocate,Henan,a,b,c\nlocate,Henan,a,b,\n"
    file = SimpleUploadedFile("t.csv", text.encode())
    response = client.post(reverse("registry:imports"), {"table": "children", "content": file})
    assert response.status_code == 302
    assert not Case.objects.exists()
    html = client.get(response["Location"]).content.decode()
    assert re.search(r"row 3</th><td><code>with_whom</code>", html)
    pk = int(response["Location"].rstrip("/").rpartition("/")[2])
    assert client.post(reverse("registry:settle_import", args=[pk, "all"])).status_code == 422
    assert not Case.objects.exists()
    client.post(reverse("registry:settle_import", args=[pk, "clean"]))
    assert Case.objects.count() == 1
    assert client.get(reverse("registry:rejected", args=[pk])).status_code == 200
    assert client.post(reverse("registry:settle_import", args=[pk, "x"])).status_code == 404
    client.post(reverse("registry:settle_import", args=[pk, "discard"]))
    assert client.get(response["Location"]).status_code == 404


def test_an_export_is_sent_for_and_written_down(world, client_for):
    path = reverse("registry:export", args=["children", "csv"])
    client = client_for("police_analyst")
    assert client.get(path).status_code == 405
    response = client.post(path)
    assert response["Content-Disposition"].startswith("attachment")
    assert world.case.code in response.content.decode("utf-8-sig")
    assert AuditEvent.objects.filter(act="export.children").exists()
    for role in ("police_officer", "volunteer", "lab_signer"):
        assert client_for(role).post(path).status_code == 404
    suspects = reverse("registry:export", args=["suspects", "csv"])
    assert client_for("welfare_worker").post(suspects).status_code == 404


# ------------------------------------------------------------------------------ queries


def grow(make, operation, count):
    """Make many people around one mother, cheaply."""
    officer = make.officer
    mother = Person.objects.filter(name_index=actions.people.name_index("Many")).first()
    mother = mother or actions.enter_person(officer, name="Many", region="Henan")
    for _ in range(count):
        person = Person.objects.create(entered_by_id=officer.agency_id, region="Henan")
        mother.links_from.create(
            second=person, kind="kin", source="x", entered_by_id=officer.agency_id
        )
        person.involvements.create(
            operation=operation, part="buyer", source="x", entered_by_id=officer.agency_id
        )
        Operation.objects.create(
            campaign=operation.campaign,
            code=f"OP-{person.code}",
            name="x",
            lead_id=officer.agency_id,
            starts_at=timezone.now(),
        )
        actions.add_identifier(officer, mother, kind="vehicle", value=person.code, source="x")
    return mother


def test_lists_and_details_ask_as_often_for_200_rows_as_for_10(make, client_for):
    operation = make.operation()
    client = client_for("police_officer")
    counts = []
    for more in (10, 190):
        mother = grow(make, operation, more)
        paths = [
            reverse("registry:people"),
            reverse("registry:people") + "?show=accused",
            reverse("registry:person", args=[mother.code]),
            reverse("registry:operations"),
            reverse("registry:operation", args=[operation.code]),
            reverse("registry:campaign", args=[operation.campaign_id]),
        ]
        found = []
        for path in paths:
            # The first look at a page may also seal reads that wait.
            client.get(path)
            with CaptureQueriesContext(connection) as queries:
                assert client.get(path).status_code == 200
            found.append((path.replace(mother.code, "X"), len(queries)))
        counts.append(found)
    assert counts[0] == counts[1]
    assert max(number for _path, number in counts[0]) < 40
    page = client.get(reverse("registry:people"))
    assert len(page.context["page"].object_list) == 50
    assert HouseholdMember.objects.count() == Correction.objects.count() == 0
