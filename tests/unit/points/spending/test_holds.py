"""Holds cover lots, first expiring first; captures spend what is covered, releases and time give it back."""

from datetime import UTC, date, datetime, timedelta

import pytest
from sqlalchemy import select

from chalicelib.access.models import audit_event
from chalicelib.deliveries.models import delivery
from chalicelib.errors import NotFound, OtherContent
from chalicelib.points.ledger.lots import InsufficientPoints
from chalicelib.points.models.ledger import transfer
from chalicelib.points.spending import hold_sweeper, holds, redemptions
from chalicelib.points.spending.holds import HoldEnded
from chalicelib.points.spending.redemptions import HoldExceeded, Line
from chalicelib.points.spending.refusals import HoldBound, HoldWithoutEnd
from chalicelib.storage.ids import new_id
from tests.factories.points import (
    CALLER,
    NOW,
    available,
    capture,
    counters,
    earn,
    hold,
    lots_of,
    redeem,
    with_rules,
)

pytestmark = pytest.mark.usefixtures("provable")
LAST_OF_FIRST = datetime(2028, 10, 2, 18, tzinfo=UTC)
AFTER_FIRST = LAST_OF_FIRST + timedelta(days=1)


@pytest.fixture
def earned(database, earning):
    """15.00 that may be spent through 2 October 2028, and 15.00 through 2 November."""
    with database.write() as db:
        earn(db, earning)
        earn(db, earning, event_date=date(2026, 10, 2))
    return earning


class TestPlacing:
    def test_covers_what_expires_first_and_makes_it_unavailable(self, database, earned):
        with database.write() as db:
            placed = hold(db, earned, 2000)

            assert available(db, earned) == (1000, 2000)
            assert lots_of(db, earned.account_id) == [(date(2028, 10, 2), 1500, 1500), (date(2028, 11, 2), 1500, 500)]
            assert [each.open_minor for each in holds.covered(db, placed.id)] == [1500, 500]
            assert (placed.state, placed.open_minor) == ("open", 2000)

    def test_refuses_more_than_is_available(self, database, earned):
        with database.write() as db:
            hold(db, earned, 2000)
            with pytest.raises(InsufficientPoints):
                hold(db, earned, 1001)
            hold(db, earned, 1000)

    def test_keeps_what_it_covers_from_being_redeemed(self, database, earned):
        with database.write() as db:
            hold(db, earned, 2000)
            with pytest.raises(InsufficientPoints):
                redeem(db, earned, 1001)
            redeem(db, earned, 1000)

    def test_refuses_who_never_had_any_points(self, database, earning):
        with database.write() as db, pytest.raises(InsufficientPoints):
            hold(db, earning, 1)

    def test_of_one_reference_happens_once(self, database, earned):
        with database.write() as db:
            first = hold(db, earned, 700, reference="basket", ttl_s=60)
            assert hold(db, earned, 700, reference="basket", ttl_s=60) == first
            others = [(701, {"ttl_s": 60}), (700, {"order_no": "o-1"}), (700, {"ttl_s": 60, "order_no": "o-1"})]
            for amount_minor, other in others:
                with pytest.raises(OtherContent):
                    hold(db, earned, amount_minor, reference="basket", **other)

            assert available(db, earned) == (2300, 700)

    def test_of_one_reference_is_the_same_once_its_basket_became_an_order(self, database, earned):
        with database.write() as db:
            first = hold(db, earned, 700, reference="basket", ttl_s=60)
            holds.bind(db, first.id, "o-1", caller=CALLER, now=NOW)

            assert hold(db, earned, 700, reference="basket", ttl_s=60).order_no == "o-1"

    def test_of_one_reference_is_for_one_order(self, database, earned):
        with database.write() as db:
            hold(db, earned, 700, reference="basket", order_no="o-1")
            with pytest.raises(OtherContent):
                hold(db, earned, 700, reference="basket", order_no="o-2")

    def test_is_for_a_while_or_for_an_order(self, database, earned):
        with database.write() as db:
            with pytest.raises(HoldWithoutEnd):
                hold(db, earned, 100, ttl_s=None, order_no=None)
            assert available(db, earned) == (3000, 0)

    def test_covers_no_lot_that_has_expired(self, database, earned):
        with database.write() as db:
            hold(db, earned, 1500, now=AFTER_FIRST)
            with pytest.raises(InsufficientPoints):
                hold(db, earned, 1, now=AFTER_FIRST)

    @pytest.mark.usefixtures("balance_target")
    def test_grows_the_version_and_queues_the_balance(self, database, earned):
        with database.write() as db:
            placed = hold(db, earned, 700)
            [queued] = db.execute(select(delivery.c.entity_key)).scalars()
            assert queued == earned.account_id.hex()
            before = counters(db, earned.account_id)
            holds.release(db, placed.id, caller=CALLER, now=NOW)
            assert counters(db, earned.account_id)["entry_no"] == before["entry_no"] == 2
            capture(db, earned, hold(db, earned, 100))

            versions = db.execute(select(transfer.c.version).order_by(transfer.c.seq)).scalars().all()
            assert versions == [1, 2, 6]


