"""What a file brought besides accruals is taken back, a batch at a time: balances brought over, and adjustments.

The opposite is posted, and the id is free: the same content, or other, may come anew. What was given is taken from its
own lot first, then from the member's other free points; what is spent is as the program corrects points
(``points.corrections.reversals``). What an adjustment took goes back to the lots it came from. An adjustment that waits
for a second person is withdrawn; one that was decided is annulled like the others, and the audit trail says who had
decided.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import field
from datetime import datetime
from typing import Any, Final, Literal, NamedTuple, TypeAlias

from sqlalchemy import Table, bindparam, case, literal, select, update
from sqlalchemy.engine import Connection

from chalicelib.access import audit
from chalicelib.partners.programs import programs
from chalicelib.partners.programs.programs import NEVER, Program
from chalicelib.points.corrections import asking, reversals
from chalicelib.points.corrections.adjustments import ADJUSTMENTS
from chalicelib.points.corrections.own_lots import Own
from chalicelib.points.corrections.reversals import PointsSpent, Why
from chalicelib.points.corrections.taking_back import Left, TakenBack
from chalicelib.points.deciding.events import CURRENT
from chalicelib.points.ledger import accounts, history, lapsing, losses, lots, overdrafts, policy, transfers
from chalicelib.points.ledger.accounts import Locked
from chalicelib.points.ledger.losses import Because
from chalicelib.points.ledger.lots import Taken
from chalicelib.points.ledger.transfers import NewLot
from chalicelib.points.models.ledger import adjustment, annulment, lot, opening_balance, transfer
from chalicelib.records import dataclass
from chalicelib.storage import bulk
from chalicelib.storage.ids import new_id, public_id

_Kind: TypeAlias = Literal["opening_annulled", "adjustment_annulled"]


class _Cause(NamedTuple):
    """A balance or adjustment that still holds its id.

    ``posted_minor`` is what was posted for it, below zero: taken; ``transfer_id`` None: nothing was.
    """

    id: bytes
    partner_id: bytes
    program_id: bytes
    account_id: bytes
    row_no: int | None
    posted_minor: int
    transfer_id: bytes | None
    state: str
    decided_by: str | None


class _Came(NamedTuple):
    """What became of the points of one cause, and the transfer that moved them."""

    transfer_id: bytes | None = None
    recovered_minor: int = 0
    overdrawn_minor: int = 0
    lost_minor: int = 0
    expired_minor: int = 0


@dataclass(slots=True)
class _Batch:
    """One call: the locked accounts, and what has come of it so far."""

    db: Connection
    kind: _Kind
    of_program: Mapping[bytes, Program]
    why: Why
    now: datetime
    held: dict[bytes, Locked]
    found: TakenBack = field(default_factory=TakenBack)
    moved: set[bytes] = field(default_factory=set)


def openings(
    db: Connection, ids: Sequence[bytes], why: Why, *, of_program: Mapping[bytes, Program], now: datetime
) -> TakenBack:
    """Take back the balances of these ids, at most ``bulk.CHUNK``, in the given order.

    Those that are taken back already are passed over. What the policy refuses is among ``left``.
    """
    owners = db.execute(_ACCOUNTS[opening_balance], {"ids": list(ids)}).scalars()
    held = {each.id: each for each in accounts.lock_existing(db, owners)}
    batch = _Batch(db, "opening_annulled", of_program, why, now, held)
    # Read under the locks: somebody may have taken one back since they were listed.
    causes = {row.id: _Cause(*row) for row in db.execute(_OPENINGS, {"ids": list(ids)})}
    done = [each for key in ids if (each := causes.get(key)) is not None and _annul(batch, "opening", each)]
    return _finished(batch, opening_balance, done)


def adjustments(
    db: Connection, ids: Sequence[bytes], why: Why, *, of_program: Mapping[bytes, Program], now: datetime
) -> TakenBack:
    """Take back the adjustments of these ids, at most ``bulk.CHUNK``, in the given order; withdraw those that wait.

    Those that are taken back already are passed over. What the policy refuses is among ``left``.
    """
    # Whoever decides about one locks it, then its account.
    db.execute(_LOCK_ADJUSTMENTS, {"ids": list(ids)}).all()
    owners = db.execute(_ACCOUNTS[adjustment], {"ids": list(ids)}).scalars()
    held = {each.id: each for each in accounts.lock_existing(db, owners)}
    batch = _Batch(db, "adjustment_annulled", of_program, why, now, held)
    causes = {row.id: _Cause(*row) for row in db.execute(_ADJUSTMENTS, {"ids": list(ids)})}
    done = [each for key in ids if (each := causes.get(key)) is not None and _annul(batch, "adjustment", each)]
    waiting = [each.id for each in done if each.state == "pending"]
    asking.withdraw(db, ADJUSTMENTS, waiting, now=now)
    for each in done:
        _note(batch, each)
    return _finished(batch, adjustment, done)


def own_lots(db: Connection, balance_ids: list[bytes]) -> dict[bytes, Own]:
    """The lots that balances gave, by balance; up to ``bulk.CHUNK`` of them."""
    rows = db.execute(_OWN_LOTS, {"ids": balance_ids}).all()
    lapsed = lapsing.lapsed(db, [row.lot_id for row in rows])
    return {row.id: Own(row.lot_id, int(row.free), lapsed[row.lot_id], 0, 0, 0) for row in rows}


def _finished(batch: _Batch, of: Table, done: Sequence[_Cause]) -> TakenBack:
    """Let the ids of what was taken back be used again, and write the accounts that were changed."""
    _free_ids(batch.db, of, [each.id for each in done])
    batch.found.records = len(done)
    for account_id in sorted(batch.moved):
        transfers.finish(batch.db, batch.held[account_id], now=batch.now)
    return batch.found


def _annul(batch: _Batch, called: str, cause: _Cause) -> bool:
    """Take one back; False when its program refuses."""
    program = batch.of_program[cause.program_id]
    sums = batch.found.of(cause.program_id)
    annulment_id = new_id()
    try:
        came = _Came() if cause.transfer_id is None else _moved(batch, program, cause, cause.transfer_id, annulment_id)
    except PointsSpent as refusal:
        sums.refused_minor += cause.posted_minor
        left = Left(called, cause.id, cause.row_no, refusal.code, cause.program_id, cause.posted_minor)
        batch.found.left.append(left)
        return False
    _keep(batch, program, cause, annulment_id, came)
    stays = came.lost_minor or came.overdrawn_minor
    if stays > 0:
        code = "points_given_up" if came.lost_minor else "points_overdrawn"
        batch.found.left.append(Left(called, cause.id, cause.row_no, code, cause.program_id, stays))
    sums.records += 1
    sums.points_minor += cause.posted_minor
    sums.recovered_minor += came.recovered_minor
    sums.overdrawn_minor += came.overdrawn_minor
    sums.lost_minor += came.lost_minor
    sums.expired_minor += came.expired_minor
    return True


def _moved(batch: _Batch, program: Program, cause: _Cause, transfer_id: bytes, annulment_id: bytes) -> _Came:
    """Post the opposite of what was posted. Raises PointsSpent by the program's policy; then nothing is written."""
    holder = batch.held[cause.account_id]
    today = programs.business_date(batch.now, program)
    if cause.posted_minor < 0:
        given = [Taken(use.lot_id, -use.amount_minor) for use in lots.used_by(batch.db, transfer_id)]
        back = _posted(batch, holder, annulment_id, program, -cause.posted_minor, given)
        given_up = losses.of_account(batch.db, holder.id)
        if given_up:
            taken_at = history.entry(batch.db, transfer_id).posted_at
            because = Because(annulment_id, today, batch.why.caller, batch.now)
            came = [Taken(each.lot_id, -each.amount_minor) for each in given]
            losses.regain(batch.db, holder, given_up, came, spent_at=taken_at, because=because)
        overdrafts.repay(batch.db, holder, day=today, now=batch.now)
        return _Came(back, recovered_minor=cause.posted_minor)
    free = int(batch.db.execute(_FREE_OF_LOT, {"id": transfer_id}).scalar_one())
    expired = lapsing.lapsed(batch.db, [transfer_id])[transfer_id]
    own = Own(transfer_id, free, expired, 0, 0, 0)
    due = cause.posted_minor - expired
    taken, owed, lost = reversals.collect(batch.db, program, holder, own, due, today)
    recovered = due - owed - lost
    posted: bytes | None = None
    if recovered + owed:
        opens = NewLot(-owed, NEVER) if owed else None
        posted = _posted(batch, holder, annulment_id, program, -(recovered + owed), taken, opens)
    return _Came(posted, recovered, owed, lost, expired)


