"""Forms of sign-in and of appointments."""

from __future__ import annotations

from typing import Any, ClassVar

from allauth.account.forms import LoginForm
from allauth.mfa.base.forms import AuthenticateForm, ReauthenticateForm
from allauth.mfa.totp.forms import ActivateTOTPForm
from django import forms
from django.core.cache import cache
from django.core.exceptions import ValidationError
from django.utils.translation import gettext_lazy as _

from kinward_web.accounts.models import Agency, User
from kinward_web.rules.roles import ROLES, AgencyKind, Role

__all__ = [
    "ActivateForm",
    "AgencyForm",
    "AppointForm",
    "CodeForm",
    "FreshCodeForm",
    "SignInForm",
]

_CODE_LIFE = 120
"""Seconds for which a used code is remembered: longer than any code is valid."""


def _as_code(field: forms.Field) -> None:
    field.label = _("Code")
    field.widget.attrs = {
        "autocomplete": "one-time-code",
        "inputmode": "numeric",
        "class": "input--code",
        "autofocus": True,
    }


class _Once:
    """Refuses a code that was used before, while it would still be valid."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        field = self.fields["code"]
        field.help_text = _("Six digits from your authenticator app, or a recovery code.")
        _as_code(field)

    def clean_code(self) -> str:
        code: str = super().clean_code()
        if not cache.add(f"kinward.code:{self.user.pk}:{code}", 1, _CODE_LIFE):
            raise ValidationError(
                _("This code was used already; wait for the next one."), code="used"
            )
        return code


class SignInForm(LoginForm):
    """Email and password; labels stand above the fields and nothing inside them."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for field in self.fields.values():
            field.widget.attrs.pop("placeholder", None)


class ActivateForm(ActivateTOTPForm):
    """The first code of a new authenticator app."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        _as_code(self.fields["code"])


class CodeForm(_Once, AuthenticateForm):
    """The second factor at sign-in."""


class FreshCodeForm(_Once, ReauthenticateForm):
    """A fresh second factor."""


class AppointForm(forms.ModelForm):
    """A new appointment to the administrator's own agency."""

    class Meta:
        """Fields of an appointment."""

        model = User
        fields: ClassVar = ["full_name", "person_number", "email", "role", "language"]
        help_texts: ClassVar = {
            "person_number": _(
                "Staff or identity number. One person has one login, so that nobody signs twice."
            ),
            "email": _("The name for signing in. No mail is sent."),
        }

    def __init__(self, *args: Any, agency: Agency, languages: list[tuple[str, str]], **kw: Any):
        super().__init__(*args, **kw)
        self.instance.agency = agency
        kind = AgencyKind(agency.kind)
        self.fields["role"].choices = [
            (row.role.value, row.label)
            for row in ROLES.values()
            if kind in row.agencies and row.role != Role.SYSTEM
        ]
        self.fields["language"] = forms.ChoiceField(label=_("Language"), choices=languages)


class AgencyForm(forms.ModelForm):
    """An agency that Kinward works with."""

    class Meta:
        """Fields of an agency."""

        model = Agency
        fields: ClassVar = [
            "name",
            "code",
            "kind",
            "country",
            "region",
            "phone",
            "address",
            "accredited",
            "named_officer",
        ]
        help_texts: ClassVar = {
            "code": _("Short name for files, in letters, digits and hyphens."),
            "country": _("Two letters, for instance CN or VN."),
            "region": _("Province or jurisdiction; empty for a national agency."),
            "phone": _(
                "Of the office. Telephones of offices never form a link to a suspect, unless "
                "somebody on record uses them already."
            ),
            "named_officer": _("Needed for an agency that may receive children at any hour."),
        }

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        officers = User.objects.filter(agency=self.instance.pk, is_active=True)
        self.fields["named_officer"].queryset = officers

    def clean(self) -> dict[str, Any]:
        """Check that somebody answers for children who are received."""
        data = super().clean()
        if data.get("accredited") and not data.get("named_officer"):
            self.add_error(
                "named_officer",
                _("Name the officer who answers; appoint one to this agency first."),
            )
        return data
