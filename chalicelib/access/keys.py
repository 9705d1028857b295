"""Bearer keys: 256 random bits, of which the database keeps only the SHA-256.

A key's text is ``ilk_<prefix>_<secret>``. The prefix finds the row and may be shown; the secret is shown once, to who
makes the key. So whoever makes or rotates another person's key may act in that person's name: each key keeps its
**holders**, and passes them on to what is made with it.
"""

import hmac
import json
import secrets
from collections.abc import Set as AbstractSet
from dataclasses import replace
from datetime import datetime, timedelta
from hashlib import sha256
from typing import Any, Final

from sqlalchemy import ColumnElement, and_, bindparam, delete, func, insert, or_, select, update
from sqlalchemy.engine import Connection, Row

from chalicelib.access import audit
from chalicelib.access.caller import Caller
from chalicelib.access.models import api_key, partner_block, user_account
from chalicelib.access.principal import Principal
from chalicelib.access.scopes import PARTNER_SCOPES, ROLE_SCOPES, Role, Scope
from chalicelib.errors import Conflict, InvalidInput, NotAuthenticated, NotFound, NotPermitted, UnknownReference
from chalicelib.records import dataclass
from chalicelib.storage.ids import new_id, public_id

_MARK: Final = "ilk"
_PREFIX_BYTES: Final = 6
_SECRET_BYTES: Final = 32
_TEXT_MAX: Final = 200
#: Actors that are the hub itself: nobody holds what it was shown.
_SYSTEM: Final = "system:"
#: How often at most the time of a key's last use is written.
USE_NOTED_EVERY: Final = timedelta(minutes=1)
#: How long at most a replaced secret stays valid beside the new one.
OVERLAP_MAX: Final = timedelta(days=30)

_owner_partner = func.coalesce(api_key.c.partner_id, user_account.c.partner_id)
_AUTHENTICATE: Final = (
    select(
        api_key.c.id,
        api_key.c.secret_hash,
        api_key.c.user_id,
        api_key.c.scopes,
        api_key.c.expires_at,
        api_key.c.revoked_at,
        user_account.c.role,
        user_account.c.status.label("user_status"),
        _owner_partner.label("partner_id"),
        partner_block.c.since.label("blocked_since"),
    )
    .select_from(
        api_key.outerjoin(user_account, user_account.c.id == api_key.c.user_id).outerjoin(
            partner_block, partner_block.c.partner_id == _owner_partner
        )
    )
    .where(api_key.c.prefix == bindparam("prefix"))
)
_NOTE_USE: Final = (
    update(api_key)
    .where(
        api_key.c.id == bindparam("of"),
        or_(api_key.c.last_used_at.is_(None), api_key.c.last_used_at < bindparam("stale")),
    )
    .values(last_used_at=bindparam("at"))
)


@dataclass(frozen=True, slots=True)
class ApiKey:
    """A key without its secret. It belongs to a user or to a partner; a ``revoked_at`` to come is an overlap."""

    id: bytes
    prefix: str
    name: str
    user_id: bytes | None
    partner_id: bytes | None
    scopes: frozenset[Scope]
    created_at: datetime
    created_by: str
    expires_at: datetime | None
    revoked_at: datetime | None
    replaced_by: bytes | None
    last_used_at: datetime | None


def digest(text: str) -> bytes:
    """What is stored of a key's text. A plain SHA-256 suffices: 256 random bits cannot be guessed from it."""
    return sha256(text.encode()).digest()


