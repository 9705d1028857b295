"""The way of a rollback through the workers, from the message that names it to the file's new receipt.

::

    corrections -> mended -> rows -> brought -> words -> gaps -> documents -> members -> entries -> done

    each slice is a transaction

A slice is its effects and the checkpoint, which is compared and set: so it happens once, whoever tries it and how
often. A handler may die anywhere and be run again, in parallel, any number of times.
"""

import json
import logging
from collections.abc import Callable, Mapping
from dataclasses import asdict
from datetime import datetime
from typing import Any, Final

from sqlalchemy import update
from sqlalchemy.engine import Connection

from chalicelib.access import audit
from chalicelib.access.caller import Caller
from chalicelib.deliveries import wake
from chalicelib.errors import InterlineError, NotFound, Unavailable
from chalicelib.files.answers import finishing
from chalicelib.files.models.files import inbound_file
from chalicelib.files.register import rollbacks, turns
from chalicelib.files.register.refusals import TurnLost
from chalicelib.files.register.register import load
from chalicelib.files.register.rollbacks import LAST, STAGES, Kept, Rollback
from chalicelib.files.rollback import effects, foreseeing
from chalicelib.points.corrections import taking_back
from chalicelib.points.corrections.taking_back import Sums, TakenBack
from chalicelib.settings import settings
from chalicelib.storage import queues
from chalicelib.storage.engine import Database, is_mysql
from chalicelib.storage.ids import public_id, raw_id

log = logging.getLogger(__name__)
QUEUE: Final = "files"
#: Records of one slice; each takes a few statements.
ROWS_MAX: Final = 400
#: Rows of a file that is taken back in thought to say what that comes to: it holds locks meanwhile.
FORESEEN_ROWS_MAX: Final = 5_000
#: Entities that are taken back in one slice anyway.
_AT_ONCE: Final = frozenset({"code_table", "allowance_plan"})


def announce(rollback_id: bytes) -> None:
    """Have a worker begin at once; call it after the commit. Were the message lost, the sweeper would find the run."""
    _send({"rollback": public_id("rbk", rollback_id)})


def foresee(
    db: Connection, file_id: bytes, *, reason: str, caller: Caller, now: datetime, listed: int
) -> tuple[Rollback, list[Kept]]:
    """What taking a file back would come to, and the first ``listed`` things that would have to stay.

    It is worked out by doing just that in a transaction which is taken back; of more than ``FORESEEN_ROWS_MAX`` rows it
    is reckoned (``files.rollback.foreseeing``). Raises what ``rollbacks.request`` and ``foreseeing.of`` raise.
    """
    savepoint = db.begin_nested()
    try:
        run, created = rollbacks.request(db, file_id, reason=reason, caller=caller, now=now)
        if created:
            file = load(db, file_id)
            if (file.rows_total or 0) > FORESEEN_ROWS_MAX and file.entity not in _AT_ONCE:
                return foreseeing.of(db, file, run, listed=listed, now=now)
            held = rollbacks.take(db, run.id, slice_no=None, now=now)
            while held is not None and held.stage in STAGES:
                held = _slice(db, held, ROWS_MAX, now)
            run = held or run
        return run, rollbacks.left(db, run.id, limit=listed)
    finally:
        savepoint.rollback()


def handle(
    database: Database,
    message: Mapping[str, Any],
    *,
    clock: Callable[[], datetime],
    remaining_s: Callable[[], float],
) -> None:
    """Carry on the rollback that a message names, as far as the handler's time allows.

    Stale, doubled and foreign messages are acknowledged by returning. Raises Unavailable when the database or S3 does
    not answer: the message comes again.
    """
    try:
        rollback_id = raw_id("rbk", str(message.get("rollback")))
    except NotFound:
        log.warning("A message names no rollback.", extra={"rollback_id": str(message.get("rollback"))})
        return
    held = database.run(
        lambda db: rollbacks.take(db, rollback_id, slice_no=message.get("slice"), now=clock()),
    )
    if held is not None:
        _work(database, held, clock=clock, remaining_s=remaining_s)


