"""The liability in the books: what was there, what movements did to it, and what the value of points makes of it."""

from collections import defaultdict
from dataclasses import replace
from datetime import date, timedelta
from decimal import Decimal
from random import Random

import pytest

from chalicelib.partners.programs import programs
from chalicelib.partners.provenance import BY_API
from chalicelib.points.earning import openings
from chalicelib.points.finance import documents, figures, liability, settlements, settling
from chalicelib.points.finance.documents import AccountMissing
from chalicelib.points.finance.figures import CurrencyChanged
from chalicelib.points.terms import close_outs
from tests.factories import points
from tests.factories.finance import BALANCE_SHEET, SETTLEMENT, VALUE, at, settled_by, with_terms
from tests.factories.partners import apply_rows, roster_row
from tests.factories.points import CALLER, expire, redeem, refund, with_rules

pytestmark = pytest.mark.usefixtures("provable")
ACCOUNTS = SETTLEMENT["accounts"] | BALANCE_SHEET
LIABILITY = BALANCE_SHEET["liability"]


@pytest.fixture
def booked(database, earning):
    """A partner whose liability is posted; a point is a cent until July 2026, and two from then on."""
    with database.write() as db:
        made = with_terms(db, earning, value=VALUE)
        settled_by(db, made, accounts=ACCOUNTS)
    return made


