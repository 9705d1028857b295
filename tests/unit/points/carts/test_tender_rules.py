"""What a tender owns, when its cart ends, and which terms it keeps."""

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

import pytest

from chalicelib.errors import InvalidInput, OtherContent
from chalicelib.partners.programs import programs
from chalicelib.partners.programs.catalogs import Group
from chalicelib.points.carts import tender_steps, tenders
from chalicelib.points.carts.tenders import NewTender
from chalicelib.points.spending import holds, redemptions
from chalicelib.points.spending.holds import HoldEnded
from chalicelib.points.spending.redemptions import RedemptionFilter
from chalicelib.points.spending.refunds import Wanted
from chalicelib.points.spending.refusals import BelongsToTender, HoldBound, HoldWithoutEnd
from tests.factories.points import CALLER, NOW, Earning, available, capture, earn, make_earning, refund
from tests.factories.terms import TENDER, line, stock, today

pytestmark = pytest.mark.usefixtures("provable", "data_key")

HOW = {"caller": CALLER, "now": NOW}
LATER = {"caller": CALLER, "now": NOW + timedelta(minutes=5)}


@pytest.fixture
def earning(database, data_key) -> Earning:
    """E1 has 30 dollars in points of a cent: 3,000 points, scale 2."""
    with database.write() as db:
        made = make_earning(db, terms={"tender": TENDER})
        earn(db, made, hours=2000)
        return made


@pytest.fixture
def poor(database, data_key) -> Earning:
    """A card pays everything of E1, who may have two shirts."""
    with database.write() as db:
        made = make_earning(db, terms={"tender": TENDER})
        stock(db, made, Group("shirts", 2), S1="shirts")
        return made


def priced(name, price, quantity=1, sku="S1"):
    return line(name, quantity, sku, price=Decimal(price), currency="USD")


def place(db, earning, *lines, reference="cart-1", now=NOW, **more):
    wanted = NewTender(lines, reference, **(more or {"order_no": "o-1"}))
    return tenders.place(db, earning.program, today(db, earning), wanted, caller=CALLER, now=now)[0]


def ship(db, earning, cart, pieces=None, *, reference="s1", how=HOW):
    return tender_steps.capture(db, earning.program, cart.id, pieces or {}, reference=reference, **how)


def bring_back(db, earning, cart, pieces=None, *, reference="r1"):
    return tender_steps.refund(db, earning.program, cart.id, pieces or {}, reference=reference, **HOW)


class TestWhatItOwns:
    def test_its_hold_is_moved_by_nobody_else(self, database, earning):
        with database.write() as db:
            cart = place(db, earning, priced("shirt", "5.00", 2), ttl_s=600)
            held = holds.by_id(db, cart.hold_id)
            with pytest.raises(BelongsToTender):
                capture(db, earning, held, cart.points_minor)
            with pytest.raises(BelongsToTender):
                holds.release(db, held.id, **HOW)
            with pytest.raises(BelongsToTender):
                holds.bind(db, held.id, "o-1", **HOW)

            assert holds.by_id(db, held.id) == held
            assert ship(db, earning, cart).moved[0].points_minor == cart.points_minor

    def test_its_redemptions_come_back_by_nobody_else(self, database, earning):
        with database.write() as db:
            cart = place(db, earning, priced("shirt", "10.00"))
            ship(db, earning, cart)
            [sold] = redemptions.newest_first(db, RedemptionFilter(), before_seq=None, limit=5)
            with pytest.raises(BelongsToTender):
                refund(db, earning, sold, Wanted("shirt", 50_000))

            assert bring_back(db, earning, cart).moved[0].points_minor == 100_000
            assert available(db, earning) == (300_000, 0)

    def test_a_tender_does_not_move_what_another_owns(self, database, earning):
        with database.write() as db:
            cart = place(db, earning, priced("shirt", "5.00"))
            other = place(db, earning, priced("shirt", "5.00"), reference="cart-2")
            with pytest.raises(BelongsToTender):
                holds.release(db, cart.hold_id, of_tender=other.id, **HOW)


