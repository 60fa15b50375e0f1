"""Forms of the auditor's pages."""

from __future__ import annotations

from django import forms
from django.db.models import Q, QuerySet
from django.utils.translation import gettext_lazy as _

from kinward_web.audit.models import AuditEvent, ReadEvent
from kinward_web.audit.purposes import Purpose
from kinward_web.audit.verification import Head

__all__ = ["ChainFilter", "HeadForm", "ReadFilter"]


class _Filter(forms.Form):
    """By subject and person."""

    subject = forms.CharField(
        label=_("Code of a child, case or other subject"), max_length=60, required=False
    )
    person = forms.CharField(
        label=_("Who"),
        help_text=_("Staff number, or part of a name."),
        max_length=120,
        required=False,
    )

    def chooses(self) -> bool:
        """Return whether anything less than everything is asked for."""
        return self.is_valid() and any(self.cleaned_data.values())

    def _by_both(self) -> Q:
        chosen = Q()
        subject, person = self.cleaned_data.get("subject"), self.cleaned_data.get("person")
        if subject:
            chosen &= Q(subject=subject) | Q(subject__endswith=f":{subject}")
        if person:
            chosen &= Q(actor__person_number=person) | Q(actor__full_name__icontains=person)
        return chosen


class ChainFilter(_Filter):
    """Which links of the chain are shown."""

    act = forms.CharField(
        label=_("Act"), help_text=_("For instance case.hand_over."), max_length=60, required=False
    )

    def rows(self) -> QuerySet[AuditEvent]:
        """Return the links asked for, the last one first."""
        chosen = Q()
        if self.is_valid():
            chosen = self._by_both()
            if self.cleaned_data["act"]:
                chosen &= Q(act__startswith=self.cleaned_data["act"])
        links = AuditEvent.objects.filter(chosen).order_by("-sequence")
        return links.select_related("actor", "agency")


class ReadFilter(_Filter):
    """Which reads are shown."""

    purpose = forms.ChoiceField(
        label=_("Purpose"), choices=[("", _("any")), *Purpose.choices], required=False
    )

    def rows(self) -> QuerySet[ReadEvent]:
        """Return the reads asked for, the last one first."""
        chosen = Q()
        if self.is_valid():
            chosen = self._by_both()
            if self.cleaned_data["purpose"]:
                chosen &= Q(purpose=self.cleaned_data["purpose"])
        return ReadEvent.objects.filter(chosen).order_by("-pk").select_related("actor", "seal")


class HeadForm(forms.Form):
    """A head noted elsewhere, against which the chain is verified."""

    head = forms.CharField(
        label=_("Head noted elsewhere"),
        help_text=_(
            "Number and hash as they were written down. Without it nobody can tell whether the "
            "end of the chain was cut off, or all of it written anew."
        ),
        max_length=90,
        required=False,
    )

    def clean_head(self) -> Head | None:
        """Read the head."""
        text = self.cleaned_data["head"]
        if not text:
            return None
        try:
            return Head.parse(text)
        except ValueError as error:
            raise forms.ValidationError(
                _("Write it as NUMBER:HASH, the hash with 64 digits from 0 to f.")
            ) from error
