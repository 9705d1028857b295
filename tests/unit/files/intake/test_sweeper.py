"""What an event lost is found again, and what waits for a sidecar gets it or is refused."""

from datetime import timedelta

import pytest
from sqlalchemy import update

from chalicelib.files.intake import arrivals, sweeper
from chalicelib.files.models.files import inbound_file
from chalicelib.settings import settings
from tests.factories.files import Hub, hours, hours_layout, make_hub, notification, people, person, received

ROW = "a,E1,2026-11-02,8"


class TestSweeper:
    def test_finds_an_object_whose_event_was_lost(self, hub: Hub):
        hub.drop("hours", hours(ROW), name="november 1+2 (ü).csv")
        hub.lateness = timedelta(minutes=2)

        swept = sweeper.sweep(hub.database, clock=hub.clock)
        hub.drain()

        assert (swept.objects, swept.files) == (1, 0)
        assert hub.file("november 1+2 (ü).csv").state == "processed"

    def test_leaves_alone_what_has_just_arrived_and_what_is_temporary(self, hub: Hub):
        hub.drop("hours", hours(ROW))
        assert sweeper.sweep(hub.database, clock=hub.clock).objects == 0
        hub.drop("hours", hours(ROW), name="b.tmp")
        hub.lateness = timedelta(minutes=2)

        assert sweeper.sweep(hub.database, clock=hub.clock).objects == 1

    def test_finds_a_file_whose_handler_died(self, hub: Hub, monkeypatch: pytest.MonkeyPatch):
        def dying(*_arguments, **_options):
            raise KeyboardInterrupt

        monkeypatch.setattr("chalicelib.files.intake.applying.apply_rows", dying)
        with pytest.raises(KeyboardInterrupt):
            hub.handle(hub.drop("hours", hours(ROW)))
        monkeypatch.undo()
        hub.lateness = timedelta(minutes=2)
        assert sweeper.sweep(hub.database, clock=hub.clock).files == 0

        hub.lateness = timedelta(seconds=settings().file_lease_s + 1)
        assert sweeper.sweep(hub.database, clock=hub.clock).files == 1
        hub.drain()

        assert hub.file().state == "processed"

    def test_finds_a_receipt_that_was_not_written_again(self, hub: Hub, monkeypatch: pytest.MonkeyPatch):
        hub.process("hours", hours("a,E9,2026-11-02,8"), name="early.csv")
        monkeypatch.setattr("chalicelib.files.rows.retrying.files_to_answer", lambda _holding: [])
        hub.process("people", people(person("E9")), name="roster.csv")
        monkeypatch.undo()
        assert hub.receipt("early.csv")["rows_accepted"] == 0
        hub.lateness = timedelta(minutes=2)

        assert sweeper.sweep(hub.database, clock=hub.clock).files == 1
        hub.drain()

        assert hub.receipt("early.csv")["rows_accepted"] == 1
        assert sweeper.sweep(hub.database, clock=hub.clock).files == 0

    def test_finds_nothing_where_all_is_well(self, hub: Hub):
        hub.process("hours", hours(ROW))
        hub.lateness = timedelta(hours=2)

        assert sweeper.sweep(hub.database, clock=hub.clock) == sweeper.Swept(0, 0)
        assert received() == []


