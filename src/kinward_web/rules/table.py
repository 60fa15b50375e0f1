"""The types of the table of rules, and what derives from it without a database."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from enum import StrEnum

from django.utils.functional import Promise

from kinward_web.rules.evidence import EVIDENCE
from kinward_web.rules.roles import Role

__all__ = ["NEW", "RESUME", "Machine", "Rule", "StateRow", "Tone", "machine_faults"]

NEW = "new"
"""The state of a record that no transition has touched yet."""
RESUME = "resume"
"""Target of a rule that leads back to the state from which a hold or transfer began."""


class Tone(StrEnum):
    """How a state is coloured."""

    URGENT = "urgent"
    ACTIVE = "active"
    WAITING = "waiting"
    HOME = "home"
    ENDED = "ended"


@dataclass(frozen=True, slots=True)
class StateRow:
    """One state of a machine."""

    key: str
    label: str | Promise
    meaning: str | Promise
    tone: Tone
    rail: bool = False
    """Whether the state stands on the main rail of the page, in table order."""
    final: bool = False


@dataclass(frozen=True, slots=True)
class Rule:
    """One transition: who may make it, what it needs, and what it unlocks."""

    name: str
    label: str | Promise
    sources: tuple[str, ...]
    target: str
    roles: frozenset[Role]
    unlocks: str | Promise
    evidence: tuple[str, ...] = ()
    optional: tuple[str, ...] = ()
    guards: tuple[str, ...] = ()
    """Names of guards in `casework/guards.py` or `public/guards.py`."""
    clock: str | None = None
    """Key of the policy's time for this transition, counted from entry into the source state."""
    cosigners: tuple[frozenset[Role], ...] = ()
    """Who must sign besides the proposer: one more person for each entry, of another agency."""
    second_factor: bool = False
    """Whether every signer needs a fresh second factor. True for all rules with cosigners."""
    anyone: bool = False
    """Whether the own agency need not take part in the case yet, as for a first report."""

    @property
    def signatures(self) -> int:
        """Number of people who must sign, the proposer included."""
        return 1 + len(self.cosigners)


@dataclass(frozen=True, slots=True)
class Machine:
    """One kind of record with its states and transitions."""

    key: str
    label: str | Promise
    states: tuple[StateRow, ...]
    rules: tuple[Rule, ...]
    _by_state: dict[str, StateRow] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_by_state", {row.key: row for row in self.states})

    def state(self, key: str) -> StateRow:
        """Return the row of state `key`.

        :raises KeyError: the machine has no such state.
        """
        return self._by_state[key]

    def from_state(self, state: str) -> tuple[Rule, ...]:
        """Return the rules that lead out of `state`, in table order."""
        return tuple(rule for rule in self.rules if state in rule.sources)

    def rule(self, name: str, state: str | None = None) -> Rule:
        """Return the rule `name`, from `state` where several share the name.

        :raises KeyError: the machine has no such rule.
        """
        for rule in self.rules:
            if rule.name == name and (state is None or state in rule.sources):
                return rule
        raise KeyError(name)

    def resumable(self, state: str) -> tuple[str, ...]:
        """Return the states from which `state` can be entered, to which it may lead back."""
        return tuple(
            dict.fromkeys(
                source
                for rule in self.rules
                if rule.target == state
                for source in rule.sources
                if source not in (NEW, state)
            )
        )

    def steps(self) -> Iterable[tuple[Rule, str, str]]:
        """Yield every (rule, source, target) with RESUME spelled out."""
        for rule in self.rules:
            for source in rule.sources:
                if rule.target == RESUME:
                    for target in self.resumable(source):
                        yield rule, source, target
                else:
                    yield rule, source, rule.target


def machine_faults(machine: Machine, guards: frozenset[str], clocks: frozenset[str]) -> list[str]:
    """Return what is wrong with a table: each fault as a sentence, none when it is sound.

    Checked: known states, evidence, guards and clocks; every state can be reached; every state
    that is not final has a way out; one rule per (name, source); cosigned rules ask for a fresh
    second factor; nothing leads back to NEW.
    """
    known = {row.key for row in machine.states}
    faults: list[str] = []
    seen: set[tuple[str, str]] = set()
    for rule in machine.rules:
        place = f"{machine.key}.{rule.name}"
        for source in rule.sources:
            if source != NEW and source not in known:
                faults.append(f"{place}: unknown source state {source}")
            if (rule.name, source) in seen:
                faults.append(f"{place}: two rules of this name lead out of {source}")
            seen.add((rule.name, source))
        if rule.target != RESUME and rule.target not in known:
            faults.append(f"{place}: unknown target state {rule.target}")
        faults.extend(
            f"{place}: unknown evidence {key}"
            for key in (*rule.evidence, *rule.optional)
            if key not in EVIDENCE
        )
        faults.extend(f"{place}: unknown guard {key}" for key in rule.guards if key not in guards)
        if rule.clock is not None and rule.clock not in clocks:
            faults.append(f"{place}: unknown clock {rule.clock}")
        if rule.cosigners and not rule.second_factor:
            faults.append(f"{place}: cosigned without a second factor")
        if not rule.roles or not rule.unlocks:
            faults.append(f"{place}: needs roles and what it unlocks")
    reached = {target for _, _, target in machine.steps()}
    left = {source for _, source, _ in machine.steps()}
    faults.extend(f"{machine.key}: {key} is never reached" for key in known - reached)
    faults.extend(
        f"{machine.key}: {row.key} has no way out"
        for row in machine.states
        if not row.final and row.key not in left
    )
    return sorted(faults)
