"""Take down notices past their end; to be run once a day."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand

from kinward_web.public.bindings import take_down_over

__all__ = ["Command"]


class Command(BaseCommand):
    """`kinward manage expire_notices`."""

    help = "Take down notices past their end, or of children whose search is over."

    def handle(self, *args: Any, **options: Any) -> None:
        """Take them down and say how many."""
        self.stdout.write(f"{take_down_over()} notices taken down")
