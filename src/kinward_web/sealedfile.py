"""A file encrypted with a passphrase, written and read as a stream.

Header: `KINWARD1`, log2 of scrypt's N, r, p (1 byte each), salt (16), nonce prefix (7). Then pieces
of 1 MiB, the last one shorter, each AES-256-GCM with tag; the nonce is prefix ‖ number of the piece
(4 bytes) ‖ 1 for the last piece, else 0, and the header is authenticated with every piece. So no
piece can be altered, left out, repeated or exchanged, and a file cut short has no last piece. This
is the STREAM construction of Hoang, Reyhanitabar, Rogaway and Vizár (2015).
"""

from __future__ import annotations

import io
import secrets
from typing import BinaryIO

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.scrypt import Scrypt

__all__ = ["SealedFileError", "SealedReader", "SealedWriter"]

_MAGIC = b"KINWARD1"
_LOG_N, _R, _P = 17, 8, 1
_MAX_LOG_N, _MAX_R, _MAX_P = 20, 8, 4
"""A header that asks for more would only exhaust memory."""
_SALT, _PREFIX = 16, 7
_HEADER = len(_MAGIC) + 3 + _SALT + _PREFIX
_PIECE = 1 << 20
_TAG = 16


class SealedFileError(Exception):
    """A file is damaged, cut short, not of this kind, or its passphrase is another."""


def _key(passphrase: str, header: bytes) -> AESGCM:
    log_n, r, p = header[len(_MAGIC) : len(_MAGIC) + 3]
    if log_n > _MAX_LOG_N or not 1 <= r <= _MAX_R or not 1 <= p <= _MAX_P or log_n < 1:
        raise SealedFileError("the header of the file is damaged")
    salt = header[len(_MAGIC) + 3 : len(_MAGIC) + 3 + _SALT]
    scrypt = Scrypt(salt=salt, length=32, n=1 << log_n, r=r, p=p)
    return AESGCM(scrypt.derive(passphrase.encode()))


def _nonce(header: bytes, number: int, last: bool) -> bytes:
    return header[-_PREFIX:] + number.to_bytes(4, "big") + bytes([last])


class SealedWriter(io.RawIOBase):
    """Encrypts what is written to it; only `close` makes the file complete."""

    def __init__(self, file: BinaryIO, passphrase: str) -> None:
        self._file = file
        self._header = _MAGIC + bytes([_LOG_N, _R, _P]) + secrets.token_bytes(_SALT + _PREFIX)
        self._cipher = _key(passphrase, self._header)
        self._waiting = bytearray()
        self._number = 0
        file.write(self._header)

    def writable(self) -> bool:
        """Say that it can be written to."""
        return True

    def write(self, data: bytes | bytearray | memoryview) -> int:  # type: ignore[override]
        """Take `data`; full pieces are encrypted and passed on."""
        self._waiting += data
        # The last piece must be known as such, so a full one waits for the byte after it.
        while len(self._waiting) > _PIECE:
            self._pass_on(bytes(self._waiting[:_PIECE]), last=False)
            del self._waiting[:_PIECE]
        return len(data)

    def finish(self) -> None:
        """Write the last piece; without it nobody takes the file for whole."""
        self._pass_on(bytes(self._waiting), last=True)
        self._waiting.clear()

    def _pass_on(self, piece: bytes, last: bool) -> None:
        nonce = _nonce(self._header, self._number, last)
        self._file.write(self._cipher.encrypt(nonce, piece, self._header))
        self._number += 1


class SealedReader(io.RawIOBase):
    """Decrypts a sealed file; gives out no byte that was not authenticated."""

    def __init__(self, file: BinaryIO, passphrase: str) -> None:
        self._file = file
        self._header = file.read(_HEADER)
        if len(self._header) != _HEADER or not self._header.startswith(_MAGIC):
            raise SealedFileError("this is no file sealed by Kinward")
        self._cipher = _key(passphrase, self._header)
        self._number = 0
        self._next = file.read(_PIECE + _TAG)
        self._ready = b""
        self._ended = False
        self._fill()

    def readable(self) -> bool:
        """Say that it can be read."""
        return True

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        """Fill `buffer` with what comes next.

        :raises SealedFileError: the file is damaged or cut short from here on.
        """
        if not self._ready and not self._ended:
            self._fill()
        count = min(len(buffer), len(self._ready))
        buffer[:count] = self._ready[:count]
        self._ready = self._ready[count:]
        return count

    def _fill(self) -> None:
        sealed, self._next = self._next, self._file.read(_PIECE + _TAG)
        self._ended = not self._next
        nonce = _nonce(self._header, self._number, self._ended)
        try:
            self._ready = self._cipher.decrypt(nonce, sealed, self._header)
        except InvalidTag:
            raise SealedFileError(
                "the file is damaged or cut short"
                if self._number
                else "the passphrase is another one, or the file is damaged or cut short"
            ) from None
        self._number += 1