def authenticate(db: Connection, text: str, *, now: datetime) -> Principal:
    """Who the key stands for. Raises NotAuthenticated; which reason it gives is told only to who knows the secret."""
    parts = text.split("_")
    unknown = NotAuthenticated("The key is unknown: send `Authorization: Bearer ilk_…` as it was shown when created.")
    if len(parts) != 3 or parts[0] != _MARK or len(text) > _TEXT_MAX:
        raise unknown
    row = db.execute(_AUTHENTICATE, {"prefix": parts[1]}).first()
    if row is None or not hmac.compare_digest(row.secret_hash, digest(text)):
        raise unknown
    if row.revoked_at is not None and row.revoked_at <= now:
        raise NotAuthenticated("The key was revoked.", code="key_revoked")
    if row.expires_at is not None and row.expires_at <= now:
        raise NotAuthenticated("The key has expired.", code="key_expired")
    if row.user_id is not None and row.user_status != "active":
        raise NotAuthenticated("The user who owns the key is disabled.", code="user_disabled")
    if row.blocked_since is not None:
        raise NotAuthenticated("The partner is suspended: its keys are not accepted.", code="partner_suspended")
    role = None if row.role is None else Role(row.role)
    allowed = PARTNER_SCOPES if role is None else ROLE_SCOPES[role]
    return Principal(
        key_id=row.id,
        actor=public_id("key", row.id) if row.user_id is None else public_id("usr", row.user_id),
        user_id=row.user_id,
        partner_id=row.partner_id,
        scopes=_scopes(row.scopes) & allowed,
        role=role,
    )


def note_use(db: Connection, key_id: bytes, *, now: datetime) -> None:
    """Keep the time of use, unless one of the last minute is kept already."""
    db.execute(_NOTE_USE, {"of": key_id, "at": now, "stale": now - USE_NOTED_EVERY})


def suspend_partner(db: Connection, partner_id: bytes, *, now: datetime) -> None:
    """From now on refuse the partner's keys and those of users bound to it, also keys made later."""
    resume_partner(db, partner_id)
    db.execute(insert(partner_block), {"partner_id": partner_id, "since": now})


def resume_partner(db: Connection, partner_id: bytes) -> None:
    """Accept the partner's keys again; nothing happens to one that is not suspended."""
    db.execute(delete(partner_block).where(partner_block.c.partner_id == partner_id))


def create(
    db: Connection,
    *,
    name: str,
    scopes: AbstractSet[Scope],
    user_id: bytes | None = None,
    partner_id: bytes | None = None,
    expires_at: datetime | None = None,
    granted_by: Principal | None = None,
    caller: Caller,
    now: datetime,
) -> tuple[ApiKey, str]:
    """A new key of a user or of a partner, and its text, which cannot be had again.

    ``granted_by`` None is the hub itself. Raises InvalidInput, UnknownReference for the user, and NotPermitted when the
    key would exceed its owner's role, a partner's rights, or the rights and reach of who grants it. That the partner
    exists is the caller's to check.
    """
    if (user_id is None) == (partner_id is None):
        raise InvalidInput("A key belongs either to a user or to a partner.", code="one_owner")
    if not scopes:
        raise InvalidInput("A key needs at least one scope.", code="no_scope")
    if expires_at is not None and expires_at <= now:
        raise InvalidInput("The key would have expired already.", code="expires_in_the_past")
    reach = partner_id
    if user_id is None:
        _within(scopes, PARTNER_SCOPES, "a partner's key")
    else:
        owner = db.execute(select(user_account).where(user_account.c.id == user_id)).first()
        if owner is None or owner.status != "active":
            raise UnknownReference(f"There is no active user {public_id('usr', user_id)}.")
        reach = owner.partner_id
        _within(scopes, ROLE_SCOPES[Role(owner.role)], f"a key of a user with the role {owner.role}")
    if granted_by is not None:
        _within(scopes, granted_by.scopes, "your own key")
        if granted_by.partner_id is not None and granted_by.partner_id != reach:
            raise NotPermitted("Only keys of your own partner can be created.", code="beyond_own_rights")
    held = {caller.actor} | (frozenset() if granted_by is None else holders(db, granted_by.key_id))
    made, text = _insert(
        db, name, frozenset(scopes), user_id, partner_id, expires_at, held=held, caller=caller, now=now
    )
    audit.record(
        db,
        caller=caller,
        action="api_key.created",
        subject=public_id("key", made.id),
        partner_id=reach,
        after={"name": name, "scopes": sorted(scopes), "expires_at": expires_at},
        now=now,
    )
    return made, text