@pytest.mark.usefixtures("aws")
class TestSidecar:
    @pytest.fixture
    def hub(self, database) -> Hub:
        control = {"kind": "sidecar", "required": True, "column": "hours"}
        return make_hub(database, hours_layout(control=control))

    @pytest.mark.parametrize("name", ["file.ctl", "file.csv.ctl", "FILE.CTL"])
    def test_may_come_after_its_file(self, hub: Hub, name: str):
        hub.process("hours", hours(ROW))
        assert hub.file().state == "waiting"

        if name == "FILE.CTL":
            hub.handle(hub.drop("hours", b'{"rows": 1, "sum": "8"}', name=name))
            assert hub.file().state == "waiting"
            return
        hub.handle(hub.drop("hours", b'{"rows": 1, "sum": "8"}', name=name))

        assert (hub.file().state, hub.file().control_source) == ("processed", "sidecar")
        assert hub.keys("hub-in") == []
        assert f"acme/{(hub.file().sha256 or b'').hex()}.ctl" in hub.keys("hub-archive")

    def test_may_come_before_its_file(self, hub: Hub):
        hub.handle(hub.drop("hours", b'{"rows": 1, "sum": 8.0}', name="file.ctl"))

        assert hub.process("hours", hours(ROW)).state == "processed"

    @pytest.mark.parametrize(
        ("sidecar", "code"),
        [
            (b'{"rows": 2, "sum": "8"}', "control_mismatch"),
            (b'{"rows": 1, "sum": "9"}', "control_mismatch"),
            (b'{"rows": 1, "sum": "8", "sha256": "' + b"0" * 64 + b'"}', "control_mismatch"),
            (b'{"rows": 1}', "bad_sidecar"),
            (b'{"rows": "1", "sum": "8"}', "bad_sidecar"),
            (b"rows: 1", "bad_sidecar"),
            (b"[1, 8]", "bad_sidecar"),
        ],
    )
    def test_that_does_not_fit_refuses_the_file(self, hub: Hub, sidecar: bytes, code: str):
        hub.handle(hub.drop("hours", sidecar, name="file.ctl"))

        file = hub.process("hours", hours(ROW))

        assert (file.state, file.reason_code) == ("quarantined", code)
        assert hub.keys("hub-reject") == ["acme/hours/file.csv", "acme/hours/file.ctl"]
        assert hub.keys("hub-in") == []

    def test_is_not_waited_for_for_ever(self, hub: Hub):
        hub.process("hours", hours(ROW))
        hub.lateness = timedelta(minutes=2)
        assert sweeper.sweep(hub.database, clock=hub.clock).files == 0

        hub.lateness = timedelta(seconds=settings().sidecar_wait_s + 61)
        assert sweeper.sweep(hub.database, clock=hub.clock).files == 1
        hub.drain()

        assert (hub.file().state, hub.file().reason_code) == ("quarantined", "control_missing")

    def test_that_is_replaced_meanwhile_is_read_anew(self, hub: Hub, monkeypatch: pytest.MonkeyPatch):
        hub.drop("hours", b'{"rows": 1, "sum": "8"}', name="file.ctl")
        sidecar_of = arrivals.sidecar_of

        def replaced_meanwhile(file):
            found = sidecar_of(file)
            if hub.read("hub-in", "acme/hours/file.ctl").endswith(b"}"):
                hub.drop("hours", b'{"rows": 1, "sum": "8"}\n', name="file.ctl")
            return found

        monkeypatch.setattr(arrivals, "sidecar_of", replaced_meanwhile)
        file = hub.process("hours", hours(ROW))

        assert (file.state, file.rows_accepted) == ("processed", 1)
        assert hub.keys("hub-in") == []

    def test_whose_event_was_lost_is_found(self, hub: Hub):
        hub.process("hours", hours(ROW))
        hub.drop("hours", b'{"rows": 1, "sum": "8"}', name="file.ctl")
        hub.lateness = timedelta(minutes=2)

        assert sweeper.sweep(hub.database, clock=hub.clock).objects == 1
        hub.drain()

        assert hub.file().state == "processed"

    def test_a_waiting_file_lets_others_pass(self, hub: Hub):
        hub.process("hours", hours(ROW), name="waits.csv")
        hub.handle(hub.drop("hours", b'{"rows": 1, "sum": "7"}', name="goes.ctl"))

        assert hub.process("hours", hours("b,E1,2026-11-03,7"), name="goes.csv").state == "processed"
        assert hub.file("waits.csv").state == "waiting"


class TestSidecarAlone:
    """A sidecar that no file asks for: its sender is told after a day, and not before."""

    def swept(self, hub: Hub, seconds: int) -> int:
        hub.lateness = timedelta(seconds=seconds)
        found = sweeper.sweep(hub.database, clock=hub.clock).objects
        hub.drain()
        return found

    def test_is_set_aside_with_a_receipt_after_a_day(self, hub: Hub):
        hub.handle(hub.drop("hours", b'{"rows": 1, "sum": "8"}', name="file.ctl"))

        assert self.swept(hub, arrivals.SIDECAR_ALONE_S - 60) == 0
        assert (hub.files(), hub.keys("hub-in")) == ([], ["acme/hours/file.ctl"])
        assert self.swept(hub, arrivals.SIDECAR_ALONE_S + 60) == 1

        file = hub.file("file.ctl")
        assert (file.state, file.reason_code, file.rank) == ("quarantined", "sidecar_alone", None)
        assert file.partner_id == hub.partner.id
        assert file.finished_at is not None
        receipt = hub.receipt("file.ctl")
        assert receipt["reason"] == "This sidecar came 24 hours ago and no data file of its name asked for it."
        assert (hub.keys("hub-in"), hub.keys("hub-reject")) == ([], ["acme/hours/file.ctl"])
        assert self.swept(hub, arrivals.SIDECAR_ALONE_S + 180) == 0

    def test_is_also_one_whose_layout_asks_for_none(self, hub: Hub):
        hub.handle(hub.drop("hours", b"{}", name="file.ctl"))
        hub.process("hours", hours(ROW))

        assert self.swept(hub, arrivals.SIDECAR_ALONE_S + 60) == 1
        assert hub.file("file.ctl").reason_code == "sidecar_alone"

    def test_is_none_whose_file_is_still_in_work(self, hub: Hub):
        hub.handle(hub.drop("hours", b"{}", name="file.ctl"))
        hub.handle(hub.drop("hours", hours(ROW)))
        with hub.database.write() as db:
            db.execute(update(inbound_file).values(state="applying", finished_at=None, changed_at=hub.clock()))
        hub.lateness = timedelta(seconds=arrivals.SIDECAR_ALONE_S + 60)

        hub.handle(notification("acme/hours/file.ctl"))

        assert [file.name for file in hub.files()] == ["file.csv"]
