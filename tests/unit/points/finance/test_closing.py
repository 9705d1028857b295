"""The end of a plan year: what is left is carried or forfeited to the last unit, once, whatever breaks in between."""

from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import select

from chalicelib.errors import InterlineError
from chalicelib.partners.programs.finance_terms import CarryOver
from chalicelib.points.ledger import balances, trial_balance
from chalicelib.points.models.books import plan_year_member
from chalicelib.points.models.ledger import transfer
from chalicelib.points.plan_years import calendar, carrying, closes, closing
from chalicelib.points.plan_years.carrying import YearLot
from chalicelib.points.plan_years.closes import NotClosed, PlanYearOpen, Totals
from chalicelib.points.terms import expirations, grants
from tests.factories import partners, points, rules
from tests.factories.finance import at, close_year, with_terms
from tests.factories.points import CALLER, NOW, earn, hold, lots_of, make_earning, redeem, reverse, with_rules

#: The year of 2026 is over.
LATER = at(date(2027, 1, 10))
FOREVER = {"expires": None}
TENTH = {"percent": "10"}
YEARLY = {
    "code": "yearly", "on": "period", "event_type": "ALLOWANCE", "quantity": "100", "anchor": "2026-01-01",
    "since": "2027-01-01",
}  # fmt: skip


def earning_of(database, carry_over, document=None, **plan_year):
    with database.write() as db:
        made = make_earning(db, lots=FOREVER, document=document)
        return with_terms(db, made, plan_year={"carry_over": carry_over, **plan_year})


def granting(database):
    """A program whose closed year is followed by a grant of 100 pieces of 1.5 points, and 15 points of E1."""
    document = rules.accrual_document(
        inputs={"quantity": {"type": "decimal", "scale": 6}},
        when=True,
        cases=[{"name": "one", "as_of": "2026-11-02", "given": {"quantity": "8"}, "expect": {"points": "12.00"}}],
    )
    with database.write() as db:
        earning = make_earning(db, lots=FOREVER, document=document)
        earning = with_terms(db, earning, plan_year={"carry_over": TENTH, "grant": "yearly"}, grants=[YEARLY])
        earn(db, earning)
    return earning


def kinds(db, earning):
    query = select(transfer.c.kind, transfer.c.amount_minor).where(transfer.c.account_id == earning.account_id)
    return [tuple(row) for row in db.execute(query.order_by(transfer.c.entry_no))]


