"""Who asks: `request.actor`, the second factor that every login must have, and the language."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from http import HTTPStatus

from allauth.account.authentication import get_authentication_records
from django.conf import settings
from django.contrib.auth import logout
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import translation

from kinward_web.accounts.api import Actor, Channel, actor_for
from kinward_web.error_pages import missing
from kinward_web.errors import NotAllowed, TransitionRefused

__all__ = ["RefusalMiddleware", "actor_middleware", "second_factor_at", "security_headers"]

_MINUTE = 60
_HEADERS = {
    "Permissions-Policy": (
        "camera=(self), clipboard-read=(), display-capture=(), geolocation=(), hid=(), "
        "microphone=(), payment=(), publickey-credentials-get=(self), serial=(), usb=()"
    ),
    "Cross-Origin-Resource-Policy": "same-origin",
}
_SIGN_OUT = "/sign-in/out/"
_WITHOUT_SECOND_FACTOR = (
    "/sign-in/second-factor/",
    "/sign-in/confirm/",
    _SIGN_OUT,
    "/language/",
)
"""Addresses open to a login that has yet to set up its second factor."""


def second_factor_at(request: HttpRequest) -> datetime | None:
    """Return when a second factor was last given in this session, or None if never."""
    times = [
        record["at"]
        for record in get_authentication_records(request, request.user)
        if record["method"] == "mfa"
    ]
    return datetime.fromtimestamp(max(times), UTC) if times else None


def _session_age(request: HttpRequest) -> timedelta:
    """Return the time since sign-in."""
    times = [record["at"] for record in get_authentication_records(request, request.user)]
    return timedelta(seconds=time.time() - min(times)) if times else timedelta(0)


def _keep_alive(request: HttpRequest) -> None:
    """Prolong the session, writing at most once a minute.

    A page that refreshes itself is not someone at work: an open board does not keep a login open.
    """
    now = time.time()
    if "Kinward-Poll" not in request.headers and now - request.session.get("seen", 0) > _MINUTE:
        request.session["seen"] = now


def _go(request: HttpRequest, where: str) -> HttpResponse:
    """Send a person to another page; tell a program that it is not signed in."""
    if request.path.startswith("/api/"):
        detail = {"detail": "not signed in with a second factor"}
        return JsonResponse(detail, status=HTTPStatus.UNAUTHORIZED)
    return redirect(where)


def actor_middleware(
    get_response: Callable[[HttpRequest], HttpResponse],
) -> Callable[[HttpRequest], HttpResponse]:
    """Set `request.actor`: an `Actor`, or None for a visitor.

    A login without a second factor in this session reaches only the pages that set one up.
    """

    def middleware(request: HttpRequest) -> HttpResponse:
        request.actor: Actor | None = None
        user = request.user
        if not user.is_authenticated:
            return get_response(request)
        if not user.is_active:
            # The session of an appointment that has ended: gone at once.
            logout(request)
            return _go(request, settings.LOGIN_URL)
        if _session_age(request) > timedelta(seconds=settings.SESSION_LONGEST):
            logout(request)
            return _go(request, settings.LOGIN_URL)
        given = second_factor_at(request)
        if given is None:
            if not request.path.startswith(_WITHOUT_SECOND_FACTOR):
                return _go(request, reverse("mfa_activate_totp"))
            return get_response(request)
        _keep_alive(request)
        request.actor = actor_for(user, Channel.PAGE, given)
        with translation.override(user.language):
            request.LANGUAGE_CODE = translation.get_language()
            return get_response(request)

    return middleware


def security_headers(
    get_response: Callable[[HttpRequest], HttpResponse],
) -> Callable[[HttpRequest], HttpResponse]:
    """Add the headers that Django itself does not set; pages of a login are never stored."""

    def middleware(request: HttpRequest) -> HttpResponse:
        response = get_response(request)
        for name, value in _HEADERS.items():
            response.setdefault(name, value)
        if getattr(request, "actor", None) is not None:
            response.setdefault("Cache-Control", "no-store, private")
        if request.method == "POST" and request.path == _SIGN_OUT:
            # The outbox of the rescue board goes too, whether or not scripts run.
            response.setdefault("Clear-Site-Data", '"storage"')
        return response

    return middleware


class RefusalMiddleware:
    """Turns what actions raise into pages: absent for what is not one's own, reasons for refusals.

    A view that can show the refusals in its own page catches them first.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self._get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        """Pass on."""
        return self._get_response(request)

    def process_exception(self, request: HttpRequest, error: Exception) -> HttpResponse | None:
        """Answer for the exceptions of `kinward_web.errors`, and no others."""
        if isinstance(error, NotAllowed):
            return missing(request, error)
        if isinstance(error, TransitionRefused):
            context = {"refusals": error.refusals}
            return render(request, "refused.html", context, status=HTTPStatus.CONFLICT)
        return None
