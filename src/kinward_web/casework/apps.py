"""Configuration of the application `casework`."""

from __future__ import annotations

from typing import Any

from django.apps import AppConfig
from django.db import connections
from django.db.models.signals import post_migrate, pre_migrate

__all__ = ["CaseworkConfig"]


class CaseworkConfig(AppConfig):
    """The application `casework`."""

    name = "kinward_web.casework"
    label = "casework"

    def ready(self) -> None:
        """Bind the machines, and keep the database's own constraints in step with the tables."""
        from kinward_web.casework import checks  # noqa: F401
        from kinward_web.casework.bindings import register_machines
        from kinward_web.casework.reactions import on_graph_changed
        from kinward_web.registry.api import graph_changed

        register_machines()
        graph_changed.connect(on_graph_changed, dispatch_uid="casework.custody")
        pre_migrate.connect(_before_migrate, sender=self)
        post_migrate.connect(_after_migrate, sender=self)


def _before_migrate(using: str, plan: list[Any] | None = None, **_others: Any) -> None:
    """Take triggers and views away, which would be in the way of changed tables."""
    from kinward_web.casework import constraints

    if plan:
        constraints.drop(using)


def _after_migrate(using: str, **_others: Any) -> None:
    """Make them anew once every table is there; a migration of some applications may lack one."""
    from kinward_web.casework import constraints

    connection = connections[using]
    if constraints.tables_needed() <= set(connection.introspection.table_names()):
        constraints.install(using)
