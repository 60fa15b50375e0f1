"""Addresses of the door for programs."""

from __future__ import annotations

from django.contrib.auth.decorators import login_not_required
from django.urls import URLPattern, path

from kinward_web.api.cases import router as cases
from kinward_web.api.door import api
from kinward_web.api.sync import router as sync

__all__ = ["urlpatterns"]

api.add_router("", cases)
api.add_router("", sync)


def _answering(patterns: list[URLPattern]) -> list[URLPattern]:
    """Let the API itself refuse visitors: a program needs 401, not the page for signing in.

    Its description stays behind the sign-in page.
    """
    for pattern in patterns:
        if pattern.name != "openapi-json":
            login_not_required(pattern.callback)
    return patterns


_patterns, _app, _namespace = api.urls
urlpatterns = [path("api/v1/", (_answering(_patterns), _app, _namespace))]
