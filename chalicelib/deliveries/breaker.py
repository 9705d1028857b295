"""The breaker of a target, kept in its row.

After some failures in a row nothing is sent for a while; then a single message tries whether the target is back.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from random import Random
from typing import Any, Final

from sqlalchemy import update
from sqlalchemy.engine import Connection

from chalicelib.connectors.contract import Outcome, Result
from chalicelib.deliveries import backoff
from chalicelib.deliveries.models import target
from chalicelib.deliveries.targets import Target

_REASON_CHARACTERS_MAX: Final = 500
_RATE_LIMITED: Final = 429
_ANOTHER_WRITER: Final = 409


def batch_allowed(found: Target, in_flight: int, *, now: datetime) -> int:
    """How many messages the next batch may hold, with so many batches in flight: 0 is none."""
    if found.breaker_until is not None and found.breaker_until > now:
        return 0
    if found.breaker_opened:
        return 0 if in_flight else 1
    return found.batch_max if in_flight < found.inflight_max else 0


def note(db: Connection, found: Target, results: Sequence[Result], *, now: datetime, chance: Random) -> None:
    """Take the results of a batch, in order, into the target's row, which the caller has locked.

    A refusal of the credentials opens the breaker at once. A 429 pauses the target as long as it asks, but is not a
    failure; nor is what only concerns one record.
    """
    failures, opened, reason = found.breaker_failures, found.breaker_opened, found.breaker_reason
    still = found.breaker_until if found.breaker_until is not None and found.breaker_until > now else None
    shut_until, paused_until = (still, None) if opened else (None, still)
    for result in results:
        if result.status == _RATE_LIMITED:
            asked_s = backoff.RATE_LIMIT_PAUSE_S if result.retry_after_s is None else result.retry_after_s
            paused_until = max(paused_until or now, now + timedelta(seconds=asked_s))
        elif not _is_failure(result):
            failures, opened, reason, shut_until = 0, 0, None, None
        elif shut_until is None:
            failures += 1
            reason = f"{result.code}: {result.detail}"[:_REASON_CHARACTERS_MAX]
            # A failure of the trial message opens it again; failures of what was still under way change nothing.
            if opened or failures >= backoff.BREAKER_FAILURES or result.outcome is Outcome.UNAUTHORIZED:
                failures, opened = 0, opened + 1
                shut_until = now + _at_least(result, backoff.pause(opened, chance))
    until = max((each for each in (shut_until, paused_until) if each is not None), default=None)
    _keep(db, found, breaker_failures=failures, breaker_opened=opened, breaker_until=until, breaker_reason=reason)


def open_at_once(db: Connection, found: Target, *, reason: str, now: datetime, chance: Random) -> None:
    """Stop sending to a target that is set up wrongly, for a while that grows each time."""
    opened = found.breaker_opened + 1
    _keep(
        db,
        found,
        breaker_failures=0,
        breaker_opened=opened,
        breaker_until=now + backoff.pause(opened, chance),
        breaker_reason=reason[:_REASON_CHARACTERS_MAX],
    )


def try_now(db: Connection, target_id: bytes) -> None:
    """Let one message through at once: a person says that the target is mended."""
    db.execute(update(target).where(target.c.id == target_id).values(breaker_until=None))


def _is_failure(result: Result) -> bool:
    """Whether a result says that the target, rather than one record, is in trouble."""
    if result.outcome is Outcome.UNAUTHORIZED:
        return True
    concerns_target = result.outcome in {Outcome.RETRY, Outcome.UNCERTAIN} and not result.patient
    return concerns_target and result.status != _ANOTHER_WRITER


def _at_least(result: Result, pause: timedelta) -> timedelta:
    return pause if result.retry_after_s is None else max(pause, timedelta(seconds=result.retry_after_s))


def _keep(db: Connection, found: Target, **values: Any) -> None:  # noqa: ANN401 - columns of the target
    if any(getattr(found, name) != value for name, value in values.items()):
        db.execute(update(target).where(target.c.id == found.id).values(**values))
