"""What one row of each table does: its cells parsed, then the same actions as on the pages."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal, InvalidOperation
from typing import Any

from django.core.exceptions import ValidationError
from django.utils import timezone
from django.utils.translation import gettext as _

from kinward_web.accounts.api import Actor, Agency
from kinward_web.casework import api as casework
from kinward_web.errors import NotAllowed, Refusal, TransitionRefused
from kinward_web.registry import actions
from kinward_web.registry.models import Household, Identifier, Operation, Person
from kinward_web.registry.scope import operations_for, people_for
from kinward_web.registry.transfer.tables import Column, Kind, Table

__all__ = ["HANDLERS", "Run", "Wrong", "parse_row"]

_EVIDENCE = ("happened_at", "place", "source", "with_whom", "wristband", "found_with", "reason")
_OPENING = ("locate", "rescue")


@dataclass(frozen=True, slots=True)
class Wrong(Exception):
    """A cell that cannot be used: which, what is wrong, how to mend it."""

    column: str
    kind: str
    message: str
    mend: str


@dataclass(slots=True)
class Run:
    """One import as it goes: who, and what labels have come to mean."""

    actor: Actor
    people: dict[str, Person] = field(default_factory=dict)
    households: dict[str, Household] = field(default_factory=dict)

    def label(self, ref: str, person: Person) -> None:
        """Remember what a label of the file stands for."""
        if not ref:
            return
        if ref in self.people:
            raise Wrong(
                "ref",
                "label-twice",
                _("another row has this label"),
                _("give each person a label of its own"),
            )
        self.people[ref] = person

    def person(self, column: str, text: str) -> Person:
        """Return the person of a label or code within reach."""
        found = self.people.get(text)
        if found is None:
            found = people_for(self.actor).filter(code=text).first()
        if found is None:
            found = people_for(self.actor).filter(case__code=text).first()
        if found is None:
            raise _unknown(column, _("nobody within your reach has this code or label"))
        return found

    def case(self, column: str, text: str) -> Any:
        """Return the case of a code, or of a child's label or code, within reach."""
        try:
            return casework.get_case(self.actor, text)
        except NotAllowed:
            child = self.people.get(text)
            if child is None:
                raise _unknown(column, _("no case within your reach has this code")) from None
            return casework.get_case(self.actor, type(child).objects.get(pk=child.pk).case.code)

    def operation(self, text: str) -> Operation:
        """Return the operation of a code, if it is not sealed to the actor."""
        found = operations_for(self.actor).filter(code=text).first()
        if found is None:
            raise _unknown("operation", _("no operation within your reach has this code"))
        return found

    def household(self, column: str, text: str) -> Household | None:
        """Return the household of a label or code within reach."""
        if text in self.households:
            return self.households[text]
        return next((row for row in actions.households_for(self.actor) if row.code == text), None)


def _unknown(column: str, message: str) -> Wrong:
    mend = _("copy it from the page, or put the row that has the label into the same file")
    return Wrong(column, "unknown", message, mend)


# ------------------------------------------------------------------------------ cells


def parse_row(table: Table, values: dict[str, str]) -> tuple[dict[str, Any], list[Wrong]]:
    """Return the values of a row by column, parsed, and what is wrong with it."""
    parsed: dict[str, Any] = {}
    wrongs = []
    for column in table.columns:
        text = values.get(column.key, "")
        if not text and column.required:
            wrongs.append(Wrong(column.key, "missing", _("the cell is empty"), _("fill it in")))
        if len(text) > column.most:
            wrongs.append(
                Wrong(
                    column.key,
                    "too-long",
                    _("the cell holds more than %(n)d characters") % {"n": column.most},
                    _("shorten it"),
                )
            )
        try:
            parsed[column.key] = _PARSERS.get(column.kind, _same)(column, text)
        except Wrong as wrong:
            wrongs.append(wrong)
    return parsed, wrongs


def _same(column: Column, text: str) -> str:
    return text


def _day(column: Column, text: str) -> date | None:
    if not text:
        return None
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise Wrong(
            column.key,
            "date",
            _("this is no day that can be read in one way only"),
            _("write it as 2011-07-15"),
        ) from None


def _moment(column: Column, text: str) -> datetime | None:
    if not text:
        return None
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise Wrong(
            column.key,
            "date",
            _("this is no time that can be read in one way only"),
            _("write it as 2011-07-15 04:30"),
        ) from None
    return timezone.make_aware(moment) if timezone.is_naive(moment) else moment


def _yes(column: Column, text: str) -> bool:
    known = {"": False, "no": False, "0": False, "false": False}
    known |= {"yes": True, "1": True, "true": True}
    if text.casefold() not in known:
        raise Wrong(column.key, "choice", _("this is neither yes nor no"), _("write yes or no"))
    return known[text.casefold()]


def _choice(column: Column, text: str) -> str:
    if text and text not in column.choices:
        raise Wrong(
            column.key,
            "choice",
            _("this is none of the choices"),
            _("write one of: %(choices)s") % {"choices": ", ".join(column.choices)},
        )
    return text


def _number(column: Column, text: str) -> str:
    """Return the digits: the record's own field decides whether a fraction fits."""
    try:
        sound = not text or Decimal(text).is_finite()
    except InvalidOperation:
        sound = False
    if not sound:
        raise Wrong(column.key, "number", _("this is no number"), _("write it as 1234 or 34.75"))
    return text


_PARSERS: dict[Kind, Callable[[Column, str], Any]] = {
    Kind.DAY: _day,
    Kind.MOMENT: _moment,
    Kind.YES: _yes,
    Kind.CHOICE: _choice,
    Kind.NUMBER: _number,
}


# ------------------------------------------------------------------------------ rows


