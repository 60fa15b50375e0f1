"""The tables of rules are sound, and the check that says so finds every kind of fault."""

from __future__ import annotations

from dataclasses import replace

import pytest

from kinward_web.casework.guards import CASE_GUARDS, PLACEMENT_GUARDS
from kinward_web.rules import MACHINES
from kinward_web.rules.case import CASE
from kinward_web.rules.policy import countries, load_policy
from kinward_web.rules.roles import ROLES, AgencyKind, Role
from kinward_web.rules.table import NEW, RESUME, Machine, Rule, StateRow, Tone, machine_faults

POLICE = frozenset({Role.POLICE_OFFICER})
PUBLIC_GUARDS = {"not_the_author", "text_present", "family_not_found", "end_in_future"}
GUARDS = frozenset({*CASE_GUARDS, *PLACEMENT_GUARDS, *PUBLIC_GUARDS})
CLOCKS = frozenset(load_policy("cn").clocks)
STATES = (
    StateRow("a", "A", "first", Tone.ACTIVE),
    StateRow("b", "B", "last", Tone.ENDED, final=True),
)
BEGIN = Rule("begin", "Begin", (NEW,), "a", POLICE, "more")
FINISH = Rule("finish", "Finish", ("a",), "b", POLICE, "nothing")


@pytest.mark.parametrize("key", sorted(MACHINES))
def test_real_tables_are_sound(key):
    assert machine_faults(MACHINES[key], GUARDS, CLOCKS) == []


def test_small_table_is_sound():
    assert faults() == []


def faults(*more: Rule, begin: Rule = BEGIN, finish: Rule = FINISH, states=STATES) -> list[str]:
    return machine_faults(Machine("m", "M", states, (begin, finish, *more)), GUARDS, CLOCKS)


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        ({"sources": ("a", "z")}, "m.finish: unknown source state z"),
        ({"target": "z"}, "m.finish: unknown target state z"),
        ({"evidence": ("nonsense",)}, "m.finish: unknown evidence nonsense"),
        ({"optional": ("nonsense",)}, "m.finish: unknown evidence nonsense"),
        ({"guards": ("nonsense",)}, "m.finish: unknown guard nonsense"),
        ({"clock": "nonsense"}, "m.finish: unknown clock nonsense"),
        ({"cosigners": (POLICE,)}, "m.finish: cosigned without a second factor"),
        ({"roles": frozenset()}, "m.finish: needs roles and what it unlocks"),
        ({"unlocks": ""}, "m.finish: needs roles and what it unlocks"),
    ],
)
def test_planted_fault_in_a_rule_is_found(change, fault):
    assert fault in faults(finish=replace(FINISH, **change))


def test_planted_fault_in_the_states_is_found():
    lonely = (*STATES, StateRow("c", "C", "alone", Tone.ACTIVE))
    assert faults(states=lonely) == ["m: c has no way out", "m: c is never reached"]
    assert faults(states=tuple(replace(row, final=False) for row in STATES)) == [
        "m: b has no way out"
    ]


def test_two_rules_of_one_name_from_one_state_are_found():
    assert faults(FINISH) == ["m.finish: two rules of this name lead out of a"]


def test_every_country_has_every_clock():
    for country in countries():
        policy = load_policy(country)
        asked = {rule.clock for machine in MACHINES.values() for rule in machine.rules}
        assert asked - {None} <= set(policy.clocks)


def test_every_hold_and_transfer_has_a_way_out():
    for state in ("hold", "transferred", "missing_from_care", "repatriation", "closed", "died"):
        assert CASE.from_state(state)
    assert {rule.name for rule in CASE.rules if rule.target == RESUME} == {
        "reopen",
        "release_hold",
        "accept_transfer",
        "decline_transfer",
    }


def test_no_rule_stands_above_the_custody_guard():
    """The way home passes the custody guard, and no role may go round it."""
    hand_over = CASE.rule("hand_over")
    assert {"return_cleared", "custody_clear"} <= set(hand_over.guards)
    assert {rule.name for rule in CASE.rules if rule.target == "reunited"} == {"hand_over"}
    placement = MACHINES["placement"]
    for rule in placement.rules:
        if rule.target == "placed" and rule.name != "receive_at_night":
            assert "custody_clear" in rule.guards
    assert "is_institution" in placement.rule("receive_at_night").guards


def test_every_role_has_its_kinds_of_agency():
    assert set(ROLES) == set(Role)
    for role, row in ROLES.items():
        assert row.agencies <= set(AgencyKind)
        assert bool(row.agencies) == (role != Role.SYSTEM)
