"""Who closed a plan year is named by its entries."""

from datetime import date

import pytest
from sqlalchemy import select

from chalicelib.points.earning import causes
from chalicelib.points.ledger import history
from chalicelib.points.models.ledger import transfer
from tests.factories.finance import at, close_year, with_terms
from tests.factories.points import CALLER, earn, make_earning

pytestmark = pytest.mark.usefixtures("provable", "data_key")
FOREVER = {"expires": None}


def test_who_closed_a_year_is_named_by_its_entries(database):
    with database.write() as db:
        made = make_earning(db, lots=FOREVER)
        made = with_terms(db, made, plan_year={"carry_over": {"percent": "20"}})
        earn(db, made, 10)
    close_year(database, made, 2026, now=at(date(2027, 1, 10)))
    with database.read() as db:
        [entry_id] = db.execute(select(transfer.c.id).where(transfer.c.kind == "year_forfeit")).scalars()
        assert causes.of(db, history.entry(db, entry_id)).actor == CALLER.actor
