"""Addresses of care places and the plan; `casework/urls.py` takes them in."""

from __future__ import annotations

from django.urls import path

from kinward_web.casework.care import views

__all__ = ["urlpatterns"]

urlpatterns = [
    path("care/", views.care_places, name="care_places"),
    path("care/new/", views.edit_home, name="care_place_new"),
    path("care/<int:number>/", views.edit_home, name="care_place"),
    path("care/plan/", views.plan, name="plan"),
    path("care/plan/<int:number>/", views.show_plan, name="plan_show"),
]
