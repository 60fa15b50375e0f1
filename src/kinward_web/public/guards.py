"""The guards that the table of notices names."""

from __future__ import annotations

from datetime import timedelta

from django.conf import settings
from django.utils import timezone
from django.utils.translation import gettext as _

from kinward_web.casework.api import Context, Guard
from kinward_web.errors import Refusal
from kinward_web.rules.case import SEARCHED
from kinward_web.rules.policy import load_policy

__all__ = ["PUBLICATION_GUARDS"]


def _not_the_author(context: Context) -> list[Refusal]:
    if context.actor.user_id != context.subject.author_id:
        return []
    return [
        Refusal(
            "author",
            _("Nobody approves a text of his own."),
            _("Ask a police officer or welfare worker who did not write it."),
        )
    ]


def _text_present(context: Context) -> list[Refusal]:
    notice = context.subject
    if notice.title.strip() and notice.text.strip() and notice.contact.strip():
        return []
    return [
        Refusal(
            "text_missing",
            _("The notice lacks its title, its text or whom to tell."),
            _("Complete the draft first."),
        )
    ]


def _family_not_found(context: Context) -> list[Refusal]:
    if context.case is not None and context.case.state in SEARCHED:
        return []
    return [
        Refusal(
            "not_searched",
            _("The family of this child is not looked for now."),
            _("Discard the notice; if the search goes on later, draft it again."),
        )
    ]


def _end_in_future(context: Context) -> list[Refusal]:
    today = timezone.localdate(context.moment)
    days = load_policy(settings.COUNTRY).number("notice_days")
    if today < context.subject.ends_on <= today + timedelta(days=days):
        return []
    return [
        Refusal(
            "end_of_notice",
            _("The end of the notice lies in the past, or more than %(n)d days ahead.")
            % {"n": days},
            _("Return it to draft and correct the day."),
        )
    ]


PUBLICATION_GUARDS: dict[str, Guard] = {
    "not_the_author": _not_the_author,
    "text_present": _text_present,
    "family_not_found": _family_not_found,
    "end_in_future": _end_in_future,
}
