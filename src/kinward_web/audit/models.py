"""The audit chain and the reads that are sealed into it."""

from __future__ import annotations

from typing import ClassVar

from django.conf import settings
from django.db import models

__all__ = ["AuditEvent", "ReadEvent"]


class AuditEvent(models.Model):
    """One link of the chain. Only ever added.

    `hash` is SHA-256 over the canonical JSON of every other column, `previous` included. Holds
    codes and digests, never names, so that it can be kept when personal data are destroyed.
    """

    sequence = models.BigIntegerField(unique=True)
    """1, 2, 3 … without gaps."""
    at = models.DateTimeField()
    actor = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, on_delete=models.PROTECT, related_name="+"
    )
    role = models.CharField(max_length=30)
    agency = models.ForeignKey(
        "accounts.Agency", null=True, on_delete=models.PROTECT, related_name="+"
    )
    channel = models.CharField(max_length=10)
    act = models.CharField(max_length=60)
    """For instance `case.register`, `read.sealed`, `export.children`."""
    subject = models.CharField(max_length=60, blank=True)
    """For instance `case:K7QM-3T9X-B2`."""
    detail = models.JSONField(default=dict)
    previous = models.CharField(max_length=64)
    hash = models.CharField(max_length=64)

    class Meta:
        """In order of the chain."""

        ordering: ClassVar = ["sequence"]
        indexes: ClassVar = [
            models.Index(fields=["subject", "sequence"]),
            models.Index(name="audit_act", fields=["act", "sequence"]),
        ]


class ReadEvent(models.Model):
    """One look at a record, waiting for or sealed by an event `read.sealed` of the chain."""

    at = models.DateTimeField()
    actor = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    purpose = models.CharField(max_length=30)
    """A key of `audit.api.PURPOSES`; none of them is a search for offenders."""
    act = models.CharField(max_length=60)
    subject = models.CharField(max_length=60)
    seal = models.ForeignKey(
        AuditEvent, null=True, blank=True, on_delete=models.PROTECT, related_name="reads"
    )

    class Meta:
        """In order of time."""

        ordering: ClassVar = ["pk"]
        indexes: ClassVar = [models.Index(fields=["seal"])]
