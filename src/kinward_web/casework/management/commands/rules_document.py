"""Write the tables of rules as a page of the documentation."""

from __future__ import annotations

from typing import Any, ClassVar

from django.core.management.base import BaseCommand

from kinward_web.rules.document import rules_as_markdown
from kinward_web.rules.policy import countries, load_policy

__all__ = ["Command"]


class Command(BaseCommand):
    """Print the page; `> docs/model/casework-rules.md` keeps it."""

    help = "Print the tables of rules as Markdown, for docs/model/casework-rules.md."
    requires_system_checks: ClassVar[list[str]] = []

    def handle(self, *args: Any, **options: Any) -> None:
        """Print the page."""
        self.stdout.write(rules_as_markdown(map(load_policy, countries())), ending="")
