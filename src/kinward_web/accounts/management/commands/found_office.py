"""Enter one of the first two agencies with its administrator."""

from __future__ import annotations

from typing import Any

from django.core.exceptions import PermissionDenied, ValidationError
from django.core.management.base import BaseCommand, CommandError, CommandParser

from kinward_web.accounts.actions import found_office
from kinward_web.accounts.models import Agency, User
from kinward_web.rules.roles import AgencyKind

__all__ = ["Command"]


class Command(BaseCommand):
    """Print the address where the new administrator sets the password."""

    help = (
        "Enter one of the first two agencies with its administrator. Once two agencies have one, "
        "they enter everything else on the pages, each confirmed by the other."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        """Ask for the agency and the person."""
        parser.add_argument("code", help="short name of the agency, such as police-henan")
        parser.add_argument("--kind", required=True, choices=[kind.value for kind in AgencyKind])
        parser.add_argument("--name", required=True, help="name of the agency")
        parser.add_argument("--region", default="", help="province; empty for a national agency")
        parser.add_argument("--country", default="CN", help="two letters, default %(default)s")
        parser.add_argument("--email", required=True, help="of the administrator")
        parser.add_argument("--person", required=True, help="name of the administrator")
        parser.add_argument("--number", required=True, help="staff number of the administrator")

    def handle(self, *args: Any, **options: Any) -> None:
        """Enter both, or say in one sentence why not."""
        agency = Agency(
            code=options["code"],
            name=options["name"],
            kind=options["kind"],
            region=options["region"],
            country=options["country"],
        )
        person = User(
            email=User.objects.normalize_email(options["email"]),
            full_name=options["person"],
            person_number=options["number"],
        )
        try:
            address = found_office(agency, person)
        except (PermissionDenied, ValidationError) as error:
            raise CommandError("; ".join(getattr(error, "messages", [str(error)]))) from error
        self.stdout.write(f"{person.email} sets the password at {address} on this installation")