@pytest.mark.usefixtures("provable", "data_key")
class TestClosing:
    def test_carries_a_share_and_forfeits_the_rest(self, database):
        earning = earning_of(database, {"percent": "20"})
        with database.write() as db:
            earn(db, earning)
        close = close_year(database, earning, 2026, now=LATER)

        assert close.done
        assert close.totals == Totals(1, 1500, 300, 0, 1200)
        with database.read() as db:
            assert kinds(db, earning) == [("accrual", 1500), ("year_forfeit", 1200)]
            assert points.available(db, earning, now=LATER) == (300, 0)
            [trial] = trial_balance.of(db, program_id=earning.program.id)
            assert trial.difference_minor == 0

    def test_gives_carried_points_a_last_day_of_their_own(self, database):
        earning = earning_of(database, {"percent": "20", "grace_days": 90})
        with database.write() as db:
            earn(db, earning)
            earn(db, earning)
        close_year(database, earning, 2026, now=LATER)

        with database.read() as db:
            assert kinds(db, earning)[2:] == [("year_forfeit", 2400), ("carry_out", 600), ("carry_in", 600)]
            assert [row for row in lots_of(db, earning.account_id) if row[1]] == [(date(2027, 3, 31), 600, 0)]
            [found] = balances.of(db, earning.member.id, now=LATER)
            assert (found.available_minor, found.lifetime_minor) == (600, 3000)
            [trial] = trial_balance.of(db, program_id=earning.program.id)
            moved = {line.kind: line.credits_minor - line.debits_minor for line in trial.lines}
            assert (trial.difference_minor, moved["carry_over"], moved["expiry"]) == (0, 0, 2400)

    def test_leaves_alone_what_came_after_the_year_and_what_has_expired(self, database):
        earning = earning_of(database, TENTH)
        with database.write() as db:
            earn(db, earning)
            earning = with_rules(db, earning, lots={"expires": {"days": 30}})
            earn(db, earning)
            points.record(db, earning.partner, [points.event(event_date=date(2027, 1, 4))], now=at(date(2027, 1, 5)))
        close = close_year(database, earning, 2026, now=LATER)

        assert close.totals == Totals(1, 1500, 150, 0, 1350)
        with database.write() as db:
            assert [row[1] for row in lots_of(db, earning.account_id)] == [1500, 1500, 150]
            assert expirations.expire(db, earning.program, LATER.date(), now=LATER).expiry.expired_minor == 1500

    def test_again_changes_nothing(self, database):
        earning = earning_of(database, TENTH)
        with database.write() as db:
            earn(db, earning)
        first = close_year(database, earning, 2026, now=LATER)
        with database.write() as db:
            points.record(db, earning.partner, [points.event()], now=LATER)
        again = close_year(database, earning, 2026, now=LATER + timedelta(days=3))

        assert again == first
        with database.read() as db:
            assert [kind for kind, _ in kinds(db, earning)] == ["accrual", "year_forfeit", "accrual"]

    def test_goes_on_where_it_died(self, database, monkeypatch):
        monkeypatch.setattr(closing, "SLICE_MEMBERS", 2)
        earning = earning_of(database, {"percent": "50", "cap": "5"})
        with database.write() as db:
            partners.make_members(db, earning.partner, 5)
            events = [points.event(employee_id=f"E{number:04}") for number in range(1, 6)]
            points.record(db, earning.partner, events)
        with database.write() as db:
            close, _ = closing.begin(db, earning.program, 2026, caller=CALLER, now=LATER)

        def dies(db):
            closing.run_slice(db, earning.program, close.id, now=LATER)
            raise RuntimeError

        with pytest.raises(RuntimeError):
            database.run(dies)
        database.run(lambda db: closing.run_slice(db, earning.program, close.id, now=LATER))
        with database.read() as db:
            begun = closes.of_year(db, earning.program.id, 2026)
            assert (begun.done, begun.totals.members) == (False, 1)
        closing.run(database, clock=lambda: LATER)

        with database.read() as db:
            done = closes.of_year(db, earning.program.id, 2026)
            assert (done.done, done.totals) == (True, Totals(5, 7500, 2500, 0, 5000))
            rows = db.execute(select(plan_year_member)).mappings().all()
            assert all(row["before_minor"] == row["carried_minor"] + row["forfeited_minor"] for row in rows)

    def test_carries_first_what_a_hold_covers_even_beyond_the_share(self, database):
        earning = earning_of(database, TENTH)
        with database.write() as db:
            earn(db, earning)
            placed = hold(db, earning, 400)
        close = close_year(database, earning, 2026, now=LATER)

        assert close.totals == Totals(1, 1500, 400, 400, 1100)
        with database.write() as db:
            points.capture(db, earning, placed, now=LATER)

    def test_takes_points_out_of_holds_where_the_program_says_so(self, database):
        earning = earning_of(database, TENTH, held="lapse")
        with database.write() as db:
            earn(db, earning)
            placed = hold(db, earning, 400)
        with database.read() as db:
            foretold, _ = closing.preview(db, earning.program, 2026, members_max=10, now=LATER)
        close = close_year(database, earning, 2026, now=LATER)

        assert close.totals == foretold == Totals(1, 1500, 150, 0, 1350)
        with database.write() as db, pytest.raises(InterlineError):
            points.capture(db, earning, placed, now=LATER)

    def test_takes_points_out_of_holds_also_where_all_of_them_stay_in_their_lots(self, database):
        earning = earning_of(database, {"percent": "100"}, held="lapse")
        with database.write() as db:
            earn(db, earning)
            hold(db, earning, 400)
        close_year(database, earning, 2026, now=LATER)

        with database.read() as db:
            assert points.available(db, earning, now=LATER) == (1500, 0)

    def test_sets_off_what_a_member_owes_first(self, database):
        earning = earning_of(database, {"percent": "50"})
        with database.write() as db:
            earning = with_rules(db, earning, corrections={"reversal": "overdraft"})
            recorded = earn(db, earning)
            redeem(db, earning, 1500)
            # Held for a day before it is taken back, so that new points do not repay at once.
            reverse(db, earning, recorded)
            earn(db, earning, hours=30)
        with database.read() as db:
            foretold, _ = closing.preview(db, earning.program, 2026, members_max=10, now=LATER)
        close = close_year(database, earning, 2026, now=LATER)

        assert close.totals == foretold == Totals(1, 3000, 1500, 0, 1500)

    def test_is_refused_before_the_year_is_over_and_where_the_program_says_nothing(self, database, earning):
        closed = earning_of(database, TENTH)
        with database.write() as db:
            with pytest.raises(NotClosed):
                closing.begin(db, earning.program, 2025, caller=CALLER, now=NOW)
            with pytest.raises(PlanYearOpen):
                closing.begin(db, closed.program, 2026, caller=CALLER, now=at(date(2026, 12, 31)))

    def test_keeps_the_rule_of_its_beginning(self, database):
        earning = earning_of(database, TENTH)
        with database.write() as db:
            earn(db, earning)
            close, _ = closing.begin(db, earning.program, 2026, caller=CALLER, now=LATER)
            changed = with_terms(db, earning, plan_year={"carry_over": {"percent": "100"}})
        done = database.run(lambda db: closing.run_slice(db, changed.program, close.id, now=LATER))

        assert done.totals.carried_minor == 150

    def test_begins_the_new_year_with_the_programs_grant_once(self, database):
        earning = granting(database)
        close = close_year(database, earning, 2026, now=LATER)
        grants.run(database, caller=CALLER, clock=lambda: LATER)

        assert close.totals == Totals(1, 1500, 150, 0, 1350, 1, 15000, 0)
        with database.read() as db:
            assert points.available(db, earning, now=LATER) == (15150, 0)

    def test_begins_it_with_the_grant_as_it_was_when_the_close_began(self, database):
        earning = granting(database)
        with database.write() as db:
            closing.begin(db, earning.program, 2026, caller=CALLER, now=LATER)
            with_terms(db, earning, grants=[YEARLY | {"code": "renamed", "quantity": "7"}])

        closing.run(database, clock=lambda: LATER)

        with database.read() as db:
            close = closes.of_year(db, earning.program.id, 2026)
            assert close.totals == Totals(1, 1500, 150, 0, 1350, 1, 15000, 0)


