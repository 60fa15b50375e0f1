"""Evidence of a transition: parsed once, every fault reported together."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from django.utils import timezone
from django.utils.translation import gettext as _

from kinward_web.accounts.api import Agency
from kinward_web.casework.models import Case
from kinward_web.errors import Refusal
from kinward_web.registry import api as registry
from kinward_web.rules.evidence import EVIDENCE, EvidenceItem, Kind
from kinward_web.rules.table import Rule

__all__ = ["clean_evidence"]

_CLOCK_SKEW = timedelta(minutes=5)
_LONGEST_AGO = timedelta(days=50 * 366)
_HIGHEST_NUMBER = 10_000
"""Days of age of the oldest child, and more; keeps dates within the calendar."""


def clean_evidence(
    rule: Rule, evidence: Mapping[str, Any], case: Case | None, moment: datetime
) -> tuple[dict[str, Any], list[Refusal]]:
    """Return the evidence as JSON values, and a refusal for each item missing, unknown or wrong."""
    cleaned: dict[str, Any] = {}
    refusals: list[Refusal] = []
    asked = (*rule.evidence, *rule.optional)
    for key in evidence:
        if key not in asked:
            refusals.append(
                Refusal(
                    f"evidence:{key}",
                    _("“%(key)s” is not asked for here.") % {"key": key},
                    _("Leave it out."),
                )
            )
    for key in asked:
        item, value = EVIDENCE[key], evidence.get(key)
        # Nought is an answer: a newborn's youngest possible age.
        if value is None or value is False or value in ("", [], ()):
            if key in rule.evidence:
                message = _("“%(item)s” is missing.") % {"item": item.label}
                refusals.append(Refusal(f"evidence:{key}", message, item.path))
            continue
        try:
            cleaned[key] = _CLEANERS[item.kind](item, value, case, moment)
        except _Wrong as wrong:
            message = f"“{item.label}”: {wrong}"
            refusals.append(Refusal(f"evidence:{key}", message, item.path))
    return cleaned, refusals


class _Wrong(Exception):
    """A value that is not of its kind; the text says what is wrong."""


def _text(item: EvidenceItem, value: Any, case: Case | None, moment: datetime) -> str:
    text = str(value).strip()
    if not text or "\0" in text:
        raise _Wrong(_("it is empty or no text."))
    if len(text) > item.longest:
        raise _Wrong(_("it is longer than %(n)d characters.") % {"n": item.longest})
    return text


def _moment(item: EvidenceItem, value: Any, case: Case | None, moment: datetime) -> str:
    try:
        time = value if isinstance(value, datetime) else datetime.fromisoformat(str(value))
    except ValueError:
        raise _Wrong(_("write it as 2011-07-15 04:30.")) from None
    if timezone.is_naive(time):
        time = timezone.make_aware(time)
    if time > moment + _CLOCK_SKEW:
        raise _Wrong(_("it lies in the future."))
    if time < moment - _LONGEST_AGO:
        raise _Wrong(_("it lies more than fifty years back."))
    return time.isoformat()


def _number(item: EvidenceItem, value: Any, case: Case | None, moment: datetime) -> int:
    number = _whole(value)
    if number > _HIGHEST_NUMBER:
        raise _Wrong(_("it is above %(n)d.") % {"n": _HIGHEST_NUMBER})
    return number


def _whole(value: Any) -> int:
    try:
        number = int(value)
    except (TypeError, ValueError, OverflowError):
        raise _Wrong(_("it is not a whole number.")) from None
    if isinstance(value, bool) or number != float(value):
        raise _Wrong(_("it is not a whole number."))
    if number < 0:
        raise _Wrong(_("it is below zero."))
    return number


def _choice(item: EvidenceItem, value: Any, case: Case | None, moment: datetime) -> str:
    if str(value) not in {key for key, _label in item.choices}:
        raise _Wrong(_("it is none of the choices."))
    return str(value)


def _yes(item: EvidenceItem, value: Any, case: Case | None, moment: datetime) -> bool:
    if value not in (True, "true", "on", "yes", "1"):
        raise _Wrong(_("it is not confirmed."))
    return True


def _documents(item: EvidenceItem, value: Any, case: Case | None, moment: datetime) -> list[int]:
    try:
        ids = [int(entry) for entry in (value if isinstance(value, list | tuple) else [value])]
    except (TypeError, ValueError):
        raise _Wrong(_("choose documents of the child.")) from None
    kinds = registry.document_kinds(case.child_id) if case else {}
    for entry in ids:
        if entry not in kinds:
            raise _Wrong(_("it is no document of this child."))
        if item.document_kinds and kinds[entry] not in item.document_kinds:
            raise _Wrong(_("a document of this kind does not count here."))
    return ids


def _document(item: EvidenceItem, value: Any, case: Case | None, moment: datetime) -> int:
    return _documents(item, value, case, moment)[0]


def _agency(item: EvidenceItem, value: Any, case: Case | None, moment: datetime) -> int:
    number = _whole(value)
    if not Agency.objects.filter(pk=number).exists():
        raise _Wrong(_("there is no such agency."))
    return number


def _operation(item: EvidenceItem, value: Any, case: Case | None, moment: datetime) -> int:
    number = _whole(value)
    if not registry.operation_exists(number):
        raise _Wrong(_("there is no such operation."))
    return number


_CLEANERS = {
    Kind.TEXT: _text,
    Kind.LONG_TEXT: _text,
    Kind.MOMENT: _moment,
    Kind.NUMBER: _number,
    Kind.CHOICE: _choice,
    Kind.YES: _yes,
    Kind.DOCUMENT: _document,
    Kind.DOCUMENTS: _documents,
    Kind.AGENCY: _agency,
    Kind.OPERATION: _operation,
}
