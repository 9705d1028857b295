"""The way of a file through the hub, from the notification to the receipt.

::

    arrived -> checked -> applying -> applied -> processed        each arrow is a transaction on the file row
       |         (archived before the first row is applied)
       +-> waiting (for its sidecar) | quarantined | duplicate | ignored;  broken when the hub itself failed

A handler may die anywhere and be run again, in parallel, any number of times: each step reads from the file row where
the file stands, does one thing, and moves the row on by compare-and-set. What happens in S3 is repeatable by itself.
"""

import logging
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

from chalicelib.errors import Broken, Conflict, NotFound, Unavailable
from chalicelib.files.answers import finishing
from chalicelib.files.formats import archive
from chalicelib.files.intake import applying, arrivals, opening
from chalicelib.files.intake.arrivals import Named
from chalicelib.files.register import turns
from chalicelib.files.register.refusals import TimeShort, TurnLost
from chalicelib.files.register.register import InboundFile, load
from chalicelib.files.register.turns import Turn
from chalicelib.files.rollback import way
from chalicelib.files.rows import gathering, settling
from chalicelib.files.rows.holding import Holding
from chalicelib.settings import settings
from chalicelib.storage import objects, queues
from chalicelib.storage.engine import Database
from chalicelib.storage.ids import raw_id

log = logging.getLogger(__name__)
QUEUE = "files"
#: More steps than the longest way of a file has.
_STEPS_MAX = 10


def handle(
    database: Database,
    message: Mapping[str, Any],
    *,
    clock: Callable[[], datetime],
    remaining_s: Callable[[], float],
) -> None:
    """Work on what one message names: S3's notification, the sweeper's, a file that continues or is taken back.

    Stale, doubled and foreign messages are acknowledged by returning. Raises Unavailable when the database or S3 does
    not answer: the message comes again.
    """
    if "rollback" in message:
        way.handle(database, message, clock=clock, remaining_s=remaining_s)
        return
    if "continue" in message:
        _continue(database, message, clock=clock, remaining_s=remaining_s)
        return
    for number, named in enumerate(arrivals.named_in(message)):
        if number and remaining_s() < settings().slice_reserve_s:
            queues.send(settings().queue(QUEUE), {"arrived": {"bucket": named.bucket, "key": named.key}})
            continue
        for file_id in _files_of(database, named, clock()):
            _work(database, file_id, clock=clock, remaining_s=remaining_s)


def _continue(
    database: Database,
    message: Mapping[str, Any],
    *,
    clock: Callable[[], datetime],
    remaining_s: Callable[[], float],
) -> None:
    file_id = raw_id("fil", str(message["continue"]))
    try:
        with database.read() as db:
            file = load(db, file_id)
    except NotFound:
        log.warning("A message names a file that does not exist.", extra={"file_id": message["continue"]})
        return
    if file.finished_at is not None:
        if file.receipt_written < file.receipt_revision:
            finishing.answer(database, file.id)
        return
    if message.get("slice", file.slice_no) != file.slice_no:
        # Another message has carried the file on since this one was sent.
        return
    if file.state == "waiting":
        if not opening.waited_enough(file, clock()):
            return
        database.run(lambda db: turns.wake(db, file_id, now=clock()))
    _work(database, file_id, clock=clock, remaining_s=remaining_s)


def _files_of(database: Database, named: Named, now: datetime) -> list[bytes]:
    """The files that an object in the inbox concerns: those that wait for it as their sidecar, or itself."""
    if named.bucket != arrivals.inbox() or arrivals.is_temporary(named.key):
        return []
    if arrivals.is_sidecar(named.key):
        with database.read() as db:
            waiting = arrivals.waiting_for(db, named)
        for file_id in waiting:
            database.run(lambda db, file_id=file_id: turns.wake(db, file_id, now=now))  # type: ignore[misc]
        if waiting:
            return waiting
    found = objects.head(named.bucket, named.key)
    if found is None:
        # It was worked on before, or its sender took it back.
        return []
    if arrivals.is_sidecar(named.key):
        with database.read() as db:
            if not arrivals.is_alone(db, named, found.last_modified, now=now):
                return []
    file = arrivals.register_object(database, named.bucket, found, now=now)
    if file.finished_at is not None:
        # The same object was put again within the second of its arrival; it has been answered.
        objects.delete(file.bucket, file.object_key, etag=file.etag)
        return []
    return [file.id]


def _work(
    database: Database, file_id: bytes, *, clock: Callable[[], datetime], remaining_s: Callable[[], float]
) -> None:
    """Carry the file on as far as it goes, then wake the partner's next one."""
    turn = database.run(lambda db: turns.take(db, file_id, now=clock()))
    if turn is None:
        return
    holding = Holding(database, turn, clock, remaining_s)
    try:
        _advance(holding)
    except TurnLost:
        log.info("A file is in other hands.", extra={"file_id": holding.file.public_id})
        return
    except TimeShort:
        _let_go(holding, blameless=True)
        _send_on(holding.file)
        return
    except Unavailable:
        _let_go(holding, blameless=True)
        raise
    except Exception:
        _let_go(holding, blameless=False)
        raise
    _wake_next(database, holding.turn)


def _advance(holding: Holding) -> None:
    """One step after the other, until the file is finished or has to wait."""
    for _ in range(_STEPS_MAX):
        if holding.file.finished_at is not None:
            return
        match holding.file.state:
            case "arrived":
                opening.open_file(holding, holding.partner())
            case "checked":
                partner = holding.partner()
                try:
                    archive.keep(holding.file, holding.format(), partner_code=partner.code, alive=holding.alive)
                except (NotFound, Conflict):
                    holding.change(opening.gone(holding))
                else:
                    holding.change({"state": "applying"})
            case "applying":
                applying.apply_rows(holding, holding.partner())
            case "applied":
                gathering.gather(holding)
                settling.settle(holding, holding.partner())
            case "waiting":
                return
            case _:
                finishing.finish(holding)
    raise Broken(f"File {holding.file.public_id} does not get beyond state {holding.file.state!r}.")


def _let_go(holding: Holding, *, blameless: bool) -> None:
    holding.database.run(lambda db: turns.release(db, holding.turn, now=holding.clock(), blameless=blameless))


def _send_on(file: InboundFile) -> None:
    queues.send(settings().queue(QUEUE), {"continue": file.public_id, "slice": file.slice_no})


def _wake_next(database: Database, turn: Turn) -> None:
    """Tell the file that now comes first; were the message lost, the sweeper would find the file."""
    if turn.file.rank is None:
        return
    with database.read() as db:
        following = turns.next_after(db, turn)
        if following is None:
            return
        file = load(db, following)
    _send_on(file)
