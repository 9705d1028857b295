"""``python -m benchmarks.backtest``: how fast and in how much memory past events are decided again under a draft.

A million accruals of aurora-air, taken in by the hub's own function on MariaDB, are run again by the real handler in a
process of its own: under a draft with another rate, and under one that reads a fact which the old version did not. Each
has a monthly cap, so the sums of the period are made anew. What comes out is checked against the sum of what stands.
"""

import argparse
import json
import subprocess
import sys
from collections.abc import Iterator, Mapping
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from random import Random
from typing import Any

from sqlalchemy import func, select

from benchmarks import finished, report, world
from benchmarks.world import CALLER, World
from chalicelib.language import parse_json
from chalicelib.partners.provenance import RowSource
from chalicelib.points.deciding.events import NewAccrual
from chalicelib.points.earning import accruals
from chalicelib.points.models.ledger import accrual_event
from chalicelib.rules import rulesets, versions
from chalicelib.storage.ids import new_id
from chalicelib.workbench import backtests
from local.home import REPOSITORY

_EVENTS, _EVENTS_QUICK = 1_000_000, 20_000
_EVENTS_PER_MEMBER = 20
_BATCH = 5_000
_TIMEOUT_S = 3_600
_DAYS = [date(2026, 10, 1) + timedelta(days=day) for day in range(61)]
_WORKDAYS = [day for day in _DAYS if day.weekday() < 5]


