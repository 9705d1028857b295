"""Exports for tests: asked for, written and read back through the functions that the hub itself uses."""

from datetime import UTC, date, datetime
from itertools import count
from typing import Any, NamedTuple

from sqlalchemy.engine import Connection

from chalicelib.access.caller import Caller
from chalicelib.files.exporting import jobs, registry, running, writing
from chalicelib.files.exporting.jobs import ExportFile, Parameters
from chalicelib.files.exporting.writing import Written
from chalicelib.partners.directory import Partner
from chalicelib.storage import objects
from chalicelib.storage.engine import Database
from tests.factories import partners

NOW = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)
CALLER = Caller("usr_00000000000000000000000003", "test-exports")
_numbers = count(1)


class Sent(NamedTuple):
    """A finished export, and the rows that its receiver reads."""

    file: ExportFile
    rows: list[dict[str, Any]]


def terminate(db: Connection, partner: Partner, employee_id: str, last_day: date) -> None:
    """The roster says that somebody leaves."""
    row = partners.roster_row(employee_id, action="T", term_date=last_day, effective_date=last_day)
    partners.apply_rows(db, partner, [row])


def ask(
    database: Database,
    name: str,
    partner: Partner | None = None,
    *,
    mode: registry.Mode = "full",
    day: date | None = None,
    period: tuple[date, date] | None = None,
    reference: str | None = None,
    request_key: str | None = None,
    now: datetime = NOW,
) -> ExportFile:
    """Ask for an export."""
    key = request_key or f"test {next(_numbers)}"
    wanted = Parameters(mode, day or now.date(), period, reference)
    return database.run(
        lambda db: jobs.request(
            db, registry.export_named(name), partner, wanted, request_key=key, caller=CALLER, now=now
        )
    )[0]


def finish(database: Database, file: ExportFile, *, now: datetime = NOW) -> Sent:
    """Let a worker write it, and read what is there."""
    running.handle(database, {"export": file.public_id}, clock=lambda: now)
    with database.read() as db:
        ended = jobs.load(db, file.id)
    return Sent(ended, read_back(ended) if ended.state == "written" else [])


def write(database: Database, name: str, partner: Partner | None = None, *, now: datetime = NOW, **asked: Any) -> Sent:
    """Ask for an export and have it written."""
    return finish(database, ask(database, name, partner, now=now, **asked), now=now)


def read_back(file: ExportFile) -> list[dict[str, Any]]:
    """The rows of a written export; what is noted of it is what it is."""
    assert file.object_key is not None
    assert file.as_of is not None
    found = Written(0, NOW)
    with objects.open_range(running.bucket(), file.object_key) as source:
        rows = list(writing.read(registry.export_named(file.export).layout, source, found))
    noted = (file.file_seq, file.as_of, file.rows, file.control_sum, file.size_bytes, file.sha256)
    assert noted == (found.file_seq, found.as_of, found.rows, found.control_sum, found.size_bytes, found.sha256)
    return rows
