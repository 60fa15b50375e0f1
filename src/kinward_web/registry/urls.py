"""Addresses of the registry."""

from __future__ import annotations

from django.urls import path

from kinward_web.registry.views import entries, operations, people, transfer

__all__ = ["app_name", "urlpatterns"]

app_name = "registry"
_PERSON = "registry/people/<str:code>/"
urlpatterns = [
    path("registry/campaigns/", operations.campaigns, name="campaigns"),
    path("registry/campaigns/new/", operations.new_campaign, name="new_campaign"),
    path("registry/campaigns/<int:pk>/", operations.campaign, name="campaign"),
    path("registry/campaigns/<int:pk>/edit/", operations.edit_campaign, name="edit_campaign"),
    path("registry/operations/", operations.operations, name="operations"),
    path("registry/operations/new/", operations.new_operation, name="new_operation"),
    path("registry/operations/<str:code>/", operations.operation, name="operation"),
    path("registry/operations/<str:code>/edit/", operations.edit_operation, name="edit_operation"),
    path("registry/people/", people.people, name="people"),
    path("registry/people/new/", people.new_person, name="new_person"),
    path("registry/people/new-suspect/", people.new_suspect, name="new_suspect"),
    path("registry/search/", people.search, name="search"),
    path(_PERSON, people.person, name="person"),
    path(f"{_PERSON}edit/", people.edit_person, name="edit_person"),
    path(f"{_PERSON}verify/", people.verify, name="verify"),
    path(f"{_PERSON}involvement/", entries.add_involvement, name="add_involvement"),
    path(f"{_PERSON}link/", entries.add_link, name="add_link"),
    path(f"{_PERSON}household/", entries.add_member, name="add_member"),
    path(f"{_PERSON}identifier/", entries.add_identifier, name="add_identifier"),
    path(f"{_PERSON}document/", entries.add_document, name="add_document"),
    path(f"{_PERSON}correct/<str:record>/", entries.correct, name="correct"),
    path("registry/standing/<int:pk>/", entries.change_standing, name="change_standing"),
    path("registry/members/<int:pk>/", entries.move_out, name="move_out"),
    path("registry/documents/<int:pk>/", entries.document, name="document"),
    path(
        "registry/corrections/<int:pk>/<slug:act>/",
        entries.settle_correction,
        name="settle_correction",
    ),
    path("registry/import/", transfer.imports, name="imports"),
    path("registry/import/<int:pk>/", transfer.import_file, name="import"),
    path("registry/import/<int:pk>/rejected/", transfer.rejected, name="rejected"),
    path("registry/import/<int:pk>/<slug:act>/", transfer.settle_import, name="settle_import"),
    path(
        "registry/import/template/<slug:table>/<slug:form>/",
        transfer.table_template,
        name="template",
    ),
    path("registry/export/", transfer.exports, name="exports"),
    path("registry/export/<slug:table>/<slug:form>/", transfer.export, name="export"),
]
