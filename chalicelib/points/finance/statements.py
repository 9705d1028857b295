"""Statements: what each member had at the beginning of a month, what came and went, and what was left at its end.

Entries belong to the month in which they were posted, so a month's closing balance is the next one's opening balance,
and a statement that is made again says the same.
"""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any, Final, Literal, TypeAlias

from sqlalchemy import Integer, bindparam, case, func, select
from sqlalchemy.engine import Connection

from chalicelib.partners.account_ids import MEMBER
from chalicelib.partners.members import members
from chalicelib.partners.programs import programs
from chalicelib.partners.programs.programs import Program
from chalicelib.points.finance import worth
from chalicelib.points.finance.months import Month
from chalicelib.points.ledger import transfers
from chalicelib.points.models.ledger import account, transfer
from chalicelib.records import dataclass

#: Accounts whose entries are summed together.
_ACCOUNTS_READ: Final = 500
Column: TypeAlias = Literal["accrued", "adjusted", "redeemed", "refunded", "expired"]


@dataclass(frozen=True, slots=True)
class Statement:
    """One member's month in one program, in minor units of the program.

    closing = opening + accrued + adjusted - redeemed + refunded - expired. ``adjusted`` is signed. The value is what
    the closing balance was worth on the last day, in minor units of the currency; None: the program says no value.
    """

    employee_id: str
    program: Program
    opening_minor: int
    accrued_minor: int
    adjusted_minor: int
    redeemed_minor: int
    refunded_minor: int
    expired_minor: int
    closing_minor: int
    value_minor: int | None
    currency: str | None
    decimals: int


def column_of(kind: str, *, gained: bool) -> Column:
    """Where a kind of entry is counted, by the house account on its other side.

    Accrued is what members were given as such; what was taken back of it, brought over from another system, carried
    from year to year or paid out is adjusted.
    """
    house = transfers.HOUSE_OF[kind]  # type: ignore[index]
    if house == "redemption":
        return "refunded" if gained else "redeemed"
    if house == "expiry":
        return "expired"
    return "accrued" if house == "issuance" and gained else "adjusted"


def of(db: Connection, partner_id: bytes, month: Month, *, member_id: bytes | None = None) -> Iterator[Statement]:
    """The statements of a partner's members, or of one, by account; who never had an entry by the end has none."""
    own = {each.id: each for each in programs.of_partner(db, partner_id).values()}
    after = b""
    while True:
        given = {"partner_id": partner_id, "after": after, "accounts": _ACCOUNTS_READ}
        rows = db.execute(_ALL if member_id is None else _OF_MEMBER, {**given, "member_id": member_id}).all()
        yield from _of_accounts(db, rows, own, month)
        if len(rows) < _ACCOUNTS_READ:
            return
        after = rows[-1].id


def _of_accounts(
    db: Connection, accounts: Sequence[Any], own: Mapping[bytes, Program], month: Month
) -> Iterator[Statement]:
    people = members.by_ids(db, {each.owner_id for each in accounts})
    sums = _sums(db, [each.id for each in accounts], month)
    for each in accounts:
        if each.id not in sums:
            continue
        opening, moved = sums[each.id]
        closing = opening + sum(moved.values())
        value = worth.of(own[each.program_id])
        yield Statement(
            employee_id=people[each.owner_id].employee_id,
            program=own[each.program_id],
            opening_minor=opening,
            accrued_minor=moved["accrued"],
            adjusted_minor=moved["adjusted"],
            redeemed_minor=-moved["redeemed"],
            refunded_minor=moved["refunded"],
            expired_minor=-moved["expired"],
            closing_minor=closing,
            value_minor=None if value is None else worth.rounded(value.exact(closing, month.last_day)),
            currency=None if value is None else value.currency,
            decimals=0 if value is None else value.decimals,
        )


def _sums(db: Connection, ids: Sequence[bytes], month: Month) -> dict[bytes, tuple[int, dict[Column, int]]]:
    """By account, the opening balance and what moved, signed."""
    opening: dict[bytes, int] = defaultdict(int)
    moved: dict[bytes, dict[Column, int]] = {}
    if not ids:
        return {}
    given: dict[str, Sequence[bytes] | datetime] = {"accounts": ids, "since": month.since, "until": month.until}
    for account_id, kind, gained, before, amount_minor in db.execute(_MOVED, given):
        own = moved.setdefault(account_id, dict.fromkeys(_COLUMNS, 0))
        signed = int(amount_minor) if gained else -int(amount_minor)
        if before:
            opening[account_id] += signed
        else:
            own[column_of(kind, gained=bool(gained))] += signed
    return {account_id: (opening[account_id], own) for account_id, own in moved.items()}


_COLUMNS: Final[tuple[Column, ...]] = ("accrued", "adjusted", "redeemed", "refunded", "expired")
_ALL: Final = (
    select(account.c.id, account.c.owner_id, account.c.program_id)
    .where(
        account.c.partner_id == bindparam("partner_id"),
        account.c.kind == MEMBER,
        account.c.entry_no > 0,
        account.c.id > bindparam("after"),
    )
    .order_by(account.c.id)
    .limit(bindparam("accounts", type_=Integer()))
)
_OF_MEMBER: Final = _ALL.where(account.c.owner_id == bindparam("member_id"))
_GAINED: Final = case((transfer.c.credit_account_id == transfer.c.account_id, 1), else_=0)
_BEFORE: Final = case((transfer.c.posted_at < bindparam("since", type_=transfer.c.posted_at.type), 1), else_=0)
_MOVED: Final = (
    select(
        transfer.c.account_id,
        transfer.c.kind,
        _GAINED.label("gained"),
        _BEFORE.label("before"),
        func.sum(transfer.c.amount_minor),
    )
    .where(
        transfer.c.account_id.in_(bindparam("accounts", expanding=True)),
        transfer.c.posted_at < bindparam("until"),
    )
    .group_by(transfer.c.account_id, transfer.c.kind, "gained", "before")
)
