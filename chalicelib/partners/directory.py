"""Partners: who they are, and whether the hub may act for them."""

import json
from collections.abc import Mapping, Sequence
from datetime import date, datetime
from typing import Any, Literal, TypeAlias

from sqlalchemy import ColumnElement, RowMapping, select, update
from sqlalchemy.engine import Connection

from chalicelib.access import audit, keys
from chalicelib.access.caller import Caller
from chalicelib.errors import NOT_YOURS, Conflict, InvalidInput, NotFound, Unprocessable
from chalicelib.partners.models.partners import partner as table
from chalicelib.partners.programs.programs import business_date, zone
from chalicelib.records import dataclass
from chalicelib.rules import canonical
from chalicelib.storage import bulk
from chalicelib.storage.ids import new_id, public_id, raw_id

Status: TypeAlias = Literal["active", "suspended", "offboarded"]

_ACTIONS: Mapping[Status, str] = {
    "active": "partner.activated",
    "suspended": "partner.suspended",
    "offboarded": "partner.offboarded",
}


@dataclass(frozen=True, slots=True)
class Partner:
    """One partner. ``status_from`` is the first day of the status, in the partner's time zone."""

    id: bytes
    code: str
    name: str
    industry: str | None
    time_zone: str
    status: Status
    status_from: date
    status_reason: str | None
    contacts: Sequence[Mapping[str, Any]]
    created_at: datetime
    changed_at: datetime


_COLUMNS = tuple(table.c[name] for name in Partner.__slots__)


def by_code(db: Connection, code: str) -> Partner | None:
    """The partner of that code, whatever its status."""
    found = _one(db, table.c.code == code)
    # MySQL also finds `acme` for "acme " with a blank: a folder of that name is not the partner's.
    return found if found is not None and found.code == code else None


def by_id(db: Connection, partner_id: bytes) -> Partner | None:
    """The partner of that id, whatever its status."""
    return _one(db, table.c.id == partner_id)


def named(db: Connection, text: str) -> Partner:
    """The partner of a public id (``par_…``) or a code. Raises NotFound."""
    found = by_id(db, raw_id("par", text)) if text.startswith("par_") else by_code(db, text)
    if found is None:
        raise NotFound(NOT_YOURS)
    return found


def by_ids(db: Connection, partner_ids: Sequence[bytes]) -> dict[bytes, Partner]:
    """The partners of up to a page of ids."""
    rows = db.execute(select(*_COLUMNS).where(table.c.id.in_(sorted(set(partner_ids))))).mappings()
    return {row["id"]: _partner(row) for row in rows}


def search(
    db: Connection,
    *,
    only: bytes | None = None,
    status: Status | None = None,
    industry: str | None = None,
    after: str | None = None,
    limit: int,
) -> list[Partner]:
    """Up to ``limit`` partners by code, after the code ``after``; ``only`` is the one partner the caller may see."""
    conditions: list[ColumnElement[bool]] = []
    if only is not None:
        conditions.append(table.c.id == only)
    if status is not None:
        conditions.append(table.c.status == status)
    if industry is not None:
        conditions.append(table.c.industry == industry)
    if after is not None:
        conditions.append(table.c.code > after)
    rows = db.execute(select(*_COLUMNS).where(*conditions).order_by(table.c.code).limit(limit)).mappings()
    return [_partner(row) for row in rows]


def require_active(partner: Partner) -> None:
    """Raise Unprocessable when the partner is suspended or offboarded: nothing is accepted for it."""
    if partner.status != "active":
        raise Unprocessable(
            f"The partner {partner.code} is {partner.status} since {partner.status_from}: nothing is accepted for it.",
            code="partner_not_active",
        )


