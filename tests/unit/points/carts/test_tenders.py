"""Carts that points pay first and a card the rest: placed, captured by piece, given back to the lots they came from."""

from dataclasses import replace
from datetime import date, timedelta
from decimal import Decimal
from threading import Barrier, Thread

import pytest
from sqlalchemy import func, select

from chalicelib.errors import Conflict, InvalidInput, OtherContent, UnknownReference
from chalicelib.partners.programs import programs
from chalicelib.partners.programs.catalogs import Group
from chalicelib.points.carts import tender_steps, tenders
from chalicelib.points.carts.tender_steps import PiecesExceeded
from chalicelib.points.carts.tenders import NewTender, NotEligible, TenderNotOffered
from chalicelib.points.ledger.lots import InsufficientPoints
from chalicelib.points.models.ledger import hold
from chalicelib.points.models.terms import tender
from chalicelib.points.spending import holds
from tests.factories.points import CALLER, NOW, Earning, available, earn, lots_of, make_earning
from tests.factories.terms import TENDER, line, stock, today

pytestmark = pytest.mark.usefixtures("provable", "data_key")

HOW = {"caller": CALLER, "now": NOW}


@pytest.fixture
def earning(database, data_key) -> Earning:
    """E1 has 30 dollars in points of a cent: 3,000 points, scale 2."""
    with database.write() as db:
        made = make_earning(db, terms={"tender": TENDER})
        earn(db, made, hours=2000)
        return made


def priced(name, price, quantity=1, sku="S1"):
    return line(name, quantity, sku, price=Decimal(price), currency="USD")


def place(db, earning, *lines, reference="cart-1", **more):
    wanted = NewTender(lines, reference, **({"order_no": "order-1"} | more))
    return tenders.place(db, earning.program, today(db, earning), wanted, **HOW)


def parts(made):
    return [(each.line, each.points_minor, each.cash_minor) for each in made.lines]


def moved(step):
    return [tuple(each) for each in step.moved]


def with_tender(db, earning, **changes):
    spec = replace(programs.spec_of(earning.program), terms={"tender": {**TENDER, **changes}})
    return replace(earning, program=programs.change(db, earning.program, spec, **HOW))