def _person_of(values: dict[str, Any]) -> dict[str, Any]:
    return {
        "name": values["name"],
        "sex": values["sex"] or Person.Sex.UNKNOWN,
        "born_from": values["born_from"],
        "born_to": values["born_to"],
        "region": values["region"],
        "note": values.get("note", ""),
    }


def _contacts(run: Run, person: Person, values: dict[str, Any]) -> None:
    for kind in (Identifier.Kind.PHONE, Identifier.Kind.IDENTITY_DOCUMENT):
        if values[kind.value]:
            actions.add_identifier(
                run.actor, person, kind=kind, value=values[kind.value], source=values["source"]
            )


def _evidence(run: Run, values: dict[str, Any], keys: tuple[str, ...]) -> dict[str, Any]:
    found = {key: values[key] for key in keys if values.get(key)}
    if values.get("operation"):
        found["operation"] = run.operation(values["operation"]).pk
    return found


def _child(run: Run, values: dict[str, Any]) -> None:
    evidence = _evidence(run, values, _EVIDENCE)
    if values["case"]:
        _next_step(run, values, evidence)
        return
    if values["step"] not in _OPENING:
        raise TransitionRefused(
            [
                Refusal(
                    "evidence:step",
                    _("A case is opened by the report or the rescue of a child, by nothing else."),
                    _("Write locate or rescue, or give the code of a case that is open."),
                )
            ]
        )
    if not values["region"]:
        raise Wrong("region", "missing", _("the cell is empty"), _("fill it in"))
    child = actions.enter_person(run.actor, **_person_of(values))
    casework.open_case(
        run.actor,
        child.pk,
        values["step"],
        evidence,
        region=values["region"],
        returned_to_buyer=values["returned_to_buyer"],
        sibling_group=values["sibling_group"],
    )
    run.label(values["ref"], child)


def _next_step(run: Run, values: dict[str, Any], evidence: dict[str, Any]) -> None:
    case = run.case("case", values["case"])
    if values["step"] == "register":
        photographs = case.child.documents.filter(kind="photograph", destroyed_at__isnull=True)
        evidence["photographs"] = list(photographs.values_list("pk", flat=True))
    casework.transition(run.actor, case, values["step"], evidence)


def _relative(run: Run, values: dict[str, Any]) -> None:
    child = run.person("child", values["child"])
    person = actions.enter_person(run.actor, **_person_of(values))
    actions.enter_link(run.actor, person, child, values["relation"], values["source"])
    _contacts(run, person, values)
    run.label(values["ref"], person)


def _suspect(run: Run, values: dict[str, Any]) -> None:
    operation = run.operation(values["operation"]) if values["operation"] else None
    sealed = operation is not None and operation.sealed
    row = actions.enter_suspect(
        run.actor,
        part=values["part"],
        standing=values["standing"],
        source=values["source"],
        operation=operation,
        sealed=sealed,
        **_person_of(values),
    )
    _contacts(run, row.person, values)
    run.label(values["ref"], row.person)


def _link(run: Run, values: dict[str, Any]) -> None:
    first, second = (run.person(key, values[key]) for key in ("first", "second"))
    actions.enter_link(run.actor, first, second, values["kind"], values["source"])


def _member(run: Run, values: dict[str, Any]) -> None:
    person = run.person("person", values["person"])
    household = run.household("household", values["household"])
    made = household is None
    if household is None:
        household = actions.enter_household(
            run.actor, region=values["region"], address=values["address"]
        )
    actions.add_member(run.actor, household, person, adult=values["adult"], until=values["until"])
    if made:
        run.households[values["household"]] = household


def _home(run: Run, values: dict[str, Any]) -> None:
    homes = casework.homes_kept_by(run.actor)
    home = homes.filter(name=values["name"]).first() or homes.model()
    changes = {key: value for key, value in values.items() if value not in (None, "")}
    try:
        casework.keep_home(run.actor, home, changes)
    except ValidationError as error:
        column, texts = next(iter(error.message_dict.items()))
        known = column if column in values else ""
        raise Wrong(known, "value", " ".join(texts), _("correct it")) from error


def _placement(run: Run, values: dict[str, Any]) -> None:
    case = run.case("case", values["case"])
    household = None
    if values["household"]:
        household = run.household("household", values["household"])
        if household is None:
            raise _unknown("household", _("no household within your reach has this code or label"))
    if bool(values["home"]) == bool(household):
        raise Wrong(
            "home",
            "one-of-two",
            _("a child goes either to a care place or to a household"),
            _("fill in one of “home” and “household”"),
        )
    home = None
    if values["home"]:
        homes = Agency.objects.filter(care_homes__name=values["home"])
        keys = list(homes.values_list("care_homes", flat=True)[:2])
        if len(keys) != 1:
            raise _unknown("home", _("no care place, or more than one, has this name"))
        home = keys[0]
    people = [
        (run.person(column, values[column]).pk, capacity)
        for column, capacity in (("escort_person", "escort"), ("payer", "payer"))
        if values[column]
    ]
    placement = casework.propose_placement(
        run.actor,
        case,
        home_id=home,
        household_id=household.pk if household else None,
        purpose=values["purpose"] or "care",
        people=people,
        evidence={"reason": values["reason"]} if values["reason"] else {},
    )
    step = values["step"]
    if step in ("clear", "place"):
        casework.transition(run.actor, placement, "clear", {})
    if step in ("place", "receive_at_night"):
        keys = ("happened_at", "receiving_person", "escort" if step == "place" else "reason")
        casework.transition(run.actor, placement, step, _evidence(run, values, keys))


HANDLERS: dict[str, Callable[[Run, dict[str, Any]], None]] = {
    "children": _child,
    "relatives": _relative,
    "suspects": _suspect,
    "links": _link,
    "households": _member,
    "homes": _home,
    "placements": _placement,
}
