"""Documents are stored without metadata, encrypted, read within reach, and destroyed by two."""

from __future__ import annotations

import io

import pytest
from django.db import connection
from PIL import Image
from PIL.PngImagePlugin import PngInfo
from registry_builder import Builder, codes, picture

from kinward_web.audit.models import ReadEvent
from kinward_web.casework.models import CaseParty
from kinward_web.errors import NotAllowed
from kinward_web.keyring import DecryptionError
from kinward_web.registry import actions
from kinward_web.registry.actions import images
from kinward_web.registry.models import Document

pytestmark = pytest.mark.django_db
PDF = b"%PDF-1.4\n1 0 obj << /Author (Wang Wu) >> endobj\n%%EOF"


@pytest.fixture
def make(actor):
    return Builder(actor)


@pytest.fixture
def child(make):
    return make.rescued(make.operation()).child


def store(actor, person, data, kind="photograph"):
    return actions.store_document(actor, person, kind=kind, title="front", data=data)


def with_traces(kind):
    """A picture that carries a place, a comment, a profile and a tail."""
    exif = Image.Exif()
    exif[0x010F] = "SECRET-CAMERA"
    exif[0x8825] = {1: "N", 2: (34.0, 45.0, 0.0)}
    options = {"exif": exif.tobytes(), "icc_profile": b"SECRET-PROFILE" * 20}
    if kind == "JPEG":
        options["comment"] = b"SECRET-COMMENT"
    if kind == "PNG":
        text = PngInfo()
        text.add_text("Author", "SECRET-AUTHOR")
        options["pnginfo"] = text
    return picture(kind, **options) + b"SECRET-TAIL"


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP"])
def test_a_picture_keeps_nothing_but_its_pixels(make, child, kind):
    data = with_traces(kind)
    assert data.count(b"SECRET") >= 2
    document = store(make.officer, child, data)
    assert document.media_type == f"image/{kind.lower()}"
    assert document.metadata_removed
    _document, content = actions.open_document(make.officer, document.pk, "rescue")
    assert b"SECRET" not in content
    with Image.open(io.BytesIO(content)) as stored:
        assert stored.size == (40, 30)
        assert not stored.getexif()
        assert not {"icc_profile", "comment", "Author"} & set(stored.info)


def test_a_picture_is_turned_upright_before_its_orientation_is_lost(make, child):
    exif = Image.Exif()
    exif[0x0112] = 6
    document = store(make.officer, child, picture("JPEG", (40, 30), exif=exif.tobytes()))
    _document, content = actions.open_document(make.officer, document.pk, "rescue")
    with Image.open(io.BytesIO(content)) as stored:
        assert stored.size == (30, 40)


def test_a_pdf_says_that_its_metadata_remain(make, child):
    document = store(make.officer, child, PDF, kind="court")
    assert document.media_type == "application/pdf"
    assert not document.metadata_removed


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"<svg xmlns='http://www.w3.org/2000/svg' onload='alert(1)'/>",
        b"<html><script>alert(1)</script>",
        b"MZ\x90\x00",
        picture("GIF"),
        picture("JPEG")[:200],
        picture("PNG")[:60],
    ],
)
def test_what_is_neither_picture_nor_pdf_is_refused(make, child, data):
    with pytest.raises(actions.EntryRefused) as refused:
        store(make.officer, child, data)
    assert codes(refused) == ["evidence:content"]
    assert not Document.objects.exists()


def test_a_picture_too_large_is_refused(make, child, monkeypatch):
    monkeypatch.setattr(images, "MAX_PIXELS", 40 * 30 - 1)
    with pytest.raises(actions.EntryRefused):
        store(make.officer, child, picture())
    monkeypatch.setattr(images, "MAX_PIXELS", 40 * 30)
    store(make.officer, child, picture())
    monkeypatch.setattr(images, "MAX_BYTES", 100)
    with pytest.raises(actions.EntryRefused):
        store(make.officer, child, picture())


def test_a_bomb_is_refused_before_it_unpacks(make, child):
    bomb = io.BytesIO()
    Image.new("1", (12_000, 12_000)).save(bomb, format="PNG")
    assert len(bomb.getvalue()) < images.MAX_BYTES
    with pytest.raises(actions.EntryRefused) as refused:
        store(make.officer, child, bomb.getvalue())
    assert codes(refused) == ["evidence:content"]


def test_content_is_encrypted_and_bound_to_the_person(make, child):
    document = store(make.officer, child, PDF, kind="court")
    with connection.cursor() as cursor:
        cursor.execute("SELECT content FROM registry_document")
        assert b"Wang Wu" not in bytes(cursor.fetchone()[0])
    someone = actions.enter_person(make.officer)
    Document.objects.filter(pk=document.pk).update(person=someone)
    with pytest.raises(DecryptionError):
        actions.open_document(make.officer, document.pk, "rescue")


def test_a_look_is_recorded_and_strangers_get_none(make, child, actor):
    document = store(make.officer, child, picture())
    actions.open_document(make.officer, document.pk, "rescue")
    assert ReadEvent.objects.filter(
        subject=f"document:{document.pk}", purpose="rescue", actor=make.officer.user_id
    ).exists()
    for stranger in (
        actor("police_officer", "other"),
        actor("welfare_worker"),
        actor("volunteer"),
        actor("lab_signer"),
        actor("administrator"),
    ):
        with pytest.raises(NotAllowed):
            actions.open_document(stranger, document.pk, "rescue")


def test_medical_documents_are_for_those_who_read_medical_records(make, child, actor):
    clinician = actor("clinician")
    CaseParty.objects.create(case=child.case, agency_id=clinician.agency_id)
    document = store(clinician, child, PDF, kind="medical")
    actions.open_document(clinician, document.pk, "care")
    with pytest.raises(NotAllowed):
        actions.open_document(make.officer, document.pk, "care")
    with pytest.raises(NotAllowed):
        store(make.officer, child, PDF, kind="medical")


def test_a_document_is_destroyed_by_two_and_leaves_a_tombstone(make, child, actor):
    document = store(make.officer, child, picture())
    digest = document.sha256
    proposal = actions.propose_correction(make.officer, f"document:{document.pk}", "other child")
    with pytest.raises(actions.EntryRefused):
        actions.confirm_correction(make.officer, proposal)
    actions.confirm_correction(actor("police_officer", number=2), proposal)
    document.refresh_from_db()
    assert bytes(document.content) == b""
    assert document.title == ""
    assert document.destroyed_at
    assert document.sha256 == digest
    with pytest.raises(NotAllowed):
        actions.open_document(make.officer, document.pk, "rescue")
