"""What the rescue board keeps: which entries of an outbox have arrived."""

from __future__ import annotations

from typing import ClassVar

from django.conf import settings
from django.db import models

from kinward_web.casework.models import Case

__all__ = ["OutboxReceipt"]


class OutboxReceipt(models.Model):
    """An entry of a browser's outbox that has become a case, so that it becomes one only once.

    Personal data: none.
    """

    client_id = models.UUIDField(unique=True)
    """Made by the browser when the form was filled in; a repeated entry brings it again."""
    case = models.OneToOneField(Case, on_delete=models.PROTECT, related_name="outbox_receipt")
    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    received_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        """Newest first."""

        ordering: ClassVar = ["-received_at", "-pk"]
