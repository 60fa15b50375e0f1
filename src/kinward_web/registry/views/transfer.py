"""Pages of imports and exports."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST

from kinward_web.errors import TransitionRefused
from kinward_web.registry import forms
from kinward_web.registry.actions.common import require_role
from kinward_web.registry.transfer import exporting, importing
from kinward_web.registry.transfer.reading import MAX_BYTES
from kinward_web.registry.transfer.tables import TABLES
from kinward_web.registry.transfer.writing import MEDIA_TYPES
from kinward_web.registry.views.common import page_of, reached

__all__ = [
    "export",
    "exports",
    "import_file",
    "imports",
    "rejected",
    "settle_import",
    "table_template",
]


def _download(name: str, data: bytes) -> HttpResponse:
    response = HttpResponse(data, content_type=MEDIA_TYPES[name.rpartition(".")[2]])
    response["Content-Disposition"] = f'attachment; filename="{name}"'
    return response


@reached
def imports(request: HttpRequest) -> HttpResponse:
    """Upload a table, and see what waits."""
    actor = request.actor
    require_role(actor, "import.run")
    form = forms.UploadForm(request.POST or None, request.FILES or None)
    if request.method == "POST" and form.is_valid():
        data = form.cleaned_data
        file = data["content"]
        content = file.read(MAX_BYTES + 1)
        encoding = data["encoding"] or "utf-8"
        upload = importing.stage_import(actor, file.name, content, data["table"], encoding)
        return redirect("registry:import", upload.pk)
    context = {
        "form": form,
        "uploads": importing.imports_of(actor),
        "tables": TABLES.values(),
    }
    return render(request, "registry/imports.html", context, status=422 if form.errors else 200)


def _show(request: HttpRequest, pk: int, **extra: Any) -> HttpResponse:
    upload = importing.get_import(request.actor, pk)
    report = upload.report
    context = {
        "upload": upload,
        "clean": [(TABLES[key].label, count) for key, count in report["clean"].items()],
        "clean_total": sum(report["clean"].values()),
        "rejected": len(report["rejected"]),
        "page": page_of(request, report["faults"]),
        "readable": report["readable"],
    }
    status = 422 if extra else 200
    return render(request, "registry/import.html", context | extra, status=status)


@reached
def import_file(request: HttpRequest, pk: int) -> HttpResponse:
    """Show what the dry run, or the import, found."""
    return _show(request, pk)


@reached
@require_POST
def settle_import(request: HttpRequest, pk: int, act: str) -> HttpResponse:
    """Import all rows, the clean ones, or give the upload up."""
    actor = request.actor
    upload = importing.get_import(actor, pk)
    if act not in ("all", "clean", "discard"):
        raise Http404
    if act == "discard":
        importing.discard_import(actor, upload)
        messages.success(request, _("The upload is removed; nothing of it was kept."))
        return redirect("registry:imports")
    try:
        importing.run_import(actor, upload, clean_only=act == "clean")
    except TransitionRefused as refused:
        return _show(request, pk, refusals=refused.refusals)
    messages.success(request, _("The rows are imported."))
    return redirect("registry:import", pk)


@reached
def rejected(request: HttpRequest, pk: int) -> HttpResponse:
    """Download the rows with faults, each beside what is wrong with it."""
    return _download(*exporting.rejected_rows(importing.get_import(request.actor, pk)))


@reached
def table_template(request: HttpRequest, table: str, form: str) -> HttpResponse:
    """Download an empty table."""
    require_role(request.actor, "import.run")
    if table not in TABLES or form not in MEDIA_TYPES:
        raise Http404
    return _download(*exporting.template(table, form))


@reached
def exports(request: HttpRequest) -> HttpResponse:
    """List what can be exported."""
    keys = exporting.exports_for(request.actor)
    context = {"tables": [(key, TABLES[key].label) for key in keys], "forms": MEDIA_TYPES}
    return render(request, "registry/exports.html", context)


@reached
@require_POST
def export(request: HttpRequest, table: str, form: str) -> HttpResponse:
    """Download an export; sent by POST, as it is written into the audit chain."""
    if table not in exporting.EXPORTS or form not in MEDIA_TYPES:
        raise Http404
    return _download(*exporting.export_table(request.actor, table, form))
