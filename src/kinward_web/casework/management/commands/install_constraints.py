"""`manage install_constraints`: make the database enforce the rules of casework."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import connection, transaction

from kinward_web.casework import constraints


class Command(BaseCommand):
    """Install, print or check the triggers, and the rights of the application's role."""

    help = (
        "Install the triggers that enforce the rules of casework. On PostgreSQL run it as the "
        "owner of the tables; --role gives the application's role its rights. Example: "
        "manage install_constraints --role kinward_app"
    )

    def add_arguments(self, parser: CommandParser) -> None:
        """Declare the options."""
        parser.add_argument("--role", help="PostgreSQL role as which the application connects")
        parser.add_argument(
            "--print", action="store_true", dest="show", help="print the SQL and change nothing"
        )
        parser.add_argument(
            "--check", action="store_true", help="only tell whether all is in force; exit 1 if not"
        )

    def handle(self, *_args: Any, **options: Any) -> None:
        """Run the command."""
        if options["check"]:
            wrong = constraints.faults()
            if wrong:
                raise CommandError("not in force: " + ", ".join(wrong), returncode=1)
            self.stdout.write("All constraints are in force.")
            return
        rights = self._rights(options["role"])
        if options["show"]:
            made = [statement for _name, statement in constraints.statements(connection.vendor)]
            self.stdout.write("\n".join(f"{statement};" for statement in (*made, *rights)))
            return
        with transaction.atomic():
            constraints.install()
            with connection.cursor() as cursor:
                for statement in rights:
                    cursor.execute(statement)
        if options["verbosity"]:
            self.stdout.write("All constraints are in force.")

    def _rights(self, role: str | None) -> list[str]:
        if not role:
            return []
        if connection.vendor != "postgresql":
            raise CommandError("--role: SQLite has no roles; its file belongs to who runs Kinward")
        try:
            return constraints.grants(role)
        except ValueError as error:
            raise CommandError(str(error)) from error
