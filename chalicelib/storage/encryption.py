"""Encryption of personal fields: AES-256-GCM with a data key from the secrets store, and HMAC blind indexes."""

import hmac
import json
import os
from collections.abc import Mapping
from functools import lru_cache
from hashlib import sha256
from typing import TYPE_CHECKING

from chalicelib.errors import Broken
from chalicelib.records import dataclass
from chalicelib.settings import settings
from chalicelib.storage import secrets

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

_NONCE_BYTES = 12
#: How much longer a sealed value is than a plain one: the number of its key, the nonce, and the tag of GCM.
SEALED_BYTES = 1 + _NONCE_BYTES + 16


@dataclass(frozen=True, slots=True)
class _Keys:
    current: int
    ciphers: "Mapping[int, AESGCM]"
    index: bytes


@lru_cache(maxsize=1)
def _keys() -> _Keys:
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

    secret = secrets.get(settings().secret("data-key"))
    ciphers = {int(number): AESGCM(bytes.fromhex(key["encrypt"])) for number, key in secret["keys"].items()}
    # The index key never rotates on its own: a new one would orphan every blind index.
    return _Keys(int(secret["current"]), ciphers, bytes.fromhex(secret["keys"]["1"]["index"]))


def encrypt(plain: bytes, *, bound_to: bytes) -> bytes:
    """``plain`` as key number (1 byte), nonce (12) and ciphertext; opened only with the same ``bound_to`` (an id)."""
    keys = _keys()
    nonce = os.urandom(_NONCE_BYTES)
    return bytes([keys.current]) + nonce + keys.ciphers[keys.current].encrypt(nonce, plain, bound_to)


def decrypt(sealed: bytes, *, bound_to: bytes) -> bytes:
    """What ``encrypt`` was given. Raises Broken when the bytes were altered or belong to something else."""
    from cryptography.exceptions import InvalidTag

    keys = _keys()
    cipher = keys.ciphers.get(sealed[0]) if sealed else None
    if cipher is None:
        raise Broken("An encrypted value names a data key that is not in the secrets store.", code="data_key_missing")
    try:
        return cipher.decrypt(sealed[1 : 1 + _NONCE_BYTES], sealed[1 + _NONCE_BYTES :], bound_to)
    except InvalidTag as error:
        raise Broken("An encrypted value does not open: it was altered or moved.", code="ciphertext_altered") from error


def encrypt_fields(fields: Mapping[str, str | None], *, bound_to: bytes) -> bytes:
    """Personal fields of one record as one sealed JSON object."""
    return encrypt(json.dumps(dict(fields), ensure_ascii=False, separators=(",", ":")).encode(), bound_to=bound_to)


def decrypt_fields(sealed: bytes, *, bound_to: bytes) -> dict[str, str | None]:
    """The fields that ``encrypt_fields`` was given."""
    fields: dict[str, str | None] = json.loads(decrypt(sealed, bound_to=bound_to))
    return fields


def blind_index(value: str) -> bytes:
    """A keyed digest for exact match, blind to letter case and surrounding blanks."""
    return keyed_digest(value.strip().casefold().encode())


def keyed_digest(value: bytes) -> bytes:
    """HMAC-SHA256 under the index key: tells equal from different, and nothing more, to who lacks the key."""
    return hmac.digest(_keys().index, value, sha256)


def forget_keys() -> None:
    """Read the data key anew at the next use: after a rotation, or between tests."""
    _keys.cache_clear()
