"""``python -m benchmarks.intake``: how fast and in how much memory a file of accruals becomes points.

The real handler takes in a partner's timesheet on MariaDB: both passes, validation, layout, rules with tiers and a
monthly cap, ledger, lots, outbox, conservation, receipt. Beside it, in the same run and by turns, LOAD DATA of the
finished rows of all tables it wrote (the bound) and LOAD DATA of the raw rows into one plain table.
"""

import argparse
import json
import subprocess
import sys
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from typing import Any

from benchmarks import finished, intake_file, report, world
from benchmarks.finished import Took
from benchmarks.intake_file import LAYOUT, ROWS_PER_EMPLOYEE, Order, Timesheet
from benchmarks.world import Machine, World
from chalicelib.files.models.files import inbound_file
from chalicelib.settings import settings
from chalicelib.storage import objects
from local.home import REPOSITORY

_ROWS, _ROWS_QUICK = 200_000, 20_000
_ROUNDS = 3
_TIMEOUT_S = 3_600


@dataclass(slots=True)
class Series:
    """The rounds of one way of taking in one file; each list has one figure a round."""

    rows: int
    seconds: list[float] = field(default_factory=list)
    cpu_s: list[float] = field(default_factory=list)
    server_cpu_s: list[float] = field(default_factory=list)
    load_s: list[float] = field(default_factory=list)
    load_cpu_s: list[float] = field(default_factory=list)
    raw_s: list[float] = field(default_factory=list)
    peak_mb: float = 0.0
    profile: list[str] = field(default_factory=list)

    def figures(self) -> dict[str, float]:
        """Medians over the rounds.

        ``cpu_ratio`` compares CPU seconds of client and server together: other programs do not change it.
        """
        pairs = list(zip(self.load_s, self.seconds, strict=True))
        return {
            "rows": self.rows,
            "rows_per_s": round(self.rows / median(self.seconds)),
            "ratio_to_load_of_finished_rows": round(median(load / taken for load, taken in pairs), 3),
            "lowest_ratio": round(min(load / taken for load, taken in pairs), 3),
            "highest_ratio": round(max(load / taken for load, taken in pairs), 3),
            "cpu_ratio": round(
                median(
                    load / (own + server)
                    for load, own, server in zip(self.load_cpu_s, self.cpu_s, self.server_cpu_s, strict=True)
                ),
                3,
            ),
            "ratio_to_load_of_raw_rows": round(
                median(raw / taken for raw, taken in zip(self.raw_s, self.seconds, strict=True)), 3
            ),
            "load_rows_per_s": round(self.rows / median(self.load_s)),
            "python_us_per_row": round(median(self.cpu_s) / self.rows * 1e6, 1),
            "server_us_per_row": round(median(self.server_cpu_s) / self.rows * 1e6, 1),
            "peak_mb": self.peak_mb,
        }


def main() -> None:
    """Measure and print."""
    args = report.arguments(__doc__ or "")
    rows = _ROWS_QUICK if args.quick else _ROWS
    with world.machine() as on, tempfile.TemporaryDirectory(prefix="interline-bench-") as name:
        folder = Path(name)
        # The server writes the dumps.
        folder.chmod(0o777)
        figures = _measure(args, on, folder, rows)
    report.finish(args, figures)


