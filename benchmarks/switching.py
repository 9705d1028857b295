"""``python -m benchmarks.switching``: a rule change is promoted while twenty clients record accruals over HTTP.

The hub runs as two processes behind its gateway on MariaDB. Every event is sent by two clients. Meanwhile a draft is
promoted from a date on, by the API, and a little later taken back. Afterwards every stored event is looked at: it must
be there once, have been decided by the version in force at its date when it came in, and compute again to its points.
It fails when any request fails or any event is not as it must be.
"""

import itertools
import json
import random
import sys
import threading
import urllib.request
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.engine import Row

from benchmarks import api, load, report, world
from benchmarks.backtest import with_rate
from benchmarks.world import CALLER, World
from chalicelib.access import users
from chalicelib.points.deciding import deciding
from chalicelib.points.deciding.deciding import Proof
from chalicelib.points.models.ledger import accrual_event
from chalicelib.points.proof import checks
from chalicelib.rules import rulesets, versions
from chalicelib.rules.models import ruleset_activation

CLIENTS = 20
PROCESSES = 2
_RULESET = f"{world.PARTNER}.accrual"
_MEMBERS = 200
_SECONDS, _SECONDS_QUICK = 20.0, 4.0
#: Events from this day on are the new version's, while it is in force.
SWITCH = date(2026, 11, 10)
_DAYS = ("2026-11-02", "2026-11-09", "2026-11-10", "2026-11-15")
_SCALE = 2


@dataclass(frozen=True, slots=True)
class Switch:
    """One change of what decides: between these two moments it became known."""

    name: str
    asked_at: datetime
    answered_at: datetime
    answer: Mapping[str, Any]


def main() -> None:
    """Let them work, switch twice, look at everything, print."""
    args = report.arguments(__doc__ or "")
    seconds = _SECONDS_QUICK if args.quick else _SECONDS
    with world.machine() as on:
        served = world.build(on, "switching", members_count=_MEMBERS)
        old, new, key = _draft(served)
        port = report.free_port()
        command = [sys.executable, "-m", "local.gateway", "--port", str(port), "--processes", str(PROCESSES)]
        with api.running(command, served.variables | {"INTERLINE_DATABASE_POOL_MAX": "16"}, port):
            requests = _requests(served)
            switches: list[Switch] = []
            timers = [
                threading.Timer(seconds / 3, lambda: switches.append(_promote(port, key))),
                threading.Timer(seconds * 2 / 3, lambda: switches.append(_roll_back(port, key))),
            ]
            for timer in timers:
                timer.start()
            told = load.run(port, lambda _: next(requests), users=CLIENTS, seconds=seconds, think_s=0.0)
            for timer in timers:
                timer.join()
        if len(switches) != len(timers):
            raise RuntimeError("The rule was not switched.")
        found = _examined(served, switches, old, new)
    figures = {**told.figures(), "answers": dict(told.statuses), **found}
    report.show(args, f"{CLIENTS} clients, {seconds:.0f} s", {"recording": told.figures()})
    report.show(args, "Events", {"stored": found})
    for switch in switches:
        took_ms = (switch.answered_at - switch.asked_at).total_seconds() * 1000
        report.say(args, f"{switch.name}: answered after {took_ms:.0f} ms: {json.dumps(switch.answer['decides'])}")
        figures[f"{switch.name}_ms"] = round(took_ms)
    report.say(args, f"Answers: {dict(told.statuses)}")
    report.finish(args, figures)
    if told.errors:
        raise SystemExit(f"{told.errors} requests failed: {dict(told.statuses)}")


def _draft(on: World) -> tuple[bytes, bytes, str]:
    """The version that decides, another that could, and an administrator's key."""
    now = datetime.now(UTC)
    with on.database.write() as db:
        live = rulesets.timeline(db, _RULESET, known_at=now).on(SWITCH)
        saved = rulesets.save(db, with_rate(), partner_id=on.partner.id, caller=CALLER, now=now)
        _, key = users.first_admin(db, email="admin@example.com", now=now)
    if live is None:
        raise RuntimeError("Nothing decides.")
    return live.version_id, saved.version_id, key


