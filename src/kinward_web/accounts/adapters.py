"""What django-allauth asks us about sign-in: no self sign-up, second factor for everyone."""

from __future__ import annotations

from typing import Any

from allauth.account.adapter import DefaultAccountAdapter
from allauth.account.internal.flows.login import record_authentication
from allauth.mfa.adapter import DefaultMFAAdapter
from allauth.mfa.models import Authenticator
from allauth.mfa.signals import authenticator_added
from django.dispatch import receiver
from django.http import HttpRequest

from kinward_web.accounts.models import User
from kinward_web.keyring import decrypt, encrypt
from kinward_web.qr import qr_svg

__all__ = ["AccountAdapter", "SecondFactorAdapter"]

_CONTEXT = b"mfa_authenticator.data"
_STRONG = (Authenticator.Type.TOTP, Authenticator.Type.WEBAUTHN)


class AccountAdapter(DefaultAccountAdapter):
    """Logins are made by appointment only."""

    def is_open_for_signup(self, request: HttpRequest) -> bool:
        """Nobody appoints themselves."""
        return False

    def is_reauthentication_required(self, *, app: str, **kwargs: Any) -> bool:
        """Ask again before a second factor is changed, but not before the first is set up."""
        user = self.request.user if self.request else None
        if user is None or not Authenticator.objects.filter(user=user, type__in=_STRONG).exists():
            return False
        return super().is_reauthentication_required(app=app, **kwargs)

    def get_reauthentication_methods(self, user: User) -> list[dict[str, Any]]:
        """Offer the second factor alone where there is one: a password would prove less."""
        methods = super().get_reauthentication_methods(user)
        strong = [method for method in methods if method["id"].startswith("mfa")]
        return strong or methods


class SecondFactorAdapter(DefaultMFAAdapter):
    """Secrets are encrypted at rest; the last second factor cannot be given up."""

    def encrypt(self, text: str) -> str:
        """Encrypt a secret for the database."""
        return encrypt(text, _CONTEXT)

    def decrypt(self, encrypted_text: str) -> str:
        """Read a secret from the database."""
        return decrypt(encrypted_text, _CONTEXT)

    def can_delete_authenticator(self, authenticator: Authenticator) -> bool:
        """Keep at least one authenticator app or passkey."""
        others = Authenticator.objects.filter(user=authenticator.user, type__in=_STRONG)
        return others.exclude(pk=authenticator.pk).exists()

    def build_totp_svg(self, url: str) -> str:
        """Draw the code for the authenticator app."""
        return qr_svg(url)


@receiver(authenticator_added)
def _just_proved(
    request: HttpRequest, user: User, authenticator: Authenticator, **_: object
) -> None:
    """Whoever has just set up a second factor has just given it."""
    if authenticator.type in _STRONG:
        record_authentication(
            request, user, method="mfa", type=authenticator.type, reauthenticated=True
        )
