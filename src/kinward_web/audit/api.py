"""What the other applications may use of `audit`."""

from __future__ import annotations

from kinward_web.audit.chain import NotInTransaction, append, last_event
from kinward_web.audit.models import AuditEvent
from kinward_web.audit.purposes import PURPOSES, Purpose
from kinward_web.audit.reads import list_subject, record_list_read, record_read, seal_reads
from kinward_web.audit.verification import (
    Fault,
    Head,
    Verification,
    head,
    record_verification,
    verify,
)

__all__ = [
    "PURPOSES",
    "AuditEvent",
    "Fault",
    "Head",
    "NotInTransaction",
    "Purpose",
    "Verification",
    "append",
    "head",
    "last_event",
    "list_subject",
    "record_list_read",
    "record_read",
    "record_verification",
    "seal_reads",
    "verify",
]