def _posted(
    batch: _Batch,
    holder: Locked,
    annulment_id: bytes,
    program: Program,
    amount_minor: int,
    uses: Sequence[Taken],
    opens: NewLot | None = None,
) -> bytes:
    batch.moved.add(holder.id)
    return transfers.post(
        batch.db,
        holder,
        amount_minor,
        kind=batch.kind,
        source_id=annulment_id,
        uses=uses,
        opens=opens,
        business_date=programs.business_date(batch.now, program),
        now=batch.now,
    )


def _keep(batch: _Batch, program: Program, cause: _Cause, annulment_id: bytes, came: _Came) -> None:
    row: dict[str, Any] = {
        "id": annulment_id,
        "partner_id": cause.partner_id,
        "program_id": cause.program_id,
        "account_id": cause.account_id,
        "kind": batch.kind,
        "cause_id": cause.id,
        "amount_minor": cause.posted_minor,
        "policy": policy.of(program).reversal,
        "reason": batch.why.reason,
        "business_date": programs.business_date(batch.now, program),
        "source_file_id": batch.why.source.file_id,
        "actor": batch.why.caller.actor,
        "correlation_id": batch.why.caller.correlation_id,
        "annulled_at": batch.now,
    }
    bulk.insert(batch.db, annulment, [row | came._asdict()])


