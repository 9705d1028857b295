"""A rolling year that nothing was left of is closed as well."""

from datetime import date

import pytest

from chalicelib.points.plan_years import closing
from tests.factories.finance import at, close_year, with_terms
from tests.factories.points import available, earn, make_earning, redeem, refund

pytestmark = pytest.mark.usefixtures("provable", "data_key")
FOREVER = {"expires": None}


def test_a_refund_after_a_closed_rolling_year_stays(database):
    with database.write() as db:
        made = make_earning(db, lots=FOREVER)
        made = with_terms(db, made, plan_year={"begins": None, "carry_over": {"percent": "0"}})
        earn(db, made, 10)
        bought = redeem(db, made, 1500)
    # Everybody's rolling year 2026 (1 January on) is over.
    closing_day = at(date(2027, 1, 10))
    close_year(database, made, 2026, now=closing_day)
    with database.write() as db:
        refund(db, made, bought, now=at(date(2027, 1, 11)))
        assert available(db, made, now=at(date(2027, 1, 11))) == (1500, 0)
    closing.run(database, clock=lambda: at(date(2027, 1, 12)))
    with database.read() as db:
        assert available(db, made, now=at(date(2027, 1, 12))) == (1500, 0)
