"""Which entries a settlement is about, and what they amount to: the same whenever it is asked.

An account's entries are numbered without gaps under its row's lock, so those that are committed are a beginning of
them, and "from the one after the last settlement's to the last one posted before the period's end" names them exactly.
What commits later, or is posted later, has a greater number and falls into the next settlement.

Entries are named slice by slice, in the order of accounts. A slice reads no entry that was settled before.
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from datetime import date, datetime
from typing import Any, Final, Literal, NamedTuple, TypeAlias

from sqlalchemy import ColumnElement, Integer, and_, bindparam, case, func, or_, select
from sqlalchemy.engine import Connection

from chalicelib.partners.account_ids import MEMBER
from chalicelib.points.ledger import transfers
from chalicelib.points.models.books import settlement, settlement_range, settlement_run, settlement_sum
from chalicelib.points.models.ledger import account, redemption, refund, transfer
from chalicelib.storage import bulk

#: What a movement is to the books. ``moved`` is within a member's account only: carried from one year to the next.
Movement: TypeAlias = Literal["redeemed", "refunded", "lapsed", "given", "brought", "paid_out", "moved"]

#: Accounts of which one statement names the entries.
_ACCOUNTS_TOGETHER: Final = 100


class Named(NamedTuple):
    """Entries of one account, both included."""

    account_id: bytes
    program_id: bytes
    first_entry_no: int
    last_entry_no: int


class Moved(NamedTuple):
    """Points of one program that moved alike and are valued at one day; always as a positive or signed sum.

    Redeemed, refunded, lapsed and paid out points are positive; given and brought ones are signed: what was taken back
    counts against them.
    """

    program_id: bytes
    movement: Movement
    valued_on: date
    points_minor: int


class Standing(NamedTuple):
    """Points of one program that moved alike, as one run has named them."""

    run_id: bytes
    program_id: bytes
    movement: Movement
    points_minor: int


_SPENDING: Final[Collection[Movement]] = frozenset({"redeemed", "refunded"})
#: Of which side of a transfer a movement's points count as positive: whether the member gained them.
_GAINS: Final[Mapping[Movement, bool]] = {
    "redeemed": False,
    "refunded": True,
    "lapsed": False,
    "given": True,
    "brought": True,
    "paid_out": False,
    "moved": True,
}


def movement_of(kind: str, *, gained: bool) -> Movement:
    """What a transfer of a kind is to the books, by the house account on its other side."""
    house = transfers.HOUSE_OF[kind]  # type: ignore[index]
    if house == "redemption":
        return "refunded" if gained else "redeemed"
    return _OF_HOUSE.get(house, "given")


_OF_HOUSE: Final[Mapping[str, Movement]] = {
    "expiry": "lapsed",
    "opening": "brought",
    "pay_out": "paid_out",
    "carry_over": "moved",
}


def signed(movement: Movement, points_minor: int) -> int:
    """What a movement of so many points adds to what members have left."""
    return points_minor if _GAINS[movement] else -points_minor


def waiting(
    db: Connection, partner_id: bytes, *, after: bytes, limit: int, until: datetime
) -> tuple[list[Named], bytes | None]:
    """Every entry of the next accounts that no settlement named and that one posted before a moment is, or follows.

    The second answer is the account to go on after; None at the end.
    """
    given = {"partner_id": partner_id, "after": after, "limit": limit}
    accounts = db.execute(_ACCOUNTS, given).all()
    found: list[Named] = []
    for some in bulk.in_chunks(accounts, _ACCOUNTS_TOGETHER):
        settled = _settled(db, [each.id for each in some])
        # Most accounts have moved, or have not, since: what has not is passed over by its counter.
        fresh = {each.id: each.program_id for each in some if each.entry_no > settled.get(each.id, 0)}
        if not fresh:
            continue
        newer = or_(
            *(and_(transfer.c.account_id == key, transfer.c.entry_no > settled.get(key, 0)) for key in sorted(fresh))
        )
        query = (
            select(transfer.c.account_id, func.max(transfer.c.entry_no))
            .where(newer, transfer.c.posted_at < until)
            .group_by(transfer.c.account_id)
            .order_by(transfer.c.account_id)
        )
        for account_id, last in db.execute(query):
            # Not from the first that was posted in time: one that waited for the account may be numbered before it.
            found.append(Named(account_id, fresh[account_id], settled.get(account_id, 0) + 1, last))
    return found, accounts[-1].id if len(accounts) == limit else None


def of_run(db: Connection, run_id: bytes, *, after: bytes, limit: int) -> tuple[list[Named], bytes | None]:
    """The next entries that an earlier run has named; and the account to go on after, None at the end."""
    rows = db.execute(_OF_RUN, {"run_id": run_id, "after": after, "limit": limit})
    found = [Named(*row) for row in rows]
    return found, found[-1].account_id if len(found) == limit else None


def name(db: Connection, slice_id: bytes, run_id: bytes, partner_id: bytes, entries: Sequence[Named]) -> int:
    """Name entries for a run, with what they amount to; how many there are."""
    common = {"slice_id": slice_id, "run_id": run_id, "partner_id": partner_id}
    bulk.insert(db, settlement_range, [{**common, **each._asdict()} for each in entries])
    sums: dict[tuple[bytes, Movement, date], int] = {}
    for some in bulk.in_chunks(entries, _ACCOUNTS_TOGETHER):
        for each in _moved(db, some):
            key = (each.program_id, each.movement, each.valued_on)
            sums[key] = sums.get(key, 0) + each.points_minor
    rows = [
        {**common, "program_id": key[0], "movement": key[1], "valued_on": key[2], "points_minor": sums[key]}
        for key in sorted(sums)
    ]
    bulk.insert(db, settlement_sum, rows)
    return sum(each.last_entry_no - each.first_entry_no + 1 for each in entries)


def moved(db: Connection, run_id: bytes) -> Iterator[Moved]:
    """What a run's entries amount to, by program, movement and day of their value, in that order."""
    for program_id, movement, valued_on, points_minor in db.execute(_SUMS, {"run_id": run_id}):
        yield Moved(program_id, movement, valued_on, int(points_minor))


