"""What a screening shows to someone who must not know of an operation that has not started.

The bar stays as it is. Only its presentation changes: no code of the person at the end, no part,
no link; in their place the agency that leads the operation.
"""

from __future__ import annotations

from dataclasses import replace

from kinward_web.accounts.api import Actor
from kinward_web.casework.custody import SEALED, Denial, PathLink, PathStep, Route, Screening
from kinward_web.registry import api as registry
from kinward_web.rules.custody import Bar

__all__ = ["as_seen_by"]


def as_seen_by(actor: Actor, screening: Screening) -> Screening:
    """Return the screening with everything under a seal that `actor` stands outside of hidden."""
    ends = {denial.route.end for denial in screening.denials if denial.route is not None}
    ends |= {denial.person for denial in screening.denials if denial.code == Bar.INVOLVED}
    ends |= {route.end for route in screening.lifted}
    hidden = registry.sealed_bars(actor, ends)
    if not hidden:
        return screening
    denials = dict.fromkeys(_masked(denial, hidden) for denial in screening.denials)
    return replace(
        screening,
        screened=tuple(
            replace(row, parts=()) if row.person in hidden else row for row in screening.screened
        ),
        denials=tuple(denials),
        lifted=tuple(route for route in screening.lifted if route.end not in hidden),
    )


def _masked(denial: Denial, hidden: dict[str, str]) -> Denial:
    end = denial.person if denial.code == Bar.INVOLVED else denial.route and denial.route.end
    if end not in hidden:
        return denial
    step = PathStep(denial.person, "", (PathLink(SEALED, "", False),))
    return Denial(SEALED, denial.person, (hidden[end],), Route(denial.person, (step,), (SEALED,)))
