"""Exports: the tables of the imports, as far as the actor's role reaches, and templates.

No export holds a genotype or a laboratory code, and none is made without a line in the audit chain.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from datetime import date, datetime
from typing import Any

from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from kinward_web.accounts.api import Actor
from kinward_web.audit import api as audit
from kinward_web.casework import api as casework
from kinward_web.errors import NotAllowed
from kinward_web.registry.actions.common import require_role
from kinward_web.registry.models import ImportFile, Link, Person
from kinward_web.registry.scope import (
    FAMILY,
    involvements_for,
    links_for,
    members_for,
    operations_for,
    people_for,
    reads_suspects,
)
from kinward_web.registry.transfer.tables import TABLES
from kinward_web.registry.transfer.writing import write_csv, write_xlsx

__all__ = ["EXPORTS", "export_table", "exports_for", "rejected_rows", "template"]

Row = tuple[str, ...]
_PERSON = ("name", "sex", "born_from", "born_to", "region")


def _cell(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, datetime):
        return timezone.localtime(value).strftime("%Y-%m-%d %H:%M")
    if isinstance(value, date):
        return value.isoformat()
    return str(value)


def _person(person: Person) -> Row:
    return tuple(_cell(getattr(person, key)) for key in _PERSON)


def _children(actor: Actor) -> Iterator[Row]:
    cases = casework.cases_for(actor, "export.run").select_related("child", "operation")
    open_codes = _open_operations(actor)
    for case in cases.order_by("code").iterator(chunk_size=500):
        operation = case.operation
        shown = operation.code if operation and operation.code in open_codes else ""
        yield (
            case.code,
            case.child.code,
            case.state,
            *_person(case.child),
            _cell(case.returned_to_buyer),
            case.sibling_group,
            _cell(case.rescued_at),
            shown,
            case.wristband,
        )


def _open_operations(actor: Actor) -> set[str]:
    return set(operations_for(actor).values_list("code", flat=True))


def _within(actor: Actor) -> Any:
    return people_for(actor, "export.run").values("pk")


def _relatives(actor: Actor) -> Iterator[Row]:
    children = casework.cases_for(actor, "export.run").values("child_id")
    links = links_for(actor).filter(
        kind__in=[kind for kind in FAMILY if kind != Link.Kind.PARTNER],
        second__in=children,
        retracted_at__isnull=True,
    )
    for link in links.select_related("first", "second").order_by("pk").iterator(chunk_size=500):
        yield (link.first.code, *_person(link.first), link.second.code, link.kind, link.source)


def _suspects(actor: Actor) -> Iterator[Row]:
    rows = involvements_for(actor).select_related("person", "operation").order_by("pk")
    if not reads_suspects(actor):
        raise NotAllowed("suspects are exported by those who may read them")
    for row in rows.iterator(chunk_size=500):
        operation = row.operation.code if row.operation else ""
        person = row.person
        yield (person.code, *_person(person), row.part, row.standing, row.source, operation)


def _links(actor: Actor) -> Iterator[Row]:
    people = _within(actor)
    rows = links_for(actor).filter(first__in=people, second__in=people)
    for link in rows.select_related("first", "second").order_by("pk").iterator(chunk_size=500):
        retracted = _cell(link.retracted_at)
        yield (link.first.code, link.second.code, link.kind, link.source, retracted)


def _households(actor: Actor) -> Iterator[Row]:
    rows = members_for(actor).filter(person__in=_within(actor), retracted_at__isnull=True)
    rows = rows.select_related("household", "person").order_by("household__code", "pk")
    for row in rows.iterator(chunk_size=500):
        home = row.household
        adult, until = _cell(row.adult), _cell(row.until)
        yield (home.code, home.region, home.address, row.person.code, adult, until)


EXPORTS: dict[str, tuple[tuple[str, ...], Callable[[Actor], Iterator[Row]]]] = {
    "children": (
        (
            "case",
            "person",
            "state",
            *_PERSON,
            "returned_to_buyer",
            "sibling_group",
            "rescued_at",
            "operation",
            "wristband",
        ),
        _children,
    ),
    "relatives": (("person", *_PERSON, "child", "relation", "source"), _relatives),
    "suspects": (
        ("person", *_PERSON, "part", "standing", "source", "operation"),
        _suspects,
    ),
    "links": (("first", "second", "kind", "source", "retracted_at"), _links),
    "households": (
        ("household", "region", "address", "person", "adult", "until"),
        _households,
    ),
}
"""Columns and rows of each export."""


def exports_for(actor: Actor) -> list[str]:
    """Return the tables that the actor may export.

    :raises NotAllowed: none.
    """
    require_role(actor, "export.run")
    return [key for key in EXPORTS if key != "suspects" or reads_suspects(actor)]


@transaction.atomic
def export_table(actor: Actor, table: str, form: str) -> tuple[str, bytes]:
    """Return file name and content of an export.

    :param form: `csv` or `xlsx`.
    :raises NotAllowed: the role does not export this table.
    """
    if table not in exports_for(actor):
        raise NotAllowed(f"{actor.role} does not export {table}")
    header, read = EXPORTS[table]
    rows = list(read(actor))
    data = write_csv(header, rows) if form == "csv" else write_xlsx({table: (header, rows)})
    digest = hashlib.sha256(data).hexdigest()
    audit.append(actor, f"export.{table}", "", {"rows": len(rows), "sha256": digest})
    day = timezone.localdate().isoformat()
    return f"kinward-{table}-{day}.{form}", data


def template(table: str, form: str) -> tuple[str, bytes]:
    """Return file name and content of an empty table with its header."""
    header = TABLES[table].keys
    data = write_csv(header, []) if form == "csv" else write_xlsx({table: (header, [])})
    return f"kinward-{table}-template.{form}", data


def rejected_rows(upload: ImportFile) -> tuple[str, bytes]:
    """Return a workbook of the rows that an import rejected, each beside its faults."""
    faults: dict[tuple[str, int], list[str]] = {}
    for fault in upload.report["faults"]:
        place = f"{fault['column']}: " if fault["column"] else ""
        text = f"{place}{fault['message']} → {fault['mend']}"
        faults.setdefault((fault["sheet"], fault["row"]), []).append(text)
    sheets = {}
    for sheet in upload.sheets or []:
        keys = TABLES[sheet["table"]].keys
        rows = [
            (*(values.get(key, "") for key in keys), " | ".join(faults[sheet["name"], number]))
            for number, values in sheet["rows"]
            if (sheet["name"], number) in faults
        ]
        if rows:
            sheets[sheet["table"]] = ((*keys, _("faults (remove this column)")), rows)
    data = write_xlsx(sheets or {"empty": ((), [])})
    return "kinward-rejected.xlsx", data
