"""The way of a file: from the notification to receipt, archive and an empty inbox."""

import gzip

import pytest
from sqlalchemy import select

from chalicelib.files.register.register import load
from chalicelib.files.rows import conserving
from chalicelib.partners.members.members import by_employee
from chalicelib.points.models.ledger import accrual_event, transfer
from tests.factories.files import Hub, hours, notification, people, person

TWO_ROWS = hours("a,E1,2026-11-02,8", "b,E2,2026-11-02,7.5", trailer="#TRAILER,2,15.5")


class TestProcessing:
    def test_posts_the_points_of_every_row(self, hub: Hub):
        file = hub.process("hours", TWO_ROWS)

        assert (file.state, file.rows_total, file.rows_accepted) == ("processed", 2, 2)
        assert (file.control_in, file.control_accepted, file.control_source) == (15_500_000, 15_500_000, "trailer")
        with hub.database.read() as db:
            assert sorted(db.execute(select(transfer.c.amount_minor)).scalars()) == [1125, 1200]

    def test_answers_with_a_receipt(self, hub: Hub):
        hub.process("hours", TWO_ROWS)

        receipt = hub.receipt()
        assert (receipt["status"], receipt["layout_version"]) == ("processed", "acme.hours/1")
        assert (receipt["control_in"], receipt["control_applied"]) == ("15.5", "15.5")
        assert (receipt["points_in"], receipt["points_posted"]) == ("23.25", "23.25")
        assert (receipt["ruleset_version"], receipt["rejects"]) == ("acme.accrual/1", None)

    def test_moves_the_original_to_the_archive_under_its_digest(self, hub: Hub):
        file = hub.process("hours", TWO_ROWS)

        assert hub.keys("hub-in") == []
        assert hub.read("hub-archive", f"acme/{(file.sha256 or b'').hex()}.csv") == TWO_ROWS.encode()

    def test_keeps_a_compressed_file_expanded_too(self, hub: Hub):
        packed = gzip.compress(TWO_ROWS.encode(), mtime=0)

        file = hub.process("hours", packed, name="file.csv.gz")

        digest = (file.sha256 or b"").hex()
        assert (file.state, file.compressed, file.rows_accepted) == ("processed", True, 2)
        assert hub.read("hub-archive", f"acme/{digest}.original") == packed
        assert hub.read("hub-archive", f"acme/{digest}.csv") == TWO_ROWS.encode()

    def test_stores_where_each_event_stands_in_the_file(self, hub: Hub):
        hub.process("hours", TWO_ROWS)

        with hub.database.read() as db:
            event = db.execute(select(accrual_event).where(accrual_event.c.event_id == "b")).one()
        assert event.row_no == 2
        place = slice(event.byte_offset, event.byte_offset + event.byte_length)
        assert TWO_ROWS.encode()[place] == b"b,E2,2026-11-02,7.5\n"

    def test_hires_whom_a_roster_names(self, hub: Hub):
        file = hub.process("people", people(person("E9")))

        assert (file.state, file.rows_accepted) == ("processed", 1)
        with hub.database.read() as db:
            assert by_employee(db, hub.partner.id, ["E9"])["E9"].status == "active"

    def test_reads_a_key_with_blanks_and_plus_signs(self, hub: Hub):
        file = hub.process("hours", TWO_ROWS, name="november 1+2 (ü).csv")

        assert file.state == "processed"
        assert hub.receipt("november 1+2 (ü).csv")["status"] == "processed"


class TestMessages:
    def test_acknowledges_the_test_event_and_other_buckets(self, hub: Hub):
        hub.handle({"Event": "s3:TestEvent", "Bucket": "hub-in"})
        hub.handle(notification("acme/hours/a.csv", bucket="hub-out"))

        assert hub.files() == []

    def test_acknowledges_an_object_that_is_gone(self, hub: Hub):
        hub.handle(notification("acme/hours/never.csv"))

        assert hub.files() == []

    def test_acknowledges_a_continuation_of_no_file(self, hub: Hub):
        hub.handle({"continue": "fil_00000000000000000000000000", "slice": 0})

        assert hub.files() == []

    @pytest.mark.parametrize("name", ["a.csv.tmp", "a.filepart", "A.CSV.TMP", "a.csv.part", "a.partial"])
    def test_leaves_temporary_names_alone(self, light_hub: Hub, name: str):
        light_hub.handle(light_hub.drop("hours", TWO_ROWS, name=name))

        assert light_hub.files() == []
        assert light_hub.keys("hub-in") == [f"acme/hours/{name}"]


class TestConservation:
    def test_a_file_that_loses_a_row_is_not_processed(self, hub: Hub, monkeypatch: pytest.MonkeyPatch):
        monkeypatch.setattr("chalicelib.files.rows.tallies.Tally.accept", lambda _tally, _amount: None)

        file = hub.process("hours", TWO_ROWS)

        assert (file.state, file.reason_code) == ("broken", "not_conserved")
        assert hub.receipt()["status"] == "broken"
        assert hub.keys("hub-reject") == ["acme/hours/file.csv"]

    def test_every_planted_break_is_found(self, hub: Hub):
        hub.process("hours", hours("a,E1,2026-11-02,8", "b,nobody,2026-11-02,7.5", "c,E1,2026-11-03,-"))
        file = hub.file()
        with hub.database.read() as db:
            assert conserving.breaks(db, file) == []
        plants = {
            "UPDATE inbound_file SET rows_accepted = 2": "rows with an outcome",
            "UPDATE inbound_file SET control_in = 1": "control sum read",
            "DELETE FROM file_row WHERE outcome = 'rejected'": "rejected rows counted and kept",
            "UPDATE file_row SET control_minor = 1 WHERE outcome = 'ignored'": "control sum of ignored rows",
            "DELETE FROM accrual_event": "accepted rows and stored events",
            "UPDATE transfer SET amount_minor = amount_minor - 1": "points of the events and points posted",
        }
        for statement, expected in plants.items():
            with hub.database.engine.connect() as db:
                db.info["purpose"] = "write"
                with db.begin() as planted:
                    db.exec_driver_sql(statement)
                    found = conserving.breaks(db, load(db, file.id))
                    planted.rollback()
            assert any(expected in each for each in found), (statement, found)
