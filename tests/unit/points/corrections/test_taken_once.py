"""Nothing is taken back twice: not what lapsed, wherever it lapsed, and not what was clawed back, or is only held."""

from datetime import UTC, date, datetime, timedelta

import pytest
from sqlalchemy import select

from chalicelib.points.corrections import annulling, reversals
from chalicelib.points.corrections.reversals import PointsHeld, Why
from chalicelib.points.ledger import accounts, history, lapsing, losses, transfers
from chalicelib.points.models.ledger import accrual_event, lot
from chalicelib.points.spending import holds
from chalicelib.points.terms import grants
from tests.factories import finance
from tests.factories.finance import with_terms
from tests.factories.points import (
    CALLER,
    NOW,
    Wanted,
    adjust,
    available,
    capture,
    earn,
    expire,
    hold,
    make_earning,
    redeem,
    refund,
    reverse,
    with_rules,
)
from tests.unit.points.terms.test_close_outs import YEAR, leave, taken

pytestmark = pytest.mark.usefixtures("provable", "data_key")

JANUARY = datetime(2027, 1, 2, 18, tzinfo=UTC)
MARCH = datetime(2027, 3, 1, 18, tzinfo=UTC)
CARRIED = {"plan_year": {"begins": "01-01", "carry_over": {"percent": "40", "grace_days": 20}}}


def parts(made):
    """What became of the points of a reversal."""
    return made.recovered_minor, made.overdrawn_minor, made.lost_minor, made.expired_minor


@pytest.fixture
def owing(database, earning):
    """A program whose members owe what is taken back and was spent."""
    with database.write() as db:
        return with_rules(db, earning, corrections={"reversal": "overdraft", "second_person_above": None})


class TestWhatLapsedAfterItMovedOn:
    def test_in_the_lot_of_another_year_is_not_asked_for(self, database, owing):
        with database.write() as db:
            made = with_terms(db, owing, **CARRIED)
            recorded = earn(db, made, 100, event_date=date(2026, 11, 2))
        finance.close_year(database, made, 2026, now=JANUARY)
        with database.write() as db:
            expire(db, made, MARCH.date(), now=MARCH)
            assert parts(reverse(db, made, recorded, now=MARCH)) == (0, 0, 0, 15000)

    def test_there_is_shared_out_over_the_lots_that_it_came_from(self, database, owing):
        most = {"plan_year": {"begins": "01-01", "carry_over": {"percent": "80", "grace_days": 20}}}
        with database.write() as db:
            made = with_terms(db, owing, **most)
            early = earn(db, made, 40, event_date=date(2026, 10, 2))
            late = earn(db, made, 60, event_date=date(2026, 11, 2))
        # Of 150 points 30 of the early ones are forfeited; 30 of them and 90 late ones go on, and 40 are spent.
        finance.close_year(database, made, 2026, now=JANUARY)
        with database.write() as db:
            redeem(db, made, 4000, now=JANUARY)
            expire(db, made, MARCH.date(), now=MARCH)
            assert parts(reverse(db, made, early, now=MARCH)) == (0, 3000, 0, 3000)
            assert parts(reverse(db, made, late, now=MARCH)) == (0, 1000, 0, 8000)

    def test_in_the_lot_of_a_refund_is_not_asked_for(self, database, owing):
        with database.write() as db:
            made = with_rules(
                db,
                owing,
                lots={"expires": {"days": 30}, "refund_grace_days": 60},
                corrections={"reversal": "overdraft"},
            )
            recorded = earn(db, made, 100, event_date=date(2026, 11, 2))
            refund(db, made, redeem(db, made, 15000))
            later = NOW + timedelta(days=100)
            expire(db, made, later.date(), now=later)
            assert parts(reverse(db, made, recorded, now=later)) == (0, 0, 0, 15000)

    def test_of_two_refunds_of_one_redemption_is_each_lots_own(self, database, owing):
        with database.write() as db:
            made = with_rules(
                db,
                owing,
                lots={"expires": {"days": 30}, "refund_grace_days": 60},
                corrections={"reversal": "overdraft"},
            )
            early = earn(db, made, 10, event_date=date(2026, 11, 1))
            late = earn(db, made, 10, event_date=date(2026, 11, 2))
            sold = redeem(db, made, 2000, 500)
            refund(db, made, sold, Wanted("2", 500))
            refund(db, made, sold, Wanted("1", 600))
            later = NOW + timedelta(days=100)
            expire(db, made, later.date(), now=later)
            # Of the first sale's line came back what expires last: 5 of the late points and 1 of the early ones.
            assert parts(reverse(db, made, late, now=later)) == (0, 0, 0, 1500)
            assert parts(reverse(db, made, early, now=later)) == (0, 1400, 0, 100)

    def test_in_the_lot_that_giving_back_a_repaid_debt_opens_is_not_asked_for(self, database, owing):
        later = datetime(2028, 11, 3, 18, tzinfo=UTC)
        with database.write() as db:
            right = earn(db, owing)
            redeem(db, owing, 1500)
            wrong = reverse(db, owing, right)
            assert wrong.overdrawn_minor == 1500
            earn(db, owing)
            given_back(db, owing, wrong)
            assert expire(db, owing, later.date(), now=later).expired_minor == 1500
            assert parts(reverse(db, owing, right, now=later)) == (0, 0, 0, 1500)

    def test_is_read_of_any_lots_at_once(self, database, owing):
        with database.write() as db:
            made = with_terms(db, owing, **CARRIED)
            earn(db, made, 100, event_date=date(2026, 11, 2))
            earn(db, made, 100, event_date=date(2026, 11, 3))
        finance.close_year(database, made, 2026, now=JANUARY)
        with database.write() as db:
            expire(db, made, MARCH.date(), now=MARCH)
            ids = list(db.execute(select(lot.c.id)).scalars())
            # 150 of the first and 30 of the second were forfeited; 120 of the second went on, and lapsed there.
            assert sorted(lapsing.lapsed(db, ids).values()) == [12000, 15000, 15000]


