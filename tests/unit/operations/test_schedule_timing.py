"""When a job is due next, and how late it was."""

from datetime import UTC, datetime, timedelta

import pytest

from chalicelib.access.heartbeats import Heartbeat
from chalicelib.operations import schedules
from chalicelib.operations.schedules import Ended, Schedule, Timing

NOW = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)
NIGHTLY = Schedule("nightly", "cron(0 2 * * ? *)", "A test.")
OFTEN = Schedule("often", "rate(5 minutes)", "A test.")
TWO = NOW.replace(hour=2)
TOMORROW = TWO + timedelta(days=1)


def ended(by_clock: datetime | None = None, by_hand: datetime | None = None) -> Ended:
    """A job that ended then."""
    beats = (None if at is None else Heartbeat("job", at, ok=True) for at in (by_clock, by_hand))
    return Ended(*beats)


def seconds(number: int) -> timedelta:
    return timedelta(seconds=number)


class TestAJobOfATimeOfDay:
    @pytest.mark.parametrize(
        ("last", "drift_s"),
        [
            (ended(TWO + seconds(7)), 7),
            (ended(TWO + timedelta(hours=3)), 3 * 3600),
            # Last night's run did not come, and nobody made up for it.
            (ended(TWO - timedelta(days=1)), 10 * 3600),
            (ended(TWO - timedelta(days=1), TWO + timedelta(hours=1)), 3600),
            # Another run by hand does not make the clock late.
            (ended(TWO + seconds(7), NOW), 7),
            (ended(None, NOW), 10 * 3600),
            (ended(None, TWO - timedelta(days=1)), 10 * 3600),
        ],
    )
    def test_is_as_late_as_its_first_end_after_it_was_due(self, last: Ended, drift_s: int):
        assert schedules.timing(NIGHTLY, last, now=NOW) == Timing(TOMORROW, drift_s)

    def test_that_never_ran_is_due_and_not_late(self):
        assert schedules.timing(NIGHTLY, None, now=NOW) == Timing(TOMORROW, None)


class TestAJobOfARate:
    @pytest.mark.parametrize(
        ("last", "next_in", "drift_s"),
        [
            (ended(NOW - seconds(60)), 240, 0),
            (ended(NOW - seconds(300)), 300, 0),
            (ended(NOW - seconds(310)), 290, 10),
            (ended(NOW - seconds(3601)), 299, 3301),
            (ended(NOW - seconds(3600), NOW - seconds(3000)), 300, 300),
        ],
    )
    def test_is_due_so_much_time_after_it_ended(self, last: Ended, next_in: int, drift_s: int):
        assert schedules.timing(OFTEN, last, now=NOW) == Timing(NOW + seconds(next_in), drift_s)

    def test_that_the_clock_never_ran_is_due_nobody_knows_when(self):
        assert schedules.timing(OFTEN, None, now=NOW) == Timing(None, None)
        assert schedules.timing(OFTEN, ended(None, NOW), now=NOW) == Timing(None, None)


class TestTheLatestEnd:
    def test_is_the_clocks_or_a_persons(self):
        assert ended(TWO, NOW).latest.at == NOW
        assert ended(NOW, TWO).latest.at == NOW
        assert ended(TWO).latest.at == TWO
