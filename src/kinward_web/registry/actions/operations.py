"""Campaigns and operations: planned under seal, run by the leading agency, counted live."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from django.db import transaction
from django.db.models import Count, Q
from django.utils import timezone
from django.utils.translation import gettext as _

from kinward_web.accounts.api import Actor, Agency, User
from kinward_web.audit import api as audit
from kinward_web.casework import api as casework
from kinward_web.fields import blind_index
from kinward_web.registry.actions.common import refuse, require_role, required_text
from kinward_web.registry.models import Campaign, Operation, Site, new_code
from kinward_web.registry.scope import (
    get_operation,
    involvements_for,
    operations_for,
    reads_suspects,
)
from kinward_web.rules.case import CASE

__all__ = [
    "CampaignTally",
    "OperationTally",
    "Tally",
    "audit_subject",
    "campaign_tally",
    "operation_tally",
    "save_campaign",
    "save_operation",
]


@dataclass(frozen=True, slots=True)
class Tally:
    """Children of one operation, jurisdiction or campaign by state of their case."""

    by_state: dict[str, int]

    @property
    def total(self) -> int:
        """All children."""
        return sum(self.by_state.values())

    @property
    def at_home(self) -> int:
        """Children who are back with their family."""
        return sum(self.by_state.get(state, 0) for state in ("reunited", "follow_up", "closed"))


@dataclass(frozen=True, slots=True)
class OperationTally:
    """Live figures of one operation. `regions` add up to `all`."""

    all: Tally
    regions: dict[str, Tally]
    suspects: dict[str, int]
    """Suspects, buyers and brokers by legal standing; a person once for each standing."""
    suspects_shown: bool
    """Whether the actor's role may see them; `suspects` is empty where not."""


@dataclass(frozen=True, slots=True)
class CampaignTally:
    """Live figures of one campaign. `operations` and `elsewhere` add up to `all`."""

    all: Tally
    operations: dict[int, Tally]
    """By id of the operation; sealed ones are not there."""
    elsewhere: Tally
    """Children of the campaign who belong to no operation yet."""


def _tallies(rows: Iterable[tuple[object, str, int]]) -> dict[object, Tally]:
    found: dict[object, Counter[str]] = {}
    for key, state, count in rows:
        found.setdefault(key, Counter())[state] += count
    order = [row.key for row in CASE.states]
    return {
        key: Tally({state: counts[state] for state in order if counts[state]})
        for key, counts in found.items()
    }


def _sum(tallies: Iterable[Tally]) -> Tally:
    merged = _tallies(
        ("all", state, count) for tally in tallies for state, count in tally.by_state.items()
    )
    return merged.get("all", Tally({}))  # type: ignore[return-value]


def operation_tally(actor: Actor, operation: Operation) -> OperationTally:
    """Count the children by jurisdiction and state, and the suspects by standing.

    One query for the children and one for the suspects; every sum is made from their rows.
    """
    get_operation(actor, operation.code)
    rows = (
        operation.cases.exclude(state="new")
        .values_list("region", "state")
        .annotate(count=Count("pk"))
        .order_by("region")
    )
    regions = {str(key): tally for key, tally in _tallies(rows).items()}
    shown = reads_suspects(actor)
    suspects: dict[str, int] = {}
    if shown:
        accused = involvements_for(actor).filter(operation=operation).exclude(part="witness")
        suspects = dict(
            accused.values_list("standing")
            .annotate(count=Count("person", distinct=True))
            .order_by()
        )
    return OperationTally(_sum(regions.values()), regions, suspects, shown)


def campaign_tally(actor: Actor, campaign: Campaign) -> CampaignTally:
    """Count the children of a campaign by operation and state, in one query.

    Operations out of the actor's reach are not counted, so that figures agree with what is shown.
    """
    require_role(actor, "operation.read")
    visible = operations_for(actor).filter(campaign=campaign).values("pk")
    loose = casework.cases_for(actor).filter(operation__isnull=True, campaign=campaign).values("pk")
    # By the operation's own campaign: a case keeps the one that was in force at its rescue.
    cases = campaign.cases.model.objects.exclude(state="new").filter(
        Q(operation__in=visible) | Q(pk__in=loose)
    )
    rows = cases.values_list("operation_id", "state").annotate(count=Count("pk")).order_by()
    found = _tallies(rows)
    elsewhere = found.pop(None, Tally({}))
    operations = {int(key): tally for key, tally in found.items()}  # type: ignore[call-overload]
    return CampaignTally(_sum([*operations.values(), elsewhere]), operations, elsewhere)


