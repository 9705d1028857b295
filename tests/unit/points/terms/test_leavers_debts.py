"""What a leaver has in holds repays a debt before the rest is forfeited."""

from datetime import timedelta

import pytest
from sqlalchemy import select

from chalicelib.points.models.ledger import account, transfer
from chalicelib.points.terms import close_outs
from tests.factories.partners import apply_rows, roster_row
from tests.factories.points import CALLER, NOW, counters, earn, hold, make_earning, reverse, with_rules

pytestmark = pytest.mark.usefixtures("provable", "data_key")


def kinds(db, earning):
    query = select(transfer.c.kind, transfer.c.amount_minor).where(transfer.c.account_id == earning.account_id)
    return [tuple(row) for row in db.execute(query.order_by(transfer.c.entry_no))]


def leave(db, earning, last_day, now=NOW):
    row = roster_row(action="T", term_date=last_day, effective_date=last_day + timedelta(days=1))
    assert apply_rows(db, earning.partner, [row], now=now) == ["accepted"]


def test_what_a_leaver_has_in_holds_repays_the_debt_before_it_is_forfeited(database):
    with database.write() as db:
        made = make_earning(db, terms={"termination": {"policy": "forfeit", "held": "release"}})
        made = with_rules(db, made, corrections={"reversal": "overdraft"})
        first = earn(db, made, 10)
        earn(db, made, 10)
        hold(db, made, 2500)
        reverse(db, made, first)  # takes the 500 that are free, owes 1000
        assert counters(db, made.account_id)["entry_no"] == 3
        leave(db, made, NOW.date() - timedelta(days=1))
    close_outs.run(database, caller=CALLER, clock=lambda: NOW)
    with database.read() as db:
        owed = db.execute(select(account.c.overdrawn_minor).where(account.c.id == made.account_id)).scalar_one()
        assert (kinds(db, made)[3:], owed) == ([("forfeiture", 1500)], 0)


def test_what_holds_have_of_a_leaver_without_a_balance_repays_the_debt(database):
    with database.write() as db:
        made = make_earning(db, terms={"termination": {"policy": "forfeit", "held": "release"}})
        made = with_rules(db, made, corrections={"reversal": "overdraft"})
        first = earn(db, made, 10)
        hold(db, made, 1500)
        reverse(db, made, first)  # all is held, all is owed
        leave(db, made, NOW.date() - timedelta(days=1))
    close_outs.run(database, caller=CALLER, clock=lambda: NOW)
    with database.read() as db:
        of = select(account.c.overdrawn_minor, account.c.debits_pending).where(account.c.id == made.account_id)
        assert tuple(db.execute(of).one()) == (0, 0)
