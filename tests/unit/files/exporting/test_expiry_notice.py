"""O10: whose points expire soon."""

from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import pytest
from sqlalchemy import select

from chalicelib.files.exporting.registry import Asked, Marks
from chalicelib.files.exports import expiry_notice
from chalicelib.files.models.files import export_mark
from chalicelib.storage.engine import Database
from tests.factories import exports, points
from tests.factories.exports import NOW
from tests.factories.points import Earning

pytestmark = pytest.mark.usefixtures("aws")
NAME = "expiry_notice"


@pytest.fixture
def earning(database: Database) -> Earning:
    """E1's points last 30 days from the day they are earned on: those of 2 November until 2 December."""
    with database.write() as db:
        made = points.make_earning(db, lots={"expires": {"days": 30}})
        points.earn(db, made)
    return made


def days(rows: list[dict[str, Any]]) -> list[tuple[date, int]]:
    return [(row["expires_on"], row["days_left"]) for row in rows]


class TestTheFile:
    def test_says_who_has_how_much_to_spend_until_when(self, database: Database, earning: Earning):
        sent = exports.write(database, NAME, earning.partner)

        assert sent.rows == [
            {
                "employee_id": "E1",
                "program_code": "uniform",
                "points": Decimal("15.00"),
                "expires_on": date(2026, 12, 2),
                "days_left": 12,
                "locale": "und-US",
            }
        ]

    def test_leaves_out_what_is_held_for_an_order(self, database: Database, earning: Earning):
        with database.write() as db:
            points.hold(db, earning, 400)

        [row] = exports.write(database, NAME, earning.partner).rows

        assert row["points"] == 11

    @pytest.mark.parametrize(
        ("now", "left"),
        [
            (NOW.replace(day=1), []),
            (NOW.replace(day=2), [30]),
            (NOW.replace(month=12, day=2), [0]),
            (NOW.replace(month=12, day=3), []),
        ],
    )
    def test_begins_thirty_days_before_and_ends_with_the_last_day(
        self, database: Database, earning: Earning, now, left: list[int]
    ):
        sent = exports.write(database, NAME, earning.partner, now=now)

        assert [row["days_left"] for row in sent.rows] == left
        assert sent.file.state == ("written" if left else "empty")

    def test_says_nothing_to_who_has_left(self, database: Database, earning: Earning):
        with database.write() as db:
            exports.terminate(db, earning.partner, "E1", date(2026, 11, 10))

        assert exports.write(database, NAME, earning.partner).rows == []

    @pytest.mark.usefixtures("earning")
    def test_has_nobody_of_another_partner(self, database: Database):
        with database.write() as db:
            other = points.make_earning(db)

        assert exports.write(database, NAME, other.partner).rows == []


class TestADelta:
    def test_tells_of_each_last_day_once(self, database: Database, earning: Earning):
        with database.write() as db:
            points.earn(db, earning, event_date=date(2026, 11, 21))
        first = exports.write(database, NAME, earning.partner, mode="delta").rows
        later = exports.write(database, NAME, earning.partner, mode="delta", now=NOW + timedelta(days=2))
        again = exports.write(database, NAME, earning.partner, mode="delta", now=NOW + timedelta(days=3))

        assert days(first) == [(date(2026, 12, 2), 12)]
        assert days(later.rows) == [(date(2026, 12, 21), 29)]
        assert (again.file.state, again.file.file_seq) == ("empty", None)

    def test_tells_of_an_earlier_last_day_that_comes_later(self, database: Database, earning: Earning):
        with database.write() as db:
            points.earn(db, earning, event_date=date(2026, 11, 19))
        first = exports.write(database, NAME, earning.partner, mode="delta").rows
        with database.write() as db:
            points.earn(db, earning, event_date=date(2026, 11, 10))
        second = exports.write(database, NAME, earning.partner, mode="delta").rows
        again = exports.write(database, NAME, earning.partner, mode="delta").rows

        assert [each for each, _ in days(first)] == [date(2026, 12, 2), date(2026, 12, 19)]
        assert [each for each, _ in days(second)] == [date(2026, 12, 10)]
        assert again == []

    def test_of_a_writer_that_died_once_its_file_was_there_is_not_told_again(
        self, database: Database, earning: Earning
    ):
        with database.write() as db:
            points.earn(db, earning, event_date=date(2026, 11, 19))
        first = exports.write(database, NAME, earning.partner, mode="delta").rows
        with database.read() as db:
            noted = set(db.execute(select(export_mark.c.key)).scalars())
            asked = Asked(earning.partner.code, earning.partner, "delta", NOW.date(), None, None, NOW, 1, Marks())
            from_the_file = {key for key, _ in expiry_notice.marks_of(db, asked, first)}

        assert (len(noted), from_the_file) == (2, noted)
