"""What every page of the registry shares: 404 for what is out of reach, and refusals on forms."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from functools import wraps
from typing import Any

from django import forms
from django.contrib import messages
from django.core.paginator import Page, Paginator
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import NoReverseMatch, reverse
from django.utils.functional import Promise

from kinward_web.audit.api import Purpose
from kinward_web.errors import NotAllowed, TransitionRefused
from kinward_web.rules.roles import Role

__all__ = ["case_url", "entry", "page_of", "purpose_of", "reached", "second_factor_needed"]

View = Callable[..., HttpResponse]
_ROWS = 50
"""Rows of one page of a list."""
_PURPOSES = {
    Role.POLICE_OFFICER: Purpose.INVESTIGATION,
    Role.POLICE_ANALYST: Purpose.INVESTIGATION,
    Role.CLINICIAN: Purpose.CARE,
    Role.WELFARE_WORKER: Purpose.PLACEMENT,
    Role.PANEL_MEMBER: Purpose.PLACEMENT,
    Role.FAMILY_LIAISON: Purpose.IDENTIFICATION,
    Role.FOREIGN_AUTHORITY: Purpose.RETURN,
    Role.AUDITOR: Purpose.AUDIT,
}
_CASE_PAGES = ("casework:child", "casework:case")


def reached(view: View) -> View:
    """Answer whatever is out of the actor's reach as if it did not exist."""

    @wraps(view)
    def guarded(request: HttpRequest, *args: object, **kwargs: object) -> HttpResponse:
        try:
            return view(request, *args, **kwargs)
        except NotAllowed as error:
            raise Http404 from error

    return guarded


def purpose_of(role: Role) -> Purpose:
    """Return the purpose for which a role looks at the pages of the registry."""
    return _PURPOSES.get(role, Purpose.OVERSIGHT)


def page_of(request: HttpRequest, rows: Any) -> Page:
    """Return the page of a list that the address asks for."""
    return Paginator(rows, _ROWS).get_page(request.GET.get("page"))


def case_url(code: str) -> str:
    """Return the address of a case; empty where no such page is installed."""
    for name in _CASE_PAGES:
        with suppress(NoReverseMatch):
            return reverse(name, args=[code])
    return ""


def second_factor_needed(request: HttpRequest, refused: TransitionRefused) -> HttpResponse | None:
    """Return the way to a fresh second factor where that is all that is missing."""
    if [row.code for row in refused.refusals] != ["second_factor"]:
        return None
    return redirect(f"{reverse('accounts:second_factor')}?next={request.path}")


def _add_refusals(form: forms.Form, refused: TransitionRefused) -> None:
    for row in refused.refusals:
        key = row.code.removeprefix("evidence:")
        form.add_error(key if key in form.fields else None, f"{row.message} {row.path}")


def entry(
    request: HttpRequest,
    form: forms.Form,
    act: Callable[[dict[str, Any]], Any],
    done: Callable[[Any], str],
    *,
    title: str | Promise,
    submit: str | Promise,
    success: str | Promise,
    cancel: str,
    lead: str | Promise = "",
    danger: bool = False,
    template: str = "registry/entry.html",
    **context: Any,
) -> HttpResponse:
    """Show a form; when it is sent, act and go where `done` says, or show what refused.

    :param act: the action, given the cleaned data.
    :param done: the address to go to, given what the action returned.
    """
    status = 200
    if request.method == "POST" and form.is_valid():
        try:
            result = act(form.cleaned_data)
        except TransitionRefused as refused:
            onwards = second_factor_needed(request, refused)
            if onwards is not None:
                return onwards
            _add_refusals(form, refused)
        else:
            messages.success(request, success)
            return redirect(done(result))
    if request.method == "POST":
        status = 422
    context |= {
        "form": form,
        "title": title,
        "lead": lead,
        "submit": submit,
        "cancel": cancel,
        "danger": danger,
        "upload": form.is_multipart(),
    }
    return render(request, template, context, status=status)
