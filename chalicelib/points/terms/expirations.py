"""Expiry: what was not spent by its last day becomes breakage, once, however often a business date is run.

A lot whose last day is over is spent by nobody, whether or not its expiry has been posted: so nothing hangs on when
this runs. What a hold covers is kept for it or expires with the rest, as the program says.
"""

from collections.abc import Callable, Collection, Sequence
from datetime import date, datetime
from itertools import groupby
from typing import Any, Final, NamedTuple

from sqlalchemy import Integer, bindparam, select
from sqlalchemy.engine import Connection

from chalicelib.access import audit
from chalicelib.access.caller import Caller
from chalicelib.access.rounds import Round
from chalicelib.partners.account_ids import MEMBER
from chalicelib.partners.account_ids import account_id as id_of
from chalicelib.partners.programs import programs
from chalicelib.partners.programs.programs import Program
from chalicelib.points.ledger import accounts, lots, overdrafts, policy, transfers
from chalicelib.points.ledger.accounts import Locked
from chalicelib.points.ledger.lots import Taken
from chalicelib.points.models.ledger import account, hold_lot, lot, transfer
from chalicelib.points.spending import holds
from chalicelib.points.spending.holds import Covered
from chalicelib.storage import bulk
from chalicelib.storage.engine import Database
from chalicelib.storage.ids import new_ids, public_id

#: Accounts looked at in one transaction.
_ACCOUNTS_READ: Final = 500
#: Programs of one page.
_PROGRAMS_READ: Final = 100


class Expiry(NamedTuple):
    """What expires, or did, in one program. ``kept_minor`` has expired too, and stays for the holds that cover it."""

    accounts: int = 0
    expired_minor: int = 0
    kept_minor: int = 0

    def plus(self, other: "Expiry") -> "Expiry":
        """Both together."""
        return Expiry(*(mine + its for mine, its in zip(self, other, strict=True)))


class Page(NamedTuple):
    """What expired of some accounts; ``last`` continues behind them, None when they were the last."""

    expiry: Expiry
    last: bytes | None


class Foretold(NamedTuple):
    """What would expire of so many accounts; ``whole``: they are all that there are."""

    expiry: Expiry
    accounts: int
    whole: bool


class _Due(NamedTuple):
    """An expired lot with points left; ``held_minor`` of them are covered by holds."""

    account_id: bytes
    lot_id: bytes
    expires_on: date
    remaining_minor: int
    held_minor: int
    overdrawn_minor: int


def preview(db: Connection, program: Program, day: date, *, accounts_max: int) -> Foretold:
    """What ``expire`` would do for a business date, of so many accounts or a page more; nothing is written."""
    keeps = policy.of(program).keeps_held
    found, looked_at = Expiry(), 0
    after: bytes | None = b""
    while after is not None and looked_at < accounts_max:
        ids, after = _accounts(db, program.id, after)
        looked_at += len(ids)
        for _, group in groupby(_due(db, ids, day), key=lambda each: each.account_id):
            lots_due = list(group)
            held = sum(each.held_minor for each in lots_due)
            free = sum(each.remaining_minor for each in lots_due) - held
            # What is owed is set off first, from what is free.
            expired = max(0, free - lots_due[0].overdrawn_minor) + (0 if keeps else held)
            found = found.plus(Expiry(1 if expired else 0, expired, held if keeps else 0))
    return Foretold(found, looked_at, after is None)


def expire(db: Connection, program: Program, day: date, *, after: bytes = b"", now: datetime) -> Page:
    """Post the expiry of lots whose last day is before ``day``, for the accounts that follow ``after``, up to a bound.

    ``day`` is the business date of what is posted. Running a date again finds what came back since: nothing expires
    twice.
    """
    keeps = policy.of(program).keeps_held
    ids, last = _accounts(db, program.id, after)
    concerned = {each.account_id for each in _due(db, ids, day)}
    found = Expiry()
    posted: list[Locked] = []
    rows: list[dict[str, Any]] = []
    uses: list[tuple[bytes, Sequence[Taken]]] = []
    holders = {holder.id: holder for holder in accounts.lock_existing(db, concerned)}
    repaid: dict[bytes, Locked] = {}
    for holder in holders.values():
        # Points that are owed do not expire for the member: they repay, and those that expire first do so first.
        if overdrafts.repay(db, holder, day=day, expired_too=True, now=now):
            # No entry says so, and yet more may be spent than before: the store is told under a version of its own.
            holder.hold_changes += 1
            repaid[holder.id] = holder
    house_id = id_of(program.id, transfers.HOUSE_OF["expiry"])
    # Read again: what was due before the locks may be spent.
    for account_id, group in groupby(_due(db, sorted(holders), day), key=lambda each: each.account_id):
        holder, lots_due = holders[account_id], list(group)
        held = sum(each.held_minor for each in lots_due)
        if held and not keeps:
            lapse(db, holder, {each.lot_id for each in lots_due if each.held_minor}, now=now)
        taken = [Taken(each.lot_id, each.remaining_minor - (each.held_minor if keeps else 0)) for each in lots_due]
        amount_minor = sum(each.amount_minor for each in taken)
        found = found.plus(Expiry(1 if amount_minor else 0, amount_minor, held if keeps else 0))
        if not amount_minor:
            continue
        [transfer_id] = new_ids(1)
        rows.append(
            transfers.transfer_row(
                holder, transfer_id, house_id, -amount_minor, kind="expiry", source_id=transfer_id, day=day, now=now
            )
        )
        uses.append((transfer_id, [each for each in taken if each.amount_minor]))
        posted.append(holder)
    _write(db, rows, uses, posted, now)
    for account_id in sorted(repaid.keys() - {holder.id for holder in posted}):
        transfers.finish(db, repaid[account_id], now=now)
    return Page(found, last)