class TestCapturing:
    def test_in_part_leaves_the_rest_for_the_next_shipment(self, database, earned):
        with database.write() as db:
            placed = hold(db, earned, 2000)
            first = capture(db, earned, placed, 1600)
            assert (first.amount_minor, first.hold_id) == (1600, placed.id)
            assert available(db, earned) == (1000, 400)
            second = capture(db, earned, placed)
            ended = holds.by_id(db, placed.id)

            assert (second.amount_minor, ended.state, ended.captured_minor) == (400, "captured", 2000)
            assert available(db, earned) == (1000, 0)
            assert counters(db, earned.account_id)["debits_posted"] == 2000

    def test_of_one_key_happens_once(self, database, earned):
        with database.write() as db:
            placed = hold(db, earned, 2000)
            first = capture(db, earned, placed, 600, reference="shipment")
            assert capture(db, earned, placed, 600, reference="shipment") == first
            with pytest.raises(OtherContent):
                capture(db, earned, placed, 601, reference="shipment")

            assert holds.by_id(db, placed.id).captured_minor == 600

    def test_of_one_key_is_answered_after_the_hold_has_ended(self, database, earned):
        with database.write() as db:
            placed = hold(db, earned, 2000)
            first = capture(db, earned, placed, reference="shipment")

            assert capture(db, earned, placed, reference="shipment") == first

    def test_refuses_more_than_is_covered_and_what_has_ended(self, database, earned):
        with database.write() as db:
            placed = hold(db, earned, 2000)
            with pytest.raises(HoldExceeded):
                capture(db, earned, placed, 2001)
            holds.release(db, placed.id, caller=CALLER, now=NOW)
            with pytest.raises(HoldEnded):
                capture(db, earned, placed, 1)

    def test_refuses_a_basket_whose_time_is_over_before_anyone_swept_it(self, database, earned):
        with database.write() as db:
            placed = hold(db, earned, 2000, ttl_s=60)
            capture(db, earned, placed, 1, now=NOW + timedelta(seconds=59))
            with pytest.raises(HoldEnded):
                capture(db, earned, placed, 1, now=NOW + timedelta(seconds=60))

    def test_keeps_the_lines_that_were_shipped(self, database, earned):
        with database.write() as db:
            made = capture(db, earned, hold(db, earned, 2000), lines=[Line("shirt", 500), Line("cap", 300)])

            assert [(each.line, each.amount_minor) for each in redemptions.lines_of(db, made.id)] == [
                ("shirt", 500),
                ("cap", 300),
            ]

    def test_spends_a_lot_that_expired_meanwhile_since_the_hold_was_in_time(self, database, earned):
        with database.write() as db:
            placed = hold(db, earned, 1500)

            assert capture(db, earned, placed, now=AFTER_FIRST).amount_minor == 1500

    def test_spends_no_expired_lot_where_the_program_lets_them_lapse(self, database, earned):
        with database.write() as db:
            strict = with_rules(db, earned, lots={"held_at_expiry": "lapse"})
            placed = hold(db, strict, 2000)
            with pytest.raises(InsufficientPoints):
                capture(db, strict, placed, now=AFTER_FIRST)
            capture(db, strict, placed, 500, now=AFTER_FIRST)

    def test_of_no_hold_is_refused(self, database, earned):
        with database.write() as db, pytest.raises(NotFound):
            redemptions.capture(db, earned.program, new_id(), reference="x", caller=CALLER, now=NOW)


