"""What comes back goes to the lots it was taken from; no line comes back twice."""

from datetime import UTC, date, datetime, timedelta

import pytest

from chalicelib.errors import InvalidInput, OtherContent, UnknownReference, Unprocessable
from chalicelib.points.spending import redemptions, refunds
from chalicelib.points.spending.redemptions import Line, RedemptionFilter
from chalicelib.points.spending.refunds import LineRefunded, RefundExceedsLine, Wanted
from chalicelib.points.terms import expirations
from tests.factories.points import (
    CALLER,
    NOW,
    available,
    capture,
    counters,
    earn,
    expire,
    hold,
    lots_of,
    redeem,
    refund,
    with_rules,
)

pytestmark = pytest.mark.usefixtures("provable")
OCTOBER, NOVEMBER = date(2028, 10, 2), date(2028, 11, 2)
AFTER_OCTOBER = datetime(2028, 10, 3, 18, tzinfo=UTC)


@pytest.fixture
def earned(database, earning):
    """15.00 that may be spent through 2 October 2028, and 15.00 through 2 November."""
    with database.write() as db:
        earn(db, earning)
        earn(db, earning, event_date=date(2026, 10, 2))
    return earning


class TestRedeeming:
    def test_of_one_reference_happens_once(self, database, earned):
        with database.write() as db:
            first = redeem(db, earned, 500, 700, reference="till")
            assert redeem(db, earned, 500, 700, reference="till") == first
            for other in ((500, 701), (1200,), (700, 500)):
                with pytest.raises(OtherContent):
                    redeem(db, earned, *other, reference="till")

            assert available(db, earned) == (1800, 0)

    def test_of_one_reference_is_for_one_order(self, database, earned):
        with database.write() as db:
            redeem(db, earned, 500, reference="till", order_no="o-1")
            with pytest.raises(OtherContent):
                redeem(db, earned, 500, reference="till", order_no="o-2")

    def test_refuses_lines_without_points_or_of_one_name(self, database, earned):
        with database.write() as db:
            for lines in ([], [Line("a", 0)], [Line("a", 1), Line("a", 1)]):
                with pytest.raises(InvalidInput):
                    redemptions.redeem(
                        db, earned.program, earned.member.id, lines, reference="r", caller=CALLER, now=NOW
                    )

    def test_spends_no_lot_whose_last_day_is_over_though_nothing_expired_it(self, database, earned):
        with database.write() as db:
            with pytest.raises(Unprocessable):
                redeem(db, earned, 1501, now=AFTER_OCTOBER)
            redeem(db, earned, 1500, now=AFTER_OCTOBER)

            assert lots_of(db, earned.account_id) == [(OCTOBER, 1500, 0), (NOVEMBER, 0, 0)]

    def test_is_listed_by_member_order_and_day(self, database, earned):
        with database.write() as db:
            first = redeem(db, earned, 100, order_no="o-1")
            second = redeem(db, earned, 100)

            def found(**wanted):
                return [each.id for each in redemptions.newest_first(
                    db, RedemptionFilter(partner_id=earned.partner.id, **wanted), before_seq=None, limit=9
                )]  # fmt: skip

            assert found() == [second.id, first.id]
            assert found(order_no="o-1") == [first.id]
            assert found(member_id=earned.member.id) == [second.id, first.id]
            assert found(since=first.business_date, until=first.business_date) == [second.id, first.id]
            assert found(since=first.business_date + timedelta(days=1)) == []
            assert found(until=first.business_date - timedelta(days=1)) == []


