"""Configuration of the application `audit`."""

from __future__ import annotations

from django.apps import AppConfig

__all__ = ["AuditConfig"]


class AuditConfig(AppConfig):
    """The application `audit`."""

    name = "kinward_web.audit"
    label = "audit"
