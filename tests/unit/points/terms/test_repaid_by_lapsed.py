"""Points that repay a debt on their last day are told to the store."""

from datetime import date

import pytest
from sqlalchemy import delete, select

from chalicelib.deliveries.models import delivery
from chalicelib.points.ledger import balances
from chalicelib.points.spending import holds
from tests.factories import points
from tests.factories.deliveries import make_target
from tests.factories.finance import at
from tests.factories.points import CALLER, available, earn, hold, make_earning, reverse, with_rules

pytestmark = pytest.mark.usefixtures("provable", "data_key")


def test_the_store_is_told_when_lapsed_points_repay_a_debt(database):
    with database.write() as db:
        made = make_earning(db, lots={"expires": {"days": 30}})
        made = with_rules(db, made, corrections={"reversal": "overdraft"})
        make_target(db, made.partner.id)
        first = earn(db, made, 10)  # expires 2026-12-02
        held = hold(db, made, 1500)
        reverse(db, made, first)  # owes 1500, since all is held
        later = at(date(2026, 12, 5))
        holds.release(db, held.id, caller=CALLER, now=later)
        before = available(db, made, now=later)
        [shown] = balances.of(db, made.member.id, now=later)
        db.execute(delete(delivery))
    with database.write() as db:
        points.expire(db, made, date(2026, 12, 5), now=later)
    with database.read() as db:
        after = available(db, made, now=later)
        told = db.execute(select(delivery.c.id)).all()
        [repaid] = balances.of(db, made.member.id, now=later)
    assert before != after
    assert told
    # The store takes no news under a version that it has already.
    assert repaid.version > shown.version
