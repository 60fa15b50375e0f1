"""The auditor's pages: the chain, the reads, and their verification."""

from __future__ import annotations

import json
from typing import Any

from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.functional import cached_property
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_GET, require_POST

from kinward_web.accounts.api import Actor
from kinward_web.audit.chain import last_event
from kinward_web.audit.forms import ChainFilter, HeadForm, ReadFilter
from kinward_web.audit.purposes import PURPOSES, Purpose
from kinward_web.audit.reads import record_list_read
from kinward_web.audit.verification import VERIFIED, head, record_verification, verify
from kinward_web.errors import NotAllowed
from kinward_web.rules.roles import reach_of

__all__ = ["FAULTS", "chain", "reads", "verification"]

_ROWS = 50
"""Rows of one page."""
FAULTS = {
    "gap": _("links before it are missing"),
    "key": _("its row was exchanged with another"),
    "previous": _("it does not continue the link before it"),
    "altered": _("it was altered after it was written"),
    "batch": _("reads that it seals were altered, added or removed"),
    "stray": _("a read stands under a link that seals nothing"),
    "unsealed": _("reads have waited more than a day for their seal"),
    "rewritten": _("it is not the link that was noted elsewhere"),
    "cut": _("it was noted elsewhere and is gone"),
}
"""What each fault of a verification means."""


def _auditor(request: HttpRequest) -> Actor:
    actor: Actor = request.actor  # type: ignore[attr-defined]
    if reach_of(actor.role, "audit.read") is None:
        raise NotAllowed("no audit for this role")
    return actor


def _page(request: HttpRequest, rows: Any) -> Any:
    return Paginator(rows, _ROWS).get_page(request.GET.get("page"))


def _status() -> dict[str, Any]:
    """Return what the pages say about the last verification."""
    return {"verified": last_event(VERIFIED), "head": head(), "head_form": HeadForm()}


class _Links(Paginator):
    """Pages of the whole chain: it has no gaps, so that its last link says how many there are."""

    @cached_property
    def count(self) -> int:
        """Return the number of links."""
        return self.object_list.values_list("sequence", flat=True).first() or 0


@require_GET
def chain(request: HttpRequest) -> HttpResponse:
    """Show who did what."""
    actor = _auditor(request)
    form = ChainFilter(request.GET)
    paginator = Paginator if form.chooses() else _Links
    page = paginator(form.rows(), _ROWS).get_page(request.GET.get("page"))
    rows = [
        # Pairs, because a template would take a key named "items" for the method.
        {"event": event, "detail": [(key, _shown(value)) for key, value in event.detail.items()]}
        for event in page
    ]
    record_list_read(
        actor, Purpose.AUDIT, "audit.read", [str(row["event"].sequence) for row in rows]
    )
    return render(
        request, "audit/chain.html", {"form": form, "page": page, "rows": rows} | _status()
    )


def _shown(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


@require_GET
def reads(request: HttpRequest) -> HttpResponse:
    """Show who looked at what, and why."""
    actor = _auditor(request)
    form = ReadFilter(request.GET)
    page = _page(request, form.rows())
    rows = [(read, PURPOSES.get(read.purpose, read.purpose)) for read in page]
    record_list_read(actor, Purpose.AUDIT, "audit.reads", [str(read.pk) for read, _ in rows])
    return render(request, "audit/reads.html", {"form": form, "page": page, "rows": rows})


@require_POST
def verification(request: HttpRequest) -> HttpResponse:
    """Verify the chain now, and say what was found."""
    actor = _auditor(request)
    form = HeadForm(request.POST)
    if not form.is_valid():
        return render(request, "audit/verified.html", {"form": form}, status=422)
    noted = form.cleaned_data["head"]
    found = verify([noted] if noted else [])
    record_verification(actor, found)
    faults = [(fault.sequence, FAULTS[fault.code]) for fault in found.faults]
    context = {"form": form, "found": found, "faults": faults, "noted": noted}
    return render(request, "audit/verified.html", context)
