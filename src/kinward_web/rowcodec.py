"""Column values as JSON and back, exactly, for backups."""

from __future__ import annotations

import base64
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

__all__ = ["decode", "encode"]


def encode(value: Any) -> Any:
    """Return `value` as JSON: itself, or `{type: text}` where JSON has no such type.

    :raises TypeError: a type that no column gives.
    """
    if value is None or isinstance(value, bool | int | float | str):
        return value
    if isinstance(value, datetime):
        return {"moment": value.astimezone(UTC).isoformat()}
    if isinstance(value, date):
        return {"day": value.isoformat()}
    if isinstance(value, time):
        return {"time": value.isoformat()}
    if isinstance(value, timedelta):
        return {"span": value // timedelta(microseconds=1)}
    if isinstance(value, Decimal):
        return {"decimal": str(value)}
    if isinstance(value, UUID):
        return {"uuid": value.hex}
    if isinstance(value, bytes | memoryview):
        return {"bytes": base64.b64encode(bytes(value)).decode()}
    if isinstance(value, dict | list):
        return {"json": value}
    raise TypeError(f"no column gives {type(value).__name__}")


_DECODERS: dict[str, Any] = {
    "moment": datetime.fromisoformat,
    "day": date.fromisoformat,
    "time": time.fromisoformat,
    "span": lambda count: timedelta(microseconds=count),
    "decimal": Decimal,
    "uuid": UUID,
    "bytes": base64.b64decode,
    "json": lambda value: value,
}


def decode(value: Any) -> Any:
    """Return what `encode` was given.

    :raises ValueError: not made by `encode`.
    """
    if not isinstance(value, dict):
        return value
    try:
        ((kind, content),) = value.items()
        return _DECODERS[kind](content)
    except (KeyError, TypeError) as error:
        raise ValueError("not a value of a backup") from error
