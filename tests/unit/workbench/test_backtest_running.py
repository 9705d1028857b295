"""How a back-test gets through the workers: in slices, by one handler at a time, whatever dies on the way."""

import json
from datetime import timedelta
from decimal import Decimal

import pytest
from sqlalchemy import func, insert, select, update
from sqlalchemy.exc import DBAPIError

from chalicelib.errors import Conflict
from chalicelib.rules.models import ruleset_version
from chalicelib.settings import settings
from chalicelib.storage import aws
from chalicelib.storage.tables import metadata
from chalicelib.workbench import backtests as room
from chalicelib.workbench import leases, running
from chalicelib.workbench.models import backtest, backtest_member
from chalicelib.workbench.reading import looking
from tests.factories import backtests, partners, rules
from tests.factories.backtests import NOW
from tests.factories.points import event, record
from tests.faults.tripwire import Crash, Tripwire, armed

pytestmark = pytest.mark.usefixtures("aws")


@pytest.fixture
def _in_small_slices(monkeypatch):
    """A slice has about two accounts of two events each."""
    monkeypatch.setattr(running, "SLICE_EVENTS", 3)
    monkeypatch.setattr(running, "_BATCH_ACCOUNTS_FIRST", 1)
    monkeypatch.setattr(running, "_BATCH_EVENTS", 2)


@pytest.fixture
def past(database, earning):
    """Nine members with two events each, and a draft under which one event in two is refused."""
    with database.write() as db:
        people = ["E1", *partners.make_members(db, earning.partner, 8)]
        events = [event(employee_id=who, quantity=Decimal(hours)) for who in people for hours in (13, 8)]
        record(db, earning.partner, events)
        gap = {"-": [{"var": "quantity"}, 13]}
        output = {
            "type": "decimal",
            "scale": 2,
            "rounding": "half_up",
            "expr": {"/": [{"*": [{"var": "quantity"}, 2, gap]}, gap]},
        }
        draft = rules.accrual_document(f"{earning.partner.code}.accrual", rate="2")
        return earning, backtests.draft(db, earning.partner.id, {**draft, "outputs": {"points": output}})


def waiting(database, past):
    earning, draft = past
    return backtests.asked(database, earning.partner.id, draft)


def loaded(database, asked):
    with database.read() as db:
        return room.load(db, asked.id)


def handle(database, asked):
    running.handle(database, {"backtest": asked.public_id}, clock=lambda: NOW, remaining_s=lambda: 900.0)


def result(database, done):
    """What a back-test found, without what names it."""
    with database.read() as db:
        rows = db.execute(select(backtest_member).where(backtest_member.c.backtest_id == done.id)).all()
    members = sorted(tuple(row)[1:] for row in rows)
    return done.state, done.events_done, done.data_hash, done.result_hash, members, json.loads(done.summary)


def messages():
    """What waits in the queue of back-tests, taken off it."""
    client = aws.client("sqs")
    url = client.get_queue_url(QueueName=settings().queue("backtests"))["QueueUrl"]
    found = client.receive_message(QueueUrl=url, MaxNumberOfMessages=10).get("Messages", [])
    for message in found:
        client.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
    return [json.loads(message["Body"]) for message in found]


class TestSlices:
    def test_leave_no_trace_in_the_result(self, database, past, monkeypatch):
        whole = backtests.finish(database, waiting(database, past))
        monkeypatch.setattr(running, "SLICE_EVENTS", 3)
        monkeypatch.setattr(running, "_BATCH_ACCOUNTS_FIRST", 1)
        monkeypatch.setattr(running, "_BATCH_EVENTS", 2)

        sliced = backtests.finish(database, waiting(database, past))

        assert sliced.slice_no > whole.slice_no + 3
        assert result(database, sliced) == result(database, whole)

    @pytest.mark.usefixtures("_in_small_slices")
    def test_go_on_by_a_message_when_the_handlers_time_ends(self, database, past):
        asked = waiting(database, past)
        left = iter([900.0, 900.0, 900.0, 1.0])

        stopped = backtests.finish(database, asked, remaining_s=lambda: next(left))

        assert (stopped.state, stopped.lease_until, stopped.attempts) == ("running", None, 0)
        assert 0 < stopped.events_done < stopped.events_total
        [message] = messages()
        assert message == {"backtest": asked.public_id, "slice": 3}
        running.handle(database, message, clock=lambda: NOW, remaining_s=lambda: 900.0)
        done = loaded(database, asked)
        assert (done.state, done.events_done) == ("done", 18)

    @pytest.mark.usefixtures("_in_small_slices")
    def test_of_a_message_that_came_late_are_not_done_again(self, database, past):
        asked = waiting(database, past)
        left = iter([900.0, 900.0, 1.0])
        stopped = backtests.finish(database, asked, remaining_s=lambda: next(left))

        late = {"backtest": asked.public_id, "slice": 1}
        running.handle(database, late, clock=lambda: NOW, remaining_s=lambda: 900.0)

        assert loaded(database, asked) == stopped


