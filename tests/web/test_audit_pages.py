"""The auditor's pages."""

from __future__ import annotations

import inspect
import re
from typing import Any

import pytest
from django.db import transaction
from django.urls import reverse
from tampering import owner

from kinward_web.audit import api, verification
from kinward_web.audit.models import AuditEvent, ReadEvent
from kinward_web.audit.views import FAULTS
from kinward_web.rules.roles import PERMISSIONS, Role

__all__ = ["owner"]

PAGES = ("audit:chain", "audit:reads")


def fill(actor: Any, count: int) -> None:
    for number in range(count):
        with transaction.atomic():
            api.append(actor, "case.register", f"case:C{number}", {"items": [1], "note": "<b>"})
        api.record_read(actor, "care", "case.read", f"case:C{number}")
    api.seal_reads()


@pytest.mark.parametrize("role", [role for role in Role if role != Role.SYSTEM])
def test_only_an_auditor_sees_the_audit(client_for: Any, role: Role) -> None:
    client = client_for(role)
    expected = 200 if role in PERMISSIONS["audit.read"].reach else 404
    for name in PAGES:
        assert client.get(reverse(name)).status_code == expected
    assert client.post(reverse("audit:verify")).status_code == expected


def test_without_a_login_there_is_nothing(client: Any, db: None) -> None:
    for name in PAGES:
        assert client.get(reverse(name)).status_code == 302


def test_the_chain_is_shown_last_link_first(client_for: Any, actor: Any) -> None:
    fill(actor("police_officer"), 3)
    page = client_for("auditor").get(reverse("audit:chain")).content.decode()
    assert page.index("case:C2") < page.index("case:C0")
    assert "Police Officer" in page
    assert "&lt;b&gt;" in page
    assert "<b>" not in page
    assert str(api.head()) in page
    assert 'aria-current="page"' in page


@pytest.mark.parametrize(
    ("query", "shown"),
    [
        ({"subject": "C1"}, {"case:C1"}),
        ({"subject": "case:C1"}, {"case:C1"}),
        ({"subject": "1"}, set()),
        ({"act": "case."}, {"case:C0", "case:C1"}),
        ({"act": "read.sealed"}, {"reads"}),
        ({"person": "Police"}, {"case:C0", "case:C1"}),
        ({"person": "nobody"}, set()),
    ],
)
def test_links_are_found(
    client_for: Any, actor: Any, query: dict[str, str], shown: set[str]
) -> None:
    fill(actor("police_officer"), 2)
    answer = client_for("auditor").get(reverse("audit:chain"), query)
    found = {row["event"].subject.split("-")[0] for row in answer.context["rows"]}
    assert {subject.split(":")[0] if "reads" in subject else subject for subject in found} == shown


def test_reads_are_found_by_purpose_and_subject(client_for: Any, actor: Any) -> None:
    fill(actor("police_officer"), 2)
    client = client_for("auditor")
    rows = client.get(reverse("audit:reads"), {"purpose": "care", "subject": "C1"}).context["rows"]
    assert [read.subject for read, _label in rows] == ["case:C1"]
    assert client.get(reverse("audit:reads"), {"purpose": "return"}).context["rows"] == []


def test_the_auditor_is_audited_too(client_for: Any, actor: Any) -> None:
    fill(actor("police_officer"), 2)
    client_for("auditor").get(reverse("audit:chain"))
    read = ReadEvent.objects.get(act="audit.read")
    assert read.purpose == "audit"
    assert read.subject.startswith("list:3:")


@pytest.mark.parametrize("name", PAGES)
def test_the_number_of_queries_does_not_grow(
    client_for: Any, actor: Any, django_assert_max_num_queries: Any, name: str
) -> None:
    client = client_for("auditor")
    counts = []
    for count in (3, 60):
        fill(actor("police_officer"), count)
        client.get(reverse(name))
        with django_assert_max_num_queries(20) as captured:
            client.get(reverse(name))
        counts.append(len(captured))
    assert counts[0] == counts[1]
    assert len(client.get(reverse(name)).context["rows"]) == 50


def test_a_verification_is_shown_with_its_time(client_for: Any, actor: Any) -> None:
    fill(actor("police_officer"), 2)
    client = client_for("auditor")
    assert "Not verified yet" in client.get(reverse("audit:chain")).content.decode()
    noted = str(api.head())
    page = client.post(reverse("audit:verify"), {"head": noted}).content.decode()
    assert "The chain is whole: 3 links and 2 sealed reads" in page
    assert "Nothing up to link 3 was rewritten" in page
    event = AuditEvent.objects.get(act="audit.verified")
    assert event.role == "auditor"
    assert "Last verified on" in client.get(reverse("audit:chain")).content.decode()


def test_faults_are_shown(client_for: Any, actor: Any, owner: Any) -> None:
    fill(actor("police_officer"), 2)
    with owner():
        AuditEvent.objects.filter(sequence=2).update(role="auditor")
    client = client_for("auditor")
    page = client.post(reverse("audit:verify"), {"head": "9:" + "a" * 64}).content.decode()
    assert "Link 2: it was altered after it was written" in page
    assert "Link 9: it was noted elsewhere and is gone" in page
    assert "faults found" in client.get(reverse("audit:chain")).content.decode()


def test_a_head_of_another_form_is_refused(client_for: Any) -> None:
    answer = client_for("auditor").post(reverse("audit:verify"), {"head": "x"})
    assert answer.status_code == 422
    assert "NUMBER:HASH" in answer.content.decode()
    assert not AuditEvent.objects.exists()


def test_every_fault_has_a_meaning() -> None:
    source = inspect.getsource(verification)
    assert set(re.findall(r'faults\.add\(\s*"(\w+)"', source)) == set(FAULTS)
