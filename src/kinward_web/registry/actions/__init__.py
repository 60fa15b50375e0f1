"""Everything that changes the registry, and the searches and looks that must be recorded."""

from __future__ import annotations

from kinward_web.registry.actions.common import EntryRefused
from kinward_web.registry.actions.corrections import (
    confirm_correction,
    corrections_for,
    propose_correction,
    record_of,
    withdraw_correction,
)
from kinward_web.registry.actions.documents import open_document, store_document
from kinward_web.registry.actions.operations import (
    CampaignTally,
    OperationTally,
    Tally,
    audit_subject,
    campaign_tally,
    operation_tally,
    save_campaign,
    save_operation,
)
from kinward_web.registry.actions.people import (
    change_person,
    change_standing,
    enter_involvement,
    enter_person,
    enter_suspect,
    verify_identity,
)
from kinward_web.registry.actions.search import SEARCHED_BY, Found, SearchKind, search_people
from kinward_web.registry.actions.ties import (
    add_identifier,
    add_member,
    enter_household,
    enter_link,
    households_for,
    identifier_index,
    institution_of,
    join_household,
    move_out,
)

__all__ = [
    "SEARCHED_BY",
    "CampaignTally",
    "EntryRefused",
    "Found",
    "OperationTally",
    "SearchKind",
    "Tally",
    "add_identifier",
    "add_member",
    "audit_subject",
    "campaign_tally",
    "change_person",
    "change_standing",
    "confirm_correction",
    "corrections_for",
    "enter_household",
    "enter_involvement",
    "enter_link",
    "enter_person",
    "enter_suspect",
    "households_for",
    "identifier_index",
    "institution_of",
    "join_household",
    "move_out",
    "open_document",
    "operation_tally",
    "propose_correction",
    "record_of",
    "save_campaign",
    "save_operation",
    "search_people",
    "store_document",
    "verify_identity",
    "withdraw_correction",
]
