"""The menu: every page that stands in it, in order, and who sees it.

A row whose address does not exist is left out, so that a row may be written before its page.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from itertools import groupby

from django.urls import NoReverseMatch, reverse
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from kinward_web.rules.roles import Role, reach_of

__all__ = ["NAVIGATION", "Group", "Item", "Link", "menu_for"]


@dataclass(frozen=True, slots=True)
class Item:
    """One row of the menu; seen by who may do `act` or holds one of `roles`."""

    group: str | Promise
    label: str | Promise
    url_name: str
    act: str | None = None
    """A key of `rules.roles.PERMISSIONS`."""
    roles: frozenset[Role] = frozenset()

    def seen_by(self, role: Role) -> bool:
        """Return whether the menu of `role` has this row."""
        return role in self.roles or (self.act is not None and reach_of(role, self.act) is not None)


@dataclass(frozen=True, slots=True)
class Link:
    """One row as it is shown."""

    label: str | Promise
    url: str
    current: bool


@dataclass(frozen=True, slots=True)
class Group:
    """Rows under one heading."""

    label: str | Promise
    links: tuple[Link, ...]


_CHILDREN = _("Children")
_PEOPLE = _("People")
_CARE = _("Care")
_OVERSIGHT = _("Oversight")
_OFFICE = _("Office")

_SEE_PLACES = frozenset({Role.POLICE_ANALYST, Role.PANEL_MEMBER, Role.AUDITOR})

NAVIGATION: tuple[Item, ...] = (
    Item(_CHILDREN, _("Today"), "casework:today", act="case.read"),
    Item(_CHILDREN, _("Rescue board"), "casework:boards", act="operation.read"),
    Item(_CHILDREN, _("Operations"), "registry:operations", act="operation.read"),
    Item(_CHILDREN, _("All children"), "casework:children", act="case.read"),
    Item(_CHILDREN, _("Campaigns and operations"), "registry:campaigns", act="operation.read"),
    Item(_CHILDREN, _("Notices"), "public:manage", act="case.read"),
    Item(_CHILDREN, _("People and links"), "registry:people", act="case.read"),
    Item(_CHILDREN, _("Search across agencies"), "registry:search", act="registry.search"),
    Item(_CARE, _("Care places"), "casework:care_places", act="care.manage", roles=_SEE_PLACES),
    Item(_CARE, _("Tonight's plan"), "casework:plan", act="care.plan"),
    Item(_CARE, _("Custody checks"), "casework:custody_checks", act="custody.check"),
    Item(_OVERSIGHT, _("Campaigns"), "casework:oversight", act="oversight.read"),
    Item(_OVERSIGHT, _("Audit chain"), "audit:chain", act="audit.read"),
    Item(_OFFICE, _("Appointed people"), "accounts:people", act="accounts.manage"),
    Item(_OFFICE, _("Agencies"), "accounts:agencies", act="accounts.manage"),
    Item(_OFFICE, _("Import"), "registry:imports", act="import.run"),
    Item(_OFFICE, _("Export"), "registry:exports", act="export.run"),
    Item(_OFFICE, _("My sign-in"), "accounts:me", roles=frozenset(Role)),
)
"""Rows of one group stand together."""


def _rows(role: Role) -> Iterator[tuple[Item, str]]:
    for item in NAVIGATION:
        if item.seen_by(role):
            with suppress(NoReverseMatch):
                yield item, reverse(item.url_name)


def menu_for(role: Role, path: str = "") -> tuple[Group, ...]:
    """Return the menu of `role`; the row under whose address `path` lies is marked current."""
    rows = list(_rows(role))
    current = max((url for _item, url in rows if path.startswith(url)), key=len, default=None)
    return tuple(
        Group(label, tuple(Link(item.label, url, url == current) for item, url in group))
        for label, group in groupby(rows, key=lambda row: row[0].group)
    )
