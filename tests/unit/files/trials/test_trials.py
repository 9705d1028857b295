"""Files of any size are tried part by part: what is told is what the whole would come to, and nothing is kept."""

from datetime import timedelta
from decimal import Decimal
from itertools import count
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import func, select

from chalicelib.errors import Unprocessable
from chalicelib.files.intake import arrivals, sweeper, trying
from chalicelib.files.models.files import file_row, inbound_file
from chalicelib.files.register import trials
from chalicelib.files.register.trials import Trial, TrialBegun
from chalicelib.files.trials import parting, validating, way
from chalicelib.points.models.ledger import accrual_event, transfer
from chalicelib.storage import objects
from tests.factories.files import Hub, hours, make_hub, people, people_layout, person, received
from tests.factories.house_rows import line
from tests.factories.partners import CALLER
from tests.factories.shared_layouts import agree, content

STORY = settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
_names = count(1)


@pytest.fixture
def small(hub: Hub, monkeypatch: pytest.MonkeyPatch) -> Hub:
    """A hub that tries three rows at a time."""
    monkeypatch.setattr(parting, "PART_ROWS", 3)
    return hub


def ask(hub: Hub, text: str, *, layout: str = "hours", name: str = "big.csv") -> Trial:
    """A trial whose content is put and that is begun; no worker has heard of it."""
    with hub.database.write() as db:
        asked, upload = validating.request(
            db, hub.partner, layout, name, size_bytes=len(text), caller=CALLER, now=hub.clock()
        )
        objects.put(arrivals.inbox(), upload.object_key, text.encode())
        return trials.begin(db, asked.id, now=hub.clock())


def read(hub: Hub, trial: Trial) -> Trial:
    with hub.database.read() as db:
        return trials.load(db, trial.id)


def tried(hub: Hub, text: str, *, layout: str = "hours", name: str = "big.csv") -> Trial:
    """The trial as it ends."""
    trial = ask(hub, text, layout=layout, name=name)
    way.announce(trial)
    hub.drain()
    return read(hub, trial)


def at_once(hub: Hub, text: str, layout: str = "hours") -> dict[str, Any]:
    """What the trial of the same file in one transaction says."""
    with hub.database.write() as db:
        found = trying.attempt(db, hub.partner, layout, text.encode(), name="big.csv", sidecar=None, now=hub.clock())
    columns = ("rows_total", *validating.SUMMED, "control_in", "control_unreadable", "state", "reason_code")
    points = {code: (each["events"], Decimal(each["points_posted"])) for code, each in found.points.items()}
    errors = [(row.row_no, row.code, row.column_name) for row in found.errors]
    return {"points": points, "errors": errors, **{name: getattr(found.file, name) for name in columns}}


def told(trial: Trial) -> dict[str, Any]:
    """The same of a trial by parts."""
    found = trial.found
    columns = ("rows_total", *validating.SUMMED, "control_in", "control_unreadable", "state", "reason_code")
    points = {code: (each["events"], Decimal(each["points_posted"])) for code, each in found["points"].items()}
    errors = [(each["row_no"], each["code"], each["column"]) for each in found["errors"]]
    return {"points": points, "errors": errors, **{name: found["file"].get(name) for name in columns}}


TEN = hours(
    *(f"e{at},E{at % 3 + 1},2026-11-0{at},8" for at in range(1, 7)),
    "e1,E2,2026-11-01,8",
    "e7,E9,2026-11-07,8",
    "e2,E2,2026-11-09,x",
    "e1,E3,2026-11-01,8",
)