def _requests(on: World) -> Iterator[bytes]:
    """Accruals, each of them twice in a row: two clients send it at about the same time."""
    draw = random.Random(5)
    for number in itertools.count():
        body = json.dumps(
            {
                "program_code": "uniform",
                "event_id": f"s-{number}",
                "employee_id": draw.choice(on.employees),
                "event_type": "HOURS",
                "event_date": _DAYS[number % len(_DAYS)],
                "quantity": "1.25",
                "unit": "HOUR",
            }
        )
        request = (
            f"POST /v1/accruals HTTP/1.1\r\nHost: hub\r\nAuthorization: Bearer {on.key}\r\n"
            f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n{body}"
        ).encode()
        yield request
        yield request


def _promote(port: int, key: str) -> Switch:
    body = {"effective_from": SWITCH.isoformat(), "reason": "a benchmark"}
    return _switch("promoted", port, key, f"/v1/rulesets/{_RULESET}/versions/2/promote", body)


def _roll_back(port: int, key: str) -> Switch:
    body = {"effective_from": SWITCH.isoformat(), "reason": "a benchmark"}
    return _switch("taken back", port, key, f"/v1/rulesets/{_RULESET}/rollback", body)


def _switch(name: str, port: int, key: str, path: str, body: Mapping[str, Any]) -> Switch:
    asked_at = datetime.now(UTC)
    request = urllib.request.Request(
        f"http://127.0.0.1:{port}{path}",
        data=json.dumps(body).encode(),
        headers={"Authorization": f"Bearer {key}", "Content-Type": "application/json"},
        method="POST",
    )
    with urllib.request.urlopen(request, timeout=30) as answer:  # noqa: S310 - our own gateway on loopback
        said = json.loads(answer.read())
    return Switch(name, asked_at, datetime.now(UTC), said)


def _examined(on: World, switches: list[Switch], old: bytes, new: bytes) -> dict[str, int]:
    """What became of the events. Raises RuntimeError for one that is not as it must be."""
    promoted, taken_back = switches
    with on.database.read() as db:
        rows = db.execute(select(accrual_event)).all()
        known = {each: versions.version(db, each) for each in (old, new)}
        ids = db.execute(select(func.count(accrual_event.c.event_id.distinct()))).scalar_one()
        moments = list(
            db.execute(
                select(ruleset_activation.c.activated_at)
                .where(ruleset_activation.c.effective_from == SWITCH)
                .order_by(ruleset_activation.c.activated_at)
            ).scalars()
        )
        broken = checks.check(db)
    if ids != len(rows) or broken or len(moments) != len(switches):
        raise RuntimeError(f"Events are there twice, or the ledger does not balance: {ids}, {len(rows)}, {broken}")
    decided: Counter[str] = Counter()
    for row in rows:
        by = row.ruleset_version_id
        if by not in _allowed(row, promoted, taken_back, moments, old=old, new=new):
            raise RuntimeError(f"{row.event_id} of {row.event_date}, taken in at {row.received_at}, by the wrong rule")
        again = deciding.decide_again(known[by], Proof.of(row.facts), as_of=row.event_date, scale=_SCALE) or 0
        if again != row.points_minor:
            raise RuntimeError(f"{row.event_id} computes again to {again}, not {row.points_minor}")
        decided["before the switch day" if row.event_date < SWITCH else "by new" if by == new else "by old"] += 1
    if not decided["by new"] or not decided["by old"]:
        raise RuntimeError(f"Nothing was switched while they worked: {decided}")
    return {"events": len(rows), **decided}


def _allowed(
    row: Row[Any], promoted: Switch, taken_back: Switch, moments: list[datetime], *, old: bytes, new: bytes
) -> set[bytes]:
    """The versions that may have decided an event: one, or either of two while a switch was on its way."""
    if row.event_date < SWITCH or row.received_at < moments[0] or row.received_at > taken_back.answered_at:
        return {old}
    if promoted.answered_at < row.received_at < moments[1]:
        return {new}
    return {old, new}


if __name__ == "__main__":
    main()
