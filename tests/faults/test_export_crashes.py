"""A worker that dies at any statement, commit or call of an export, and is run again, sends one whole file a number."""

import gc
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import pytest
from moto.backends import get_backend
from moto.core import DEFAULT_ACCOUNT_ID
from sqlalchemy import delete, insert, select

from chalicelib.files.exporting import jobs, running
from chalicelib.files.exporting.jobs import ExportFile
from chalicelib.files.models.files import export_file, export_mark, export_stream
from chalicelib.storage import objects
from chalicelib.storage.engine import Database
from tests.factories import exports, points
from tests.factories.exports import NOW
from tests.faults.tripwire import Mode, Tripwire, armed
from tests.faults.world import dying

NAME = "balances_sfcc"
_TABLES = (export_file, export_stream, export_mark)
_SEAMS_MAX = 500
_SWEEPS_MAX = 10
#: Small enough for the file to go in three parts.
_PART_BYTES = 200

pytestmark = pytest.mark.filterwarnings(
    "ignore:.*(SpooledTemporaryFile|socket).*:pytest.PytestUnraisableExceptionWarning", "ignore::ResourceWarning"
)


@dataclass
class Sending:
    """A hub whose store has been sent one file, is to be sent a delta, and then another."""

    database: Database
    start: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    kept: dict[str, bytes] = field(default_factory=dict)
    lateness: timedelta = timedelta()

    def clock(self) -> datetime:
        """Now, moved by what has been waited for."""
        return NOW + self.lateness

    def remember(self) -> None:
        """This is where each run begins."""
        with self.database.read() as db:
            self.start = {table.name: [dict(row._mapping) for row in db.execute(select(table))] for table in _TABLES}
        for found in objects.list_under(running.bucket()):
            self.kept[found.key] = b"".join(objects.stream(running.bucket(), found.key))

    def restore(self) -> None:
        """The tables and the bucket as they were."""
        self.database.engine.dispose()
        with self.database.write() as db:
            for table in _TABLES:
                db.execute(delete(table))
                if self.start[table.name]:
                    db.execute(insert(table), self.start[table.name])
        self._bucket().multiparts.clear()
        for found in list(objects.list_under(running.bucket())):
            if found.key not in self.kept:
                self._bucket().keys.pop(found.key)
        self.lateness = timedelta()

    def handle(self, file: ExportFile) -> None:
        """What the worker does with the message of one export."""
        running.handle(self.database, {"export": file.public_id}, clock=self.clock)

    def settle(self) -> None:
        """Let time pass and the sweeper run until nothing is open."""
        for _ in range(_SWEEPS_MAX):
            self.lateness += timedelta(hours=1)
            files = self.files()
            open_ones = [file for file in files if file.state in jobs.OPEN]
            if not open_ones:
                return
            assert running.sweep(self.database, clock=self.clock)
            for file in open_ones:
                self.handle(file)
        raise AssertionError("The exports do not come to an end.")

    def files(self) -> list[ExportFile]:
        """Every export, as it was asked for."""
        with self.database.read() as db:
            return jobs.newest_first(db, limit=100)[::-1]

    def unfinished_uploads(self) -> int:
        """Uploads in parts that nobody completed or gave up."""
        return len(self._bucket().multiparts)

    @staticmethod
    def _bucket() -> Any:
        return get_backend("s3")[DEFAULT_ACCOUNT_ID]["aws"].get_bucket(running.bucket())


@pytest.fixture
def sending(database: Database, aws: None, monkeypatch: pytest.MonkeyPatch) -> Iterator[Sending]:
    """One delta has been sent; two more members have something since, and two exports wait."""
    monkeypatch.setattr("chalicelib.storage.objects._PART_BYTES", _PART_BYTES)
    monkeypatch.setattr("chalicelib.files.exporting.writing._BATCH_ROWS", 1)
    # moto wants parts of 5 MiB, as S3 does.
    monkeypatch.setattr("moto.s3.models.S3_UPLOAD_PART_MIN_SIZE", 1)
    with database.write() as db:
        points.earn(db, points.make_earning(db))
    exports.write(database, NAME, mode="delta")
    with database.write() as db:
        for _ in range(2):
            points.earn(db, points.make_earning(db))
    found = Sending(database)
    exports.ask(database, NAME, mode="delta")
    exports.ask(database, NAME)
    found.remember()
    yield found
    gc.collect()


@pytest.mark.parametrize("mode", ["crash", "dead"])
def test_every_number_stands_on_one_whole_file_with_every_row(record_property, sending: Sending, mode: Mode):
    survived = 0
    for number in range(1, _SEAMS_MAX):
        sending.restore()
        wire = Tripwire(number, mode)
        with dying() as died, armed(wire, sending.database):
            sending.handle(sending.files()[1])
        if not wire.tripped:
            break
        sending.database.engine.dispose()
        where = f"{mode} at seam {number}, {wire.crossed[number - 1][:90]}: {died}"

        sending.settle()

        files = sending.files()
        assert sorted(file.file_seq or 0 for file in files) == [1, 2, 3], where
        assert [file.state for file in files] == ["written"] * 3, where
        there = {found.key for found in objects.list_under(running.bucket())}
        assert there == {file.object_key for file in files}, where
        assert len(exports.read_back(files[1])) == 2, where
        assert len(exports.read_back(files[2])) == 3, where
        assert sending.unfinished_uploads() == 0, where
        # What it was told of, and only that, the store is not told of again.
        assert exports.write(sending.database, NAME, mode="delta", now=sending.clock()).file.state == "empty", where
        survived += 1
    record_property(
        "figure", f"export writer, {mode}, {sending.database.engine.dialect.name}: {survived} crash points survived"
    )
    assert survived > 40
