"""The way of a back-test through the workers, from the message that names it to its result.

::

    counting -> rejects -> accounts (account by account) -> done        each slice ends in one transaction

A slice reads in a read-only transaction and then writes what it found, together with the checkpoint, by
compare-and-set. A handler may die anywhere and be run again, in parallel, any number of times: what a slice found is
written once. Points are never written.
"""

import logging
from collections.abc import Callable, Mapping
from dataclasses import field
from datetime import datetime, timedelta
from itertools import islice
from typing import Any, Final

from sqlalchemy import or_, select
from sqlalchemy.engine import Connection

from chalicelib.errors import InterlineError, NotFound, Unavailable
from chalicelib.files.intake import applying
from chalicelib.records import dataclass
from chalicelib.settings import settings
from chalicelib.storage import bulk, queues
from chalicelib.storage.engine import Database
from chalicelib.storage.ids import public_id, raw_id
from chalicelib.workbench import backtests, comparing, leases, reading, rejected
from chalicelib.workbench.backtests import OPEN, Backtest
from chalicelib.workbench.drafts import Draft
from chalicelib.workbench.leases import Held, LeaseLost
from chalicelib.workbench.models import backtest, backtest_member, backtest_record, backtest_row
from chalicelib.workbench.reading import looking
from chalicelib.workbench.tallies import Tally

log = logging.getLogger(__name__)
QUEUE: Final = "backtests"
#: Events after which what was found is written.
SLICE_EVENTS: Final = 20_000
#: Accounts of one slice when most of them have no events.
_SLICE_ACCOUNTS: Final = 20_000
#: Events that are read at once, as far as accounts allow it.
_BATCH_EVENTS: Final = 4_000
_BATCH_ACCOUNTS_FIRST: Final = 100
#: A handler with less time left sends a message and ends.
_RESERVE_S: Final = 30
#: A message that is younger than this is most likely still on its way.
_GRACE_S: Final = 30
#: The most messages of one sweep; the next one goes on.
_MESSAGES_MAX: Final = 100
_FIRST: Final = b""
_COLUMNS = backtest.c


@dataclass(slots=True)
class _Run:
    """One handler's work on one back-test."""

    database: Database
    held: Held
    draft: Draft
    tally: Tally
    clock: Callable[[], datetime]
    #: How many accounts are read next.
    batch_accounts: int
    #: Accounts that are listed and not yet decided, by id.
    accounts: list[bytes] = field(default_factory=list)

    @property
    def asked(self) -> Backtest:
        """The back-test as last written."""
        return self.held.backtest

    def write(self, values: Mapping[str, Any], rows: Callable[[Connection], None] | None = None) -> None:
        """End a slice: its rows and the checkpoint in one transaction. Raises LeaseLost."""
        held, now = self.held, self.clock()

        def written(db: Connection) -> Held:
            moved = leases.write(db, held, values, now=now)
            if rows is not None:
                rows(db)
            return moved

        self.held = self.database.run(written)
        self.draft.asked = self.held.backtest


def announce(backtest_id: bytes) -> None:
    """Have a worker begin with a new back-test at once; call it after the commit."""
    _send({"backtest": public_id("bkt", backtest_id)})


def handle(
    database: Database,
    message: Mapping[str, Any],
    *,
    clock: Callable[[], datetime],
    remaining_s: Callable[[], float],
) -> None:
    """Carry on the back-test that a message names, as far as the handler's time allows.

    Stale, doubled and foreign messages are acknowledged by returning. Raises Unavailable when the database or S3 does
    not answer: the message comes again.
    """
    try:
        backtest_id = raw_id("bkt", str(message.get("backtest")))
    except NotFound:
        log.warning("A message names no back-test.", extra={"backtest_id": str(message.get("backtest"))})
        return
    slice_no = message.get("slice")
    held = database.run(lambda db: leases.take(db, backtest_id, slice_no=slice_no, now=clock()))
    if held is None:
        return
    _work(database, held, clock=clock, remaining_s=remaining_s)


def sweep(database: Database, *, clock: Callable[[], datetime], grace_s: int = _GRACE_S) -> int:
    """Send a message for each back-test that nobody works on, as if one had been lost; how many there were."""
    now = clock()
    unheld = or_(_COLUMNS.lease_until.is_(None), _COLUMNS.lease_until <= now)
    with database.read() as db:
        stuck = db.execute(
            select(_COLUMNS.id, _COLUMNS.slice_no)
            .where(
                _COLUMNS.finished_at.is_(None),
                _COLUMNS.state.in_(OPEN),
                unheld,
                _COLUMNS.changed_at <= now - timedelta(seconds=grace_s),
            )
            .order_by(_COLUMNS.id)
            .limit(_MESSAGES_MAX)
        ).all()
    for found in stuck:
        _send({"backtest": public_id("bkt", found.id), "slice": found.slice_no})
    return len(stuck)


