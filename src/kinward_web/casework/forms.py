"""Forms of the case pages besides those of steps, which `evidence_form` makes."""

from __future__ import annotations

from typing import Any, ClassVar

from django import forms
from django.utils.translation import gettext_lazy as _

from kinward_web.accounts.api import Actor, Agency
from kinward_web.casework.evidence_form import EvidenceForm, MomentField, document_choices
from kinward_web.casework.models import CareHome, Case, Placement, PlacementPerson, Service
from kinward_web.rules.evidence import EVIDENCE

__all__ = [
    "ExamForm",
    "LinkClearanceForm",
    "OpenCaseForm",
    "PartyForm",
    "PlaceForm",
    "ReasonForm",
    "ScreenedPersonForm",
    "ServiceForm",
    "VisitForm",
]


class OpenCaseForm(EvidenceForm):
    """A child who is not on record yet, and what the first step asks for."""

    name = forms.CharField(
        label=_("Name, if it is known"),
        max_length=120,
        required=False,
        help_text=_("Encrypted; everywhere else the child is known by a code."),
    )
    sex = forms.ChoiceField(
        label=_("Sex"),
        choices=(("unknown", _("unknown")), ("female", _("female")), ("male", _("male"))),
        widget=forms.RadioSelect,
        initial="unknown",
    )
    region = forms.CharField(label=_("Jurisdiction"), max_length=60)
    returned_to_buyer = forms.BooleanField(
        label=_("The child was rescued before and sent back to the buyer"), required=False
    )


class ReasonForm(forms.Form):
    """A reason in one's own words."""

    reason = forms.CharField(
        label=_("Reason"), max_length=4000, widget=forms.Textarea(attrs={"rows": 4})
    )


class ExamForm(forms.Form):
    """A further examination."""

    examined_at = MomentField(label=_("When"))
    sedation = forms.ChoiceField(
        label=_("Sedation"), choices=EVIDENCE["sedation"].choices, widget=forms.RadioSelect
    )
    injuries = forms.CharField(
        label=_("Injuries and marks"),
        help_text=EVIDENCE["injuries"].path,
        max_length=4000,
        widget=forms.Textarea(attrs={"rows": 4}),
    )
    age_days_min = forms.IntegerField(
        label=EVIDENCE["age_days_min"].label, min_value=0, max_value=10_000
    )
    age_days_max = forms.IntegerField(
        label=EVIDENCE["age_days_max"].label, min_value=0, max_value=10_000
    )
    weight_grams = forms.IntegerField(
        label=_("Weight, g"), min_value=200, max_value=250_000, required=False
    )
    needs_medical_level = forms.TypedChoiceField(
        label=_("Medical ability that a place must have"),
        choices=(
            (0, _("none")),
            (1, _("a nurse by day")),
            (2, _("a nurse at night")),
            (3, _("a hospital")),
        ),
        coerce=int,
        initial=0,
    )
    note = forms.CharField(
        label=_("Note"),
        max_length=4000,
        required=False,
        widget=forms.Textarea(attrs={"rows": 3}),
    )


class VisitForm(forms.Form):
    """A visit that was made."""

    done_at = MomentField(label=_("When"))
    finding = forms.CharField(
        label=_("How the child is"),
        help_text=_("Health, school, how the child behaves with the family, what it says."),
        max_length=4000,
        widget=forms.Textarea(attrs={"rows": 4}),
    )
    concern = forms.BooleanField(label=_("There is cause for concern"), required=False)
    cost = forms.DecimalField(
        label=_("Cost of the visit"), min_value=0, max_digits=12, decimal_places=2, initial=0
    )


class ServiceForm(forms.ModelForm):
    """A service given."""

    class Meta:
        """Every column but who gave it and to whom."""

        model = Service
        fields = ("kind", "given_on", "until", "cost", "currency", "note")
        widgets: ClassVar = {
            "given_on": forms.DateInput(attrs={"type": "date"}, format="%Y-%m-%d"),
            "until": forms.DateInput(attrs={"type": "date"}, format="%Y-%m-%d"),
            "note": forms.Textarea(attrs={"rows": 3}),
        }