class TestATrial:
    def test_says_what_the_whole_file_would_come_to(self, small: Hub):
        expected = at_once(small, TEN)

        found = tried(small, TEN)

        assert (found.state, found.parts, found.part) == ("done", 4, 5)
        assert told(found) == expected
        assert expected["rows_rejected"] == 3

    def test_keeps_nothing(self, small: Hub):
        tried(small, TEN)

        with small.database.read() as db:
            for table in (inbound_file, file_row, accrual_event, transfer):
                assert db.execute(select(func.count()).select_from(table)).scalar_one() == 0
        assert small.keys("hub-in") == []

    @STORY
    @given(
        rows=st.lists(
            st.tuples(st.integers(1, 6), st.integers(1, 4), st.integers(1, 5), st.sampled_from(["8", "2.5", "x"])),
            min_size=1,
            max_size=14,
        )
    )
    def test_of_any_rows_is_that_of_the_whole(self, small: Hub, rows: list[tuple[int, int, int, str]]):
        text = hours(*(f"e{own},E{who},2026-11-0{day},{hour}" for own, who, day, hour in rows))

        assert told(tried(small, text, name=f"{next(_names)}.csv")) == at_once(small, text)

    def test_goes_on_where_a_handler_stopped(self, small: Hub):
        trial = ask(small, TEN)
        left = iter([900.0, 900.0, 0.0])
        way.handle(
            small.database, {"trial": trial.public_id, "part": 0}, clock=small.clock, remaining_s=lambda: next(left)
        )
        assert (read(small, trial).part, read(small, trial).state) == (2, "working")

        small.drain()

        assert told(read(small, trial)) == at_once(small, TEN)

    def test_that_nobody_heard_of_is_found_by_the_sweeper(self, small: Hub):
        trial = ask(small, TEN)
        sweeper.sweep(small.database, clock=small.clock, grace_s=0)
        assert {"trial": trial.public_id, "part": 0} in received()

    def test_that_nobody_begins_leaves_no_content(self, small: Hub):
        ask(small, TEN)
        sweeper.sweep(small.database, clock=small.clock)
        assert len(small.keys("hub-in")) == 1

        small.lateness = timedelta(days=1, minutes=1)
        sweeper.sweep(small.database, clock=small.clock)
        assert small.keys("hub-in") == []

    def test_is_worked_on_by_one_handler(self, small: Hub):
        trial = ask(small, TEN)
        with small.database.write() as db:
            held = trials.take(db, trial.id, part=None, now=small.clock())
            assert held is not None
            assert trials.take(db, trial.id, part=None, now=small.clock()) is None
            with pytest.raises(TrialBegun):
                trials.begin(db, trial.id, now=small.clock())

    def test_is_given_up_after_so_many_takings(self, small: Hub):
        trial = ask(small, TEN)
        with small.database.write() as db:
            for _ in range(trials.ATTEMPTS_MAX + 1):
                held = trials.take(db, trial.id, part=None, now=small.clock())
                assert held is not None
                trials.release(db, held, blameless=False, now=small.clock())
        assert (read(small, trial).state, read(small, trial).reason_code) == ("failed", "gave_up")


class TestAFileThatIsNotTried:
    def test_is_refused_as_intake_would_refuse_it(self, small: Hub):
        found = tried(small, hours("e1,E1,2026-11-01,8", trailer="#TRAILER,2,8"))
        assert (found.state, told(found)["state"], told(found)["reason_code"]) == (
            "done",
            "quarantined",
            "control_mismatch",
        )

    def test_is_a_duplicate_where_it_was_sent_before(self, small: Hub):
        sent = small.process("hours", TEN)
        found = tried(small, TEN)
        assert (told(found)["state"], found.found["file"]["duplicate_of"]) == ("duplicate", sent.id.hex())

    def test_was_not_put(self, small: Hub):
        trial = ask(small, TEN)
        objects.delete(arrivals.inbox(), trial.object_key or "")
        way.announce(trial)
        small.drain()
        assert (read(small, trial).state, read(small, trial).reason_code) == ("failed", "object_gone")

    def test_has_too_many_rows_that_share_ids(self, small: Hub, monkeypatch: pytest.MonkeyPatch):
        monkeypatch.setattr(parting, "_SHARING_ROWS_MAX", 2)
        found = tried(small, TEN)
        assert (found.state, found.reason_code) == ("failed", "too_large_to_try")

    def test_is_of_customers_who_depend_on_one_another(self, small: Hub):
        with small.database.write() as db:
            agree(db, small.partner.id, "customers", house=True)
            with pytest.raises(Unprocessable) as refusal:
                validating.request(
                    db, small.partner, "customers", "f.csv", size_bytes=1, caller=CALLER, now=small.clock()
                )
        assert refusal.value.code == "too_large_to_try"


class TestOtherFiles:
    def test_of_people_are_tried(self, small: Hub):
        text = people(person("E8"), person("E9"), person("E9"), person("E1", action="T"), person("E7", day="never"))
        assert told(tried(small, text, layout="people")) == at_once(small, text, "people")

    def test_of_documents_are_tried_with_all_rows_of_a_document_together(self, small: Hub):
        with small.database.write() as db:
            agree(db, small.partner.id, "orders")
        text = content("orders", *(line(at, f"W-{at % 3}") for at in range(1, 9)), line(1, "W-1", currency="USD"))
        expected = at_once(small, text, "orders")

        assert told(tried(small, text, layout="orders")) == expected
        assert expected["rows_rejected"] == 1


@pytest.mark.usefixtures("aws")
def test_a_snapshot_is_tried_at_once_only(database):
    staff = people_layout(id="acme.staff", name="staff", rank=11, mode="snapshot", terminate_share_max="0.5")
    hub = make_hub(database, staff)
    with hub.database.write() as db, pytest.raises(Unprocessable) as refusal:
        validating.request(db, hub.partner, "staff", "f.csv", size_bytes=1, caller=CALLER, now=hub.clock())
    assert refusal.value.code == "too_large_to_try"
