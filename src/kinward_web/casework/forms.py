"""Forms of the case pages; the form of a step is made from the table of evidence."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar

from django import forms
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from kinward_web.accounts.api import Actor, Agency
from kinward_web.casework.models import CareHome, Case, Placement, PlacementPerson, Service
from kinward_web.errors import Refusal
from kinward_web.registry import api as registry
from kinward_web.rules.evidence import EVIDENCE, EvidenceItem, Kind
from kinward_web.rules.roles import AgencyKind
from kinward_web.rules.table import Rule

__all__ = [
    "EvidenceForm",
    "ExamForm",
    "LinkClearanceForm",
    "MomentField",
    "PartyForm",
    "PlaceForm",
    "ReasonForm",
    "ScreenedPersonForm",
    "ServiceForm",
    "VisitForm",
]

_AGENCY_KINDS: dict[str, AgencyKind] = {
    "laboratory": AgencyKind.LABORATORY,
    "foreign_agency": AgencyKind.FOREIGN,
}
_LOCAL = "%Y-%m-%dT%H:%M"


class MomentField(forms.DateTimeField):
    """Date and time in the zone of the installation; begins with the present minute."""

    widget = forms.DateTimeInput(attrs={"type": "datetime-local"}, format=_LOCAL)

    def __init__(self, **options: Any) -> None:
        options.setdefault("initial", lambda: timezone.localtime().replace(second=0, microsecond=0))
        super().__init__(**options)

    def prepare_value(self, value: Any) -> Any:
        """Return what the browser's own input takes."""
        if hasattr(value, "strftime"):
            return timezone.localtime(value).strftime(_LOCAL) if value.tzinfo else value
        return value


class EvidenceForm(forms.Form):
    """What one step asks for, each item with how to come by it."""

    seen = forms.IntegerField(widget=forms.HiddenInput)
    """Version of the record on the page; a step on a stale page is refused."""

    def __init__(
        self, actor: Actor, case: Case, rule: Rule, version: int, *args: Any, **options: Any
    ) -> None:
        super().__init__(*args, **options)
        self.fields["seen"].initial = version
        for key in (*rule.evidence, *rule.optional):
            item = EVIDENCE[key]
            field = _FIELDS[item.kind](item, actor, case)
            field.required = key in rule.evidence
            field.label = item.label
            field.help_text = item.path
            self.fields[key] = field

    def evidence(self) -> dict[str, Any]:
        """Return the items that were filled in, as the engine takes them."""
        return {
            key: value
            for key, value in self.cleaned_data.items()
            if key != "seen" and value not in (None, "", [])
        }

    def take(self, refusals: tuple[Refusal, ...]) -> list[Refusal]:
        """Put refusals of single items beside their fields; return the others."""
        others = []
        for refusal in refusals:
            key = refusal.code.removeprefix("evidence:")
            if key != refusal.code and key in self.fields:
                self.add_error(key, str(refusal.message))
            else:
                others.append(refusal)
        return others


def _text(item: EvidenceItem, actor: Actor, case: Case) -> forms.Field:
    return forms.CharField(max_length=item.longest)


def _long_text(item: EvidenceItem, actor: Actor, case: Case) -> forms.Field:
    return forms.CharField(max_length=item.longest, widget=forms.Textarea(attrs={"rows": 4}))


def _moment(item: EvidenceItem, actor: Actor, case: Case) -> forms.Field:
    return MomentField()


def _number(item: EvidenceItem, actor: Actor, case: Case) -> forms.Field:
    return forms.IntegerField(min_value=0)


def _choice(item: EvidenceItem, actor: Actor, case: Case) -> forms.Field:
    return forms.ChoiceField(choices=item.choices, widget=forms.RadioSelect)


def _yes(item: EvidenceItem, actor: Actor, case: Case) -> forms.Field:
    return forms.BooleanField()


def _document_choices(item: EvidenceItem, actor: Actor, case: Case) -> list[tuple[int, str]]:
    documents = registry.documents_of(actor, case.child_id)
    if item.document_kinds:
        documents = documents.filter(kind__in=item.document_kinds)
    return [
        (row.pk, f"{row.title} ({timezone.localtime(row.uploaded_at):%Y-%m-%d})")
        for row in documents
    ]


def _document(item: EvidenceItem, actor: Actor, case: Case) -> forms.Field:
    choices = [("", _("Choose a document")), *_document_choices(item, actor, case)]
    return forms.TypedChoiceField(choices=choices, coerce=int, empty_value=None)


def _documents(item: EvidenceItem, actor: Actor, case: Case) -> forms.Field:
    return forms.TypedMultipleChoiceField(
        choices=_document_choices(item, actor, case),
        coerce=int,
        widget=forms.CheckboxSelectMultiple,
    )


def _agency(item: EvidenceItem, actor: Actor, case: Case) -> forms.Field:
    kind = _AGENCY_KINDS.get(item.key, actor.agency_kind)
    agencies = Agency.objects.filter(kind=kind.value if kind else "")
    if item.key == "receiving_agency":
        agencies = agencies.exclude(pk=actor.agency_id)
    choices = [("", _("Choose an agency")), *agencies.values_list("pk", "name")]
    return forms.TypedChoiceField(choices=choices, coerce=int, empty_value=None)


def _operation(item: EvidenceItem, actor: Actor, case: Case) -> forms.Field:
    rows = registry.operations_under_way(actor)[:200]
    choices = [("", _("Choose an operation")), *((row.pk, row.code) for row in rows)]
    return forms.TypedChoiceField(
        choices=choices, coerce=int, empty_value=None, initial=case.operation_id
    )


_FIELDS: dict[Kind, Callable[[EvidenceItem, Actor, Case], forms.Field]] = {
    Kind.TEXT: _text,
    Kind.LONG_TEXT: _long_text,
    Kind.MOMENT: _moment,
    Kind.NUMBER: _number,
    Kind.CHOICE: _choice,
    Kind.YES: _yes,
    Kind.DOCUMENT: _document,
    Kind.DOCUMENTS: _documents,
    Kind.AGENCY: _agency,
    Kind.OPERATION: _operation,
}


# ------------------------------------------------------------------------------ other forms


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
            *_document_choices(item, actor, case),
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
