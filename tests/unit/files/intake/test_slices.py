"""Slices, checkpoints and turns: a file goes on where it was left, once, and no two of a partner go at a time."""

from datetime import timedelta

import pytest
from sqlalchemy import select, update

from chalicelib.files.intake import applying, arrivals, way
from chalicelib.files.models.files import inbound_file
from chalicelib.files.register import turns
from chalicelib.files.register.refusals import TurnLost
from chalicelib.points.models.ledger import accrual_event
from chalicelib.settings import Settings, settings
from chalicelib.storage import objects
from tests.factories.files import Hub, hours, people, person, received


@pytest.fixture
def tiny_slices(monkeypatch: pytest.MonkeyPatch) -> None:
    """Three rows a slice, on both engines."""
    small = Settings.model_validate(settings().model_dump() | {"slice_rows": 3, "slice_rows_sqlite": 3})
    monkeypatch.setattr("chalicelib.files.intake.applying.settings", lambda: small)


TEN = [f"{number},E{1 + number % 3},2026-11-{1 + number:02},8" for number in range(10)]


def event_rows(hub: Hub) -> list[tuple[str, int]]:
    """Event ids and row numbers."""
    with hub.database.read() as db:
        rows = db.execute(select(accrual_event.c.event_id, accrual_event.c.row_no).order_by(accrual_event.c.row_no))
        return [tuple(row) for row in rows]


class TestSlices:
    @pytest.mark.usefixtures("tiny_slices")
    def test_a_file_is_applied_slice_by_slice(self, hub: Hub):
        file = hub.process("hours", hours(*TEN))

        assert (file.state, file.slice_no, file.next_row) == ("processed", 4, 11)
        assert event_rows(hub) == [(str(number), number + 1) for number in range(10)]

    @pytest.mark.usefixtures("tiny_slices")
    def test_a_handler_that_runs_out_of_time_sends_the_file_on(self, hub: Hub):
        left = iter([900, 900, 10])
        message = hub.drop("hours", hours(*TEN))
        hub.remaining_s = 900

        way.handle(hub.database, message, clock=hub.clock, remaining_s=lambda: next(left))

        file = hub.file()
        assert (file.state, file.slice_no, file.lease_until) == ("applying", 2, None)
        [sent] = received()
        assert sent == {"continue": file.public_id, "slice": 2}
        hub.handle(sent)
        assert hub.file().state == "processed"
        assert [row for _, row in event_rows(hub)] == list(range(1, 11))

    @pytest.mark.usefixtures("tiny_slices")
    @pytest.mark.parametrize("slices", [0, 1, 3])
    def test_a_handler_that_dies_is_followed_by_another(self, hub: Hub, slices: int, monkeypatch: pytest.MonkeyPatch):
        record, done = applying.record_rows, iter(range(100))

        def dying(*arguments, **options):
            if next(done) == slices:
                raise KeyboardInterrupt
            return record(*arguments, **options)

        monkeypatch.setattr(applying, "record_rows", dying)
        message = hub.drop("hours", hours(*TEN))
        with pytest.raises(KeyboardInterrupt):
            hub.handle(message)
        monkeypatch.undo()

        hub.handle(message)
        assert hub.file().slice_no == slices
        hub.lateness = timedelta(seconds=settings().file_lease_s + 1)
        hub.handle(message)

        assert hub.file().state == "processed"
        assert [row for _, row in event_rows(hub)] == list(range(1, 11))

    def test_a_file_that_always_fails_is_given_up(self, hub: Hub, monkeypatch: pytest.MonkeyPatch):
        def failing(*_arguments, **_options):
            raise ValueError("a defect of ours")

        monkeypatch.setattr("chalicelib.files.intake.applying.record_rows", failing)
        message = hub.drop("hours", hours(*TEN))
        # The first try gets as far as the first slice: that is progress.
        for _ in range(1 + turns.ATTEMPTS_MAX):
            with pytest.raises(ValueError, match="a defect of ours"):
                hub.handle(message)

        hub.handle(message)

        file = hub.file()
        assert (file.state, file.reason_code) == ("broken", "gave_up")
        assert hub.receipt()["status"] == "broken"
        assert hub.keys("hub-reject") == ["acme/hours/file.csv"]


class TestTurns:
    def test_the_lower_rank_goes_first_then_the_earlier_arrival(self, hub: Hub, monkeypatch: pytest.MonkeyPatch):
        messages = [
            hub.drop("hours", hours("a,E1,2026-11-02,8"), name="1.csv"),
            hub.drop("hours", hours("b,E1,2026-11-02,8"), name="2.csv"),
            hub.drop("people", people(person("E9")), name="3.csv"),
        ]
        monkeypatch.setattr("chalicelib.files.intake.way._work", lambda *_arguments, **_options: None)
        for message in messages:
            hub.handle(message)
        monkeypatch.undo()

        for message in messages:
            hub.handle(message)
        hub.drain()

        finished = sorted(hub.files(), key=lambda file: file.finished_at or file.arrived_at)
        assert [file.name for file in finished] == ["3.csv", "1.csv", "2.csv"]
        assert {file.state for file in finished} == {"processed"}

    def test_while_one_file_is_held_no_other_of_the_partner_is(self, hub: Hub):
        one, two = self.registered(hub, "one.csv"), self.registered(hub, "two.csv")

        with hub.database.write() as db:
            held = turns.take(db, one, now=hub.clock())
        with hub.database.write() as db:
            assert held is not None
            assert turns.take(db, one, now=hub.clock()) is None
            assert turns.take(db, two, now=hub.clock()) is None

    def test_a_lapsed_lease_is_taken_over_and_its_holder_can_write_no_more(self, hub: Hub):
        file_id = self.registered(hub, "one.csv")
        with hub.database.write() as db:
            lost = turns.take(db, file_id, now=hub.clock())
        hub.lateness = timedelta(seconds=settings().file_lease_s + 1)
        with hub.database.write() as db:
            taken = turns.take(db, file_id, now=hub.clock())

        assert lost is not None
        assert taken is not None
        with hub.database.write() as db, pytest.raises(TurnLost):
            turns.write(db, lost, {"state": "checked"}, now=hub.clock())
        with hub.database.write() as db:
            assert turns.write(db, taken, {"state": "checked"}, now=hub.clock()).file.state == "checked"

    def test_a_slice_is_compared_before_it_is_set(self, hub: Hub):
        file_id = self.registered(hub, "one.csv")
        with hub.database.write() as db:
            turn = turns.take(db, file_id, now=hub.clock())
            db.execute(update(inbound_file).values(slice_no=7))

        assert turn is not None
        with hub.database.write() as db, pytest.raises(TurnLost):
            turns.write(db, turn, {}, now=hub.clock(), slice_no=6)

    def registered(self, hub: Hub, name: str) -> bytes:
        """A file that nobody has worked on."""
        hub.drop("hours", hours(f"{name},E1,2026-11-02,8"), name=name)
        found = objects.head(arrivals.inbox(), f"acme/hours/{name}")
        assert found is not None
        return arrivals.register_object(hub.database, arrivals.inbox(), found, now=hub.clock()).id
