"""Adjustments need a reason and, above a threshold, a second person; a reversal takes back what there is by policy."""

from datetime import UTC, date, datetime, timedelta

import pytest
from sqlalchemy import select

from chalicelib.access.caller import Caller
from chalicelib.access.models import audit_event
from chalicelib.errors import InvalidInput, NotFound, OtherContent, Unprocessable
from chalicelib.points.corrections import adjustments, reversals
from chalicelib.points.corrections.adjustments import Decided, OwnAdjustment
from chalicelib.points.corrections.reversals import PointsSpent
from chalicelib.points.ledger import balances
from chalicelib.points.ledger.lots import InsufficientPoints
from chalicelib.storage.ids import new_id
from tests.factories import partners, points
from tests.factories.points import (
    CALLER,
    NOW,
    adjust,
    available,
    counters,
    earn,
    expire,
    hold,
    lots_of,
    redeem,
    refund,
    reverse,
    with_rules,
)

pytestmark = pytest.mark.usefixtures("provable")
SECOND = Caller("usr_00000000000000000000000002", "second")
AT = datetime(2028, 11, 3, 18, tzinfo=UTC)


def decide(db, earning, found, *, approve=True, caller=SECOND):
    return adjustments.decide(db, earning.program, found.id, approve=approve, comment="seen", caller=caller, now=NOW)


@pytest.fixture
def trusting(database, earning):
    """A program whose adjustments of up to 10.00 need nobody else."""
    with database.write() as db:
        return with_rules(db, earning, corrections={"second_person_above": "10"})


class TestAdjusting:
    def test_up_to_the_threshold_is_posted_at_once(self, database, trusting):
        with database.write() as db:
            given = adjust(db, trusting, 1000)
            taken = adjust(db, trusting, -400)

            assert (given.state, taken.state, given.decided_by) == ("posted", "posted", None)
            assert available(db, trusting) == (600, 0)
            assert lots_of(db, trusting.account_id) == [(date(2028, 11, 20), 600, 0)]

    @pytest.mark.parametrize("amount_minor", [1001, -1001])
    def test_above_it_waits_for_a_second_person(self, database, trusting, amount_minor):
        with database.write() as db:
            earn(db, trusting, 100)
            found = adjust(db, trusting, amount_minor)
            assert (found.state, available(db, trusting)) == ("pending", (15000, 0))
            posted = decide(db, trusting, found)

            assert (posted.state, posted.decided_by) == ("posted", SECOND.actor)
            assert available(db, trusting) == (15000 + amount_minor, 0)

    def test_always_waits_where_the_program_says_nothing(self, database, earning):
        with database.write() as db:
            assert adjust(db, earning, 1).state == "pending"

    def test_is_not_decided_by_who_asked_for_it(self, database, earning):
        with database.write() as db:
            found = adjust(db, earning, 500)
            for approve in (True, False):
                with pytest.raises(OwnAdjustment):
                    decide(db, earning, found, approve=approve, caller=CALLER)

    def test_is_decided_once(self, database, earning):
        with database.write() as db:
            rejected = decide(db, earning, adjust(db, earning, 500), approve=False)
            assert decide(db, earning, rejected, approve=False) == rejected
            with pytest.raises(Decided):
                decide(db, earning, rejected)
            posted = decide(db, earning, adjust(db, earning, 500))
            assert decide(db, earning, posted) == posted

            assert available(db, earning) == (500, 0)

    def test_of_one_reference_happens_once(self, database, trusting):
        with database.write() as db:
            first = adjust(db, trusting, 500, reference="a-1")
            assert adjust(db, trusting, 500, reference="a-1") == first
            for other in ({"amount_minor": 501}, {"amount_minor": 500, "reason_code": "goodwill"}):
                with pytest.raises(OtherContent):
                    adjust(db, trusting, other.pop("amount_minor"), reference="a-1", **other)

    def test_needs_a_reason_that_the_program_knows(self, database, trusting):
        with database.write() as db:
            with pytest.raises(InvalidInput, match="correction, goodwill, migration"):
                adjust(db, trusting, 500, reason_code="because")
            with pytest.raises(Unprocessable):
                adjust(db, trusting, 0)

    def test_takes_no_more_than_is_available(self, database, trusting):
        with database.write() as db, pytest.raises(InsufficientPoints):
            adjust(db, trusting, -1)

    def test_is_in_the_audit_trail_with_its_reason(self, database, earning):
        with database.write() as db:
            decide(db, earning, adjust(db, earning, 500, comment="lost in the move"))
            trail = db.execute(select(audit_event.c.actor, audit_event.c.action, audit_event.c.reason)).all()

        assert (CALLER.actor, "adjustment.requested", "lost in the move") in trail
        assert (SECOND.actor, "adjustment.approved", "seen") in trail

    @pytest.mark.usefixtures("earning")
    def test_of_no_adjustment_is_refused(self, database):
        with database.write() as db, pytest.raises(NotFound):
            adjustments.by_id(db, new_id())


