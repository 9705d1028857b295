"""``python -m benchmarks.million``: a million accrual rows in one file, killed three times on the way.

The real handler in a process of its own, with validation, rules, ledger, lots and outbox. It is killed by SIGKILL at
three random moments; a new process goes on from the checkpoint. At the end every row is there once. Printed: rows a
second by slice from the first to the last, by the clock and by the CPU of process and server, their slopes, and the
most memory that any of the processes had. On MariaDB the very rows that it wrote are then loaded into empty copies
of the tables, slice by slice, by LOAD DATA alone: the slope of that is the server's own, whose indexes grow.
"""

import argparse
import itertools
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from random import SystemRandom
from statistics import linear_regression, mean, median, quantiles
from typing import Any, Final

from sqlalchemy import func, select

from benchmarks import finished, intake_file, report, world
from benchmarks.intake_file import LAYOUT, ROWS_PER_EMPLOYEE, Timesheet
from benchmarks.world import World
from chalicelib.files.models.files import file_row, inbound_file
from chalicelib.files.register.register import InboundFile, of_row
from chalicelib.files.rows import conserving
from chalicelib.points.models.ledger import accrual_event, transfer
from chalicelib.points.proof import checks
from chalicelib.settings import settings
from chalicelib.storage import objects
from local.home import REPOSITORY

_ROWS, _ROWS_QUICK = 1_000_000, 30_000
_KILLS: Final = 3
#: A server that is made for so many rows: what they become is two gigabytes, and more with its indexes.
_BUFFER_POOL_MB: Final = 6_144
_REDO_LOG_MB: Final = 2_048
_KILL_DELAY_MAX_S: Final = 1.0
_LEASE_S: Final = 10
_POLL_S: Final = 0.1
_TIMEOUT_S: Final = 7_200
_PARTS: Final = 10


