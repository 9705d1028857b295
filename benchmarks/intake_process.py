"""``python -m benchmarks.intake_process``: one process that takes in one file, so that its memory and time are its own.

Reads ``{"key": …, "profile": false}`` on standard input, prints what the handler took as one JSON object. Its settings
come from the environment, as a worker's do.
"""

import cProfile
import json
import sys
import time
from datetime import UTC, datetime
from typing import Any

from benchmarks import report
from chalicelib.files.intake import way
from chalicelib.settings import settings
from chalicelib.storage import aws, engine

_TIME_LEFT_S = 900.0


def main() -> None:
    """Hand the file's notification to the handler and measure."""
    asked = json.loads(sys.stdin.read())
    named = {"bucket": {"name": settings().bucket("hub-in")}, "object": {"key": asked["key"]}}
    message = {"Records": [{"eventSource": "aws:s3", "eventName": "ObjectCreated:Put", "s3": named}]}
    database = engine.database()
    with database.read() as db:
        db.exec_driver_sql("SELECT 1")
    # A worker has its clients and its connection already.
    aws.client("s3").list_buckets()
    started_mb = report.own_peak_mb()

    def handle() -> None:
        way.handle(database, message, clock=lambda: datetime.now(UTC), remaining_s=lambda: _TIME_LEFT_S)

    profile = cProfile.Profile(time.process_time) if asked["profile"] else None
    started_s, started_cpu_s = time.perf_counter(), time.process_time()
    if profile is None:
        handle()
    else:
        profile.runcall(handle)
    told: dict[str, Any] = {
        "seconds": time.perf_counter() - started_s,
        "cpu_s": time.process_time() - started_cpu_s,
        "start_mb": started_mb,
        "peak_mb": report.own_peak_mb(),
        "profile": [] if profile is None else report.hottest(profile),
    }
    sys.stdout.write(json.dumps(told) + "\n")


if __name__ == "__main__":
    main()
