"""O2: what a partner's payroll has to know of a period. Every movement is in the feed of exactly one period.

A movement belongs to the period in which it was posted, by the partner's days: what comes late is in a later feed, and
no feed has to be sent again. Its value is that of its business date. A debt is deducted once, too: in the feed of the
period in which it was posted, or in which the hub knew that the employment had ended, if that was later.
"""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any, Final

from sqlalchemy import bindparam, case, func, select
from sqlalchemy.engine import Connection

from chalicelib.access.scopes import Scope
from chalicelib.files.exporting.registry import Asked, Export, Row
from chalicelib.partners.account_ids import MEMBER
from chalicelib.partners.members import members
from chalicelib.partners.members.members import MemberRef
from chalicelib.partners.models.partners import member_history
from chalicelib.partners.programs import programs
from chalicelib.partners.programs.programs import Program
from chalicelib.points.finance import worth
from chalicelib.points.ledger import positions
from chalicelib.points.ledger.positions import end_of
from chalicelib.points.models.ledger import account, transfer
from chalicelib.storage import bulk

_ACCOUNTS: Final = bulk.CHUNK
#: Which kinds of movement each column counts.
_ACCRUED: Final = frozenset({"accrual", "reversal", "adjustment", "adjustment_annulled", "increase", "claw_back"})
_REDEEMED: Final = frozenset({"redemption", "refund"})
_EXPIRED: Final = frozenset({"expiry", "year_forfeit", "forfeiture"})
_TAXED: Final = _REDEEMED | {"pay_out"}

_ACCOUNT_ROWS: Final = (
    select(account.c.id, account.c.owner_id, account.c.program_id)
    .where(
        account.c.partner_id == bindparam("partner_id"),
        account.c.kind == MEMBER,
        account.c.entry_no > 0,
        account.c.id > bindparam("after"),
    )
    .order_by(account.c.id)
    .limit(_ACCOUNTS)
)
_GAINED: Final = case(
    (transfer.c.credit_account_id == transfer.c.account_id, transfer.c.amount_minor), else_=-transfer.c.amount_minor
)
_MOVED: Final = (
    select(transfer.c.account_id, transfer.c.kind, transfer.c.business_date, func.sum(_GAINED).label("gained_minor"))
    .where(
        transfer.c.account_id.in_(bindparam("ids", expanding=True)),
        transfer.c.posted_at >= bindparam("since"),
        transfer.c.posted_at < bindparam("until"),
    )
    .group_by(transfer.c.account_id, transfer.c.kind, transfer.c.business_date)
)
_KNOWN: Final = (
    select(member_history.c.member_id, member_history.c.term_date, func.min(member_history.c.recorded_at))
    .where(
        member_history.c.member_id.in_(bindparam("members", expanding=True)), member_history.c.term_date.is_not(None)
    )
    .group_by(member_history.c.member_id, member_history.c.term_date)
)
_Moved = tuple[str, date, int]


def rows(db: Connection, asked: Asked) -> Iterator[Row]:
    """A row for each employee and program with a movement in the period, or with a debt to be deducted.

    Raises NoValue when points were spent on a day on which the program names no value, though it does for others.
    """
    assert asked.partner is not None  # noqa: S101 - an export for partners only
    after = b""
    while True:
        found = db.execute(_ACCOUNT_ROWS, {"partner_id": asked.partner.id, "after": after}).all()
        if found:
            yield from _told(db, asked, found)
        if len(found) < _ACCOUNTS:
            return
        after = found[-1].id


def _told(db: Connection, asked: Asked, found: Sequence[Any]) -> Iterator[Row]:
    moved = _moved(db, asked, [each.id for each in found])
    people = members.by_ids(db, {each.owner_id for each in found})
    known = programs.by_ids(db, {each.program_id for each in found})
    owed = _owed(db, asked, {each.id: people[each.owner_id] for each in found})
    for each in found:
        if each.id in moved or each.id in owed:
            program = known[each.program_id]
            yield _row(asked, people[each.owner_id], program, moved.get(each.id, ()), owed.get(each.id, 0))


