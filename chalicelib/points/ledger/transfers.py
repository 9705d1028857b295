"""The ledger: points that come and go, as immutable transfers between a member's account and a house account.

An earning debits the program's issuance account and credits the member; a spend does the reverse against the house
account of its kind. Every writer holds the member account's row locked, so the numbers given to entries have no gaps,
and nobody else reads the lots that are taken. House accounts have no counters: a shared counter is a hot spot, so they
are summed (``points.ledger.trial_balance``).
"""

from collections.abc import Mapping, Sequence
from datetime import date, datetime
from typing import Any, Final, Literal, NamedTuple, TypeAlias

from sqlalchemy import bindparam, update
from sqlalchemy.engine import Connection

from chalicelib.deliveries import outbox
from chalicelib.deliveries.routes import BALANCE
from chalicelib.errors import OtherContent, Unprocessable
from chalicelib.partners import account_ids
from chalicelib.partners.programs.programs import NEVER
from chalicelib.points.ledger import lots, overdrafts
from chalicelib.points.ledger.accounts import HouseKind, Locked
from chalicelib.points.ledger.lots import Taken
from chalicelib.points.models.ledger import account, lot, transfer
from chalicelib.storage import bulk, prepared
from chalicelib.storage.ids import new_id, new_ids

EarnKind: TypeAlias = Literal["accrual", "opening"]
Kind: TypeAlias = Literal[
    "accrual",
    "opening",
    "redemption",
    "refund",
    "expiry",
    "adjustment",
    "reversal",
    "year_forfeit",
    "carry_out",
    "carry_in",
    "increase",
    "forfeiture",
    "pay_out",
    "claw_back",
    "opening_annulled",
    "adjustment_annulled",
]

#: The largest amount of one transfer, in minor units. A thousand of them still fit into an account's counters.
AMOUNT_MINOR_MAX = 10**15

#: The house account on the other side of each kind of transfer. What expires is breakage.
HOUSE_OF: Mapping[Kind, HouseKind] = {
    "accrual": "issuance",
    "opening": "opening",
    "reversal": "issuance",
    "redemption": "redemption",
    "refund": "redemption",
    "expiry": "expiry",
    "adjustment": "adjustment",
    "year_forfeit": "expiry",
    "carry_out": "carry_over",
    "carry_in": "carry_over",
    "increase": "issuance",
    "forfeiture": "expiry",
    "pay_out": "pay_out",
    "claw_back": "issuance",
    "opening_annulled": "opening",
    "adjustment_annulled": "adjustment",
}
#: Kinds that are breakage: the member has the points no more, and nobody spent them.
LAPSED: Final[frozenset[Kind]] = frozenset(kind for kind, house in HOUSE_OF.items() if house == "expiry")
#: What is credited and was earned before, and what takes an earning back.
UNEARNED: Final[frozenset[Kind]] = frozenset(
    {"refund", "reversal", "carry_in", "opening_annulled", "adjustment_annulled"}
)


class Earning(NamedTuple):
    """Points that one source earns for one account; ``expires_on`` is the last day on which they may be spent."""

    account_id: bytes
    amount_minor: int
    source_id: bytes
    business_date: date
    expires_on: date


