"""A negative quantity takes back what the event that it names would not have earned with the rest, once."""

from datetime import date
from decimal import Decimal

import pytest
from sqlalchemy import func, select

from chalicelib.points.models.ledger import accrual_event, reversal
from tests.factories import rules
from tests.factories.points import (
    NOW,
    available,
    earn,
    event,
    lots_of,
    make_earning,
    record,
    redeem,
    reverse,
    with_rules,
)

pytestmark = pytest.mark.usefixtures("provable", "data_key")


def capped():
    """A point an hour, at most 20 a month."""
    so_far = {"of": "points", "period": "calendar_month"}
    left = {"max": [0, {"-": [20, {"var": "so_far"}]}]}
    points_of = {"type": "decimal", "scale": 2, "rounding": "half_up", "expr": {"min": [{"var": "quantity"}, left]}}
    return rules.accrual_document(
        inputs={"quantity": {"type": "decimal", "scale": 6}},
        when=True,
        aggregates={"so_far": so_far},
        outputs={"points": points_of},
        cases=[
            rules.capped_case("1", "1.00", so_far="0.00"),
            rules.capped_case("10", "5.00", so_far="15.00"),
            rules.capped_case("10", "0.00", so_far="25.00"),
        ],
    )


def correct(db, earning, of, hours, **values):
    """Correct an event of E1 by so many hours."""
    [told] = record(db, earning.partner, [event(quantity=Decimal(hours), reference=of.event_id, **values)], now=NOW)
    return told


class TestACorrection:
    def test_of_a_part_takes_back_its_points(self, database, earning):
        with database.write() as db:
            wrong = earn(db, earning, 10)
            told = correct(db, earning, wrong, -4)

            assert (told.outcome, told.points_minor, told.id) == ("posted", -600, wrong.id)
            assert available(db, earning) == (900, 0)
            assert lots_of(db, earning.account_id) == [(date(2028, 11, 2), 900, 0)]

    def test_may_follow_another_until_nothing_is_left(self, database, earning):
        with database.write() as db:
            wrong = earn(db, earning, 10)
            assert [correct(db, earning, wrong, hours).outcome for hours in (-4, -5, -1)] == ["posted"] * 3
            over = correct(db, earning, wrong, "-0.01")

            assert (over.outcome, over.code) == ("rejected", "correction_exceeds_original")
            assert available(db, earning) == (0, 0)

    def test_may_come_with_its_original(self, database, earning):
        with database.write() as db:
            told = record(
                db,
                earning.partner,
                [
                    event(event_id="first"),
                    event(event_id="less", quantity=Decimal(-2), reference="first"),
                    event(event_id="second"),
                ],
            )

            assert [each.points_minor for each in told] == [1500, -300, 1500]
            assert available(db, earning) == (2700, 0)

    def test_that_comes_again_is_a_duplicate(self, database, earning):
        with database.write() as db:
            wrong = earn(db, earning, 10)
            first = correct(db, earning, wrong, -4, event_id="less")
            again = correct(db, earning, wrong, "-4.0", event_id="less")
            other = correct(db, earning, wrong, -5, event_id="less")

            assert again == first._replace(outcome="duplicate")
            assert (other.outcome, other.code) == ("rejected", "other_content")
            assert available(db, earning) == (900, 0)

    def test_does_not_take_the_id_of_an_event(self, database, earning):
        with database.write() as db:
            wrong = earn(db, earning, 10, event_id="one")
            assert correct(db, earning, wrong, -4, event_id="one").code == "other_content"

    @pytest.mark.parametrize(
        ("values", "code", "column"),
        [
            ({"reference": None}, "original_not_named", "reference"),
            ({"reference": "nobody"}, "original_unknown", "reference"),
            ({"employee_id": "E2"}, "original_differs", "employee_id"),
            ({"event_type": "BONUS"}, "original_differs", "event_type"),
            ({"unit": "POINT"}, "original_differs", "unit"),
            ({"program_code": "other"}, "original_differs", "program_code"),
            ({"quantity": Decimal(-11)}, "correction_exceeds_original", "quantity"),
        ],
    )
    def test_that_does_not_fit_is_refused_by_name(self, database, earning, values, code, column):
        with database.write() as db:
            wrong = earn(db, earning, 10, event_id="wrong")
            [told] = record(db, earning.partner, [event(**{"quantity": Decimal(-1), "reference": "wrong"} | values)])

            assert (told.outcome, told.code, told.column) == ("rejected", code, column)
            assert available(db, earning) == (wrong.points_minor, 0)
            assert db.execute(select(func.count()).select_from(reversal)).scalar() == 0

    def test_of_what_was_taken_back_already_is_refused(self, database, earning):
        with database.write() as db:
            wrong = earn(db, earning, 10)
            reverse(db, earning, wrong)
            assert correct(db, earning, wrong, -4).code == "original_reversed"

    def test_leaves_its_rest_to_a_reversal(self, database, earning):
        with database.write() as db:
            wrong = earn(db, earning, 10)
            correct(db, earning, wrong, -4)
            made = reverse(db, earning, wrong)

            assert (made.amount_minor, made.part) == (900, 2)
            assert available(db, earning) == (0, 0)

    def test_does_not_count_in_the_sums_of_its_period(self, database, earning):
        with database.write() as db:
            wrong = earn(db, earning, 10)
            correct(db, earning, wrong, -4)
            counted = select(accrual_event.c.points_minor - accrual_event.c.reversed_minor)
            assert db.execute(counted).scalar() == 900


class TestSpentPoints:
    @pytest.mark.parametrize(
        ("policy", "outcome", "code", "left"),
        [
            ("refuse", "rejected", "points_spent", 100),
            ("partial", "posted", None, 0),
            ("overdraft", "posted", None, -500),
        ],
    )
    def test_are_taken_back_as_the_program_says(self, database, earning, policy, outcome, code, left):
        with database.write() as db:
            made = with_rules(db, earning, corrections={"reversal": policy})
            wrong = earn(db, made, 10)
            redeem(db, made, 1400)
            told = correct(db, made, wrong, -4)

            assert (told.outcome, told.code) == (outcome, code)
            assert available(db, made) == (left, 0)


class TestARuleThatIsNotProportional:
    @pytest.fixture
    def limited(self, database):
        """Somebody who earns at most 20 points a month."""
        with database.write() as db:
            return make_earning(db, document=capped())

    def test_takes_what_the_rest_would_not_have_earned(self, database, limited):
        with database.write() as db:
            first = earn(db, limited, 30)
            assert first.points_minor == 2000
            assert [correct(db, limited, first, hours).points_minor for hours in (-4, -8)] == [0, -200]

            assert available(db, limited) == (1800, 0)

    def test_frees_the_cap_for_what_follows(self, database, limited):
        with database.write() as db:
            first = earn(db, limited, 20)
            correct(db, limited, first, -20)
            assert earn(db, limited, 20).points_minor == 2000
            assert available(db, limited) == (2000, 0)

    def test_corrects_what_earned_nothing_without_taking_anything(self, database, limited):
        with database.write() as db:
            earn(db, limited, 20)
            [nothing] = record(db, limited.partner, [event()])
            told = correct(db, limited, nothing, -10)

            assert (nothing.outcome, told.outcome, told.points_minor) == ("no_points", "no_points", 0)
            assert available(db, limited) == (2000, 0)
