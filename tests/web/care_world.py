"""Children who wait, homes that receive, and planners, for the tests of places and plans.

All data is synthetic.
"""

from __future__ import annotations

from datetime import date, timedelta
from decimal import Decimal
from itertools import count
from typing import Any

from agency_world import confirmed
from django.utils import timezone

from conftest import Office
from kinward_web.accounts.api import Actor, actor_for
from kinward_web.casework.api import open_case
from kinward_web.casework.models import CareHome, Case
from kinward_web.registry.models import Campaign, Operation, Person
from kinward_web.rules.roles import Role

__all__ = ["Night"]


class Night:
    """A rescue night in Henan: an operation, children rescued, homes in two provinces."""

    def __init__(self, office: Office) -> None:
        self.office = office
        self._numbers = count(1)
        self.welfare = office.agency("welfare")
        confirmed(self.welfare, accredited=True, named_officer=office.user(Role.WELFARE_WORKER))
        campaign = Campaign.objects.create(
            name="Synthetic campaign",
            task_force_from=date(2011, 2, 1),
            special_until=date(2011, 9, 15),
        )
        self.operation = Operation.objects.create(
            campaign=campaign,
            code="OP-NIGHT",
            name="Synthetic operation",
            lead=office.agency("police"),
            starts_at=timezone.now() - timedelta(days=1),
        )

    def actor(self, role: Role, which: str = "own", number: int = 1) -> Actor:
        """Return who acts, with a fresh second factor."""
        return actor_for(self.office.user(role, which, number), second_factor_at=timezone.now())

    def home(self, **changes: Any) -> CareHome:
        """Add a care place of the welfare agency of Henan."""
        number = next(self._numbers)
        fields: dict[str, Any] = {
            "agency": self.welfare,
            "name": f"Synthetic home {number}",
            "region": "Henan",
            "latitude": 34.8,
            "longitude": 113.7,
            "medical_level": 1,
            "beds": 4,
            "carers": 2,
            "cost_per_child_day": Decimal("80.00"),
            "budget": Decimal("100000.00"),
        }
        return CareHome.objects.create(**fields | changes)

    def child(self, siblings: str = "", age_days: int | None = 900, region: str = "") -> Case:
        """Rescue a child in Henan."""
        today = timezone.localdate()
        born = None if age_days is None else today - timedelta(days=age_days)
        person = Person.objects.create(
            name="Synthetic child",
            region=region,
            born_from=born,
            born_to=born,
            entered_by=self.office.agency("police"),
        )
        evidence = {
            "happened_at": timezone.now().isoformat(),
            "place": "A house in the hills",
            "operation": self.operation.pk,
        }
        officer = self.actor(Role.POLICE_OFFICER)
        return open_case(
            officer, person.pk, "rescue", evidence, region="Henan", sibling_group=siblings
        )