def change_status(
    db: Connection,
    partner: Partner,
    status: Status,
    *,
    reason: str,
    effective_date: date | None = None,
    caller: Caller,
    now: datetime,
) -> Partner:
    """The partner with the new status, from ``effective_date`` on (today when None). The same status changes nothing.

    While the partner is not active, its keys are refused. Raises InvalidInput for a date that is still to come: what a
    status permits is decided when it is asked, so a status of tomorrow would act today.
    """
    today = business_date(now, partner)
    since = effective_date or today
    if since > today:
        raise InvalidInput(
            f"The effective date {since} is in the future: change the status on that day.", code="date_in_future"
        )
    # Locked, so that of two changes at once each is audited with what it replaced.
    current = db.execute(select(table.c.status).where(table.c.id == partner.id).with_for_update()).scalar_one()
    if current == status:
        return by_id(db, partner.id) or partner
    db.execute(
        update(table)
        .where(table.c.id == partner.id)
        .values(status=status, status_from=since, status_reason=reason, changed_at=now)
    )
    if status == "active":
        keys.resume_partner(db, partner.id)
    else:
        keys.suspend_partner(db, partner.id, now=now)
    audit.record(
        db,
        caller=caller,
        action=_ACTIONS[status],
        subject=public_id("par", partner.id),
        partner_id=partner.id,
        before={"status": current},
        after={"status": status, "status_from": since},
        reason=reason,
        now=now,
    )
    return by_id(db, partner.id) or partner


def create(
    db: Connection,
    *,
    code: str,
    name: str,
    time_zone: str,
    industry: str | None = None,
    contacts: Sequence[Mapping[str, Any]] = (),
    caller: Caller,
    now: datetime,
) -> Partner:
    """A new, active partner. Raises Conflict when the code is taken."""
    partner_id = new_id()
    row = {
        "id": partner_id,
        "code": code,
        "name": name,
        "industry": industry,
        "time_zone": zone(time_zone).key,
        "status": "active",
        "status_from": now.astimezone(zone(time_zone)).date(),
        "contacts": _contacts_text(contacts),
        "created_at": now,
        "changed_at": now,
    }
    if bulk.insert_new(db, table, [row], key=["code"]):
        raise Conflict(f"There is a partner {code} already.", code="partner_exists")
    audit.record(
        db,
        caller=caller,
        action="partner.created",
        subject=public_id("par", partner_id),
        partner_id=partner_id,
        after={"code": code, "name": name, "industry": industry, "time_zone": time_zone},
        now=now,
    )
    return known(db, partner_id)


def change(
    db: Connection,
    partner: Partner,
    *,
    name: str,
    industry: str | None,
    contacts: Sequence[Mapping[str, Any]],
    caller: Caller,
    now: datetime,
) -> Partner:
    """The partner with another name, industry or contacts; nothing is written when they are the same."""
    before = {"name": partner.name, "industry": partner.industry}
    after = {"name": name, "industry": industry}
    same_contacts = _contacts_text(partner.contacts) == _contacts_text(contacts)
    if before == after and same_contacts:
        return partner
    db.execute(
        update(table)
        .where(table.c.id == partner.id)
        .values(name=name, industry=industry, contacts=_contacts_text(contacts), changed_at=now)
    )
    audit.record(
        db,
        caller=caller,
        action="partner.changed",
        subject=public_id("par", partner.id),
        partner_id=partner.id,
        before=before,
        # People behind the contacts are not repeated in the trail.
        after={**after, "contacts_changed": not same_contacts},
        now=now,
    )
    return known(db, partner.id)


def _contacts_text(contacts: Sequence[Mapping[str, Any]]) -> str:
    return canonical.text(list(contacts))


def known(db: Connection, partner_id: bytes) -> Partner:
    """The partner of an id that is known to exist: a principal's, a foreign key."""
    return _partner(db.execute(select(*_COLUMNS).where(table.c.id == partner_id)).mappings().one())


def _one(db: Connection, condition: ColumnElement[bool]) -> Partner | None:
    row = db.execute(select(*_COLUMNS).where(condition)).mappings().one_or_none()
    return None if row is None else _partner(row)


def _partner(row: RowMapping) -> Partner:
    return Partner(**{**row, "contacts": json.loads(row["contacts"])})
