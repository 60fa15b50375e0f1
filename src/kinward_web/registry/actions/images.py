"""Uploaded content: its type by what it is, and photographs drawn anew without metadata."""

from __future__ import annotations

import io
from dataclasses import dataclass

from django.utils.translation import gettext as _
from PIL import Image, ImageOps, UnidentifiedImageError

from kinward_web.registry.actions.common import EntryRefused, refuse

__all__ = ["MAX_BYTES", "MAX_PIXELS", "Content", "clean_content"]

MAX_BYTES = 10 * 1024 * 1024
"""Largest upload, bytes."""
MAX_PIXELS = 50_000_000
"""Largest picture, pixels: one that unpacks to more is taken for a trap."""
_FORMATS = {"JPEG": "image/jpeg", "PNG": "image/png", "WEBP": "image/webp"}


@dataclass(frozen=True, slots=True)
class Content:
    """What is stored of an upload."""

    data: bytes
    media_type: str
    metadata_removed: bool


def _unreadable() -> EntryRefused:
    return refuse(
        "evidence:content",
        _("This is no JPEG, PNG or WebP picture and no PDF, or it is damaged."),
        _("Save it in one of these formats and upload it again."),
    )


def clean_content(data: bytes) -> Content:
    """Return what to store of an upload: a picture drawn anew, or a PDF as it is.

    Whatever stood in a picture besides its pixels (place, camera, comments, appended data) is gone
    with the old file. No tool at hand does the same for a PDF, and the result says so.

    :raises EntryRefused: too large in bytes or pixels, another format, or damaged.
    """
    if not data:
        raise _unreadable()
    if len(data) > MAX_BYTES:
        raise refuse(
            "evidence:content",
            _("The file is larger than %(n)d MB.") % {"n": MAX_BYTES // 1024 // 1024},
            _("Make the picture smaller, or split the document."),
        )
    if data.startswith(b"%PDF-"):
        return Content(data, "application/pdf", metadata_removed=False)
    return _drawn_anew(data)


def _drawn_anew(data: bytes) -> Content:
    try:
        with Image.open(io.BytesIO(data), formats=tuple(_FORMATS)) as opened:
            width, height = opened.size
            if width * height > MAX_PIXELS:
                raise refuse(
                    "evidence:content",
                    _("The picture has more than %(n)d million pixels.")
                    % {"n": MAX_PIXELS // 1_000_000},
                    _("Make it smaller and upload it again."),
                )
            kind = str(opened.format)
            upright = ImageOps.exif_transpose(opened)
    except (UnidentifiedImageError, Image.DecompressionBombError, OSError, ValueError) as error:
        raise _unreadable() from error
    except SyntaxError as error:
        # Pillow's reader of PNG raises it for a broken chunk.
        raise _unreadable() from error
    alpha = upright.mode in ("RGBA", "LA", "PA") or "transparency" in upright.info
    mode = "RGBA" if alpha and kind != "JPEG" else "RGB"
    # A fresh image: the old one would carry its profile, comments and EXIF into the new file.
    fresh = Image.new(mode, upright.size)
    fresh.paste(upright.convert(mode))
    out = io.BytesIO()
    fresh.save(out, format=kind, **({} if kind == "PNG" else {"quality": 90}))
    return Content(out.getvalue(), _FORMATS[kind], metadata_removed=True)