def post_some(
    db: Connection, program: Program, day: date, *, accounts_max: int, caller: Caller, now: datetime
) -> tuple[Expiry, bool]:
    """Expire accounts of a program, as somebody asked, until more than ``accounts_max`` were posted.

    What expired, and whether none are left.
    """
    found = Expiry()
    after: bytes | None = b""
    while after is not None and found.accounts <= accounts_max:
        page = expire(db, program, day, after=after, now=now)
        found, after = found.plus(page.expiry), page.last
    if found.accounts:
        # The entries name nobody: the schedule posts them too, which asks nobody.
        audit.record(
            db,
            caller=caller,
            action="program.expired",
            subject=public_id("prg", program.id),
            partner_id=program.partner_id,
            after={"business_date": day, "accounts": found.accounts, "expired_minor": found.expired_minor},
            now=now,
        )
    return found, after is None


def run(database: Database, *, day: date | None = None, clock: Callable[[], datetime]) -> Expiry:
    """Expire in every program what its own date of now says, page by page, each in a transaction of its own.

    With ``day``, for that business date, where it has begun. Raises SomeFailed once all other programs were done.
    """
    found = Expiry()
    after: bytes | None = None
    with Round("expirations") as each:
        while True:
            with database.read() as db:
                some = programs.search(db, after=after, limit=_PROGRAMS_READ)
            for program in some:
                with each.turn(public_id("prg", program.id)):
                    today = programs.business_date(clock(), program)
                    if day is None or day <= today:
                        found = found.plus(_run_one(database, program, day or today, clock))
            if len(some) < _PROGRAMS_READ:
                return found
            after = some[-1].id


def _run_one(database: Database, program: Program, day: date, clock: Callable[[], datetime]) -> Expiry:
    found, after = Expiry(), b""
    while True:
        page = database.run(lambda db, after=after: expire(db, program, day, after=after, now=clock()))  # type: ignore[misc]
        found = found.plus(page.expiry)
        if page.last is None:
            return found
        after = page.last


def _write(
    db: Connection,
    rows: Sequence[dict[str, Any]],
    uses: Sequence[tuple[bytes, Sequence[Taken]]],
    posted: Sequence[Locked],
    now: datetime,
) -> None:
    if not rows:
        return
    bulk.insert(db, transfer, rows)
    for transfer_id, taken in uses:
        lots.note(db, posted[0].partner_id, transfer_id, taken)
    lots.reduce(db, [each for _, taken in uses for each in taken])
    for holder in posted:
        transfers.finish(db, holder, now=now)


def lapse(db: Connection, holder: Locked, lot_ids: Collection[bytes], *, now: datetime) -> None:
    """Take lots of a locked account out of the holds that cover them. The account's counters move along."""
    for hold_id in db.execute(_COVERING, {"lots": sorted(lot_ids)}).scalars().all():
        parts: list[Covered] = [
            each for each in holds.covered(db, hold_id) if each.lot_id in lot_ids and each.open_minor
        ]
        amount_minor = sum(each.open_minor for each in parts)
        holds.uncover(db, holder, holds.by_id(db, hold_id), parts, amount_minor, ended="lapsed", now=now)


_ACCOUNTS: Final = (
    select(account.c.id, account.c.owner_id)
    .where(
        account.c.program_id == bindparam("program_id"),
        account.c.kind == MEMBER,
        account.c.owner_id > bindparam("after"),
    )
    .order_by(account.c.owner_id)
    .limit(bindparam("accounts", type_=Integer()))
)
_DUE: Final = (
    select(
        lot.c.account_id, lot.c.id, lot.c.expires_on, lot.c.remaining_minor, lot.c.held_minor, account.c.overdrawn_minor
    )
    .join(account, account.c.id == lot.c.account_id)
    .where(
        lot.c.account_id.in_(bindparam("accounts", expanding=True)),
        lot.c.expires_on < bindparam("day"),
        lot.c.remaining_minor > 0,
    )
    .order_by(lot.c.account_id, lot.c.expires_on, lot.c.id)
)
_COVERING: Final = (
    select(hold_lot.c.hold_id)
    .distinct()
    .where(
        hold_lot.c.lot_id.in_(bindparam("lots", expanding=True)),
        hold_lot.c.amount_minor > hold_lot.c.captured_minor + hold_lot.c.released_minor,
    )
    .order_by(hold_lot.c.hold_id)
)


def _accounts(db: Connection, program_id: bytes, after: bytes) -> tuple[list[bytes], bytes | None]:
    given = {"program_id": program_id, "after": after, "accounts": _ACCOUNTS_READ}
    rows = db.execute(_ACCOUNTS, given).all()
    return [row.id for row in rows], rows[-1].owner_id if len(rows) == _ACCOUNTS_READ else None


def _due(db: Connection, ids: Sequence[bytes], day: date) -> list[_Due]:
    if not ids:
        return []
    return [_Due(*row) for row in db.execute(_DUE, {"accounts": ids, "day": day})]
