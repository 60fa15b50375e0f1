"""Configuration of the application `casework`."""

from __future__ import annotations

from django.apps import AppConfig

__all__ = ["CaseworkConfig"]


class CaseworkConfig(AppConfig):
    """The application `casework`."""

    name = "kinward_web.casework"
    label = "casework"