def main() -> None:
    """Measure and print."""
    args = report.arguments(__doc__ or "")
    events = _EVENTS_QUICK if args.quick else _EVENTS
    with world.machine() as on:
        past = world.build(on, "past", members_count=events // _EVENTS_PER_MEMBER)
        _live_through(args, past, events)
        figures = {
            "another rate": _run(past, _draft(past, with_rate), events),
            "another fact": _run(past, _draft(past, _with_fact), events),
        }
        if not args.quick:
            quarter = world.build(on, "quarter", members_count=events // 4 // _EVENTS_PER_MEMBER)
            _live_through(args, quarter, events // 4)
            figures["another rate, a quarter"] = _run(quarter, _draft(quarter, with_rate), events // 4)
            # A profiler takes three times as long: a quarter shows where the time goes as well.
            past, events = quarter, events // 4
        profiled = _run(past, _draft(past, with_rate), events, profile=True)["profile"]
    tables = {name: _figures(told) for name, told in figures.items()}
    report.show(args, "Back-test on MariaDB", tables)
    report.say(args, "\nWhere the process spends its CPU time (cProfile):\n" + "\n".join(profiled))
    first = tables["another rate"]
    report.finish(
        args,
        {f"{name.replace(', ', '_').replace(' ', '_')}_{key}": value
         for name, each in tables.items() for key, value in each.items()}
        | {"events_per_s": first["events_per_s"], "peak_mb": first["peak_mb"]},
    )  # fmt: skip


def _figures(told: Mapping[str, Any]) -> dict[str, float]:
    return {
        "events": told["events"],
        "seconds": round(told["seconds"], 1),
        "events_per_s": round(told["events"] / told["seconds"]),
        "python_us_per_event": round(told["cpu_s"] / told["events"] * 1e6, 1),
        "server_us_per_event": round(told["server_cpu_s"] / told["events"] * 1e6, 1),
        "start_mb": told["start_mb"],
        "peak_mb": told["peak_mb"],
    }


def _live_through(args: argparse.Namespace, on: World, events: int) -> None:
    """Take in the events, as files of their day would bring them."""
    draw = Random(11)
    file_id, row_no = new_id(), 0
    received = datetime(2026, 12, 1, tzinfo=UTC)
    for number, batch in enumerate(_batches(on, events, draw)):
        sources = [RowSource(file_id, row_no + at, 0, 1) for at in range(1, len(batch) + 1)]
        row_no += len(batch)
        with on.database.write() as db:
            told = accruals.record(
                db, on.partner, batch, sources=sources, caller=CALLER, now=received + timedelta(seconds=number)
            )
        if any(each.outcome not in {"posted", "no_points"} for each in told):
            raise RuntimeError("The events were not accepted as a whole.")
        if number % 40 == 39:
            report.say(args, f"{on.name}: {row_no:,} events taken in")


def _batches(on: World, events: int, draw: Random) -> Iterator[list[NewAccrual]]:
    batch: list[NewAccrual] = []
    for number in range(events):
        day = _WORKDAYS[number * len(_WORKDAYS) // events]
        batch.append(
            NewAccrual(
                program_code="uniform",
                event_id=f"b{number}",
                employee_id=on.employees[number % len(on.employees)],
                event_type="HOURS",
                event_date=day,
                quantity=Decimal(draw.randrange(16, 161)) / 4,
                unit="HOUR",
                amount=None,
                currency=None,
                pay_period=None,
                job_code_override=None,
                category=None,
                reference=None,
                description=None,
            )
        )
        if len(batch) == _BATCH:
            yield batch
            batch = []
    if batch:
        yield batch


def _rule() -> dict[str, Any]:
    document: dict[str, Any] = parse_json((REPOSITORY / "rules/rulesets/aurora-air.accrual.json").read_bytes())
    return document


def with_rate() -> dict[str, Any]:
    """A tier of five years earns 1.75 points an hour instead of 1.5."""
    document = _rule()
    document["tables"]["tier"]["rows"][2][1] = "1.75"
    for case in document["cases"]:
        if case["expect"].get("points") == "10.88":
            case["expect"]["points"] = "12.69"
    return document


def _with_fact() -> dict[str, Any]:
    """Half-time employees earn half: a fact that the old version did not read."""
    document = with_rate()
    document["inputs"]["fte_pct"] = {"type": "decimal", "scale": 6, "nullable": True}
    document["let"]["share"] = {"/": [{"coalesce": [{"var": "fte_pct"}, 100]}, 100]}
    earned = document["outputs"]["points"]["expr"]["if"][2]
    earned["min"][0] = {"*": [earned["min"][0], {"var": "share"}]}
    for case in document["cases"]:
        case["given"]["fte_pct"] = None
    return document


def _draft(on: World, write: Any) -> bytes:  # noqa: ANN401 - one of the two functions above
    with on.database.write() as db:
        saved = rulesets.save(db, write(), partner_id=on.partner.id, caller=CALLER, now=datetime.now(UTC))
    return saved.version_id


def _run(on: World, version_id: bytes, events: int, *, profile: bool = False) -> dict[str, Any]:
    """Let a process of its own run the back-test; what that says of itself, once the result is checked."""
    with on.database.write() as db:
        asked = backtests.create(
            db,
            versions.version(db, version_id),
            on.partner.id,
            first_day=_DAYS[0],
            last_day=_DAYS[-1],
            caller=CALLER,
            now=datetime.now(UTC),
        )
    server_s = finished.server_cpu_s(on)
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.backtest_process"],
        input=json.dumps({"backtest": asked.public_id, "profile": profile}),
        env=on.variables,
        cwd=REPOSITORY,
        stdout=subprocess.PIPE,
        text=True,
        timeout=_TIMEOUT_S,
        check=True,
    )
    told: dict[str, Any] = json.loads(done.stdout)
    told |= {"events": events, "server_cpu_s": finished.server_cpu_s(on) - server_s}
    with on.database.read() as db:
        found = backtests.load(db, asked.id)
        stands = db.execute(select(func.sum(accrual_event.c.points_minor))).scalar_one()
    if (found.state, found.events_done) != ("done", events):
        raise RuntimeError(f"The back-test did not end well: {found.state}, {found.events_done}, {found.reason}")
    [program] = json.loads(found.summary or "{}")["programs"].values()
    if program["then_minor"] != stands or program["now_minor"] <= stands:
        raise RuntimeError(f"The back-test is wrong: {program}, and {stands} stand in the ledger.")
    return told


if __name__ == "__main__":
    main()
