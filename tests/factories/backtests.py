"""Back-tests for tests: asked for and run to their end by the functions that the hub itself uses."""

import json
from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.engine import Connection

from chalicelib.access.caller import Caller
from chalicelib.rules import rulesets, versions
from chalicelib.rules.versions import LiveVersion
from chalicelib.storage.engine import Database
from chalicelib.workbench import backtests, running
from chalicelib.workbench.backtests import Backtest
from chalicelib.workbench.models import backtest_member
from tests.factories import rules

NOW = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)
CALLER = Caller("usr_00000000000000000000000002", "test-backtests")
YEAR = {"first_day": date(2026, 1, 1), "last_day": date(2026, 12, 31)}


def draft(db: Connection, partner_id: bytes, document: Mapping[str, Any]) -> LiveVersion:
    """The document saved and not activated."""
    saved = rulesets.save(db, document, partner_id=partner_id, caller=rules.AUTHOR, now=NOW)
    return versions.version(db, saved.version_id)


def asked(
    database: Database, partner_id: bytes, version: LiveVersion, *, now: datetime = NOW, **selection: Any
) -> Backtest:
    """A back-test that waits for a worker; of the year 2026 unless told otherwise."""
    with database.write() as db:
        return backtests.create(db, version, partner_id, **(selection or YEAR), caller=CALLER, now=now)


def run(
    database: Database, partner_id: bytes, version: LiveVersion, *, now: datetime = NOW, **selection: Any
) -> Backtest:
    """A back-test that has run to its end, in one handler."""
    return finish(database, asked(database, partner_id, version, now=now, **selection), clock=lambda: now)


def finish(
    database: Database,
    waiting: Backtest,
    *,
    clock: Callable[[], datetime] = lambda: NOW,
    remaining_s: Callable[[], float] = lambda: 900.0,
) -> Backtest:
    """The back-test after a worker had a message about it."""
    running.handle(database, {"backtest": waiting.public_id}, clock=clock, remaining_s=remaining_s)
    with database.read() as db:
        return backtests.load(db, waiting.id)


def summary(done: Backtest) -> dict[str, Any]:
    """The result, as it is kept."""
    assert done.summary is not None, done.reason
    found: dict[str, Any] = json.loads(done.summary)
    return found


def members(database: Database, done: Backtest) -> dict[bytes, tuple[int, int]]:
    """Minor units then and now by member; of one program."""
    with database.read() as db:
        rows = db.execute(select(backtest_member).where(backtest_member.c.backtest_id == done.id)).all()
    found = {row.member_id: (row.then_minor, row.now_minor) for row in rows}
    assert len(found) == len(rows), "a member has several accounts here"
    return found
