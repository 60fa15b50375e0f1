"""Pages of the administrator: people of the own agency, and agencies."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps

from allauth.mfa.models import Authenticator
from django.conf import settings
from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.functional import Promise
from django.utils.http import urlencode
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST

from kinward_web.accounts import actions
from kinward_web.accounts import agencies as agency_acts
from kinward_web.accounts.forms import AgencyForm, AppointForm
from kinward_web.accounts.models import Agency, AgencyChange, User
from kinward_web.accounts.second_factor import second_factor_refusals
from kinward_web.errors import Refusal, TransitionRefused
from kinward_web.rules.roles import reach_of
from kinward_web.templatetags.kinward import kind_label

__all__ = [
    "agencies",
    "agency",
    "agency_change",
    "appoint",
    "change",
    "people",
    "person",
    "withdraw_accreditation",
]

View = Callable[..., HttpResponse]


def _administrator(view: View) -> View:
    @wraps(view)
    def guarded(request: HttpRequest, *args: object, **kwargs: object) -> HttpResponse:
        if reach_of(request.actor.role, "accounts.manage") is None:
            raise PermissionDenied(
                _("Only an administrator appoints people. Ask the administrator of your agency.")
            )
        return view(request, *args, **kwargs)

    return guarded


@_administrator
def people(request: HttpRequest) -> HttpResponse:
    """List the people of the own agency."""
    rows = actions.people_of(request.actor).order_by("-is_active", "full_name")
    strong = (Authenticator.Type.TOTP, Authenticator.Type.WEBAUTHN)
    ready = set(
        Authenticator.objects.filter(user__in=rows, type__in=strong).values_list("user", flat=True)
    )
    return render(request, "accounts/people.html", {"people": rows, "ready": ready})


@_administrator
@never_cache
def appoint(request: HttpRequest) -> HttpResponse:
    """Appoint somebody; the answer shows the link for the first password once."""
    form = AppointForm(
        request.POST or None, agency=request.user.agency, languages=settings.LANGUAGES
    )
    if request.method == "POST" and form.is_valid():
        link = actions.appoint(request.actor, form.instance)
        return _show_link(request, form.instance, link)
    return render(request, "accounts/appoint.html", {"form": form})


def _show_link(request: HttpRequest, someone: User, link: str) -> HttpResponse:
    context = {"person": someone, "link": request.build_absolute_uri(link)}
    return render(request, "accounts/link.html", context)


@_administrator
def person(request: HttpRequest, pk: int) -> HttpResponse:
    """Show one person of the own agency."""
    someone = get_object_or_404(actions.people_of(request.actor), pk=pk)
    return render(request, "accounts/person.html", {"person": someone})


def _end(request: HttpRequest, someone: User) -> HttpResponse:
    actions.end_appointment(request.actor, someone)
    messages.success(request, _("The appointment has ended; the login has no access any more."))
    return redirect("accounts:people")


def _second_factor(request: HttpRequest, someone: User) -> HttpResponse:
    actions.reset_second_factor(request.actor, someone)
    messages.success(
        request, _("The second factor is removed; the next sign-in sets up a new one.")
    )
    return redirect("accounts:person", someone.pk)


def _password(request: HttpRequest, someone: User) -> HttpResponse:
    return _show_link(request, someone, actions.reset_password(request.actor, someone))


_CHANGES: dict[str, tuple[str | Promise, str | Promise, View]] = {
    "end": (
        gettext_lazy("End the appointment"),
        gettext_lazy(
            "The login loses access at once. What this person signed stays on record. "
            "A later appointment needs a new login."
        ),
        _end,
    ),
    "second-factor": (
        gettext_lazy("Reset the second factor"),
        gettext_lazy(
            "Do this only when you know that it is this person who asks. Authenticator app, "
            "passkeys and recovery codes are removed and every session ends."
        ),
        _second_factor,
    ),
    "password": (
        gettext_lazy("Make a link for a new password"),
        gettext_lazy(
            "The present password stops working and every session ends. You will see a link, "
            "valid for one day, to hand to this person."
        ),
        _password,
    ),
}


@_administrator
@never_cache
def change(request: HttpRequest, pk: int, act: str) -> HttpResponse:
    """Ask before something that cannot be undone, then do it."""
    someone = get_object_or_404(actions.people_of(request.actor), pk=pk, is_active=True)
    if act not in _CHANGES:
        raise Http404
    title, text, run = _CHANGES[act]
    if request.method == "POST":
        return run(request, someone)
    context = {
        "person": someone,
        "title": title,
        "text": text,
        "back": reverse("accounts:person", args=(pk,)),
    }
    return render(request, "accounts/change.html", context)


@_administrator
def agencies(request: HttpRequest) -> HttpResponse:
    """List all agencies, and the changes that wait for a second administrator."""
    rows = Agency.objects.select_related("named_officer")
    waiting = agency_acts.open_changes(request.actor)
    return render(request, "accounts/agencies.html", {"agencies": rows, "waiting": waiting})


@_administrator
def agency(request: HttpRequest, pk: int | None = None) -> HttpResponse:
    """Propose to enter an agency, or change one."""
    found = get_object_or_404(Agency, pk=pk) if pk else None
    form = AgencyForm(request.POST or None, instance=found)
    refusals: tuple[Refusal, ...] = ()
    if request.method == "POST" and form.is_valid():
        try:
            waiting = agency_acts.save_agency(request.actor, form.instance)
        except TransitionRefused as refused:
            refusals = refused.refusals
        else:
            return _saved(request, waiting)
    stored = Agency.objects.filter(pk=pk).first() if pk else None
    context = {"form": form, "agency": stored, "refusals": refusals}
    return render(request, "accounts/agency.html", context, status=409 if refusals else 200)


def _saved(request: HttpRequest, waiting: AgencyChange | None) -> HttpResponse:
    if waiting is None:
        messages.success(request, _("Saved."))
        return redirect("accounts:agencies")
    messages.warning(
        request, _("Proposed. It takes effect when an administrator of another agency confirms it.")
    )
    return redirect("accounts:agency_change", waiting.pk)


@_administrator
@require_POST
def withdraw_accreditation(request: HttpRequest, pk: int) -> HttpResponse:
    """Take away at once that an agency may receive children."""
    agency_acts.withdraw_accreditation(request.actor, get_object_or_404(Agency, pk=pk))
    messages.success(request, _("The agency may no longer receive children."))
    return redirect("accounts:agency", pk)


@_administrator
@never_cache
def agency_change(request: HttpRequest, pk: int) -> HttpResponse:
    """Show a change of an agency; confirm or withdraw it."""
    found = get_object_or_404(
        AgencyChange.objects.select_related(
            "agency__named_officer", "named_officer", "proposed_by__agency"
        ),
        pk=pk,
    )
    refusals = agency_acts.confirming_refusals(request.actor, found)
    status = 200
    if request.method == "POST":
        if "withdraw" in request.POST:
            agency_acts.withdraw_change(request.actor, found)
            messages.success(request, _("Withdrawn."))
            return redirect("accounts:agencies")
        try:
            agency_acts.confirm_change(request.actor, found)
        except TransitionRefused as refused:
            refusals, status = list(refused.refusals), 409
        else:
            messages.success(request, _("Confirmed; it is in effect."))
            return redirect("accounts:agencies")
    stale = second_factor_refusals(request.actor, timezone.now())
    query = urlencode({"next": request.path})
    context = {
        "change": found,
        "rows": _compared(found),
        "linking": agency_acts.linking_contacts(found),
        "refusals": refusals,
        "renew": f"{reverse('accounts:second_factor')}?{query}" if stale else "",
    }
    return render(request, "accounts/agency_change.html", context, status=status)


def _compared(change: AgencyChange) -> list[tuple[str | Promise, str | Promise, str | Promise]]:
    """Return what the change would alter: name, present value, proposed value."""

    def shown(row: Agency | AgencyChange, name: str) -> str | Promise:
        value = getattr(row, name)
        if name == "kind":
            return kind_label(value)
        if name == "accredited":
            return _("yes") if value else _("no")
        return str(value) if value else "–"

    names = ("kind", "phone", "address", "accredited", "named_officer")
    if change.agency is None:
        names = ("name", "code", "country", "region", *names)
    rows = []
    for name in names:
        label = Agency._meta.get_field(name).verbose_name
        present = shown(change.agency, name) if change.agency else "–"
        proposed = shown(change, name)
        if change.agency is None or present != proposed:
            rows.append((label, present, proposed))
    return rows