def _measure(args: argparse.Namespace, on: Machine, folder: Path, rows: int) -> dict[str, Any]:
    capped = world.build(on, "capped", members_count=rows // ROWS_PER_EMPLOYEE)
    found = {
        "shuffled": _series(args, capped, folder, rows, "shuffled", rounds=2 if args.quick else _ROUNDS),
        "by_employee": _series(args, capped, folder, rows, "by_employee", rounds=1 if args.quick else _ROUNDS),
    }
    if not args.quick:
        plain = world.build(on, "plain", members_count=rows // ROWS_PER_EMPLOYEE, with_cap=False)
        found["by_employee, no cap"] = _series(args, plain, folder, rows, "by_employee", rounds=1)
    small = _series(args, capped, folder, rows // 4, "shuffled", rounds=1)
    profiled = _profiled(capped, rows)
    tables = {name: series.figures() for name, series in found.items()}
    report.show(args, f"Intake of {rows:,} rows on MariaDB", _turned(tables))
    main_series = found["shuffled"]
    report.say(
        args,
        f"\nPeak memory of the intake process: {small.peak_mb} MB for {rows // 4:,} rows, "
        f"{main_series.peak_mb} MB for {rows:,} rows.",
    )
    report.say(args, "\nWhere the intake process spends its CPU time (cProfile):\n" + "\n".join(profiled))
    report.say(args, "\n" + _limit(main_series))
    return {
        "rows": rows,
        **{f"{name.replace(', ', '_').replace(' ', '_')}_{key}": value
           for name, each in tables.items() for key, value in each.items() if key != "rows"},
        "peak_mb": main_series.peak_mb,
        "peak_mb_quarter_size": small.peak_mb,
        "ratio_to_load_of_finished_rows": tables["shuffled"]["ratio_to_load_of_finished_rows"],
        "ratio_to_load_of_raw_rows": tables["shuffled"]["ratio_to_load_of_raw_rows"],
        "rows_per_s": tables["shuffled"]["rows_per_s"],
    }  # fmt: skip


def _turned(tables: dict[str, dict[str, float]]) -> dict[str, dict[str, float]]:
    """Figures as lines and ways as columns."""
    names = next(iter(tables.values()))
    return {figure: {way: of[figure] for way, of in tables.items()} for figure in names}


def _limit(series: Series) -> str:
    own, server, wall = (median(each) for each in (series.cpu_s, series.server_cpu_s, series.seconds))
    return (
        f"What limits it: the intake process computes for {own:.1f} s and the database server for {server:.1f} s of "
        f"{wall:.1f} s, mostly by turns; the server's part alone is the work that LOAD DATA of the finished rows "
        f"({median(series.load_s):.1f} s) has too, so the interpreter's work for each row is what remains."
    )


def _series(args: argparse.Namespace, on: World, folder: Path, rows: int, order: Order, *, rounds: int) -> Series:
    file = intake_file.timesheet(on.employees[: rows // ROWS_PER_EMPLOYEE], order)
    series = Series(file.rows)
    slices: list[dict[str, Path]] = []
    for number in range(rounds):
        finished.empty(on)
        before = finished.counts(on)
        server_s = finished.server_cpu_s(on)
        told = _take_in(on, file, f"{order}-{number}.csv")
        series.server_cpu_s.append(finished.server_cpu_s(on) - server_s)
        series.seconds.append(told["seconds"])
        series.cpu_s.append(told["cpu_s"])
        series.peak_mb = max(series.peak_mb, told["peak_mb"])
        finished.require_complete(before, finished.counts(on))
        slices = finished.dump(on, folder, rows=file.rows, slice_rows=settings().slice_rows)
        server_s = finished.server_cpu_s(on)
        loaded = finished.load(on, slices)
        series.load_cpu_s.append(loaded.cpu_s + finished.server_cpu_s(on) - server_s)
        series.load_s.append(loaded.seconds)
        raw: Took = finished.load_raw(on, file.content, folder)
        series.raw_s.append(raw.seconds)
        report.say(args, f"{on.name} {order} {file.rows:,} rows: intake {told['seconds']:.1f} s, LOAD of the finished "
                         f"rows {loaded.seconds:.1f} s, of the raw rows {raw.seconds:.2f} s")  # fmt: skip
    return series


def _profiled(on: World, rows: int) -> list[str]:
    file = intake_file.timesheet(on.employees[: min(rows, _ROWS_QUICK) // ROWS_PER_EMPLOYEE], "shuffled")
    finished.empty(on)
    told = _take_in(on, file, "profiled.csv", profile=True)
    profile: list[str] = told["profile"]
    return profile


def _take_in(on: World, file: Timesheet, name: str, *, profile: bool = False) -> dict[str, Any]:
    """Drop the file and let a process of its own handle it; what that says of itself. Checks what became of it."""
    key = f"{world.PARTNER}/{LAYOUT}/{name}"
    objects.put(settings().bucket("hub-in"), key, file.content)
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.intake_process"],
        input=json.dumps({"key": key, "profile": profile}),
        env=on.variables,
        cwd=REPOSITORY,
        stdout=subprocess.PIPE,
        text=True,
        timeout=_TIMEOUT_S,
        check=True,
    )
    told: dict[str, Any] = json.loads(done.stdout)
    with on.database.read() as db:
        row = db.execute(inbound_file.select()).one()
    outcome = (row.state, row.rows_accepted, row.rows_rejected, row.rows_ignored)
    if outcome != ("processed", file.accepted, file.rejected, file.ignored):
        raise RuntimeError(f"The file was not taken in as it should be: {outcome}, {row.reason}")
    return told


if __name__ == "__main__":
    main()
