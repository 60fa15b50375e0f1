"""The form of a draft."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from django import forms
from django.conf import settings
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from kinward_web.accounts.api import Actor
from kinward_web.registry import api as registry
from kinward_web.rules.policy import load_policy

__all__ = ["NoticeForm"]


class NoticeForm(forms.Form):
    """What the public will read."""

    title = forms.CharField(label=_("Title"), max_length=120)
    text = forms.CharField(
        label=_("Text"),
        help_text=_("No name of the child, no code, no place where the child is now."),
        widget=forms.Textarea(attrs={"rows": 8}),
        max_length=4000,
    )
    contact = forms.CharField(label=_("Whom to tell"), max_length=120)
    ends_on = forms.DateField(
        label=_("Shown until"),
        widget=forms.DateInput(attrs={"type": "date"}, format="%Y-%m-%d"),
    )
    photograph = forms.TypedChoiceField(
        label=_("Photograph"),
        help_text=_("Shown only with the signed consent that the approval asks for."),
        coerce=int,
        empty_value=None,
        required=False,
    )

    def __init__(self, actor: Actor, child_id: int, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        days = load_policy(settings.COUNTRY).number("notice_days")
        self.fields["ends_on"].initial = timezone.localdate() + timedelta(days=days)
        photographs = registry.documents_of(actor, child_id).filter(kind="photograph")
        self.fields["photograph"].choices = [
            ("", _("none")),
            *((row.pk, row.title) for row in photographs),
        ]
