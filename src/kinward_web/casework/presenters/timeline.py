"""What has happened in a case, in one line of time: who, of which agency, when."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time
from itertools import groupby
from typing import Any

from django.conf import settings
from django.utils import timezone
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from kinward_web.accounts.api import Actor
from kinward_web.casework.effects import HANDED_OVER
from kinward_web.casework.engine import binding_of
from kinward_web.casework.models import Case, Placement, TransitionRecord
from kinward_web.rules.evidence import EVIDENCE, Kind
from kinward_web.rules.policy import load_policy
from kinward_web.rules.roles import reach_of
from kinward_web.rules.table import RESUME

__all__ = ["Entry", "place_name", "shown_evidence", "timeline", "visit_label"]

_NEEDS = {
    "sedation": "medical.read",
    "injuries": "medical.read",
    "sample_a": "medical.read",
    "source": "suspects.read",
    "with_whom": "suspects.read",
    "child_words": "custody.check",
}
"""Evidence that not everyone who reads the case may read."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One thing that happened."""

    at: datetime
    title: str | Promise
    tone: str = "active"
    who: str = ""
    role: str = ""
    agency: str = ""
    facts: tuple[tuple[str | Promise, str], ...] = ()
    recorded_at: datetime | None = None
    """When it was recorded, where that was more than a few minutes later."""


def timeline(
    actor: Actor,
    case: Case,
    records: Sequence[TransitionRecord],
    places: Sequence[Placement],
    documents: Iterable[Any],
) -> list[Entry]:
    """Return everything that happened and that the role may read, newest first.

    A constant number of queries.

    :param documents: those of the child that the role may read, with who stored them.
    """
    by_place = {place.pk: place for place in places}
    moves = TransitionRecord.objects.filter(machine="placement", subject_id__in=by_place)
    entries = [
        *(_transition(actor, record) for record in records),
        *(
            _transition(actor, record, place_name(by_place[record.subject_id]))
            for record in moves.select_related("actor", "agency")
        ),
        *_documents(documents),
        *_visits(actor, case),
        *_services(actor, case),
    ]
    if reach_of(actor.role, "medical.read") is not None:
        entries += _exams(case, {entry.at for entry in entries})
    return sorted(entries, key=lambda entry: entry.at, reverse=True)


def place_name(place: Placement) -> str:
    """Return the name of a care place, or the code of a household."""
    if place.home is not None:
        return place.home.name
    return _("Household %(code)s") % {"code": place.household.code}


def shown_evidence(
    actor: Actor, evidence: Mapping[str, Any], names: Mapping[str, Mapping[int, str]] | None = None
) -> tuple[tuple[str | Promise, str], ...]:
    """Return the evidence in words, without what the role may not read.

    :param names: names of agencies, operations and documents by kind and id; what is not named is
        left out.
    """
    rows = []
    for key in (key for key in EVIDENCE if key in evidence):
        value = evidence[key]
        needs = _NEEDS.get(key)
        if needs is not None and reach_of(actor.role, needs) is None:
            continue
        text = _in_words(EVIDENCE[key].kind, key, value, names or {})
        if text:
            rows.append((EVIDENCE[key].label, text))
    return tuple(rows)


def _in_words(kind: Kind, key: str, value: Any, names: Mapping[str, Mapping[int, str]]) -> str:
    if kind == Kind.MOMENT:
        moment = timezone.localtime(datetime.fromisoformat(value))
        return f"{moment:%Y-%m-%d %H:%M}"
    if kind == Kind.YES:
        return _("confirmed")
    if kind == Kind.CHOICE:
        return str(dict(EVIDENCE[key].choices).get(value, value))
    if kind in (Kind.AGENCY, Kind.OPERATION, Kind.DOCUMENT, Kind.DOCUMENTS):
        group = "document" if kind == Kind.DOCUMENTS else kind.value
        known = names.get(group, {})
        ids = value if isinstance(value, list) else [value]
        return ", ".join(known[pk] for pk in ids if pk in known)
    # The one reason that Kinward writes itself is stored in English and read in any language.
    return _(HANDED_OVER) if value == HANDED_OVER else str(value)


