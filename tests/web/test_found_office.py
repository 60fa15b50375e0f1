"""The first two agencies are entered at the command line, and no third."""

from __future__ import annotations

import pytest
from django.core.management import CommandError, call_command
from django.test import Client

from kinward_web.accounts.models import Agency, User
from kinward_web.audit.models import AuditEvent

pytestmark = pytest.mark.django_db


def found(number: int, **changes: str) -> str:
    from io import StringIO

    out = StringIO()
    options = {
        "kind": "police",
        "name": f"Synthetic police {number}",
        "email": f"administrator-{number}@example.org",
        "person": f"Administrator {number}",
        "number": f"F-{number}",
    }
    call_command("found_office", f"police-{number}", stdout=out, **options | changes)
    return out.getvalue()


def test_the_first_administrator_sets_a_password():
    printed = found(1)
    address = next(word for word in printed.split() if word.startswith("/"))
    assert Client().get(address, follow=True).status_code == 200
    person = User.objects.get()
    assert (person.role, person.agency.code) == ("administrator", "police-1")
    assert not person.has_usable_password()
    assert not person.agency.accredited
    assert AuditEvent.objects.filter(act="accounts.founded").count() == 1


def test_a_third_agency_is_left_to_the_two():
    found(1)
    found(2)
    with pytest.raises(CommandError, match="Two agencies have administrators"):
        found(3)
    assert Agency.objects.count() == 2


def test_nobody_founds_an_agency_that_exists():
    found(1)
    with pytest.raises(CommandError, match="exists"):
        call_command(
            "found_office",
            "police-1",
            kind="police",
            name="Again",
            email="again@example.org",
            person="Again",
            number="F-9",
        )
    assert User.objects.count() == 1


def test_a_malformed_value_leaves_nothing():
    with pytest.raises(CommandError):
        found(1, email="no address")
    assert not Agency.objects.exists()
    assert not User.objects.exists()
