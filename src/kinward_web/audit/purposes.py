"""Why a record may be looked at.

The list is closed, and a search for offenders is not on it: the records of rescued children and
searching families serve the children alone.
"""

from __future__ import annotations

from django.db import models
from django.utils.translation import gettext_lazy as _

__all__ = ["PURPOSES", "Purpose"]


class Purpose(models.TextChoices):
    """The purpose of a look at a record; every read names one."""

    RESCUE = "rescue", _("rescue of this child")
    CARE = "care", _("care and treatment")
    IDENTIFICATION = "identification", _("finding out who the child is and who searches for it")
    PLACEMENT = "placement", _("choice of a place")
    PROTECTION = "protection", _("protection from those who trafficked or bought the child")
    INVESTIGATION = "investigation", _("investigation of the trafficking of this child")
    RETURN = "return", _("return to the family, or to the home country")
    FOLLOW_UP = "follow_up", _("visits and services after the return")
    OVERSIGHT = "oversight", _("oversight of a campaign, in numbers")
    AUDIT = "audit", _("audit")


PURPOSES: dict[str, str] = dict(Purpose.choices)
"""Label of each purpose by its key."""
