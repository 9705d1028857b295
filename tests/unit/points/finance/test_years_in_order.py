"""Plan years are closed in their order."""

from datetime import date

import pytest

from tests.factories.finance import at, close_year, with_terms
from tests.factories.points import available, event, make_earning, record

pytestmark = pytest.mark.usefixtures("provable", "data_key")
FOREVER = {"expires": None}


def test_an_earlier_year_is_not_closed_after_a_later_one(database):
    with database.write() as db:
        made = make_earning(db, lots=FOREVER, effective_from=date(2025, 1, 1))
        made = with_terms(db, made, plan_year={"carry_over": {"percent": "20"}})
        record(db, made.partner, [event(event_date=date(2026, 1, 5))], now=at(date(2026, 1, 6)))
    close_year(database, made, 2026, now=at(date(2027, 1, 10)))
    with database.read() as db:
        assert available(db, made, now=at(date(2027, 1, 10))) == (300, 0)
    with pytest.raises(Exception, match="after 2025"):
        close_year(database, made, 2025, now=at(date(2028, 1, 11)))
    with database.read() as db:
        assert available(db, made, now=at(date(2028, 1, 11))) == (300, 0)
