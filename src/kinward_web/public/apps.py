"""Configuration of the application `public`."""

from __future__ import annotations

from django.apps import AppConfig

__all__ = ["PublicConfig"]


class PublicConfig(AppConfig):
    """The application `public`."""

    name = "kinward_web.public"
    label = "public"
