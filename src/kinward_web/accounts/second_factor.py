"""Whether the second factor of whoever acts is fresh enough for a signature."""

from __future__ import annotations

from datetime import datetime, timedelta

from django.conf import settings
from django.utils.translation import gettext as _

from kinward_web.accounts.actor import Actor
from kinward_web.errors import Refusal
from kinward_web.rules.policy import load_policy
from kinward_web.rules.roles import Role

__all__ = ["second_factor_refusals"]


def second_factor_refusals(actor: Actor, moment: datetime) -> list[Refusal]:
    """Return a refusal unless the actor gave the second factor within the policy's minutes."""
    if actor.role == Role.SYSTEM:
        return []
    minutes = load_policy(settings.COUNTRY).number("second_factor_minutes")
    given = actor.second_factor_at
    if given is not None and timedelta(0) <= moment - given <= timedelta(minutes=minutes):
        return []
    return [
        Refusal(
            "second_factor",
            _("A signature needs your second factor, given within the last %(n)d minutes.")
            % {"n": minutes},
            _("Give it on the page “Second factor”; you come back here."),
        )
    ]
