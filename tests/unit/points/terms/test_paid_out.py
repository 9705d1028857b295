"""What a leaver is paid is worth what the books say."""

from datetime import timedelta

import pytest

from chalicelib.points.api.terminations import TakenView
from chalicelib.points.terms import close_outs
from tests.factories.finance import VALUE, with_terms
from tests.factories.partners import apply_rows, roster_row
from tests.factories.points import CALLER, NOW, earn, make_earning

pytestmark = pytest.mark.usefixtures("provable", "data_key")


def leave(db, earning, last_day, now=NOW):
    row = roster_row(action="T", term_date=last_day, effective_date=last_day + timedelta(days=1))
    assert apply_rows(db, earning.partner, [row], now=now) == ["accepted"]


def test_what_is_paid_out_is_worth_what_the_books_say(database):
    with database.write() as db:
        tender = {"point_value": "0.01", "currency": "USD"}
        made = make_earning(db)
        made = with_terms(db, made, termination={"policy": "pay_out"}, tender=tender, value=VALUE)
        earn(db, made, 10)
        leave(db, made, NOW.date() - timedelta(days=1))
    close_outs.run(database, caller=CALLER, clock=lambda: NOW)
    with database.read() as db:
        [taken] = close_outs.of_member(db, made.member.id)
        assert TakenView.of(taken, made.program).value == "0.30"
