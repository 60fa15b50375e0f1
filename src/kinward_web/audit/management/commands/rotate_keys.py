"""`kinward manage rotate_keys`: a new key for every encrypted value, while others work."""

from __future__ import annotations

from argparse import ArgumentParser
from dataclasses import replace
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from kinward_web.accounts.api import SYSTEM, Channel
from kinward_web.keyring import RingIsFixed
from kinward_web.rotation import KeyInUse, retire, rotate

__all__ = ["Command"]


class Command(BaseCommand):
    """Adds a key and takes every value over, or removes a key that nothing needs any more."""

    help = (
        "Add a key and put every encrypted value under it while others work; run again, it first "
        "finishes what was interrupted. Later, remove the old key with --retire."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Declare the options."""
        parser.add_argument("--retire", metavar="KEY", help="remove this key if no value needs it")

    def handle(self, *_: Any, **options: Any) -> None:
        """Run the command."""
        actor = replace(SYSTEM, channel=Channel.COMMAND)
        try:
            if options["retire"]:
                retire(actor, options["retire"])
                self.stdout.write(f"Key {options['retire']} is gone for good.")
                return
            done = rotate(actor, lambda column, count: self.stdout.write(f"{column}: {count}"))
        except (ValueError, KeyInUse, RingIsFixed) as error:
            raise CommandError(str(error)) from error
        self.stdout.write(f"{done.values} values are now under key {done.active}.")
        if done.unreadable:
            listed = ", ".join(done.unreadable[:10])
            raise CommandError(
                f"{len(done.unreadable)} values are under a key that the ring lacks, or were "
                f"altered, and stay as they are: {listed}",
                returncode=1,
            )