def settle(db, of, period):
    year, month = map(int, period.split("-"))
    now = at(date(year + month // 12, month % 12 + 1, 1))
    return settling.settle(db, of.partner, period, caller=CALLER, now=now).made


def earn_on(db, of, day, hours=10):
    points.record(db, of.partner, [points.event(event_date=day, quantity=Decimal(hours))], now=at(day))


def bring(db, of, day, balance="40"):
    row = openings.OpeningRow(
        program_code="uniform",
        employee_id="E1",
        balance_points=Decimal(balance),
        as_of=day,
        lot_expiry=None,
        legacy_ref="LEG-1",
    )
    [told] = openings.record(db, of.partner, [row], sources=[BY_API], caller=CALLER, now=at(day))
    assert told.outcome == "accepted"


def posted(db, made):
    """What a settlement did to each account of the liability's document: debits less credits."""
    found = defaultdict(int)
    for document in documents.of_settlement(db, made.id):
        if document.source_type == "liability":
            for item in document.items:
                found[item.gl_account] += item.amount_minor if item.side == "D" else -item.amount_minor
    return {account: minor for account, minor in found.items() if minor}


def line_of(db, made):
    [line] = figures.stored(db, made.id)
    return line


class TestBroughtOver:
    def test_points_are_no_expense(self, database, booked):
        with database.write() as db:
            bring(db, booked, date(2026, 10, 5))
            made = settle(db, booked, "2026-10")
            line = line_of(db, made)
            done = posted(db, made)

        assert (line.brought_minor, line.given_minor, line.brought_value_minor) == (4000, 0, 80)
        assert done == {BALANCE_SHEET["brought_over"]: 80, LIABILITY: -80}

    def test_points_are_not_settled_without_an_account_for_them(self, database, booked):
        with database.write() as db:
            settled_by(db, booked, accounts={key: ACCOUNTS[key] for key in ACCOUNTS if key != "brought_over"})
            bring(db, booked, date(2026, 10, 5))
        with pytest.raises(AccountMissing), database.write() as db:
            settle(db, booked, "2026-10")


class TestPaidOut:
    def test_points_are_owed_to_the_member_and_no_negative_expense(self, database, booked):
        with database.write() as db:
            paying = with_terms(db, booked, value=VALUE, termination={"policy": "pay_out"})
            earn_on(db, paying, date(2026, 10, 1))
            last = date(2026, 10, 10)
            row = roster_row(action="T", term_date=last, effective_date=last + timedelta(days=1))
            assert apply_rows(db, paying.partner, [row], now=at(date(2026, 10, 11))) == ["accepted"]
        close_outs.run(database, caller=CALLER, clock=lambda: at(date(2026, 10, 20)))
        with database.write() as db:
            made = settle(db, paying, "2026-10")
            line = line_of(db, made)
            done = posted(db, made)

        assert (line.paid_out_minor, line.given_minor, line.paid_out_value_minor) == (1500, 1500, 30)
        assert done == {BALANCE_SHEET["expense"]: 30, BALANCE_SHEET["paid_out"]: -30}


class TestRevaluation:
    def test_is_posted_when_points_are_worth_something_else_though_nothing_moved(self, database, booked):
        with database.write() as db:
            earn_on(db, booked, date(2026, 6, 1))
            june = settle(db, booked, "2026-06")
            july = settle(db, booked, "2026-07")
            august = settle(db, booked, "2026-08")
            [before], [line] = figures.stored(db, june.id), figures.stored(db, july.id)
            done = posted(db, july)
            nothing = figures.stored(db, august.id)

        assert (before.closing_minor, before.closing_value_minor, before.revaluation_minor) == (1500, 15, 0)
        assert (line.closing_minor, line.closing_value_minor, line.revaluation_minor) == (1500, 30, 15)
        assert done == {BALANCE_SHEET["revaluation"]: 15, LIABILITY: -15}
        assert (line.total_minor, nothing) == (0, [])

    def test_goes_to_the_expense_where_it_has_no_account(self, database, booked):
        with database.write() as db:
            settled_by(db, booked, accounts={key: ACCOUNTS[key] for key in ACCOUNTS if key != "revaluation"})
            earn_on(db, booked, date(2026, 6, 1))
            settle(db, booked, "2026-06")
            done = posted(db, settle(db, booked, "2026-07"))

        assert done == {BALANCE_SHEET["expense"]: 15, LIABILITY: -15}

    def test_has_what_a_refund_at_its_old_value_lacks(self, database, booked):
        with database.write() as db:
            earn_on(db, booked, date(2026, 6, 1))
            sold = redeem(db, booked, 1000, now=at(date(2026, 6, 2)))
            settle(db, booked, "2026-06")
            refund(db, booked, sold, now=at(date(2026, 7, 2)))
            line = line_of(db, settle(db, booked, "2026-07"))

        # Ten points come back at a cent and are worth two; five were left at a cent.
        assert (line.value_minor, line.revaluation_minor, line.closing_value_minor) == (-10, 15, 30)

    def test_is_taken_back_and_made_again_with_the_month(self, database, booked):
        with database.write() as db:
            earn_on(db, booked, date(2026, 6, 1))
            settle(db, booked, "2026-06")
            july = settle(db, booked, "2026-07")
            given = {"reason": "a test", "posting_date": date(2026, 8, 2), "caller": CALLER}
            counter, _ = settlements.take_back(db, july.id, **given, now=at(date(2026, 8, 2)))
            again = settle(db, booked, "2026-07")
            found = [figures.stored(db, each.id)[0] for each in (counter, again)]

        assert [(each.revaluation_minor, each.closing_value_minor) for each in found] == [(-15, 15), (15, 30)]

    def test_is_refused_in_another_currency(self, database, booked):
        with database.write() as db:
            earn_on(db, booked, date(2026, 6, 1))
            settle(db, booked, "2026-06")
            with_terms(db, booked, value={**VALUE, "currency": "EUR"})
        with pytest.raises(CurrencyChanged), database.write() as db:
            settle(db, booked, "2026-07")


@pytest.mark.parametrize("seed", range(4))
def test_the_liability_posted_is_that_of_the_ledger_after_any_month(database, booked, seed):
    chance = Random(seed)  # noqa: S311 - repeatable
    values = [{"since": f"2026-{month:02}-01", "value": f"0.0{chance.randint(1, 9999):04}"} for month in range(1, 8)]
    with database.write() as db:
        booked = with_rules(db, booked, lots={"expires": {"days": 45}})
        spec = replace(programs.spec_of(booked.program), terms={"value": {"currency": "USD", "values": values}})
        booked = replace(
            booked, program=programs.change(db, booked.program, spec, caller=CALLER, now=at(date(2026, 1, 1)))
        )
    booked_so_far = 0
    for month in range(2, 6):
        with database.write() as db:
            sold = []
            for day in sorted(chance.randint(1, 27) for _ in range(6)):
                today = date(2026, month, day)
                match chance.choice(["earn", "earn", "redeem", "refund", "expire"]):
                    case "redeem" if points.available(db, booked, now=at(today))[0] > 500:
                        sold.append(redeem(db, booked, chance.randint(1, 500), now=at(today)))
                    case "refund" if sold:
                        refund(db, booked, sold.pop(), now=at(today))
                    case "expire":
                        expire(db, booked, today, now=at(today))
                    case _:
                        earn_on(db, booked, today, hours=chance.randint(1, 40))
        with database.write() as db:
            made = settle(db, booked, f"2026-{month:02}")
            booked_so_far -= posted(db, made).get(LIABILITY, 0)
            owed = liability.of(db, booked.program, before=made.until)
            lines = figures.stored(db, made.id)

        assert booked_so_far == owed.value_minor
        assert [line.closing_minor for line in lines] in ([owed.points_minor], [])
