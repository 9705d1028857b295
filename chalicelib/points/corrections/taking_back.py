"""What a file brought is taken back, a batch at a time: events, and corrections of others.

Of each record that is taken back the id is free again: the same content, or other, may be recorded anew. What the
program's policy refuses to take back stays as it is, and is told. A batch is part of its caller's transaction; given
the same records again it finds none of them left to take back.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import field
from datetime import datetime
from typing import Any, Final, NamedTuple

from sqlalchemy import BindParameter, bindparam, select, update
from sqlalchemy.engine import Connection

from chalicelib.access.caller import Caller
from chalicelib.partners import account_ids
from chalicelib.partners.programs import programs
from chalicelib.partners.programs.programs import Program
from chalicelib.partners.provenance import RowSource
from chalicelib.points.corrections import own_lots, reversals
from chalicelib.points.corrections.own_lots import Own
from chalicelib.points.corrections.reversals import PointsSpent, Reversal, Why
from chalicelib.points.deciding.events import CURRENT
from chalicelib.points.ledger import accounts, lots, policy, transfers
from chalicelib.points.ledger.accounts import Locked
from chalicelib.points.ledger.history import Event
from chalicelib.points.ledger.lots import Taken
from chalicelib.points.models.ledger import accrual_event, reversal, transfer
from chalicelib.records import dataclass
from chalicelib.storage import bulk
from chalicelib.storage.ids import new_id


@dataclass(slots=True)
class Sums:
    """Points of one program, in minor units: what the records had earned, and what became of it.

    ``refused_minor`` are points of records that stay as they are.
    """

    records: int = 0
    points_minor: int = 0
    recovered_minor: int = 0
    overdrawn_minor: int = 0
    lost_minor: int = 0
    expired_minor: int = 0
    refused_minor: int = 0


class Left(NamedTuple):
    """One record that stays as it is, or of whose points some stay; ``amount_minor`` of them."""

    kind: str
    id: bytes
    row_no: int | None
    code: str
    program_id: bytes | None = None
    amount_minor: int = 0
    #: The code of an entry of a code table, whose id is the table's.
    entry_code: str | None = None


@dataclass(slots=True)
class TakenBack:
    """What one batch came to: how many records were taken back, and which were left, whole or in part."""

    records: int = 0
    sums: dict[bytes, Sums] = field(default_factory=dict)
    left: list[Left] = field(default_factory=list)

    def of(self, program_id: bytes) -> Sums:
        """The sums of one program."""
        return self.sums.setdefault(program_id, Sums())

    def count(self, made: Reversal) -> None:
        """Count one reversal."""
        sums = self.of(made.program_id)
        sums.points_minor += made.amount_minor
        for name in ("recovered_minor", "overdrawn_minor", "lost_minor", "expired_minor"):
            setattr(sums, name, getattr(sums, name) + getattr(made, name))


@dataclass(slots=True)
class _Sheet:
    """Reversals whose own lots suffice: they touch nothing but these, and are written together."""

    transfers: list[dict[str, Any]] = field(default_factory=list)
    taken: list[Taken] = field(default_factory=list)
    reversals: list[dict[str, Any]] = field(default_factory=list)

    def write(self, db: Connection) -> None:
        """Write what is on the sheet, and clear it."""
        bulk.insert(db, transfer, self.transfers)
        for row, taken in zip(self.transfers, self.taken, strict=True):
            lots.note(db, row["partner_id"], row["id"], [taken])
        lots.reduce(db, self.taken)
        bulk.insert(db, reversal, self.reversals)
        self.transfers, self.taken, self.reversals = [], [], []


@dataclass(slots=True)
class _Batch:
    """One call: the locked accounts, the lots of the events, and what has come of it so far."""

    db: Connection
    of_program: Mapping[bytes, Program]
    held: dict[bytes, Locked]
    why: Why
    now: datetime
    owns: dict[bytes, Own] = field(default_factory=dict)
    found: TakenBack = field(default_factory=TakenBack)
    sheet: _Sheet = field(default_factory=_Sheet)
    #: Accounts of which more than an event's own lot was taken: what was read of their lots is not true any more.
    stirred: set[bytes] = field(default_factory=set)
    moved: set[bytes] = field(default_factory=set)

    def finish(self) -> None:
        """Write the accounts that were changed, and queue their balances for delivery."""
        for account_id in sorted(self.moved):
            transfers.finish(self.db, self.held[account_id], now=self.now)


def events(
    db: Connection, ids: Sequence[bytes], why: Why, *, of_program: Mapping[bytes, Program], now: datetime
) -> TakenBack:
    """Take back the events of these ids, at most ``bulk.CHUNK``, in the given order.

    Those that are taken back already are passed over. What the policy refuses is among ``left``.
    """
    owners = db.execute(_ACCOUNTS, {"ids": list(ids)}).scalars()
    batch = _Batch(db, of_program, {held.id: held for held in accounts.lock_existing(db, owners)}, why, now)
    # Read under the locks: somebody may have taken one back, or corrected it, since they were listed.
    known = {row.id: Event(*(*row, 0)) for row in db.execute(_EVENTS, {"ids": list(ids)})}
    wanted = [known[each] for each in ids if each in known]
    batch.owns = own_lots.of_events(db, [event.id for event in wanted])
    done = [event for event in wanted if _event(batch, event)]
    batch.sheet.write(db)
    _free_ids(db, [event.id for event in done])
    batch.found.records = len(done)
    batch.finish()
    return batch.found


def superseded(
    db: Connection,
    before: Mapping[bytes, int],
    why: Why,
    *,
    of_program: Mapping[bytes, Program],
    now: datetime,
) -> None:
    """Take back what is left of events that gave up their ids to others; ``before``: what was taken back of each.

    At most ``bulk.CHUNK``. Raises PointsSpent when the policy of a program refuses.
    """
    ids = sorted(before)
    owners = db.execute(_ACCOUNTS, {"ids": ids}).scalars()
    held = {each.id: each for each in accounts.lock_existing(db, owners)}
    for event_id, reversed_minor in before.items():
        # It counted as taken back while others were decided; now it is.
        db.execute(_COUNTED, {"of": event_id, "reversed": reversed_minor})
    moved = set()
    for row in db.execute(_SUPERSEDED, {"ids": ids}).all():
        event = Event(*(*row, 0))
        if event.points_minor > event.reversed_minor:
            left = event.points_minor - event.reversed_minor
            reversals.take(db, of_program[event.program_id], held[event.account_id], event, left, why, now=now)
            moved.add(event.account_id)
    for account_id in sorted(moved):
        transfers.finish(db, held[account_id], now=now)


def corrections(
    db: Connection, ids: Sequence[bytes], why: Why, *, of_program: Mapping[bytes, Program], now: datetime
) -> TakenBack:
    """Give back what the corrections of these ids took, at most ``bulk.CHUNK``, the latest first."""
    owners = db.execute(select(reversal.c.account_id).where(reversal.c.id.in_(list(ids)))).scalars()
    batch = _Batch(db, of_program, {held.id: held for held in accounts.lock_existing(db, owners)}, why, now)
    for wrong in reversals.of_corrections(db, list(ids)):
        program = of_program[wrong.program_id]
        made = reversals.give_back(db, program, batch.held[wrong.account_id], wrong, why, now=now)
        db.execute(_FREE_CORRECTION, {"of": [wrong.id]})
        batch.moved.add(wrong.account_id)
        batch.found.records += 1
        batch.found.of(wrong.program_id).records += 1
        batch.found.count(made)
    batch.finish()
    return batch.found


def _event(batch: _Batch, event: Event) -> bool:
    """Take one event back; False when its program refuses."""
    left = event.points_minor - event.reversed_minor
    sums = batch.found.of(event.program_id)
    if not left:
        sums.records += 1
        return True
    holder = batch.held[event.account_id]
    if event.account_id in batch.stirred:
        batch.sheet.write(batch.db)
        batch.owns[event.id] = own_lots.of_event(batch.db, event.id)
    own = batch.owns[event.id]
    due = left - own.expired_of(event.points_minor, left)
    batch.moved.add(holder.id)
    if due <= own.free_minor:
        made = _from_own_lot(batch, event, holder, own, left, due)
    else:
        batch.sheet.write(batch.db)
        batch.stirred.add(holder.id)
        program = batch.of_program[event.program_id]
        try:
            made = reversals.take(batch.db, program, holder, event, left, batch.why, own=own, now=batch.now)
        except PointsSpent as refusal:
            sums.refused_minor += left
            batch.found.left.append(Left("accrual", event.id, event.row_no, refusal.code, event.program_id, left))
            return False
        stays = made.lost_minor or made.overdrawn_minor
        if stays:
            code = "points_given_up" if made.lost_minor else "points_overdrawn"
            batch.found.left.append(Left("accrual", event.id, event.row_no, code, event.program_id, stays))
    sums.records += 1
    batch.found.count(made)
    return True


def _from_own_lot(batch: _Batch, event: Event, holder: Locked, own: Own, left: int, due: int) -> Reversal:
    """Put on the sheet what the event's own lot has."""
    program = batch.of_program[event.program_id]
    today = programs.business_date(batch.now, program)
    made = Reversal(
        id=new_id(),
        partner_id=event.partner_id,
        program_id=event.program_id,
        account_id=event.account_id,
        accrual_event_id=event.id,
        part=own.parts + 1,
        cause=batch.why.cause,
        undoes_id=None,
        transfer_id=new_id() if due else None,
        amount_minor=left,
        recovered_minor=due,
        overdrawn_minor=0,
        lost_minor=0,
        expired_minor=left - due,
        policy=policy.of(program).reversal,
        reason=batch.why.reason,
        business_date=today,
        reversed_at=batch.now,
    )
    if made.transfer_id is not None:
        house_id = account_ids.account_id(holder.program_id, transfers.HOUSE_OF["reversal"])
        batch.sheet.transfers.append(
            transfers.transfer_row(
                holder, made.transfer_id, house_id, -due, kind="reversal", source_id=made.id, day=today, now=batch.now
            )
        )
        holder.unearned_minor += due
        batch.sheet.taken.append(Taken(own.lot_id, due))
    batch.sheet.reversals.append(reversals.row_of(made, batch.why))
    return made


