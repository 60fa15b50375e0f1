"""`kinward manage restore FILE`: a backup into an empty installation."""

from __future__ import annotations

from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from kinward_web.backup import BackupError, restore_backup
from kinward_web.passphrase import add_passphrase_option, read_passphrase

__all__ = ["Command"]


class Command(BaseCommand):
    """Restores a backup and verifies it before it counts."""

    help = "Load a backup into an empty, migrated installation; all of it, verified, or nothing."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Declare the options."""
        parser.add_argument("file", type=Path)
        add_passphrase_option(parser)

    def handle(self, *_: Any, **options: Any) -> None:
        """Run the command."""
        try:
            passphrase = read_passphrase(options["passphrase_file"], twice=False)
            done = restore_backup(options["file"], passphrase)
        except (BackupError, OSError) as error:
            raise CommandError(str(error)) from error
        rows = sum(done.rows.values())
        self.stdout.write(
            f"{rows} rows of {len(done.rows)} tables; the audit chain is whole up to {done.head}"
        )
        if done.with_keys:
            self.stdout.write("The key ring of the backup is in force here now.")
