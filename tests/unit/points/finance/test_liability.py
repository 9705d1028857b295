"""Liability and balances as of any moment: told from rows that never change, whatever happened since."""

from datetime import date, timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chalicelib.points.finance import liability, worth
from chalicelib.points.finance.worth import NoValue
from chalicelib.points.ledger import balances, positions, trial_balance
from tests.factories import points
from tests.factories.finance import VALUE, at, with_terms
from tests.factories.points import NOW, adjust, earn, expire, hold, redeem, refund, reverse, with_rules

TODAY = NOW.date()


def buckets(found):
    return {each.span.name: each.points_minor for each in found.buckets if each.points_minor}


def now_of(db, earning, day=TODAY):
    return liability.of(db, earning.program, before=positions.end_of(day, earning.program))


@pytest.mark.usefixtures("provable")
class TestLiability:
    def test_lies_in_the_bucket_of_its_last_day(self, database, earning):
        with database.write() as db:
            earning = with_rules(db, earning, lots={"expires": {"days": 60}})
            for day in (date(2026, 10, 21), date(2026, 10, 22), date(2026, 11, 2)):
                earn(db, earning, event_date=day)
            found = now_of(db, earning)

        assert buckets(found) == {"months_1": 1500, "months_3": 3000}
        spans = {each.span.name: (each.span.since, each.span.until) for each in found.buckets}
        assert spans["months_1"] == (TODAY, date(2026, 12, 20))
        assert spans["months_3"] == (date(2026, 12, 21), date(2027, 2, 20))

    def test_tells_what_expired_and_was_not_posted_and_what_is_owed_apart(self, database, earning):
        with database.write() as db:
            earning = with_rules(db, earning, lots={"expires": {"days": 30}}, corrections={"reversal": "overdraft"})
            recorded = earn(db, earning)
            redeem(db, earning, 1500)
            reverse(db, earning, recorded)
        with database.read() as db:
            assert buckets(now_of(db, earning)) == {"owed": -1500}
        with database.write() as db:
            earn(db, earning, hours=20, event_date=date(2026, 10, 1))
        with database.read() as db:
            assert buckets(now_of(db, earning)) == {"expired": 3000, "owed": -1500}

    def test_is_the_members_side_of_the_trial_balance(self, database, earning):
        with database.write() as db:
            earning = with_rules(db, earning, corrections={"second_person_above": None})
            earn(db, earning)
            sold = redeem(db, earning, 300, 200)
            refund(db, earning, sold)
            hold(db, earning, 400)
            adjust(db, earning, -100)
            found = now_of(db, earning)
            [trial] = trial_balance.of(db, program_id=earning.program.id)

        [members] = [line for line in trial.lines if line.kind == "member"]
        assert found.points_minor == members.credits_minor - members.debits_minor == 1400

    def test_of_a_past_day_stays_what_it_was_whatever_comes_later(self, database, earning):
        days = [TODAY + timedelta(days=number) for number in range(6)]
        seen = []
        with database.write() as db:
            earning = with_rules(db, earning, corrections={"reversal": "overdraft"}, lots={"expires": {"days": 20}})
        for number, day in enumerate(days):
            with database.write() as db:
                if number in {0, 3}:
                    [first] = points.record(db, earning.partner, [points.event()], now=at(day))
                if number == 1:
                    redeem(db, earning, 1500, now=at(day))
                if number == 2:
                    reverse(db, earning, first, now=at(day))
                if number == 4:
                    expire(db, earning, day, now=at(day))
                seen.append(now_of(db, earning, day))
        with database.read() as db:
            assert [now_of(db, earning, day) for day in days] == seen
        # What was earned on the fourth day had expired already: when that was posted, it repaid the overdraft instead.
        late = {"expired": 1500, "owed": -1500}
        assert [buckets(each) for each in seen] == [{"months_1": 1500}, {}, {"owed": -1500}, late, {}, {}]

    def test_is_worth_what_a_point_was_worth_on_that_day(self, database, earning):
        with database.write() as db:
            earning = with_terms(db, earning, value=VALUE)
            points.record(db, earning.partner, [points.event()], now=at(date(2026, 11, 3)))
            points.record(db, earning.partner, [points.event()], now=at(date(2026, 11, 3)))
            then = now_of(db, earning, date(2026, 11, 3))
            before = now_of(db, earning, date(2026, 11, 2))

        assert (then.points_minor, then.value_minor, then.worth.currency) == (3000, 60, "USD")
        assert (before.points_minor, before.value_minor) == (0, 0)

    def test_has_no_value_where_the_program_says_none_and_is_refused_for_a_day_before_its_first(
        self, database, earning
    ):
        with database.write() as db:
            earn(db, earning)
            assert now_of(db, earning).value_minor is None
            earning = with_terms(db, earning, value={**VALUE, "values": [{"since": "2027-01-01", "value": "1"}]})
            with pytest.raises(NoValue):
                now_of(db, earning)

    def test_takes_the_value_of_the_tender_where_the_books_say_none(self, database, earning):
        with database.write() as db:
            earning = with_terms(db, earning, tender={"point_value": "0.5", "currency": "EUR"})
            earn(db, earning)
            found = now_of(db, earning)

        assert (found.value_minor, found.worth.currency) == (750, "EUR")


@pytest.mark.usefixtures("provable")
class TestABalanceAsOf:
    def test_knows_that_a_debt_was_repaid_by_points_that_have_expired_since(self, database, earning):
        with database.write() as db:
            earning = with_rules(db, earning, lots={"expires": {"days": 30}}, corrections={"reversal": "overdraft"})
            recorded = earn(db, earning)
            redeem(db, earning, 1500)
            reverse(db, earning, recorded)
            points.record(db, earning.partner, [points.event()], now=NOW + timedelta(days=1))
        later = TODAY + timedelta(days=60)
        with database.read() as db:
            days = [TODAY, TODAY + timedelta(days=1), later]
            [then, repaid, after] = [balances.as_of(db, earning.member.id, day=day)[0] for day in days]
            [now] = balances.of(db, earning.member.id, now=NOW + timedelta(days=60))

        assert [then.available_minor, repaid.available_minor] == [-1500, 0]
        assert after.available_minor == now.available_minor == 0

    def test_of_today_is_the_balance_of_now(self, database, earning):
        with database.write() as db:
            earn(db, earning)
            refund(db, earning, redeem(db, earning, 300))
            reverse(db, earning, earn(db, earning, hours=2))
            [then] = balances.as_of(db, earning.member.id, day=TODAY)
            [now] = balances.of(db, earning.member.id, now=NOW)

        assert then == now


class TestAddingUp:
    @given(st.lists(st.decimals(-(10**9), 10**9, places=3), min_size=1, max_size=20))
    def test_parts_add_up_and_are_a_minor_unit_off_at_most(self, exact):
        total = worth.rounded(sum(exact, Decimal(0)))
        parts = worth.adding_up(exact, total)

        assert sum(parts) == total
        assert all(abs(part - each) <= 1 for part, each in zip(parts, exact, strict=True))
