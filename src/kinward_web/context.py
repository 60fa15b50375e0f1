"""What every template may use: the actor, the menu, the languages, and whether this is a demo.

`outbox_login` names the login to the browser without telling its number: what one login keeps there
is erased when another comes.
"""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.http import HttpRequest
from django.utils.crypto import salted_hmac

from kinward_web.navigation import menu_for

__all__ = ["shell"]


def shell(request: HttpRequest) -> dict[str, Any]:
    """Return `actor`, `menu`, `demo`, `languages`, `outbox_login`."""
    actor = getattr(request, "actor", None)
    return {
        "actor": actor,
        "menu": menu_for(actor.role, request.path) if actor else (),
        "demo": settings.DEMO,
        "languages": settings.LANGUAGES,
        "outbox_login": salted_hmac("kinward.outbox", str(actor.user_id)).hexdigest()[:32]
        if actor
        else "",
    }
