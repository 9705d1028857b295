"""A file of any size is compared and processed again part by part, as the whole would be."""

from collections.abc import Iterator
from itertools import count

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from chalicelib.errors import Unprocessable
from chalicelib.files.register import trials
from chalicelib.files.register.trials import Trial
from chalicelib.files.reprocessing.differences import Compared, Rules
from chalicelib.files.trials import comparing, parting, way
from chalicelib.files.trials.comparing import NotCompared
from chalicelib.points.proof import checks
from tests.factories.files import Hub, hours, people, person
from tests.factories.rollbacks import ADMIN, available, roll_back, spend
from tests.unit.files.intake.test_trying import dump
from tests.unit.files.mending.test_mending import fix, resubmit
from tests.unit.files.reprocessing.test_reprocessing import ROWS, compare, new_rule

STORY = settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
_names = count(1)
_rates = count(2)
MANY = [f"m{at},E{at % 3 + 1},2026-11-0{at % 9 + 1},{at % 5 + 1}" for at in range(11)]


@pytest.fixture
def small(hub: Hub, monkeypatch: pytest.MonkeyPatch) -> Iterator[Hub]:
    """A hub that compares three rows at a time, and whose books agree at the end."""
    monkeypatch.setattr(parting, "PART_ROWS", 3)
    yield hub
    with hub.database.read() as db:
        assert checks.check(db) == []


def read(hub: Hub, trial: Trial) -> Trial:
    with hub.database.read() as db:
        return trials.load(db, trial.id)


def ask(hub: Hub, by: Rules = "latest", name: str = "file.csv") -> Trial:
    file = hub.file(name)
    return hub.database.run(lambda db: comparing.request(db, file, hub.partner, by, caller=ADMIN, now=hub.clock()))


def worked(hub: Hub, trial: Trial) -> Trial:
    """The trial as the workers end it."""
    way.announce(trial)
    hub.drain()
    return read(hub, trial)


def compared(hub: Hub, by: Rules = "latest", name: str = "file.csv") -> Trial:
    return worked(hub, ask(hub, by, name))


def make(hub: Hub, comparison: Trial) -> Trial:
    asked = hub.database.run(
        lambda db: comparing.request_effect(db, comparison, reason="a new rate", caller=ADMIN, now=hub.clock())
    )
    return worked(hub, asked)


def told(trial: Trial) -> tuple[object, ...]:
    found = trial.found
    rows = [
        (each["row_no"], comparing.outcome_of(each["before"]), comparing.outcome_of(each["after"]))
        for each in found["differences"]
    ]
    points = {bytes.fromhex(key): tuple(pair) for key, pair in found["points"].items()}
    counts = [found[name] for name in ("rows", "differing", "newly_accepted", "newly_refused")]
    return (counts, rows, points)


def as_a_whole(found: Compared) -> tuple[object, ...]:
    counts = [found.rows, found.differing, found.newly_accepted, found.newly_refused]
    return (counts, [tuple(each) for each in found.differences], dict(found.points_minor))


class TestTheDifference:
    def test_is_that_of_the_whole_file_and_changes_nothing(self, small: Hub):
        small.process("hours", hours(*ROWS, *MANY))
        small.process("people", people(person("E2", action="T", day="2026-11-03")), name="people.csv")
        new_rule(small, "2")
        before = dump(small.database)

        for by in ("same", "latest"):
            found = compared(small, by)  # type: ignore[arg-type]
            assert (found.state, told(found)) == ("done", as_a_whole(compare(small, by)))  # type: ignore[arg-type]
        after = dump(small.database)
        assert {name: rows for name, rows in after.items() if name != "file_trial"} == {
            name: rows for name, rows in before.items() if name != "file_trial"
        }

    @STORY
    @given(
        rows=st.lists(
            st.tuples(st.integers(1, 7), st.integers(1, 4), st.integers(1, 5), st.sampled_from(["8", "2.5", "x"])),
            min_size=1,
            max_size=12,
        )
    )
    def test_of_any_rows_is_that_of_the_whole(self, small: Hub, rows: list[tuple[int, int, int, str]]):
        own = next(_names)
        name = f"{own}.csv"
        lines = [f"{own}-{event},E{who},2026-11-0{day},{hour}" for event, who, day, hour in rows]
        small.process("hours", hours(*lines), name=name)
        new_rule(small, str(next(_rates)))

        assert told(compared(small, name=name)) == as_a_whole(compare(small, name=name))

    def test_takes_corrected_rows_as_corrected(self, small: Hub):
        small.process("hours", hours(*ROWS))
        fix(small, 2, {"id": "E1", "hours": "6"})
        resubmit(small)
        new_rule(small, "2")

        assert told(compared(small)) == as_a_whole(compare(small))

    def test_is_of_files_of_accruals(self, small: Hub):
        small.process("people", people(person("E8")), name="people.csv")
        with pytest.raises(Unprocessable, match="accruals"):
            ask(small, name="people.csv")


