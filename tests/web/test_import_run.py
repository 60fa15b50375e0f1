"""The import goes through the actions: it refuses what the pages refuse, in the same words."""

from __future__ import annotations

import io

import openpyxl
import pytest
from django.db import connection
from registry_builder import Builder, codes, picture

from kinward_web.accounts.api import Channel
from kinward_web.audit.models import AuditEvent
from kinward_web.casework import api as casework
from kinward_web.casework.models import CareHome, Case, CaseParty, Placement
from kinward_web.errors import NotAllowed, TransitionRefused
from kinward_web.registry import actions
from kinward_web.registry.models import Household, ImportFile, Link, Person
from kinward_web.registry.transfer import exporting, importing
from kinward_web.registry.transfer.tables import TABLES
from kinward_web.registry.transfer.writing import write_csv, write_xlsx
from kinward_web.rules.roles import PERMISSIONS, Role

pytestmark = pytest.mark.django_db


@pytest.fixture
def make(actor):
    return Builder(actor)


def stage(who, table, *rows):
    """Upload rows given as mappings."""
    header = list(dict.fromkeys(key for row in rows for key in row))
    data = write_csv(header, [[row.get(key, "") for key in header] for row in rows])
    return importing.stage_import(who, f"{table}.csv", data, table)


def faults(upload):
    return [(row["row"], row["column"], row["kind"]) for row in upload.report["faults"]]


LOCATED = {
    "step": "locate",
    "region": "Henan",
    "source": "a teacher",
    "place": "the village",
    "with_whom": "a couple",
}


def test_a_dry_run_leaves_no_trace_but_its_line_in_the_audit(make):
    upload = stage(make.officer, "children", {**LOCATED, "name": "A"}, {**LOCATED, "name": "B"})
    assert upload.report["clean"] == {"children": 2}
    assert not Person.objects.exists()
    assert not Case.objects.exists()
    acts = AuditEvent.objects.values_list("act", "channel")
    assert list(acts) == [("import.checked", "import")]


def test_a_clean_file_is_imported_whole(make):
    sent_back = {**LOCATED, "name": "A", "returned_to_buyer": "yes", "sibling_group": "S1"}
    upload = stage(make.officer, "children", sent_back, {**LOCATED, "name": "B"})
    importing.run_import(make.officer, upload)
    case = Case.objects.get(returned_to_buyer=True)
    assert (case.state, case.sibling_group, case.child.name) == ("located", "S1", "A")
    assert Case.objects.count() == 2
    upload.refresh_from_db()
    assert upload.sheets == []
    with pytest.raises(actions.EntryRefused) as refused:
        importing.run_import(make.officer, upload)
    assert codes(refused) == ["imported"]
    channels = set(AuditEvent.objects.filter(act="case.locate").values_list("channel", flat=True))
    assert channels == {Channel.IMPORT.value}


def test_nothing_is_imported_unless_the_whole_file_is_clean_or_one_chooses_so(make):
    rows = ({**LOCATED, "name": "A"}, {"step": "locate", "region": "Henan", "name": "B"})
    upload = stage(make.officer, "children", *rows)
    assert faults(upload) == [
        (3, "source", "evidence:source"),
        (3, "place", "evidence:place"),
        (3, "with_whom", "evidence:with_whom"),
    ]
    with pytest.raises(actions.EntryRefused) as refused:
        importing.run_import(make.officer, upload)
    assert codes(refused) == ["faults"]
    assert not Person.objects.exists()
    importing.run_import(make.officer, upload, clean_only=True)
    assert [person.name for person in Person.objects.all()] == ["A"]
    upload.refresh_from_db()
    name, data = exporting.rejected_rows(upload)
    sheet = openpyxl.load_workbook(io.BytesIO(data))["children"]
    assert name.endswith(".xlsx")
    assert sheet.max_row == 2
    assert "missing" in sheet.cell(2, sheet.max_column).value


def test_cells_with_faults_stay_out_after_the_dry_run(make):
    rows = ({**LOCATED, "born_from": "03/04/2011"}, {**LOCATED, "returned_to_buyer": "maybe"})
    upload = stage(make.officer, "children", *rows, LOCATED)
    assert faults(upload) == [(2, "born_from", "date"), (3, "returned_to_buyer", "choice")]
    book = write_xlsx({"children": (list(LOCATED), [list(LOCATED.values())])})
    workbook = openpyxl.load_workbook(io.BytesIO(book))
    workbook["children"].append(["locate", "=A1", "x", "y", "z"])
    out = io.BytesIO()
    workbook.save(out)
    upload = importing.stage_import(make.officer, "t.xlsx", out.getvalue())
    assert faults(upload) == [(3, "region", "formula")]
    importing.run_import(make.officer, upload, clean_only=True)
    assert Person.objects.count() == 1


