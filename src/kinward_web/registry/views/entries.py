"""Entry forms on a person's page: parts, links, households, identifiers, documents, corrections."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST

from kinward_web.errors import NotAllowed, TransitionRefused
from kinward_web.registry import actions, forms
from kinward_web.registry.actions.common import refuse, require_role
from kinward_web.registry.models import Correction, Document, Household, Link, Person
from kinward_web.registry.scope import (
    get_person,
    involvements_for,
    members_for,
    operations_for,
    people_for,
    reads_suspects,
)
from kinward_web.registry.views.common import (
    entry,
    purpose_of,
    reached,
    second_factor_needed,
)

__all__ = [
    "add_document",
    "add_identifier",
    "add_involvement",
    "add_link",
    "add_member",
    "change_standing",
    "correct",
    "document",
    "move_out",
    "settle_correction",
]


def _to(person: Person) -> str:
    return reverse("registry:person", args=[person.code])


def _entry(
    request: HttpRequest,
    person: Person,
    form: Any,
    act: Callable[[dict[str, Any]], Any],
    **texts: Any,
) -> HttpResponse:
    return entry(
        request, form, act, lambda _done: _to(person), cancel=_to(person), person=person, **texts
    )


@reached
def add_involvement(request: HttpRequest, code: str) -> HttpResponse:
    """Enter the part that a person plays in an investigation."""
    actor = request.actor
    require_role(actor, "registry.write")
    require_role(actor, "suspects.read")
    person = get_person(actor, code)
    return _entry(
        request,
        person,
        forms.InvolvementForm(request.POST or None, operations=operations_for(actor)),
        lambda data: actions.enter_involvement(actor, person, **data),
        title=_("Enter a part in an investigation"),
        lead=_("A suspect, buyer or broker is barred from custody at once."),
        submit=_("Enter"),
        success=_("The part is entered."),
    )


@reached
def change_standing(request: HttpRequest, pk: int) -> HttpResponse:
    """Change a legal standing."""
    actor = request.actor
    require_role(actor, "registry.write")
    row = get_object_or_404(involvements_for(actor).select_related("person"), pk=pk)
    return _entry(
        request,
        row.person,
        forms.StandingForm(request.POST or None, initial={"standing": row.standing}),
        lambda data: actions.change_standing(actor, row, **data),
        title=_("Change the legal standing"),
        lead=_("An acquittal does not lift the bar; the correction of mistaken identity does."),
        submit=_("Save"),
        success=_("The standing is changed."),
    )


@reached
def add_link(request: HttpRequest, code: str) -> HttpResponse:
    """Enter a link of a person."""
    actor = request.actor
    require_role(actor, "registry.write")
    person = get_person(actor, code)

    def save(data: dict[str, Any]) -> Link:
        kind, reverse_link, _label = forms.LinkForm.KINDS[data["said"]]
        other = people_for(actor).filter(code=data["other"].strip().upper()).first()
        if other is None:
            raise refuse(
                "evidence:other",
                _("Nobody within your reach has this code."),
                _("Copy it from the person's page, or enter the person first."),
            )
        first, second = (other, person) if reverse_link else (person, other)
        return actions.enter_link(actor, first, second, kind, data["source"])

    return _entry(
        request,
        person,
        forms.LinkForm(request.POST or None, investigation=reads_suspects(actor)),
        save,
        title=_("Enter a link"),
        lead=_("A link to a suspect or buyer bars a placement until police and welfare clear it."),
        submit=_("Enter"),
        success=_("The link is entered."),
    )


@reached
def add_member(request: HttpRequest, code: str) -> HttpResponse:
    """Enter with whom a person lives."""
    actor = request.actor
    require_role(actor, "registry.write")
    person = get_person(actor, code)
    keys = [row.pk for row in actions.households_for(actor)]

    return _entry(
        request,
        person,
        forms.MemberForm(request.POST or None, households=Household.objects.filter(pk__in=keys)),
        lambda data: actions.join_household(actor, person, **data),
        title=_("Enter the household"),
        lead=_("People who live or lived together are linked."),
        submit=_("Enter"),
        success=_("The household is entered."),
    )


@reached
def move_out(request: HttpRequest, pk: int) -> HttpResponse:
    """Record that a person left a household."""
    actor = request.actor
    require_role(actor, "registry.write")
    row = get_object_or_404(members_for(actor).select_related("person", "household"), pk=pk)
    return _entry(
        request,
        row.person,
        forms.MoveOutForm(request.POST or None),
        lambda data: actions.move_out(actor, row, **data),
        title=_("Record that the person moved out"),
        lead=_("Having lived together stays a link."),
        submit=_("Save"),
        success=_("The day is recorded."),
    )


@reached
def add_identifier(request: HttpRequest, code: str) -> HttpResponse:
    """Enter a telephone, address, document, account or vehicle."""
    actor = request.actor
    person = get_person(actor, code, "registry.write")
    return _entry(
        request,
        person,
        forms.IdentifierForm(request.POST or None),
        lambda data: actions.add_identifier(actor, person, **data),
        title=_("Enter an identifier"),
        lead=_(
            "Two people who use the same one are linked. The telephone or address of an agency "
            "links nobody."
        ),
        submit=_("Enter"),
        success=_("The identifier is entered."),
    )


# ------------------------------------------------------------------------------ documents


@reached
def add_document(request: HttpRequest, code: str) -> HttpResponse:
    """Upload a document or photograph."""
    actor = request.actor
    person = get_person(actor, code, "document.write")

    def save(data: dict[str, Any]) -> Document:
        content = data.pop("content").read()
        return actions.store_document(actor, person, data=content, **data)

    initial = {"kind": request.GET.get("kind", "photograph")}
    return _entry(
        request,
        person,
        forms.DocumentForm(request.POST or None, request.FILES or None, initial=initial),
        save,
        title=_("Upload a document"),
        submit=_("Upload"),
        success=_("The document is stored, encrypted."),
    )


@reached
def document(request: HttpRequest, pk: int) -> HttpResponse:
    """Serve a document to whoever may read it; every look is recorded."""
    found, content = actions.open_document(request.actor, pk, purpose_of(request.actor.role))
    ending = found.media_type.rpartition("/")[2]
    picture = found.media_type.startswith("image/")
    response = HttpResponse(content, content_type=found.media_type)
    shown = "inline" if picture else "attachment"
    response["Content-Disposition"] = f'{shown}; filename="{found.kind}-{found.pk}.{ending}"'
    response["X-Content-Type-Options"] = "nosniff"
    response["Cache-Control"] = "no-store, private"
    return response


# ------------------------------------------------------------------------------ corrections


@reached
def correct(request: HttpRequest, code: str, record: str) -> HttpResponse:
    """Propose to take back a wrong entry."""
    actor = request.actor
    person = get_person(actor, code)
    actions.record_of(actor, record)
    leads = {
        "involvement": _("Mistaken identity: a police analyst other than you confirms it."),
        "document": _("The content is destroyed once a second person confirms it."),
    }
    usual = _("The entry stays on record as retracted once a second person confirms it.")
    return _entry(
        request,
        person,
        forms.CorrectionForm(request.POST or None),
        lambda data: actions.propose_correction(actor, record, data["reason"]),
        title=_("Propose a correction"),
        lead=leads.get(record.partition(":")[0], usual),
        submit=_("Propose"),
        success=_("The correction is proposed; a second person confirms it."),
        danger=True,
    )


@reached
@require_POST
def settle_correction(request: HttpRequest, pk: int, act: str) -> HttpResponse:
    """Confirm or withdraw a correction."""
    row = Correction.objects.select_related("person").filter(pk=pk).first()
    settle = {"confirm": actions.confirm_correction, "withdraw": actions.withdraw_correction}
    if row is None or act not in settle:
        raise NotAllowed("no such correction")
    try:
        settle[act](request.actor, row)
    except TransitionRefused as refused:
        if second_factor_needed(request, refused) is not None:
            # Back to the person's page, as a form cannot be sent again by an address.
            way = reverse("accounts:second_factor")
            return redirect(f"{way}?next={_to(row.person)}")
        context = {"refusals": refused.refusals, "person": row.person}
        return render(request, "registry/refused.html", context, status=422)
    done = {
        "confirm": _("The correction is confirmed."),
        "withdraw": _("The correction is withdrawn."),
    }
    messages.success(request, done[act])
    return redirect(_to(row.person))
