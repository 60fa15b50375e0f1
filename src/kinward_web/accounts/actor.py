"""Who acts: a login seen through its role, agency and second factor, and through which door."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from kinward_web.accounts.models import User
from kinward_web.rules.roles import AgencyKind, Role

__all__ = ["SYSTEM", "Actor", "Channel", "actor_for"]


class Channel(StrEnum):
    """The door through which an act comes."""

    PAGE = "page"
    API = "api"
    IMPORT = "import"
    SYNC = "sync"
    COMMAND = "command"
    SYSTEM = "system"


@dataclass(frozen=True, slots=True)
class Actor:
    """A person who acts. Every action takes one; none is made without a login but SYSTEM."""

    user_id: int | None
    name: str
    role: Role
    agency_id: int | None
    agency_kind: AgencyKind | None
    region: str
    country: str
    channel: Channel
    second_factor_at: datetime | None = None
    """When the second factor was last given in this session; None if never."""


SYSTEM = Actor(None, "Kinward", Role.SYSTEM, None, None, "", "", Channel.SYSTEM)


def actor_for(
    user: User, channel: Channel = Channel.PAGE, second_factor_at: datetime | None = None
) -> Actor:
    """Return the actor that `user` is.

    :raises ValueError: the appointment of `user` has ended.
    """
    if not user.is_active:
        raise ValueError("the appointment has ended")
    return Actor(
        user_id=user.pk,
        name=user.full_name,
        role=Role(user.role),
        agency_id=user.agency_id,
        agency_kind=AgencyKind(user.agency.kind),
        region=user.agency.region,
        country=user.agency.country,
        channel=channel,
        second_factor_at=second_factor_at,
    )
