"""What an administrator does: appoint, end an appointment, reset a sign-in.

Every act is audited. An administrator reaches the people of the own agency and no child's case.
"""

from __future__ import annotations

from allauth.mfa.models import Authenticator
from django.contrib.auth.tokens import default_token_generator
from django.contrib.sessions.models import Session
from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.db.models import QuerySet
from django.urls import reverse
from django.utils import timezone
from django.utils.encoding import force_bytes
from django.utils.http import urlsafe_base64_encode
from django.utils.translation import gettext as _

from kinward_web.accounts.actor import SYSTEM, Actor
from kinward_web.accounts.models import Agency, User
from kinward_web.audit.api import append
from kinward_web.rules.roles import Role, reach_of

__all__ = [
    "appoint",
    "end_appointment",
    "end_sessions",
    "found_office",
    "people_of",
    "reset_password",
    "reset_second_factor",
]

_FOUNDERS = 2
"""Agencies that must have an administrator before the others can be entered by two people."""


def _check(actor: Actor) -> None:
    if reach_of(actor.role, "accounts.manage") is None:
        raise PermissionDenied(
            _("Only an administrator appoints people. Ask the administrator of your agency.")
        )


def people_of(actor: Actor) -> QuerySet[User]:
    """Return the logins of the own agency, ended ones included.

    :raises PermissionDenied: the actor is no administrator.
    """
    _check(actor)
    return User.objects.filter(agency_id=actor.agency_id).select_related("agency")


def _own(actor: Actor, person: User) -> None:
    _check(actor)
    if person.agency_id != actor.agency_id:
        raise PermissionDenied(
            _("This person belongs to another agency; its own administrator can do this.")
        )


def _link(person: User) -> str:
    uid = urlsafe_base64_encode(force_bytes(person.pk))
    token = default_token_generator.make_token(person)
    return reverse("accounts:new_password", args=(uid, token))


@transaction.atomic
def appoint(actor: Actor, person: User) -> str:
    """Save a new login of the own agency; return the address where it sets its first password.

    :raises PermissionDenied: no administrator, or another agency.
    """
    _own(actor, person)
    person.set_unusable_password()
    person.save()
    append(actor, "accounts.appoint", f"user:{person.pk}", {"role": person.role})
    return _link(person)


@transaction.atomic
def found_office(agency: Agency, person: User) -> str:
    """Enter one of the first two agencies with its administrator; return its password address.

    Everything later needs administrators of two agencies, so somebody must enter the first two:
    whoever runs the machine, at its command line. The agency has no telephone, address or
    accreditation yet; the two administrators confirm those to each other.

    :raises PermissionDenied: two agencies have administrators already, or the agency exists.
    :raises ValidationError: a value is missing or malformed.
    """
    administrators = User.objects.filter(role=Role.ADMINISTRATOR.value, is_active=True)
    if administrators.values("agency").distinct().count() >= _FOUNDERS:
        raise PermissionDenied(
            _("Two agencies have administrators: they enter all others on the page Agencies.")
        )
    if Agency.objects.filter(code=agency.code).exists():
        raise PermissionDenied(_("This agency exists; its own administrator appoints its people."))
    agency.full_clean()
    agency.save()
    person.agency, person.role = agency, Role.ADMINISTRATOR.value
    person.set_unusable_password()
    person.full_clean()
    person.save()
    append(SYSTEM, "accounts.founded", f"user:{person.pk}", {"agency": agency.code})
    return _link(person)


@transaction.atomic
def end_appointment(actor: Actor, person: User) -> None:
    """End an appointment: the login loses access at once; its signatures stay on record.

    :raises PermissionDenied: no administrator, another agency, or one's own appointment.
    """
    _own(actor, person)
    if person.pk == actor.user_id:
        raise PermissionDenied(
            _("Another administrator of your agency must end your own appointment.")
        )
    person.is_active = False
    person.save(update_fields=["is_active"])
    end_sessions(person)
    append(actor, "accounts.end", f"user:{person.pk}")


@transaction.atomic
def reset_second_factor(actor: Actor, person: User) -> None:
    """Remove authenticator app, passkeys and recovery codes; the next sign-in sets up new ones.

    :raises PermissionDenied: no administrator, another agency, or one's own login.
    """
    _own(actor, person)
    if person.pk == actor.user_id:
        raise PermissionDenied(
            _("Another administrator of your agency must reset your own second factor.")
        )
    Authenticator.objects.filter(user=person).delete()
    end_sessions(person)
    append(actor, "accounts.reset_second_factor", f"user:{person.pk}")


@transaction.atomic
def reset_password(actor: Actor, person: User) -> str:
    """Void the password; return the address, valid for one day, where a new one is set.

    :raises PermissionDenied: no administrator, or another agency.
    """
    _own(actor, person)
    person.set_unusable_password()
    person.save(update_fields=["password"])
    end_sessions(person)
    append(actor, "accounts.reset_password", f"user:{person.pk}")
    return _link(person)


def end_sessions(person: User) -> None:
    """End every session of a login."""
    for session in Session.objects.filter(expire_date__gt=timezone.now()):
        if session.get_decoded().get("_auth_user_id") == str(person.pk):
            session.delete()