def standing(db: Connection, partner_id: bytes, *, through: str) -> list[Standing]:
    """What all settlements that stand have named, up to those of the period ``through``; runs under way too."""
    rows = db.execute(_STANDING, {"partner_id": partner_id, "through": through})
    return [Standing(*row[:-1], int(row[-1])) for row in rows]


def left(named: Sequence[Standing]) -> dict[bytes, int]:
    """Points that members have left of what was named, by program."""
    found: dict[bytes, int] = {}
    for each in named:
        found[each.program_id] = found.get(each.program_id, 0) + signed(each.movement, each.points_minor)
    return found


def redeemed(named: Sequence[Standing]) -> dict[bytes, int]:
    """Points redeemed less refunded of what was named, by program."""
    return {key: -minor for key, minor in left([each for each in named if each.movement in _SPENDING]).items()}


def _settled(db: Connection, account_ids: Sequence[bytes]) -> dict[bytes, int]:
    rows = db.execute(_SETTLED, {"accounts": account_ids})
    return {row[0]: row[1] for row in rows}


def _moved(db: Connection, entries: Sequence[Named]) -> Iterator[Moved]:
    """What entries of some accounts amount to.

    A refund is valued at the day of what it gives back, so it takes off what the redemption was invoiced with.
    """
    for program_id, kind, gained, valued_on, points_minor in db.execute(_MOVED.where(_among(entries))):
        movement = movement_of(kind, gained=bool(gained))
        positive = _GAINS[movement] == bool(gained)
        yield Moved(program_id, movement, valued_on, int(points_minor) if positive else -int(points_minor))


def _among(entries: Sequence[Named]) -> ColumnElement[bool]:
    return or_(
        *(
            and_(
                transfer.c.account_id == each.account_id,
                transfer.c.entry_no.between(each.first_entry_no, each.last_entry_no),
            )
            for each in entries
        )
    )


_ACCOUNTS: Final = (
    select(account.c.id, account.c.program_id, account.c.entry_no)
    .where(
        account.c.partner_id == bindparam("partner_id"),
        account.c.kind == MEMBER,
        account.c.id > bindparam("after"),
    )
    .order_by(account.c.id)
    .limit(bindparam("limit", type_=Integer()))
)
_SETTLED: Final = (
    select(settlement_range.c.account_id, func.max(settlement_range.c.last_entry_no))
    .where(settlement_range.c.account_id.in_(bindparam("accounts", expanding=True)))
    .group_by(settlement_range.c.account_id)
)
_OF_RUN: Final = (
    select(*(settlement_range.c[each] for each in Named._fields))
    .where(settlement_range.c.run_id == bindparam("run_id"), settlement_range.c.account_id > bindparam("after"))
    .order_by(settlement_range.c.account_id)
    .limit(bindparam("limit", type_=Integer()))
)
_SUMS: Final = (
    select(
        settlement_sum.c.program_id,
        settlement_sum.c.movement,
        settlement_sum.c.valued_on,
        func.sum(settlement_sum.c.points_minor),
    )
    .where(settlement_sum.c.run_id == bindparam("run_id"))
    .group_by(settlement_sum.c.program_id, settlement_sum.c.movement, settlement_sum.c.valued_on)
    .order_by(settlement_sum.c.program_id, settlement_sum.c.movement, settlement_sum.c.valued_on)
)
_made = settlement.alias("made")
_counter = settlement.alias("counter")
_STANDING: Final = (
    select(
        settlement_sum.c.run_id,
        settlement_sum.c.program_id,
        settlement_sum.c.movement,
        func.sum(settlement_sum.c.points_minor),
    )
    .join(settlement_run, settlement_run.c.id == settlement_sum.c.run_id)
    .outerjoin(_made, _made.c.run_id == settlement_run.c.id)
    .outerjoin(_counter, _counter.c.reverses_id == _made.c.id)
    .where(
        settlement_run.c.partner_id == bindparam("partner_id"),
        settlement_run.c.period <= bindparam("through"),
        _counter.c.id.is_(None),
    )
    .group_by(settlement_sum.c.run_id, settlement_sum.c.program_id, settlement_sum.c.movement)
)
_GAINED: Final = case((transfer.c.credit_account_id == transfer.c.account_id, 1), else_=0)
_VALUED_ON: Final = func.coalesce(redemption.c.business_date, transfer.c.business_date)
_MOVED: Final[Any] = (
    select(transfer.c.program_id, transfer.c.kind, _GAINED.cast(Integer), _VALUED_ON, func.sum(transfer.c.amount_minor))
    .outerjoin(refund, (refund.c.id == transfer.c.source_id) & (transfer.c.kind == "refund"))
    .outerjoin(redemption, redemption.c.id == refund.c.redemption_id)
    .group_by(transfer.c.program_id, transfer.c.kind, _GAINED, _VALUED_ON)
)