def rotate(
    db: Connection, key_id: bytes, *, overlap: timedelta, granted_by: Principal, caller: Caller, now: datetime
) -> tuple[ApiKey, str]:
    """A new key like this one, and its text; the old one stays valid for ``overlap`` (at most 30 days).

    Without ``keys:admin`` only one's own keys: a user's by the user, a partner's by a key of the partner. Raises
    NotFound, NotPermitted also when the key has rights that ``granted_by`` lacks, InvalidInput for the overlap, and
    Conflict (``key_not_current``) when the key is revoked, expired or replaced already.
    """
    if not timedelta(0) <= overlap <= OVERLAP_MAX:
        raise InvalidInput(f"The overlap is between 0 and {OVERLAP_MAX.days} days.", code="overlap_out_of_range")
    old = find(db, key_id, partner_id=granted_by.partner_id)
    if Scope.KEYS_ADMIN not in granted_by.scopes and old.user_id != granted_by.user_id:
        # Whoever gets the secret acts in its owner's name.
        raise NotPermitted("Only keys of your own can be rotated.", code="not_own_key")
    _within(old.scopes, granted_by.scopes, "your own key")
    if old.expires_at is not None and old.expires_at <= now:
        raise Conflict("The key has expired: create another.", code="key_not_current")
    # Who knew the old secret could have asked for this one.
    held = {caller.actor} | holders(db, key_id) | holders(db, granted_by.key_id)
    made, text = _insert(
        db, old.name, old.scopes, old.user_id, old.partner_id, old.expires_at, held=held, caller=caller, now=now
    )
    current = and_(api_key.c.id == key_id, api_key.c.replaced_by.is_(None), api_key.c.revoked_at.is_(None))
    replaced = db.execute(update(api_key).where(current), {"replaced_by": made.id, "revoked_at": now + overlap})
    if not replaced.rowcount:
        raise Conflict("The key was revoked or replaced already: create another.", code="key_not_current")
    audit.record(
        db,
        caller=caller,
        action="api_key.rotated",
        subject=public_id("key", key_id),
        partner_id=_reach(db, old),
        after={"replaced_by": public_id("key", made.id), "valid_until": now + overlap},
        now=now,
    )
    return made, text


def revoke(
    db: Connection, key_id: bytes, *, partner_id: bytes | None, caller: Caller, now: datetime, reason: str | None = None
) -> ApiKey:
    """The key, refused from now on; revoking it again changes nothing. Raises NotFound."""
    key = find(db, key_id, partner_id=partner_id)
    if key.revoked_at is not None and key.revoked_at <= now:
        return key
    db.execute(update(api_key).where(api_key.c.id == key_id), {"revoked_at": now})
    audit.record(
        db,
        caller=caller,
        action="api_key.revoked",
        subject=public_id("key", key_id),
        partner_id=_reach(db, key),
        reason=reason,
        now=now,
    )
    return replace(key, revoked_at=now)


def find(db: Connection, key_id: bytes, *, partner_id: bytes | None) -> ApiKey:
    """The key, if ``partner_id`` (None: every partner) may see it. Raises NotFound."""
    row = db.execute(_visible(partner_id).where(api_key.c.id == key_id)).first()
    if row is None:
        raise NotFound(f"There is no key {public_id('key', key_id)}.")
    return _key(row)


def holders(db: Connection, key_id: bytes) -> frozenset[str]:
    """The actors through whose hands a key's secret went, its owner's apart unless they made it themselves.

    They are who made the key and the holders of the key that it was made with; of a rotated key, also the holders of
    the one before. The hub itself is none. Raises NotFound.
    """
    held = db.execute(select(api_key.c.holders).where(api_key.c.id == key_id)).scalar()
    if held is None:
        raise NotFound(f"There is no key {public_id('key', key_id)}.")
    return frozenset(json.loads(held))


