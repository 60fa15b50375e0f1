"""Examinations, and the way of sample A."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.functional import Promise
from django.utils.translation import gettext as _

from kinward_web.accounts.api import Agency
from kinward_web.casework import actions
from kinward_web.casework.engine import next_steps
from kinward_web.casework.forms import ExamForm
from kinward_web.casework.models import Case, TransitionRecord
from kinward_web.casework.presenters.child import step_rows
from kinward_web.casework.scope import can
from kinward_web.casework.views.common import case_page, see_case
from kinward_web.errors import TransitionRefused
from kinward_web.rules.case import CASE
from kinward_web.rules.evidence import EVIDENCE

__all__ = ["medical"]


@dataclass(frozen=True, slots=True)
class Custody:
    """One station of a sample."""

    label: str | Promise
    status: str
    note: str = ""
    at: datetime | None = None


def medical(request: HttpRequest, code: str) -> HttpResponse:
    """Show and record examinations; show where sample A is."""
    actor = request.actor
    case = see_case(request, code, "medical.read")
    writes = can(actor, "medical.write", case)
    form = ExamForm(request.POST or None) if writes and case.exams.exists() else None
    status, refusals = 200, ()
    if request.method == "POST" and form is not None:
        status = 409
        if form.is_valid():
            try:
                actions.record_exam(actor, case, **form.cleaned_data)
            except TransitionRefused as refused:
                refusals = refused.refusals
            else:
                messages.success(request, _("The examination is on record."))
                return redirect("casework:medical", case.code)
    steps = step_rows(
        actor,
        CASE,
        next_steps(actor, case),
        lambda rule: reverse("casework:step", args=[case.code, rule.name]),
    )
    sedation = dict(EVIDENCE["sedation"].choices)
    return case_page(
        request,
        "medical.html",
        case,
        "medical",
        status,
        exams=[
            (exam, sedation.get(exam.sedation, exam.sedation))
            for exam in case.exams.select_related("clinician__agency")
        ],
        form=form,
        refusals=refusals,
        steps=[row for row in steps if row.rule.name in ("clear_medically", "recall_clearance")],
        sample=_sample(case),
    )


def _sample(case: Case) -> list[Custody]:
    """Return the stations of sample A as far as they are on record."""
    if not case.sample_a:
        return []
    rows = TransitionRecord.objects.filter(machine="case", subject_id=case.pk)
    rows = rows.select_related("actor", "agency").order_by("-number")
    taken = rows.filter(rule="clear_medically").first()
    sent = rows.filter(rule="start_tracing").first()
    laboratory = Agency.objects.filter(pk=sent.evidence["laboratory"]).first() if sent else None
    collected = Custody(
        _("Taken"),
        "done",
        f"{taken.actor.full_name}, {taken.agency.name}" if taken else "",
        datetime.fromisoformat(taken.evidence["happened_at"]) if taken else None,
    )
    kit = Custody(_("Kit"), "done", case.sample_a)
    if sent is None:
        return [collected, kit, Custody(_("Sent to the laboratory"), "current", _("not yet"))]
    return [
        collected,
        kit,
        Custody(
            _("Sent to the laboratory"),
            "done",
            laboratory.name if laboratory else "",
            sent.made_at,
        ),
        Custody(_("Received there"), "next"),
    ]
