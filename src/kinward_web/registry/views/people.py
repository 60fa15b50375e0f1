"""Pages of people: list, search across agencies, and one person with everything that joins it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django.db.models import Q
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from kinward_web.accounts.api import Actor
from kinward_web.audit import api as audit
from kinward_web.errors import TransitionRefused
from kinward_web.registry import actions, forms
from kinward_web.registry.actions.common import require_role
from kinward_web.registry.models import Involvement, Person
from kinward_web.registry.scope import (
    BARRING,
    documents_for,
    get_person,
    involvements_for,
    links_for,
    members_for,
    operations_for,
    people_for,
    reads_suspects,
    uses_for,
)
from kinward_web.registry.views.common import case_url, entry, page_of, purpose_of, reached
from kinward_web.rules.roles import reach_of

__all__ = ["edit_person", "new_person", "new_suspect", "people", "person", "search", "verify"]


@dataclass(frozen=True, slots=True)
class Meaning:
    """One sentence on what stands on a person's page means for custody."""

    tone: str
    text: str | Promise
    path: str | Promise


def _address(person: Person) -> str:
    return reverse("registry:person", args=[person.code])


def _writes(actor: Actor) -> bool:
    return reach_of(actor.role, "registry.write") is not None


@reached
def people(request: HttpRequest) -> HttpResponse:
    """List the people within reach."""
    actor = request.actor
    require_role(actor, "case.read")
    rows = people_for(actor).select_related("entered_by", "case")
    shown = request.GET.get("show", "")
    suspects = reads_suspects(actor)
    if shown == "accused" and suspects:
        rows = rows.filter(pk__in=involvements_for(actor).filter(BARRING).values("person_id"))
    elif shown == "children":
        rows = rows.filter(case__isnull=False)
    region = request.GET.get("region", "").strip()
    if region:
        rows = rows.filter(region=region)
    page = page_of(request, rows.order_by("-entered_at", "-pk"))
    keys = [row.pk for row in page]
    parts: dict[int, list[Involvement]] = {}
    for row in involvements_for(actor).filter(person__in=keys):
        parts.setdefault(row.person_id, []).append(row)
    codes = [row.code for row in page]
    audit.record_list_read(actor, purpose_of(actor.role), "person.list", codes)
    context = {
        "page": page,
        "rows": [(row, parts.get(row.pk, ())) for row in page],
        "shown": shown,
        "region": region,
        "suspects": suspects,
        "writes": _writes(actor),
        "searches": reach_of(actor.role, "registry.search") is not None,
        "imports": reach_of(actor.role, "import.run") is not None,
        "exports": reach_of(actor.role, "export.run") is not None,
    }
    return render(request, "registry/people.html", context)


@reached
def search(request: HttpRequest) -> HttpResponse:
    """Ask whether anybody knows a person. Sent by POST, so that no address holds a name."""
    actor = request.actor
    require_role(actor, "registry.search")
    initial = {"purpose": purpose_of(actor.role).value}
    form = forms.SearchForm(request.POST or None, initial=initial)
    found = None
    if request.method == "POST" and form.is_valid():
        data = form.cleaned_data
        try:
            found = actions.search_people(
                actor, actions.SearchKind(data["kind"]), data["text"], data["purpose"]
            )
        except TransitionRefused as refused:
            for row in refused.refusals:
                form.add_error(None, f"{row.message} {row.path}")
    status = 422 if form.errors else 200
    return render(request, "registry/search.html", {"form": form, "found": found}, status=status)


@reached
def person(request: HttpRequest, code: str) -> HttpResponse:
    """Show one person."""
    actor = request.actor
    found = get_person(actor, code)
    audit.record_read(actor, purpose_of(actor.role), "person.read", f"person:{found.code}")
    case = getattr(found, "case", None)
    involvements = list(
        involvements_for(actor)
        .filter(person=found)
        .select_related("operation", "entered_by")
        .order_by("pk")
    )
    links = links_for(actor).filter(Q(first=found) | Q(second=found))
    mine = members_for(actor).filter(person=found).values("household_id")
    members = members_for(actor).filter(household__in=mine)
    uses = list(
        uses_for(actor)
        .filter(person=found)
        .select_related("identifier", "identifier__institution", "entered_by")
        .order_by("pk")
    )
    shared = uses_for(actor).filter(
        identifier__in=[row.identifier_id for row in uses if not row.identifier.institution_id],
        retracted_at__isnull=True,
    )
    others: dict[int, list[Person]] = {}
    for row in shared.exclude(person=found).select_related("person"):
        others.setdefault(row.identifier_id, []).append(row.person)
    context: dict[str, Any] = {
        "person": found,
        "case": case,
        "case_url": case_url(case.code) if case else "",
        "involvements": involvements,
        "links": links.select_related("first", "second", "entered_by").order_by("pk"),
        "members": members.select_related("household", "person").order_by("household", "pk"),
        "uses": [(row, others.get(row.identifier_id, ())) for row in uses],
        "documents": documents_for(actor)
        .filter(person=found)
        .defer("content")
        .select_related("uploaded_by")
        .order_by("-uploaded_at", "-pk"),
        "corrections": actions.corrections_for(actor, found),
        "meanings": _meanings(found, involvements, case is not None),
        "suspects": reads_suspects(actor),
        "writes": people_for(actor, "registry.write").filter(pk=found.pk).exists(),
        "accuses": _writes(actor) and reads_suspects(actor),
        "uploads": people_for(actor, "document.write").filter(pk=found.pk).exists(),
    }
    return render(request, "registry/person.html", context)


