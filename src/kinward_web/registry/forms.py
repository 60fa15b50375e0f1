"""Forms of the registry: they parse; what is allowed is decided by the actions."""

from __future__ import annotations

from typing import Any, ClassVar

from django import forms
from django.core.exceptions import ValidationError
from django.utils.translation import gettext_lazy as _

from kinward_web.accounts.api import Agency, User
from kinward_web.audit.api import PURPOSES
from kinward_web.registry.actions import SEARCHED_BY
from kinward_web.registry.models import (
    Campaign,
    Document,
    Household,
    Identifier,
    Involvement,
    Operation,
    Person,
)
from kinward_web.registry.transfer.reading import ENCODINGS
from kinward_web.registry.transfer.tables import TABLES

__all__ = [
    "CampaignForm",
    "CorrectionForm",
    "DocumentForm",
    "HouseholdForm",
    "IdentifierForm",
    "InvolvementForm",
    "LinkForm",
    "MemberForm",
    "MoveOutForm",
    "OperationForm",
    "PersonForm",
    "SearchForm",
    "SiteFormSet",
    "StandingForm",
    "SuspectForm",
    "UploadForm",
    "VerifyForm",
]

_DAY = {"widget": forms.DateInput(attrs={"type": "date"}, format="%Y-%m-%d"), "required": False}
_LONG = forms.Textarea(attrs={"rows": 3})


def _moment(label: Any, **options: Any) -> forms.DateTimeField:
    widget = forms.DateTimeInput(attrs={"type": "datetime-local"}, format="%Y-%m-%dT%H:%M")
    return forms.DateTimeField(label=label, widget=widget, **options)


class CampaignForm(forms.Form):
    """A campaign and its window."""

    name = forms.CharField(label=_("Name"), max_length=160)
    country = forms.ChoiceField(label=_("Country"), choices=[("CN", "CN"), ("VN", "VN")])
    task_force_from = forms.DateField(label=_("Task force from"), **_DAY)
    special_until = forms.DateField(label=_("Special campaign until"), **_DAY)
    note = forms.CharField(label=_("Note"), widget=_LONG, required=False)


