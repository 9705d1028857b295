"""What taking a large file back would come to, read and not tried: nothing is written, and no account is locked.

Points of one account never depend on another's. So the records of a few hundred accounts at a time are gone through in
the order of the real run, and what is taken from which lot is only reckoned, by the same policy
(``points.corrections.reversals.take``). Memory holds the ids of the accounts, and the records of so many.
"""

import json
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, field, replace
from datetime import datetime
from typing import Final, NamedTuple

from sqlalchemy import bindparam, select
from sqlalchemy.engine import Connection

from chalicelib.documents.kinds import KINDS
from chalicelib.errors import Unprocessable
from chalicelib.files.register.register import InboundFile
from chalicelib.files.register.rollbacks import Kept, Rollback
from chalicelib.files.rollback import effects
from chalicelib.files.rollback import withdrawing as said
from chalicelib.files.rollback.slices import returned_rows
from chalicelib.partners.members import withdrawing
from chalicelib.partners.programs import programs
from chalicelib.points.corrections import annulling, own_lots
from chalicelib.points.corrections.own_lots import Own
from chalicelib.points.corrections.taking_back import Left, TakenBack
from chalicelib.points.deciding.events import CURRENT
from chalicelib.points.ledger import known_members, lots, policy
from chalicelib.points.models.ledger import account, accrual_event, opening_balance
from chalicelib.records import dataclass
from chalicelib.storage import bulk

#: Rows of a file that are gone through while somebody waits for the answer.
ROWS_MAX: Final = 200_000
_ACCOUNTS_READ: Final = 200
_MEMBERS_READ: Final = 400
#: More than any account has.
_ALL_MINOR: Final = 10**30


class _Record(NamedTuple):
    """One event or balance: what it gave, and what of that was taken back before. ``place``: the latest goes first."""

    place: tuple[int, int]
    id: bytes
    row_no: int | None
    program_id: bytes
    account_id: bytes
    points_minor: int
    reversed_minor: int


@dataclass(slots=True)
class _Account:
    """What an account has: its unexpired lots with what is free in them, first expiring first, and what it owes."""

    overdrawn_minor: int
    free: dict[bytes, int] = field(default_factory=dict)
    #: Lots whose last day is over, with what is free in them: only their own record's points are taken from them.
    own: dict[bytes, int] = field(default_factory=dict)
    #: What holds have that could be taken for the record of a lot.
    held: dict[bytes, int] = field(default_factory=dict)

    def taken(self, own: Own, due_minor: int) -> dict[bytes, int]:
        """What an amount due would be taken from, as far as the account has it."""
        of_own = min(due_minor, self.own.setdefault(own.lot_id, self.free.get(own.lot_id, own.free_minor)))
        found = {own.lot_id: of_own}
        others = {lot_id: amount for lot_id, amount in self.free.items() if lot_id != own.lot_id}
        # What is owed is to be repaid from these.
        missing = min(due_minor - of_own, max(0, sum(others.values()) - self.overdrawn_minor))
        for lot_id, amount in others.items():
            found[lot_id] = min(missing, amount)
            missing -= found[lot_id]
        return found

    def take(self, taken: Mapping[bytes, int]) -> None:
        """Reckon that it was taken."""
        for lot_id, amount in taken.items():
            for known in (self.free, self.own):
                if lot_id in known:
                    known[lot_id] -= amount


def of(db: Connection, file: InboundFile, run: Rollback, *, listed: int, now: datetime) -> tuple[Rollback, list[Kept]]:
    """What ``run`` would come to, and the first ``listed`` things that would have to stay.

    Raises Unprocessable (``too_large_to_try``) for files that cannot be gone through so: of more than ``ROWS_MAX``
    rows, of adjustments, and of accruals with corrections of other events.
    """
    reckon = _BY_ENTITY.get(file.entity or "")
    if reckon is None or (file.rows_total or 0) > ROWS_MAX or effects.has_corrections(db, file.id):
        message = "What taking this file back would come to is only known once it is done: it is too large."
        raise Unprocessable(message, code="too_large_to_try")
    found = TakenBack()
    stays: list[Kept] = []
    left_over = 0
    for part in reckon(db, file, now):
        _add(found, part)
        for each in part.left:
            left_over += 1
            if left_over <= listed:
                stays.append(
                    Kept(
                        left_over, each.kind, each.id, None, each.row_no, each.code, each.program_id, each.amount_minor
                    )
                )
    points = json.dumps({key.hex(): asdict(sums) for key, sums in sorted(found.sums.items())})
    return replace(run, undone=found.records, left_over=left_over, points=points), stays


