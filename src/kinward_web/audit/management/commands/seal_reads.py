"""`kinward manage seal_reads`: seal the reads that wait, for instance every ten minutes."""

from __future__ import annotations

from django.core.management.base import BaseCommand

from kinward_web.audit.reads import seal_reads

__all__ = ["Command"]


class Command(BaseCommand):
    """Seals every waiting read into the chain."""

    help = "Seal the reads that wait into the audit chain; run it every ten minutes."

    def handle(self, *_: object, **__: object) -> None:
        """Run the command."""
        self.stdout.write(f"{seal_reads()} reads sealed")
