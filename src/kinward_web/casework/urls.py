"""Addresses of the case pages, and of care places, plans and oversight."""

from __future__ import annotations

from importlib.util import find_spec

from django.urls import URLPattern, URLResolver, include, path

from kinward_web.casework.views import (
    board,
    child,
    custody,
    follow_up,
    medical,
    messages,
    steps,
    today,
)

__all__ = ["app_name", "urlpatterns"]

app_name = "casework"
urlpatterns: list[URLPattern | URLResolver] = [
    path("today/", today.today, name="today"),
    path("board/", board.boards, name="boards"),
    path("board/<str:code>/", board.operation, name="board"),
    path("board/<str:code>/wall/", board.refresh, name="board_wall"),
    path("board/<str:code>/found/", board.found, name="board_found"),
    path("cases/<slug:code>/band/", board.band, name="band"),
    path("messages/<int:pk>/read/", messages.read, name="message_read"),
    path("custody/", custody.checks, name="custody_checks"),
    path("cases/", today.children, name="children"),
    path("cases/new/<slug:name>/", child.new_case, name="new_case"),
    path("cases/<slug:code>/", child.child, name="child"),
    path("cases/<slug:code>/parties/", child.parties, name="parties"),
    path("cases/<slug:code>/steps/<slug:name>/", steps.step, name="step"),
    path("cases/<slug:code>/proposals/<int:pk>/", steps.proposal, name="proposal"),
    path("cases/<slug:code>/medical/", medical.medical, name="medical"),
    path("cases/<slug:code>/places/", custody.places, name="places"),
    path("cases/<slug:code>/places/<int:pk>/", custody.place, name="place"),
    path("cases/<slug:code>/places/<int:pk>/screen/", custody.screen, name="screen"),
    path("cases/<slug:code>/places/<int:pk>/people/", custody.add_person, name="add_person"),
    path(
        "cases/<slug:code>/places/<int:pk>/steps/<slug:name>/", steps.place_step, name="place_step"
    ),
    path("cases/<slug:code>/links/", custody.link_new, name="link_new"),
    path("cases/<slug:code>/links/<int:pk>/", custody.link, name="link"),
    path("cases/<slug:code>/follow-up/", follow_up.follow_up, name="follow_up"),
    path("cases/<slug:code>/follow-up/extra/", follow_up.extra_visit, name="extra_visit"),
    path("cases/<slug:code>/visits/<int:pk>/", follow_up.visit, name="visit"),
    path("cases/<slug:code>/services/", follow_up.service, name="service"),
    *(
        path("", include(f"kinward_web.casework.{part}.urls"))
        for part in ("care", "oversight")
        if find_spec(f"kinward_web.casework.{part}.urls")
    ),
]
