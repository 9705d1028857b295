"""Who works on a back-test: one handler at a time, under a lease whose end is its token.

A handler that lost its lease, or whose back-test was cancelled, can change nothing: every write compares the token and
the number of the slice.
"""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any, Final

from sqlalchemy import select, update
from sqlalchemy.engine import Connection

from chalicelib.errors import InterlineError
from chalicelib.records import dataclass
from chalicelib.workbench import backtests
from chalicelib.workbench.backtests import OPEN, Backtest
from chalicelib.workbench.models import backtest

#: A handler that has not finished a slice for so long is taken for dead.
LEASE_S: Final = 120
#: Takings without progress before a back-test is given up: more than one message's five tries.
ATTEMPTS_MAX: Final = 10
_COLUMNS = backtest.c


class LeaseLost(InterlineError):
    """Another handler has the back-test now, or nobody should."""

    code = "lease_lost"


@dataclass(frozen=True, slots=True)
class Held:
    """The right to work on one back-test, as its row was last written."""

    backtest: Backtest
    token: datetime


def take(db: Connection, backtest_id: bytes, *, slice_no: int | None, now: datetime) -> Held | None:
    """The right to work on a back-test; None when it has ended, is held, or has gone on since ``slice_no``."""
    row = db.execute(
        select(_COLUMNS.state, _COLUMNS.lease_until, _COLUMNS.slice_no, _COLUMNS.attempts, _COLUMNS.started_at)
        .where(_COLUMNS.id == backtest_id)
        .with_for_update()
    ).first()
    if row is None or row.state not in OPEN:
        return None
    if (row.lease_until is not None and row.lease_until > now) or slice_no not in {None, row.slice_no}:
        return None
    if row.attempts >= ATTEMPTS_MAX:
        _end(
            db,
            backtest_id,
            code="gave_up",
            reason=f"The hub tried {ATTEMPTS_MAX} times and could not go on: an engineer has to look at it.",
            now=now,
        )
        return None
    token = now + timedelta(seconds=LEASE_S)
    db.execute(
        update(backtest)
        .where(_COLUMNS.id == backtest_id)
        .values(
            state="running",
            lease_until=token,
            attempts=row.attempts + 1,
            started_at=row.started_at or now,
            changed_at=now,
        )
    )
    return Held(backtests.load(db, backtest_id), token)


def write(db: Connection, held: Held, values: Mapping[str, Any], *, now: datetime) -> Held:
    """Move the checkpoint on and prolong the lease. Raises LeaseLost when another handler has the back-test."""
    token = max(now + timedelta(seconds=LEASE_S), held.token)
    changed = db.execute(
        update(backtest)
        .where(
            _COLUMNS.id == held.backtest.id,
            _COLUMNS.state == "running",
            _COLUMNS.lease_until == held.token,
            _COLUMNS.slice_no == held.backtest.slice_no,
        )
        .values(
            {
                "lease_until": token,
                "slice_no": held.backtest.slice_no + 1,
                "attempts": 0,
                "changed_at": now,
                **values,
            }
        )
    )
    if changed.rowcount != 1:
        raise LeaseLost(f"Back-test {held.backtest.public_id} is not this handler's any more.")
    return Held(backtests.load(db, held.backtest.id), token)


def release(db: Connection, held: Held, *, blameless: bool, now: datetime) -> None:
    """Let others go on at once. ``blameless``: this taking does not count as a failed attempt."""
    values: dict[str, Any] = {"lease_until": None, "changed_at": now}
    if blameless:
        values["attempts"] = max(0, held.backtest.attempts - 1)
    db.execute(
        update(backtest)
        .where(_COLUMNS.id == held.backtest.id, _COLUMNS.lease_until == held.token, _COLUMNS.state == "running")
        .values(values)
    )


def fail(db: Connection, held: Held, *, code: str, reason: str, now: datetime) -> None:
    """End a back-test that cannot be finished, unless another handler has it."""
    _end(db, held.backtest.id, code=code, reason=reason, now=now, token=held.token)


def _end(
    db: Connection, backtest_id: bytes, *, code: str, reason: str, now: datetime, token: datetime | None = None
) -> None:
    ended = update(backtest).where(_COLUMNS.id == backtest_id, _COLUMNS.state.in_(OPEN))
    if token is not None:
        ended = ended.where(_COLUMNS.lease_until == token)
    values = {"state": "failed", "reason_code": code, "reason": reason[:500], "lease_until": None}
    if db.execute(ended.values(**values, finished_at=now, changed_at=now)).rowcount:
        backtests.forget_rows(db, backtest_id)
