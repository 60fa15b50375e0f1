"""What goes through the door: codes and states, never names or genotypes."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any, Literal
from uuid import UUID

from ninja import Field, Schema
from pydantic import ConfigDict, model_validator

__all__ = [
    "CaseList",
    "CaseOut",
    "Done",
    "Missing",
    "PlacementIn",
    "PlacementOut",
    "ProposalOut",
    "RefusalOut",
    "Refused",
    "ScreenedIn",
    "StepIn",
    "StepOut",
    "SyncEntry",
    "SyncIn",
    "SyncOut",
    "SyncResult",
]


class RefusalOut(Schema):
    """One reason why a step is refused, and the legitimate path beside it."""

    code: str
    message: str
    path: str


class Refused(Schema):
    """Every reason; nothing was done."""

    refusals: list[RefusalOut]


class Missing(Schema):
    """There is no such record, or it is not for this login; the two look alike."""

    detail: str


class CaseOut(Schema):
    """One case."""

    code: str
    state: str
    version: int
    """Give it back as `seen` with a step, which is then refused if the case has changed."""
    state_since: datetime | None
    due_at: datetime | None
    child: str
    """Code of the child."""
    sex: str
    born_from: date | None
    born_to: date | None
    region: str
    operation: str | None
    wristband: str
    sibling_group: str
    rescued_at: datetime | None
    returned_to_buyer: bool


class CaseList(Schema):
    """One page of the cases within reach."""

    count: int
    page: int
    pages: int
    items: list[CaseOut]


class StepOut(Schema):
    """A step out of the present state, and what blocks it for this login."""

    rule: str
    label: str
    unlocks: str
    allowed: bool
    evidence: list[str]
    optional: list[str]
    refusals: list[RefusalOut]
    due_at: datetime | None
    proposal: int | None
    """An open proposal of this step, to be signed."""
    waits_for: list[str]


class _Strict(Schema):
    """What comes in: an unknown key is refused, for its sender believes that it does something."""

    model_config = ConfigDict(extra="forbid")


class StepIn(_Strict):
    """The evidence of a step."""

    evidence: dict[str, Any] = Field(default_factory=dict)
    seen: int | None = None


class Done(Schema):
    """The step is made."""

    state: str
    version: int


class ProposalOut(Schema):
    """The step is proposed, or signed; it waits for others until `waits_for` is empty."""

    proposal: int
    waits_for: list[str]
    state: str


class ScreenedIn(_Strict):
    """Someone besides the household who is screened."""

    code: str
    capacity: Literal["escort", "payer", "carer"]


class PlacementIn(_Strict):
    """A place to propose: a care place, or a household by its code."""

    home: int | None = None
    household: str = ""
    purpose: Literal["care", "return"] = "care"
    people: list[ScreenedIn] = Field(default_factory=list)
    reason: str = ""

    @model_validator(mode="after")
    def one_of_two(self) -> PlacementIn:
        """Ask for a home or a household."""
        if (self.home is None) == (not self.household):
            raise ValueError("give a home or a household")
        return self


class PlacementOut(Schema):
    """One placement."""

    id: int
    case: str
    home: int | None
    household: str | None
    purpose: str
    state: str
    version: int


class SyncEntry(_Strict):
    """A child found, as the outbox of a browser kept it."""

    client_id: UUID
    operation: str
    region: str
    place: str
    happened_at: str
    sex: str = "unknown"


class SyncIn(_Strict):
    """What waited in an outbox."""

    entries: list[SyncEntry] = Field(max_length=100)


class SyncResult(Schema):
    """What became of one entry; a refused one stays in the outbox until its person decides."""

    client_id: UUID
    status: Literal["done", "refused"]
    case: str | None = None
    refusals: list[RefusalOut] = Field(default_factory=list)


class SyncOut(Schema):
    """One result per entry, in order."""

    results: list[SyncResult]
