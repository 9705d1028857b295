"""A file that is due on certain days of the month if they are certain days of the week is missed, too."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from chalicelib.files.expected.calendar import deliveries
from chalicelib.partners.onboarding.expected_files import ExpectedFile


@pytest.mark.parametrize("day", range(1, 32))
def test_each_rare_day_is_a_delivery(day: int):
    expected = ExpectedFile(
        layout="hours", since="2020-01-01", due="06:00", weekdays=["fri"], month_days=[day], grace_minutes=60
    )
    for week in range(0, 120, 4):
        now = datetime(2026, 11, 22, 12, tzinfo=UTC) + timedelta(weeks=week)
        found = deliveries(expected, ZoneInfo("Europe/Paris"), since=now - timedelta(days=40), until=now)
        assert any(each.opens_at <= now < each.closes_at for each in found)


def test_friday_the_thirteenth():
    expected = ExpectedFile(layout="hours", since="2026-01-01", due="06:00", weekdays=["fri"], month_days=[13])
    now = datetime(2026, 11, 22, 12, tzinfo=UTC)
    found = deliveries(expected, ZoneInfo("UTC"), since=now - timedelta(days=40), until=now)
    assert datetime(2026, 11, 13, 6, tzinfo=UTC) in [each.due_at for each in found]
