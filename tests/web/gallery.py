"""A page with every component of the design system, for tests of its look and accessibility."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace

from django import forms
from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse
from django.template import engines
from django.urls import path

from kinward_web.urls import handler404, handler500
from kinward_web.urls import urlpatterns as pages

__all__ = ["handler404", "handler500", "urlpatterns"]

_TEMPLATE = Path(__file__).with_name("gallery.html")
_TONES = ("urgent", "active", "waiting", "home", "ended")


class _Form(forms.Form):
    name = forms.CharField(label="Name", help_text="As on the document.")
    kind = forms.ChoiceField(label="Kind", choices=[("a", "Photograph"), ("b", "Document")])
    note = forms.CharField(label="Note", widget=forms.Textarea, required=False)
    sides = forms.MultipleChoiceField(
        label="Sides", choices=[("l", "Left"), ("r", "Right")], widget=forms.CheckboxSelectMultiple
    )
    sure = forms.BooleanField(label="I have seen it myself")
    file = forms.FileField(label="File", required=False)


def gallery(request: HttpRequest) -> HttpResponse:
    """Every component once."""
    at = datetime(2011, 7, 14, 21, 30, tzinfo=UTC)
    refusals = [
        SimpleNamespace(
            message="The payer is a suspect in the same operation.",
            path="Propose a hospital or an accredited home: it can receive the child tonight.",
        ),
        SimpleNamespace(message="One adult is unknown.", path="Record who lives in the household."),
    ]
    labels = ("Located", "Rescued", "Registered", "Medically cleared", "In care", "Tracing")
    status = ("skipped", "done", "done", "current", "next", "next")
    context = {
        "tones": _TONES,
        "form": _Form(),
        "wrong": _Form({}),
        "refusals": refusals,
        "steps": [
            SimpleNamespace(
                rule=SimpleNamespace(label="Receive into care", unlocks="Tracing of the family."),
                refusals=refusals,
                allowed=True,
                due_at=at,
                url="#",
            ),
            SimpleNamespace(
                rule=SimpleNamespace(label="Transfer", unlocks="Another agency answers."),
                refusals=(),
                allowed=True,
                due_at=None,
                url="#",
            ),
        ],
        "stages": [
            {"label": label, "status": state, "at": at if state == "done" else None}
            for label, state in zip(labels, status, strict=True)
        ],
        "page": Paginator(range(100), 10).page(3),
        "children": range(6),
    }
    template = engines["django"].from_string(_TEMPLATE.read_text(encoding="utf-8"))
    return HttpResponse(template.render(context, request))


urlpatterns = [*pages, path("gallery/", gallery)]
