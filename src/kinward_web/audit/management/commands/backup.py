"""`kinward manage backup FILE`: everything as it is now, encrypted with a passphrase."""

from __future__ import annotations

from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from kinward_web.backup import BackupError, make_backup
from kinward_web.passphrase import add_passphrase_option, read_passphrase

__all__ = ["Command"]


class Command(BaseCommand):
    """Makes a backup while others work."""

    help = "Write everything as it is now to FILE, encrypted with a passphrase."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Declare the options."""
        parser.add_argument("file", type=Path)
        parser.add_argument(
            "--with-keys",
            action="store_true",
            help="put the key ring in too: whoever has file and passphrase then reads everything",
        )
        add_passphrase_option(parser)

    def handle(self, *_: Any, **options: Any) -> None:
        """Run the command."""
        try:
            passphrase = read_passphrase(options["passphrase_file"], twice=True)
            made = make_backup(options["file"], passphrase, options["with_keys"])
        except (BackupError, OSError) as error:
            raise CommandError(str(error)) from error
        rows = sum(made.rows.values())
        self.stdout.write(f"{rows} rows of {len(made.rows)} tables; audit head {made.head}")
        if not made.with_keys:
            self.stdout.write("The key ring is not in it: keep keys.json in another safe place.")