class OperationForm(forms.Form):
    """An operation: until it starts only the insiders chosen here see it."""

    campaign = forms.ModelChoiceField(Campaign.objects.all(), label=_("Campaign"))
    name = forms.CharField(label=_("Name"), max_length=160)
    starts_at = _moment(
        _("Start"), help_text=_("Until then the operation is sealed to its insiders.")
    )
    ended_at = _moment(_("End"), required=False)
    agencies = forms.ModelMultipleChoiceField(
        Agency.objects.all(), label=_("Agencies that take part"), required=False
    )
    colleagues = forms.ModelMultipleChoiceField(
        User.objects.none(), label=_("Insiders of your agency"), required=False
    )
    others = forms.CharField(
        label=_("Insiders of other agencies"),
        help_text=_("One email address per line."),
        widget=_LONG,
        required=False,
    )

    def __init__(self, *args: Any, agency_id: int, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["colleagues"].queryset = User.objects.filter(
            agency_id=agency_id, is_active=True
        )

    def clean_others(self) -> list[User]:
        """Return the people of the addresses."""
        emails = self.cleaned_data["others"].casefold().split()
        found = {
            user.email.casefold(): user
            for user in User.objects.filter(email__in=emails, is_active=True)
        }
        missing = [email for email in emails if email not in found]
        if missing:
            raise ValidationError(
                _("Nobody is appointed under %(emails)s. Ask the agency for the address."),
                params={"emails": ", ".join(missing)},
            )
        return list(found.values())


class SiteForm(forms.Form):
    """One place of an operation."""

    region = forms.CharField(label=_("Jurisdiction"), max_length=60, required=False)
    address = forms.CharField(label=_("Address"), max_length=300, required=False)
    agency = forms.ModelChoiceField(Agency.objects.all(), label=_("Agency"), required=False)

    def clean(self) -> dict[str, Any]:
        """Ask for jurisdiction and agency where any of the three is given."""
        data = super().clean() or {}
        if any(data.get(key) for key in ("region", "address", "agency")):
            for key in ("region", "agency"):
                if not data.get(key) and key not in self.errors:
                    self.add_error(key, _("Fill this in, or clear the whole site."))
        return data


SiteFormSet = forms.formset_factory(SiteForm, extra=2, max_num=60)


class PersonForm(forms.Form):
    """What is on record about a person."""

    name = forms.CharField(
        label=_("Name"),
        max_length=200,
        required=False,
        help_text=_("As the person writes it; leave it empty if it is not known."),
    )
    sex = forms.ChoiceField(label=_("Sex"), choices=Person.Sex.choices, initial="unknown")
    born_from = forms.DateField(label=_("Born not before"), **_DAY)
    born_to = forms.DateField(label=_("Born not after"), **_DAY)
    region = forms.CharField(label=_("Region"), max_length=60, required=False)
    note = forms.CharField(label=_("Note"), widget=_LONG, required=False)


class InvolvementForm(forms.Form):
    """A part in an investigation."""

    part = forms.ChoiceField(label=_("Part"), choices=Involvement.Part.choices)
    standing = forms.ChoiceField(
        label=_("Legal standing"),
        choices=[row for row in Involvement.Standing.choices if row[0] != "mistaken"],
    )
    source = forms.CharField(label=_("Source"), widget=_LONG)
    operation = forms.ModelChoiceField(
        Operation.objects.none(), label=_("Operation"), required=False
    )

    def __init__(self, *args: Any, operations: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["operation"].queryset = operations


class SuspectForm(InvolvementForm, PersonForm):
    """A person together with the part played."""

    field_order = ("part", "standing", "source", "operation", "name")


class StandingForm(forms.Form):
    """A new legal standing."""

    standing = forms.ChoiceField(
        label=_("Legal standing"),
        choices=[row for row in Involvement.Standing.choices if row[0] != "mistaken"],
    )
    source = forms.CharField(label=_("Source"), widget=_LONG)


class LinkForm(forms.Form):
    """A link, said from this person's side."""

    KINDS: ClassVar = {
        "parent_of": ("parent", False, _("is a parent of")),
        "child_of": ("parent", True, _("is a child of")),
        "partner": ("partner", False, _("is the partner of")),
        "sibling": ("sibling", False, _("is a sibling of")),
        "kin": ("kin", False, _("is other kin of")),
        "paid": ("payment", False, _("paid")),
        "paid_by": ("payment", True, _("was paid by")),
        "contact": ("contact", False, _("was in contact with")),
    }
    """Kind of the link and whether this person stands second in it."""

    said = forms.ChoiceField(label=_("This person"))
    other = forms.CharField(
        label=_("Code of the other person"), help_text=_("As it stands on that person's page.")
    )
    source = forms.CharField(label=_("Source"), widget=_LONG)

    def __init__(self, *args: Any, investigation: bool, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["said"].choices = [
            (key, label)
            for key, (kind, _reverse, label) in self.KINDS.items()
            if investigation or kind not in ("payment", "contact")
        ]


class HouseholdForm(forms.Form):
    """A household."""

    region = forms.CharField(label=_("Region"), max_length=60, required=False)
    address = forms.CharField(label=_("Address"), max_length=300, required=False)


class MemberForm(forms.Form):
    """A person's household: one on record, or a new one."""

    household = forms.ModelChoiceField(
        Household.objects.none(),
        label=_("Household"),
        required=False,
        empty_label=_("a new household"),
    )
    region = forms.CharField(label=_("Region, of a new household"), max_length=60, required=False)
    address = forms.CharField(
        label=_("Address, of a new household"), max_length=300, required=False
    )
    adult = forms.BooleanField(label=_("The person is an adult"), required=False, initial=True)

    def __init__(self, *args: Any, households: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["household"].queryset = households


class MoveOutForm(forms.Form):
    """The day of moving out."""

    until = forms.DateField(label=_("Moved out on"), widget=forms.DateInput(attrs={"type": "date"}))


class IdentifierForm(forms.Form):
    """A telephone, address, document, account or vehicle."""

    kind = forms.ChoiceField(label=_("Kind"), choices=Identifier.Kind.choices)
    value = forms.CharField(label=_("Value"), max_length=300)
    source = forms.CharField(label=_("Source"), widget=_LONG)


class DocumentForm(forms.Form):
    """An upload."""

    kind = forms.ChoiceField(label=_("Kind"), choices=Document.Kind.choices)
    title = forms.CharField(
        label=_("Title"), max_length=120, help_text=_("It is not encrypted: write no names.")
    )
    content = forms.FileField(
        label=_("File"),
        help_text=_(
            "A JPEG, PNG or WebP picture or a PDF of at most 10 MB. Pictures are drawn anew "
            "without place, camera and comments; a PDF keeps its metadata."
        ),
    )


class VerifyForm(forms.Form):
    """The identity document that proves who the person is."""

    document = forms.ModelChoiceField(Document.objects.none(), label=_("Identity document"))

    def __init__(self, *args: Any, documents: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["document"].queryset = documents


class CorrectionForm(forms.Form):
    """Why an entry is wrong."""

    reason = forms.CharField(label=_("Reason"), widget=_LONG)


class SearchForm(forms.Form):
    """A search across agencies."""

    kind = forms.ChoiceField(label=_("Search by"), choices=list(SEARCHED_BY.items()))
    text = forms.CharField(
        label=_("What to search for"),
        max_length=200,
        help_text=_("In full: part of a name or number finds nobody."),
    )
    purpose = forms.ChoiceField(label=_("Purpose"), choices=list(PURPOSES.items()))


class UploadForm(forms.Form):
    """A table to import."""

    table = forms.ChoiceField(
        label=_("Table"), choices=[(table.key, table.label) for table in TABLES.values()]
    )
    content = forms.FileField(
        label=_("File"), help_text=_("CSV or .xlsx of at most 5 MB and 5,000 rows.")
    )
    encoding = forms.ChoiceField(
        label=_("Encoding of a CSV"), choices=list(ENCODINGS.items()), required=False
    )
