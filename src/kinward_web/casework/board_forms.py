"""The form of a child that was just found."""

from __future__ import annotations

from uuid import uuid4

from django import forms
from django.utils.translation import gettext_lazy as _

from kinward_web.casework.evidence_form import MomentField
from kinward_web.rules.evidence import EVIDENCE

__all__ = ["FoundForm"]


class FoundForm(forms.Form):
    """Few fields, for a telephone at night: where, when, and whether a girl or a boy."""

    client_id = forms.UUIDField(widget=forms.HiddenInput, initial=uuid4)
    """Sent twice, by a second tap or a second try, it makes one child."""
    region = forms.CharField(label=_("Jurisdiction"), max_length=60)
    place = forms.CharField(
        label=EVIDENCE["place"].label,
        max_length=EVIDENCE["place"].longest,
        help_text=_("As exactly as you can say it now."),
    )
    happened_at = MomentField(label=EVIDENCE["happened_at"].label)
    sex = forms.ChoiceField(
        label=_("Sex"),
        choices=(("unknown", _("unknown")), ("female", _("female")), ("male", _("male"))),
        widget=forms.RadioSelect,
        initial="unknown",
    )
