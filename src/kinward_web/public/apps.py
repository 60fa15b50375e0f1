"""Configuration of the application `public`."""

from __future__ import annotations

from django.apps import AppConfig
from django.db.models.signals import post_save

__all__ = ["PublicConfig"]


class PublicConfig(AppConfig):
    """The application `public`."""

    name = "kinward_web.public"
    label = "public"

    def ready(self) -> None:
        """Bind the machine of notices, and follow the cases that they are about."""
        from kinward_web.public.bindings import on_transition, register_machine

        register_machine()
        post_save.connect(
            on_transition, sender="casework.TransitionRecord", dispatch_uid="public.take_down"
        )
