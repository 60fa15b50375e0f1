"""Agencies as two administrators have confirmed them, for the worlds of the tests."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from django.utils import timezone

from kinward_web.accounts.models import Agency, AgencyChange, User

__all__ = ["administrator_of", "confirmed", "proposal"]


def administrator_of(agency: Agency) -> User:
    """Return an administrator of `agency`, appointed when first asked for."""
    found = User.objects.filter(role="administrator", agency=agency, is_active=True).first()
    return found or User.objects.create(
        role="administrator",
        agency=agency,
        email=f"confirmer-{agency.pk}@example.org",
        full_name=f"Synthetic administrator {agency.pk}",
        person_number=f"A-{agency.pk}",
    )


def proposal(agency: Agency, **values: Any) -> AgencyChange:
    """Propose `values` for an agency, without an entry in the audit chain."""
    now = timezone.now()
    columns = (
        "code",
        "name",
        "kind",
        "country",
        "region",
        "phone",
        "address",
        "accredited",
        "named_officer",
    )
    kept = {name: getattr(agency, name) for name in columns}
    return AgencyChange.objects.create(
        agency=agency,
        proposed_by=administrator_of(agency),
        proposed_at=now,
        expires_at=now + timedelta(hours=1),
        **kept | values,
    )


def confirmed(agency: Agency, **values: Any) -> Agency:
    """Change what needs two administrators, as they would have done before the test begins."""
    other = Agency.objects.exclude(pk=agency.pk).first()
    if other is None:
        other = Agency.objects.create(code="second", name="Second agency", kind="oversight")
    change = proposal(agency, **values)
    change.confirmed_by = administrator_of(other)
    change.save()
    for name, value in values.items():
        setattr(agency, name, value)
    agency.save()
    change.closed_at = timezone.now()
    change.save()
    return agency
