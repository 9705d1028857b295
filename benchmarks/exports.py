"""``python -m benchmarks.exports``: a million balances in one file: rows a second, and the most memory of the writer.

The rows lie in MariaDB, the file goes to the stand-in for S3 in parts, written by the real handler in a process of its
own: all balances, then the first delta, which has them all again and remembers them, then a delta of one in a hundred.
Before that a writer is killed by SIGKILL half-way: the one that follows it sends the same number. Each file is read
back by its layout to the last row.
"""

import json
import subprocess
import sys
import time
from datetime import UTC, date, datetime
from typing import Any, Final

from sqlalchemy import update

from benchmarks import report, world
from benchmarks.world import CALLER, World
from chalicelib.files.exporting import jobs, registry, running, writing
from chalicelib.files.exporting.jobs import ExportFile, Parameters
from chalicelib.files.exporting.writing import Written
from chalicelib.partners.account_ids import MEMBER, account_id
from chalicelib.partners.models.partners import member
from chalicelib.partners.programs import programs
from chalicelib.points.models.ledger import account, lot
from chalicelib.storage import bulk, objects
from chalicelib.storage.ids import new_ids
from local.home import REPOSITORY

_ROWS, _ROWS_QUICK = 1_000_000, 20_000
_BATCH: Final = 5_000
_CHANGED_EVERY: Final = 100
_LEASE_S: Final = 10
_TIMEOUT_S: Final = 3_600
_NAME: Final = "balances_sfcc"


def main() -> None:
    """Measure and print."""
    args = report.arguments(__doc__ or "")
    rows = _ROWS_QUICK if args.quick else _ROWS
    with world.machine() as machine:
        on = world.build(machine, "exports", members_count=1)
        on.variables["INTERLINE_FILE_LEASE_S"] = str(_LEASE_S)
        _fill(on, rows)
        full = _run(on, "full")
        first = _run(on, "delta")
        _change(on)
        tables = {"all balances": full, "the first delta": first, "a delta of one in a hundred": _run(on, "delta")}
        killed = _killed(on, full["seconds"])
    report.show(args, f"{rows:,} balances on MariaDB", tables)
    report.say(args, f"\nKilled half-way and written by the next process: {killed} rows under the same number.")
    report.finish(
        args, {f"{name.replace(' ', '_')}_{key}": value for name, of in tables.items() for key, value in of.items()}
    )


def _fill(on: World, rows: int) -> None:
    """Members with a balance each, written as finished rows: how they came about is another benchmark's matter."""
    now, day = datetime.now(UTC), date(2026, 1, 1)
    with on.database.read() as db:
        [program] = programs.of_partner(db, on.partner.id).values()
    common = {"partner_id": on.partner.id, "created_at": now, "changed_at": now}
    for start in range(0, rows, _BATCH):
        ids, lots = new_ids(_BATCH), new_ids(_BATCH)
        people = [
            {
                **common,
                "id": each,
                "employee_id": f"X{start + number}",
                "status": "active",
                "hire_date": day,
                "effective_date": day,
                "country": "US",
                "attributes": "{}",
                "personal": b"sealed",
                "last_name_index": bytes(32),
            }
            for number, each in enumerate(ids)
        ]
        accounts = [
            {
                **common,
                "id": account_id(program.id, MEMBER, each),
                "program_id": program.id,
                "kind": MEMBER,
                "owner_id": each,
                "credits_posted": 1_000 + number,
                "entry_no": 1,
            }
            for number, each in enumerate(ids)
        ]
        earned = [
            {
                "id": of_lot,
                "partner_id": on.partner.id,
                "account_id": each["id"],
                "expires_on": date(2030, 12, 31),
                "amount_minor": each["credits_posted"],
                "remaining_minor": each["credits_posted"],
            }
            for of_lot, each in zip(lots, accounts, strict=True)
        ]
        with on.database.write() as db:
            bulk.insert(db, member, people)
            bulk.insert(db, account, sorted(accounts, key=lambda row: row["id"]))
            bulk.insert(db, lot, earned)


def _change(on: World) -> None:
    """One balance in a hundred gets another version."""
    of_some = account.c.credits_posted % _CHANGED_EVERY == 0
    with on.database.write() as db:
        db.execute(update(account).where(account.c.kind == MEMBER, of_some).values(entry_no=2))


def _ask(on: World, mode: registry.Mode) -> ExportFile:
    wanted = Parameters(mode, datetime.now(UTC).date())
    export = registry.export_named(_NAME)
    return on.database.run(
        lambda db: jobs.request(db, export, None, wanted, request_key=None, caller=CALLER, now=datetime.now(UTC))
    )[0]


def _run(on: World, mode: registry.Mode) -> dict[str, Any]:
    file = _ask(on, mode)
    started = time.monotonic()
    told = json.loads(_process(on).communicate(_message(file), timeout=_TIMEOUT_S)[0])
    took_s = time.monotonic() - started
    ended, read_s = _read_back(on, file)
    return {
        "rows": ended.rows or 0,
        "seconds": round(took_s, 1),
        "rows_per_s": round((ended.rows or 0) / took_s),
        "mb_of_file": round((ended.size_bytes or 0) / 1e6, 1),
        "start_mb": told["start_mb"],
        "peak_mb": told["peak_mb"],
        "read_back_s": round(read_s, 1),
    }


def _killed(on: World, whole_s: float) -> int:
    """Kill a writer half-way and let another one go on; how many rows the file then has."""
    file = _ask(on, "full")
    process = _process(on)
    if process.stdin is None:
        raise RuntimeError("The writer takes no message.")
    process.stdin.write(_message(file))
    process.stdin.close()
    time.sleep(whole_s / 2)
    process.kill()
    process.wait()
    with on.database.read() as db:
        numbered = jobs.load(db, file.id).file_seq
    time.sleep(_LEASE_S)
    _process(on).communicate(_message(file), timeout=_TIMEOUT_S)
    ended, _ = _read_back(on, file)
    there = [found.key for found in objects.list_under(running.bucket(), f"_commerce-cloud/{_NAME}/")]
    if ended.file_seq != numbered or len(there) != ended.file_seq:
        raise RuntimeError(f"Number {numbered} became {ended.file_seq}, and there are {len(there)} files.")
    return ended.rows or 0


def _process(on: World) -> subprocess.Popen[str]:
    """A worker that waits for its message."""
    return subprocess.Popen(
        [sys.executable, "-m", "benchmarks.exports_process"],
        cwd=REPOSITORY,
        env=on.variables,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )


def _message(file: ExportFile) -> str:
    return json.dumps({"export": file.public_id})


def _read_back(on: World, file: ExportFile) -> tuple[ExportFile, float]:
    """The written export, once every row of it was read by its layout."""
    with on.database.read() as db:
        ended = jobs.load(db, file.id)
    if ended.state != "written" or ended.object_key is None or ended.as_of is None:
        raise RuntimeError(f"The export is {ended.state}: {ended.reason}")
    started = time.monotonic()
    found = Written(0, ended.as_of)
    with objects.open_range(running.bucket(), ended.object_key) as source:
        rows = sum(1 for _ in writing.read(registry.export_named(_NAME).layout, source, found))
    if (rows, found.sha256) != (ended.rows, ended.sha256):
        raise RuntimeError("The file is not what is noted of it.")
    return ended, time.monotonic() - started


if __name__ == "__main__":
    main()