def _moved(db: Connection, asked: Asked, ids: Sequence[bytes]) -> Mapping[bytes, Sequence[_Moved]]:
    since, until = window(asked)
    found: dict[bytes, list[_Moved]] = defaultdict(list)
    for row in db.execute(_MOVED, {"ids": ids, "since": since, "until": until}):
        found[row.account_id].append((row.kind, row.business_date, int(row.gained_minor)))
    return found


def window(asked: Asked) -> tuple[datetime, datetime]:
    """The moments at which the period begins and is over, where the partner is."""
    assert asked.partner is not None  # noqa: S101 - an export for partners only
    assert asked.period is not None  # noqa: S101 - an export of periods
    first, last = asked.period
    return end_of(first - timedelta(days=1), asked.partner).astimezone(UTC), end_of(last, asked.partner)


def _owed(db: Connection, asked: Asked, holders: Mapping[bytes, MemberRef]) -> Mapping[bytes, int]:
    """What is to be deducted from those who have left, by account: the debts that no earlier feed has told."""
    since, until = window(asked)
    gone = _left_at(db, asked, {member.id: member for member in holders.values()})
    left = sorted(key for key, member in holders.items() if member.id in gone)
    found: dict[bytes, int] = defaultdict(int)
    for debt in positions.debts(db, left, before=until) if left else ():
        due_at = max(debt.posted_at, gone[holders[debt.account_id].id])
        if since <= due_at < until:
            found[debt.account_id] += debt.minor
    return found


def _left_at(db: Connection, asked: Asked, people: Mapping[bytes, MemberRef]) -> dict[bytes, datetime]:
    """The moment from which each employment was over as far as the hub knew; of those that ended with the period."""
    assert asked.partner is not None  # noqa: S101 - an export for partners only
    assert asked.period is not None  # noqa: S101 - an export of periods
    last_day = asked.period[1]
    days = {
        key: member.term_date
        for key, member in people.items()
        if member.term_date is not None and member.term_date <= last_day
    }
    if not days:
        return {}
    known = {(row[0], row[1]): row[2] for row in db.execute(_KNOWN, {"members": sorted(days)})}
    found: dict[bytes, datetime] = {}
    for key, day in days.items():
        # It is over with the first moment of the next day, which is the next period's when this was its last.
        over = end_of(day, asked.partner) - timedelta(microseconds=1)
        found[key] = max(over, known.get((key, day), over))
    return found


def _row(asked: Asked, member: MemberRef, program: Program, moved: Sequence[_Moved], owed_minor: int) -> Row:
    assert asked.partner is not None  # noqa: S101 - an export for partners only
    assert asked.period is not None  # noqa: S101 - an export of periods

    def points(kinds: frozenset[str], sign: int) -> Decimal:
        total = sum(gained for kind, _, gained in moved if kind in kinds)
        return Decimal(sign * total).scaleb(-program.scale)

    value = worth.of(program)
    taxable = deduction = None
    if value is not None:
        spent = [value.exact(-gained, day) for kind, day, gained in moved if kind in _TAXED]
        taxable = Decimal(worth.rounded(sum(spent, Decimal()))).scaleb(-value.decimals)
        deduction = Decimal(worth.rounded(value.exact(owed_minor, asked.period[1]))) if owed_minor else Decimal()
        deduction = deduction.scaleb(-value.decimals)
    return {
        "partner_code": asked.partner.code,
        "employee_id": member.employee_id,
        "program_code": program.code,
        "period_start": asked.period[0],
        "period_end": asked.period[1],
        "points_accrued": points(_ACCRUED, 1),
        "points_redeemed": points(_REDEEMED, -1),
        "points_expired": points(_EXPIRED, -1),
        "taxable_amount": taxable,
        "payroll_deduction": deduction,
        "currency": None if value is None else value.currency,
    }


EXPORT: Final = Export("payroll_feed", rows, scopes=frozenset({Scope.LEDGER_READ, Scope.MEMBERS_READ}), has_period=True)
