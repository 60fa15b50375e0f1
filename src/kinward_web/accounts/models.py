"""Agencies, and the people appointed to them: one login, one role, one agency."""

from __future__ import annotations

from typing import Any, ClassVar

from django.contrib.auth.models import AbstractBaseUser, BaseUserManager
from django.db import models
from django.db.models import F, Q
from django.utils.translation import gettext_lazy as _

from kinward_web.rules.roles import ROLES, AgencyKind, Role

__all__ = ["Agency", "AgencyChange", "CacheEntry", "User", "UserManager"]


class Agency(models.Model):
    """A police force, hospital, welfare agency, laboratory, NGO or foreign authority.

    Personal data: none; `phone` and `address` are those of the office.
    """

    code = models.SlugField(_("code"), max_length=40, unique=True)
    name = models.CharField(_("name"), max_length=200)
    kind = models.CharField(
        _("kind"), max_length=20, choices=[(kind.value, kind.value) for kind in AgencyKind]
    )
    country = models.CharField(_("country"), max_length=2, default="CN")
    region = models.CharField(_("region"), max_length=60, blank=True)
    """Province or jurisdiction; empty for a national agency."""
    phone = models.CharField(_("telephone"), max_length=40, blank=True)
    address = models.CharField(_("address"), max_length=200, blank=True)
    accredited = models.BooleanField(_("may receive children"), default=False)
    """Accredited, with a named officer, to receive children at any hour."""
    named_officer = models.ForeignKey(
        "accounts.User",
        verbose_name=_("officer who answers for children received"),
        null=True,
        blank=True,
        on_delete=models.PROTECT,
        related_name="+",
    )

    class Meta:
        """Names and order."""

        verbose_name = _("agency")
        verbose_name_plural = _("agencies")
        ordering: ClassVar = ["name"]

    def __str__(self) -> str:
        return self.name


class UserManager(BaseUserManager["User"]):
    """Makes logins; there is no such thing as a superuser here."""

    def create_user(self, email: str, password: str | None = None, **fields: Any) -> User:
        """Make and save a login."""
        user = self.model(email=self.normalize_email(email), **fields)
        user.set_password(password)
        user.full_clean(exclude=["password"])
        user.save(using=self._db)
        return user


class User(AbstractBaseUser):
    """A person appointed to one role in one agency.

    `person_number` is the person's staff or identity number; it is unique, so that nobody can sign
    twice with two logins. Personal data: name, email, person number.
    """

    email = models.EmailField(_("email"), unique=True)
    full_name = models.CharField(_("name"), max_length=120)
    person_number = models.CharField(_("staff number"), max_length=60, unique=True)
    agency = models.ForeignKey(
        Agency, verbose_name=_("agency"), on_delete=models.PROTECT, related_name="people"
    )
    role = models.CharField(
        _("role"),
        max_length=30,
        choices=[(row.role.value, row.label) for row in ROLES.values() if row.role != Role.SYSTEM],
    )
    language = models.CharField(_("language"), max_length=10, default="en")
    is_active = models.BooleanField(_("appointed"), default=True)
    date_joined = models.DateTimeField(_("appointed on"), auto_now_add=True)
    # Django's own administration site is not installed, and no login is above the rules.
    is_staff = False
    is_superuser = False

    USERNAME_FIELD = "email"
    REQUIRED_FIELDS: ClassVar[list[str]] = ["full_name", "person_number"]
    objects = UserManager()

    class Meta:
        """Names and order."""

        verbose_name = _("appointed person")
        verbose_name_plural = _("appointed people")
        ordering: ClassVar = ["full_name"]

    def __str__(self) -> str:
        return self.full_name

    def clean(self) -> None:
        """Check that the agency may appoint to the role."""
        from django.core.exceptions import ValidationError

        super().clean()
        if self.agency_id and self.role in ROLES:
            allowed = ROLES[Role(self.role)].agencies
            if AgencyKind(self.agency.kind) not in allowed:
                raise ValidationError(
                    {"role": _("This agency cannot appoint to this role; choose another agency.")}
                )


class AgencyChange(models.Model):
    """An agency as one administrator proposes it, until an administrator of another confirms it.

    An accredited agency receives children without screening, and an agency's own telephone and
    address link nobody: whoever could set them alone could go round the custody rule alone.
    Personal data: none.
    """

    agency = models.ForeignKey(
        Agency, null=True, blank=True, on_delete=models.PROTECT, related_name="changes"
    )
    """The agency to be changed; empty where it is to be entered under `code`."""
    code = models.SlugField(_("code"), max_length=40)
    name = models.CharField(_("name"), max_length=200)
    kind = models.CharField(
        _("kind"), max_length=20, choices=[(kind.value, kind.value) for kind in AgencyKind]
    )
    country = models.CharField(_("country"), max_length=2)
    region = models.CharField(_("region"), max_length=60, blank=True)
    phone = models.CharField(_("telephone"), max_length=40, blank=True)
    address = models.CharField(_("address"), max_length=200, blank=True)
    accredited = models.BooleanField(_("may receive children"), default=False)
    named_officer = models.ForeignKey(
        "accounts.User",
        verbose_name=_("officer who answers for children received"),
        null=True,
        blank=True,
        on_delete=models.PROTECT,
        related_name="+",
    )
    proposed_by = models.ForeignKey("accounts.User", on_delete=models.PROTECT, related_name="+")
    proposed_at = models.DateTimeField()
    expires_at = models.DateTimeField()
    confirmed_by = models.ForeignKey(
        "accounts.User", null=True, blank=True, on_delete=models.PROTECT, related_name="+"
    )
    closed_at = models.DateTimeField(null=True, blank=True)
    """When it took effect, or came to nothing where `confirmed_by` is empty."""

    class Meta:
        """Order and constraints."""

        verbose_name = _("change of an agency")
        verbose_name_plural = _("changes of agencies")
        ordering: ClassVar = ["-proposed_at", "-pk"]
        constraints: ClassVar = [
            models.UniqueConstraint(
                name="agency_change_open_once",
                fields=["code"],
                condition=Q(closed_at__isnull=True),
            ),
            models.CheckConstraint(
                name="agency_change_two_people",
                condition=Q(confirmed_by__isnull=True) | ~Q(confirmed_by=F("proposed_by")),
            ),
        ]


class CacheEntry(models.Model):
    """A row of Django's cache, by which several processes count wrong passwords together.

    Django reads and writes it by SQL; it is a model so that migrations make the table and the
    application's role gets its rights. Personal data: none; addresses and emails as digests,
    network addresses for minutes.
    """

    cache_key = models.CharField(max_length=255, primary_key=True)
    value = models.TextField()
    expires = models.DateTimeField(db_index=True)

    class Meta:
        """The name that `CACHES` gives."""

        db_table = "kinward_cache"
