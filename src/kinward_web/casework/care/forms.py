"""Forms of the care places and of the plan."""

from __future__ import annotations

from typing import Any, ClassVar

from django import forms
from django.utils.translation import gettext_lazy as _

from kinward_web.casework.models import CareHome

__all__ = ["MEDICAL_LEVELS", "HomeForm", "PlanForm"]

MEDICAL_LEVELS = (
    (0, _("none")),
    (1, _("nurse by day")),
    (2, _("nurse at night")),
    (3, _("hospital")),
)


class HomeForm(forms.ModelForm):
    """The numbers of one care place."""

    medical_level = forms.TypedChoiceField(
        label=_("Medical ability"), choices=MEDICAL_LEVELS, coerce=int
    )

    class Meta:
        """Every field but the agency, which is the own one."""

        model = CareHome
        fields: ClassVar = [
            "name",
            "region",
            "latitude",
            "longitude",
            "open",
            "hospital",
            "medical_level",
            "beds",
            "carers",
            "infants_per_carer",
            "children_per_carer",
            "cost_per_child_day",
            "budget",
            "currency",
        ]
        labels: ClassVar = {"open": _("Open: children can be received")}
        help_texts: ClassVar = {
            "carers": _("On duty at the same time, at the thinnest hour of the day."),
            "infants_per_carer": _("Infants are younger than two years."),
            "budget": _("What is at hand now, for the children who are there as well."),
        }

    def clean_latitude(self) -> float:
        """Check the range."""
        return self._within("latitude", 90)

    def clean_longitude(self) -> float:
        """Check the range."""
        return self._within("longitude", 180)

    def _within(self, name: str, limit: int) -> float:
        value = self.cleaned_data[name]
        if not -limit <= value <= limit:
            raise forms.ValidationError(_("Give degrees between −%(n)d and %(n)d.") % {"n": limit})
        return value


class PlanForm(forms.Form):
    """What tonight's plan covers."""

    operations = forms.MultipleChoiceField(
        label=_("Only children of these operations"),
        required=False,
        widget=forms.CheckboxSelectMultiple,
        help_text=_("Choose none for every child that waits in your region."),
    )
    days = forms.IntegerField(
        label=_("Days for which carers and money must last"),
        min_value=1,
        max_value=365,
        initial=30,
    )

    def __init__(self, *args: Any, operations: list[tuple[int, str]], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["operations"].choices = operations