class TestTheEffect:
    def test_is_exactly_what_was_shown(self, small: Hub):
        small.process("hours", hours(*ROWS, *MANY))
        new_rule(small, "2")
        seen = compared(small)

        made = make(small, seen)

        assert (made.state, made.found["left"]) == ("done", dict.fromkeys(seen.found["left"], 0))
        assert told(made) == told(seen)
        assert compare(small).differing == 0
        hours_of_one = 8 + sum(at % 5 + 1 for at in range(11) if at % 3 == 0)
        assert available(small, "E1") == hours_of_one * 200
        file = small.file()
        assert (file.state, file.receipt_written) == ("processed", file.receipt_revision)

    def test_happens_once(self, small: Hub):
        small.process("hours", hours(*ROWS))
        new_rule(small, "2")
        seen = compared(small)
        make(small, seen)

        with pytest.raises(NotCompared):
            make(small, read(small, seen))
        assert available(small, "E1") == 1600

    def test_leaves_what_would_end_otherwise_by_now(self, small: Hub):
        small.process("hours", hours(*ROWS))
        new_rule(small, "2")
        seen = compared(small)
        new_rule(small, "3")

        made = make(small, seen)

        assert (made.found["differing"], made.found["left"]["difference_changed"] > 0) == (0, True)
        assert available(small, "E1") == 1200

    def test_leaves_only_those_who_have_spent_what_goes(self, small: Hub, monkeypatch: pytest.MonkeyPatch):
        monkeypatch.setattr(parting, "PART_ROWS", 100)
        small.process("hours", hours("a,E1,2026-11-02,8", "b,E2,2026-11-02,8", "c,E1,2026-11-03,8"))
        spend(small, "E1", 2400)
        new_rule(small, "1")

        made = make(small, compared(small))

        assert (made.found["left"]["points_spent"], made.found["differing"]) == (2, 1)
        assert list(made.found["points"].values()) == [[3600, 3200]]
        assert (available(small, "E1"), available(small, "E2")) == (0, 800)

    def test_goes_on_where_a_handler_stopped(self, small: Hub):
        small.process("hours", hours(*MANY))
        new_rule(small, "2")
        seen = compared(small)
        asked = small.database.run(
            lambda db: comparing.request_effect(db, seen, reason="r", caller=ADMIN, now=small.clock())
        )
        left = iter([900.0, 900.0, 0.0])
        way.handle(
            small.database, {"trial": asked.public_id, "part": 0}, clock=small.clock, remaining_s=lambda: next(left)
        )
        assert read(small, asked).part == 2

        small.drain()

        assert told(read(small, asked)) == told(seen)
        assert compare(small).differing == 0

    def test_is_taken_back_with_the_file(self, small: Hub):
        small.process("hours", hours(*MANY))
        new_rule(small, "2")
        make(small, compared(small))

        roll_back(small)

        assert [available(small, each) for each in ("E1", "E2", "E3")] == [0, 0, 0]

    def test_needs_a_file_that_is_still_processed(self, small: Hub):
        small.process("hours", hours(*MANY))
        new_rule(small, "2")
        asked = ask(small)
        roll_back(small)

        found = worked(small, asked)

        assert (found.state, found.reason_code) == ("failed", "file_not_processed")
