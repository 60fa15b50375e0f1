"""What waited in the outbox of a browser, one entry after the other through the same actions."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest
from ninja import Router

from kinward_web.accounts.api import Actor, Channel
from kinward_web.api.door import come_in, told
from kinward_web.api.schemas import Missing, SyncEntry, SyncIn, SyncOut
from kinward_web.casework import api as casework
from kinward_web.errors import NotAllowed, TransitionRefused

__all__ = ["router"]

router = Router(tags=["sync"])


@router.post("/sync", response={200: SyncOut, 404: Missing})
def sync(request: HttpRequest, body: SyncIn) -> dict[str, Any]:
    """Enter each child once, however often its entry is sent.

    One refused entry does not keep the others back.
    """
    actor = come_in(request, Channel.SYNC)
    if not casework.may_enter(actor):
        raise NotAllowed("this role records no rescue")
    return {"results": [_enter(actor, entry) for entry in body.entries]}


def _enter(actor: Actor, entry: SyncEntry) -> dict[str, Any]:
    try:
        case = casework.enter_found(actor, casework.FoundChild(**entry.dict()))
    except TransitionRefused as refused:
        refusals = told(actor, refused.refusals)
        return {"client_id": entry.client_id, "status": "refused", "refusals": refusals}
    return {"client_id": entry.client_id, "status": "done", "case": case.code}
