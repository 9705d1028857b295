"""A trial says what a file would come to, and leaves nothing behind."""

import gzip
from typing import Any

import pytest
from sqlalchemy import select

from chalicelib.errors import InvalidInput, NotFound, Unprocessable
from chalicelib.files.answers import receipts
from chalicelib.files.intake import trying
from chalicelib.files.intake.trying import Tried
from chalicelib.files.rows.tallies import OUTCOMES
from chalicelib.partners import directory
from chalicelib.storage.engine import Database
from chalicelib.storage.tables import metadata
from tests.factories.files import Hub, hours, make_hub, people, people_layout, person
from tests.factories.partners import CALLER, NOW

ROWS = ["a,E1,2026-11-02,8", "b,E9,2026-11-02,8", "c,E2,2026-11-31,7.5", "a,E1,2026-11-02,8", "e,E1,2026-11-02,-"]
DIRTY = hours(*ROWS, trailer="#TRAILER,5,31.5")


def attempt(
    hub: Hub, layout: str, content: str | bytes, *, name: str = "file.csv", sidecar: bytes | None = None
) -> Tried:
    data = content.encode() if isinstance(content, str) else content

    def work(db: Any) -> Tried:
        return trying.attempt(db, hub.partner, layout, data, name=name, sidecar=None, now=hub.clock())

    return hub.database.run(work)


def dump(database: Database) -> dict[str, list[tuple[Any, ...]]]:
    """Everything in the database."""
    with database.read() as db:
        return {
            table.name: sorted((tuple(row) for row in db.execute(select(table))), key=repr)
            for table in metadata.sorted_tables
        }


class TestTrial:
    def test_says_what_the_file_then_comes_to(self, hub: Hub):
        tried = attempt(hub, "hours", DIRTY)

        file = hub.process("hours", DIRTY)

        figures = ["state", "sha256", "rows_total", "control_in", "control_unreadable", "control_source", "header"]
        figures += [f"{kind}_{outcome}" for kind in ("rows", "control") for outcome in OUTCOMES]
        assert {name: getattr(tried.file, name) for name in figures} == {name: getattr(file, name) for name in figures}
        assert [(row.row_no, row.code) for row in tried.errors] == [(2, "unknown_member"), (3, "bad_date")]
        with hub.database.read() as db:
            assert tried.points == receipts.points_by_program(db, file)
        assert tried.points["uniform"]["points_in"] == "12.00"

    def test_writes_nothing(self, hub: Hub):
        hub.process("hours", hours("z,E1,2026-11-02,1"))
        before = dump(hub.database)

        attempt(hub, "hours", DIRTY)
        attempt(hub, "people", people(person("E9"), person("E1", day="2026-11-03")))

        assert dump(hub.database) == before
        assert hub.keys("hub-in") == []

    def test_knows_what_was_processed_before(self, hub: Hub):
        file = hub.process("hours", DIRTY)

        same = attempt(hub, "hours", DIRTY)
        more = attempt(hub, "hours", hours(ROWS[0], "f,E1,2026-11-03,1"))

        assert (same.file.state, same.file.duplicate_of) == ("duplicate", file.id)
        assert (more.file.rows_duplicate, more.file.rows_accepted) == (1, 1)
        assert more.points["uniform"]["points_in"] == "1.50"

    @pytest.mark.parametrize(
        ("content", "code"), [("nonsense", "wrong_header"), ("", "empty_file"), (DIRTY[:-3], "control_mismatch")]
    )
    def test_says_why_the_file_would_be_refused(self, light_hub: Hub, content: str, code: str):
        tried = attempt(light_hub, "hours", content)

        assert (tried.file.state, tried.file.reason_code) == ("quarantined", code)

    def test_reads_what_is_compressed(self, light_hub: Hub):
        assert attempt(light_hub, "hours", gzip.compress(DIRTY.encode())).file.rows_accepted == 1

    def test_is_bounded(self, light_hub: Hub, monkeypatch: pytest.MonkeyPatch):
        monkeypatch.setattr(trying, "ROWS_MAX", 4)
        with pytest.raises(Unprocessable, match="5 rows"):
            attempt(light_hub, "hours", DIRTY)
        monkeypatch.setattr(trying, "EXPANDED_BYTES_MAX", 100)
        bomb = gzip.compress(DIRTY.encode() * 10)
        assert attempt(light_hub, "hours", bomb).file.reason_code == "expands_too_far"

    def test_refuses_what_would_go_nowhere(self, light_hub: Hub):
        with pytest.raises(NotFound):
            attempt(light_hub, "holidays", DIRTY)
        with pytest.raises(InvalidInput):
            attempt(light_hub, "hours", DIRTY, name="file.tmp")
        with light_hub.database.write() as db:
            light_hub.partner = directory.change_status(
                db, light_hub.partner, "suspended", reason="unpaid", caller=CALLER, now=NOW
            )
        with pytest.raises(Unprocessable):
            attempt(light_hub, "hours", DIRTY)

    @pytest.mark.usefixtures("aws")
    def test_of_a_snapshot_says_who_would_leave(self, database):
        hub = make_hub(database, people_layout(mode="snapshot", terminate_share_max="0.5"))
        before = dump(database)

        tried = attempt(hub, "people", people(person("E1"), person("E2")))

        assert (tried.file.rows_absent, tried.file.rows_accepted) == (1, 2)
        assert dump(database) == before
