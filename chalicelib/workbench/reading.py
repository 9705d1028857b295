"""What a back-test reads: accounts by id, and the events of some accounts in the order in which they were decided.

Nothing is written here, and nothing could be: the transaction is read-only.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import date, datetime
from decimal import Decimal
from itertools import groupby
from typing import Any, Final, NamedTuple

from sqlalchemy import ColumnElement, Select, and_, case, func, literal, null, select
from sqlalchemy.engine import Connection

from chalicelib.partners.account_ids import MEMBER
from chalicelib.points.deciding import aggregates
from chalicelib.points.deciding.aggregates import Span
from chalicelib.points.deciding.redeciding import Kept
from chalicelib.points.models.ledger import account, accrual_event
from chalicelib.records import dataclass
from chalicelib.storage import bulk
from chalicelib.storage.engine import Database, is_mysql
from chalicelib.workbench import request_order
from chalicelib.workbench.backtests import Backtest
from chalicelib.workbench.models import backtest_row

#: Accounts that are listed at once: their ids stay in memory.
ACCOUNTS_PAGE: Final = 20_000
_EVENT = accrual_event.c
_ZERO: Final = Decimal(0)


class Past(NamedTuple):
    """One stored event. One that is not ``selected`` only adds to the sums of its period.

    ``facts`` is None where nobody asks for them; so is ``received_at`` where the order does not matter.
    """

    seq: int
    id: bytes
    account_id: bytes
    member_id: bytes
    program_id: bytes
    event_id: str
    event_type: str
    event_date: date
    points_minor: int
    version_id: bytes
    content_hash: bytes
    source_file_id: bytes | None
    row_no: int | None
    received_at: datetime | None
    selected: int
    facts: str | None


@dataclass(frozen=True, slots=True)
class Counted:
    """How many events are selected, and on which days the first and the last of them fall."""

    events: int
    first_day: date | None
    last_day: date | None


@contextmanager
def looking(database: Database) -> Iterator[Connection]:
    """A transaction in which the database itself refuses to write."""
    with database.read() as db:
        if is_mysql(db):
            db.exec_driver_sql("SET TRANSACTION READ ONLY")
            yield db
            return
        db.exec_driver_sql("PRAGMA query_only = ON")
        try:
            yield db
        finally:
            # The pool keeps the connection for writers too, unless it is broken.
            if not db.invalidated:
                db.exec_driver_sql("PRAGMA query_only = OFF")


def count(db: Connection, asked: Backtest) -> Counted:
    """The size of the selection; it reads every selected event once."""
    of_programs = _EVENT.program_id.in_(asked.selected.program_ids)
    query = select(func.count(), func.min(_EVENT.event_date), func.max(_EVENT.event_date)).where(
        _EVENT.partner_id == asked.partner_id, of_programs, _selected(asked)
    )
    events, first_day, last_day = db.execute(query).one()
    return Counted(events, first_day, last_day)


def accounts_after(db: Connection, asked: Backtest, after: bytes) -> list[bytes]:
    """The next page of accounts, by id, that may have something selected; empty at the end."""
    if not asked.selected.file_ids:
        query = (
            select(account.c.id)
            .where(account.c.program_id.in_(asked.selected.program_ids), account.c.kind == MEMBER, account.c.id > after)
            .order_by(account.c.id)
            .limit(ACCOUNTS_PAGE)
        )
        return list(db.execute(query).scalars())
    of_events = (
        select(_EVENT.account_id)
        .where(_EVENT.program_id.in_(asked.selected.program_ids), _selected(asked), _EVENT.account_id > after)
        .group_by(_EVENT.account_id)
        .order_by(_EVENT.account_id)
        .limit(ACCOUNTS_PAGE)
    )
    of_rows = (
        select(backtest_row.c.account_id)
        .where(backtest_row.c.backtest_id == asked.id, backtest_row.c.account_id > after)
        .group_by(backtest_row.c.account_id)
        .order_by(backtest_row.c.account_id)
        .limit(ACCOUNTS_PAGE)
    )
    found = {*db.execute(of_events).scalars(), *db.execute(of_rows).scalars()}
    return sorted(found)[:ACCOUNTS_PAGE]


def events_of(
    db: Connection, asked: Backtest, account_ids: Sequence[bytes], *, periods: Sequence[Span]
) -> dict[bytes, list[Past]]:
    """The selected events of these accounts, by account and in the order in which they were decided.

    Where the draft sums ``periods``, the other events of the periods that are touched are among them.
    """
    query = _events(asked, periods)
    found: dict[bytes, list[Past]] = {}
    for chunk in bulk.in_chunks(account_ids):
        for row in db.execute(query.where(_EVENT.account_id.in_(chunk))):
            past = Past._make(row)
            known = found.get(past.account_id)
            if known is None:
                found[past.account_id] = [past]
            else:
                known.append(past)
    for pasts in found.values():
        pasts.sort()
    if periods:
        longest = min((span.kind for span in periods), key=lambda kind: aggregates.period_start(kind, date.max))

        def of_request(together: list[Past]) -> list[Past]:
            if request_order.is_told_by_pairs(db, together, periods):
                return request_order.of_request(db, together)
            return sorted(together, key=lambda past: _seen(past, longest))

        return {account_id: _as_decided(pasts, of_request) for account_id, pasts in found.items()}
    return found


def _events(asked: Backtest, periods: Sequence[Span]) -> Select[Any]:
    wanted = _selected(asked)
    columns = [_EVENT[name] for name in Past._fields[:13] if name != "version_id"]
    columns.insert(Past._fields.index("version_id"), _EVENT.ruleset_version_id)
    if not periods or asked.first_day is None or asked.last_day is None:
        return select(*columns, null(), literal(1), _EVENT.facts).where(wanted)
    first, last = aggregates.around(asked.first_day, asked.last_day, periods)
    # Facts are what takes time to read. Of what is not selected they only tell the order within one request.
    facts = case((wanted, _EVENT.facts), (_EVENT.source_file_id.is_(None), _EVENT.facts))
    return select(*columns, _EVENT.received_at, case((wanted, 1), else_=0), facts).where(
        _EVENT.event_date.between(first, last), _EVENT.seq <= asked.seq_max, _EVENT.generation == 0
    )


def _selected(asked: Backtest) -> ColumnElement[bool]:
    chosen = asked.selected
    # What was taken back with its file is not decided by any rule.
    conditions: list[ColumnElement[bool]] = [_EVENT.seq <= asked.seq_max, _EVENT.generation == 0]
    if chosen.file_ids:
        conditions.append(_EVENT.source_file_id.in_(chosen.file_ids))
    if chosen.first_day is not None:
        conditions.append(_EVENT.event_date >= chosen.first_day)
    if chosen.last_day is not None:
        conditions.append(_EVENT.event_date <= chosen.last_day)
    return and_(*conditions)


def _as_decided(pasts: list[Past], of_request: Callable[[list[Past]], list[Past]]) -> list[Past]:
    """Events of one account, ordered by number, in the order in which they were decided.

    Numbers follow the order of batches, which hold the account's lock, but within a batch that of the event ids. There
    a file's rows were decided by row number; a request's events tell by the sums that they saw.
    """
    if len(pasts) < 2:
        return pasts
    found: list[Past] = []
    for (file_id, _), batch in groupby(pasts, key=_batch):
        together = list(batch)
        if len(together) > 1:
            together = of_request(together) if file_id is None else sorted(together, key=_row_no)
        found += together
    return found


def _batch(past: Past) -> tuple[bytes | None, datetime | None]:
    return past.source_file_id, past.received_at


def _row_no(past: Past) -> int:
    return past.row_no or 0


def _seen(past: Past, longest: str) -> tuple[date, Decimal, int, int]:
    """The place of one of a request's events: after those whose points are in the sums that it saw.

    Those that earn nothing come before the one that earns something on the same sum. Without sums the order says
    nothing about the past, and the number decides.
    """
    start = aggregates.period_start(longest, past.event_date)
    sums = Kept.of(past.facts).aggregates if past.facts is not None else {}
    if not sums:
        return start, _ZERO, 0, past.seq
    # A longer period has seen what a shorter one has, and more.
    return start, max(map(Decimal, sums.values())), past.points_minor, past.seq
