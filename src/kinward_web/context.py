"""What every template may use: the actor, the menu, the languages, and whether this is a demo."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.http import HttpRequest

from kinward_web.navigation import menu_for

__all__ = ["shell"]


def shell(request: HttpRequest) -> dict[str, Any]:
    """Return `actor`, `menu`, `demo`, `languages`."""
    actor = getattr(request, "actor", None)
    return {
        "actor": actor,
        "menu": menu_for(actor.role, request.path) if actor else (),
        "demo": settings.DEMO,
        "languages": settings.LANGUAGES,
    }