@pytest.mark.usefixtures("provable", "data_key")
class TestARollingYear:
    def test_ends_on_each_members_own_day(self, database):
        earning = earning_of(database, TENTH, begins=None)
        with database.write() as db:
            late = partners.make_member(
                db, earning.partner, "E2", hire_date=date(2026, 6, 1), effective_date=date(2026, 6, 1)
            )
            points.record(db, earning.partner, [points.event(), points.event(employee_id="E2")])
        first = close_year(database, earning, 2026, now=LATER)
        second = close_year(database, earning, 2026, now=at(date(2027, 6, 2)))
        last = close_year(database, earning, 2026, now=at(date(2028, 1, 2)))

        assert (first.done, first.totals.members) == (False, 1)
        assert (second.done, second.totals.members) == (False, 2)
        assert (last.done, last.totals) == (True, Totals(2, 3000, 300, 0, 2700))
        with database.read() as db:
            days = select(plan_year_member.c.first_day, plan_year_member.c.last_day)
            assert db.execute(days.where(plan_year_member.c.member_id == late.id)).one() == (
                date(2026, 6, 1),
                date(2027, 5, 31),
            )


class TestPlanYears:
    @pytest.mark.parametrize(
        ("begins", "named", "first", "last"),
        [
            ("01-01", 2026, date(2026, 1, 1), date(2026, 12, 31)),
            ("07-01", 2026, date(2026, 7, 1), date(2027, 6, 30)),
            ("03-01", 2027, date(2027, 3, 1), date(2028, 2, 29)),
        ],
    )
    def test_are_named_by_the_year_in_which_they_begin(self, begins, named, first, last):
        assert calendar.fixed(closing.PlanYear(begins=begins), named) == (first, last)

    def test_of_two_years_have_every_other_name(self):
        rule = closing.PlanYear(begins=None, years=2)
        enrolled = date(2024, 2, 29)

        assert calendar.of_member(rule, 2024, enrolled) == (enrolled, date(2026, 2, 27))
        assert calendar.of_member(rule, 2025, enrolled) is None
        assert calendar.of_member(rule, 2026, enrolled) == (date(2026, 2, 28), date(2028, 2, 28))
        assert calendar.of_member(rule, 2022, enrolled) is None


LOTS = st.lists(st.tuples(st.integers(1, 10**6), st.floats(0, 1)), max_size=8)


class TestCarrying:
    @given(
        LOTS,
        st.integers(0, 1_000_000),
        st.none() | st.integers(0, 10**6),
        st.sampled_from(["down", "half_up", "half_even"]),
        st.none() | st.integers(0, 400),
    )
    def test_parts_everything_that_is_left(self, sizes, percent, cap, rounding, grace):
        left = [
            YearLot(bytes([at]), date(2027, 1, 1 + at), size, int(size * share))
            for at, (size, share) in enumerate(sizes)
        ]
        rule = CarryOver(
            percent=f"{percent / 10_000:.4f}",
            cap=None if cap is None else f"{cap / 100:.2f}",
            rounding=rounding,
            grace_days=grace,
        )
        found = carrying.part(rule, left, scale=2, last_day=date(2026, 12, 31))

        assert found.before_minor == found.carried_minor + found.forfeited_minor == sum(each[0] for each in sizes)
        assert found.carried_minor == max(found.held_minor, carrying.allowance(rule, found.before_minor, 2))
        gone = {each.lot_id: each.amount_minor for each in (*found.forfeited,)}
        moved = {each.lot_id: each.amount_minor for each in found.moved}
        assert all(
            gone.get(each.id, 0) + moved.get(each.id, 0) <= each.remaining_minor - each.held_minor for each in left
        )

    @pytest.mark.parametrize(("rounding", "expected"), [("down", 2), ("half_up", 3), ("half_even", 2)])
    def test_rounds_as_the_program_says_before_the_cap(self, rounding, expected):
        assert carrying.allowance(CarryOver(percent="25", rounding=rounding), 10, 2) == expected
        assert carrying.allowance(CarryOver(percent="25", rounding=rounding, cap="0.01"), 10, 2) == 1
