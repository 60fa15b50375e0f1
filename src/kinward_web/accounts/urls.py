"""Addresses of sign-in, of one's own login, and of the administrator."""

from __future__ import annotations

from django.conf import settings
from django.urls import path

from kinward_web.accounts import office, views

__all__ = ["app_name", "urlpatterns"]

app_name = "accounts"
urlpatterns = [
    path("", views.home, name="home"),
    path("language/", views.language, name="language"),
    path("second-factor/", views.second_factor, name="second_factor"),
    path("me/", views.me, name="me"),
    path("new-password/<uidb64>/<token>/", views.new_password, name="new_password"),
    path("office/people/", office.people, name="people"),
    path("office/people/appoint/", office.appoint, name="appoint"),
    path("office/people/<int:pk>/", office.person, name="person"),
    path("office/people/<int:pk>/<slug:act>/", office.change, name="change"),
    path("office/agencies/", office.agencies, name="agencies"),
    path("office/agencies/new/", office.agency, name="new_agency"),
    path("office/agencies/<int:pk>/", office.agency, name="agency"),
    path(
        "office/agencies/<int:pk>/withdraw/",
        office.withdraw_accreditation,
        name="withdraw_accreditation",
    ),
    path("office/agencies/changes/<int:pk>/", office.agency_change, name="agency_change"),
]
if settings.DEMO:
    urlpatterns.append(path("demo/code/", views.demo_code, name="demo_code"))
