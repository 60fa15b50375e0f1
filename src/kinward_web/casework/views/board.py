"""The rescue board: the children of an operation, a child just found, and its wristband."""

from __future__ import annotations

from django.contrib import messages
from django.core.exceptions import BadRequest
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST

from kinward_web.audit import api as audit
from kinward_web.casework import board
from kinward_web.casework.board_actions import FoundChild, enter_found, may_enter
from kinward_web.casework.board_forms import FoundForm
from kinward_web.casework.presenters.child import purpose_of
from kinward_web.casework.views.common import see_case
from kinward_web.errors import NotAllowed, TransitionRefused
from kinward_web.qr import qr_svg
from kinward_web.rules.case import CASE

__all__ = ["band", "boards", "found", "operation", "refresh"]


def boards(request: HttpRequest) -> HttpResponse:
    """Choose an operation."""
    context = {"operations": board.operations(request.actor)}
    return render(request, "casework/board_operations.html", context)


def operation(request: HttpRequest, code: str) -> HttpResponse:
    """Show the wall of an operation and the form of a child just found."""
    chosen = board.operation_of(request.actor, code)
    return _board(request, chosen, _form(request) if may_enter(request.actor) else None)


def _form(request: HttpRequest) -> FoundForm:
    region = request.GET.get("region") or request.actor.region
    return FoundForm(initial={"region": region})


def _board(
    request: HttpRequest,
    chosen: object,
    form: FoundForm | None,
    status: int = 200,
    refusals: tuple[object, ...] = (),
) -> HttpResponse:
    context = _wall(request, chosen) | {"form": form, "refusals": refusals}
    return render(request, "casework/board.html", context, status=status)


def _wall(request: HttpRequest, chosen: object) -> dict[str, object]:
    """Return the wall; a look is written down, but not again while the list stays the same."""
    region = request.GET.get("region", "")
    found = board.wall(request.actor, chosen, region, request.GET.get("page", "1"))
    codes = [card.row.case.code for card in found.cards]
    seen = audit.list_subject(codes)
    if codes and request.GET.get("seen") != seen:
        audit.record_list_read(request.actor, purpose_of(request.actor.role), "case.list", codes)
    return {"operation": chosen, "wall": found, "region": region, "seen": seen}


def refresh(request: HttpRequest, code: str) -> HttpResponse:
    """Return the wall alone, for the page that asks again and again."""
    chosen = board.operation_of(request.actor, code)
    return render(request, "casework/board_wall.html", _wall(request, chosen))


@require_POST
def found(request: HttpRequest, code: str) -> HttpResponse:
    """Enter a child just found, where the browser sends the form itself."""
    if not may_enter(request.actor):
        raise NotAllowed("this role records no rescue")
    chosen = board.operation_of(request.actor, code)
    form = FoundForm(request.POST)
    if not form.is_valid():
        if "client_id" in form.errors:
            raise BadRequest(_("The form was sent without its number."))
        return _board(request, chosen, form, 409)
    try:
        case = enter_found(request.actor, FoundChild(operation=chosen.code, **form.cleaned_data))
    except TransitionRefused as refused:
        return _board(request, chosen, form, 409, refused.refusals)
    messages.success(request, _("The case is open. Put the band on the child."))
    return redirect("casework:band", case.code)


def band(request: HttpRequest, code: str) -> HttpResponse:
    """Show the wristband of a child: its code, for people and for cameras, and nothing else."""
    case = see_case(request, code)
    context = {
        "case": case,
        "state": CASE.state(case.state),
        "picture": qr_svg(case.code, _("Code of the band: %(code)s") % {"code": case.code}),
        "registers": case.state == "rescued"
        and request.actor.role in CASE.rule("register", "rescued").roles,
    }
    return render(request, "casework/board_band.html", context)
