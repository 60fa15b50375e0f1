"""Configuration of the application `accounts`."""

from __future__ import annotations

from django.apps import AppConfig

__all__ = ["AccountsConfig"]


class AccountsConfig(AppConfig):
    """The application `accounts`."""

    name = "kinward_web.accounts"
    label = "accounts"