class NewLot(NamedTuple):
    """The lot that a transfer opens: points that come, or, with an amount below zero, an overdraft."""

    amount_minor: int
    expires_on: date


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
    positive minor units; all accounts are of one partner. What an account owes is repaid first. The balances that
    changed are queued for delivery.
    """
    if not earnings:
        return []
    ids = new_ids(len(earnings))
    house_ids: dict[bytes, bytes] = {}
    transfers: list[dict[str, Any]] = []
    opened: list[dict[str, Any]] = []
    for transfer_id, (account_id, amount_minor, source_id, business_date, expires_on) in zip(
        ids, earnings, strict=True
    ):
        holder = locked[account_id]
        program_id = holder.program_id
        house_id = house_ids.get(program_id)
        if house_id is None:
            house_id = house_ids[program_id] = account_ids.account_id(program_id, HOUSE_OF[kind])
        holder.entry_no = entry_no = holder.entry_no + 1
        holder.credits_posted += amount_minor
        transfers.append(
            {
                "id": transfer_id,
                "partner_id": holder.partner_id,
                "program_id": program_id,
                "account_id": account_id,
                "entry_no": entry_no,
                "version": entry_no + holder.hold_changes,
                "debit_account_id": house_id,
                "credit_account_id": account_id,
                "amount_minor": amount_minor,
                "kind": kind,
                "source_id": source_id,
                "business_date": business_date,
                "posted_at": now,
            }
        )
        opened.append(
            {
                "id": transfer_id,
                "partner_id": holder.partner_id,
                "account_id": account_id,
                "expires_on": expires_on,
                "amount_minor": amount_minor,
                "remaining_minor": amount_minor,
                "held_minor": 0,
            }
        )
    transfers.sort(key=_by_entry)
    bulk.insert(db, transfer, transfers)
    bulk.insert(db, lot, opened)
    earners = [locked[key] for key in sorted({earning.account_id for earning in earnings})]
    for holder in earners:
        if holder.overdrawn_minor:
            today = next(earning.business_date for earning in earnings if earning.account_id == holder.id)
            overdrafts.repay(db, holder, day=today, now=now)
    write_posted(db, earners, now=now)
    return ids


def require_amount(amount_minor: int) -> None:
    """Raises Unprocessable for what no single transfer may move."""
    if not 0 < amount_minor <= AMOUNT_MINOR_MAX:
        raise Unprocessable("An amount must be positive and bounded.", code="amount_out_of_range")


def post(
    db: Connection,
    holder: Locked,
    amount_minor: int,
    *,
    kind: Kind,
    source_id: bytes,
    uses: Sequence[Taken] = (),
    opens: NewLot | None = None,
    held: bool = False,
    business_date: date,
    now: datetime,
    transfer_id: bytes | None = None,
) -> bytes:
    """Post one transfer of a locked account, which gains ``amount_minor`` or, below zero, loses it; its id.

    ``transfer_id`` is that id where the caller has stored it already, under a key that says who was first.

    ``uses`` are the lots taken from (above zero) and given back to (below); ``held``: from what a hold covered. With
    the lot that it ``opens`` they add up to the amount. ``finish`` writes the account afterwards. Raises OtherContent
    when another account has a transfer of this source and kind.
    """
    transfer_id = transfer_id or new_id()
    house_id = account_ids.account_id(holder.program_id, HOUSE_OF[kind])
    row = transfer_row(
        holder, transfer_id, house_id, amount_minor, kind=kind, source_id=source_id, day=business_date, now=now
    )
    if bulk.insert_new(db, transfer, [row], key=("source_id", "kind")):
        # Only another account can have been quicker: this one's row is locked.
        raise OtherContent("The same source is being posted to another account.")
    # A reversal that gives back what another took restores what was earned.
    if kind in UNEARNED and not (kind == "reversal" and amount_minor > 0):
        holder.unearned_minor += abs(amount_minor)
    used = list(uses)
    if opens is not None:
        owed = min(0, opens.amount_minor)
        amount = max(0, opens.amount_minor)
        opened = {
            "id": transfer_id,
            "partner_id": holder.partner_id,
            "account_id": holder.id,
            "expires_on": opens.expires_on if amount else NEVER,
            "amount_minor": amount,
            "remaining_minor": opens.amount_minor,
            "held_minor": 0,
        }
        bulk.insert(db, lot, [opened])
        holder.overdrawn_minor -= owed
        if owed:
            used.append(Taken(transfer_id, -owed))
    lots.note(db, holder.partner_id, transfer_id, used)
    lots.reduce(db, uses, held=held)
    return transfer_id


def transfer_row(
    holder: Locked,
    transfer_id: bytes,
    house_id: bytes,
    amount_minor: int,
    *,
    kind: Kind,
    source_id: bytes,
    day: date,
    now: datetime,
) -> dict[str, Any]:
    """The row of a transfer with the account's next entry number; the account's counters move along."""
    holder.entry_no += 1
    if amount_minor > 0:
        holder.credits_posted += amount_minor
        sides = house_id, holder.id
    else:
        holder.debits_posted -= amount_minor
        sides = holder.id, house_id
    return {
        "id": transfer_id,
        "partner_id": holder.partner_id,
        "program_id": holder.program_id,
        "account_id": holder.id,
        "entry_no": holder.entry_no,
        "version": holder.version,
        "debit_account_id": sides[0],
        "credit_account_id": sides[1],
        "amount_minor": abs(amount_minor),
        "kind": kind,
        "source_id": source_id,
        "business_date": day,
        "posted_at": now,
    }


def finish(db: Connection, holder: Locked, *, now: datetime) -> None:
    """Write the account as it is now, and queue its balance for delivery: once, after all that changed it."""
    prepared.write(
        db,
        _WRITE,
        {
            "of": holder.id,
            "pending": holder.debits_pending,
            "debits": holder.debits_posted,
            "credits": holder.credits_posted,
            "entry": holder.entry_no,
            "holds": holder.hold_changes,
            "overdrawn": holder.overdrawn_minor,
            "unearned": holder.unearned_minor,
            "at": now,
        },
    )
    outbox.changed(db, holder.partner_id, BALANCE, [holder.id.hex()], now=now)


def write_posted(db: Connection, changed: Sequence[Locked], *, now: datetime) -> None:
    """Write what was posted to accounts, sorted by id and all of one partner, and queue their balances for delivery."""
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


def _by_entry(row: Mapping[str, Any]) -> tuple[bytes, int]:
    return row["account_id"], row["entry_no"]


_WRITE = (
    update(account)
    .where(account.c.id == bindparam("of"))
    .values(
        debits_pending=bindparam("pending"),
        debits_posted=bindparam("debits"),
        credits_posted=bindparam("credits"),
        entry_no=bindparam("entry"),
        hold_changes=bindparam("holds"),
        overdrawn_minor=bindparam("overdrawn"),
        unearned_minor=bindparam("unearned"),
        changed_at=bindparam("at"),
    )
)
