"""The key ring: AES-256-GCM keys by id, the newest in use, and the key of the blind indexes.

A file `keys.json` in `KINWARD_HOME` (mode 600, made on first use) or the variable `KINWARD_KEYS`
with the same JSON: `{"keys": {"1": "<32 bytes, base64>"}, "active": "1", "index": "<base64>"}`.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import os
import secrets
from dataclasses import dataclass
from functools import cache

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from django.conf import settings

__all__ = ["DecryptionError", "KeyRing", "blind_index", "decrypt", "encrypt", "load_ring"]

_NONCE_BYTES = 12


class DecryptionError(Exception):
    """A stored value cannot be read: its key is absent, or it was altered or moved."""


@dataclass(frozen=True, slots=True)
class KeyRing:
    """Keys by id; `active` encrypts, all decrypt."""

    keys: dict[str, bytes]
    active: str
    index: bytes
    """Key of the blind indexes; it does not rotate, or every index would have to be remade."""

    @staticmethod
    def from_json(text: str) -> KeyRing:
        """Read a ring.

        :raises ValueError: malformed JSON, a key that is not 32 bytes, or an absent active key.
        """
        raw = json.loads(text)
        keys = {name: base64.b64decode(value) for name, value in raw["keys"].items()}
        ring = KeyRing(keys, raw["active"], base64.b64decode(raw["index"]))
        if any(len(key) != 32 for key in (*keys.values(), ring.index)):
            raise ValueError("every key of the key ring must have 32 bytes")
        if ring.active not in keys:
            raise ValueError("the active key is not in the key ring")
        return ring

    def to_json(self) -> str:
        """Write the ring."""
        encode = {name: base64.b64encode(key).decode() for name, key in self.keys.items()}
        index = base64.b64encode(self.index).decode()
        return json.dumps({"keys": encode, "active": self.active, "index": index})

    @staticmethod
    def fresh() -> KeyRing:
        """Make a ring with one new key."""
        return KeyRing({"1": secrets.token_bytes(32)}, "1", secrets.token_bytes(32))


@cache
def load_ring() -> KeyRing:
    """Return the ring in force, making its file on first use."""
    text = os.environ.get("KINWARD_KEYS")
    if text:
        return KeyRing.from_json(text)
    from kinward_web.secrets import read_or_make

    return KeyRing.from_json(
        read_or_make(settings.HOME / "keys.json", lambda: KeyRing.fresh().to_json())
    )


def encrypt(text: str, context: bytes) -> str:
    """Encrypt `text` for the column named by `context`."""
    ring = load_ring()
    nonce = secrets.token_bytes(_NONCE_BYTES)
    sealed = AESGCM(ring.keys[ring.active]).encrypt(nonce, text.encode(), context)
    return f"v1:{ring.active}:{base64.b64encode(nonce + sealed).decode()}"


def decrypt(value: str, context: bytes) -> str:
    """Decrypt what `encrypt` made for the same column.

    :raises DecryptionError: unknown format or key, or the value was altered or moved.
    """
    try:
        version, key, body = value.split(":", 2)
        raw = base64.b64decode(body, validate=True)
        if version != "v1":
            raise ValueError(version)
        secret = load_ring().keys[key]
        return AESGCM(secret).decrypt(raw[:_NONCE_BYTES], raw[_NONCE_BYTES:], context).decode()
    except (ValueError, KeyError, InvalidTag) as error:
        raise DecryptionError(
            "a stored value cannot be read: restore the key ring that it was written with"
        ) from error


def blind_index(kind: str, text: str) -> str:
    """Return a keyed digest by which equal values of one kind find each other.

    Case, spaces and punctuation do not count.
    """
    plain = "".join(character for character in text.casefold() if character.isalnum())
    return hmac.new(load_ring().index, f"{kind}\0{plain}".encode(), hashlib.sha256).hexdigest()
