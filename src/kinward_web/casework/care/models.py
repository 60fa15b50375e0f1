"""Plans of a night as they were computed. They hold codes and numbers, never names."""

from __future__ import annotations

from typing import ClassVar

from django.conf import settings
from django.db import models

__all__ = ["NightPlan", "NightPlanRow"]


class NightPlan(models.Model):
    """One computed plan. Personal data: none; children stand in it by the code of their case."""

    made_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="night_plans"
    )
    agency = models.ForeignKey("accounts.Agency", on_delete=models.PROTECT, related_name="+")
    made_at = models.DateTimeField()
    days = models.PositiveSmallIntegerField()
    """Days for which carers and money must last."""
    content = models.JSONField()
    """Needs, those without a place with the reason, what would suffice, and the proof."""

    class Meta:
        """Newest first."""

        app_label = "casework"
        ordering: ClassVar = ["-made_at", "-pk"]


class NightPlanRow(models.Model):
    """One child of a plan and the home it was given."""

    plan = models.ForeignKey(NightPlan, on_delete=models.CASCADE, related_name="rows")
    case = models.ForeignKey("casework.Case", on_delete=models.PROTECT, related_name="+")
    home = models.ForeignKey("casework.CareHome", on_delete=models.PROTECT, related_name="+")
    facts = models.JSONField()
    """Why this home: the fields of `plan.Placing`."""
    digest = models.CharField(max_length=64)
    """SHA-256 over child and home as the plan saw them; a row is stale once it differs."""
    placement = models.ForeignKey(
        "casework.Placement", null=True, on_delete=models.PROTECT, related_name="+"
    )
    """Set when the row is accepted."""

    class Meta:
        """One row per child."""

        app_label = "casework"
        constraints: ClassVar = [
            models.UniqueConstraint(name="night_plan_row_once", fields=["plan", "case"])
        ]
