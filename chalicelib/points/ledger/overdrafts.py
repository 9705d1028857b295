"""Overdrafts: what a reversal took that was not there any more, and how later points repay it.

An overdraft is a lot of amount 0 whose remaining is below zero, so an account's lots still add up to its balance. To
repay moves points from lots that have some to the overdraft's; it is no transfer, since the balance stays what it was.
A repayment is dated, so that what each lot held at a past moment can be told.
"""

from datetime import date, datetime

from sqlalchemy import bindparam, insert, select, update
from sqlalchemy.engine import Connection

from chalicelib.errors import Broken
from chalicelib.points.ledger import lots
from chalicelib.points.ledger.accounts import Locked
from chalicelib.points.ledger.lots import OpenLot, Taken
from chalicelib.points.models.books import overdraft_repayment
from chalicelib.points.models.ledger import account, lot
from chalicelib.storage.ids import new_id

_OWED = (
    select(lot.c.id, lot.c.expires_on, -lot.c.remaining_minor)
    .where(lot.c.account_id == bindparam("account_id"), lot.c.remaining_minor < 0)
    .order_by(lot.c.id)
)
_REPAID = insert(overdraft_repayment)
_WRITE = update(account).where(account.c.id == bindparam("of")).values(overdrawn_minor=bindparam("overdrawn"))


def repay(db: Connection, holder: Locked, *, day: date, expired_too: bool = False, now: datetime) -> int:
    """Repay what the locked account owes from its free, unexpired lots as far as they go; minor units repaid.

    Call it once points have come; the oldest overdraft is repaid first, from the lots that expire first. ``day`` is the
    business date; ``expired_too``: also from lots whose last day is over.
    """
    owed = holder.overdrawn_minor
    if not owed:
        return 0
    taken = lots.first(lots.free(db, holder.id, date.min if expired_too else day, needed_minor=owed), owed)
    repaid = sum(each.amount_minor for each in taken)
    if not repaid:
        return 0
    overdrawn = [OpenLot(*row) for row in db.execute(_OWED, {"account_id": holder.id})]
    returned = [Taken(lot_id, -amount) for lot_id, amount in lots.first(overdrawn, repaid)]
    if sum(each.amount_minor for each in returned) != -repaid:
        raise Broken("An account owes more than its overdrafts say.")
    repayment_id = new_id()
    row = {"id": repayment_id, "partner_id": holder.partner_id, "account_id": holder.id}
    db.execute(_REPAID, row | {"amount_minor": repaid, "business_date": day, "repaid_at": now})
    lots.note(db, holder.partner_id, repayment_id, [*taken, *returned])
    lots.reduce(db, [*taken, *returned])
    holder.overdrawn_minor -= repaid
    db.execute(_WRITE, {"of": holder.id, "overdrawn": holder.overdrawn_minor})
    return repaid
