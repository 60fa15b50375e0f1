"""Limits on guessing short secrets, such as the PIN of a family."""

from __future__ import annotations

from allauth.core import ratelimit
from django.http import HttpRequest

__all__ = ["attempt_allowed", "forget_attempts"]


def attempt_allowed(request: HttpRequest, key: str) -> bool:
    """Count one attempt on the secret of `key`, for instance a case number.

    Return False when this address or anyone at this key has tried too often (`pin` of
    `ACCOUNT_RATE_LIMITS`); then refuse without looking at the secret, with
    `error_pages.too_many(request)`.
    """
    return bool(ratelimit.consume(request, action="pin", key=key))


def forget_attempts(request: HttpRequest, key: str) -> None:
    """Forget the attempts on `key`, after a right secret."""
    ratelimit.clear(request, action="pin", key=key)
