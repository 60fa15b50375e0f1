"""Drafting notices; everything after that is a transition."""

from __future__ import annotations

from datetime import date

from django.db import transaction
from django.db.models import QuerySet
from django.utils.translation import gettext as _

from kinward_web.accounts.api import Actor
from kinward_web.audit import api as audit
from kinward_web.casework import api as casework
from kinward_web.errors import NotAllowed, Refusal, TransitionRefused
from kinward_web.public.models import Publication
from kinward_web.registry import api as registry
from kinward_web.rules.publication import PUBLICATION

__all__ = ["draft_notice", "edit_notice", "get_notice", "may_draft", "notices_for"]


def may_draft(actor: Actor) -> bool:
    """Return whether the role drafts notices."""
    return actor.role in PUBLICATION.rule("draft").roles


def notices_for(actor: Actor) -> QuerySet[Publication]:
    """Return the notices about cases that `actor` may read."""
    cases = casework.cases_for(actor).values("pk")
    return (
        Publication.objects.filter(case__in=cases)
        .exclude(state="new")
        .select_related("case", "author__agency")
        .order_by("-pk")
    )


def get_notice(actor: Actor, pk: int) -> Publication:
    """Return a notice.

    :raises NotAllowed: there is none within reach.
    """
    found = notices_for(actor).filter(pk=pk).first()
    if found is None:
        raise NotAllowed("no such notice for this role")
    return found


@transaction.atomic
def draft_notice(
    actor: Actor,
    code: str,
    *,
    title: str,
    text: str,
    contact: str,
    ends_on: date,
    photograph: int | None,
) -> Publication:
    """Draft a notice about a child's case.

    :raises NotAllowed: the case is out of reach.
    :raises TransitionRefused: the role drafts none, or the photograph is none of this child.
    """
    case = casework.get_case(actor, code)
    notice = Publication(
        case=case,
        title=title,
        text=text,
        contact=contact,
        ends_on=ends_on,
        author_id=actor.user_id,
        photograph_id=_photograph(case, photograph),
    )
    notice.save()
    casework.transition(actor, notice, "draft", {})
    return notice


@transaction.atomic
def edit_notice(
    actor: Actor,
    notice: Publication,
    *,
    title: str,
    text: str,
    contact: str,
    ends_on: date,
    photograph: int | None,
) -> None:
    """Change a draft; signatures under the old text are void by that.

    :raises TransitionRefused: it is no draft any more, or the role writes none.
    """
    notice = Publication.objects.select_for_update().get(pk=notice.pk)
    if notice.state != "draft" or not may_draft(actor):
        raise TransitionRefused(
            [
                Refusal(
                    "not_draft",
                    _("Only a draft is changed, by those who write notices."),
                    _("Return it to draft first; it is then approved anew."),
                )
            ]
        )
    notice.title, notice.text, notice.contact, notice.ends_on = title, text, contact, ends_on
    notice.photograph_id = _photograph(notice.case, photograph)
    notice.save(update_fields=["title", "text", "contact", "ends_on", "photograph"])
    audit.append(actor, "publication.edited", f"publication:{notice.pk}")


def _photograph(case: object, pk: int | None) -> int | None:
    if pk is None or registry.document_kinds(case.child_id).get(pk) == "photograph":
        return pk
    raise TransitionRefused(
        [
            Refusal(
                "photograph",
                _("This is no photograph of the child."),
                _("Choose one from the list; consent is asked for at the approval."),
            )
        ]
    )