def test_labels_join_the_sheets_of_one_workbook(make):
    operation = make.operation()
    tables = {
        "households": [
            {"household": "h1", "address": "3 Mill Lane", "person": "m1", "adult": "yes"},
            {"household": "h1", "person": "b1", "adult": "yes"},
        ],
        "links": [{"first": "b1", "second": "m1", "kind": "payment", "source": "bank"}],
        "suspects": [
            {
                "ref": "b1",
                "name": "B",
                "part": "buyer",
                "standing": "arrested",
                "source": "statement",
                "operation": operation.code,
                "phone": "13800138000",
            }
        ],
        "relatives": [
            {"ref": "m1", "name": "M", "child": "c1", "relation": "parent", "source": "her word"}
        ],
        "children": [{**LOCATED, "ref": "c1", "name": "C"}],
    }
    sheets = {
        table: (
            TABLES[table].keys,
            [[row.get(key, "") for key in TABLES[table].keys] for row in rows],
        )
        for table, rows in tables.items()
    }
    upload = importing.stage_import(make.officer, "all.xlsx", write_xlsx(sheets))
    assert faults(upload) == []
    importing.run_import(make.officer, upload)
    assert Household.objects.get().members.count() == 2
    assert set(Link.objects.values_list("kind", flat=True)) == {"parent", "payment"}
    assert Person.objects.get(involvements__part="buyer").identifiers.count() == 1


def test_a_row_that_names_a_rejected_row_is_rejected_too(make):
    child = {"step": "locate", "ref": "c1", "region": "Henan"}
    upload = importing.stage_import(
        make.officer,
        "t.xlsx",
        write_xlsx(
            {
                "children": (list(child), [list(child.values())]),
                "relatives": (
                    ("name", "child", "relation", "source"),
                    [("M", "c1", "parent", "x")],
                ),
            }
        ),
    )
    assert (2, "child", "unknown") in faults(upload)
    assert upload.report["clean"] == {}


HOME = {
    "name": "River Home",
    "region": "Henan",
    "latitude": "34.75",
    "longitude": "113.62",
    "beds": "12",
    "carers": "4",
    "cost_per_child_day": "180.50",
    "budget": "90000",
}


def test_care_places_are_kept_by_their_own_agency(make, actor, office):
    welfare = actor("welfare_worker")
    importing.run_import(welfare, stage(welfare, "homes", HOME))
    importing.run_import(welfare, stage(welfare, "homes", HOME | {"beds": "14"}))
    home = CareHome.objects.get()
    assert (home.beds, home.agency) == (14, office.agency("welfare"))
    wrong = [{"beds": "many"}, {"beds": "-3"}, {"beds": "2.5"}, {"region": "x" * 61}]
    upload = stage(welfare, "homes", *(HOME | row for row in wrong))
    assert [(row, column) for row, column, _kind in faults(upload)] == [
        (2, "beds"),
        (3, "beds"),
        (4, "beds"),
        (5, "region"),
    ]
    assert faults(stage(make.officer, "homes", HOME)) == [(2, "", "not-allowed")]


# ------------------------------------------------------------------------------ no way round


def replay_2011(make, actor, office):
    """A rescued, registered and examined child whose buyer wants it back."""
    case = make.rescued(make.operation())
    CareHome.objects.create(
        agency=office.agency("welfare"),
        name="Home",
        region="Henan",
        latitude=34.7,
        longitude=113.6,
        beds=10,
        carers=3,
        cost_per_child_day=100,
        budget=1000,
    )
    buyer = make.suspect(name="Buyer", region="Henan")
    household = actions.enter_household(make.officer, region="Henan", address="3 Mill Lane")
    actions.add_member(make.officer, household, buyer, adult=True)
    actions.store_document(
        make.officer, case.child, kind="photograph", title="face", data=picture()
    )
    return case, buyer, household


@pytest.mark.parametrize("step", ["propose", "clear", "place", "receive_at_night"])
@pytest.mark.parametrize("purpose", ["care", "return"])
def test_the_2011_replay_through_the_import(make, actor, office, step, purpose):
    case, _buyer, household = replay_2011(make, actor, office)
    now = "2011-07-15 04:30"
    row = {
        "case": case.code,
        "household": household.code,
        "purpose": purpose,
        "step": step,
        "happened_at": now,
        "receiving_person": "the buyer",
        "escort": "x",
    }
    upload = stage(make.officer, "placements", row)
    assert upload.report["clean"] == {}
    with pytest.raises(TransitionRefused) as page:
        casework.propose_placement(make.officer, case, household_id=household.pk, purpose=purpose)
    expected = {(row.code, str(row.message), str(row.path)) for row in page.value.refusals}
    found = {(row["kind"], row["message"], row["mend"]) for row in upload.report["faults"]}
    assert found >= expected
    importing.run_import(make.officer, upload, clean_only=True)
    assert not Placement.objects.exists()
    case.refresh_from_db()
    assert case.state == "rescued"


@pytest.mark.parametrize(
    "step", ["hand_over", "undo_rescue", "reunited", "located", "close", "locate", ""]
)
def test_a_row_takes_no_step_that_the_page_refuses(make, actor, office, step):
    case, _buyer, _household = replay_2011(make, actor, office)
    upload = stage(make.officer, "children", {"case": case.code, "step": step, "place": "x"})
    assert upload.report["clean"] == {}
    if step:
        with pytest.raises(TransitionRefused) as page:
            casework.transition(make.officer, case, step, {"place": "x"})
        found = [(row["kind"], row["message"], row["mend"]) for row in upload.report["faults"]]
        assert found == [(row.code, str(row.message), str(row.path)) for row in page.value.refusals]
    importing.run_import(make.officer, upload, clean_only=True)
    case.refresh_from_db()
    assert case.state == "rescued"


