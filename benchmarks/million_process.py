"""``python -m benchmarks.million_process``: one process that takes in a file, or goes on with it, until it is killed.

Reads ``{"message": …, "log": …}`` on standard input. Before each slice it adds a line to the log: seconds of the
system's monotonic clock, CPU seconds of this process and the database server, and its peak memory in MB. The last line
says ``done``.
"""

import json
import sys
import time
from datetime import UTC, datetime
from pathlib import Path

from benchmarks import report
from chalicelib.files.intake import way
from chalicelib.settings import settings
from chalicelib.storage import aws, engine

#: More than the reserve, so that no slice is put off to another message.
_TIME_LEFT_S = 900.0


def main() -> None:
    """Hand the message to the handler, as a worker does."""
    asked = json.loads(sys.stdin.read())
    database = engine.database()
    server = None
    with database.read() as db:
        if engine.is_mysql(db):
            server = int(Path(db.exec_driver_sql("SELECT @@pid_file").scalar_one()).read_text())
    # A worker has its clients and its connection already.
    aws.client("s3").list_buckets()
    slice_rows = settings().slice_rows if engine.is_mysql(database.engine) else settings().slice_rows_sqlite
    with Path(asked["log"]).open("w", buffering=1) as log:
        log.write(f"slices {slice_rows}\n")

        def remaining_s() -> float:
            # The handler asks before each slice whether it has time for one.
            cpu_s = time.process_time() + (0.0 if server is None else report.cpu_s(server))
            log.write(f"{time.monotonic():.4f} {cpu_s:.4f} {report.own_peak_mb()}\n")
            return _TIME_LEFT_S

        way.handle(database, asked["message"], clock=lambda: datetime.now(UTC), remaining_s=remaining_s)
        log.write(f"done 0 {report.own_peak_mb()}\n")


if __name__ == "__main__":
    main()
