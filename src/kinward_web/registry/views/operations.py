"""Pages of campaigns and operations."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, render
from django.urls import reverse
from django.utils.translation import gettext as _

from kinward_web.accounts.api import Actor
from kinward_web.audit import api as audit
from kinward_web.registry import actions, charts, forms
from kinward_web.registry.actions.common import require_role
from kinward_web.registry.models import Campaign, Involvement, Operation
from kinward_web.registry.scope import get_operation, operations_for
from kinward_web.registry.views.common import entry, page_of, purpose_of, reached
from kinward_web.rules.roles import reach_of

__all__ = [
    "campaign",
    "campaigns",
    "edit_campaign",
    "edit_operation",
    "new_campaign",
    "new_operation",
    "operation",
    "operations",
]


def _manages(actor: Actor) -> bool:
    return reach_of(actor.role, "operation.manage") is not None


@reached
def campaigns(request: HttpRequest) -> HttpResponse:
    """List the campaigns."""
    require_role(request.actor, "operation.read")
    page = page_of(request, Campaign.objects.all())
    context = {"page": page, "manages": _manages(request.actor)}
    return render(request, "registry/campaigns.html", context)


@reached
def campaign(request: HttpRequest, pk: int) -> HttpResponse:
    """Show a campaign with its operations and their tallies."""
    require_role(request.actor, "operation.read")
    found = get_object_or_404(Campaign, pk=pk)
    tally = actions.campaign_tally(request.actor, found)
    rows = operations_for(request.actor).filter(campaign=found).select_related("lead")
    page = page_of(request, rows)
    empty = actions.Tally({})
    named = [
        (row.name, tally.operations.get(row.pk, empty), _address(row), row.code) for row in page
    ]
    codes = [row.code for row in page]
    purpose = purpose_of(request.actor.role)
    audit.record_list_read(request.actor, purpose, "operation.list", codes)
    context = {
        "campaign": found,
        "page": page,
        "tally": tally,
        "states": charts.states_of(tally.all),
        "rows": charts.rows_of(named),
        "elsewhere": charts.rows_of([(_("In no operation yet"), tally.elsewhere, "", "")])[0],
        "manages": _manages(request.actor),
        "total": charts.rows_of([(_("All"), tally.all, "", "")])[0],
    }
    return render(request, "registry/campaign.html", context)


def _address(row: Operation) -> str:
    return reverse("registry:operation", args=[row.code])


def _campaign_entry(request: HttpRequest, found: Campaign | None) -> HttpResponse:
    require_role(request.actor, "operation.manage")
    keys = ("name", "country", "task_force_from", "special_until", "note")
    initial = {key: getattr(found, key) for key in keys} if found else {}
    back = reverse("registry:campaign", args=[found.pk]) if found else ""
    return entry(
        request,
        forms.CampaignForm(request.POST or None, initial=initial),
        lambda data: actions.save_campaign(request.actor, found, **data),
        lambda row: reverse("registry:campaign", args=[row.pk]),
        title=_("Change the campaign") if found else _("New campaign"),
        submit=_("Save"),
        success=_("The campaign is saved."),
        cancel=back or reverse("registry:campaigns"),
    )


@reached
def new_campaign(request: HttpRequest) -> HttpResponse:
    """Enter a campaign."""
    return _campaign_entry(request, None)


@reached
def edit_campaign(request: HttpRequest, pk: int) -> HttpResponse:
    """Change a campaign."""
    return _campaign_entry(request, get_object_or_404(Campaign, pk=pk))


@reached
def operations(request: HttpRequest) -> HttpResponse:
    """List the operations within reach; sealed ones only to their insiders."""
    require_role(request.actor, "operation.read")
    rows = operations_for(request.actor).select_related("campaign", "lead")
    page = page_of(request, rows)
    codes = [row.code for row in page]
    audit.record_list_read(request.actor, purpose_of(request.actor.role), "operation.list", codes)
    context = {"page": page, "manages": _manages(request.actor)}
    return render(request, "registry/operations.html", context)


@reached
def operation(request: HttpRequest, code: str) -> HttpResponse:
    """Show an operation with its sites and live tallies."""
    actor = request.actor
    found = get_operation(actor, code)
    tally = actions.operation_tally(actor, found)
    subject = actions.audit_subject(found)
    audit.record_read(actor, purpose_of(actor.role), "operation.read", subject)
    standings = dict(Involvement.Standing.choices)
    named = [(region, regional, "", "") for region, regional in tally.regions.items()]
    inside = found.insiders.filter(pk=actor.user_id).exists()
    context = {
        "operation": found,
        "sites": found.sites.select_related("agency").order_by("region", "pk"),
        "agencies": found.agencies.all(),
        "insiders": found.insiders.select_related("agency") if inside else (),
        "tally": tally,
        "states": charts.states_of(tally.all),
        "rows": charts.rows_of(named),
        "total": charts.rows_of([(_("All"), tally.all, "", "")])[0],
        "suspects": [(standings[key], count) for key, count in tally.suspects.items()],
        "manages": _manages(actor) and found.lead_id == actor.agency_id,
    }
    return render(request, "registry/operation.html", context)


def _initial(found: Operation, actor: Actor) -> dict[str, Any]:
    insiders = list(found.insiders.all())
    return {
        "campaign": found.campaign_id,
        "name": found.name,
        "starts_at": found.starts_at,
        "ended_at": found.ended_at,
        "agencies": list(found.agencies.values_list("pk", flat=True)),
        "colleagues": [row.pk for row in insiders if row.agency_id == actor.agency_id],
        "others": "\n".join(row.email for row in insiders if row.agency_id != actor.agency_id),
    }


def _operation_entry(request: HttpRequest, found: Operation | None) -> HttpResponse:
    actor = request.actor
    require_role(actor, "operation.manage")
    initial = _initial(found, actor) if found else {"colleagues": [actor.user_id]}
    places = list(found.sites.values("region", "address", "agency")) if found else []
    data = request.POST or None
    sites = forms.SiteFormSet(data, initial=places, prefix="sites")
    form = forms.OperationForm(data, initial=initial, agency_id=actor.agency_id)
    sound = sites.is_valid() if data else True

    def save(data: dict[str, Any]) -> Operation:
        people = [*data.pop("colleagues"), *data.pop("others")]
        rows = [
            (site["region"], site["address"], site["agency"])
            for site in sites.cleaned_data
            if site.get("region")
        ]
        return actions.save_operation(actor, found, insiders=people, sites=rows, **data)

    if not sound:
        form.full_clean()
        form.add_error(None, _("A site is not complete; see below."))
    return entry(
        request,
        form,
        save,
        _address,
        title=_("Change the operation") if found else _("Plan an operation"),
        submit=_("Save"),
        success=_("The operation is saved."),
        cancel=_address(found) if found else reverse("registry:operations"),
        template="registry/operation_form.html",
        sites=sites,
    )


@reached
def new_operation(request: HttpRequest) -> HttpResponse:
    """Plan an operation."""
    return _operation_entry(request, None)


@reached
def edit_operation(request: HttpRequest, code: str) -> HttpResponse:
    """Change an operation of the own agency."""
    return _operation_entry(request, get_operation(request.actor, code, "operation.manage"))
