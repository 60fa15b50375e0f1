"""Filters of the pictures of oversight."""

from __future__ import annotations

from django import template
from django.utils.translation import ngettext

__all__ = ["mul30", "register", "span"]

register = template.Library()


@register.filter
def mul30(rows: int) -> int:
    """Return the height of so many rows of a bar chart."""
    return 30 * rows


@register.filter
def span(hours: int) -> str:
    """Return hours as a person would say them: hours up to two days, then days."""
    if hours < 48:
        return ngettext("%(n)d hour", "%(n)d hours", hours) % {"n": hours}
    days = round(hours / 24)
    return ngettext("%(n)d day", "%(n)d days", days) % {"n": days}
