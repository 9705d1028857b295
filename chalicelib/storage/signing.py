"""Signatures of what the hub says for ever: HMAC-SHA256 under a key of its own, apart from the database.

Whoever may write the database but does not have the key cannot make a signature.
"""

import hmac
from collections.abc import Mapping
from functools import lru_cache
from hashlib import sha256

from chalicelib.records import dataclass
from chalicelib.settings import settings
from chalicelib.storage import secrets


@dataclass(frozen=True, slots=True)
class Signature:
    """``digest`` under key number ``key_no``; old keys stay in the secret, so that old signatures can be checked."""

    key_no: int
    digest: bytes


@dataclass(frozen=True, slots=True)
class _Keys:
    current: int
    keys: Mapping[int, bytes]


@lru_cache(maxsize=1)
def _keys() -> _Keys:
    secret = secrets.get(settings().secret("ledger-key"))
    return _Keys(int(secret["current"]), {int(number): bytes.fromhex(key) for number, key in secret["keys"].items()})


def sign(content: bytes) -> Signature:
    """The signature of ``content`` under the current key. Raises NotFound and Unavailable as the secrets store does."""
    keys = _keys()
    return Signature(keys.current, hmac.digest(keys.keys[keys.current], content, sha256))


def holds(content: bytes, signature: Signature) -> bool:
    """Whether the signature is of ``content``; False also when it names a key that is not in the secret."""
    key = _keys().keys.get(signature.key_no)
    return key is not None and hmac.compare_digest(hmac.digest(key, content, sha256), signature.digest)


def forget_keys() -> None:
    """Read the keys anew at the next use: after a rotation, or between tests."""
    _keys.cache_clear()
