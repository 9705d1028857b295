"""Who a key stands for, and what it may do now."""

from chalicelib.access.scopes import Role, Scope
from chalicelib.records import dataclass


@dataclass(frozen=True, slots=True)
class Principal:
    """An authenticated key. ``partner_id`` None sees every partner; ``user_id`` None is a partner's own key.

    ``scopes`` are the key's, less what its owner's role does not allow any more.
    """

    key_id: bytes
    actor: str
    user_id: bytes | None
    partner_id: bytes | None
    scopes: frozenset[Scope]
    role: Role | None = None
