"""Imports: a dry run that really does everything and takes it back, then the decision.

Every row goes through the actions of the pages, as the same person, so that the import refuses
whatever the pages refuse, in the same words.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Any

from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from kinward_web.accounts.api import Actor, Channel
from kinward_web.audit import api as audit
from kinward_web.errors import NotAllowed, TransitionRefused
from kinward_web.registry.actions.common import refuse, require_role
from kinward_web.registry.models import ImportFile
from kinward_web.registry.transfer.reading import Reading, RowFault, Sheet, read_upload
from kinward_web.registry.transfer.rows import HANDLERS, Run, Wrong, parse_row
from kinward_web.registry.transfer.tables import TABLES

__all__ = [
    "KEPT_FOR",
    "Outcome",
    "discard_import",
    "get_import",
    "imports_of",
    "run_import",
    "stage_import",
]

KEPT_FOR = timedelta(days=1)
"""How long an upload, or what was rejected of it, waits for its sender."""


@dataclass(slots=True)
class Outcome:
    """What a run did or would do."""

    faults: list[RowFault] = field(default_factory=list)
    clean: Counter[str] = field(default_factory=Counter)
    """Rows without a fault, by table."""
    rejected: list[tuple[str, int]] = field(default_factory=list)
    """(sheet, row) of each row with a fault."""

    def to_json(self) -> dict[str, Any]:
        """Return the outcome as JSON values."""
        return {
            "faults": [fault.to_json() for fault in self.faults],
            "clean": dict(self.clean),
            "rejected": [list(row) for row in self.rejected],
        }


def imports_of(actor: Actor) -> list[ImportFile]:
    """Return the uploads of this very person that still wait; those too old are removed."""
    require_role(actor, "import.run")
    ImportFile.objects.filter(uploaded_at__lt=timezone.now() - KEPT_FOR).delete()
    return list(ImportFile.objects.filter(user_id=actor.user_id).defer("sheets"))


def get_import(actor: Actor, pk: int) -> ImportFile:
    """Return an upload of this very person.

    :raises NotAllowed: there is none.
    """
    require_role(actor, "import.run")
    found = ImportFile.objects.filter(
        pk=pk, user_id=actor.user_id, uploaded_at__gte=timezone.now() - KEPT_FOR
    ).first()
    if found is None:
        raise NotAllowed("no such import")
    return found


@transaction.atomic
def stage_import(
    actor: Actor, name: str, data: bytes, table: str = "", encoding: str = "utf-8"
) -> ImportFile:
    """Read an upload, run it dry, and keep both for the decision. Nothing is entered.

    :raises NotAllowed: the role imports nothing.
    """
    require_role(actor, "import.run")
    reading = read_upload(name, data, table, encoding)
    outcome = _dry(actor, reading)
    cells = [fault.to_json() for fault in reading.faults]
    upload = ImportFile.objects.create(
        user_id=actor.user_id,
        name=name[:120],
        sha256=hashlib.sha256(data).hexdigest(),
        sheets=_sheets_to_json(reading.sheets),
        report=outcome.to_json() | {"cells": cells, "readable": _readable(reading)},
    )
    _write_down(actor, "import.checked", upload, outcome)
    return upload


@transaction.atomic
def run_import(actor: Actor, upload: ImportFile, *, clean_only: bool = False) -> Outcome:
    """Enter the rows of an upload: all, or with `clean_only` those without a fault.

    Rows that were rejected are kept for a day, to be downloaded and mended.

    :raises NotAllowed: it is not the actor's, or the role imports nothing.
    :raises EntryRefused: it was imported before, it could not be read as a whole, or rows have
        faults and `clean_only` is not set; nothing is entered then.
    """
    get_import(actor, upload.pk)
    row = ImportFile.objects.select_for_update().get(pk=upload.pk)
    if row.imported_at is not None:
        raise refuse("imported", _("This file has been imported."), _("Upload another file."))
    if not row.report["readable"]:
        raise refuse(
            "unreadable",
            _("The file could not be read as a whole."),
            _("Mend what is listed and upload it again."),
        )
    reading = Reading(_sheets_from_json(row.sheets))
    reading.faults = [RowFault(**fault) for fault in row.report["cells"]]
    outcome = _execute(actor, reading)
    if outcome.faults and not clean_only:
        raise refuse(
            "faults",
            _("Rows of this file have faults; nothing was imported."),
            _("Mend them and upload the file again, or import the clean rows alone."),
        )
    _keep_rejected(row, reading, outcome)
    row.imported_at = timezone.now()
    row.report = outcome.to_json() | {"cells": [], "readable": True}
    row.save()
    _write_down(actor, "import.done", row, outcome)
    return outcome


@transaction.atomic
def discard_import(actor: Actor, upload: ImportFile) -> None:
    """Remove an upload and what was rejected of it.

    :raises NotAllowed: it is not the actor's.
    """
    get_import(actor, upload.pk).delete()
    audit.append(actor, "import.discarded", f"import:{upload.pk}", {"sha256": upload.sha256})


# ------------------------------------------------------------------------------ running


def _importer(actor: Actor) -> Actor:
    return replace(actor, channel=Channel.IMPORT)


def _write_down(actor: Actor, act: str, upload: ImportFile, outcome: Outcome) -> None:
    kinds = Counter(fault.kind for fault in outcome.faults)
    detail = {
        "sha256": upload.sha256,
        "rows": dict(outcome.clean),
        "rejected": len(outcome.rejected),
        "faults": dict(sorted(kinds.items())),
    }
    audit.append(_importer(actor), act, f"import:{upload.pk}", detail)


def _readable(reading: Reading) -> bool:
    """Whether every fault concerns single cells, so that the other rows can be imported."""
    whole = any(fault.row is None or fault.kind.endswith("-column") for fault in reading.faults)
    return bool(reading.sheets) and not whole


def _dry(actor: Actor, reading: Reading) -> Outcome:
    with transaction.atomic():
        outcome = _execute(actor, reading)
        transaction.set_rollback(True)
    return outcome


def _execute(actor: Actor, reading: Reading) -> Outcome:
    run, outcome = Run(_importer(actor)), Outcome()
    unusable = {(fault.sheet, fault.row) for fault in reading.faults}
    outcome.faults += reading.faults
    order = list(TABLES)
    for sheet in sorted(reading.sheets, key=lambda sheet: order.index(sheet.table.key)):
        for number, values in sheet.rows:
            faults = [] if (sheet.name, number) in unusable else _row(run, sheet, number, values)
            outcome.faults += faults
            if faults or (sheet.name, number) in unusable:
                outcome.rejected.append((sheet.name, number))
            else:
                outcome.clean[sheet.table.key] += 1
    return outcome


def _row(run: Run, sheet: Sheet, number: int, values: dict[str, str]) -> list[RowFault]:
    parsed, wrongs = parse_row(sheet.table, values)
    if not wrongs:
        labels = dict(run.people), dict(run.households)
        try:
            with transaction.atomic():
                HANDLERS[sheet.table.key](run, parsed)
            return []
        except Wrong as wrong:
            wrongs = [wrong]
        except TransitionRefused as refused:
            wrongs = [
                Wrong(_column(sheet, row.code), row.code, str(row.message), str(row.path))
                for row in refused.refusals
            ]
        except NotAllowed:
            wrongs = [
                Wrong(
                    "",
                    "not-allowed",
                    _("this is out of your reach, or does not exist"),
                    _("ask the agency that answers for it, or leave the row out"),
                )
            ]
        # What the row made is gone with it, and so are its labels.
        run.people, run.households = labels
    return [
        RowFault(sheet.name, number, wrong.column, wrong.kind, wrong.message, wrong.mend)
        for wrong in wrongs
    ]


def _column(sheet: Sheet, code: str) -> str:
    key = code.removeprefix("evidence:")
    return key if key in sheet.table.keys else ""


# ------------------------------------------------------------------------------ keeping


def _sheets_to_json(sheets: list[Sheet]) -> list[dict[str, Any]]:
    return [
        {"name": sheet.name, "table": sheet.table.key, "rows": [list(row) for row in sheet.rows]}
        for sheet in sheets
    ]


def _sheets_from_json(raw: list[dict[str, Any]]) -> list[Sheet]:
    return [
        Sheet(sheet["name"], TABLES[sheet["table"]], [(row[0], row[1]) for row in sheet["rows"]])
        for sheet in raw
    ]


def _keep_rejected(upload: ImportFile, reading: Reading, outcome: Outcome) -> None:
    rejected = set(outcome.rejected)
    kept = [
        Sheet(
            sheet.name,
            sheet.table,
            [row for row in sheet.rows if (sheet.name, row[0]) in rejected],
        )
        for sheet in reading.sheets
    ]
    upload.sheets = _sheets_to_json([sheet for sheet in kept if sheet.rows])
