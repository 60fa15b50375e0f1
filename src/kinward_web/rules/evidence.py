"""What a transition may ask for: one row per item, from which the forms of the pages derive."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

__all__ = ["EVIDENCE", "EvidenceItem", "Kind"]


class Kind(StrEnum):
    """The kind of value that an item holds, in JSON."""

    TEXT = "text"
    LONG_TEXT = "long_text"
    MOMENT = "moment"
    """ISO 8601 with an offset; not in the future."""
    NUMBER = "number"
    CHOICE = "choice"
    YES = "yes"
    """True; a statement that the person signs for."""
    DOCUMENT = "document"
    """Id of a document of the child."""
    DOCUMENTS = "documents"
    """Ids of one or more documents of the child."""
    AGENCY = "agency"
    """Id of an agency."""
    OPERATION = "operation"
    """Id of an operation."""


@dataclass(frozen=True, slots=True)
class EvidenceItem:
    """One item of evidence: how it is named and entered, and how to come by it."""

    key: str
    label: str | Promise
    kind: Kind
    path: str | Promise
    """What to do when it is missing."""
    choices: tuple[tuple[str, str | Promise], ...] = ()
    document_kinds: tuple[str, ...] = ()
    """Kinds of document that count; empty where any does."""
    longest: int = 4_000
    """Most characters of a text."""


_ASK = _("Fill it in here; “not known” is an answer when it is true.")
_UPLOAD = _("Upload it on the child's page under Documents, then choose it here.")

_ITEMS = (
    EvidenceItem("source", _("Who or what told us"), Kind.LONG_TEXT, _ASK),
    EvidenceItem("place", _("Place"), Kind.TEXT, _ASK),
    EvidenceItem("with_whom", _("With whom the child is"), Kind.LONG_TEXT, _ASK),
    EvidenceItem("reason", _("Reason"), Kind.LONG_TEXT, _("Say in your own words why.")),
    EvidenceItem(
        "happened_at",
        _("When"),
        Kind.MOMENT,
        _("Give the local time; the moment may not lie in the future."),
    ),
    EvidenceItem(
        "operation",
        _("Operation"),
        Kind.OPERATION,
        _("Choose the operation; a planned one can be chosen once it has started."),
    ),
    EvidenceItem(
        "wristband",
        _("Wristband code"),
        Kind.TEXT,
        _("Print a band on the Rescue board and put it on the child before anything else."),
        longest=24,
    ),
    EvidenceItem(
        "photographs",
        _("Photographs"),
        Kind.DOCUMENTS,
        _UPLOAD,
        document_kinds=("photograph",),
    ),
    EvidenceItem(
        "found_with",
        _("Things found with the child"),
        Kind.LONG_TEXT,
        _("List clothes, cards and objects; write “nothing” if there was nothing."),
    ),
    EvidenceItem(
        "sedation",
        _("Sedation"),
        Kind.CHOICE,
        _("Look for sleepiness, small pupils and marks of injections."),
        choices=(
            ("none", _("no sign")),
            ("suspected", _("suspected")),
            ("certain", _("certain")),
        ),
    ),
    EvidenceItem(
        "injuries",
        _("Injuries and marks"),
        Kind.LONG_TEXT,
        _("Describe place, size and age; write “none seen” if none."),
    ),
    EvidenceItem("age_days_min", _("Youngest possible age, days"), Kind.NUMBER, _ASK),
    EvidenceItem("age_days_max", _("Oldest possible age, days"), Kind.NUMBER, _ASK),
    EvidenceItem(
        "sample_a",
        _("Code of sample A"),
        Kind.TEXT,
        _("Take the first sample with a kit and copy the code printed on it."),
        longest=40,
    ),
    EvidenceItem(
        "laboratory",
        _("Laboratory"),
        Kind.AGENCY,
        _("Choose the laboratory to which sample A went."),
    ),
    EvidenceItem(
        "laboratory_report",
        _("Laboratory report on both samples"),
        Kind.DOCUMENT,
        _UPLOAD,
        document_kinds=("laboratory",),
    ),
    EvidenceItem(
        "verification",
        _("Record of separate interviews and documents"),
        Kind.DOCUMENT,
        _UPLOAD,
        document_kinds=("verification",),
    ),
    EvidenceItem(
        "best_interest",
        _("Best-interest decision"),
        Kind.DOCUMENT,
        _UPLOAD,
        document_kinds=("best_interest",),
    ),
    EvidenceItem(
        "child_words",
        _("The child's own words, or how an infant behaves with them"),
        Kind.LONG_TEXT,
        _ASK,
    ),
    EvidenceItem(
        "court_order",
        _("Court order"),
        Kind.DOCUMENT,
        _UPLOAD,
        document_kinds=("court",),
    ),
    EvidenceItem(
        "long_term_kind",
        _("Kind of long-term care"),
        Kind.CHOICE,
        _ASK,
        choices=(
            ("foster", _("foster care")),
            ("guardianship", _("guardianship")),
            ("adoption", _("adoption by law")),
        ),
    ),
    EvidenceItem(
        "search_continues",
        _("The search for the family goes on"),
        Kind.YES,
        _("Long-term care never ends the search; confirm that the profile stays in it."),
    ),
    EvidenceItem(
        "receiving_agency",
        _("Receiving agency"),
        Kind.AGENCY,
        _("Choose the agency; an administrator enters one that is missing."),
    ),
    EvidenceItem(
        "foreign_agency",
        _("Foreign authority"),
        Kind.AGENCY,
        _("Choose the authority that will receive the child; it must have a login here."),
    ),
    EvidenceItem(
        "receiving_person",
        _("Name and office of the person who receives"),
        Kind.TEXT,
        _("A named person answers for the child from this moment."),
    ),
    EvidenceItem("escort", _("Escort"), Kind.TEXT, _("Name the person who brings the child.")),
    EvidenceItem(
        "document",
        _("Document"),
        Kind.DOCUMENT,
        _UPLOAD,
    ),
    EvidenceItem(
        "death_certificate",
        _("Death certificate"),
        Kind.DOCUMENT,
        _UPLOAD,
        document_kinds=("death",),
    ),
    EvidenceItem(
        "consent",
        _("Consent to this publication"),
        Kind.DOCUMENT,
        _("Ask the family, or the guardian by law, to sign; upload it under Documents."),
        document_kinds=("consent",),
    ),
)

EVIDENCE: dict[str, EvidenceItem] = {item.key: item for item in _ITEMS}
