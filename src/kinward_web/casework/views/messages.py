"""Messages to the own agency."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.views.decorators.http import require_POST

from kinward_web.casework import actions
from kinward_web.casework.models import Message
from kinward_web.errors import NotAllowed

__all__ = ["read"]


@require_POST
def read(request: HttpRequest, pk: int) -> HttpResponse:
    """Note that a message was read; go to its case where that was asked for."""
    rows = Message.objects.filter(pk=pk, agency_id=request.actor.agency_id)
    message = rows.select_related("case").first()
    if message is None:
        raise NotAllowed("no such message")
    actions.mark_read(request.actor, message)
    if "open" in request.POST and message.case is not None:
        return redirect("casework:child", message.case.code)
    return redirect("casework:today")
