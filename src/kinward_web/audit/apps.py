"""Configuration of the application `audit`."""

from __future__ import annotations

from django.apps import AppConfig

__all__ = ["AuditConfig"]


class AuditConfig(AppConfig):
    """The application `audit`."""

    name = "kinward_web.audit"
    label = "audit"

    def ready(self) -> None:
        """Seal reads at the end of requests."""
        from django.core.signals import request_finished

        from kinward_web.audit.reads import seal_after_request

        request_finished.connect(seal_after_request, dispatch_uid="kinward.audit.seal")