def _work(
    database: Database, held: Rollback, *, clock: Callable[[], datetime], remaining_s: Callable[[], float]
) -> None:
    size = min(ROWS_MAX, settings().slice_rows if is_mysql(database.engine) else settings().slice_rows_sqlite)
    run = held
    try:
        while run.finished_at is None:
            if remaining_s() < settings().slice_reserve_s:
                _let_go(database, run, clock(), blameless=True)
                _send({"rollback": public_id("rbk", run.id), "slice": run.slice_no})
                return
            run = database.run(lambda db, run=run: _slice(db, run, size, clock()))  # type: ignore[misc]
            wake.wake(now=clock())
    except TurnLost:
        log.info("A rollback is in other hands.", extra={"file_id": public_id("fil", run.file_id)})
        return
    except Unavailable:
        _let_go(database, run, clock(), blameless=True)
        raise
    except Exception:
        _let_go(database, run, clock(), blameless=False)
        raise
    finishing.answer(database, run.file_id)
    _wake_next(database, run, clock())


def _slice(db: Connection, run: Rollback, size: int, now: datetime) -> Rollback:
    """One transaction: what it takes back, what it has to leave, and the checkpoint."""
    rollbacks.lock(db, run)
    if run.stage not in STAGES:
        return _finish(db, run, now)
    effect = effects.EFFECTS[run.stage]
    why = taking_back.why_rolled_back(run.file_id, run.reason, run.caller)
    found = effect(db, run, why, rows=size, now=now)
    left = [
        Kept(number, each.kind, each.id, each.entry_code, each.row_no, each.code, each.program_id, each.amount_minor)
        for number, each in enumerate(found.done.left, run.left_over + 1)
    ]
    rollbacks.keep_left(db, run, left)
    values: dict[str, Any] = {
        "undone": run.undone + found.done.records,
        "left_over": run.left_over + len(left),
        "points": _added(run, found.done),
        "checkpoint": found.checkpoint,
    }
    if found.checkpoint is None:
        values |= {"stage": _after(run.stage), "checkpoint": LAST}
    return rollbacks.write(db, run, values, now=now)


def _after(stage: str) -> str:
    following = STAGES.index(stage) + 1
    return STAGES[following] if following < len(STAGES) else "done"


def _added(run: Rollback, done: TakenBack) -> str:
    """The run's sums and the slice's, as they are kept."""
    sums = run.sums
    for program_id, more in done.sums.items():
        known = asdict(sums.get(program_id, Sums()))
        sums[program_id] = Sums(**{name: known[name] + value for name, value in asdict(more).items()})
    return json.dumps({key.hex(): asdict(value) for key, value in sorted(sums.items())})


def _finish(db: Connection, run: Rollback, now: datetime) -> Rollback:
    """The file is taken back, or the hub gave up; its receipt has to say so."""
    failed = run.stage == "failed"
    file = load(db, run.file_id)
    values: dict[str, Any] = {"state": "rolled_back", "reason_code": "rolled_back", "reason": run.reason}
    if failed:
        reason = f"The hub could not take the file back beyond {run.undone} records; an engineer has to look at it."
        values = {"state": "broken", "reason_code": "rollback_failed", "reason": reason}
    db.execute(
        update(inbound_file)
        .where(inbound_file.c.id == file.id)
        .values(values | {"receipt_revision": file.receipt_revision + 1, "changed_at": now})
    )
    audit.record(
        db,
        caller=run.caller,
        action="file.rollback_failed" if failed else "file.rolled_back",
        subject=file.public_id,
        partner_id=file.partner_id,
        before={"state": file.state},
        after={"state": values["state"], "undone": run.undone, "left_over": run.left_over},
        reason=run.reason,
        now=now,
    )
    return rollbacks.write(db, run, {"finished_at": now}, now=now)


def _let_go(database: Database, run: Rollback, now: datetime, *, blameless: bool) -> None:
    database.run(lambda db: rollbacks.release(db, run, blameless=blameless, now=now))


def _wake_next(database: Database, run: Rollback, now: datetime) -> None:
    """Tell the partner's file that waited for this; were the message lost, the sweeper would find the file."""
    with database.read() as db:
        following = turns.first_waiting(db, run.partner_id, now=now)
        if following is None:
            return
        file = load(db, following)
    _send({"continue": file.public_id, "slice": file.slice_no})


def _send(message: Mapping[str, Any]) -> None:
    try:
        queues.send(settings().queue(QUEUE), message)
    except InterlineError as error:
        log.warning("The workers could not be told of a rollback: the sweeper will.", extra={"code": error.code})
