"""Notices that the public may see."""

from __future__ import annotations

from typing import ClassVar

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from kinward_web.rules.table import NEW

__all__ = ["Publication"]


class Publication(models.Model):
    """One notice. Personal data: what the family consented to show."""

    case = models.ForeignKey(
        "casework.Case", null=True, blank=True, on_delete=models.PROTECT, related_name="notices"
    )
    title = models.CharField(_("title"), max_length=120)
    text = models.TextField(_("text"))
    photograph = models.ForeignKey(
        "registry.Document", null=True, blank=True, on_delete=models.PROTECT, related_name="+"
    )
    contact = models.CharField(_("whom to tell"), max_length=120)
    author = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    ends_on = models.DateField(_("shown until"))
    state = models.CharField(max_length=20, default=NEW)
    version = models.PositiveIntegerField(default=0)
    state_since = models.DateTimeField(null=True, blank=True)
    due_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        """Names and constraints."""

        verbose_name = _("notice")
        verbose_name_plural = _("notices")
        constraints: ClassVar = [
            models.CheckConstraint(
                name="notice_photograph_gone_when_taken_down",
                condition=~Q(state="taken_down") | Q(photograph__isnull=True),
            )
        ]
