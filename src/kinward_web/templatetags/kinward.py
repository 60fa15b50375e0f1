"""Tags and filters of every page."""

from __future__ import annotations

from django import template
from django.utils.functional import Promise
from django.utils.html import format_html
from django.utils.safestring import SafeString, mark_safe
from django.utils.translation import gettext_lazy as _

from kinward_web.rules.roles import ROLES, AgencyKind, Role
from kinward_web.rules.table import Tone

__all__ = ["AGENCY_KINDS", "badge", "kind_label", "register", "role_label", "tone_of"]

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
_TONES = frozenset(tone.value for tone in Tone)
_SHAPES = {
    Tone.URGENT.value: mark_safe('<path d="M8 1 15.5 14.5H.5z" fill="currentColor"/>'),
    Tone.ACTIVE.value: mark_safe('<circle cx="8" cy="8" r="6.5" fill="currentColor"/>'),
    Tone.WAITING.value: mark_safe(
        '<circle cx="8" cy="8" r="5.75" fill="none" stroke="currentColor" stroke-width="2"/>'
        '<path d="M8 4.5V8l2.5 1.5" fill="none" stroke="currentColor" stroke-width="2"/>'
    ),
    Tone.HOME.value: mark_safe('<path d="M8 1 .8 7.5H3V15h10V7.5h2.2z" fill="currentColor"/>'),
    Tone.ENDED.value: mark_safe(
        '<rect x="2" y="6.5" width="12" height="3" rx="1" fill="currentColor"/>'
    ),
}


@register.filter
def role_label(role: Role | str) -> str | Promise:
    """Return the name of a role on the page."""
    return ROLES[Role(role)].label


@register.filter
def tone_of(value: Tone | str | None) -> str:
    """Return the class of a tone; `ended` for anything unknown, which is the calmest."""
    return str(value) if str(value) in _TONES else Tone.ENDED.value


@register.simple_tag
def badge(tone: Tone | str | None, label: str | Promise) -> SafeString:
    """Return a state: its own shape for each tone, so that colour never speaks alone."""
    name = tone_of(tone)
    return format_html(
        '<span class="badge badge--{}"><svg viewBox="0 0 16 16" aria-hidden="true" '
        'focusable="false">{}</svg>{}</span>',
        name,
        _SHAPES[name],
        label,
    )


@register.filter
def kind_label(kind: AgencyKind | str) -> str | Promise:
    """Return the name of a kind of agency on the page."""
    return AGENCY_KINDS[AgencyKind(kind)]