def _free_ids(db: Connection, ids: Iterable[bytes]) -> None:
    """Let the ids of these events, and of what corrected them, be used again."""
    for chunk in bulk.in_chunks(sorted(ids)):
        db.execute(_FREE_EVENTS, {"of": list(chunk)})
        db.execute(_FREE_CORRECTIONS_OF, {"of": list(chunk)})


def why_rolled_back(file_id: bytes, reason: str, caller: Caller) -> Why:
    """Why points of a file's records are taken back."""
    return Why("rollback", reason, caller, RowSource(file_id=file_id))


_ACCOUNTS: Final = select(accrual_event.c.account_id).where(accrual_event.c.id.in_(bindparam("ids", expanding=True)))
_SUPERSEDED: Final = select(*(accrual_event.c[name] for name in Event.__slots__ if name != "scale")).where(
    accrual_event.c.id.in_(bindparam("ids", expanding=True))
)
_EVENTS: Final = _SUPERSEDED.where(accrual_event.c.generation == CURRENT)
_COUNTED: Final = (
    update(accrual_event).where(accrual_event.c.id == bindparam("of")).values(reversed_minor=bindparam("reversed"))
)
_OF: Final[BindParameter[Any]] = bindparam("of", expanding=True)
_FREE_EVENTS: Final = (
    update(accrual_event)
    .where(accrual_event.c.id.in_(_OF))
    .values(generation=accrual_event.c.seq, reversed_minor=accrual_event.c.points_minor)
)
_FREE_CORRECTION: Final = update(reversal).where(reversal.c.id.in_(_OF)).values(generation=reversal.c.seq)
_FREE_CORRECTIONS_OF: Final = (
    update(reversal)
    .where(reversal.c.accrual_event_id.in_(_OF), reversal.c.event_id.is_not(None), reversal.c.generation == CURRENT)
    .values(generation=reversal.c.seq)
)
