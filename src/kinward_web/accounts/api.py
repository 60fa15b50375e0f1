"""What the other applications may use of `accounts`."""

from __future__ import annotations

from kinward_web.accounts.actor import SYSTEM, Actor, Channel, actor_for
from kinward_web.accounts.models import Agency, User
from kinward_web.accounts.second_factor import second_factor_refusals

__all__ = [
    "SYSTEM",
    "Actor",
    "Agency",
    "Channel",
    "User",
    "actor_for",
    "second_factor_refusals",
]
