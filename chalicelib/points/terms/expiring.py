"""What expired and what will: points by program and by the last day on which they may be spent.

A day says what was posted as expired of its lots, and what is left in them: until the day is over it may be spent, and
afterwards it waits for its expiry, or for the holds that cover it.
"""

from datetime import date
from typing import Final, NamedTuple

from sqlalchemy import ColumnElement, and_, case, func, or_, select
from sqlalchemy.engine import Connection

from chalicelib.partners.account_ids import MEMBER
from chalicelib.partners.programs.programs import NEVER
from chalicelib.points.models.ledger import account, lot, lot_use, transfer
from chalicelib.records import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class ExpiringFilter:
    """Which points are wanted; None filters nothing. The days are last days, both inclusive."""

    partner_id: bytes | None = None
    member_id: bytes | None = None
    program_id: bytes | None = None
    since: date | None = None
    until: date | None = None


class Expiring(NamedTuple):
    """The lots of one program with one last day, of so many members. Amounts are minor units of the program.

    ``held_minor`` of what is left is covered by holds.
    """

    program_id: bytes
    last_day: date
    members: int
    expired_minor: int
    left_minor: int
    held_minor: int


def by_day(
    db: Connection, wanted: ExpiringFilter, *, after: tuple[date, bytes] | None = None, limit: int
) -> list[Expiring]:
    """Up to ``limit`` days with something that expired or is left, in order of day and program, from ``after`` on.

    It reads the lots of the accounts wanted whose last days are wanted, by their index.
    """
    conditions: list[ColumnElement[bool]] = [account.c.kind == MEMBER, lot.c.expires_on < NEVER]
    for column, value in (
        (account.c.partner_id, wanted.partner_id),
        (account.c.owner_id, wanted.member_id),
        (account.c.program_id, wanted.program_id),
    ):
        if value is not None:
            conditions.append(column == value)
    if wanted.since is not None:
        conditions.append(lot.c.expires_on >= wanted.since)
    if wanted.until is not None:
        conditions.append(lot.c.expires_on <= wanted.until)
    if after is not None:
        day, program_id = after
        conditions.append(lot.c.expires_on >= day)
        conditions.append(or_(lot.c.expires_on > day, account.c.program_id > program_id))
    each = (
        select(
            account.c.program_id,
            lot.c.expires_on,
            lot.c.account_id,
            _EXPIRED.label("expired"),
            lot.c.remaining_minor.label("remaining"),
            lot.c.held_minor.label("held"),
        )
        .join_from(account, lot, lot.c.account_id == account.c.id)
        .where(and_(*conditions))
        .subquery()
    )
    some = or_(each.c.expired > 0, each.c.remaining > 0)
    query = (
        select(
            each.c.program_id,
            each.c.expires_on,
            func.count(case((some, each.c.account_id)).distinct()),
            func.sum(each.c.expired),
            func.sum(each.c.remaining),
            func.sum(each.c.held),
        )
        .where(some)
        .group_by(each.c.expires_on, each.c.program_id)
        .order_by(each.c.expires_on, each.c.program_id)
        .limit(limit)
    )
    return [Expiring(of, day, *(int(number) for number in numbers)) for of, day, *numbers in db.execute(query)]


#: Of one lot: what its expiries took. A lot whose expired points were taken back from it has none.
_EXPIRED: Final = (
    select(func.coalesce(func.sum(lot_use.c.amount_minor), 0))
    .join_from(lot_use, transfer, transfer.c.id == lot_use.c.transfer_id)
    .where(lot_use.c.lot_id == lot.c.id, transfer.c.kind == "expiry")
    .correlate(lot)
    .scalar_subquery()
)
