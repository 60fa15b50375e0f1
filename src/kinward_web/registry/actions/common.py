"""What every action of the registry shares: refusals, texts, and who may write where."""

from __future__ import annotations

from collections.abc import Iterable

from django.utils.functional import Promise
from django.utils.translation import gettext as _

from kinward_web.accounts.api import Actor
from kinward_web.errors import NotAllowed, Refusal, TransitionRefused
from kinward_web.registry.models import Person
from kinward_web.registry.scope import people_for
from kinward_web.registry.signals import graph_changed
from kinward_web.rules.roles import reach_of

__all__ = [
    "EntryRefused",
    "announce",
    "refuse",
    "require_role",
    "required_text",
    "within_reach",
]

_LONGEST = 4_000


class EntryRefused(TransitionRefused):
    """An entry of the registry is refused; every reason is in `refusals`."""


def refuse(code: str, message: str | Promise, path: str | Promise) -> EntryRefused:
    """Return the exception for one reason and its legitimate path."""
    return EntryRefused([Refusal(code, message, path)])


def require_role(actor: Actor, act: str) -> None:
    """Raise `NotAllowed` unless the actor's role may do `act` at all."""
    if reach_of(actor.role, act) is None:
        raise NotAllowed(f"{actor.role} may not {act}")


def within_reach(actor: Actor, act: str, people: Iterable[Person]) -> None:
    """Raise `NotAllowed` unless every one of `people` is within the actor's reach for `act`."""
    keys = {person.pk for person in people}
    if people_for(actor, act).filter(pk__in=keys).count() != len(keys):
        raise NotAllowed(f"{actor.role} may not {act} here")


def required_text(key: str, label: str | Promise, text: str) -> str:
    """Return `text` without surrounding space.

    :raises EntryRefused: it is empty or longer than 4,000 characters.
    """
    cleaned = text.strip()
    if not cleaned:
        raise refuse(
            f"evidence:{key}",
            _("“%(item)s” is missing.") % {"item": label},
            _("Fill it in; “not known” is an answer when it is true."),
        )
    if len(cleaned) > _LONGEST:
        raise refuse(
            f"evidence:{key}",
            _("“%(item)s” is longer than %(n)d characters.") % {"item": label, "n": _LONGEST},
            _("Shorten it, or upload it as a document."),
        )
    return cleaned


def announce(*people_ids: int) -> None:
    """Tell the applications that guard custody that the links of these people have changed."""
    graph_changed.send(sender=Person, people_ids=list(dict.fromkeys(people_ids)))
