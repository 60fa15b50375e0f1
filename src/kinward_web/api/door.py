"""Who may come in, and how what the actions raise is told in JSON.

For now programs use the session of a signed-in person, with the token against forged requests in
the header `X-CSRFToken`. Tokens of an agency's own machines come with the laboratory.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.utils.translation import gettext as _
from ninja import NinjaAPI
from ninja.security import APIKeyCookie

from kinward_web.accounts.api import Actor, Channel
from kinward_web.casework import api as casework
from kinward_web.errors import NotAllowed, Refusal, TransitionRefused

__all__ = ["api", "come_in", "told"]


class _Session(APIKeyCookie):
    """A session with a second factor; anything but reading needs the token against forgery."""

    param_name = settings.SESSION_COOKIE_NAME

    def authenticate(self, request: HttpRequest, key: str | None) -> Actor | None:
        """Return who acts, as the middleware found."""
        return request.actor


api = NinjaAPI(
    title="Kinward",
    version="1",
    description="Cases, placements and signatures. Every refusal names the legitimate path.",
    auth=_Session(),
    # The interactive page of django-ninja needs inline styles, which the policy forbids.
    docs_url=None,
)


def come_in(request: HttpRequest, channel: Channel = Channel.API) -> Actor:
    """Return who acts, by this door."""
    return replace(request.actor, channel=channel)


def told(actor: Actor, refusals: Iterable[Refusal]) -> list[dict[str, str]]:
    """Return the refusals as JSON, as far as the role may read them."""
    return [
        {"code": row.code, "message": str(row.message), "path": str(row.path)}
        for row in casework.visible_refusals(actor, refusals)
    ]


@api.exception_handler(NotAllowed)
def _missing(request: HttpRequest, error: NotAllowed) -> HttpResponse:
    return api.create_response(request, {"detail": _("Not found.")}, status=404)


@api.exception_handler(TransitionRefused)
def _refused(request: HttpRequest, error: TransitionRefused) -> HttpResponse:
    content = {"refusals": told(request.actor, error.refusals)}
    return api.create_response(request, content, status=409)
