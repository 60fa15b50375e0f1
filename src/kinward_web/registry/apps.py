"""Configuration of the application `registry`."""

from __future__ import annotations

from django.apps import AppConfig

__all__ = ["RegistryConfig"]


class RegistryConfig(AppConfig):
    """The application `registry`."""

    name = "kinward_web.registry"
    label = "registry"
