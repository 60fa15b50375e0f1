"""The tables that can be imported: one row per column, from which templates and help derive."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from kinward_web.registry.models import Involvement, Link, Person

__all__ = ["TABLES", "Column", "Kind", "Table"]

Text = str | Promise


class Kind(StrEnum):
    """What a cell holds."""

    TEXT = "text"
    DAY = "day"
    """YYYY-MM-DD."""
    MOMENT = "moment"
    """YYYY-MM-DD HH:MM, local time."""
    YES = "yes"
    """yes or no; empty is no."""
    CHOICE = "choice"
    CODE = "code"
    """Code of a record, or a label given in a column `ref` of the same file."""
    DIGITS = "digits"
    """A number that is a name, such as a telephone: never a quantity."""
    NUMBER = "number"
    """A quantity, with a point before the fraction."""


@dataclass(frozen=True, slots=True)
class Column:
    """One column of a table."""

    key: str
    meaning: Text
    kind: Kind = Kind.TEXT
    required: bool = False
    choices: tuple[str, ...] = ()
    most: int = 4_000
    """Most characters that the record can hold."""


@dataclass(frozen=True, slots=True)
class Table:
    """One table: what a row of it does."""

    key: str
    label: Text
    meaning: Text
    columns: tuple[Column, ...]

    @property
    def keys(self) -> tuple[str, ...]:
        """Names of the columns, in order."""
        return tuple(column.key for column in self.columns)


_REF = Column("ref", _("A label of your own, by which other rows of the file name this one."))
_PERSON = (
    Column("name", _("Name, as the person writes it.")),
    Column("sex", _("Sex."), Kind.CHOICE, choices=tuple(Person.Sex.values)),
    Column("born_from", _("Born not before this day."), Kind.DAY),
    Column("born_to", _("Born not after this day."), Kind.DAY),
    Column("region", _("Province or jurisdiction."), most=60),
)
_CONTACT = (
    Column("phone", _("Telephone."), Kind.DIGITS),
    Column("identity_document", _("Number of an identity document."), Kind.DIGITS),
    Column("note", _("Anything else.")),
)
_SOURCE = Column("source", _("Who or what says so."), required=True)

_ALL = (
    Table(
        "children",
        _("Children"),
        _(
            "A row without a case enters a child and opens its case; a row with a case takes the "
            "next step in it. No row sets a state: the step is checked as on the child's page."
        ),
        (
            _REF,
            Column("case", _("Code of the case, where it is open already."), Kind.CODE),
            Column(
                "step",
                _("The step to take: locate, rescue, register, or another by its name."),
                required=True,
            ),
            *_PERSON,
            Column(
                "returned_to_buyer",
                _("yes if the child was rescued before and sent back to the buyer."),
                Kind.YES,
            ),
            Column(
                "sibling_group",
                _("A label shared by children believed to be siblings."),
                most=16,
            ),
            Column("happened_at", _("When it happened."), Kind.MOMENT),
            Column("place", _("Where.")),
            Column("operation", _("Code of the operation."), Kind.CODE),
            Column("source", _("For locate: who or what told you.")),
            Column("with_whom", _("For locate: with whom the child is.")),
            Column(
                "wristband", _("For register: the code on the wristband."), Kind.DIGITS, most=24
            ),
            Column("found_with", _("For register: things found with the child.")),
            Column("reason", _("The reason, where the step asks for one.")),
        ),
    ),
    Table(
        "relatives",
        _("Relatives"),
        _("A row enters a relative of a child and the link between the two."),
        (
            _REF,
            *_PERSON,
            Column("child", _("The child: code or label."), Kind.CODE, required=True),
            Column(
                "relation",
                _("What the person is to the child."),
                Kind.CHOICE,
                required=True,
                choices=(Link.Kind.PARENT.value, Link.Kind.SIBLING.value, Link.Kind.KIN.value),
            ),
            _SOURCE,
            *_CONTACT,
        ),
    ),
    Table(
        "suspects",
        _("Suspects and buyers"),
        _("A row enters a person and the part played in an investigation."),
        (
            _REF,
            *_PERSON,
            Column(
                "part",
                _("The part played."),
                Kind.CHOICE,
                required=True,
                choices=tuple(Involvement.Part.values),
            ),
            Column(
                "standing",
                _("Legal standing; mistaken identity is corrected by two people instead."),
                Kind.CHOICE,
                required=True,
                choices=tuple(Involvement.Standing.values),
            ),
            _SOURCE,
            Column("operation", _("Code of the operation."), Kind.CODE),
            *_CONTACT,
        ),
    ),
    Table(
        "links",
        _("Links"),
        _("A row enters a link between two people."),
        (
            Column("first", _("The parent, the payer, or either."), Kind.CODE, required=True),
            Column("second", _("The other person."), Kind.CODE, required=True),
            Column(
                "kind",
                _("What joins them."),
                Kind.CHOICE,
                required=True,
                choices=tuple(Link.Kind.values),
            ),
            _SOURCE,
        ),
    ),
    Table(
        "households",
        _("Households"),
        _("A row enters a person of a household; the first row of a label enters the household."),
        (
            Column("household", _("Code, or a label of your own."), Kind.CODE, required=True),
            Column("region", _("Province or jurisdiction."), most=60),
            Column("address", _("Address, for a household that is new.")),
            Column("person", _("The person: code or label."), Kind.CODE, required=True),
            Column("adult", _("yes for an adult."), Kind.YES),
            Column("until", _("The day of moving out."), Kind.DAY),
        ),
    ),
    Table(
        "homes",
        _("Care places"),
        _("A row enters a care place of your own agency, or brings one of that name up to date."),
        (
            Column("name", _("Name of the place."), required=True, most=160),
            Column("region", _("Province or jurisdiction."), required=True, most=60),
            Column("latitude", _("Degrees north."), Kind.NUMBER, required=True),
            Column("longitude", _("Degrees east."), Kind.NUMBER, required=True),
            Column("hospital", _("yes for a hospital."), Kind.YES),
            Column(
                "medical_level",
                _("0 none, 1 nurse by day, 2 nurse at night, 3 hospital."),
                Kind.NUMBER,
            ),
            Column("beds", _("Number of beds."), Kind.NUMBER, required=True),
            Column("carers", _("Carers per shift."), Kind.NUMBER, required=True),
            Column("infants_per_carer", _("Infants per carer."), Kind.NUMBER),
            Column("children_per_carer", _("Older children per carer."), Kind.NUMBER),
            Column("cost_per_child_day", _("Money per child and day."), Kind.NUMBER, required=True),
            Column("budget", _("Money at hand."), Kind.NUMBER, required=True),
            Column("currency", _("Currency, such as CNY."), most=3),
        ),
    ),
    Table(
        "placements",
        _("Placements"),
        _("A row proposes a place for a child and, where asked, takes the steps after it."),
        (
            Column("case", _("The case: code, or label of the child."), Kind.CODE, required=True),
            Column("home", _("Name of the care place.")),
            Column("household", _("The household: code or label."), Kind.CODE),
            Column(
                "purpose", _("Why the child goes there."), Kind.CHOICE, choices=("care", "return")
            ),
            Column(
                "step",
                _("How far to go: only propose, clear it, place the child, or receive at night."),
                Kind.CHOICE,
                required=True,
                choices=("propose", "clear", "place", "receive_at_night"),
            ),
            Column("escort_person", _("Who brings the child: code or label."), Kind.CODE),
            Column("payer", _("Who pays for the child: code or label."), Kind.CODE),
            Column("happened_at", _("When it happened."), Kind.MOMENT),
            Column("receiving_person", _("Name and office of the person who receives.")),
            Column("escort", _("Name of the escort.")),
            Column("reason", _("The reason, where the step asks for one.")),
        ),
    ),
)

TABLES: dict[str, Table] = {table.key: table for table in _ALL}
"""In the order in which the sheets of one file are imported."""
