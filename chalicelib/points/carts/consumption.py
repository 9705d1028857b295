"""How many pieces of each garment group a member has bought or holds, by the day on which that was.

Tenders tell: of a cart that is still held or was captured whole, every piece counts that was neither released nor came
back; of one whose hold ended otherwise, what was captured.
"""

from collections.abc import Collection, Mapping
from datetime import date, datetime
from typing import Final

from sqlalchemy import and_, bindparam, case, func, or_, select
from sqlalchemy.engine import Connection

from chalicelib.points.models.ledger import hold
from chalicelib.points.models.terms import tender, tender_line
from chalicelib.storage.tables import Microseconds


def pieces(
    db: Connection, account_ids: Collection[bytes], *, since: date, now: datetime
) -> Mapping[tuple[bytes, str], Mapping[date, int]]:
    """Pieces by (program id, garment group) and business date, from ``since`` on. One statement."""
    found: dict[tuple[bytes, str], dict[date, int]] = {}
    if not account_ids:
        return found
    asked = {"accounts": sorted(set(account_ids)), "since": since, "at": now}
    for program_id, group, day, number in db.execute(_PIECES, asked):
        found.setdefault((program_id, group), {})[day] = int(number)
    return found


def by_account(
    db: Connection, account_ids: Collection[bytes], *, since: date, now: datetime
) -> Mapping[tuple[bytes, str], Mapping[date, int]]:
    """The same for up to an IN list of accounts at once: pieces by (account id, garment group) and business date."""
    found: dict[tuple[bytes, str], dict[date, int]] = {}
    if account_ids:
        asked = {"accounts": sorted(set(account_ids)), "since": since, "at": now}
        for account_id, group, day, number in db.execute(_PIECES_BY_ACCOUNT, asked):
            found.setdefault((account_id, group), {})[day] = int(number)
    return found


_ALIVE: Final = and_(
    or_(tender.c.expires_at.is_(None), tender.c.expires_at > bindparam("at", type_=Microseconds())),
    or_(tender.c.hold_id.is_(None), hold.c.state.in_(("open", "captured"))),
)
_BOUGHT: Final = (
    case((_ALIVE, tender_line.c.quantity - tender_line.c.released), else_=tender_line.c.captured)
    - tender_line.c.refunded
)
_PIECES: Final = (
    select(tender.c.program_id, tender_line.c.garment_group, tender.c.business_date, func.sum(_BOUGHT))
    .join(tender_line, tender_line.c.tender_id == tender.c.id)
    .outerjoin(hold, hold.c.id == tender.c.hold_id)
    .where(
        tender.c.account_id.in_(bindparam("accounts", expanding=True)),
        tender.c.business_date >= bindparam("since"),
        tender_line.c.garment_group.is_not(None),
    )
    .group_by(tender.c.program_id, tender_line.c.garment_group, tender.c.business_date)
)

_PIECES_BY_ACCOUNT: Final = (
    select(tender.c.account_id, tender_line.c.garment_group, tender.c.business_date, func.sum(_BOUGHT))
    .join(tender_line, tender_line.c.tender_id == tender.c.id)
    .outerjoin(hold, hold.c.id == tender.c.hold_id)
    .where(
        tender.c.account_id.in_(bindparam("accounts", expanding=True)),
        tender.c.business_date >= bindparam("since"),
        tender_line.c.garment_group.is_not(None),
    )
    .group_by(tender.c.account_id, tender_line.c.garment_group, tender.c.business_date)
)
