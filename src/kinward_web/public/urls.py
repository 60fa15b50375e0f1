"""Addresses of notices."""

from __future__ import annotations

from django.urls import path

from kinward_web.public import views

__all__ = ["app_name", "urlpatterns"]

app_name = "public"
urlpatterns = [
    path("notices/", views.notices, name="notices"),
    path("notices/manage/", views.manage, name="manage"),
    path("notices/draft/<slug:code>/", views.draft, name="draft"),
    path("notices/manage/<int:pk>/", views.notice, name="notice"),
    path("notices/manage/<int:pk>/edit/", views.edit, name="edit"),
    path("notices/manage/<int:pk>/<slug:name>/", views.step, name="step"),
]
