"""``python -m benchmarks.exports_process``: one process that writes the export which its standard input names.

Prints its peak memory in MB, before it begins and at its end.
"""

import json
import sys
from datetime import UTC, datetime

from benchmarks import report
from chalicelib.files.exporting import registry, running
from chalicelib.storage import aws, engine


def main() -> None:
    """Hand the message to the worker's function."""
    message = json.loads(sys.stdin.read())
    database = engine.database()
    with database.read() as db:
        db.exec_driver_sql("SELECT 1")
    # A worker has its clients and its connection already.
    aws.client("s3").list_buckets()
    registry.exports()
    begun_mb = report.own_peak_mb()
    running.handle(database, message, clock=lambda: datetime.now(UTC))
    print(json.dumps({"start_mb": begun_mb, "peak_mb": report.own_peak_mb()}))


if __name__ == "__main__":
    main()