def held_for(db: Connection, user_id: bytes, *, at: datetime) -> frozenset[str]:
    """The actors who held a key that could act in the user's name at that time."""
    usable = (
        api_key.c.user_id == user_id,
        api_key.c.created_at <= at,
        or_(api_key.c.revoked_at.is_(None), api_key.c.revoked_at > at),
        or_(api_key.c.expires_at.is_(None), api_key.c.expires_at > at),
    )
    found = db.execute(select(api_key.c.holders).where(*usable)).scalars()
    return frozenset(actor for held in found for actor in json.loads(held))


def in_order(
    db: Connection,
    *,
    partner_id: bytes | None,
    user_id: bytes | None = None,
    after_id: bytes | None,
    limit: int,
) -> list[ApiKey]:
    """Up to ``limit`` keys that ``partner_id`` (None: every partner) may see, oldest first, following ``after_id``."""
    conditions: list[ColumnElement[bool]] = []
    if user_id is not None:
        conditions.append(api_key.c.user_id == user_id)
    if after_id is not None:
        conditions.append(api_key.c.id > after_id)
    return [
        _key(row) for row in db.execute(_visible(partner_id).where(*conditions).order_by(api_key.c.id).limit(limit))
    ]


def _visible(partner_id: bytes | None) -> Any:  # noqa: ANN401 - a Select whose columns are the table's
    wanted = select(api_key).select_from(api_key.outerjoin(user_account, user_account.c.id == api_key.c.user_id))
    return wanted if partner_id is None else wanted.where(_owner_partner == partner_id)


def _reach(db: Connection, key: ApiKey) -> bytes | None:
    if key.user_id is None:
        return key.partner_id
    owner = db.execute(select(user_account.c.partner_id).where(user_account.c.id == key.user_id)).one()
    bound_to: bytes | None = owner.partner_id
    return bound_to


def _insert(
    db: Connection,
    name: str,
    scopes: frozenset[Scope],
    user_id: bytes | None,
    partner_id: bytes | None,
    expires_at: datetime | None,
    *,
    held: AbstractSet[str],
    caller: Caller,
    now: datetime,
) -> tuple[ApiKey, str]:
    """Store a new key that went through the hands of ``held``; the key, and its text."""
    prefix = secrets.token_hex(_PREFIX_BYTES)
    text = f"{_MARK}_{prefix}_{secrets.token_hex(_SECRET_BYTES)}"
    made = ApiKey(new_id(), prefix, name, user_id, partner_id, scopes, now, caller.actor, expires_at, None, None, None)
    db.execute(
        insert(api_key),
        {
            "id": made.id,
            "prefix": prefix,
            "secret_hash": digest(text),
            "name": name,
            "user_id": user_id,
            "partner_id": partner_id,
            "scopes": json.dumps(sorted(scopes)),
            "created_at": now,
            "created_by": caller.actor,
            "holders": json.dumps(sorted(each for each in held if not each.startswith(_SYSTEM))),
            "expires_at": expires_at,
        },
    )
    return made, text


def _within(scopes: AbstractSet[Scope], allowed: AbstractSet[Scope], whose: str) -> None:
    excess = scopes - allowed
    if excess:
        raise NotPermitted(f"{', '.join(sorted(excess))}: more than {whose} may do.", code="beyond_own_rights")


def _scopes(text: str) -> frozenset[Scope]:
    known = Scope._value2member_map_
    # A scope that a later version took away grants nothing.
    return frozenset(Scope(value) for value in json.loads(text) if value in known)


def _key(row: Row[Any]) -> ApiKey:
    return ApiKey(
        row.id,
        row.prefix,
        row.name,
        row.user_id,
        row.partner_id,
        _scopes(row.scopes),
        row.created_at,
        row.created_by,
        row.expires_at,
        row.revoked_at,
        row.replaced_by,
        row.last_used_at,
    )