def _meanings(found: Person, rows: list[Involvement], child: bool) -> list[Meaning]:
    """Say what the records within the actor's reach mean when a household is screened."""
    if child:
        return []
    meanings = []
    barring = [row for row in rows if row.part != "witness" and row.standing != "mistaken"]
    if barring:
        meanings.append(
            Meaning(
                "urgent",
                _("Bars custody absolutely: no child is placed with, escorted by or paid for."),
                _("Only the correction of mistaken identity, by two people, lifts this."),
            )
        )
    if found.identity != Person.Identity.VERIFIED:
        meanings.append(
            Meaning(
                "waiting",
                _("The identity is not verified, which bars a placement."),
                _("Upload an identity document here and verify the identity by it."),
            )
        )
    if not meanings:
        meanings.append(
            Meaning(
                "active",
                _("Nothing on this page bars by itself."),
                _(
                    "The screening of the whole household decides: it also looks at what others "
                    "have entered, two links far."
                ),
            )
        )
    return meanings


@reached
def new_person(request: HttpRequest) -> HttpResponse:
    """Enter a person."""
    require_role(request.actor, "registry.write")
    return entry(
        request,
        forms.PersonForm(request.POST or None),
        lambda data: actions.enter_person(request.actor, **data),
        _address,
        title=_("Enter a person"),
        lead=_("A relative, a carer, or anyone else. Search first whether an agency knows them."),
        submit=_("Enter"),
        success=_("The person is entered."),
        cancel=reverse("registry:people"),
    )


@reached
def new_suspect(request: HttpRequest) -> HttpResponse:
    """Enter a person together with the part played in an investigation."""
    actor = request.actor
    require_role(actor, "registry.write")
    require_role(actor, "suspects.read")

    def save(data: dict[str, Any]) -> Involvement:
        operation = data["operation"]
        sealed = operation is not None and operation.sealed
        return actions.enter_suspect(actor, sealed=sealed, **data)

    return entry(
        request,
        forms.SuspectForm(request.POST or None, operations=operations_for(actor)),
        save,
        lambda row: _address(row.person),
        title=_("Enter a suspect or buyer"),
        lead=_("Entered for an operation that has not started, the person stays sealed with it."),
        submit=_("Enter"),
        success=_("The person is entered."),
        cancel=reverse("registry:people"),
    )


@reached
def edit_person(request: HttpRequest, code: str) -> HttpResponse:
    """Change what is on record about a person."""
    found = get_person(request.actor, code, "registry.write")
    keys = ("name", "sex", "born_from", "born_to", "region", "note")
    return entry(
        request,
        forms.PersonForm(request.POST or None, initial={key: getattr(found, key) for key in keys}),
        lambda data: actions.change_person(request.actor, found, **data),
        _address,
        title=_("Change the record"),
        lead=_("Another name takes the verification of the identity away."),
        submit=_("Save"),
        success=_("The record is changed."),
        cancel=_address(found),
    )


@reached
def verify(request: HttpRequest, code: str) -> HttpResponse:
    """Verify the identity by a document."""
    actor = request.actor
    found = get_person(actor, code, "registry.write")
    documents = documents_for(actor).filter(
        person=found, kind="identity", destroyed_at__isnull=True
    )
    if not documents.exists():
        return redirect(f"{reverse('registry:add_document', args=[code])}?kind=identity")
    return entry(
        request,
        forms.VerifyForm(request.POST or None, documents=documents.defer("content")),
        lambda data: actions.verify_identity(actor, found, data["document"]),
        lambda _done: _address(found),
        title=_("Verify the identity"),
        lead=gettext_lazy("You state that this document shows this person under this name."),
        submit=_("Verify"),
        success=_("The identity is verified."),
        cancel=_address(found),
    )