def _work(database: Database, held: Held, *, clock: Callable[[], datetime], remaining_s: Callable[[], float]) -> None:
    run: _Run | None = None

    def let_go(*, blameless: bool) -> None:
        last = held if run is None else run.held
        database.run(lambda db: leases.release(db, last, blameless=blameless, now=clock()))

    try:
        with looking(database) as db:
            draft = Draft.load(db, held.backtest)
        run = _Run(database, held, draft, Tally.of(held.backtest.summary), clock, _BATCH_ACCOUNTS_FIRST)
        while run.asked.state == "running":
            if remaining_s() < _RESERVE_S:
                let_go(blameless=True)
                _send({"backtest": public_id("bkt", run.asked.id), "slice": run.asked.slice_no})
                return
            _slice(run)
    except LeaseLost:
        log.info("A back-test is in other hands.", extra={"backtest_id": held.backtest.public_id})
    except Unavailable:
        let_go(blameless=True)
        raise
    except InterlineError as error:
        # The version, a file or a table is not what it has to be: trying again changes nothing.
        last = held if run is None else run.held
        log.exception("A back-test cannot be finished.", extra={"backtest_id": held.backtest.public_id})
        database.run(
            lambda db, code=error.code, reason=error.message: leases.fail(  # type: ignore[misc]
                db, last, code=code, reason=reason, now=clock()
            )
        )
    except Exception:
        let_go(blameless=False)
        raise


def _slice(run: _Run) -> None:
    match run.asked.stage:
        case "counting":
            _count(run)
        case "rejects":
            _find_rejected(run)
        case _:
            _compare(run)


def _count(run: _Run) -> None:
    with looking(run.database) as db:
        counted = reading.count(db, run.asked)
    run.write(
        {
            "stage": "rejects" if run.asked.selected.file_ids else "accounts",
            "events_total": counted.events,
            "first_day": counted.first_day,
            "last_day": counted.last_day,
        }
    )


def _find_rejected(run: _Run) -> None:
    with looking(run.database) as db:
        found = rejected.find(db, run.draft)
    if found.last is None:
        run.write({"stage": "accounts"})
        return
    asked = run.asked
    days = [day for day in (asked.first_day, asked.last_day, *found.days) if day is not None]
    file_id, row_no = found.last
    run.write(
        {
            "checkpoint_file": file_id,
            "checkpoint_row": row_no,
            "first_day": min(days, default=None),
            "last_day": max(days, default=None),
            "events_total": (asked.events_total or 0) + len(found.rows),
        },
        lambda db: bulk.insert(db, backtest_row, found.rows),
    )


def _compare(run: _Run) -> None:
    done, last = 0, None
    ended = False
    with looking(run.database) as db, applying.collector_paused():
        decided = 0
        while done < SLICE_EVENTS and decided < _SLICE_ACCOUNTS:
            if not run.accounts:
                run.accounts = reading.accounts_after(db, run.asked, last or run.asked.checkpoint or _FIRST)
                if not run.accounts:
                    ended = True
                    break
            batch = list(islice(run.accounts, run.batch_accounts))
            events = comparing.compare(db, run.draft, batch, run.tally)
            del run.accounts[: len(batch)]
            done, decided, last = done + events, decided + len(batch), batch[-1]
            run.batch_accounts = _next_batch(len(batch), events)
    _write_slice(run, done, last, ended=ended)
    run.tally.written()


def _next_batch(accounts: int, events: int) -> int:
    """How many accounts to read next, so that they have about as many events as are read at once."""
    per_account = max(events / accounts, 1 / 4)
    return max(1, min(bulk.CHUNK, int(_BATCH_EVENTS / per_account)))


def _write_slice(run: _Run, done: int, last: bytes | None, *, ended: bool) -> None:
    asked, tally = run.asked, run.tally
    owner = {"backtest_id": asked.id, "partner_id": asked.partner_id}
    members = [{**owner, **row._asdict(), "difference_minor": row.now_minor - row.then_minor} for row in tally.members]
    records = [{**owner, **row} for row in tally.records]

    def rows(db: Connection) -> None:
        bulk.insert(db, backtest_member, members)
        bulk.insert(db, backtest_record, records)
        if ended:
            backtests.forget_rows(db, asked.id)

    values: dict[str, Any] = {
        "events_done": asked.events_done + done,
        "checkpoint": last or asked.checkpoint,
        "summary": tally.text(),
    }
    if ended:
        now = run.clock()
        values |= {
            "state": "done",
            "data_hash": tally.data_hash(),
            "result_hash": tally.result_hash(),
            "finished_at": now,
        }
    run.write(values, rows)


def _send(message: Mapping[str, Any]) -> None:
    """Have a worker go on. A queue that does not answer is no error: the sweeper finds what nobody works on."""
    try:
        queues.send(settings().queue(QUEUE), message)
    except InterlineError as error:
        log.warning("The workers could not be told of a back-test: the sweeper will.", extra={"code": error.code})