class TestItsEnd:
    def test_a_cart_that_a_card_pays_ends_like_any_other(self, database, poor):
        with database.write() as db:
            first = place(db, poor, priced("a", "1.00", 2), ttl_s=60)
            second = place(db, poor, priced("a", "1.00", 2), reference="cart-2", ttl_s=600, now=LATER["now"])
            with pytest.raises(HoldEnded):
                ship(db, poor, first, how=LATER)

            assert ship(db, poor, second, how=LATER).moved[0].quantity == 2

    def test_what_shipped_in_time_is_answered_again_afterwards(self, database, poor):
        with database.write() as db:
            cart = place(db, poor, priced("a", "1.00", 2), ttl_s=60)
            first = ship(db, poor, cart)

            again = ship(db, poor, cart, how=LATER)
            assert (again.new, again.moved) == (False, first.moved)

    def test_lines_that_a_card_pays_end_with_the_points_of_the_others(self, database, earning):
        with database.write() as db:
            stock(db, earning, Group("shirts"), Group("ties"), S1=("shirts", 300_000), S2=("ties", 0))
            cart = place(db, earning, priced("shirt", "30.00"), priced("tie", "5.00", sku="S2"), ttl_s=60)
            with pytest.raises(HoldEnded):
                ship(db, earning, cart, {"tie": 1}, how=LATER)

    def test_there_is_none_once_it_is_an_order(self, database, earning):
        with database.write() as db:
            cart = place(db, earning, priced("shirt", "40.00"), ttl_s=60)
            bound = tender_steps.bind(db, cart.id, "o-1", **HOW)
            assert (bound.order_no, bound.expires_at) == ("o-1", None)
            held = holds.by_id(db, cart.hold_id)
            assert (held.order_no, held.expires_at) == ("o-1", None)
            assert tender_steps.bind(db, cart.id, "o-1", **LATER) == bound
            with pytest.raises(HoldBound):
                tender_steps.bind(db, cart.id, "o-2", **HOW)

            assert ship(db, earning, cart, how=LATER).moved[0].points_minor == 300_000

    def test_an_ended_cart_becomes_no_order(self, database, poor):
        with database.write() as db:
            cart = place(db, poor, priced("a", "1.00"), ttl_s=60)
            with pytest.raises(HoldEnded):
                tender_steps.bind(db, cart.id, "o-1", **LATER)

    def test_it_is_for_a_while_or_for_an_order(self, database, poor):
        with database.write() as db, pytest.raises(HoldWithoutEnd):
            place(db, poor, priced("a", "1.00"), ttl_s=None)


class TestItsTerms:
    def test_what_comes_back_first_is_what_the_program_said_then(self, database, earning):
        with database.write() as db:
            cart = place(db, earning, priced("shirt", "60.00", 2))
            ship(db, earning, cart)
            spec = replace(programs.spec_of(earning.program), terms={"tender": {**TENDER, "refund": "points_last"}})
            changed = replace(earning, program=programs.change(db, earning.program, spec, **HOW))

            assert bring_back(db, changed, cart, {"shirt": 1}).moved[0].points_minor == 300_000

    def test_pieces_come_back_when_the_program_takes_no_card_any_more(self, database, earning):
        with database.write() as db:
            cart = place(db, earning, priced("shirt", "10.00"))
            ship(db, earning, cart)
            spec = replace(programs.spec_of(earning.program), terms=None)
            changed = replace(earning, program=programs.change(db, earning.program, spec, **HOW))

            assert bring_back(db, changed, cart).moved[0].points_minor == 100_000

    def test_a_reference_is_for_one_order(self, database, earning):
        with database.write() as db:
            first = place(db, earning, priced("shirt", "1.00"), order_no="o-1")
            assert place(db, earning, priced("shirt", "1.00"), order_no="o-1") == first
            with pytest.raises(OtherContent):
                place(db, earning, priced("shirt", "1.00"), order_no="o-2")

    @pytest.mark.parametrize(("price", "quantity"), [("1" + "0" * 18, 10_000), ("10000000000000.01", 1)])
    def test_a_price_that_cannot_be_counted_is_refused(self, database, earning, price, quantity):
        with database.write() as db, pytest.raises(InvalidInput) as refused:
            place(db, earning, priced("a", price, quantity, sku=None))
        assert refused.value.code == "price_out_of_range"
        assert [fault.pointer for fault in refused.value.faults] == ["/lines/0/price"]
