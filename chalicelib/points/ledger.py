"""The ledger: points that are earned and spent, as immutable transfers between a member's account and a house account.

An earning debits the program's issuance account and credits the member; a spend does the reverse against the house
account of its kind. Both hold the member account's row locked, so the numbers they give to entries have no gaps, and
nobody else reads the lots they take. House accounts have no counters: a shared counter is a hot spot, so they are
summed (``points.proof``).
"""

from collections.abc import Mapping, Sequence
from datetime import date, datetime
from typing import Any, Literal, NamedTuple

from sqlalchemy import Integer, bindparam, select
from sqlalchemy.engine import Connection

from chalicelib.deliveries import outbox
from chalicelib.deliveries.routes import BALANCE
from chalicelib.errors import Broken, OtherContent, Unprocessable
from chalicelib.partners import account_ids
from chalicelib.points import accounts
from chalicelib.points.accounts import HouseKind, Locked
from chalicelib.points.models import account, lot, lot_use, transfer
from chalicelib.storage import bulk
from chalicelib.storage.ids import new_id, new_ids

EarnKind = Literal["accrual"]
SpendKind = Literal["redemption"]

#: The largest amount of one transfer, in minor units. A thousand of them still fit into an account's counters.
AMOUNT_MINOR_MAX = 10**15
#: Lots read for one spend at first; more are read only when these do not suffice.
_LOTS_READ = 200

_HOUSE_OF: Mapping[str, HouseKind] = {"accrual": "issuance", "redemption": "redemption"}


class InsufficientPoints(Unprocessable):
    """The member has fewer points available than the spend needs."""

    code = "insufficient_points"


class Earning(NamedTuple):
    """Points that one source earns for one account; ``expires_on`` is the last day on which they may be spent."""

    account_id: bytes
    amount_minor: int
    source_id: bytes
    business_date: date
    expires_on: date


class Taken(NamedTuple):
    """What a spend took from one lot."""

    lot_id: bytes
    amount_minor: int


class Spent(NamedTuple):
    """A posted spend: its transfer, the account's version after it, and the lots it took from."""

    transfer_id: bytes
    entry_no: int
    taken: tuple[Taken, ...]


def earn(
    db: Connection,
    locked: Mapping[bytes, Locked],
    earnings: Sequence[Earning],
    *,
    kind: EarnKind = "accrual",
    now: datetime,
) -> list[bytes]:
    """Post each earning, in order, as a transfer and a lot that share an id; the ids.

    ``locked`` holds the accounts, locked by ``accounts.lock_members``; their counters move along. All amounts are
    positive minor units; all accounts are of one partner. The balances that changed are queued for delivery.
    """
    if not earnings:
        return []
    ids = new_ids(len(earnings))
    house_ids: dict[bytes, bytes] = {}
    transfers: list[dict[str, Any]] = []
    lots: list[dict[str, Any]] = []
    for transfer_id, (account_id, amount_minor, source_id, business_date, expires_on) in zip(
        ids, earnings, strict=True
    ):
        holder = locked[account_id]
        program_id = holder.program_id
        house_id = house_ids.get(program_id)
        if house_id is None:
            house_id = house_ids[program_id] = account_ids.account_id(program_id, _HOUSE_OF[kind])
        holder.entry_no = entry_no = holder.entry_no + 1
        holder.credits_posted += amount_minor
        transfers.append(
            {
                "id": transfer_id,
                "partner_id": holder.partner_id,
                "program_id": program_id,
                "account_id": account_id,
                "entry_no": entry_no,
                "debit_account_id": house_id,
                "credit_account_id": account_id,
                "amount_minor": amount_minor,
                "kind": kind,
                "source_id": source_id,
                "business_date": business_date,
                "posted_at": now,
            }
        )
        lots.append(
            {
                "id": transfer_id,
                "partner_id": holder.partner_id,
                "account_id": account_id,
                "expires_on": expires_on,
                "amount_minor": amount_minor,
                "remaining_minor": amount_minor,
            }
        )
    transfers.sort(key=_by_entry)
    bulk.insert(db, transfer, transfers)
    bulk.insert(db, lot, lots)
    _write_counters(db, [locked[key] for key in sorted({earning.account_id for earning in earnings})], now=now)
    return ids