class TestDying:
    @pytest.mark.usefixtures("_in_small_slices")
    def test_anywhere_and_being_run_again_gives_the_same_result(self, database, past):
        expected = result(database, backtests.finish(database, waiting(database, past)))
        counting, counted = Tripwire(), waiting(database, past)
        with armed(counting, database):
            handle(database, counted)
        seams = len(counting.crossed)
        assert seams > 100

        for seam in range(1, seams + 1, 5):
            asked = waiting(database, past)
            with armed(Tripwire(seam), database), pytest.raises(Crash):
                handle(database, asked)
            # Its lease lapses, and the sweeper finds it.
            later = NOW + timedelta(seconds=leases.LEASE_S + 1)
            done = backtests.finish(database, asked, clock=lambda: later)  # noqa: B023 - called at once
            assert result(database, done) == expected, f"it died at seam {seam}"

    def test_too_often_without_progress_gives_it_up(self, database, past):
        asked = waiting(database, past)
        with database.write() as db:
            db.execute(update(backtest).values(attempts=leases.ATTEMPTS_MAX))

        given_up = backtests.finish(database, asked)

        assert (given_up.state, given_up.reason_code, given_up.lease_until) == ("failed", "gave_up", None)

    def test_of_a_version_that_does_not_compile_fails_by_name(self, database, past):
        asked = waiting(database, past)
        with database.write() as db:
            other = backtests.draft(db, past[0].partner.id, rules.accrual_document(f"{past[0].partner.code}.accrual"))
            broken = json.dumps({**{name: other.document[name] for name in ("id", "kind", "owner", "why")}})
            version_id = b"v" * 16
            row = db.execute(select(ruleset_version).where(ruleset_version.c.id == other.version_id)).one()
            db.execute(
                insert(ruleset_version),
                {**row._mapping, "id": version_id, "number": 99, "content": broken, "content_hash": b"h" * 32},
            )
            db.execute(update(backtest).values(version_id=version_id))

        failed = backtests.finish(database, asked)

        assert failed.state == "failed"
        assert "outputs" in failed.reason


class TestOneHandlerAtATime:
    def test_another_leaves_it_alone_while_the_lease_holds(self, database, past):
        asked = waiting(database, past)
        with database.write() as db:
            assert leases.take(db, asked.id, slice_no=None, now=NOW) is not None

        assert backtests.finish(database, asked).state == "running"

    def test_who_lost_the_lease_writes_nothing(self, database, past):
        asked = waiting(database, past)
        with database.write() as db:
            held = leases.take(db, asked.id, slice_no=None, now=NOW)
        later = NOW + timedelta(seconds=leases.LEASE_S + 1)
        with database.write() as db:
            assert leases.take(db, asked.id, slice_no=None, now=later) is not None

        with pytest.raises(leases.LeaseLost), database.write() as db:
            leases.write(db, held, {"events_done": 7}, now=later)

        assert loaded(database, asked).events_done == 0

    def test_the_same_slice_is_written_once(self, database, past):
        asked = waiting(database, past)
        with database.write() as db:
            held = leases.take(db, asked.id, slice_no=None, now=NOW)
            leases.write(db, held, {"events_done": 2}, now=NOW)

        with pytest.raises(leases.LeaseLost), database.write() as db:
            leases.write(db, held, {"events_done": 2}, now=NOW)


class TestCancelling:
    @pytest.mark.usefixtures("_in_small_slices")
    def test_stops_the_handler_at_its_next_slice(self, database, past):
        asked = waiting(database, past)
        slices = iter(range(100))

        def remaining_s():
            if next(slices) == 3:
                with database.write() as db:
                    room.cancel(db, loaded(database, asked), caller=backtests.CALLER, now=NOW)
            return 900.0

        stopped = backtests.finish(database, asked, remaining_s=remaining_s)

        assert (stopped.state, stopped.lease_until) == ("cancelled", None)
        assert (stopped.data_hash, stopped.result_hash) == (None, None)
        assert 0 < stopped.events_done < 18

    def test_twice_is_once(self, database, past):
        asked = waiting(database, past)
        for _ in range(2):
            with database.write() as db:
                assert room.cancel(db, asked, caller=backtests.CALLER, now=NOW).state == "cancelled"

    def test_what_has_ended_is_refused(self, database, past):
        done = backtests.finish(database, waiting(database, past))
        with pytest.raises(Conflict, match="done"), database.write() as db:
            room.cancel(db, done, caller=backtests.CALLER, now=NOW)


class TestSweeping:
    def test_sends_a_message_for_what_nobody_works_on(self, database, past):
        asked = waiting(database, past)
        later = NOW + timedelta(minutes=1)

        assert running.sweep(database, clock=lambda: later) == 1

        assert messages() == [{"backtest": asked.public_id, "slice": 0}]

    def test_leaves_alone_what_is_new_held_or_ended(self, database, past):
        later = NOW + timedelta(minutes=1)
        backtests.finish(database, waiting(database, past))
        held = waiting(database, past)
        with database.write() as db:
            assert leases.take(db, held.id, slice_no=None, now=later) is not None
        assert running.sweep(database, clock=lambda: later + timedelta(seconds=40)) == 0
        waiting(database, past)
        assert running.sweep(database, clock=lambda: NOW) == 0


class TestReadOnly:
    def test_no_other_table_is_touched(self, database, past):
        def others():
            with database.read() as db:
                return {
                    name: db.execute(select(table)).all()
                    for name, table in metadata.tables.items()
                    if not name.startswith("backtest")
                }

        asked = waiting(database, past)
        before = others()

        assert backtests.finish(database, asked).state == "done"

        assert others() == before

    def test_the_database_refuses_to_write_while_the_past_is_read(self, database):
        table = metadata.tables["heartbeat"]
        write = insert(table).values(name="x", at=NOW, ok=True)
        with looking(database) as db:
            db.execute(select(func.count()).select_from(table))
            # MySQL says it in the words of a server that has become a reader.
            with pytest.raises(DBAPIError, match=r"(?i)read.?only"):
                db.execute(write)
        with database.write() as db:
            db.execute(write)
            assert db.execute(select(func.count()).select_from(table)).scalar_one() == 1
