"""Addresses of oversight; `casework/urls.py` takes them in."""

from __future__ import annotations

from django.urls import path

from kinward_web.casework.oversight import views

__all__ = ["urlpatterns"]

urlpatterns = [
    path("oversight/", views.oversight, name="oversight"),
    path("oversight/pace/", views.oversight_pace, name="oversight_pace"),
]
