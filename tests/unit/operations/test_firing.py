"""When schedules fire, and when they last did."""

from datetime import UTC, datetime, timedelta

import pytest

from chalicelib.errors import InvalidInput
from chalicelib.operations.firing import Cron, Rate, parse


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


class TestParse:
    @pytest.mark.parametrize(
        ("expression", "every"),
        [
            ("rate(1 minute)", timedelta(minutes=1)),
            ("rate(15 minutes)", timedelta(minutes=15)),
            ("rate(1 hour)", timedelta(hours=1)),
            ("rate(7 days)", timedelta(days=7)),
        ],
    )
    def test_reads_rates(self, expression: str, every: timedelta):
        assert parse(expression) == Rate(every)

    @pytest.mark.parametrize(
        ("expression", "after", "expected"),
        [
            ("cron(0 2 * * ? *)", "2026-11-20T01:59:59", "2026-11-20T02:00:00"),
            ("cron(0 2 * * ? *)", "2026-11-20T02:00:00", "2026-11-21T02:00:00"),
            ("cron(0/15 * * * ? *)", "2026-11-20T02:16:00", "2026-11-20T02:30:00"),
            ("cron(30 6,18 1 * ? *)", "2026-11-20T00:00:00", "2026-12-01T06:30:00"),
            ("cron(0 9 ? * MON-FRI *)", "2026-11-20T09:00:00", "2026-11-23T09:00:00"),  # Friday to Monday
            ("cron(0 9 ? * 1 *)", "2026-11-20T09:00:00", "2026-11-22T09:00:00"),  # 1 is Sunday
            ("cron(0 0 29 FEB ? *)", "2026-11-20T00:00:00", "2028-02-29T00:00:00"),
            ("cron(0 0 1 1 ? 2030)", "2026-11-20T00:00:00", "2030-01-01T00:00:00"),
        ],
    )
    def test_finds_the_next_time_of_a_cron(self, expression: str, after: str, expected: str):
        assert parse(expression).after(at(after)) == at(expected)

    @pytest.mark.parametrize(
        "expression",
        ["rate(0 minutes)", "rate(5 weeks)", "cron(0 2 * *)", "cron(0 2 L * ? *)", "cron(60 2 * * ? *)", "daily"],
    )
    def test_refuses_what_it_does_not_understand(self, expression: str):
        with pytest.raises(InvalidInput):
            parse(expression)

    def test_says_so_when_a_cron_never_fires(self):
        with pytest.raises(InvalidInput, match="never fires"):
            parse("cron(0 0 31 2 ? *)").after(at("2026-11-20T00:00:00"))


class TestUntil:
    @pytest.mark.parametrize(
        ("expression", "moment", "expected"),
        [
            ("cron(0 2 * * ? *)", "2026-11-20T01:59:59", "2026-11-19T02:00:00"),
            ("cron(0 2 * * ? *)", "2026-11-20T02:00:00", "2026-11-20T02:00:00"),
            ("cron(0/15 * * * ? *)", "2026-11-20T02:16:00", "2026-11-20T02:15:00"),
            ("cron(0 13 1-3 * ? *)", "2026-11-20T00:00:00", "2026-11-03T13:00:00"),
            ("cron(0 9 ? * MON-FRI *)", "2026-11-22T12:00:00", "2026-11-20T09:00:00"),  # Sunday to Friday
            ("cron(0 0 29 FEB ? *)", "2026-11-20T00:00:00", "2024-02-29T00:00:00"),
        ],
    )
    def test_finds_the_latest_time_of_a_cron(self, expression: str, moment: str, expected: str):
        cron = parse(expression)
        assert isinstance(cron, Cron)
        assert cron.until(at(moment)) == at(expected)

    def test_says_that_there_was_none(self):
        cron = parse("cron(0 0 1 1 ? 2030)")
        assert isinstance(cron, Cron)
        assert cron.until(at("2026-11-20T00:00:00")) is None
