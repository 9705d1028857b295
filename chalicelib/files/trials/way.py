"""The way of a trial through the workers: its content is read, its rows are spread, and part after part is tried.

Each part is one transaction: what it came to, and the number of the next one, by compare-and-set. A handler that goes
on where another stopped spreads the rows anew, on its own disk.
"""

import json
import logging
from collections.abc import Callable, Mapping
from datetime import datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

from sqlalchemy.engine import Connection

from chalicelib.deliveries import wake
from chalicelib.errors import Broken, Conflict, InterlineError, InvalidInput, NotFound, Unavailable
from chalicelib.files.answers import finishing
from chalicelib.files.register import trials
from chalicelib.files.register.refusals import TurnLost
from chalicelib.files.register.trials import Trial
from chalicelib.files.trials import comparing, parting, validating
from chalicelib.partners import directory
from chalicelib.partners.directory import Partner
from chalicelib.settings import settings
from chalicelib.storage import queues
from chalicelib.storage.engine import Database
from chalicelib.storage.ids import raw_id

log = logging.getLogger(__name__)
QUEUE: Final = "files"
_REASON_MAX: Final = 500


def announce(trial: Trial) -> None:
    """Have a worker begin at once; call it after the commit. Were the message lost, the sweeper would find it."""
    try:
        queues.send(settings().queue(QUEUE), {"trial": trial.public_id, "part": trial.part})
    except InterlineError as error:
        log.warning("The workers could not be told of a trial: the sweeper will.", extra={"code": error.code})


def handle(
    database: Database,
    message: Mapping[str, Any],
    *,
    clock: Callable[[], datetime],
    remaining_s: Callable[[], float],
) -> None:
    """Carry on the trial that a message names, as far as the handler's time allows.

    Stale, doubled and foreign messages are acknowledged by returning. Raises Unavailable when the database or S3 does
    not answer: the message comes again.
    """
    try:
        trial_id = raw_id("trl", str(message.get("trial")))
    except NotFound:
        log.warning("A message names no trial.", extra={"file_id": str(message.get("trial"))})
        return
    held = database.run(lambda db: trials.take(db, trial_id, part=message.get("part"), now=clock()))
    if held is None or held.state != "working":
        return
    running = _Running(database, held, clock, remaining_s)
    try:
        running.work()
    except TurnLost:
        log.info("A trial is in other hands.")
    except (InvalidInput, Conflict) as refusal:
        running.fail(refusal.code, refusal.message)
    except NotFound:
        running.fail("object_gone", "The content was not put, or was removed.")
    except Unavailable:
        running.let_go(blameless=True)
        raise
    except Exception:
        running.let_go(blameless=False)
        raise


class _Running:
    """One handler's work on one trial; ``held`` is replaced with every commit."""

    def __init__(
        self, database: Database, held: Trial, clock: Callable[[], datetime], remaining_s: Callable[[], float]
    ) -> None:
        self.database = database
        self.held = held
        self.clock = clock
        self.remaining_s = remaining_s
        self.kind: Any = validating if held.kind == "validate" else comparing

    def work(self) -> None:
        """Carry the trial to its end, or as far as the time goes."""
        with self.database.read() as db:
            partner = directory.by_id(db, self.held.partner_id)
        if partner is None:
            raise Broken("A trial belongs to no partner.")
        if self.held.parts is None:
            self._begin(partner)
        if not self._is_through():
            with TemporaryDirectory() as place:
                self._parts(partner, Path(place))
        if self._is_through():
            self._finish()

    def _is_through(self) -> bool:
        """Whether every part was tried, the one of rows that share ids after the others."""
        return self.held.parts is not None and self.held.part > self.held.parts

    def _begin(self, partner: Partner) -> None:
        """Read the content once; a file that would be refused or ignored as a whole has no parts."""
        figures = self.kind.check(self.database, self.held, partner, now=self.held.requested_at)
        told = json.dumps(figures, ensure_ascii=False)
        if figures["file"]["state"] == "checked":
            self.move({"parts": parting.parts_of(figures["file"]["rows_total"]), "figures": told})
        else:
            self.move({"parts": 0, "part": 1, "figures": told})

    def _parts(self, partner: Partner, place: Path) -> None:
        found, work = self.kind.cut(self.database, self.held, partner, place, now=self.held.requested_at)
        for part in range(self.held.part, found.parts + 1):
            if self.remaining_s() < settings().slice_reserve_s:
                self.let_go(blameless=True)
                announce(self.held)
                return
            rows = list(found.rows(part))
            held, now = self.held, self.clock()

            def tried(db: Connection, held: Trial = held, rows: Any = rows, now: datetime = now) -> Trial:  # noqa: ANN401 - of this round
                figures = self.kind.try_part(db, held, partner, work, rows, now=now)
                values = {"part": held.part + 1, "figures": json.dumps(figures, ensure_ascii=False)}
                return trials.write(db, held, values, now=now)

            self.held = self.database.run(tried)

    def _finish(self) -> None:
        if self.held.object_key is not None:
            # Before the trial is over: nobody would do it after.
            validating.forget(self.held)
        held, now = self.held, self.clock()

        def finish(db: Connection) -> Trial:
            found = self.kind.finished(db, held, held.found, now=now)
            told = json.dumps(found, ensure_ascii=False)
            return trials.write(db, held, {"state": "done", "finished_at": now, "figures": told}, now=now)

        self.held = self.database.run(finish)
        if self.held.kind == "reprocess" and self.held.file_id is not None:
            finishing.answer(self.database, self.held.file_id)
            wake.wake(now=self.clock())

    def fail(self, code: str, reason: str) -> None:
        """End a trial that cannot be made."""
        if self.held.object_key is not None:
            validating.forget(self.held)
        self.move({"state": "failed", "reason_code": code, "reason": reason[:_REASON_MAX], "finished_at": self.clock()})

    def move(self, values: Mapping[str, Any]) -> None:
        """One transaction that moves the trial on."""
        held = self.held
        self.held = self.database.run(lambda db: trials.write(db, held, values, now=self.clock()))

    def let_go(self, *, blameless: bool) -> None:
        """Let others take the trial at once."""
        held = self.held
        self.database.run(lambda db: trials.release(db, held, blameless=blameless, now=self.clock()))
