"""Why an entry of the ledger is there: who caused it, when, by which reference, and where it came from.

An accrual is explained by the rule that decided it (``points.earning.lineage``), and an expiry by the calendar; every
other entry by a row of its own, which this reads. Lots are explained by the entries that opened them.
"""

from collections.abc import Collection, Mapping
from datetime import date, datetime
from typing import Any, Final, NamedTuple

from sqlalchemy import ColumnElement, Select, Table, bindparam, func, null, select
from sqlalchemy.engine import Connection

from chalicelib.points.ledger.history import Entry
from chalicelib.points.models import books, terms
from chalicelib.points.models import ledger as tables
from chalicelib.records import dataclass
from chalicelib.storage import bulk


@dataclass(frozen=True, slots=True, kw_only=True)
class Cause:
    """What caused an entry. ``actor`` is None for what the schedule did by itself.

    ``decided_by`` is the second person; the row's place is None for what did not come with a file; ids are those of
    what it was about.
    """

    at: datetime
    actor: str | None
    correlation_id: str | None
    reference: str | None
    order_no: str | None
    reason: str | None
    decided_by: str | None
    hold_id: bytes | None
    tender_id: bytes | None
    redemption_id: bytes | None
    accrual_event_id: bytes | None
    source_file_id: bytes | None
    row_no: int | None
    byte_offset: int | None
    byte_length: int | None


class Origin(NamedTuple):
    """The entry that opened a lot: its kind, its source, and the day on which it was posted."""

    kind: str
    source_id: bytes
    business_date: date


class Placed(NamedTuple):
    """Who placed a hold."""

    actor: str
    correlation_id: str


def of(db: Connection, entry: Entry) -> Cause | None:
    """What caused an entry; None for an accrual and an expiry."""
    query = _QUERIES.get(entry.kind)
    if query is None:
        return None
    for cause in (query, _REGAINED):
        row = db.execute(cause, {"id": entry.source_id}).mappings().one_or_none()
        if row is not None:
            return Cause(**row)
    return None


def of_lots(db: Connection, lot_ids: Collection[bytes]) -> Mapping[bytes, Origin]:
    """The entries that opened these lots, by lot: a lot has the id of its entry."""
    found: dict[bytes, Origin] = {}
    for chunk in bulk.in_chunks(sorted(set(lot_ids))):
        for lot_id, *origin in db.execute(_OPENED, {"ids": chunk}):
            found[lot_id] = Origin(*origin)
    return found


def of_hold(db: Connection, hold_id: bytes) -> Placed:
    """Who placed a hold that exists."""
    return Placed(*db.execute(_PLACED, {"id": hold_id}).one())


def _query(table: Table, at: str, **columns: str | ColumnElement[Any]) -> Select[Any]:
    """Reads a Cause from a table: its columns of the same names, save those that ``columns`` says otherwise."""
    found: list[ColumnElement[Any]] = []
    for name in Cause.__slots__:
        said = columns.get(name, at if name == "at" else name)
        column = table.c.get(said) if isinstance(said, str) else said
        found.append((null() if column is None else column).label(name))
    return select(*found).where(table.c.id == bindparam("id"))


_ASKED: Final = {"actor": "author"}
_CLOSED_OUT: Final = _query(terms.close_out, "closed_at")
_ANNULLED: Final = _query(tables.annulment, "annulled_at")
_OF_YEAR: Final = _query(
    books.plan_year_member,
    "closed_at",
    reference="grant_event",
    actor=books.plan_year_close.c.actor,
    correlation_id=books.plan_year_close.c.correlation_id,
).select_from(
    books.plan_year_member.join(books.plan_year_close, books.plan_year_close.c.id == books.plan_year_member.c.close_id)
)
_TENDER_OF: Final = terms.tender.c.hold_id == tables.redemption.c.hold_id
_REDEEMED: Final = _query(tables.redemption, "redeemed_at", tender_id=terms.tender.c.id).select_from(
    tables.redemption.outerjoin(terms.tender, _TENDER_OF)
)
_REFUNDED: Final = _query(
    tables.refund,
    "refunded_at",
    order_no=tables.redemption.c.order_no,
    hold_id=tables.redemption.c.hold_id,
    tender_id=terms.tender.c.id,
).select_from(
    tables.refund.join(tables.redemption, tables.redemption.c.id == tables.refund.c.redemption_id).outerjoin(
        terms.tender, _TENDER_OF
    )
)
_LOST = tables.loss_recovery.c
#: What a reversal had given up and was taken after all has the reversal's kind, and a row of its own.
_REGAINED: Final = _query(
    tables.loss_recovery,
    "recovered_at",
    reason=func.coalesce(tables.reversal.c.reason, tables.annulment.c.reason),
    redemption_id=tables.refund.c.redemption_id,
    accrual_event_id=tables.reversal.c.accrual_event_id,
).select_from(
    tables.loss_recovery.outerjoin(tables.reversal, tables.reversal.c.id == _LOST.of_id)
    .outerjoin(tables.annulment, tables.annulment.c.id == _LOST.of_id)
    .outerjoin(tables.refund, tables.refund.c.id == _LOST.because_id)
)
_QUERIES: Final[Mapping[str, Select[Any]]] = {
    "opening": _query(tables.opening_balance, "recorded_at", reference="legacy_ref"),
    "redemption": _REDEEMED,
    "refund": _REFUNDED,
    "adjustment": _query(tables.adjustment, "created_at", reason="reason_code", **_ASKED),
    "reversal": _query(tables.reversal, "reversed_at", reference="event_id"),
    "increase": _query(terms.increase_request, "created_at", **_ASKED),
    "year_forfeit": _OF_YEAR,
    "carry_out": _OF_YEAR,
    "carry_in": _OF_YEAR,
    "forfeiture": _CLOSED_OUT,
    "pay_out": _CLOSED_OUT,
    "claw_back": _CLOSED_OUT,
    "opening_annulled": _ANNULLED,
    "adjustment_annulled": _ANNULLED,
}
#: The kinds of entries that have a cause of their own.
KINDS: Final = frozenset(_QUERIES)
_OPENED: Final = select(
    tables.transfer.c.id, tables.transfer.c.kind, tables.transfer.c.source_id, tables.transfer.c.business_date
).where(tables.transfer.c.id.in_(bindparam("ids", expanding=True)))
_PLACED: Final = select(tables.hold.c.actor, tables.hold.c.correlation_id).where(tables.hold.c.id == bindparam("id"))
