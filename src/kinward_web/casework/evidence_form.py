"""The form of a step, made from the table of evidence."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django import forms
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from kinward_web.accounts.api import Actor, Agency
from kinward_web.casework.models import Case
from kinward_web.errors import Refusal
from kinward_web.registry import api as registry
from kinward_web.rules.evidence import EVIDENCE, EvidenceItem, Kind
from kinward_web.rules.roles import AgencyKind
from kinward_web.rules.table import Rule

__all__ = ["EvidenceForm", "MomentField", "document_choices"]

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
        self, actor: Actor, case: Case | None, rule: Rule, version: int, *args: Any, **options: Any
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
            if key not in self.declared_fields and value not in (None, "", [])
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


def _text(item: EvidenceItem, actor: Actor, case: Case | None) -> forms.Field:
    return forms.CharField(max_length=item.longest)


def _long_text(item: EvidenceItem, actor: Actor, case: Case | None) -> forms.Field:
    return forms.CharField(max_length=item.longest, widget=forms.Textarea(attrs={"rows": 4}))


def _moment(item: EvidenceItem, actor: Actor, case: Case | None) -> forms.Field:
    return MomentField()


def _number(item: EvidenceItem, actor: Actor, case: Case | None) -> forms.Field:
    return forms.IntegerField(min_value=0)


def _choice(item: EvidenceItem, actor: Actor, case: Case | None) -> forms.Field:
    return forms.ChoiceField(choices=item.choices, widget=forms.RadioSelect)


def _yes(item: EvidenceItem, actor: Actor, case: Case | None) -> forms.Field:
    return forms.BooleanField()


def document_choices(item: EvidenceItem, actor: Actor, case: Case | None) -> list[tuple[int, str]]:
    """Return the child's documents that count for `item` and that the actor may read."""
    if case is None:
        return []
    documents = registry.documents_of(actor, case.child_id)
    if item.document_kinds:
        documents = documents.filter(kind__in=item.document_kinds)
    return [
        (row.pk, f"{row.title} ({timezone.localtime(row.uploaded_at):%Y-%m-%d})")
        for row in documents
    ]


def _document(item: EvidenceItem, actor: Actor, case: Case | None) -> forms.Field:
    choices = [("", _("Choose a document")), *document_choices(item, actor, case)]
    return forms.TypedChoiceField(choices=choices, coerce=int, empty_value=None)


def _documents(item: EvidenceItem, actor: Actor, case: Case | None) -> forms.Field:
    return forms.TypedMultipleChoiceField(
        choices=document_choices(item, actor, case),
        coerce=int,
        widget=forms.CheckboxSelectMultiple,
    )


def _agency(item: EvidenceItem, actor: Actor, case: Case | None) -> forms.Field:
    kind = _AGENCY_KINDS.get(item.key, actor.agency_kind)
    agencies = Agency.objects.filter(kind=kind.value if kind else "")
    if item.key == "receiving_agency":
        agencies = agencies.exclude(pk=actor.agency_id)
    choices = [("", _("Choose an agency")), *agencies.values_list("pk", "name")]
    return forms.TypedChoiceField(choices=choices, coerce=int, empty_value=None)


def _operation(item: EvidenceItem, actor: Actor, case: Case | None) -> forms.Field:
    rows = registry.operations_under_way(actor)[:200]
    choices = [("", _("Choose an operation")), *((row.pk, row.code) for row in rows)]
    return forms.TypedChoiceField(
        choices=choices, coerce=int, empty_value=None, initial=case.operation_id if case else None
    )


_FIELDS: dict[Kind, Callable[[EvidenceItem, Actor, Case | None], forms.Field]] = {
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
