"""The pump: empties the outbox into the outside systems, batch by batch, with the bounds and breakers of each target.

Everything that must hold over all workers is in the database: leases, bounds, backoff, breakers. A worker may die
anywhere; what it held is taken back when its lease ends.
"""

import logging
import time
from collections import Counter
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import field, replace
from datetime import datetime
from random import Random
from threading import Lock
from typing import Final

from sqlalchemy.engine import Connection

from chalicelib.connectors.contract import Connector, Outcome, Result
from chalicelib.deliveries import breaker, claiming, filling, senders, settling, targets
from chalicelib.deliveries.claiming import Claim, Claimed
from chalicelib.deliveries.settling import Sent, Settled
from chalicelib.deliveries.snapshots import Source
from chalicelib.errors import Broken, InterlineError
from chalicelib.records import dataclass
from chalicelib.storage.engine import Database
from chalicelib.storage.ids import public_id

THREADS_MAX: Final = 16
BATCHES_MAX: Final = 1_000_000
"""A bound for a run whose deadline never comes."""

log = logging.getLogger(__name__)


@dataclass(slots=True)
class PumpReport:
    """What one run did: deliveries by the state they ended in (``lost`` ones had been taken by another worker)."""

    batches: int = 0
    states: Counter[str] = field(default_factory=Counter)
    codes: Counter[str] = field(default_factory=Counter)
    _lock: Lock = field(default_factory=Lock, repr=False)

    def add(self, settled: tuple[Settled, ...]) -> None:
        """Count one batch; safe from any thread."""
        with self._lock:
            self.batches += 1
            for each in settled:
                self.states[each.state or "lost"] += 1
                self.codes[each.code] += 1


@dataclass(frozen=True, slots=True)
class _Run:
    """What all lanes of one run share."""

    database: Database
    sources: Mapping[str, Source]
    clock: Callable[[], datetime]
    ends_at_s: float
    chance: Random
    report: PumpReport


def run(
    database: Database,
    *,
    sources: Mapping[str, Source],
    clock: Callable[[], datetime],
    deadline_s: float,
    chance: Random | None = None,
) -> PumpReport:
    """Fill new targets and deliver what is due until nothing is, starting no batch after ``deadline_s`` seconds.

    ``sources`` are by entity.
    A target with more work than one batch is served by as many lanes as it allows, each in a thread of its own.
    """
    # Backoff needs spread, not secrecy.
    shared = _Run(database, sources, clock, time.monotonic() + deadline_s, chance or Random(), PumpReport())  # noqa: S311
    filling.fill(database, sources, clock=clock, ends_at_s=shared.ends_at_s)
    with database.read() as db:
        work = claiming.due(db, now=clock())
    # First one lane for every target, so that a busy target cannot keep another one waiting.
    lanes = [target_id for turn in range(max(work.values(), default=0)) for target_id in work if work[target_id] > turn]
    if len(lanes) == 1:
        _lane(shared, lanes[0])
    elif lanes:
        with ThreadPoolExecutor(min(len(lanes), THREADS_MAX), thread_name_prefix="pump") as threads:
            for done in [threads.submit(_lane, shared, target_id) for target_id in lanes]:
                done.result()
    return shared.report


def _lane(shared: _Run, target_id: bytes) -> None:
    """Deliver batches of one target, one after the other, until there is nothing left to claim."""
    connector = _connector(shared, target_id)
    if connector is None:
        return
    for _ in range(BATCHES_MAX):
        if time.monotonic() >= shared.ends_at_s:
            return
        claimed = shared.database.run(
            lambda db: claiming.claim(db, target_id, sources=shared.sources, now=shared.clock(), chance=shared.chance)
        )
        if claimed is None:
            return
        settled = claimed.settled
        if claimed.batch:
            settled += _deliver(shared, connector, claimed)
        shared.report.add(settled)
        _tell(claimed, settled)


def _connector(shared: _Run, target_id: bytes) -> Connector | None:
    """The target's connector; None, with the breaker open, when the target cannot be used as it is set up."""
    with shared.database.read() as db:
        found = targets.by_id(db, target_id)
    if found is None:
        return None
    try:
        return senders.connector(found)
    except InterlineError as error:
        reason = f"{error.code}: {error.message}"
        log.warning("A target cannot be used as it is set up.", extra={"target": found.code, "code": error.code})

        def shut(db: Connection) -> None:
            locked = targets.by_id(db, target_id, locked=True)
            if locked is not None:
                breaker.open_at_once(db, locked, reason=reason, now=shared.clock(), chance=shared.chance)

        shared.database.run(shut)
        return None


def _deliver(shared: _Run, connector: Connector, claimed: Claim) -> tuple[Settled, ...]:
    """Send a batch and write down what became of it."""
    results = connector.deliver([each.message for each in claimed.batch])
    if [result.message_id for result in results] != [each.message.id for each in claimed.batch]:
        raise Broken(f"The connector {claimed.target.connector} lost count of its messages.", code="connector_broken")
    if any(result.outcome is Outcome.UNAUTHORIZED for result in results):
        senders.refused(claimed.target)
    sent = [_sent(claimed, each, result) for each, result in zip(claimed.batch, results, strict=True)]

    def settle(db: Connection) -> tuple[Settled, ...]:
        now = shared.clock()
        found = targets.by_id(db, claimed.target.id, locked=True)
        if found is None:
            raise Broken("A target vanished while something was on its way to it.")
        settled = settling.settle(db, found, sent, now=now, chance=shared.chance)
        breaker.note(db, found, [each.result for each in sent], now=now, chance=shared.chance)
        return settled

    return shared.database.run(settle)


def _sent(claimed: Claim, each: Claimed, result: Result) -> Sent:
    return Sent(
        delivery_id=each.row.id,
        attempt=each.attempt,
        lease_id=claimed.lease_id,
        result=replace(result, detail=each.mapped.scrubbed(result.detail)),
        noted=result.outcome.value,
        answer=each.mapped.masked_answer(result.response),
    )


def _tell(claimed: Claim, settled: tuple[Settled, ...]) -> None:
    for each in settled:
        if each.state == "dead":
            shown = public_id("dlv", each.delivery_id)
            log.warning(
                "A delivery is dead: a person must decide.",
                extra={"delivery_id": shown, "target": claimed.target.code, "code": each.code},
            )