class TestRefunding:
    def test_gives_back_to_the_lots_that_the_line_took_from(self, database, earned):
        with database.write() as db:
            sold = redeem(db, earned, 1000, 1000)
            refund(db, earned, sold, Wanted("1"))
            assert lots_of(db, earned.account_id) == [(OCTOBER, 1000, 0), (NOVEMBER, 1000, 0)]
            refund(db, earned, sold, Wanted("2"))

            assert lots_of(db, earned.account_id) == [(OCTOBER, 1500, 0), (NOVEMBER, 1500, 0)]
            assert available(db, earned) == (3000, 0)

    def test_of_a_part_gives_back_what_expires_last_first(self, database, earned):
        with database.write() as db:
            sold = redeem(db, earned, 2000)
            refund(db, earned, sold, Wanted("1", 600))
            assert lots_of(db, earned.account_id) == [(OCTOBER, 100, 0), (NOVEMBER, 1500, 0)]
            refund(db, earned, sold, Wanted("1", 400))
            assert lots_of(db, earned.account_id) == [(OCTOBER, 500, 0), (NOVEMBER, 1500, 0)]
            refund(db, earned, sold, Wanted("1"))

            assert lots_of(db, earned.account_id) == [(OCTOBER, 1500, 0), (NOVEMBER, 1500, 0)]

    def test_of_a_capture_works_alike(self, database, earned):
        with database.write() as db:
            sold = capture(db, earned, hold(db, earned, 2000), 1700)
            refund(db, earned, sold)

            assert available(db, earned) == (2700, 300)

    def test_of_one_line_twice_is_refused(self, database, earned):
        with database.write() as db:
            sold = redeem(db, earned, 1000, 500)
            refund(db, earned, sold, Wanted("1"))
            with pytest.raises(LineRefunded):
                refund(db, earned, sold, Wanted("1"))
            with pytest.raises(LineRefunded):
                refund(db, earned, sold, Wanted("2"), Wanted("1", 1))

            assert available(db, earned) == (2500, 0)

    def test_of_more_than_was_paid_is_refused(self, database, earned):
        with database.write() as db:
            sold = redeem(db, earned, 1000)
            refund(db, earned, sold, Wanted("1", 400))
            for amount in (601, 0, -1):
                with pytest.raises(RefundExceedsLine):
                    refund(db, earned, sold, Wanted("1", amount))

    def test_of_an_unknown_line_is_refused(self, database, earned):
        with database.write() as db:
            sold = redeem(db, earned, 1000)
            with pytest.raises(UnknownReference):
                refund(db, earned, sold, Wanted("2"))
            with pytest.raises(Unprocessable):
                refund(db, earned, sold, Wanted("1", 1), Wanted("1", 1))

    def test_of_one_reference_happens_once(self, database, earned):
        with database.write() as db:
            sold = redeem(db, earned, 1000, 500)
            first = refund(db, earned, sold, Wanted("1", 400), reference="rma")
            assert refund(db, earned, sold, Wanted("1", 400), reference="rma") == first
            for other in ([Wanted("1", 401)], [Wanted("2", 400)], [Wanted("1", 400), Wanted("2")]):
                with pytest.raises(OtherContent):
                    refund(db, earned, sold, *other, reference="rma")

            assert available(db, earned) == (1900, 0)
            assert [each.id for each in refunds.of_redemption(db, sold.id)] == [first.id]

    def test_is_not_counted_as_earned(self, database, earned):
        with database.write() as db:
            refund(db, earned, redeem(db, earned, 1000))
            after = counters(db, earned.account_id)

            assert (after["credits_posted"], after["debits_posted"]) == (4000, 1000)


class TestRefundingAfterTheLastDay:
    def test_goes_back_to_a_lot_that_nobody_can_spend_and_that_expires_again(self, database, earned):
        with database.write() as db:
            sold = redeem(db, earned, 1500)
            assert expire(db, earned, OCTOBER + timedelta(days=1), now=AFTER_OCTOBER).expired_minor == 0
            refund(db, earned, sold, now=AFTER_OCTOBER)
            assert available(db, earned, now=AFTER_OCTOBER) == (1500, 0)

            assert expire(db, earned, OCTOBER + timedelta(days=1), now=AFTER_OCTOBER).expired_minor == 1500
            assert available(db, earned, now=AFTER_OCTOBER) == (1500, 0)

    def test_is_spendable_for_the_programs_grace(self, database, earned):
        with database.write() as db:
            kind = with_rules(db, earned, lots={"refund_grace_days": 10})
            sold = redeem(db, kind, 1600)
            refund(db, kind, sold, now=AFTER_OCTOBER)

            assert available(db, kind, now=AFTER_OCTOBER) == (3000, 0)
            # What would have expired later anyway keeps its own day.
            assert (date(2028, 10, 13), 1500, 0) in lots_of(db, kind.account_id)
            assert (NOVEMBER, 1500, 0) in lots_of(db, kind.account_id)
            assert expirations.preview(db, kind.program, date(2028, 10, 13), accounts_max=9).expiry.expired_minor == 0
            assert (
                expirations.preview(db, kind.program, date(2028, 10, 14), accounts_max=9).expiry.expired_minor == 1500
            )
