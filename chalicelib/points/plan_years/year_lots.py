"""Which points the end of a plan year concerns: what was posted by its last day, is left, and has not expired."""

from collections.abc import Mapping, Sequence
from datetime import date
from itertools import groupby
from typing import Final, NamedTuple

from sqlalchemy import Integer, bindparam, func, select, union
from sqlalchemy.engine import Connection

from chalicelib.partners.account_ids import MEMBER
from chalicelib.partners.models.partners import enrolment
from chalicelib.points.ledger import lots
from chalicelib.points.ledger.lots import OpenLot
from chalicelib.points.models.ledger import account, lot, transfer
from chalicelib.points.plan_years.carrying import YearLot
from chalicelib.storage import bulk


class Unspent(NamedTuple):
    """A lot that may still be spent, and the day on which its points came."""

    account_id: bytes
    id: bytes
    expires_on: date
    remaining_minor: int
    held_minor: int
    came_on: date


def next_members(db: Connection, program_id: bytes, *, after: bytes, limit: int) -> list[bytes]:
    """Members who have an account in a program or were ever enrolled in it, in the order of their ids."""
    given = {"program_id": program_id, "after": after, "limit": limit}
    return list(db.execute(_MEMBERS, given).scalars())


def enrolled_since(db: Connection, program_id: bytes, member_ids: Sequence[bytes]) -> dict[bytes, date]:
    """The day of each member's first enrolment; void enrolments count for nothing."""
    found: dict[bytes, date] = {}
    for chunk in bulk.in_chunks(sorted(member_ids)):
        rows = db.execute(_ENROLLED, {"program_id": program_id, "members": chunk})
        found |= {row[0]: row[1] for row in rows}
    return found


def unspent(db: Connection, account_ids: Sequence[bytes], today: date) -> dict[bytes, list[Unspent]]:
    """The lots of accounts that may be spent today, by account, first expiring first."""
    found: dict[bytes, list[Unspent]] = {}
    for chunk in bulk.in_chunks(sorted(account_ids)):
        rows = db.execute(_UNSPENT, {"accounts": chunk, "today": today})
        for account_id, group in groupby(rows, key=lambda row: row[0]):
            found[account_id] = [Unspent(*row) for row in group]
    return found


def overdrawn(db: Connection, account_ids: Sequence[bytes]) -> Mapping[bytes, int]:
    """What accounts owe."""
    found: dict[bytes, int] = {}
    for chunk in bulk.in_chunks(sorted(account_ids)):
        found |= {row[0]: row[1] for row in db.execute(_OWED, {"accounts": chunk})}
    return found


def of_year(left: Sequence[Unspent], last_day: date, *, owed_minor: int = 0, lapses: bool = False) -> list[YearLot]:
    """Of an account's lots, those of the year, once its holds have lapsed, if they do, and its debt has been repaid."""
    covered = {each.id: 0 if lapses and each.came_on <= last_day else each.held_minor for each in left}
    free = [OpenLot(each.id, each.expires_on, each.remaining_minor - covered[each.id]) for each in left]
    repaid = {each.lot_id: each.amount_minor for each in lots.first(free, owed_minor)}
    found = [
        YearLot(each.id, each.expires_on, each.remaining_minor - repaid.get(each.id, 0), covered[each.id])
        for each in left
        if each.came_on <= last_day
    ]
    return [each for each in found if each.remaining_minor]


_OWNERS: Final = select(account.c.owner_id.label("member_id")).where(
    account.c.program_id == bindparam("program_id"), account.c.kind == MEMBER, account.c.owner_id > bindparam("after")
)
_ENROLLED_MEMBERS: Final = select(enrolment.c.member_id).where(
    enrolment.c.program_id == bindparam("program_id"), enrolment.c.member_id > bindparam("after")
)
_EITHER: Final = union(
    select(_OWNERS.order_by(account.c.owner_id).limit(bindparam("limit", type_=Integer())).subquery().c.member_id),
    select(
        _ENROLLED_MEMBERS.order_by(enrolment.c.member_id)
        .distinct()
        .limit(bindparam("limit", type_=Integer()))
        .subquery()
        .c.member_id
    ),
).subquery()
_MEMBERS: Final = select(_EITHER.c.member_id).order_by(_EITHER.c.member_id).limit(bindparam("limit", type_=Integer()))
_ENROLLED: Final = (
    select(enrolment.c.member_id, func.min(enrolment.c.valid_from))
    .where(
        enrolment.c.program_id == bindparam("program_id"),
        enrolment.c.member_id.in_(bindparam("members", expanding=True)),
        enrolment.c.valid_to.is_(None) | (enrolment.c.valid_to >= enrolment.c.valid_from),
    )
    .group_by(enrolment.c.member_id)
)
_UNSPENT: Final = (
    select(
        lot.c.account_id, lot.c.id, lot.c.expires_on, lot.c.remaining_minor, lot.c.held_minor, transfer.c.business_date
    )
    .join(transfer, transfer.c.id == lot.c.id)
    .where(
        lot.c.account_id.in_(bindparam("accounts", expanding=True)),
        lot.c.expires_on >= bindparam("today"),
        lot.c.remaining_minor > 0,
    )
    .order_by(lot.c.account_id, lot.c.expires_on, lot.c.id)
)
_OWED: Final = select(account.c.id, account.c.overdrawn_minor).where(
    account.c.id.in_(bindparam("accounts", expanding=True)), account.c.overdrawn_minor > 0
)