def spend(
    db: Connection,
    account_id: bytes,
    amount_minor: int,
    *,
    kind: SpendKind = "redemption",
    source_id: bytes,
    business_date: date,
    now: datetime,
) -> Spent:
    """Take points from the lots that expire first and post one transfer.

    ``business_date`` is the program's day on which lots must still be unexpired. The same source and kind again returns
    the first spend. Raises InsufficientPoints when less is available than asked, OtherContent when the source was
    spent with another amount or account, NotFound when there is no such account.
    """
    if not 0 < amount_minor <= AMOUNT_MINOR_MAX:
        raise Unprocessable("A spend must be positive and bounded.", code="amount_out_of_range")
    holder = accounts.lock(db, account_id)
    earlier = _earlier(db, source_id, kind)
    if earlier is not None:
        return _again(db, earlier, account_id, amount_minor)
    taken, remaining = _take(db, holder, amount_minor, business_date)
    house_id = accounts.open_house(db, holder.partner_id, holder.program_id, _HOUSE_OF[kind], now=now)
    transfer_id = new_id()
    holder.entry_no += 1
    holder.debits_posted += amount_minor
    row = {
        "id": transfer_id,
        "partner_id": holder.partner_id,
        "program_id": holder.program_id,
        "account_id": account_id,
        "entry_no": holder.entry_no,
        "debit_account_id": account_id,
        "credit_account_id": house_id,
        "amount_minor": amount_minor,
        "kind": kind,
        "source_id": source_id,
        "business_date": business_date,
        "posted_at": now,
    }
    if bulk.insert_new(db, transfer, [row], key=("source_id", "kind")):
        # Only another account can have been quicker: this one's row is locked.
        raise OtherContent("The same source is being spent from another account.")
    bulk.insert(
        db,
        lot_use,
        [
            {"transfer_id": transfer_id, "lot_id": lot_id, "partner_id": holder.partner_id, "amount_minor": amount}
            for lot_id, amount in taken
        ],
    )
    bulk.update_by_key(db, lot, remaining, key=("id",), set_=("remaining_minor",))
    _write_counters(db, [holder], now=now)
    return Spent(transfer_id, holder.entry_no, tuple(taken))


def _by_entry(row: Mapping[str, Any]) -> tuple[bytes, int]:
    return row["account_id"], row["entry_no"]


def _write_counters(db: Connection, changed: Sequence[Locked], *, now: datetime) -> None:
    """Write the accounts, sorted by id and all of one partner, and queue their balances for delivery."""
    rows = [
        {
            "id": holder.id,
            "debits_posted": holder.debits_posted,
            "credits_posted": holder.credits_posted,
            "entry_no": holder.entry_no,
            "changed_at": now,
        }
        for holder in changed
    ]
    bulk.update_by_key(
        db, account, rows, key=("id",), set_=("debits_posted", "credits_posted", "entry_no", "changed_at")
    )
    outbox.changed(db, changed[0].partner_id, BALANCE, [holder.id.hex() for holder in changed], now=now)


_OPEN_LOTS = (
    select(lot.c.id, lot.c.remaining_minor)
    .where(
        lot.c.account_id == bindparam("account_id"),
        lot.c.expires_on >= bindparam("day"),
        lot.c.remaining_minor > 0,
    )
    .order_by(lot.c.expires_on, lot.c.id)
)
_FIRST_OPEN_LOTS = _OPEN_LOTS.limit(bindparam("lots", type_=Integer()))
_EARLIER = select(transfer.c.id, transfer.c.account_id, transfer.c.entry_no, transfer.c.amount_minor).where(
    transfer.c.source_id == bindparam("source_id"), transfer.c.kind == bindparam("kind")
)
_USES = (
    select(lot_use.c.lot_id, lot_use.c.amount_minor)
    .join(lot, lot.c.id == lot_use.c.lot_id)
    .where(lot_use.c.transfer_id == bindparam("transfer_id"))
    .order_by(lot.c.expires_on, lot.c.id)
)


def _earlier(db: Connection, source_id: bytes, kind: str) -> tuple[bytes, bytes, int, int] | None:
    row = db.execute(_EARLIER, {"source_id": source_id, "kind": kind}).one_or_none()
    return None if row is None else (row[0], row[1], row[2], row[3])


def _again(db: Connection, earlier: tuple[bytes, bytes, int, int], account_id: bytes, amount_minor: int) -> Spent:
    transfer_id, earlier_account, entry_no, earlier_amount = earlier
    if (earlier_account, earlier_amount) != (account_id, amount_minor):
        raise OtherContent("The same source was spent before with another amount or from another account.")
    uses = db.execute(_USES, {"transfer_id": transfer_id}).all()
    return Spent(transfer_id, entry_no, tuple(Taken(*use) for use in uses))


def _take(db: Connection, holder: Locked, amount_minor: int, day: date) -> tuple[list[Taken], list[dict[str, Any]]]:
    """The lots to take the amount from, first expiring first, and the lots' rows with what remains in them."""
    # What is held must stay covered, so the spend is refused unless the lots suffice for both.
    needed = amount_minor + holder.debits_pending
    given = {"account_id": holder.id, "day": day}
    found = db.execute(_FIRST_OPEN_LOTS, {**given, "lots": _LOTS_READ}).all()
    if len(found) == _LOTS_READ and sum(row[1] for row in found) < needed:
        found = db.execute(_OPEN_LOTS, given).all()
    if sum(row[1] for row in found) < needed:
        raise InsufficientPoints("The account has fewer points available than this spend needs.")
    taken: list[Taken] = []
    rows: list[dict[str, Any]] = []
    left = amount_minor
    for lot_id, remaining_minor in found:
        part = min(left, remaining_minor)
        taken.append(Taken(lot_id, part))
        rows.append({"id": lot_id, "remaining_minor": remaining_minor - part})
        left -= part
        if not left:
            return taken, sorted(rows, key=lambda row: row["id"])
    raise Broken("The lots of an account do not add up to what was just summed.")
