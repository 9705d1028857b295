"""What was left of points at a past moment, by the last day on which they could be spent.

Derived from rows that never change (transfers, lots and their uses, repayments of overdrafts), not from the counters of
today: asked again in a year, the answer is the same. A moment sees what was posted before it. Holds are reservations,
not movements: what is held is left.
"""

from collections.abc import Iterator, Sequence
from datetime import UTC, date, datetime, time, timedelta
from typing import Any, Final, NamedTuple

from sqlalchemy import ColumnElement, Select, bindparam, func, or_, select, union_all
from sqlalchemy.engine import Connection

from chalicelib.partners.account_ids import MEMBER
from chalicelib.partners.programs.programs import Zoned, zone
from chalicelib.points.models.books import overdraft_repayment
from chalicelib.points.models.ledger import account, lot, lot_use, transfer
from chalicelib.records import dataclass

_DAY: Final = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Whose:
    """Of one member, of one program, or of both; None: of any."""

    member_id: bytes | None = None
    program_id: bytes | None = None

    def accounts(self) -> ColumnElement[bool]:
        """The condition on member accounts."""
        condition: ColumnElement[bool] = account.c.kind == MEMBER
        if self.member_id is not None:
            condition &= account.c.owner_id == self.member_id
        if self.program_id is not None:
            condition &= account.c.program_id == self.program_id
        return condition


class Left(NamedTuple):
    """What was left of the lots of one account, or program, that share their last day; ``owed``: of overdrafts."""

    of: bytes
    expires_on: date
    owed: bool
    minor: int


class Debt(NamedTuple):
    """What is owed of one overdraft, above zero, and when it was posted."""

    account_id: bytes
    posted_at: datetime
    minor: int


def end_of(day: date, place: Zoned) -> datetime:
    """The moment at which a day of a program or partner is over: the first one of the next day there."""
    return datetime.combine(day + _DAY, time(), zone(place.time_zone)).astimezone(UTC)


def of_accounts(db: Connection, whose: Whose, *, before: datetime) -> Iterator[Left]:
    """What had been left before a moment, by account and last day, ascending; days with nothing left are left out."""
    yield from _left(db, whose, account.c.id, before)


def of_programs(db: Connection, whose: Whose, *, before: datetime) -> Iterator[Left]:
    """The same by program."""
    yield from _left(db, whose, account.c.program_id, before)


def debts(db: Connection, account_ids: Sequence[bytes], *, before: datetime) -> Iterator[Debt]:
    """What some accounts owed before a moment, each overdraft by itself, in the order of their posting."""
    for account_id, posted_at, minor in db.execute(_DEBTS, {"accounts": account_ids, "before": before}):
        yield Debt(account_id, posted_at, int(minor))


def _left(db: Connection, whose: Whose, by: ColumnElement[bytes], before: datetime) -> Iterator[Left]:
    moved = union_all(
        _sum(by, lot.c.amount_minor).join(transfer, transfer.c.id == lot.c.id).where(_posted(whose, before)),
        _sum(by, -lot_use.c.amount_minor)
        .join(lot_use, lot_use.c.lot_id == lot.c.id)
        .join(transfer, transfer.c.id == lot_use.c.transfer_id)
        .where(_posted(whose, before)),
        _sum(by, -lot_use.c.amount_minor)
        .join(lot_use, lot_use.c.lot_id == lot.c.id)
        .join(overdraft_repayment, overdraft_repayment.c.id == lot_use.c.transfer_id)
        .where(whose.accounts(), overdraft_repayment.c.repaid_at < before),
    ).subquery()
    left = func.sum(moved.c.minor)
    keys = (moved.c.of, moved.c.expires_on, moved.c.owed)
    query = select(*keys, left).group_by(*keys).having(left != 0).order_by(*keys)
    for of, expires_on, owed, minor in db.execute(query):
        yield Left(of, expires_on, bool(owed), int(minor))


def _sum(by: ColumnElement[bytes], minor: ColumnElement[int]) -> Select[Any]:
    # A lot of nothing is an overdraft: what is left of it is below zero.
    owed = (lot.c.amount_minor == 0).label("owed")
    return (
        select(by.label("of"), lot.c.expires_on, owed, func.sum(minor).label("minor"))
        .join_from(account, lot, lot.c.account_id == account.c.id)
        .group_by(by, lot.c.expires_on, owed)
    )


def _posted(whose: Whose, before: datetime) -> ColumnElement[bool]:
    return whose.accounts() & (transfer.c.posted_at < before)


_took = transfer.alias("took")
_OWED: Final = func.sum(lot_use.c.amount_minor)
_DEBTS: Final = (
    select(lot.c.account_id, transfer.c.posted_at, _OWED)
    .join(transfer, transfer.c.id == lot.c.id)
    .join(lot_use, lot_use.c.lot_id == lot.c.id)
    .outerjoin(_took, _took.c.id == lot_use.c.transfer_id)
    .outerjoin(overdraft_repayment, overdraft_repayment.c.id == lot_use.c.transfer_id)
    .where(
        lot.c.account_id.in_(bindparam("accounts", expanding=True)),
        lot.c.amount_minor == 0,
        or_(_took.c.posted_at < bindparam("before"), overdraft_repayment.c.repaid_at < bindparam("before")),
    )
    .group_by(lot.c.account_id, lot.c.id, transfer.c.posted_at)
    .having(_OWED > 0)
    .order_by(transfer.c.posted_at, lot.c.id)
)
