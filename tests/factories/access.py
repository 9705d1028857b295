"""Users and keys, made by the real functions."""

import itertools
from collections.abc import Set as AbstractSet
from datetime import UTC, datetime

from sqlalchemy.engine import Connection

from chalicelib.access import keys, users
from chalicelib.access.caller import Caller
from chalicelib.access.keys import ApiKey
from chalicelib.access.scopes import PARTNER_SCOPES, ROLE_SCOPES, Role, Scope
from chalicelib.access.users import User

CALLER = Caller(actor="system:test", correlation_id="test-correlation")
WHEN = datetime(2026, 11, 20, 11, 0, tzinfo=UTC)
_numbers = itertools.count(1)


def make_user(db: Connection, role: Role = Role.ADMIN, *, partner_id: bytes | None = None) -> User:
    """A user with an email of their own."""
    email = f"user{next(_numbers)}@example.com"
    return users.create(db, email=email, name="Kim", role=role, partner_id=partner_id, caller=CALLER, now=WHEN)


def make_user_key(
    db: Connection,
    role: Role = Role.ADMIN,
    *,
    scopes: AbstractSet[Scope] | None = None,
    partner_id: bytes | None = None,
    user: User | None = None,
) -> tuple[ApiKey, str]:
    """A key of a user, with every scope of the role unless told, and its text."""
    owner = user or make_user(db, role, partner_id=partner_id)
    given = ROLE_SCOPES[owner.role] if scopes is None else scopes
    return keys.create(db, name="operator", scopes=given, user_id=owner.id, caller=CALLER, now=WHEN)


def make_partner_key(
    db: Connection,
    partner_id: bytes,
    *,
    scopes: AbstractSet[Scope] = PARTNER_SCOPES,
    expires_at: datetime | None = None,
) -> tuple[ApiKey, str]:
    """A partner's own key, with everything that a partner may do unless told, and its text."""
    return keys.create(
        db, name="partner", scopes=scopes, partner_id=partner_id, expires_at=expires_at, caller=CALLER, now=WHEN
    )