class PlaceForm(forms.Form):
    """A place to propose: a care place, or a household by its code."""

    where = forms.ChoiceField(
        label=_("Where"),
        choices=(
            ("home", _("in a hospital or accredited home")),
            ("household", _("with private people")),
        ),
        widget=forms.RadioSelect,
        initial="home",
    )
    home = forms.TypedChoiceField(
        label=_("Hospital or home"),
        coerce=int,
        empty_value=None,
        required=False,
        help_text=_("May receive the child at any hour; papers follow in the morning."),
    )
    household = forms.CharField(
        label=_("Code of the household"),
        max_length=16,
        required=False,
        help_text=_("As it stands under “People and links”. Everyone who lives there is screened."),
    )
    purpose = forms.ChoiceField(
        label=_("Why"), choices=Placement.Purpose.choices, widget=forms.RadioSelect, initial="care"
    )
    escort = forms.CharField(
        label=_("Code of the escort"),
        max_length=16,
        required=False,
        help_text=_("Private people who bring the child are screened as well."),
    )
    payer = forms.CharField(
        label=_("Code of who pays"),
        max_length=16,
        required=False,
        help_text=_("Whoever pays for the child's keep is screened as well."),
    )
    reason = forms.CharField(
        label=_("Reason"), max_length=4000, required=False, widget=forms.Textarea(attrs={"rows": 2})
    )

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        homes = CareHome.objects.filter(open=True).select_related("agency")
        self.fields["home"].choices = [
            ("", _("Choose a place")),
            *((home.pk, f"{home.name} – {home.region}") for home in homes),
        ]

    def clean(self) -> dict[str, Any]:
        """Ask for the one of the two that was chosen."""
        data = super().clean() or {}
        where = data.get("where")
        if where and not data.get(where):
            self.add_error(where, _("Name the place."))
        return data

    def people(self) -> list[tuple[str, str]]:
        """Return (code, capacity) of those screened besides the household."""
        return [
            (self.cleaned_data[capacity], capacity)
            for capacity in (PlacementPerson.Capacity.ESCORT, PlacementPerson.Capacity.PAYER)
            if self.cleaned_data.get(capacity)
        ]


class ScreenedPersonForm(forms.Form):
    """Someone who escorts, pays or cares."""

    code = forms.CharField(label=_("Code of the person"), max_length=16)
    capacity = forms.ChoiceField(label=_("As"), choices=PlacementPerson.Capacity.choices)


class LinkClearanceForm(forms.Form):
    """That one link was looked into and does not bar."""

    first = forms.CharField(widget=forms.HiddenInput)
    second = forms.CharField(widget=forms.HiddenInput)
    via = forms.CharField(widget=forms.HiddenInput)
    reason = forms.CharField(
        label=_("What you looked into, and why the link does not bar"),
        max_length=4000,
        widget=forms.Textarea(attrs={"rows": 4}),
    )
    document = forms.TypedChoiceField(
        label=_("Record of the inquiry"), coerce=int, empty_value=None
    )

    def __init__(self, actor: Actor, case: Case, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        item = EVIDENCE["document"]
        self.fields["document"].help_text = item.path
        self.fields["document"].choices = [
            ("", _("Choose a document")),
            *document_choices(item, actor, case),
        ]


class PartyForm(forms.Form):
    """Another agency to bring into the case."""

    agency = forms.ModelChoiceField(
        Agency.objects.none(), label=_("Agency"), empty_label=_("Choose an agency")
    )

    def __init__(self, case: Case, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self.fields["agency"].queryset = Agency.objects.exclude(
            pk__in=case.parties.values("agency_id")
        )
