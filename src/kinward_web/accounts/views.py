"""Pages of one's own login: home, language, second factor, password."""

from __future__ import annotations

from typing import Any

from allauth.account.authentication import get_authentication_records
from allauth.account.views import PasswordChangeView
from allauth.mfa.base.views import ReauthenticateView
from allauth.mfa.models import Authenticator
from allauth.mfa.totp.internal.auth import format_hotp_value, hotp_value
from allauth.mfa.utils import decrypt
from django import forms
from django.conf import settings
from django.contrib import messages
from django.contrib.auth.decorators import login_not_required
from django.contrib.auth.views import PasswordResetConfirmView
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse, reverse_lazy
from django.utils import timezone
from django.utils.http import url_has_allowed_host_and_scheme, urlencode
from django.utils.translation import gettext_lazy as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST

from kinward_web.accounts.models import User
from kinward_web.navigation import menu_for

__all__ = [
    "change_password",
    "demo_code",
    "fresh_code",
    "home",
    "language",
    "me",
    "new_password",
    "second_factor",
]


def _safe(request: HttpRequest, url: str | None) -> str:
    """Return `url` if it leads back to this site, else the home page."""
    own = {request.get_host()}
    if url and url_has_allowed_host_and_scheme(url, own, require_https=request.is_secure()):
        return url
    return "/"


def home(request: HttpRequest) -> HttpResponse:
    """Go to the first page of the own menu."""
    for group in menu_for(request.actor.role):
        return redirect(group.links[0].url)
    raise Http404


@login_not_required
@require_POST
def language(request: HttpRequest) -> HttpResponse:
    """Keep the language: with the login if there is one, and for the sign-in page."""
    code = request.POST.get("language")
    response = redirect(_safe(request, request.POST.get("next")))
    if code in dict(settings.LANGUAGES):
        response.set_cookie(
            settings.LANGUAGE_COOKIE_NAME,
            code,
            max_age=365 * 24 * 3600,
            secure=settings.LANGUAGE_COOKIE_SECURE,
            httponly=settings.LANGUAGE_COOKIE_HTTPONLY,
            samesite=settings.LANGUAGE_COOKIE_SAMESITE,
        )
        if request.user.is_authenticated:
            User.objects.filter(pk=request.user.pk).update(language=code)
    return response


def second_factor(request: HttpRequest) -> HttpResponse:
    """Ask for a fresh second factor, then go on to `next`.

    Signatures need one that is at most `second_factor_minutes` of the policy old.
    """
    target = _safe(request, request.GET.get("next"))
    mine = Authenticator.objects.filter(user=request.user)
    page = "mfa_reauthenticate"
    if not mine.filter(type=Authenticator.Type.TOTP).exists():
        page = "mfa_reauthenticate_webauthn"
    return redirect(f"{reverse(page)}?{urlencode({'next': target})}")


class FreshCode(ReauthenticateView):
    """A fresh code; the session gets a new key with it."""

    def form_valid(self, form: forms.Form) -> HttpResponse:
        """Rotate the session: it can sign now."""
        self.request.session.cycle_key()
        return super().form_valid(form)


class ChangePassword(PasswordChangeView):
    """Change the own password; the other sessions of this login end."""

    success_url = reverse_lazy("accounts:me")

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        """Send a login without a password, which came with a passkey, to its own page."""
        if not request.user.has_usable_password():
            messages.warning(
                request, _("Your administrator voided the password: use the link you were given.")
            )
            return redirect("accounts:me")
        return super().dispatch(request, *args, **kwargs)


class NewPassword(PasswordResetConfirmView):
    """The page behind a link that an administrator handed out."""

    template_name = "accounts/new_password.html"
    success_url = reverse_lazy("account_login")

    def form_valid(self, form: forms.Form) -> HttpResponse:
        """Say what comes next."""
        messages.success(self.request, _("The password is set. Sign in with it now."))
        return super().form_valid(form)


change_password = ChangePassword.as_view()
fresh_code = FreshCode.as_view()
new_password = login_not_required(NewPassword.as_view())


def me(request: HttpRequest) -> HttpResponse:
    """Show the own appointment and second factors."""
    mine = Authenticator.objects.filter(user=request.user)
    codes = mine.filter(type=Authenticator.Type.RECOVERY_CODES).first()
    context: dict[str, Any] = {
        "app": mine.filter(type=Authenticator.Type.TOTP).first(),
        "keys": mine.filter(type=Authenticator.Type.WEBAUTHN).order_by("created_at"),
        "codes_left": len(codes.wrap().get_unused_codes()) if codes else 0,
        "records": get_authentication_records(request, request.user),
    }
    return render(request, "accounts/me.html", context)


class _DemoForm(forms.Form):
    email = forms.ModelChoiceField(
        User.objects.filter(is_active=True), to_field_name="email", label=_("Login")
    )


@login_not_required
@never_cache
def demo_code(request: HttpRequest) -> HttpResponse:
    """Show the present code of a demo login. Exists only where all data is synthetic."""
    if not settings.DEMO:
        raise Http404
    form = _DemoForm(request.GET if "email" in request.GET else None)
    code = None
    if form.is_valid():
        found = Authenticator.objects.filter(
            user=form.cleaned_data["email"], type=Authenticator.Type.TOTP
        ).first()
        if found:
            counter = int(timezone.now().timestamp()) // 30
            code = format_hotp_value(hotp_value(decrypt(found.data["secret"]), counter))
    return render(request, "accounts/demo_code.html", {"form": form, "code": code})