@dataclass(slots=True)
class Run:
    """What the processes said: seconds of each whole slice by its place in the file, and the most memory of any.

    ``cpu_s`` is the CPU of the process and of the database server together: other programs do not change it.
    """

    slice_rows: int = 0
    seconds: list[float] = field(default_factory=list)
    cpu_s: list[float] = field(default_factory=list)
    peak_mb: float = 0.0
    killed_at: list[int] = field(default_factory=list)

    def read(self, log: Path) -> None:
        """Take over what one process wrote; a slice that was cut short is left out."""
        first, *lines = log.read_text().splitlines()
        self.slice_rows = int(first.split()[1])
        marks = [line.split() for line in lines if len(line.split()) == 3]
        self.peak_mb = max([self.peak_mb, *(float(mark[2]) for mark in marks)])
        begun = [(float(at), float(cpu)) for at, cpu, _ in marks if at != "done"]
        self.seconds += [after - before for (before, _), (after, _) in itertools.pairwise(begun)]
        self.cpu_s += [after - before for (_, before), (_, after) in itertools.pairwise(begun)]


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help=f"{_ROWS_QUICK:,} rows")
    parser.add_argument("--json", action="store_true", help="print one JSON object of named figures")
    parser.add_argument("--database", choices=("mariadb", "sqlite"), default="mariadb")
    args = parser.parse_args()
    rows = _ROWS_QUICK if args.quick else _ROWS
    server = world.machine(buffer_pool_mb=_BUFFER_POOL_MB, redo_log_mb=_REDO_LOG_MB)
    with server as machine, tempfile.TemporaryDirectory(prefix="interline-bench-") as name:
        folder = Path(name)
        sqlite_in = folder if args.database == "sqlite" else None
        on = world.build(machine, "million", members_count=rows // ROWS_PER_EMPLOYEE, sqlite_in=sqlite_in)
        file = intake_file.timesheet(on.employees, "by_employee")
        objects.put(settings().bucket("hub-in"), f"{world.PARTNER}/{LAYOUT}/million.csv", file.content)
        started = time.monotonic()
        run = _take_in(args, on, folder, file.rows)
        took_s = time.monotonic() - started
        _require_every_row_once(on, file)
        figures = _figures(run, file.rows, took_s)
        if sqlite_in is None:
            figures |= _limit(on, folder, run, file.rows)
    report.show(args, f"{file.rows:,} rows on {args.database}, killed at rows {run.killed_at}", figures)
    report.finish(args, {f"{args.database}_{name}": of["figure"] for name, of in figures.items()})


def _take_in(args: argparse.Namespace, on: World, folder: Path, rows: int) -> Run:
    """Let processes work on the file one after the other, all but the last until they are killed."""
    draw, run = SystemRandom(), Run()
    kills = sorted(draw.randrange(rows // 20, rows * 19 // 20) for _ in range(_KILLS))
    named = {
        "bucket": {"name": settings().bucket("hub-in")},
        "object": {"key": f"{world.PARTNER}/{LAYOUT}/million.csv"},
    }
    message: dict[str, Any] = {"Records": [{"eventSource": "aws:s3", "eventName": "ObjectCreated:Put", "s3": named}]}
    for number, kill_at in enumerate([*kills, None]):
        log = folder / f"{number}.log"
        process = subprocess.Popen(
            [sys.executable, "-m", "benchmarks.million_process"],
            stdin=subprocess.PIPE,
            env=on.variables | {"INTERLINE_FILE_LEASE_S": str(_LEASE_S)},
            cwd=REPOSITORY,
            text=True,
        )
        if process.stdin is None:
            raise RuntimeError("The process has no standard input.")
        with process.stdin as given:
            given.write(json.dumps({"message": message, "log": str(log)}))
        if kill_at is None:
            if process.wait(_TIMEOUT_S):
                raise RuntimeError("The last process failed.")
        else:
            _wait_for_row(on, process, log, kill_at)
            time.sleep(draw.uniform(0, _KILL_DELAY_MAX_S))
            process.kill()
            process.wait()
            found = _file(on)
            run.killed_at.append(found.next_row)
            message = {"continue": found.public_id}
            report.say(args, f"killed before row {found.next_row:,}, state {found.state}")
            # Its lease has to end before another process may take the file.
            time.sleep(_LEASE_S + 1)
        run.read(log)
    return run


def _wait_for_row(on: World, process: subprocess.Popen[str], log: Path, row: int) -> None:
    """Until the file is past the row and this process has begun a slice of its own."""
    deadline = time.monotonic() + _TIMEOUT_S
    while time.monotonic() < deadline:
        if process.poll() is not None:
            raise RuntimeError("The process ended before it was killed.")
        with on.database.read() as db:
            done = db.execute(select(inbound_file.c.next_row)).scalar_one_or_none()
        if done is not None and done > row and log.exists() and len(log.read_text().splitlines()) > 1:
            return
        time.sleep(_POLL_S)
    raise TimeoutError(f"Row {row} was not reached.")


def _file(on: World) -> InboundFile:
    with on.database.read() as db:
        return of_row(db.execute(select(inbound_file)).one())


def _require_every_row_once(on: World, file: Timesheet) -> None:
    """Raises RuntimeError unless each row has one outcome, each event one transfer, and the ledger adds up."""
    found = _file(on)
    told = (found.state, found.rows_total, found.rows_accepted, found.rows_rejected, found.rows_ignored)
    if told != ("processed", file.rows, file.accepted, file.rejected, file.ignored):
        raise RuntimeError(f"The file was not taken in as it should be: {told}, {found.reason}")
    with on.database.read() as db:
        columns = accrual_event.c
        stored = db.execute(
            select(func.count(), func.count(columns.row_no.distinct()), func.sum(columns.row_no)).where(
                columns.source_file_id == found.id
            )
        ).one()
        kept = db.execute(select(file_row.c.row_no, file_row.c.row_to).where(file_row.c.file_id == found.id)).all()
        posted = db.execute(select(func.count()).where(transfer.c.kind == "accrual")).scalar_one()
        earning = db.execute(select(func.count()).where(columns.outcome == "posted")).scalar_one()
        broken = [*conserving.breaks(db, found), *checks.check(db)]
    others = [number for run in kept for number in range(run.row_no, run.row_to + 1)]
    once = stored[0] == stored[1] == file.accepted and len(others) == file.rows - file.accepted
    if not once or int(stored[2]) + sum(others) != file.rows * (file.rows + 1) // 2 or posted != earning:
        raise RuntimeError(f"Rows are missing or there twice: {stored}, {len(others)} others, {posted}, {earning}")
    if broken:
        raise RuntimeError(f"The ledger does not add up: {broken[:3]}")


def _figures(run: Run, rows: int, took_s: float) -> dict[str, dict[str, Any]]:
    rates = [run.slice_rows / each for each in run.seconds]
    low, *_, high = quantiles(rates, n=20)
    found: dict[str, Any] = {
        "rows_per_s_with_kills_and_waits": round(rows / took_s),
        "rows_per_s_median_slice": round(median(rates)),
        "rows_per_s_p5_slice": round(low),
        "rows_per_s_p95_slice": round(high),
        "by_tenth_of_the_file": _by_tenth(rates),
        "slope_pct": _slope_pct(rates),
        "rows_per_cpu_s_by_tenth": _by_tenth([run.slice_rows / each for each in run.cpu_s]),
        "cpu_slope_pct": _slope_pct([run.slice_rows / each for each in run.cpu_s]),
        "peak_mb": run.peak_mb,
        "kills": len(run.killed_at),
    }
    return {name: {"figure": value} for name, value in found.items()}


def _limit(on: World, folder: Path, run: Run, rows: int) -> dict[str, dict[str, Any]]:
    """What LOAD DATA of the finished rows does over the same slices."""
    # The server writes the dumps.
    folder.chmod(0o777)
    slices = finished.dump(on, folder, rows=rows, slice_rows=run.slice_rows)
    # The last slice may be short.
    each_s = finished.load(on, slices).slices_cpu_s[: rows // run.slice_rows]
    rates = [run.slice_rows / each for each in each_s]
    return {
        "load_of_finished_rows_per_cpu_s_by_tenth": {"figure": _by_tenth(rates)},
        "load_of_finished_rows_cpu_slope_pct": {"figure": _slope_pct(rates)},
        "load_of_finished_rows_share_of_cpu": {"figure": round(sum(each_s) / sum(run.cpu_s), 2)},
    }


def _slope_pct(rates: Sequence[float]) -> float:
    """Of the line through all slices: how much faster (or, below zero, slower) the last is than the first."""
    slope, _ = linear_regression(range(len(rates)), rates)
    return round(100 * slope * (len(rates) - 1) / mean(rates), 1)


def _by_tenth(rates: Sequence[float]) -> str:
    return " ".join(f"{median(part):.0f}" for part in _in_parts(rates))


def _in_parts(rates: Sequence[float]) -> list[Sequence[float]]:
    bounds = [len(rates) * part // _PARTS for part in range(_PARTS + 1)]
    return [rates[since:until] for since, until in itertools.pairwise(bounds) if until > since]


if __name__ == "__main__":
    main()
