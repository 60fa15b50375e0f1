"""Fill an installation with synthetic cases, for demonstrations and measurements."""

from __future__ import annotations

from time import monotonic
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from kinward_web.casework.synthetic import make_registry

__all__ = ["Command"]


class Command(BaseCommand):
    """Add a synthetic registry."""

    help = (
        "Add agencies, people and cases in all states; all of it synthetic. Every row passes the "
        "constraints of the database. Example: manage make_registry --cases 50000 --seed 1"
    )

    def add_arguments(self, parser: CommandParser) -> None:
        """Declare the options."""
        parser.add_argument("--cases", type=int, default=1_000, help="number of cases")
        parser.add_argument("--seed", type=int, default=1, help="the same seed, the same children")

    def handle(self, *_args: Any, **options: Any) -> None:
        """Run the command."""
        begin = monotonic()
        try:
            steps = make_registry(options["cases"], options["seed"])
        except ValueError as error:
            raise CommandError(str(error)) from error
        if options["verbosity"]:
            seconds = monotonic() - begin
            self.stdout.write(
                f"{options['cases']} synthetic cases, {steps} transitions, {seconds:.0f} s"
            )