class TestWhatWasClawedBack:
    def test_is_not_taken_again_when_the_grant_is_taken_back(self, database):
        ending = {"policy": "grace", "grace_days": 90, "claw_back": True}
        with database.write() as db:
            made = make_earning(db, terms={"termination": ending, "grants": [YEAR]})
            made = with_rules(db, made, corrections={"reversal": "overdraft"})
        database.run(lambda db: grants.grant_some(db, made.program, NOW.date(), caller=CALLER, now=NOW))
        with database.write() as db:
            row = db.execute(select(accrual_event.c.id, accrual_event.c.points_minor)).one()
            leave(db, made)
            [(_, clawed, _)] = taken(db, made)
            done, _ = reversals.reverse(
                db, made.program, history.event(db, row.id), reason="a test", caller=CALLER, now=NOW
            )
            assert clawed > 0
            assert parts(done) == (row.points_minor - clawed, 0, 0, clawed)
            assert available(db, made) == (0, 0)

    def test_is_nothing_of_a_grant_that_has_lapsed(self, database):
        ending = {"policy": "grace", "grace_days": 90, "claw_back": True}
        with database.write() as db:
            made = make_earning(db, lots={"expires": {"days": 20}}, terms={"termination": ending, "grants": [YEAR]})
        database.run(lambda db: grants.grant_some(db, made.program, NOW.date(), caller=CALLER, now=NOW))
        with database.write() as db:
            lapsed = expire(db, made, NOW.date()).expired_minor
            earn(db, made)
            leave(db, made)

            assert lapsed > 0
            assert taken(db, made) == []
            assert available(db, made) == (1500, 0)


class TestWhatIsOnlyHeld:
    def test_is_not_given_up_as_if_it_were_spent(self, database, earning):
        with database.write() as db:
            lenient = with_rules(db, earning, corrections={"reversal": "partial"})
            wrong = earn(db, lenient)
            placed = hold(db, lenient, 1500)
            with pytest.raises(PointsHeld):
                reverse(db, lenient, wrong)
            holds.release(db, placed.id, caller=CALLER, now=NOW)
            assert parts(reverse(db, lenient, wrong)) == (1500, 0, 0, 0)
            assert available(db, lenient) == (0, 0)

    def test_is_given_up_once_it_is_spent(self, database, earning):
        with database.write() as db:
            lenient = with_rules(db, earning, corrections={"reversal": "partial"})
            wrong = earn(db, lenient)
            capture(db, lenient, hold(db, lenient, 1500))
            assert parts(reverse(db, lenient, wrong)) == (0, 0, 1500, 0)

    def test_does_not_matter_where_the_rest_suffices(self, database, earning):
        with database.write() as db:
            lenient = with_rules(db, earning, corrections={"reversal": "partial"})
            wrong = earn(db, lenient)
            earn(db, lenient)
            hold(db, lenient, 1500)
            assert parts(reverse(db, lenient, wrong)) == (1500, 0, 0, 0)


def given_back(db, earning, wrong, *, now=NOW):
    """Give back what a wrong reversal took."""
    holder = accounts.lock(db, earning.account_id)
    made = reversals.give_back(db, earning.program, holder, wrong, Why("rollback", "a test", CALLER), now=now)
    transfers.finish(db, holder, now=now)
    return made


