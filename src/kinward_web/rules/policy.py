"""Clocks and numbers of one country, read from a TOML file in `policies`.

Every number carries a `source`; `unverified` marks one that is our assumption and not a law or a
regulation that we have at hand. Pages show that word.
"""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from datetime import timedelta
from functools import cache
from pathlib import Path

__all__ = ["Figure", "Policy", "PolicyError", "countries", "load_policy"]

_FOLDER = Path(__file__).parent / "policies"
_CLOCKS = (
    "rescue",
    "register",
    "examine",
    "receive",
    "trace",
    "hand_over",
    "first_visit",
    "settle_hold",
    "accept_transfer",
    "confirm_abroad",
    "find_again",
    "settle_removal",
)
_NUMBERS = (
    "clearance_hours",
    "second_factor_minutes",
    "signature_hours",
    "notice_days",
    "retention_days_after_closure",
)


class PolicyError(Exception):
    """A policy file lacks a figure, has one too many, or gives one that is no number."""


@dataclass(frozen=True, slots=True)
class Figure:
    """A number of the policy and where it comes from."""

    value: float
    source: str

    @property
    def unverified(self) -> bool:
        """Whether the number is our assumption, without a law or design that says so."""
        return self.source == "unverified"


@dataclass(frozen=True, slots=True)
class Policy:
    """The clocks (in hours), numbers and visit days of one country."""

    country: str
    name: str
    clocks: dict[str, Figure]
    numbers: dict[str, Figure]
    visits: tuple[tuple[str, int], ...]
    """Follow-up visits after the return: key and day."""
    visits_source: str

    def clock(self, key: str) -> timedelta:
        """Return the time that the transition `key` may take."""
        return timedelta(hours=self.clocks[key].value)

    def number(self, key: str) -> float:
        """Return the number `key`."""
        return self.numbers[key].value


def countries() -> tuple[str, ...]:
    """Return the countries for which a policy file exists."""
    return tuple(sorted(path.stem for path in _FOLDER.glob("*.toml")))


@cache
def load_policy(country: str) -> Policy:
    """Return the policy of `country`.

    :raises PolicyError: no such file, or figures missing, unknown or not numbers (all are named).
    """
    path = _FOLDER / f"{country}.toml"
    if not path.is_file():
        raise PolicyError(f"no policy for {country!r}; there are: {', '.join(countries())}")
    raw = tomllib.loads(path.read_text(encoding="utf-8"))
    problems: list[str] = []

    def figures(table: str, expected: tuple[str, ...]) -> dict[str, Figure]:
        found = raw.get(table, {})
        problems.extend(f"[{table}] lacks {key}" for key in expected if key not in found)
        problems.extend(f"[{table}] has unknown {key}" for key in found if key not in expected)
        result = {}
        for key, row in found.items():
            value = row.get("value")
            if not isinstance(value, int | float) or value <= 0 or not row.get("source"):
                problems.append(f"[{table}] {key} needs a positive value and a source")
            else:
                result[key] = Figure(float(value), row["source"])
        return result

    policy = Policy(
        country=country,
        name=raw.get("name", country),
        clocks=figures("clocks_hours", _CLOCKS),
        numbers=figures("numbers", _NUMBERS),
        visits=tuple((row["key"], int(row["day"])) for row in raw.get("visits", ())),
        visits_source=raw.get("visits_source", "unverified"),
    )
    if not policy.visits:
        problems.append("lacks [[visits]]")
    if problems:
        raise PolicyError(f"{path.name}: " + "; ".join(problems))
    return policy
