"""Addresses of the auditor's pages."""

from __future__ import annotations

from django.urls import path

from kinward_web.audit import views

__all__ = ["app_name", "urlpatterns"]

app_name = "audit"
urlpatterns = [
    path("audit/", views.chain, name="chain"),
    path("audit/reads/", views.reads, name="reads"),
    path("audit/verify/", views.verification, name="verify"),
]
