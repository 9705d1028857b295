"""What has lapsed of lots: in themselves, and wherever their points went without being spent.

Points leave a lot for another one when they are carried over, when they come back with a later last day, and when a
wrong reversal is given back after its debt was repaid. Such a lot stands on those that it came from, in the order of
their last days: what was spent of it was theirs that would have lapsed first, and what lapsed of it was the others'.
"""

from collections import defaultdict
from collections.abc import Collection, Iterator, Sequence
from typing import Final, NamedTuple, TypeAlias

from sqlalchemy import bindparam, func, select
from sqlalchemy.engine import Connection

from chalicelib.errors import Broken
from chalicelib.points.ledger import laying, lots, transfers
from chalicelib.points.ledger.laying import Laid
from chalicelib.points.ledger.lots import Use
from chalicelib.points.models.ledger import (
    lot,
    lot_use,
    redemption,
    redemption_line,
    refund,
    refund_line,
    reversal,
    transfer,
)
from chalicelib.storage import bulk

#: How often the same points may have moved on.
_MOVES_MAX: Final = 1_000


class _Origin(NamedTuple):
    """A part of a lot that came from another one."""

    lot_id: bytes
    amount_minor: int


#: By lot: what it came from, in its order.
_Origins: TypeAlias = dict[bytes, list[_Origin]]


def lapsed(db: Connection, lot_ids: Collection[bytes]) -> dict[bytes, int]:
    """How much of what these lots were opened with has lapsed, here or in lots that came from them; minor units.

    Their accounts are locked, or what is read is of the moment of the reading.
    """
    levels: list[_Origins] = []
    known: set[bytes] = set(lot_ids)
    frontier = set(lot_ids)
    for _ in range(_MOVES_MAX):
        found = _descended(db, frontier)
        if not found:
            break
        levels.append(found)
        frontier = found.keys() - known
        known |= frontier
    else:
        raise Broken(f"Points moved on more than {_MOVES_MAX} times.")
    total = defaultdict(int, _directly(db, known))
    descended = {child: origins for level in levels for child, origins in level.items()}
    # A lot's own sum is whole before it is shared out.
    for child in _youngest_first(descended):
        _share(total, descended[child], total[child])
    return {lot_id: total[lot_id] for lot_id in lot_ids}


def _share(total: dict[bytes, int], origins: Sequence[_Origin], lapsed_minor: int) -> None:
    """Add to each origin what has lapsed of its part: the last ones' first."""
    left = lapsed_minor
    for origin in reversed(origins):
        part = min(left, origin.amount_minor)
        total[origin.lot_id] += part
        left -= part


def _youngest_first(descended: _Origins) -> Iterator[bytes]:
    """The lots so that each comes before those that it came from."""
    waiting = dict.fromkeys(descended, 0)
    for origins in descended.values():
        for parent in {origin.lot_id for origin in origins} & waiting.keys():
            waiting[parent] += 1
    ready = [child for child, others in waiting.items() if not others]
    while ready:
        child = ready.pop()
        yield child
        for parent in {origin.lot_id for origin in descended[child]} & waiting.keys():
            waiting[parent] -= 1
            if not waiting[parent]:
                ready.append(parent)


def _directly(db: Connection, lot_ids: Collection[bytes]) -> dict[bytes, int]:
    found: dict[bytes, int] = {}
    for chunk in bulk.in_chunks(sorted(lot_ids)):
        found |= {row[0]: int(row[1]) for row in db.execute(_LAPSED, {"lots": list(chunk)})}
    return found


def _descended(db: Connection, lot_ids: Collection[bytes]) -> _Origins:
    """Every lot that some of these are an origin of, with all of its origins."""
    found: _Origins = {}
    for chunk in bulk.in_chunks(sorted(lot_ids)):
        given = {"lots": list(chunk)}
        carried: defaultdict[bytes, list[_Origin]] = defaultdict(list)
        moved = list(db.execute(_CARRIED, given).scalars())
        for some in bulk.in_chunks(moved):
            for row in db.execute(_CARRIED_FROM, {"ids": list(some)}):
                carried[row[0]].append(_Origin(row[1], row[2]))
        found |= carried
        for row in db.execute(_GIVEN_BACK, given):
            found[row[0]] = [_Origin(row[1], row[2])]
        for redemption_id in db.execute(_GRACED, given).scalars():
            found |= _returned(db, redemption_id)
    return found


