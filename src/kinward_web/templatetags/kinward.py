"""Tags and filters of every page."""

from __future__ import annotations

from django import template
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from kinward_web.rules.roles import ROLES, AgencyKind, Role
from kinward_web.rules.table import Tone

__all__ = ["AGENCY_KINDS", "kind_label", "register", "role_label", "tone_of"]

AGENCY_KINDS = {
    AgencyKind.POLICE: _("Police"),
    AgencyKind.HOSPITAL: _("Hospital"),
    AgencyKind.WELFARE: _("Child welfare"),
    AgencyKind.LABORATORY: _("Laboratory"),
    AgencyKind.NGO: _("Charity"),
    AgencyKind.FOREIGN: _("Foreign authority"),
    AgencyKind.OVERSIGHT: _("Oversight"),
}

register = template.Library()


@register.filter
def role_label(role: Role | str) -> str | Promise:
    """Return the name of a role on the page."""
    return ROLES[Role(role)].label


@register.filter
def tone_of(value: Tone | str | None) -> str:
    """Return the class of a tone; `ended` for anything unknown, which is the calmest."""
    known = {tone.value for tone in Tone}
    return str(value) if str(value) in known else Tone.ENDED.value


@register.filter
def kind_label(kind: AgencyKind | str) -> str | Promise:
    """Return the name of a kind of agency on the page."""
    return AGENCY_KINDS[AgencyKind(kind)]
