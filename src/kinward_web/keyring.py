"""The key ring: AES-256-GCM keys by id, the newest in use, and the key of the blind indexes.

A file `keys.json` in `KINWARD_HOME` (mode 600, made on first use) or the variable `KINWARD_KEYS`
with the same JSON: `{"keys": {"1": "<32 bytes, base64>"}, "active": "1", "index": "<base64>"}`.
A process that runs notices a new file with the next value that it reads or writes.

Every value is authenticated together with its context, the column it stands in (documents: and the
row), so that it is refused anywhere else.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import os
import secrets
from dataclasses import dataclass, replace
from pathlib import Path

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from django.conf import settings

from kinward_web.secrets import read_or_make, replace_text

__all__ = [
    "DecryptionError",
    "KeyRing",
    "RingIsFixed",
    "blind_index",
    "decrypt",
    "decrypt_bytes",
    "encrypt",
    "encrypt_bytes",
    "key_of",
    "load_ring",
    "ring_is_fixed",
    "ring_path",
    "row_context",
    "save_ring",
    "stored_prefix",
]

_NONCE_BYTES = 12
_MAGIC = b"KW1"
_UNREADABLE = "a stored value cannot be read: restore the key ring that it was written with"


class DecryptionError(Exception):
    """A stored value cannot be read: its key is absent, or it was altered or moved."""


class RingIsFixed(Exception):
    """The ring comes from the variable `KINWARD_KEYS`, which the program cannot change."""


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
        if not all(name.isalnum() and name.isascii() and len(name) <= 20 for name in keys):
            raise ValueError("the name of a key is up to 20 letters and digits")
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

    def fingerprints(self) -> dict[str, str]:
        """Return a digest of each key by its name, and of the index key; they betray no key."""
        named = {**self.keys, "the index": self.index}
        return {name: hashlib.sha256(b"kinward" + key).hexdigest() for name, key in named.items()}

    def with_new_key(self) -> KeyRing:
        """Return the ring with one key more, which becomes the active one."""
        name = str(max((int(key) for key in self.keys if key.isdecimal()), default=0) + 1)
        return replace(self, keys={**self.keys, name: secrets.token_bytes(32)}, active=name)

    def without(self, name: str) -> KeyRing:
        """Return the ring without the key `name`.

        :raises ValueError: the active key, or no key of that name.
        """
        if name not in self.keys:
            raise ValueError(f"the key ring has no key {name!r}; it has {', '.join(self.keys)}")
        if name == self.active:
            raise ValueError(f"key {name!r} is the active one; rotate first, then retire it")
        return replace(self, keys={key: value for key, value in self.keys.items() if key != name})


_loaded: tuple[object, KeyRing] | None = None
"""The ring in force with what it was read from: the variable's text, or the file's stamp."""

_made_at: Path | None = None
"""Where this process has seen a file of the ring."""


def ring_path() -> Path:
    """Return where the file of the ring stands."""
    return Path(settings.HOME) / "keys.json"


def load_ring() -> KeyRing:
    """Return the ring in force, making its file on first use.

    :raises ValueError: the ring is malformed.
    :raises DecryptionError: the file was there before and has gone.
    """
    global _loaded, _made_at
    text = os.environ.get("KINWARD_KEYS")
    stamp: object = text or _stamp(ring_path())
    if stamp is None:
        if _made_at == ring_path():
            # A fresh ring here would make everything written so far unreadable for good.
            raise DecryptionError(f"the key ring {ring_path()} has gone: put it back")
        read_or_make(ring_path(), lambda: KeyRing.fresh().to_json())
        stamp = _stamp(ring_path())
    if _loaded is None or _loaded[0] != stamp:
        if not text:
            # Read after the stamp: a file replaced in between is read again next time.
            text = ring_path().read_text()
            _made_at = ring_path()
        _loaded = (stamp, KeyRing.from_json(text))
    return _loaded[1]


def _stamp(path: Path) -> tuple[str, int, int, int] | None:
    """Return what changes when the file is replaced; None while there is none."""
    try:
        status = path.stat()
    except FileNotFoundError:
        return None
    return str(path), status.st_mtime_ns, status.st_ino, status.st_size


def ring_is_fixed() -> bool:
    """Return whether the ring comes from `KINWARD_KEYS`."""
    return bool(os.environ.get("KINWARD_KEYS"))


def save_ring(ring: KeyRing) -> None:
    """Put `ring` in force for every process on this machine, whole or not at all.

    :raises RingIsFixed: the ring comes from `KINWARD_KEYS`.
    """
    if ring_is_fixed():
        raise RingIsFixed(
            "the key ring comes from KINWARD_KEYS: change the variable on every machine instead"
        )
    replace_text(ring_path(), ring.to_json())


def encrypt_bytes(data: bytes, context: bytes) -> bytes:
    """Encrypt a document for the row and column named by `context` (see `row_context`).

    Format: `KW1`, length of the key's name (1 byte), name, nonce (12), ciphertext with tag.
    """
    ring = load_ring()
    name = ring.active.encode()
    nonce = secrets.token_bytes(_NONCE_BYTES)
    sealed = AESGCM(ring.keys[ring.active]).encrypt(nonce, data, context)
    return _MAGIC + bytes([len(name)]) + name + nonce + sealed


def decrypt_bytes(value: bytes | memoryview, context: bytes) -> bytes:
    """Decrypt what `encrypt_bytes` made for the same row and column.

    :raises DecryptionError: unknown format or key, or the value was altered or moved.
    """
    raw = bytes(value)
    try:
        start = len(_MAGIC) + 1 + raw[len(_MAGIC)]
        secret = load_ring().keys[key_of(raw)]
        nonce, sealed = raw[start : start + _NONCE_BYTES], raw[start + _NONCE_BYTES :]
        return AESGCM(secret).decrypt(nonce, sealed, context)
    except (ValueError, KeyError, IndexError, InvalidTag) as error:
        raise DecryptionError(_UNREADABLE) from error


def row_context(column: str, *row: str) -> bytes:
    """Return the context of a value in one row.

    :param column: `table.column`.
    :param row: what the row is known by and may never change, for instance the code of the person
        and the digest of the plain document.
    """
    return "\0".join((column, *row)).encode()


def stored_prefix(name: str, binary: bool) -> str:
    """Return how every stored text, or document, under the key `name` begins."""
    return f"{_MAGIC.decode()}{chr(len(name))}{name}" if binary else f"v1:{name}:"


def key_of(value: str | bytes) -> str:
    """Return the name of the key that a stored text or document was encrypted with.

    :raises ValueError: neither a text nor a document as this module makes them.
    """
    if isinstance(value, str):
        version, name, _ = value.split(":", 2)
        if version != "v1":
            raise ValueError("not an encrypted text")
        return name
    if value[: len(_MAGIC)] != _MAGIC or len(value) <= len(_MAGIC):
        raise ValueError("not an encrypted document")
    start = len(_MAGIC) + 1
    return value[start : start + value[len(_MAGIC)]].decode()


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
        raise DecryptionError(_UNREADABLE) from error


def blind_index(kind: str, text: str) -> str:
    """Return a keyed digest by which equal values of one kind find each other.

    Case, spaces and punctuation do not count. The key of the index stays the same for ever: were
    it changed, nothing written before would be found.
    """
    plain = "".join(character for character in text.casefold() if character.isalnum())
    return hmac.new(load_ring().index, f"{kind}\0{plain}".encode(), hashlib.sha256).hexdigest()
