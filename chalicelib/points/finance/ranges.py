"""Which entries a settlement is about, and what they amount to: the same whenever it is asked.

An account's entries are numbered without gaps under its row's lock, so those that are committed are a beginning of
them, and "from the one after the last settlement's to the last one posted before the period's end" names them exactly.
What commits later, or is posted later, has a greater number and falls into the next settlement.
"""

from collections.abc import Iterator
from datetime import date, datetime
from typing import Any, Final, Literal, NamedTuple, TypeAlias

from sqlalchemy import Integer, bindparam, case, func, insert, literal, select
from sqlalchemy.engine import Connection

from chalicelib.partners.account_ids import MEMBER
from chalicelib.points import ledger
from chalicelib.points.finance_models import settlement_range
from chalicelib.points.models import account, redemption, refund, transfer
from chalicelib.storage.tables import Big, Id

#: What a movement is to the books. ``moved`` is within a member's account only: carried from one year to the next.
Movement: TypeAlias = Literal["redeemed", "refunded", "lapsed", "given", "moved"]


class Moved(NamedTuple):
    """Points of one program that moved alike and are valued at one day; always as a positive or signed sum.

    Redeemed, refunded and lapsed points are positive; given ones are signed: what was taken back counts against them.
    """

    program_id: bytes
    movement: Movement
    valued_on: date
    points_minor: int


def movement_of(kind: str, *, gained: bool) -> Movement:
    """What a transfer of a kind is to the books, by the house account on its other side."""
    house = ledger.HOUSE_OF[kind]  # type: ignore[index]
    if house == "redemption":
        return "refunded" if gained else "redeemed"
    if house == "expiry":
        return "lapsed"
    return "moved" if house == "carry_over" else "given"


def freeze(db: Connection, settlement_id: bytes, partner_id: bytes, *, until: datetime) -> int:
    """Name for a settlement every entry posted before a moment that no settlement of the partner named; how many."""
    db.execute(_FREEZE, {"settlement_id": settlement_id, "partner_id": partner_id, "until": until})
    return _entries(db, settlement_id)


def take_over(db: Connection, settlement_id: bytes, earlier_id: bytes) -> int:
    """Name for a settlement exactly the entries that an earlier one named, which was taken back; how many."""
    db.execute(_TAKE_OVER, {"settlement_id": settlement_id, "earlier_id": earlier_id})
    return _entries(db, settlement_id)


def moved(db: Connection, settlement_id: bytes) -> Iterator[Moved]:
    """What a settlement's entries amount to, by program, movement and day of their value, in that order.

    A refund is valued at the day of what it gives back, so it takes off what the redemption was invoiced with.
    """
    sums: dict[tuple[bytes, Movement, date], int] = {}
    for program_id, kind, gained, valued_on, points_minor in db.execute(_MOVED, {"settlement_id": settlement_id}):
        movement = movement_of(kind, gained=bool(gained))
        positive = movement in {"refunded", "given", "moved"}
        signed = int(points_minor) if bool(gained) == positive else -int(points_minor)
        key = (program_id, movement, valued_on)
        sums[key] = sums.get(key, 0) + signed
    for key in sorted(sums):
        yield Moved(*key, sums[key])


def redeemed_before(db: Connection, partner_id: bytes, *, until: datetime) -> dict[bytes, int]:
    """Points redeemed less refunded by program, of everything posted before a moment."""
    rows = db.execute(_REDEEMED, {"partner_id": partner_id, "until": until})
    return {row[0]: int(row[1]) for row in rows}


def _entries(db: Connection, settlement_id: bytes) -> int:
    return int(db.execute(_ENTRIES, {"settlement_id": settlement_id}).scalar_one())


_earlier = settlement_range.alias("earlier")
_SETTLED: Final = func.coalesce(
    select(func.max(_earlier.c.last_entry_no))
    .where(_earlier.c.account_id == account.c.id)
    .correlate(account)
    .scalar_subquery(),
    0,
)
_COLUMNS: Final = ("settlement_id", "account_id", "partner_id", "program_id", "first_entry_no", "last_entry_no")
_FREEZE: Final = insert(settlement_range).from_select(
    _COLUMNS,
    select(
        bindparam("settlement_id", type_=Id),
        account.c.id,
        account.c.partner_id,
        account.c.program_id,
        # Not the first that was posted in time: one that waited for the account may be numbered before it.
        _SETTLED + 1,
        func.max(transfer.c.entry_no),
    )
    .join(transfer, transfer.c.account_id == account.c.id)
    .where(
        account.c.partner_id == bindparam("partner_id"),
        account.c.kind == MEMBER,
        transfer.c.entry_no > _SETTLED,
        transfer.c.posted_at < bindparam("until", type_=transfer.c.posted_at.type),
    )
    .group_by(account.c.id, account.c.partner_id, account.c.program_id),
)
_TAKE_OVER: Final = insert(settlement_range).from_select(
    _COLUMNS,
    select(
        bindparam("settlement_id", type_=Id),
        *(_earlier.c[name] for name in _COLUMNS[1:]),
    ).where(_earlier.c.settlement_id == bindparam("earlier_id", type_=Id)),
)
_ENTRIES: Final = select(
    func.coalesce(func.sum(settlement_range.c.last_entry_no - settlement_range.c.first_entry_no + 1), 0)
).where(settlement_range.c.settlement_id == bindparam("settlement_id"))
_GAINED: Final = case((transfer.c.credit_account_id == transfer.c.account_id, 1), else_=0)
_VALUED_ON: Final = func.coalesce(redemption.c.business_date, transfer.c.business_date)
_MOVED: Final[Any] = (
    select(
        settlement_range.c.program_id,
        transfer.c.kind,
        _GAINED.cast(Integer),
        _VALUED_ON,
        func.sum(transfer.c.amount_minor),
    )
    .join_from(
        settlement_range,
        transfer,
        (transfer.c.account_id == settlement_range.c.account_id)
        & transfer.c.entry_no.between(settlement_range.c.first_entry_no, settlement_range.c.last_entry_no),
    )
    .outerjoin(refund, (refund.c.id == transfer.c.source_id) & (transfer.c.kind == "refund"))
    .outerjoin(redemption, redemption.c.id == refund.c.redemption_id)
    .where(settlement_range.c.settlement_id == bindparam("settlement_id"))
    .group_by(settlement_range.c.program_id, transfer.c.kind, _GAINED, _VALUED_ON)
)
_REDEEMED: Final = (
    select(
        account.c.program_id,
        func.sum(
            case(
                (transfer.c.kind == "redemption", transfer.c.amount_minor),
                (transfer.c.kind == "refund", -transfer.c.amount_minor),
                else_=literal(0, Big),
            )
        ),
    )
    .join(transfer, transfer.c.account_id == account.c.id)
    .where(
        account.c.partner_id == bindparam("partner_id"),
        account.c.kind == MEMBER,
        transfer.c.posted_at < bindparam("until"),
    )
    .group_by(account.c.program_id)
)
