"""Word to the agencies of a case."""

from __future__ import annotations

from collections.abc import Iterable

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from kinward_web.casework.models import Case, Message

__all__ = ["TEXTS", "tell"]

TEXTS: dict[str, str | Promise] = {
    "hold": _("The case was put on hold."),
    "new_link": _("A new link bars the place of this child: the case is on hold."),
    "clearance_lapsed": _("A new link bars a place that was cleared: screen it again."),
    "joined": _("Your agency was brought into a case."),
    "transfer_offered": _("A case is offered to your agency."),
    "transfer_declined": _("The transfer of this case was declined or withdrawn."),
    "repatriation": _("Your authority is named to receive this child."),
    "missing": _("The child is missing from care."),
    "recovered": _("The child who was missing is back."),
    "died": _("The death of the child was recorded."),
    "received_at_night": _("A child was received under your officer's name."),
    "removal": _("The child must leave its place now."),
}
"""Every message by key; none holds a name."""


def tell(case: Case, key: str, agency_ids: Iterable[int] | None = None) -> None:
    """Leave the message `key` for the agencies given, or for all that take part in the case."""
    if key not in TEXTS:
        raise KeyError(key)
    if agency_ids is None:
        agency_ids = case.parties.values_list("agency_id", flat=True)
    Message.objects.bulk_create(
        Message(agency_id=number, case=case, key=key) for number in dict.fromkeys(agency_ids)
    )