def test_the_legitimate_step_goes_through_the_import(make, actor, office):
    case, _buyer, _household = replay_2011(make, actor, office)
    row = {
        "case": case.code,
        "step": "register",
        "happened_at": case.rescued_at.isoformat(),
        "place": "the third house",
        "operation": case.operation.code,
        "wristband": "W-17",
        "found_with": "nothing",
    }
    upload = stage(make.officer, "children", row)
    assert faults(upload) == []
    importing.run_import(make.officer, upload)
    case.refresh_from_db()
    assert (case.state, case.wristband) == ("registered", "W-17")


def test_the_import_does_not_reach_further_than_its_sender(make, actor):
    case = make.rescued(make.operation())
    sealed = make.operation(+5)
    stranger = actor("police_officer", "other")
    upload = stage(stranger, "children", {"case": case.code, "step": "undo_rescue", "reason": "x"})
    assert faults(upload) == [(2, "case", "unknown")]
    rows = [
        {"part": "buyer", "standing": "alleged", "source": "x", "operation": code}
        for code in (sealed.code, "OP-NONE")
    ]
    upload = stage(actor("police_officer", number=2), "suspects", *rows)
    texts = {(row["column"], row["kind"], row["message"]) for row in upload.report["faults"]}
    assert len(texts) == 1
    mistaken = {"part": "buyer", "standing": "mistaken", "source": "x"}
    assert faults(stage(make.officer, "suspects", mistaken)) == [
        (2, "standing", "evidence:standing")
    ]
    welfare = stage(actor("welfare_worker"), "suspects", rows[1] | {"operation": ""})
    assert faults(welfare) == [(2, "", "not-allowed")]


@pytest.mark.parametrize(
    "role", sorted(set(Role) - set(PERMISSIONS["import.run"].reach) - {Role.SYSTEM})
)
def test_other_roles_import_nothing(actor, role):
    with pytest.raises(NotAllowed):
        stage(actor(role), "children", LOCATED)


def test_an_upload_is_its_senders_alone_and_encrypted(make, actor):
    upload = stage(make.officer, "children", {**LOCATED, "name": "Wang Xiulan"})
    with connection.cursor() as cursor:
        cursor.execute("SELECT sheets, report FROM registry_importfile")
        assert "Xiulan" not in str(cursor.fetchone())
    for other in (actor("police_officer", number=2), actor("police_analyst")):
        with pytest.raises(NotAllowed):
            importing.get_import(other, upload.pk)
        with pytest.raises(NotAllowed):
            importing.run_import(other, upload)
    importing.discard_import(make.officer, upload)
    assert not ImportFile.objects.exists()


# ------------------------------------------------------------------------------ exports


def export(who, table, form="csv"):
    return exporting.export_table(who, table, form)[1].decode("utf-8-sig").splitlines()


def test_an_export_obeys_scope_and_is_written_down(make, actor):
    own = make.rescued(make.operation(), name="=cmd|'/C calc'!A0")
    make.rescued(
        make.operation(by=actor("police_officer", "other")),
        by=actor("police_officer", "other"),
        region="Yunnan",
    )
    lines = export(actor("police_analyst"), "children")
    assert len(lines) == 2
    assert own.code in lines[1]
    assert "'=cmd" in lines[1]
    assert ",=cmd" not in lines[1]
    assert "sample" not in lines[0]
    event = AuditEvent.objects.order_by("-sequence").first()
    assert (event.act, event.detail["rows"]) == ("export.children", 1)
    assert len(export(actor("auditor"), "children")) == 3
    welfare = actor("welfare_worker")
    assert len(export(welfare, "children")) == 1
    CaseParty.objects.create(case=own, agency_id=welfare.agency_id)
    assert len(export(welfare, "children")) == 2
    with pytest.raises(NotAllowed):
        export(make.officer, "children")


def test_suspects_are_exported_by_those_who_read_them(make, actor):
    make.suspect(name="Buyer")
    sealed = make.operation(+5)
    make.suspect(operation=sealed, sealed=True, name="Sealed")
    lines = export(actor("police_analyst"), "suspects")
    assert len(lines) == 2
    assert "Sealed" not in "".join(lines)
    with pytest.raises(NotAllowed):
        export(actor("welfare_worker"), "suspects")


@pytest.mark.parametrize("table", exporting.EXPORTS)
@pytest.mark.parametrize("form", ["csv", "xlsx"])
def test_every_export_and_template_is_made(make, actor, table, form):
    make.rescued(make.operation(), name="A")
    analyst = actor("police_analyst")
    name, data = exporting.export_table(analyst, table, form)
    assert name.endswith(form)
    assert data
    name, data = exporting.template(table, form)
    upload = importing.stage_import(make.officer, name, data, table)
    assert [fault["kind"] for fault in upload.report["faults"]] == ["empty"]
