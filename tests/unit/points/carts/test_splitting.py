"""Split tender: nothing is lost by rounding, whatever the prices."""

from fractions import Fraction

from hypothesis import given
from hypothesis import strategies as st

from chalicelib.points.carts import splitting
from chalicelib.points.carts.splitting import Part, Priced, Sold

CENT = Fraction(1, 1)


def sold(points, cash, *, quantity=3, captured=3, refunded=0, back=(0, 0)):
    return Sold(quantity, points + cash, points, cash, captured, refunded, *back)


class TestSplitting:
    def test_points_pay_first_and_a_card_the_rest(self):
        lines = [Priced(1, 6000, None), Priced(1, 3000, None)]
        # 45 dollars of points over 60 and 30: 30 and 15.
        assert splitting.split(lines, 4500, CENT) == [Part(3000, 3000), Part(1500, 1500)]

    def test_enough_points_leave_nothing_to_the_card(self):
        assert splitting.split([Priced(2, 6000, None)], 10_000, CENT) == [Part(6000, 0)]

    def test_no_points_leave_everything_to_it(self):
        assert splitting.split([Priced(1, 6000, None)], 0, CENT) == [Part(0, 6000)]

    def test_an_overdrawn_account_pays_nothing(self):
        assert splitting.split([Priced(1, 6000, None)], -500, CENT) == [Part(0, 6000)]

    def test_a_price_list_overrides_the_points_value(self):
        # The contract's price is 40 points, of which the member has 10: a quarter of 19.99.
        assert splitting.split([Priced(1, 1999, 4000)], 1000, CENT) == [Part(1000, 1499)]

    def test_a_piece_is_paid_whole_or_not_at_all(self):
        lines = [Priced(3, 9000, 3, in_pieces=True), Priced(2, 5000, 2, in_pieces=True)]
        assert splitting.split(lines, 4, Fraction(0)) == [Part(3, 0), Part(1, 2500)]

    def test_points_without_a_value_pay_nothing(self):
        assert splitting.split([Priced(1, 6000, None)], 4500, Fraction(0)) == [Part(0, 6000)]

    @given(
        st.lists(st.tuples(st.integers(1, 9), st.integers(0, 10**6)), min_size=1, max_size=8),
        st.integers(0, 10**7),
        st.fractions(min_value=Fraction(1, 1000), max_value=1000),
    )
    def test_parts_add_up_and_take_no_more_than_there_is(self, prices, available, value):
        lines = [Priced(quantity, price, None) for quantity, price in prices]
        parts = splitting.split(lines, available, value)
        assert sum(part.points_minor for part in parts) <= available
        for line, part in zip(lines, parts, strict=True):
            assert 0 <= part.cash_minor <= line.price_minor
            # What a card pays is the price less the worth of the points, to half a cent.
            worth = min(Fraction(line.price_minor), part.points_minor * value)
            assert abs(line.price_minor - part.cash_minor - worth) <= Fraction(1, 2)


class TestCaptures:
    @given(st.integers(1, 12), st.integers(0, 10**6), st.integers(0, 10**6), st.data())
    def test_of_all_pieces_in_any_steps_take_the_whole_line(self, quantity, points, cash, data):
        done, taken = 0, Part(0, 0)
        while done < quantity:
            pieces = data.draw(st.integers(1, quantity - done))
            part = splitting.captured(Sold(quantity, points + cash, points, cash, done, 0, 0, 0), pieces)
            taken = Part(taken.points_minor + part.points_minor, taken.cash_minor + part.cash_minor)
            done += pieces
        assert taken == Part(points, cash)


class TestRefunds:
    def test_points_come_back_first_where_the_program_says_so(self):
        line = sold(1000, 2000)
        assert splitting.given_back(line, 1, "points_first") == Part(1000, 0)
        assert splitting.given_back(line, 2, "points_first") == Part(1000, 1000)

    def test_or_last(self):
        line = sold(1000, 2000)
        assert splitting.given_back(line, 2, "points_last") == Part(0, 2000)
        assert splitting.given_back(line, 3, "points_last") == Part(1000, 2000)

    def test_or_in_the_proportion_in_which_they_paid(self):
        assert splitting.given_back(sold(1000, 2000), 1, "pro_rata") == Part(333, 667)

    def test_what_paid_for_no_price_comes_back_piece_by_piece(self):
        assert splitting.given_back(Sold(3, 0, 3, 0, 3, 1, 1, 0), 1, "points_first") == Part(1, 0)

    @given(
        st.integers(1, 12),
        st.integers(0, 10**6),
        st.integers(0, 10**6),
        st.sampled_from(["points_first", "points_last", "pro_rata"]),
        st.data(),
    )
    def test_of_all_pieces_in_any_steps_are_what_was_paid(self, quantity, points, cash, order, data):
        captured = data.draw(st.integers(1, quantity))
        paid = splitting.captured(Sold(quantity, points + cash, points, cash, 0, 0, 0, 0), captured)
        refunded, back = 0, Part(0, 0)
        while refunded < captured:
            pieces = data.draw(st.integers(1, captured - refunded))
            line = Sold(quantity, points + cash, points, cash, captured, refunded, *back)
            part = splitting.given_back(line, pieces, order)
            assert part.points_minor >= 0 <= part.cash_minor
            back = Part(back.points_minor + part.points_minor, back.cash_minor + part.cash_minor)
            refunded += pieces
        assert back == paid

    @given(
        st.integers(1, 7),
        st.integers(0, 500),
        st.floats(0, 1),
        st.integers(0, 900),
        st.sampled_from(["points_first", "points_last", "pro_rata"]),
        st.data(),
    )
    def test_between_captures_never_come_to_less_than_nothing_or_more_than_was_taken(
        self, quantity, price, by_card, points, order, data
    ):
        cash = int(price * by_card)
        line = Sold(quantity, price, 0 if price == cash else points, cash, 0, 0, 0, 0)
        taken = Part(0, 0)
        while line.refunded < quantity:
            more = line.captured < quantity
            if more and (line.refunded == line.captured or data.draw(st.booleans())):
                pieces = data.draw(st.integers(1, quantity - line.captured))
                part = splitting.captured(line, pieces)
                taken = Part(taken.points_minor + part.points_minor, taken.cash_minor + part.cash_minor)
                line = line._replace(captured=line.captured + pieces)
                continue
            pieces = data.draw(st.integers(1, line.captured - line.refunded))
            part = splitting.given_back(line, pieces, order)
            line = line._replace(
                refunded=line.refunded + pieces,
                refunded_points_minor=line.refunded_points_minor + part.points_minor,
                refunded_cash_minor=line.refunded_cash_minor + part.cash_minor,
            )
            assert part.points_minor >= 0 <= part.cash_minor
            assert line.refunded_points_minor <= taken.points_minor
            assert line.refunded_cash_minor <= taken.cash_minor
        assert (line.refunded_points_minor, line.refunded_cash_minor) == taken == (line.points_minor, line.cash_minor)
