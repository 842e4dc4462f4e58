"""Sealing: sensitive values are stored encrypted, so that a copy of the database tells nothing without the keys.

A sealed text names its key: `KEY_ID.BASE64`. New values are sealed with the newest key; older keys go on opening what
they sealed until `kundeport reseal` has sealed it anew. A column that is to be searched has a second one beside it with
the keyed hash of the text:

    ssn: Mapped[str | None] = mapped_column(Text, info={SEALED: True})
    ssn_hash: Mapped[str | None] = mapped_column(String(64), index=True, info={SEARCH_HASH_OF: "ssn"})

    row.ssn, row.ssn_hash = keys.seal(ssn, Row.ssn), keys.search_hash(ssn, Row.ssn)
    select(Row).where(Row.ssn_hash.in_(keys.search_hashes(ssn, Row.ssn)))
"""

import base64
import hashlib
import hmac
import os
import re
from collections.abc import Mapping
from functools import cached_property
from typing import Any, Final, Self

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from sqlalchemy import Column
from sqlalchemy.orm import InstrumentedAttribute

KEY_BYTES = 32
NONCE_BYTES = 12
KEY_ID = re.compile(r"[A-Za-z0-9_-]{1,30}", re.ASCII)
SEALED: Final = "sealed"
"""Under this name the `info` of a column tells that it is sealed."""
SEARCH_HASH_OF: Final = "search_hash_of"
"""Under this name the `info` of a column has the name of the sealed column, of the same table, whose hash it holds."""

SealedColumn = InstrumentedAttribute[Any] | Column[Any]


class CannotOpen(Exception):
    """A sealed value was changed, or its key is not among those of the gateway. Never says what is, or was, sealed."""


class Key:
    """One key of the ring, and the keys derived from it: each is used for one thing."""

    def __init__(self, key_id: str, secret: bytes) -> None:
        if not KEY_ID.fullmatch(key_id) or len(secret) != KEY_BYTES:
            raise ValueError(f"a key is an id of letters and digits, a colon and {KEY_BYTES} bytes in base64")
        self.key_id = key_id
        self._secret = secret

    @cached_property
    def cipher(self) -> AESGCM:
        return AESGCM(self._derived(b"seal"))

    @cached_property
    def search(self) -> bytes:
        return self._derived(b"search")

    @cached_property
    def audit(self) -> bytes:
        return self._derived(b"audit")

    @cached_property
    def fingerprint(self) -> bytes:
        return self._derived(b"fingerprint")

    def __repr__(self) -> str:
        return f"Key({self.key_id!r})"

    def _derived(self, purpose: bytes) -> bytes:
        return HKDF(SHA256(), KEY_BYTES, salt=None, info=b"kundeport " + purpose).derive(self._secret)


class Keyring:
    """The keys by id, the newest first. Without any, sealing and opening raise `CannotOpen`.

    Raises ValueError for a key that is none.
    """

    def __init__(self, keys: Mapping[str, bytes] | None = None) -> None:
        self.keys = {key_id: Key(key_id, secret) for key_id, secret in (keys or {}).items()}

    def __repr__(self) -> str:
        return f"Keyring({', '.join(map(repr, self.keys))})"

    @classmethod
    def parse(cls, text: str) -> Self:
        """The ring in the text `ID:BASE64,...`, the newest first; without keys for the empty text. Raises ValueError,
        without the text."""
        pairs = [part.strip().partition(":")[::2] for part in text.split(",") if part.strip()]
        if text and not pairs:
            raise ValueError("there is no key in it")
        if len({key_id for key_id, _ in pairs}) != len(pairs):
            raise ValueError("two keys have the same id")
        try:
            return cls({key_id: base64.b64decode(secret, validate=True) for key_id, secret in pairs})
        except ValueError:
            raise ValueError(f"each key must be ID:BASE64, with {KEY_BYTES} bytes in base64") from None

    @classmethod
    def for_demo(cls) -> Self:
        """A ring that everybody has: good for data that is made up, and for nothing else."""
        return cls({"demo": hashlib.sha256(b"Kundeport demo data").digest()})

    @property
    def newest(self) -> Key:
        """The key that seals. Raises CannotOpen if there is none."""
        for key in self.keys.values():
            return key
        raise CannotOpen("there is no key to seal with; set KUNDEPORT_ENCRYPTION_KEYS")

    def seal(self, text: str, column: SealedColumn) -> str:
        """The text, sealed for a column: it cannot be opened as a value of another column, though in another row of
        this one. Raises CannotOpen without a key, and ValueError, without the text, for half a character."""
        key, nonce = self.newest, os.urandom(NONCE_BYTES)
        sealed = nonce + key.cipher.encrypt(nonce, encoded(text), place(column))
        return f"{key.key_id}.{base64.urlsafe_b64encode(sealed).decode()}"

    def open(self, sealed: str, column: SealedColumn) -> str:
        """The text that was sealed for the column. Raises CannotOpen."""
        key_id, _, text = sealed.partition(".")
        key = self.keys.get(key_id)
        if key is None:
            raise CannotOpen(f"a value of {place(column).decode()} is sealed with a key that is not configured")
        try:
            raw = base64.urlsafe_b64decode(text)
            # Base64 is read leniently: of all that would be read as these bytes, only what was written is let through.
            if base64.urlsafe_b64encode(raw).decode() == text:
                return key.cipher.decrypt(raw[:NONCE_BYTES], raw[NONCE_BYTES:], place(column)).decode()
        except (InvalidTag, ValueError):
            pass
        raise CannotOpen(f"a value of {place(column).decode()} was changed after it was sealed")

    def is_newest(self, sealed: str) -> bool:
        """Whether a value is sealed with the newest key."""
        return sealed.partition(".")[0] == self.newest.key_id

    def search_hash(self, text: str, column: SealedColumn) -> str:
        """The keyed hash, under the newest key, by which a sealed text can be found. Hash the text that is sealed, in
        the one form that it is stored in: `kundeport reseal` hashes what it opens. Raises CannotOpen, ValueError."""
        return self.search_hashes(text, column)[0]

    def search_hashes(self, text: str, column: SealedColumn) -> list[str]:
        """The hashes to search for: under every key, the newest first. Raises CannotOpen, ValueError."""
        message = place(column) + b"\0" + encoded(text)
        keys = [self.newest, *list(self.keys.values())[1:]]
        return [hmac.new(key.search, message, hashlib.sha256).hexdigest() for key in keys]

    def fingerprint(self, text: str) -> str:
        """A keyed hash of any text, by which it can be told later whether another one is the same, and nothing else.
        It is made with the oldest key, so that a new one does not change it. Raises CannotOpen without a key."""
        key = [self.newest, *self.keys.values()][-1]
        return hmac.new(key.fingerprint, text.encode(errors="surrogatepass"), hashlib.sha256).hexdigest()


def place(column: SealedColumn) -> bytes:
    """Where a value is stored: `table.column`."""
    stored = column.property.columns[0] if isinstance(column, InstrumentedAttribute) else column
    return f"{stored.table.name}.{stored.name}".encode()


def encoded(text: str) -> bytes:
    """Raises ValueError without the text, which a UnicodeEncodeError has in it."""
    try:
        return text.encode()
    except UnicodeEncodeError:
        pass
    raise ValueError("half a character cannot be sealed")


def new_key(key_id: str) -> str:
    """A random key in the form of the setting. Raises ValueError for an id that is none."""
    secret = os.urandom(KEY_BYTES)
    return f"{Key(key_id, secret).key_id}:{base64.b64encode(secret).decode()}"
