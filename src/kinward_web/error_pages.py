"""Error pages: what happened, and what to do about it."""

from __future__ import annotations

from http import HTTPStatus

from django.contrib.auth.decorators import login_not_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render

__all__ = ["bad_request", "csrf_failure", "forbidden", "missing", "server_error", "too_many"]


def bad_request(request: HttpRequest, exception: Exception) -> HttpResponse:
    """400: the request makes no sense."""
    return render(request, "400.html", status=HTTPStatus.BAD_REQUEST)


def forbidden(request: HttpRequest, exception: Exception) -> HttpResponse:
    """403: a role or agency that may not; says why if the exception does."""
    return render(request, "403.html", {"reason": str(exception)}, status=HTTPStatus.FORBIDDEN)


def missing(request: HttpRequest, exception: Exception) -> HttpResponse:
    """404: absent, or not for this person: both look alike on purpose."""
    return render(request, "404.html", status=HTTPStatus.NOT_FOUND)


def server_error(request: HttpRequest) -> HttpResponse:
    """500: our fault. Uses no database, which may be the cause."""
    return render(None, "500.html", status=HTTPStatus.INTERNAL_SERVER_ERROR)


@login_not_required
def too_many(request: HttpRequest) -> HttpResponse:
    """429: too many attempts."""
    return render(request, "429.html", status=HTTPStatus.TOO_MANY_REQUESTS)


@login_not_required
def csrf_failure(request: HttpRequest, reason: str = "") -> HttpResponse:
    """403: a form that this site did not give out, or one that lay open too long."""
    return render(request, "403_form.html", status=HTTPStatus.FORBIDDEN)
