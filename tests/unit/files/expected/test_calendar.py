"""When files are due, by the partner's clock, and to which delivery a moment belongs."""

from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from chalicelib.files.expected.calendar import Delivery, deliveries
from chalicelib.partners.onboarding.expected_files import ExpectedFile

EVERYWHERE = ZoneInfo("UTC")
NEW_YORK = ZoneInfo("America/New_York")


def expected(**changes: Any) -> ExpectedFile:
    given = {"layout": "hours", "since": "2026-01-01", "due": "06:00", "grace_minutes": 60}
    return ExpectedFile.model_validate(given | changes)


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def found(after: str, until: str, *, zone: ZoneInfo = EVERYWHERE, **changes: Any) -> list[Delivery]:
    return deliveries(expected(**changes), zone, since=at(after), until=at(until))


class TestDeliveries:
    def test_of_every_day_are_parted_half_way(self):
        one, two = found("2026-11-10T00:00", "2026-11-11T12:00")

        assert (one.due_at, one.deadline_at) == (at("2026-11-10T06:00"), at("2026-11-10T07:00"))
        assert one.closes_at == two.opens_at == at("2026-11-10T18:00")

    def test_follow_the_partners_clock_over_the_change_of_time(self):
        due = [each.due_at for each in found("2026-10-31T00:00", "2026-11-01T12:00", zone=NEW_YORK)]

        # On the first of November the clocks went back.
        assert due[-2:] == [at("2026-10-31T10:00"), at("2026-11-01T11:00")]

    def test_come_on_the_given_days_only(self):
        weekly = found("2026-11-01T00:00", "2026-11-14T12:00", weekdays=["mon", "thu"])
        monthly = found("2026-01-15T00:00", "2026-03-30T00:00", month_days=[31])

        assert [each.due_at.day for each in weekly if each.due_at < at("2026-11-14T00:00")] == [2, 5, 9, 12]
        assert [(each.due_at.month, each.due_at.day) for each in monthly] == [(1, 31), (2, 28), (3, 31)]

    def test_do_not_begin_before_the_file_is_expected(self):
        late = found("2026-11-01T00:00", "2026-11-20T12:00", since="2026-11-19")

        assert [each.due_at.day for each in late] == [19, 20]

    @pytest.mark.parametrize("changes", [{"grace_minutes": 2880}, {"grace_minutes": 0}, {"weekdays": ["mon", "tue"]}])
    def test_cover_every_moment_once(self, changes: dict[str, Any]):
        each_day = found("2026-11-01T00:00", "2026-11-20T00:00", **changes)

        assert [one.closes_at for one in each_day[:-1]] == [two.opens_at for two in each_day[1:]]
        assert all(one.opens_at <= one.due_at <= one.deadline_at <= one.closes_at for one in each_day)
        assert all(one.closes_at - one.opens_at <= timedelta(days=8) for one in each_day)