class TestPlacing:
    def test_holds_the_points_and_tells_the_cards_part(self, database, earning):
        with database.write() as db:
            made, new = place(db, earning, priced("shirt", "40.00"), priced("tie", "20.00"))
            assert new
            # 3,000 points are 30 dollars of 60: 20 and 10.
            assert parts(made) == [("shirt", 200000, 2000), ("tie", 100000, 1000)]
            assert (made.points_minor, made.cash_minor) == (300000, 3000)
            assert available(db, earning) == (0, 300000)

    def test_takes_effect_once(self, database, earning):
        with database.write() as db:
            first, _ = place(db, earning, priced("shirt", "10.00"))
            again, new = place(db, earning, priced("shirt", "10.00"))
            assert (again.id, new) == (first.id, False)
            with pytest.raises(OtherContent):
                place(db, earning, priced("shirt", "11.00"))
            assert db.execute(select(func.count()).select_from(hold)).scalar_one() == 1

    def test_a_quote_says_the_same_and_reserves_nothing(self, database, earning):
        with database.read() as db:
            wanted = NewTender([priced("shirt", "40.00")], "q")
            made = tenders.quote(db, earning.program, today(db, earning), wanted, now=NOW)
            assert parts(made) == [("shirt", 300000, 1000)]
            assert available(db, earning) == (300000, 0)

    def test_the_member_may_keep_points(self, database, earning):
        with database.write() as db:
            made, _ = place(db, earning, priced("shirt", "40.00"), points_max_minor=100000)
            assert parts(made) == [("shirt", 100000, 3000)]

    def test_a_card_pays_all_for_who_has_no_points(self, database):
        with database.write() as db:
            earning = make_earning(db, terms={"tender": TENDER})
            made, _ = place(db, earning, priced("shirt", "40.00"))
            assert (parts(made), made.hold_id) == ([("shirt", 0, 4000)], None)
            step = tender_steps.capture(db, earning.program, made.id, {}, reference="s1", **HOW)
            assert moved(step) == [("shirt", 1, 0, 4000)]

    def test_no_card_no_cart(self, database, earning):
        with database.write() as db:
            earning = with_tender(db, earning, card=False)
            with pytest.raises(InsufficientPoints):
                place(db, earning, priced("shirt", "30.01"))
            made, _ = place(db, earning, priced("shirt", "30.00"))
            assert parts(made) == [("shirt", 300000, 0)]

    def test_the_contracts_price_in_points_wins(self, database, earning):
        with database.write() as db:
            stock(db, earning, Group("shirts"), S1=("shirts", 400000))
            made, _ = place(db, earning, priced("shirt", "20.00"))
            # 3,000 of 4,000 points are three quarters of the price.
            assert parts(made) == [("shirt", 300000, 500)]

    def test_a_line_that_the_program_does_not_pay_for_refuses_the_cart(self, database, earning):
        with database.write() as db:
            stock(db, earning, Group("shirts", 2), S1="shirts")
            with pytest.raises(NotEligible) as refused:
                place(db, earning, priced("a", "1.00", 2), priced("b", "1.00"), priced("c", "1.00", sku="X"))
            assert [(fault.pointer, fault.code) for fault in refused.value.faults] == [
                ("/lines/1", "quantity_limit"),
                ("/lines/2", "not_in_catalog"),
            ]

    @pytest.mark.parametrize("price", [None, Decimal("1.001"), Decimal(-1)], ids=["none", "too fine", "negative"])
    def test_every_line_has_a_price(self, database, earning, price):
        with database.write() as db, pytest.raises(InvalidInput):
            place(db, earning, line("a", 1, "S1", price=price, currency="USD"))

    def test_a_program_without_a_price_in_money_takes_no_card(self, database):
        with database.write() as db:
            earning = make_earning(db)
            with pytest.raises(TenderNotOffered):
                place(db, earning, priced("a", "1.00"))

    def test_two_carts_at_once_do_not_share_the_last_pieces(self, database, earning):
        with database.write() as db:
            stock(db, earning, Group("shirts", 3), S1="shirts")
        barrier, outcomes = Barrier(2), []

        def buy(reference):
            barrier.wait()

            def work(db):
                return place(db, earning, priced("a", "1.00", 2), reference=reference)[0]

            try:
                outcomes.append(database.run(work).points_minor)
            except NotEligible as error:
                outcomes.append(error.faults[0].code)

        threads = [Thread(target=buy, args=(f"cart-{number}",)) for number in range(2)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert sorted(outcomes, key=str) == [20000, "quantity_limit"]
        with database.read() as db:
            assert db.execute(select(func.count()).select_from(tender)).scalar_one() == 1


class TestCapturing:
    def test_goes_by_pieces_and_ends_with_the_whole(self, database, earning):
        with database.write() as db:
            made, _ = place(db, earning, priced("shirt", "13.37", 3))
            first = tender_steps.capture(db, earning.program, made.id, {"shirt": 1}, reference="s1", **HOW)
            rest = tender_steps.capture(db, earning.program, made.id, {}, reference="s2", **HOW)
            assert moved(first) == [("shirt", 1, 100000, 337)]
            assert moved(rest) == [("shirt", 2, 200000, 674)]
            assert available(db, earning) == (0, 0)

    def test_takes_effect_once(self, database, earning):
        with database.write() as db:
            made, _ = place(db, earning, priced("shirt", "10.00", 2))
            first = tender_steps.capture(db, earning.program, made.id, {"shirt": 1}, reference="s1", **HOW)
            again = tender_steps.capture(db, earning.program, made.id, {"shirt": 1}, reference="s1", **HOW)
            assert (first.new, again.new, moved(first)) == (True, False, moved(again))
            with pytest.raises(OtherContent):
                tender_steps.capture(db, earning.program, made.id, {"shirt": 2}, reference="s1", **HOW)
            assert available(db, earning) == (100000, 100000)

    def test_no_more_than_there_are(self, database, earning):
        with database.write() as db:
            made, _ = place(db, earning, priced("shirt", "10.00", 2))
            with pytest.raises(PiecesExceeded):
                tender_steps.capture(db, earning.program, made.id, {"shirt": 3}, reference="s1", **HOW)
            with pytest.raises(UnknownReference):
                tender_steps.capture(db, earning.program, made.id, {"hat": 1}, reference="s1", **HOW)

    def test_not_of_a_basket_whose_time_is_over(self, database, earning):
        with database.write() as db:
            made, _ = place(db, earning, priced("shirt", "10.00"), ttl_s=60)
            late = {"caller": CALLER, "now": NOW + timedelta(seconds=61)}
            with pytest.raises(Conflict) as refused:
                tender_steps.capture(db, earning.program, made.id, {}, reference="s1", **late)
            assert refused.value.code == "hold_ended"

    def test_what_is_released_is_the_members_again(self, database, earning):
        with database.write() as db:
            made, _ = place(db, earning, priced("shirt", "10.00", 2))
            tender_steps.capture(db, earning.program, made.id, {"shirt": 1}, reference="s1", **HOW)
            released = tender_steps.release(db, made.id, **HOW)
            assert [(each.captured, each.released) for each in released.lines] == [(1, 1)]
            assert available(db, earning) == (200000, 0)
            assert holds.by_id(db, made.hold_id).state == "released"
            assert tender_steps.release(db, made.id, **HOW) == released


class TestGivingBack:
    def bought(self, db, earning, *, quantity=3, price="13.37"):
        made, _ = place(db, earning, priced("shirt", price, quantity))
        tender_steps.capture(db, earning.program, made.id, {"shirt": 1}, reference="s1", **HOW)
        tender_steps.capture(db, earning.program, made.id, {}, reference="s2", **HOW)
        return made

    @pytest.mark.parametrize(
        ("order", "expected"),
        [
            ("points_first", [(133700, 0), (133700, 0), (32600, 1011)]),
            ("points_last", [(32600, 1011), (133700, 0), (133700, 0)]),
            ("pro_rata", [(100000, 337), (100000, 337), (100000, 337)]),
        ],
    )
    def test_gives_points_and_money_in_the_programs_order(self, database, earning, order, expected):
        with database.write() as db:
            earning = with_tender(db, earning, refund=order)
            made = self.bought(db, earning)
            found = []
            for number in range(3):
                step = tender_steps.refund(db, earning.program, made.id, {"shirt": 1}, reference=f"r{number}", **HOW)
                found.append((step.moved[0].points_minor, step.moved[0].cash_minor))
            assert found == expected
            assert sum(points for points, _ in found) == 300000
            assert available(db, earning) == (300000, 0)

    def test_to_the_lots_they_came_from(self, database, earning):
        with database.write() as db:
            before = lots_of(db, earning.account_id)
            made = self.bought(db, earning)
            tender_steps.refund(db, earning.program, made.id, {}, reference="r1", **HOW)
            assert lots_of(db, earning.account_id) == before
            assert before[0][0] == date(2028, 11, 2)

    def test_takes_effect_once(self, database, earning):
        with database.write() as db:
            made = self.bought(db, earning)
            first = tender_steps.refund(db, earning.program, made.id, {"shirt": 1}, reference="r1", **HOW)
            again = tender_steps.refund(db, earning.program, made.id, {"shirt": 1}, reference="r1", **HOW)
            assert (again.new, moved(again)) == (False, moved(first))
            assert available(db, earning) == (133700, 0)

    def test_no_more_than_was_captured(self, database, earning):
        with database.write() as db:
            made, _ = place(db, earning, priced("shirt", "10.00", 2))
            with pytest.raises(PiecesExceeded):
                tender_steps.refund(db, earning.program, made.id, {}, reference="r1", **HOW)
            tender_steps.capture(db, earning.program, made.id, {"shirt": 1}, reference="s1", **HOW)
            with pytest.raises(PiecesExceeded):
                tender_steps.refund(db, earning.program, made.id, {"shirt": 2}, reference="r1", **HOW)
