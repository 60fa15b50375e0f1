"""What the other applications may use of `accounts`."""

from __future__ import annotations

from kinward_web.accounts.actor import SYSTEM, Actor, Channel, actor_for
from kinward_web.accounts.models import Agency, User

__all__ = ["SYSTEM", "Actor", "Agency", "Channel", "User", "actor_for"]
