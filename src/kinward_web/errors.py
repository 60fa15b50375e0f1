"""The exceptions of the web application, in the one tree of Kinward."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from django.utils.functional import Promise

from kinward.errors import KinwardError

__all__ = ["NotAllowed", "Refusal", "TransitionRefused", "WebError"]


class WebError(KinwardError):
    """Base class of every error that the web application raises on purpose."""


class NotAllowed(WebError):
    """The actor's role does not reach so far; pages answer as if the record did not exist."""


@dataclass(frozen=True, slots=True)
class Refusal:
    """One reason why a step is refused, and the legitimate path beside it."""

    code: str
    message: str | Promise
    path: str | Promise

    def __str__(self) -> str:
        return f"{self.message} {self.path}"


class TransitionRefused(WebError):
    """A step is refused; every reason is in `refusals`."""

    def __init__(self, refusals: Sequence[Refusal]) -> None:
        self.refusals = tuple(refusals)
        super().__init__(" ".join(str(refusal) for refusal in self.refusals))
