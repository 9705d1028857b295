"""Users: the people who own operator keys, their role and the partner they are bound to."""

import re
from datetime import datetime
from typing import Any, Final

from sqlalchemy import insert, select, update
from sqlalchemy.engine import Connection, Row
from sqlalchemy.exc import IntegrityError

from chalicelib.access import audit, keys
from chalicelib.access.caller import Caller
from chalicelib.access.models import user_account
from chalicelib.access.principal import Principal
from chalicelib.access.scopes import ROLE_SCOPES, Role, Scope
from chalicelib.errors import Conflict, InvalidInput, NotFound, NotPermitted
from chalicelib.records import dataclass
from chalicelib.storage.ids import new_id, public_id

_EMAIL: Final = re.compile(r"[^@\s]{1,64}@[^@\s]+\.[^@\s]{2,}")
_EMAIL_MAX: Final = 254

ACTIVE: Final = "active"
DISABLED: Final = "disabled"


@dataclass(frozen=True, slots=True)
class User:
    """A person. ``partner_id`` None sees every partner; ``email`` is lower case and names one user."""

    id: bytes
    email: str
    name: str
    role: Role
    partner_id: bytes | None
    status: str
    created_at: datetime


def create(
    db: Connection,
    *,
    email: str,
    name: str,
    role: Role,
    partner_id: bytes | None = None,
    granted_by: Principal | None = None,
    caller: Caller,
    now: datetime,
) -> User:
    """A new active user, without a key.

    ``granted_by`` None is the hub itself. Raises InvalidInput (``email_malformed``), Conflict (``email_taken``), and
    NotPermitted when the role or the reach exceeds that of who grants it.
    """
    address = email.strip().lower()
    if len(address) > _EMAIL_MAX or not _EMAIL.fullmatch(address):
        raise InvalidInput("The email is not an address such as name@example.com.", code="email_malformed")
    _may_grant(granted_by, role, partner_id)
    user = User(new_id(), address, name, role, partner_id, ACTIVE, now)
    try:
        # A savepoint keeps the caller's transaction usable after the refusal.
        with db.begin_nested():
            db.execute(
                insert(user_account),
                {
                    "id": user.id,
                    "email": user.email,
                    "name": name,
                    "role": role.value,
                    "partner_id": partner_id,
                    "status": ACTIVE,
                    "created_at": now,
                },
            )
    except IntegrityError as error:
        raise Conflict("There is a user with this email already.", code="email_taken") from error
    audit.record(
        db,
        caller=caller,
        action="user.created",
        subject=public_id("usr", user.id),
        partner_id=partner_id,
        after={"role": role.value},
        now=now,
    )
    return user


def first_admin(db: Connection, *, email: str, now: datetime) -> tuple[User, str]:
    """The administrator who owns ``email``, created when there is none, and a new key with every right.

    Call it where no usable key is at hand: each call makes another key. Raises Conflict when the email belongs to
    someone who is not an active administrator.
    """
    caller = Caller(actor="system:setup", correlation_id=new_id().hex())
    user = by_email(db, email)
    if user is None:
        user = create(db, email=email, name="Administrator", role=Role.ADMIN, caller=caller, now=now)
    if user.role is not Role.ADMIN or user.partner_id is not None or user.status != ACTIVE:
        raise Conflict("The email belongs to a user who is not an active administrator.", code="not_an_administrator")
    _, secret = keys.create(
        db, name="Administrator's first key", scopes=frozenset(Scope), user_id=user.id, caller=caller, now=now
    )
    return user, secret


def change(
    db: Connection,
    user_id: bytes,
    *,
    name: str | None = None,
    role: Role | None = None,
    status: str | None = None,
    granted_by: Principal,
    caller: Caller,
    now: datetime,
) -> User:
    """The user with the given fields changed; None leaves a field as it is. The user's keys follow at once.

    Raises NotFound, NotPermitted, and Conflict (``own_rights``) when one would change one's own role or status.
    """
    before = find(db, user_id, partner_id=granted_by.partner_id)
    after = User(
        before.id,
        before.email,
        name if name is not None else before.name,
        role or before.role,
        before.partner_id,
        status or before.status,
        before.created_at,
    )
    if (after.role, after.status) != (before.role, before.status) and user_id == granted_by.user_id:
        raise Conflict("Nobody changes their own role or status: ask another administrator.", code="own_rights")
    _may_grant(granted_by, before.role, before.partner_id)
    _may_grant(granted_by, after.role, after.partner_id)
    if after == before:
        return before
    db.execute(
        update(user_account).where(user_account.c.id == user_id),
        {"name": after.name, "role": after.role.value, "status": after.status},
    )
    audit.record(
        db,
        caller=caller,
        action="user.changed",
        subject=public_id("usr", user_id),
        partner_id=after.partner_id,
        before={"role": before.role.value, "status": before.status},
        after={"role": after.role.value, "status": after.status},
        now=now,
    )
    return after


def find(db: Connection, user_id: bytes, *, partner_id: bytes | None) -> User:
    """The user, if ``partner_id`` (None: every partner) may see it. Raises NotFound."""
    row = db.execute(select(user_account).where(user_account.c.id == user_id)).first()
    if row is None or (partner_id is not None and row.partner_id != partner_id):
        raise NotFound(f"There is no user {public_id('usr', user_id)}.")
    return _user(row)


def by_email(db: Connection, email: str) -> User | None:
    """The user of an email, whatever its case."""
    row = db.execute(select(user_account).where(user_account.c.email == email.strip().lower())).first()
    return None if row is None else _user(row)


def in_order(
    db: Connection,
    *,
    partner_id: bytes | None,
    role: Role | None = None,
    status: str | None = None,
    after_id: bytes | None,
    limit: int,
) -> list[User]:
    """Up to ``limit`` users, oldest first, following ``after_id``."""
    wanted = select(user_account).order_by(user_account.c.id).limit(limit)
    if partner_id is not None:
        wanted = wanted.where(user_account.c.partner_id == partner_id)
    if role is not None:
        wanted = wanted.where(user_account.c.role == role.value)
    if status is not None:
        wanted = wanted.where(user_account.c.status == status)
    if after_id is not None:
        wanted = wanted.where(user_account.c.id > after_id)
    return [_user(row) for row in db.execute(wanted)]


def _may_grant(granted_by: Principal | None, role: Role, partner_id: bytes | None) -> None:
    if granted_by is None:
        return
    if granted_by.partner_id is not None and granted_by.partner_id != partner_id:
        raise NotPermitted("Only users of your own partner can be created or changed.", code="beyond_own_rights")
    missing = ROLE_SCOPES[role] - granted_by.scopes
    if missing:
        raise NotPermitted(
            f"The role {role} has rights that your key lacks: {', '.join(sorted(missing))}.", code="beyond_own_rights"
        )


def _user(row: Row[Any]) -> User:
    return User(row.id, row.email, row.name, Role(row.role), row.partner_id, row.status, row.created_at)
