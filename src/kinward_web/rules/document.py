"""The tables of rules written out as a page of the documentation."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from django.utils.translation import override

from kinward_web.rules import MACHINES
from kinward_web.rules.evidence import EVIDENCE
from kinward_web.rules.policy import Policy
from kinward_web.rules.roles import PERMISSIONS, ROLES, Role
from kinward_web.rules.table import NEW, RESUME, Machine, Rule

__all__ = ["rules_as_markdown"]

_HEAD = """\
# Rules of casework

Written by `kinward manage rules_document` from the tables in `kinward_web/rules`; a test keeps the
two equal. The same tables make the guards, the pages, the constraints of the database and the
generated tests.
"""


def rules_as_markdown(policies: Iterable[Policy]) -> str:
    """Return the page: machines, roles, permissions, and the figures of each country's policy."""
    with override("en"):
        parts = [_HEAD]
        for machine in MACHINES.values():
            parts.extend(_machine(machine))
        parts.extend(_permissions())
        for policy in policies:
            parts.extend(_policy(policy))
    return "\n".join(parts).rstrip() + "\n"


def _machine(machine: Machine) -> Iterator[str]:
    yield f"## {machine.label}\n"
    yield "| state | meaning |\n| --- | --- |"
    for row in machine.states:
        yield f"| {row.label} (`{row.key}`) | {row.meaning} |"
    yield "\n| step | from → to | who | asked for | guards | clock | signatures | unlocks |"
    yield "| --- | --- | --- | --- | --- | --- | --- | --- |"
    for rule in machine.rules:
        yield _rule(machine, rule)
    yield ""


def _rule(machine: Machine, rule: Rule) -> str:
    target = "where it stood" if rule.target == RESUME else f"`{rule.target}`"
    sources = ", ".join("nothing" if key == NEW else f"`{key}`" for key in rule.sources)
    asked = [str(EVIDENCE[key].label) for key in rule.evidence]
    asked += [f"{EVIDENCE[key].label} (may be left out)" for key in rule.optional]
    cells = (
        f"{rule.label} (`{rule.name}`)",
        f"{sources} → {target}",
        _roles(rule.roles),
        "; ".join(asked) or "–",
        ", ".join(f"`{name}`" for name in rule.guards) or "–",
        f"`{rule.clock}`" if rule.clock else "–",
        "; then ".join(["1", *(f"1 of: {_roles(place)}" for place in rule.cosigners)]),
        str(rule.unlocks),
    )
    return "| " + " | ".join(cells) + " |"


def _roles(roles: Iterable[Role]) -> str:
    return ", ".join(str(ROLES[role].label) for role in sorted(roles))


def _permissions() -> Iterator[str]:
    yield "## What roles may do besides steps\n"
    yield (
        "`case`: cases in which the own agency takes part, or assigned by name; `region`: also all"
        " of the own region; `agency`: what belongs to the own agency; `all`: everything.\n"
    )
    yield "| act | who, and how far |\n| --- | --- |"
    for row in PERMISSIONS.values():
        who = ", ".join(
            f"{ROLES[role].label}: {reach.value}" for role, reach in sorted(row.reach.items())
        )
        yield f"| {row.label} (`{row.act}`) | {who} |"
    yield ""


def _policy(policy: Policy) -> Iterator[str]:
    yield f"## Figures for {policy.name} (`{policy.country}.toml`)\n"
    yield "| figure | value | source |\n| --- | --- | --- |"
    for key, figure in policy.clocks.items():
        yield f"| clock `{key}` | {figure.value:g} hours | {figure.source} |"
    for key, figure in policy.numbers.items():
        yield f"| `{key}` | {figure.value:g} | {figure.source} |"
    days = ", ".join(f"{key} (day {day})" for key, day in policy.visits)
    yield f"| visits | {days} | {policy.visits_source} |"
    yield ""
