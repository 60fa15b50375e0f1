"""Documents and photographs: stored encrypted, read with a purpose, destroyed to a tombstone."""

from __future__ import annotations

import hashlib

from django.db import transaction
from django.utils.translation import gettext as _

from kinward_web.accounts.api import Actor
from kinward_web.audit import api as audit
from kinward_web.errors import NotAllowed
from kinward_web.fields import document_context
from kinward_web.keyring import decrypt_bytes, encrypt_bytes
from kinward_web.registry.actions.common import refuse, required_text, within_reach
from kinward_web.registry.actions.images import clean_content
from kinward_web.registry.models import Document, Person
from kinward_web.registry.scope import documents_for
from kinward_web.rules.roles import reach_of

__all__ = ["open_document", "store_document"]

_LONGEST_TITLE = 120


@transaction.atomic
def store_document(actor: Actor, person: Person, *, kind: str, title: str, data: bytes) -> Document:
    """Store a document of a person.

    :param data: the content as uploaded; its type is decided by what it is, not by a name.
    :raises NotAllowed: the person is out of the actor's reach, or a medical document is stored by
        a role that may not read it.
    :raises EntryRefused: no title, a title too long, or a content that `clean_content` refuses.
    """
    within_reach(actor, "document.write", [person])
    if kind == Document.Kind.MEDICAL and reach_of(actor.role, "medical.read") is None:
        raise NotAllowed("medical documents are stored by those who may read them")
    title = required_text("title", _("Title"), title)
    if len(title) > _LONGEST_TITLE:
        raise refuse(
            "evidence:title",
            _("The title is longer than %(n)d characters.") % {"n": _LONGEST_TITLE},
            _("Shorten it; write no names into it."),
        )
    content = clean_content(data)
    digest = hashlib.sha256(content.data).hexdigest()
    document = Document.objects.create(
        person=person,
        kind=kind,
        title=title,
        media_type=content.media_type,
        size=len(content.data),
        sha256=digest,
        metadata_removed=content.metadata_removed,
        content=encrypt_bytes(content.data, document_context(person.code, digest)),
        uploaded_by_id=actor.user_id,
    )
    audit.append(
        actor,
        "document.stored",
        f"person:{person.code}",
        {
            "document": document.pk,
            "kind": kind,
            "sha256": digest,
            "metadata_removed": content.metadata_removed,
        },
    )
    return document


def open_document(actor: Actor, pk: int, purpose: str) -> tuple[Document, bytes]:
    """Return a document with its content; the look is recorded.

    :param purpose: a key of `audit.api.PURPOSES`.
    :raises NotAllowed: there is none, it is out of reach, or it was destroyed; all look alike.
    :raises DecryptionError: the content was altered or its key is gone.
    """
    rows = documents_for(actor).filter(pk=pk, destroyed_at__isnull=True)
    document = rows.select_related("person").first()
    if document is None:
        raise NotAllowed("no such document for this role")
    context = document_context(document.person.code, document.sha256)
    content = decrypt_bytes(document.content, context)
    audit.record_read(actor, purpose, "document.read", f"document:{document.pk}")
    return document, content
