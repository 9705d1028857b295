"""Points that a reversal gave up as spent, and that are taken after all when what had been spent comes back.

Under the policy ``partial`` who spent the points of a wrong accrual keeps what they bought. When they bring it back,
they do not keep the points: had they not been spent, the reversal would have taken them. So what was spent before a
reversal and comes back after it makes up for what the reversal lost. Spent later, it was spent of other points.
"""

from collections.abc import Sequence
from datetime import date, datetime
from typing import Final, Literal, NamedTuple, TypeAlias

from sqlalchemy import ColumnElement, Table, bindparam, func, insert, literal, select, union_all
from sqlalchemy.engine import Connection

from chalicelib.access import audit
from chalicelib.access.caller import Caller
from chalicelib.points.ledger import lots, transfers
from chalicelib.points.ledger.accounts import Locked
from chalicelib.points.ledger.lots import OpenLot, Taken
from chalicelib.points.models.ledger import annulment, loss_recovery, lot_use, reversal
from chalicelib.records import dataclass
from chalicelib.storage.ids import new_id, public_id

Kind: TypeAlias = Literal["reversal", "opening_annulled", "adjustment_annulled"]


class Loss(NamedTuple):
    """What is still lost of one reversal or annulment of an account, in minor units."""

    kind: Kind
    id: bytes
    left_minor: int
    lost_at: datetime


@dataclass(frozen=True, slots=True)
class Because:
    """What brought spent points back: a refund, an annulment or a reversal; the business date, and who did it."""

    id: bytes
    day: date
    caller: Caller
    now: datetime


def of_account(db: Connection, account_id: bytes) -> list[Loss]:
    """What is still lost of a locked account's points, the oldest loss first."""
    return [Loss(row[0], row[1], int(row[2]), row[3]) for row in db.execute(_LOST, {"account_id": account_id})]


def regain(
    db: Connection,
    holder: Locked,
    lost: Sequence[Loss],
    back: Sequence[Taken],
    *,
    spent_at: datetime,
    because: Because,
) -> None:
    """Take from lots of a locked account, to which ``back`` just came, what was lost after it had been spent.

    Amounts of ``back`` are above zero. The caller finishes the account. Debts are repaid afterwards.
    """
    available: dict[bytes, int] = {}
    for each in back:
        available[each.lot_id] = available.get(each.lot_id, 0) + each.amount_minor
    for loss in lost:
        # Of the same moment: the account's row was locked, so one came after the other.
        if loss.lost_at < spent_at:
            continue
        left = [OpenLot(lot_id, date.max, amount_minor) for lot_id, amount_minor in available.items() if amount_minor]
        taken = lots.first(left, loss.left_minor)
        if not taken:
            return
        _post(db, holder, loss, taken, because)
        for each in taken:
            available[each.lot_id] -= each.amount_minor


def return_regained(db: Connection, holder: Locked, loss: Loss, because: Because) -> list[Taken]:
    """Give back what was regained of a loss that is none any more, to the lots that it was taken from; what came."""
    taken = [Taken(row[0], int(row[1])) for row in db.execute(_REGAINED, {"of_id": loss.id}) if row[1]]
    if taken:
        _post(db, holder, loss, [Taken(each.lot_id, -each.amount_minor) for each in taken], because)
    return taken


def _post(db: Connection, holder: Locked, loss: Loss, uses: Sequence[Taken], because: Because) -> None:
    amount = sum(each.amount_minor for each in uses)
    recovery_id, transfer_id = new_id(), new_id()
    db.execute(
        insert(loss_recovery),
        {
            "id": recovery_id,
            "partner_id": holder.partner_id,
            "program_id": holder.program_id,
            "account_id": holder.id,
            "kind": loss.kind,
            "of_id": loss.id,
            "because_id": because.id,
            "transfer_id": transfer_id,
            "amount_minor": amount,
            "business_date": because.day,
            "actor": because.caller.actor,
            "correlation_id": because.caller.correlation_id,
            "recovered_at": because.now,
        },
    )
    transfers.post(
        db,
        holder,
        -amount,
        kind=loss.kind,
        source_id=recovery_id,
        uses=uses,
        business_date=because.day,
        now=because.now,
        transfer_id=transfer_id,
    )
    audit.record(
        db,
        caller=because.caller,
        action="ledger.loss_recovered" if amount > 0 else "ledger.loss_returned",
        subject=public_id("rev" if loss.kind == "reversal" else "ann", loss.id),
        partner_id=holder.partner_id,
        after={"amount_minor": amount},
        now=because.now,
    )


_undoing = reversal.alias("undoing")


def _still_lost(of: Table) -> ColumnElement[int]:
    regained = select(func.coalesce(func.sum(loss_recovery.c.amount_minor), 0)).where(loss_recovery.c.of_id == of.c.id)
    left: ColumnElement[int] = of.c.lost_minor - regained.correlate(of).scalar_subquery()
    return left


_lost = union_all(
    select(
        literal("reversal").label("kind"),
        reversal.c.id.label("id"),
        _still_lost(reversal).label("left_minor"),
        reversal.c.reversed_at.label("lost_at"),
    )
    .outerjoin(_undoing, _undoing.c.undoes_id == reversal.c.id)
    .where(reversal.c.account_id == bindparam("account_id"), reversal.c.lost_minor > 0, _undoing.c.id.is_(None)),
    select(annulment.c.kind, annulment.c.id, _still_lost(annulment), annulment.c.annulled_at).where(
        annulment.c.account_id == bindparam("account_id"), annulment.c.lost_minor > 0
    ),
).subquery()
_LOST: Final = select(_lost).where(_lost.c.left_minor > 0).order_by(_lost.c.lost_at, _lost.c.id)
#: What was taken from which lots for one loss, less what was given back to them.
_REGAINED: Final = (
    select(lot_use.c.lot_id, func.sum(lot_use.c.amount_minor))
    .join(loss_recovery, loss_recovery.c.transfer_id == lot_use.c.transfer_id)
    .where(loss_recovery.c.of_id == bindparam("of_id"))
    .group_by(lot_use.c.lot_id)
    .order_by(lot_use.c.lot_id)
)
