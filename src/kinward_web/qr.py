"""QR codes as SVG without inline styles, for wristbands and authenticator apps."""

from __future__ import annotations

import qrcode
from django.utils.html import format_html
from django.utils.safestring import SafeString, mark_safe

__all__ = ["qr_svg"]

_QUIET = 4
"""Modules of empty margin that readers need."""


def qr_svg(text: str, label: str = "") -> SafeString:
    """Return an `<svg class="qr">` of `text`; with `label` it is named, else hidden from readers.

    Black on white in both colour schemes: cameras expect it.
    """
    code = qrcode.QRCode(border=0)
    code.add_data(text)
    code.make()
    path = "".join(
        f"M{x + _QUIET} {y + _QUIET}h1v1h-1z"
        for y, row in enumerate(code.get_matrix())
        for x, dark in enumerate(row)
        if dark
    )
    size = code.modules_count + 2 * _QUIET
    name = format_html('role="img" aria-label="{}"', label) if label else 'aria-hidden="true"'
    return format_html(
        '<svg class="qr" xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {0} {0}" '
        'shape-rendering="crispEdges" {1}><rect width="{0}" height="{0}" fill="#fff"/>'
        '<path d="{2}" fill="#000"/></svg>',
        size,
        mark_safe(name),
        path,
    )