def _note(batch: _Batch, cause: _Cause) -> None:
    """Leave in the audit trail that an adjustment was taken back, and who had decided about it."""
    audit.record(
        batch.db,
        caller=batch.why.caller,
        action="adjustment.withdrawn" if cause.state == "pending" else "adjustment.annulled",
        subject=public_id("adj", cause.id),
        partner_id=cause.partner_id,
        before={"state": cause.state, "decided_by": cause.decided_by},
        after={"amount_minor": -cause.posted_minor},
        reason=batch.why.reason,
        now=batch.now,
    )


def _free_ids(db: Connection, of: Table, ids: Iterable[bytes]) -> None:
    for chunk in bulk.in_chunks(sorted(ids)):
        db.execute(_FREE[of], {"of": list(chunk)})


def _named(of: Table) -> Any:  # noqa: ANN401 - the condition that a statement is given its ids for
    return of.c.id.in_(bindparam("ids", expanding=True))


_ACCOUNTS: Final = {of: select(of.c.account_id).where(_named(of)) for of in (opening_balance, adjustment)}
_FREE: Final = {
    of: update(of).where(of.c.id.in_(bindparam("of", expanding=True))).values(generation=of.c.seq)
    for of in (opening_balance, adjustment)
}
_OPENINGS: Final = (
    select(
        opening_balance.c.id,
        opening_balance.c.partner_id,
        opening_balance.c.program_id,
        opening_balance.c.account_id,
        opening_balance.c.row_no,
        opening_balance.c.amount_minor,
        transfer.c.id.label("transfer_id"),
        literal("posted").label("state"),
        literal(None).label("decided_by"),
    )
    .select_from(opening_balance)
    .join(transfer, (transfer.c.source_id == opening_balance.c.id) & (transfer.c.kind == "opening"))
    .where(_named(opening_balance), opening_balance.c.generation == CURRENT)
)
_ADJUSTMENTS: Final = select(
    adjustment.c.id,
    adjustment.c.partner_id,
    adjustment.c.program_id,
    adjustment.c.account_id,
    adjustment.c.row_no,
    # Of one that waits, or was rejected, nothing was posted.
    case((adjustment.c.state == "posted", adjustment.c.amount_minor), else_=0),
    adjustment.c.transfer_id,
    adjustment.c.state,
    adjustment.c.decided_by,
).where(_named(adjustment), adjustment.c.generation == CURRENT)
_LOCK_ADJUSTMENTS: Final = select(adjustment.c.id).where(_named(adjustment)).order_by(adjustment.c.id).with_for_update()
_FREE_OF_LOT: Final = select(lot.c.remaining_minor - lot.c.held_minor).where(lot.c.id == bindparam("id"))
_OWN_LOTS: Final = (
    select(
        opening_balance.c.id,
        lot.c.id.label("lot_id"),
        (lot.c.remaining_minor - lot.c.held_minor).label("free"),
    )
    .select_from(opening_balance)
    .join(transfer, (transfer.c.source_id == opening_balance.c.id) & (transfer.c.kind == "opening"))
    .join(lot, lot.c.id == transfer.c.id)
    .where(_named(opening_balance))
)
