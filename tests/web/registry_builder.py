"""Makes campaigns, operations, children and people for the tests by the actions themselves."""

from __future__ import annotations

import io
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from itertools import count
from typing import Any

from django.utils import timezone
from PIL import Image

from kinward_web.accounts.api import Actor
from kinward_web.casework import api as casework
from kinward_web.registry import actions
from kinward_web.registry.models import Campaign, Operation, Person

__all__ = ["Builder", "codes", "picture"]

_serial = count(1)


def picture(kind: str = "JPEG", size: tuple[int, int] = (40, 30), **options: Any) -> bytes:
    """Return a small picture."""
    out = io.BytesIO()
    Image.new("RGB", size, (200, 90, 40)).save(out, format=kind, **options)
    return out.getvalue()


def codes(refused: Any) -> list[str]:
    """Return the codes of the refusals that pytest caught."""
    return [refusal.code for refusal in refused.value.refusals]


@dataclass
class Builder:
    """Records by the actions that the pages use."""

    actor: Callable[..., Actor]

    @property
    def officer(self) -> Actor:
        """The officer of the own police."""
        return self.actor("police_officer")

    def campaign(self) -> Campaign:
        """Make a campaign."""
        return actions.save_campaign(
            self.officer,
            None,
            name=f"Campaign {next(_serial)}",
            country="CN",
            task_force_from=None,
            special_until=None,
        )

    def operation(
        self,
        hours: float = -5,
        *,
        campaign: Campaign | None = None,
        by: Actor | None = None,
        **options: Any,
    ) -> Operation:
        """Make an operation that starts `hours` from now."""
        return actions.save_operation(
            by or self.officer,
            None,
            campaign=campaign or self.campaign(),
            name=f"Night {next(_serial)}",
            starts_at=timezone.now() + timedelta(hours=hours),
            **options,
        )

    def rescued(
        self,
        operation: Operation,
        *,
        by: Actor | None = None,
        region: str = "Henan",
        name: str = "",
    ) -> Any:
        """Make a child and its case, rescued in `operation`."""
        by = by or self.officer
        child = actions.enter_person(by, name=name, sex="female", region=region)
        return casework.open_case(
            by,
            child.pk,
            "rescue",
            {
                "happened_at": timezone.now() - timedelta(hours=1),
                "place": "the third house",
                "operation": operation.pk,
            },
            region=region,
        )

    def located(self, *, by: Actor | None = None, region: str = "Henan", **options: Any) -> Any:
        """Make a child that is known to be with a buyer."""
        by = by or self.officer
        child = actions.enter_person(by, region=region)
        evidence = {"source": "a teacher", "place": "the village", "with_whom": "a couple"}
        return casework.open_case(by, child.pk, "locate", evidence, region=region, **options)

    def suspect(self, *, by: Actor | None = None, part: str = "buyer", **options: Any) -> Person:
        """Make a person with a part in an investigation."""
        row = actions.enter_suspect(
            by or self.officer,
            part=part,
            standing=options.pop("standing", "arrested"),
            source="statement 7",
            **options,
        )
        return row.person