def _add(found: TakenBack, part: TakenBack) -> None:
    found.records += part.records
    for program_id, more in part.sums.items():
        sums = found.of(program_id)
        for name, value in asdict(more).items():
            setattr(sums, name, getattr(sums, name) + value)


def _accruals(db: Connection, file: InboundFile, now: datetime) -> Iterator[TakenBack]:
    later = effects.mended_events(db, file.id)
    # The events of rows that came back in other files, by their accounts.
    elsewhere: defaultdict[bytes, list[bytes]] = defaultdict(list)
    for chunk in bulk.in_chunks(sorted(later)):
        for row in db.execute(_OWNERS_OF, {"ids": chunk}):
            elsewhere[row.account_id].append(row.id)
    owners = set(db.execute(_OWNERS[accrual_event], {"file_id": file.id}).scalars()) | elsewhere.keys()
    for accounts in bulk.in_chunks(sorted(owners), _ACCOUNTS_READ):
        rows = list(db.execute(_EVENTS, {"file_id": file.id, "accounts": accounts}))
        ids = sorted(event_id for account_id in accounts for event_id in elsewhere.get(account_id, ()))
        for chunk in bulk.in_chunks(ids):
            rows += db.execute(_EVENTS_OF, {"ids": chunk})
        records = {
            # Those that were accepted after the others go first.
            row.id: _Record((1, row.seq) if row.id in later else (0, row.row_no), *row[1:])
            for row in rows
        }
        yield _reckoned(db, "accrual", list(records.values()), own_lots.of_events, now)


def _openings(db: Connection, file: InboundFile, now: datetime) -> Iterator[TakenBack]:
    others = returned_rows(db, file.id)
    files = {file.id: None, **others}
    owners: set[bytes] = set()
    for file_id in files:
        owners |= set(db.execute(_OWNERS[opening_balance], {"file_id": file_id}).scalars())
    for accounts in bulk.in_chunks(sorted(owners), _ACCOUNTS_READ):
        records = [
            _Record((0, row.seq), *row[1:], 0)
            for file_id, numbers in files.items()
            for row in db.execute(_OPENINGS, {"file_id": file_id, "accounts": accounts})
            if numbers is None or row.row_no in numbers
        ]
        yield _reckoned(db, "opening", records, annulling.own_lots, now)


def _members(db: Connection, file: InboundFile, now: datetime) -> Iterator[TakenBack]:
    del now  # what was said of members has its own days
    after = b""
    while ids := withdrawing.members_of(db, file.id, after=after, limit=_MEMBERS_READ):
        told = withdrawing.foresee(db, file.partner_id, file.id, ids, used=known_members.among)
        left = [
            Left("member", each.member_id, None, f"member_{each.outcome}")
            for each in told
            if each.outcome in effects.STAY
        ]
        yield TakenBack(len(told) - len(left), {}, left)
        after = ids[-1]


def _reckoned(
    db: Connection,
    called: str,
    records: Sequence[_Record],
    lots_of: Callable[[Connection, list[bytes]], dict[bytes, Own]],
    now: datetime,
) -> TakenBack:
    """What becomes of the records of some accounts."""
    found = TakenBack()
    by_account: defaultdict[bytes, list[_Record]] = defaultdict(list)
    for record in records:
        by_account[record.account_id].append(record)
    owns: dict[bytes, Own] = {}
    for chunk in bulk.in_chunks(sorted(record.id for record in records)):
        owns |= lots_of(db, list(chunk))
    of_program = programs.by_ids(db, {record.program_id for record in records})
    owed = {
        row.id: row.overdrawn_minor
        for chunk in bulk.in_chunks(sorted(by_account))
        for row in db.execute(_OWED, {"ids": chunk})
    }
    for account_id, own_records in sorted(by_account.items()):
        program = of_program[own_records[0].program_id]
        holder = _Account(owed.get(account_id, 0))
        if any(_due(record, owns[record.id]) > owns[record.id].free_minor for record in own_records):
            # Read only where a record's own lot does not suffice, which is rare.
            today = programs.business_date(now, program)
            free = lots.free(db, account_id, today, needed_minor=_ALL_MINOR)
            holder.free = {each.id: each.free_minor for each in free}
            holder.held = {
                owns[record.id].lot_id: own_lots.held_minor(db, account_id, owns[record.id].lot_id, today)
                for record in own_records
            }
        chosen = policy.of(program).reversal
        for record in sorted(own_records, reverse=True):
            _reckon(found, called, holder, record, owns[record.id], chosen)
    return found