def _transition(actor: Actor, record: TransitionRecord, place: str = "") -> Entry:
    machine = binding_of(record.machine).machine
    rule = machine.rule(record.rule)
    title = str(rule.label)
    if rule.target == RESUME:
        title += f" → {machine.state(record.target).label}"
    happened = record.evidence.get("happened_at")
    at = datetime.fromisoformat(happened) if happened else record.made_at
    evidence = {key: value for key, value in record.evidence.items() if key != "happened_at"}
    late = (record.made_at - at).total_seconds() > 300
    return Entry(
        at=at,
        title=f"{place}: {title}" if place else title,
        tone=machine.state(record.target).tone.value,
        who=record.actor.full_name if record.actor else "Kinward",
        role=record.role,
        agency=record.agency.name if record.agency else "",
        facts=shown_evidence(actor, evidence),
        recorded_at=record.made_at if late else None,
    )


def _documents(rows: Iterable[Any]) -> Iterator[Entry]:
    """Yield one entry for what one person stored in one minute."""
    together = groupby(rows, lambda row: (row.uploaded_by_id, f"{row.uploaded_at:%Y%m%d%H%M}"))
    for _key, group in together:
        stored = list(group)
        first = stored[0]
        yield Entry(
            at=first.uploaded_at,
            title=ngettext("Document stored", "%(n)d documents stored", len(stored))
            % {"n": len(stored)},
            tone="waiting",
            who=first.uploaded_by.full_name,
            role=first.uploaded_by.role,
            agency=first.uploaded_by.agency.name,
            facts=tuple((row.get_kind_display(), row.title) for row in stored),
        )


def _visits(actor: Actor, case: Case) -> Iterator[Entry]:
    reads = reach_of(actor.role, "service.write") or reach_of(actor.role, "custody.check")
    visits = case.visits.filter(done_at__isnull=False).select_related("visitor__agency")
    for visit in visits:
        facts = ((_("Finding"), visit.finding),) if reads and visit.finding else ()
        yield Entry(
            at=visit.done_at,
            title=_("Visit made: %(visit)s") % {"visit": visit_label(visit.key)},
            tone="urgent" if visit.concern and not visit.concern_settled_at else "home",
            who=visit.visitor.full_name if visit.visitor else "",
            role=visit.visitor.role if visit.visitor else "",
            agency=visit.visitor.agency.name if visit.visitor else "",
            facts=facts,
        )


def _services(actor: Actor, case: Case) -> Iterator[Entry]:
    for service in case.services.select_related("given_by__agency"):
        yield Entry(
            at=_noon(service.given_on),
            title=_("Service given: %(kind)s") % {"kind": service.get_kind_display()},
            tone="home",
            who=service.given_by.full_name,
            role=service.given_by.role,
            agency=service.given_by.agency.name,
            facts=((_("Cost"), f"{service.cost} {service.currency}"),),
        )


def _exams(case: Case, told: set[datetime]) -> Iterable[Entry]:
    """Yield the examinations that no step of the case has told already."""
    for exam in case.exams.exclude(examined_at__in=told).select_related("clinician__agency"):
        yield Entry(
            at=exam.examined_at,
            title=_("Examination"),
            tone="active",
            who=exam.clinician.full_name,
            role=exam.clinician.role,
            agency=exam.clinician.agency.name,
            facts=((_("Age in days"), f"{exam.age_days_min}–{exam.age_days_max}"),),
        )


def _noon(day: date) -> datetime:
    return timezone.make_aware(datetime.combine(day, time(12)))


def visit_label(key: str) -> str:
    """Return the name of a planned visit: the day after the return, or that it is an extra one."""
    days = dict(load_policy(settings.COUNTRY).visits)
    return _("day %(n)d") % {"n": days[key]} if key in days else _("extra visit")