@transaction.atomic
def save_campaign(
    actor: Actor,
    campaign: Campaign | None,
    *,
    name: str,
    country: str,
    task_force_from: date | None,
    special_until: date | None,
    note: str = "",
) -> Campaign:
    """Enter or change a campaign.

    :raises EntryRefused: no name, a name that is taken, or a window that ends before it begins.
    """
    require_role(actor, "operation.manage")
    name = required_text("name", _("Name"), name)
    same = Campaign.objects.filter(name=name)
    if same.exclude(pk=campaign.pk if campaign else None).exists():
        raise refuse(
            "evidence:name",
            _("There is a campaign of this name."),
            _("Use it, or choose another name."),
        )
    if task_force_from and special_until and task_force_from > special_until:
        raise refuse(
            "evidence:special_until",
            _("The special campaign ends before the task force begins."),
            _("Exchange the two days or correct them."),
        )
    row = campaign or Campaign()
    row.name, row.country, row.note = name, country, note
    row.task_force_from, row.special_until = task_force_from, special_until
    row.save()
    act = "campaign.changed" if campaign else "campaign.entered"
    window = {"from": task_force_from, "until": special_until}
    audit.append(actor, act, f"campaign:{row.pk}", window)
    return row


def audit_subject(operation: Operation) -> str:
    """Return how the audit chain names an operation: by a keyed digest while it is sealed.

    Whoever reads the chain learns neither code nor time of what is planned. Afterwards the digest
    is computed again from the code.
    """
    if operation.sealed:
        return f"sealed:{blind_index('operation', operation.code)[:32]}"
    return f"operation:{operation.code}"


def _write_down(actor: Actor, operation: Operation, act: str, detail: Mapping[str, Any]) -> None:
    subject = audit_subject(operation)
    if operation.sealed:
        content = json.dumps(detail, default=str, sort_keys=True)
        audit.append(actor, f"sealed.{act}", subject, {"key": blind_index("operation", content)})
    else:
        audit.append(actor, f"operation.{act}", subject, detail)


@transaction.atomic
def save_operation(
    actor: Actor,
    operation: Operation | None,
    *,
    campaign: Campaign,
    name: str,
    starts_at: datetime,
    ended_at: datetime | None = None,
    agencies: Sequence[Agency] = (),
    insiders: Sequence[User] = (),
    sites: Sequence[tuple[str, str, Agency]] = (),
) -> Operation:
    """Enter or change an operation of the own agency; whoever plans it is an insider.

    The code is made here: one chosen by hand could be taken by a sealed operation, and a refusal
    would give that away.

    :param sites: (jurisdiction, address, agency) of each place; they replace those on record.
    :raises NotAllowed: another agency leads it, or it is sealed to the actor.
    :raises EntryRefused: no name, an end before the start, or a start moved into the future.
    """
    require_role(actor, "operation.manage")
    name = required_text("name", _("Name"), name)
    if ended_at is not None and ended_at < starts_at:
        raise refuse(
            "evidence:ended_at", _("It ends before it starts."), _("Correct one of the two times.")
        )
    now = timezone.now()
    if operation is not None:
        operation = get_operation(actor, operation.code, "operation.manage")
        if operation.starts_at <= now < starts_at:
            raise refuse(
                "evidence:starts_at",
                _("This operation has started; its start cannot be moved into the future."),
                _("Record its end, and plan another operation."),
            )
    row = operation or Operation(code=f"OP-{new_code()}", lead_id=actor.agency_id)
    row.campaign, row.name = campaign, name
    row.starts_at, row.ended_at = starts_at, ended_at
    row.save()
    row.agencies.set(agencies)
    row.insiders.set({*(user.pk for user in insiders), actor.user_id})
    row.sites.all().delete()
    Site.objects.bulk_create(
        Site(operation=row, region=region, address=address, agency=agency)
        for region, address, agency in sites
    )
    detail = {
        "starts_at": row.starts_at,
        "sites": len(sites),
        "insiders": sorted(row.insiders.values_list("pk", flat=True)),
    }
    _write_down(actor, row, "changed" if operation else "entered", detail)
    return row
