"""When a month is over: later than anything that may still be posted within it."""

import json
from datetime import date, timedelta
from itertools import count
from pathlib import Path

import pytest
from sqlalchemy import select

from chalicelib.points.finance import months
from chalicelib.points.models.ledger import transfer
from chalicelib.points.plan_years import closing
from chalicelib.points.terms import close_outs, expirations, grants
from tests.factories import points
from tests.factories.finance import at, with_terms
from tests.factories.partners import apply_rows, roster_row
from tests.factories.points import CALLER, make_earning

pytestmark = pytest.mark.usefixtures("data_key")
JANUARY = at(date(2027, 1, 2))
YEAR = {"code": "annual", "on": "period", "event_type": "ALLOWANCE", "quantity": "365"}


def test_a_month_is_open_for_longer_than_any_handler_lives():
    configured = json.loads(Path(".chalice/config.json").read_text())
    timeouts = [each["lambda_timeout"] for each in configured["stages"]["dev"]["lambda_functions"].values()]

    assert timedelta(seconds=max([configured["lambda_timeout"], *timeouts])) < months.SETTLING


class TestALongJob:
    """Stamps what it posts with the moment of the posting, not with that of its beginning."""

    @staticmethod
    def _clock():
        """Ten minutes pass whenever somebody looks at it."""
        ticks = count(1)
        return lambda: JANUARY + timedelta(minutes=10 * next(ticks))

    @staticmethod
    def _moments(database, kind):
        query = select(transfer.c.posted_at).where(transfer.c.kind == kind).order_by(transfer.c.posted_at)
        with database.read() as db:
            return list(db.execute(query).scalars())

    @pytest.fixture
    def two(self, database):
        """Two partners with a member each, who earned 15 points in November."""
        with database.write() as db:
            found = [make_earning(db), make_earning(db)]
            for earning in found:
                points.earn(db, earning)
        return found

    def test_of_expiry(self, database):
        with database.write() as db:
            for _ in range(2):
                points.earn(db, make_earning(db, lots={"expires": {"days": 10}}))

        expirations.run(database, clock=self._clock())

        first, last = self._moments(database, "expiry")
        assert JANUARY < first < last

    def test_of_plan_years(self, database, two):
        with database.write() as db:
            for earning in two:
                made = with_terms(db, earning, plan_year={"begins": "01-01", "carry_over": {"percent": "0"}})
                closing.begin(db, made.program, 2026, caller=CALLER, now=JANUARY)

        closing.run(database, clock=self._clock())

        first, last = self._moments(database, "year_forfeit")
        assert JANUARY < first < last

    def test_of_leavers(self, database, two):
        with database.write() as db:
            for earning in two:
                with_terms(db, earning, termination={"policy": "forfeit"})
                day = date(2026, 12, 31)
                row = roster_row(action="T", term_date=day, effective_date=day + timedelta(days=1))
                assert apply_rows(db, earning.partner, [row], now=JANUARY) == ["accepted"]

        close_outs.run(database, caller=CALLER, clock=self._clock())

        first, last = self._moments(database, "forfeiture")
        assert JANUARY < first < last

    def test_of_grants(self, database, two):
        with database.write() as db:
            for earning in two:
                with_terms(db, earning, grants=[YEAR])
        before = len(self._moments(database, "accrual"))

        grants.run(database, caller=CALLER, clock=self._clock())

        after = set(self._moments(database, "accrual")[before:])
        assert len(after) == len(two)
        assert min(after) > JANUARY


class TestPlanYearsUnderWay:
    def test_are_all_carried_on_however_many_there_are(self, database, monkeypatch):
        monkeypatch.setattr(closing, "_CLOSES_READ", 1)
        closes = []
        with database.write() as db:
            for _ in range(3):
                # Rolling years: under way until the last member's year of that name is over, which is a year from now.
                made = with_terms(db, make_earning(db), plan_year={"begins": None})
                closes.append(closing.begin(db, made.program, 2026, caller=CALLER, now=at(date(2027, 12, 31)))[0])

        assert closing.run(database, clock=lambda: at(date(2027, 12, 31))) == len(closes)
