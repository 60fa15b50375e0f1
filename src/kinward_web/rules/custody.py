"""What bars a household, an escort or a payer from receiving a child, as data.

`casework/custody.py` computes it for people to read, `casework/constraints.py` makes SQL of it for
the database to refuse by; a test lets both judge the same graphs.
"""

from __future__ import annotations

from enum import StrEnum

__all__ = ["BARRING_PARTS", "LIFTING_STANDING", "VERIFIED", "Bar"]

BARRING_PARTS = ("suspect", "buyer", "broker")
"""Parts that bar absolutely, whatever the standing but the one below."""
LIFTING_STANDING = "mistaken"
"""The one standing that lifts a bar: the identity was mistaken, and was corrected."""
VERIFIED = "verified"
"""How well the identity of everyone screened must be known."""


class Bar(StrEnum):
    """Why someone is refused."""

    INVOLVED = "involved"
    """Is a suspect, buyer or broker; nobody can clear that."""
    LINKED = "linked"
    """Is linked within two steps to one; each link can be cleared by police and welfare."""
    UNVERIFIED = "unverified"
    """Nobody has verified who the person is."""
    EMPTY = "empty"
    """No adult is known to live in the household."""
