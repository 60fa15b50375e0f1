"""Model fields whose content is encrypted in the database, and blind indexes to find it by.

Format of a stored value: `v1:KEYID:BASE64(nonce ‖ AES-256-GCM ciphertext ‖ tag)`. The table and
column are authenticated with the value, so that a ciphertext moved to another column is refused.
Keys stand in the key ring (`kinward_web.keyring`); a value names the key it was made with, so keys
can be rotated while the application runs (`kinward_web.rotation`). Texts are not bound to their
row, documents are (docs/decisions/0008-ciphertexts-and-rows.md).
"""

from __future__ import annotations

import json
from typing import Any

from django.db import models

from kinward_web.keyring import blind_index, decrypt, encrypt, row_context

__all__ = ["EncryptedJSONField", "EncryptedTextField", "blind_index", "document_context"]


def document_context(person_code: str, sha256: str) -> bytes:
    """Return the context with which the content of a document is encrypted.

    It binds the content to the person and to the digest of the plain document: in the row of
    anyone else it cannot be read.
    """
    return row_context("registry_document.content", person_code, sha256)


class EncryptedTextField(models.TextField):
    """Text that is encrypted at rest; it cannot be searched or ordered by."""

    def _context(self) -> bytes:
        return f"{self.model._meta.db_table}.{self.column}".encode()

    def get_prep_value(self, value: Any) -> Any:
        """Encrypt on the way in; empty text stays empty."""
        if value is None or value == "":
            return value
        return encrypt(str(value), self._context())

    def from_db_value(self, value: Any, *_: object) -> Any:
        """Decrypt on the way out."""
        if value is None or value == "":
            return value
        return decrypt(value, self._context())


class EncryptedJSONField(EncryptedTextField):
    """A JSON value that is encrypted at rest."""

    def get_prep_value(self, value: Any) -> Any:
        """Serialise and encrypt."""
        if value is None:
            return None
        return super().get_prep_value(json.dumps(value, sort_keys=True, ensure_ascii=False))

    def from_db_value(self, value: Any, *args: object) -> Any:
        """Decrypt and parse."""
        text = super().from_db_value(value, *args)
        return None if text in (None, "") else json.loads(text)

    def to_python(self, value: Any) -> Any:
        """Leave Python values as they are."""
        return value

    def value_to_string(self, obj: models.Model) -> str:
        """Return the value as JSON, for serialisers."""
        return json.dumps(self.value_from_object(obj), sort_keys=True, ensure_ascii=False)
