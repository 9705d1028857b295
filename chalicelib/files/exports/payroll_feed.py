"""O2: what a partner's payroll has to know of a period. Every movement is in the feed of exactly one period.

A movement belongs to the period in which it was posted, by the partner's days: what comes late is in a later feed, and
no feed has to be sent again. Its value is that of its business date.
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
from chalicelib.partners import members, programs
from chalicelib.partners.account_ids import MEMBER
from chalicelib.partners.members import MemberRef
from chalicelib.partners.programs import Program
from chalicelib.points.finance import worth
from chalicelib.points.finance.positions import end_of
from chalicelib.points.models import account, transfer
from chalicelib.storage import bulk

_ACCOUNTS: Final = bulk.CHUNK
#: Which kinds of movement each column counts.
_ACCRUED: Final = frozenset({"accrual", "reversal", "adjustment", "increase", "claw_back"})
_REDEEMED: Final = frozenset({"redemption", "refund"})
_EXPIRED: Final = frozenset({"expiry", "year_forfeit", "forfeiture"})
_TAXED: Final = _REDEEMED | {"pay_out"}

_ACCOUNT_ROWS: Final = (
    select(account.c.id, account.c.owner_id, account.c.program_id, account.c.overdrawn_minor)
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
_Moved = tuple[str, date, int]


def rows(db: Connection, asked: Asked) -> Iterator[Row]:
    """A row for each employee and program with a movement in the period, or with something owed after employment.

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
    for each in found:
        member = people[each.owner_id]
        owed_minor = each.overdrawn_minor if _left_by(member, asked) else 0
        if each.id in moved or owed_minor:
            yield _row(asked, member, known[each.program_id], moved.get(each.id, ()), owed_minor)


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


def _left_by(member: MemberRef, asked: Asked) -> bool:
    """Whether the member's employment had ended when the period did."""
    assert asked.period is not None  # noqa: S101 - an export of periods
    return member.term_date is not None and member.term_date <= asked.period[1]


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