class TestWhatWasGivenUp:
    """Points of a wrong accrual that were spent, where the program does not ask for what is spent."""

    @pytest.fixture
    def lenient(self, database, earning):
        with database.write() as db:
            return with_rules(db, earning, corrections={"reversal": "partial", "second_person_above": None})

    def test_is_taken_when_what_was_bought_comes_back(self, database, lenient):
        with database.write() as db:
            wrong = earn(db, lenient)
            sold = redeem(db, lenient, 1500)
            assert parts(reverse(db, lenient, wrong)) == (0, 0, 1500, 0)
            refund(db, lenient, sold, Wanted("1", 400))
            assert available(db, lenient) == (0, 0)
            refund(db, lenient, sold)

            assert available(db, lenient) == (0, 0)
            assert losses.of_account(db, lenient.account_id) == []

    def test_is_taken_from_the_lot_that_a_refund_opens(self, database, lenient):
        with database.write() as db:
            made = with_rules(
                db,
                lenient,
                lots={"expires": {"days": 30}, "refund_grace_days": 60},
                corrections={"reversal": "partial"},
            )
            wrong = earn(db, made)
            sold = redeem(db, made, 1500)
            reverse(db, made, wrong)
            refund(db, made, sold)
            assert available(db, made) == (0, 0)

    def test_is_no_more_than_was_given_up(self, database, lenient):
        with database.write() as db:
            wrong = earn(db, lenient)
            earn(db, lenient)
            sold = redeem(db, lenient, 2500)
            assert parts(reverse(db, lenient, wrong)) == (500, 0, 1000, 0)
            refund(db, lenient, sold)
            assert available(db, lenient) == (1500, 0)

    def test_is_not_taken_of_what_was_bought_later(self, database, lenient):
        later = NOW + timedelta(hours=1)
        with database.write() as db:
            wrong = earn(db, lenient)
            redeem(db, lenient, 1500)
            reverse(db, lenient, wrong)
            earn(db, lenient)
            refund(db, lenient, redeem(db, lenient, 1500, now=later), now=later)
            assert available(db, lenient) == (1500, 0)

    def test_is_returned_with_the_rest_when_the_reversal_was_wrong(self, database, lenient):
        with database.write() as db:
            right = earn(db, lenient)
            sold = redeem(db, lenient, 1200)
            wrong = reverse(db, lenient, right)
            refund(db, lenient, sold)
            assert available(db, lenient) == (0, 0)
            given_back(db, lenient, wrong)

            assert available(db, lenient) == (1500, 0)
            # It is none any more: another refund is not taken.
            assert losses.of_account(db, lenient.account_id) == []

    def test_goes_to_the_next_loss_when_the_first_reversal_was_wrong(self, database, lenient):
        with database.write() as db:
            right, wrong = earn(db, lenient), earn(db, lenient)
            sold = redeem(db, lenient, 3000)
            first = reverse(db, lenient, right)
            reverse(db, lenient, wrong)
            refund(db, lenient, sold, Wanted("1", 1500))
            assert available(db, lenient) == (0, 0)
            given_back(db, lenient, first)

            # What came back made up for the first; now it does for the second, and 15 that were right are spent.
            assert available(db, lenient) == (0, 0)
            assert losses.of_account(db, lenient.account_id) == []

    def test_is_taken_when_an_older_reversal_is_given_back(self, database, lenient):
        with database.write() as db:
            right, wrong = earn(db, lenient), earn(db, lenient)
            redeem(db, lenient, 1000)
            older = reverse(db, lenient, right)
            assert parts(reverse(db, lenient, wrong)) == (500, 0, 1000, 0)
            given_back(db, lenient, older)
            # 30 were given and 10 spent, so 5 are left of what was right.
            assert available(db, lenient) == (500, 0)

    def test_of_an_adjustment_is_taken_alike(self, database, lenient):
        with database.write() as db:
            given = adjust(db, lenient, 1500)
            sold = redeem(db, lenient, 1500)
            why = Why("rollback", "a test", CALLER)
            how = {"of_program": {lenient.program.id: lenient.program}, "now": NOW}
            done = annulling.adjustments(db, [given.id], why, **how)
            assert done.of(lenient.program.id).lost_minor == 1500
            refund(db, lenient, sold)
            assert available(db, lenient) == (0, 0)

    def test_is_taken_when_points_come_back_of_an_adjustment(self, database, lenient):
        with database.write() as db:
            wrong = earn(db, lenient)
            taking = adjust(db, lenient, -1500)
            assert parts(reverse(db, lenient, wrong)) == (0, 0, 1500, 0)
            why = Why("rollback", "a test", CALLER)
            annulling.adjustments(db, [taking.id], why, of_program={lenient.program.id: lenient.program}, now=NOW)
            assert available(db, lenient) == (0, 0)