class TestReleasing:
    def test_gives_back_what_is_left_and_may_be_repeated(self, database, earned):
        with database.write() as db:
            placed = hold(db, earned, 2000)
            capture(db, earned, placed, 500)
            for _ in range(2):
                ended = holds.release(db, placed.id, caller=CALLER, now=NOW)
                assert (ended.state, ended.captured_minor, ended.released_minor) == ("released", 500, 1500)

            assert available(db, earned) == (2500, 0)

    def test_leaves_who_did_it_and_how_much(self, database, earned):
        with database.write() as db:
            placed = hold(db, earned, 2000)
            holds.release(db, placed.id, 600, caller=CALLER, now=NOW)
            holds.release(db, placed.id, caller=CALLER, now=NOW)
            holds.release(db, placed.id, caller=CALLER, now=NOW)

            columns = (audit_event.c.action, audit_event.c.actor, audit_event.c.after)
            told = db.execute(select(*columns).order_by(audit_event.c.seq)).all()
        assert [tuple(row) for row in told if row.action == "hold.released"] == [
            ("hold.released", CALLER.actor, '{"amount_minor":600}'),
            ("hold.released", CALLER.actor, '{"amount_minor":1400}'),
        ]

    def test_in_part_uncovers_what_expires_last(self, database, earned):
        with database.write() as db:
            placed = hold(db, earned, 2000)
            assert holds.release(db, placed.id, 600, caller=CALLER, now=NOW).state == "open"

            assert lots_of(db, earned.account_id) == [(date(2028, 10, 2), 1500, 1400), (date(2028, 11, 2), 1500, 0)]
            with pytest.raises(HoldEnded):
                holds.release(db, placed.id, 1401, caller=CALLER, now=NOW)


class TestTime:
    def test_sweeps_the_baskets_whose_time_is_over_and_no_orders(self, database, earned):
        with database.write() as db:
            basket = hold(db, earned, 100, ttl_s=60)
            later = hold(db, earned, 200, ttl_s=3600)
            order = hold(db, earned, 400, order_no="o-1")

        assert hold_sweeper.sweep(database, now=NOW + timedelta(seconds=59)) == 0
        assert hold_sweeper.sweep(database, now=NOW + timedelta(seconds=60)) == 1
        assert hold_sweeper.sweep(database, now=NOW + timedelta(seconds=60)) == 0
        with database.read() as db:
            states = [holds.by_id(db, each.id).state for each in (basket, later, order)]
            assert states == ["expired", "open", "open"]
            assert available(db, earned) == (2400, 600)

    def test_sweeps_in_bounded_transactions_until_nothing_is_due(self, database, earned, monkeypatch):
        monkeypatch.setattr(hold_sweeper, "_HOLDS_MAX", 2)
        with database.write() as db:
            for _ in range(5):
                hold(db, earned, 10, ttl_s=60)

        assert hold_sweeper.sweep(database, now=NOW + timedelta(hours=1)) == 5

    def test_ends_when_the_basket_becomes_an_order(self, database, earned):
        with database.write() as db:
            placed = hold(db, earned, 100, ttl_s=60)
            bound = holds.bind(db, placed.id, "o-1", caller=CALLER, now=NOW)
            assert holds.bind(db, placed.id, "o-1", caller=CALLER, now=NOW + timedelta(days=1)) == bound

        assert (bound.expires_at, bound.order_no) == (None, "o-1")
        assert hold_sweeper.sweep(database, now=NOW + timedelta(days=9)) == 0

    def test_of_an_order_is_not_given_to_another(self, database, earned):
        with database.write() as db:
            placed = hold(db, earned, 100, order_no="o-1")
            with pytest.raises(HoldBound):
                holds.bind(db, placed.id, "o-2", caller=CALLER, now=NOW)

    def test_of_an_ended_hold_is_not_brought_back_by_an_order(self, database, earned):
        with database.write() as db:
            placed = hold(db, earned, 100, ttl_s=60)
            with pytest.raises(HoldEnded):
                holds.bind(db, placed.id, "o-1", caller=CALLER, now=NOW + timedelta(seconds=60))
