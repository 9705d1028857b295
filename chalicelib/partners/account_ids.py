"""The ids of accounts: they follow from whose account it is, so nobody has to look them up.

The points room keeps the accounts; rooms below it name a member's balance by them in the outbox.
"""

from hashlib import sha256
from typing import Final

MEMBER: Final = "member"
#: Sixteen zero bytes: the owner of a program's house accounts.
HOUSE: Final = bytes(16)

_VERSION_8: Final = 0x8 << 76
_VARIANT_2: Final = 0x2 << 62
_KEEP: Final = (1 << 128) - 1 & ~(0xF << 76) & ~(0x3 << 62)


def account_id(program_id: bytes, kind: str, owner_id: bytes = HOUSE) -> bytes:
    """The id of the one account of this kind and owner in a program; without an owner, of its house account.

    A UUIDv8 (RFC 9562, 5.8).
    """
    digest = sha256(program_id + owner_id + kind.encode()).digest()
    return (int.from_bytes(digest[:16]) & _KEEP | _VERSION_8 | _VARIANT_2).to_bytes(16)
