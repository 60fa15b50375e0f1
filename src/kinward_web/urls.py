"""Addresses of the web application: sign-in here, and those that each app declares in `urls.py`."""

from __future__ import annotations

from allauth.account import views as account
from django.urls import URLPattern, URLResolver, include, path

from kinward_web.accounts import views as accounts

__all__ = ["handler400", "handler403", "handler404", "handler429", "handler500", "urlpatterns"]

_APPS = ("accounts", "audit", "registry", "casework", "public", "api")

urlpatterns: list[URLPattern | URLResolver] = [
    path("sign-in/", account.login, name="account_login"),
    path("sign-in/out/", account.logout, name="account_logout"),
    path("sign-in/confirm/", account.reauthenticate, name="account_reauthenticate"),
    path("sign-in/ended/", account.account_inactive, name="account_inactive"),
    path("sign-in/password/", accounts.change_password, name="account_change_password"),
    path("sign-in/second-factor/reauthenticate/", accounts.fresh_code, name="mfa_reauthenticate"),
    path("sign-in/second-factor/", include("allauth.mfa.urls")),
    *(path("", include(f"kinward_web.{app}.urls")) for app in _APPS),
]
handler400 = "kinward_web.error_pages.bad_request"
handler403 = "kinward_web.error_pages.forbidden"
handler404 = "kinward_web.error_pages.missing"
handler429 = "kinward_web.error_pages.too_many"
handler500 = "kinward_web.error_pages.server_error"