class TestReversing:
    def test_takes_the_accruals_own_lot_first(self, database, earning):
        with database.write() as db:
            wrong = earn(db, earning)
            earn(db, earning, event_date=date(2026, 10, 2))
            made = reverse(db, earning, wrong)

            assert (made.recovered_minor, made.overdrawn_minor, made.lost_minor) == (1500, 0, 0)
            assert lots_of(db, earning.account_id) == [(date(2028, 10, 2), 1500, 0), (date(2028, 11, 2), 0, 0)]

    def test_happens_once(self, database, earning):
        with database.write() as db:
            wrong = earn(db, earning)
            earn(db, earning)
            assert reverse(db, earning, wrong) == reverse(db, earning, wrong)

            assert available(db, earning) == (1500, 0)

    def test_goes_on_with_what_expires_first(self, database, earning):
        with database.write() as db:
            wrong = earn(db, earning, event_date=date(2026, 9, 2))
            earn(db, earning)
            redeem(db, earning, 1000)
            assert reverse(db, earning, wrong).recovered_minor == 1500

            assert available(db, earning) == (500, 0)

    def test_of_spent_points_is_refused_by_default(self, database, earning):
        with database.write() as db:
            wrong = earn(db, earning)
            redeem(db, earning, 1)
            with pytest.raises(PointsSpent):
                reverse(db, earning, wrong)

            assert available(db, earning) == (1499, 0)

    def test_of_held_points_counts_them_as_spent(self, database, earning):
        with database.write() as db:
            wrong = earn(db, earning)
            hold(db, earning, 1)
            with pytest.raises(PointsSpent):
                reverse(db, earning, wrong)

    def test_takes_a_part_where_the_program_says_so_and_reports_the_rest(self, database, earning):
        with database.write() as db:
            lenient = with_rules(db, earning, corrections={"reversal": "partial"})
            wrong = earn(db, lenient)
            redeem(db, lenient, 1200)
            made = reverse(db, lenient, wrong)

            assert (made.recovered_minor, made.lost_minor, made.overdrawn_minor) == (300, 1200, 0)
            assert available(db, lenient) == (0, 0)

    def test_of_nothing_left_is_kept_without_an_entry(self, database, earning):
        with database.write() as db:
            lenient = with_rules(db, earning, corrections={"reversal": "partial"})
            wrong = earn(db, lenient)
            redeem(db, lenient, 1500)
            made = reverse(db, lenient, wrong)

            assert (made.transfer_id, made.lost_minor) == (None, 1500)
            assert reverse(db, lenient, wrong) == made

    def test_of_what_expired_asks_nothing_for_it(self, database, earning):
        with database.write() as db:
            wrong = earn(db, earning)
            redeem(db, earning, 500)
            expire(db, earning, AT.date(), now=AT)
            adjusted = with_rules(db, earning, corrections={"second_person_above": None})
            adjust(db, adjusted, 2000, now=AT)
            made = reverse(db, adjusted, wrong, now=AT)

            assert (made.recovered_minor, made.expired_minor) == (500, 1000)
            assert available(db, adjusted, now=AT) == (1500, 0)

    def test_of_an_event_that_earned_nothing_is_refused(self, database, earning):
        with database.write() as db:
            [nothing] = points.record(db, earning.partner, [points.event(quantity=0)])
            assert nothing.outcome == "no_points"
            with pytest.raises(Unprocessable):
                reverse(db, earning, nothing)


class TestOverdraft:
    @pytest.fixture
    def overdrawn(self, database, earning):
        """An account that owes 12.00 of an accrual of 15.00 that was taken back."""
        with database.write() as db:
            owing = with_rules(db, earning, corrections={"reversal": "overdraft", "second_person_above": None})
            wrong = earn(db, owing)
            sold = redeem(db, owing, 1200)
            made = reverse(db, owing, wrong)
            assert (made.recovered_minor, made.overdrawn_minor) == (300, 1200)
        return owing, sold

    def test_shows_less_than_nothing(self, database, overdrawn):
        with database.read() as db:
            assert available(db, overdrawn[0]) == (-1200, 0)
            [then] = balances.as_of(db, overdrawn[0].member.id, day=NOW.date())
            assert (then.available_minor, then.lifetime_minor) == (-1200, 0)

    def test_is_repaid_by_what_is_earned_next(self, database, overdrawn):
        owing, _ = overdrawn
        with database.write() as db:
            earn(db, owing, "2")
            assert available(db, owing) == (-900, 0)
            with pytest.raises(InsufficientPoints):
                redeem(db, owing, 1)
            earn(db, owing)

            assert available(db, owing) == (600, 0)
            assert counters(db, owing.account_id)["credits_posted"] == 3300

    def test_is_repaid_by_a_refund_and_by_an_adjustment(self, database, overdrawn):
        owing, sold = overdrawn
        with database.write() as db:
            refund(db, owing, sold, points.Wanted("1", 700))
            assert available(db, owing) == (-500, 0)
            adjust(db, owing, 600)

            assert available(db, owing) == (100, 0)

    def test_is_set_off_before_released_points_are_spent_or_expire(self, database, earning):
        with database.write() as db:
            owing = with_rules(db, earning, corrections={"reversal": "overdraft"})
            wrong = earn(db, owing)
            placed = hold(db, owing, 1000)
            assert reverse(db, owing, wrong).overdrawn_minor == 1000
            points.holds.release(db, placed.id, caller=CALLER, now=NOW)
            assert available(db, owing) == (0, 0)
            with pytest.raises(InsufficientPoints):
                redeem(db, owing, 1)

            assert expire(db, owing, AT.date() + timedelta(days=1), now=AT).expired_minor == 0
            assert counters(db, owing.account_id)["debits_posted"] == 1500
            assert available(db, owing, now=AT) == (0, 0)

    def test_of_two_accruals_is_repaid_oldest_first(self, database, earning):
        with database.write() as db:
            owing = with_rules(db, earning, corrections={"reversal": "overdraft"})
            both = earn(db, owing), earn(db, owing)
            redeem(db, owing, 3000)
            for each in both:
                reverse(db, owing, each)
            earn(db, owing, 11)

            assert available(db, owing) == (-1350, 0)
            assert reversals.of_event(db, both[0].id).overdrawn_minor == 1500

    def test_of_another_member_is_untouched(self, database, overdrawn):
        owing, _ = overdrawn
        with database.write() as db:
            partners.make_member(db, owing.partner, "E2")
            earn(db, owing, employee_id="E2")

            assert available(db, owing) == (-1200, 0)