def _returned(db: Connection, redemption_id: bytes) -> _Origins:
    """The lots that refunds of a redemption opened: one after the other, as they were reckoned when they were made."""
    given = {"redemption_id": redemption_id}
    uses = lots.used_by(db, redemption_id, _USED)
    lines = {row.line_no: Laid(row.line_no, row.amount_minor, 0) for row in db.execute(_LINES, given)}
    found: _Origins = {}
    parts: dict[bytes, dict[int, int]] = {}
    opened = {}
    for row in db.execute(_REFUNDS, given):
        parts.setdefault(row.transfer_id, {})[row.line_no] = row.amount_minor
        opened[row.transfer_id] = row.kept_until
    for transfer_id, returned in parts.items():
        back: list[Use] = laying.returning(list(lines.values()), uses, returned)
        kept_until = opened[transfer_id]
        if kept_until is not None:
            found[transfer_id] = [_Origin(use.lot_id, use.amount_minor) for use in back if use.expires_on < kept_until]
        for line_no, amount_minor in returned.items():
            line = lines[line_no]
            lines[line_no] = line._replace(refunded_minor=line.refunded_minor + amount_minor)
    return found


_SEEN: Final = lot_use.c.lot_id.in_(bindparam("lots", expanding=True))
_LAPSED: Final = (
    select(lot_use.c.lot_id, func.sum(lot_use.c.amount_minor))
    .join(transfer, transfer.c.id == lot_use.c.transfer_id)
    .where(_SEEN, transfer.c.kind.in_(sorted(transfers.LAPSED)))
    .group_by(lot_use.c.lot_id)
)
_out, _in = transfer.alias("carried_out"), transfer.alias("carried_in")
#: What carried points of these lots over.
_CARRIED: Final = (
    select(_out.c.id)
    .distinct()
    .join(lot_use, lot_use.c.transfer_id == _out.c.id)
    .where(_SEEN, _out.c.kind == "carry_out")
)
_CARRIED_FROM: Final = (
    select(_in.c.id, lot_use.c.lot_id, lot_use.c.amount_minor)
    .select_from(_out)
    .join(_in, (_in.c.source_id == _out.c.source_id) & (_in.c.kind == "carry_in"))
    .join(lot_use, lot_use.c.transfer_id == _out.c.id)
    .join(lot, lot.c.id == lot_use.c.lot_id)
    .where(_out.c.id.in_(bindparam("ids", expanding=True)))
    .order_by(_in.c.id, lot.c.expires_on, lot.c.id)
)
#: Lots that giving back a reversal opened, and the accrual's own.
_GIVEN_BACK: Final = (
    select(lot.c.id, transfer.c.id, lot.c.amount_minor)
    .select_from(transfer)
    .join(reversal, reversal.c.accrual_event_id == transfer.c.source_id)
    .join(lot, lot.c.id == reversal.c.transfer_id)
    .where(
        transfer.c.id.in_(bindparam("lots", expanding=True)),
        transfer.c.kind == "accrual",
        reversal.c.undoes_id.is_not(None),
        lot.c.amount_minor > 0,
    )
)
#: Redemptions that took from these lots, and of which something came back with a later last day.
_GRACED: Final = (
    select(redemption.c.id)
    .distinct()
    .join(lot_use, lot_use.c.transfer_id == redemption.c.transfer_id)
    .join(refund, refund.c.redemption_id == redemption.c.id)
    .join(lot, lot.c.id == refund.c.transfer_id)
    .where(_SEEN)
)
_USED: Final = lots.uses_of(
    select(redemption.c.transfer_id).where(redemption.c.id == bindparam("transfer_id")).scalar_subquery()
)
_LINES: Final = (
    select(redemption_line.c.line_no, redemption_line.c.amount_minor)
    .where(redemption_line.c.redemption_id == bindparam("redemption_id"))
    .order_by(redemption_line.c.line_no)
)
_REFUNDS: Final = (
    select(
        refund.c.transfer_id, refund_line.c.line_no, refund_line.c.amount_minor, lot.c.expires_on.label("kept_until")
    )
    .select_from(refund)
    .join(refund_line, refund_line.c.refund_id == refund.c.id)
    .join(transfer, transfer.c.id == refund.c.transfer_id)
    .outerjoin(lot, lot.c.id == refund.c.transfer_id)
    .where(refund.c.redemption_id == bindparam("redemption_id"))
    .order_by(transfer.c.entry_no, refund_line.c.line_no)
)