def _due(record: _Record, own: Own) -> int:
    left = record.points_minor - record.reversed_minor
    return left - own.expired_of(record.points_minor, left) if left else 0


def _reckon(
    found: TakenBack, called: str, holder: _Account, record: _Record, own: Own, chosen: policy.Reversal
) -> None:
    sums = found.of(record.program_id)
    left = record.points_minor - record.reversed_minor
    due = _due(record, own)
    taken = holder.taken(own, due) if due else {}
    recovered = sum(taken.values())
    missing = due - recovered
    held = missing and chosen == "partial" and holder.held.get(own.lot_id)
    if held or (missing and chosen == "refuse"):
        sums.refused_minor += left
        code = "points_held" if held else "points_spent"
        found.left.append(Left(called, record.id, record.row_no, code, record.program_id, left))
        return
    holder.take(taken)
    owed = missing if chosen == "overdraft" else 0
    holder.overdrawn_minor += owed
    if missing:
        code = "points_overdrawn" if owed else "points_given_up"
        found.left.append(Left(called, record.id, record.row_no, code, record.program_id, missing))
    found.records += 1
    sums.records += 1
    sums.points_minor += left
    sums.recovered_minor += recovered
    sums.overdrawn_minor += owed
    sums.lost_minor += missing - owed
    sums.expired_minor += left - due


_EVENT = accrual_event.c
_BALANCE = opening_balance.c
_RECORD: Final = (
    _EVENT.id, _EVENT.row_no, _EVENT.program_id, _EVENT.account_id, _EVENT.points_minor, _EVENT.reversed_minor,
)  # fmt: skip
_HOLDING: Final = select(_EVENT.seq, *_RECORD).where(_EVENT.generation == CURRENT)
_EVENTS: Final = _HOLDING.where(
    _EVENT.account_id.in_(bindparam("accounts", expanding=True)), _EVENT.source_file_id == bindparam("file_id")
)
_EVENTS_OF: Final = _HOLDING.where(_EVENT.id.in_(bindparam("ids", expanding=True)))
_OWNERS: Final = {
    of_table: select(of_table.c.account_id)
    .distinct()
    .where(of_table.c.source_file_id == bindparam("file_id"), of_table.c.generation == CURRENT)
    for of_table in (accrual_event, opening_balance)
}
_OWNERS_OF: Final = select(_EVENT.id, _EVENT.account_id).where(_EVENT.id.in_(bindparam("ids", expanding=True)))
_OPENINGS: Final = select(
    _BALANCE.seq, _BALANCE.id, _BALANCE.row_no, _BALANCE.program_id, _BALANCE.account_id, _BALANCE.amount_minor
).where(
    _BALANCE.account_id.in_(bindparam("accounts", expanding=True)),
    _BALANCE.generation == CURRENT,
    _BALANCE.source_file_id == bindparam("file_id"),
)
_OWED: Final = select(account.c.id, account.c.overdrawn_minor).where(account.c.id.in_(bindparam("ids", expanding=True)))
_BY_ENTITY: Final[Mapping[str, Callable[[Connection, InboundFile, datetime], Iterator[TakenBack]]]] = {
    "accrual": _accruals,
    "opening_balance": _openings,
    "roster": _members,
    **dict.fromkeys(said.WORDS, said.foresee_words),
    **dict.fromkeys(KINDS, said.foresee_documents),
}
