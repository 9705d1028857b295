"""Statements: opening and movements are the closing, which is the next month's opening, for any history."""

from datetime import date
from decimal import Decimal

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from chalicelib.errors import InterlineError
from chalicelib.points.finance import liability, months, statements
from chalicelib.points.ledger import positions, transfers
from chalicelib.points.proof import checks
from tests.factories import points
from tests.factories.finance import VALUE, at, close_year, with_terms
from tests.factories.points import adjust, expire, make_earning, redeem, refund, reverse, with_rules

MONTHS = ("2026-08", "2026-09", "2026-10", "2026-11", "2026-12")


def of_month(db, earning, name):
    return list(statements.of(db, earning.partner.id, months.named(name, earning.partner)))


@pytest.fixture
def stated(database, provable, data_key):
    """A program whose points last for 60 days and are worth two cents, and whose year ends with July."""
    with database.write() as db:
        made = make_earning(db)
        made = with_rules(
            db,
            made,
            lots={"expires": {"days": 60}},
            corrections={"reversal": "overdraft", "second_person_above": None},
        )
        carry_over = {"percent": "30", "grace_days": 40}
        return with_terms(db, made, value=VALUE, plan_year={"begins": "10-01", "carry_over": carry_over})


def some(db, earning, made, step, amount, now):
    """One operation of a history; what cannot be done is left out."""
    match step:
        case "earn":
            [recorded] = points.record(
                db,
                earning.partner,
                [points.event(quantity=Decimal(amount), event_date=now.date())],
                now=now,
            )
            made.append(recorded)
        case "redeem":
            made.append(redeem(db, earning, amount, now=now))
        case "adjust":
            adjust(db, earning, amount - 40, now=now)
        case "expire":
            expire(db, earning, now.date(), now=now)
        case "undo" if made:
            latest = made.pop()
            if hasattr(latest, "hold_id"):
                refund(db, earning, latest, now=now)
            else:
                reverse(db, earning, latest, now=now)
        case _:
            pass


STEPS = st.lists(
    st.tuples(
        st.sampled_from(["earn", "earn", "redeem", "adjust", "expire", "undo"]),
        st.integers(1, 200),
        st.integers(0, 12),
    ),
    max_size=14,
)


@pytest.mark.usefixtures("data_key")
class TestStatements:
    @given(STEPS)
    @settings(
        max_examples=12, deadline=None, database=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
    )
    def test_close_with_what_the_next_one_opens_with(self, database, steps):
        with database.write() as db:
            made = make_earning(db)
            corrections = {"reversal": "overdraft", "second_person_above": None}
            made = with_rules(db, made, lots={"expires": {"days": 60}}, corrections=corrections)
            carry_over = {"percent": "30", "grace_days": 40}
            made = with_terms(db, made, value=VALUE, plan_year={"begins": "10-01", "carry_over": carry_over})
        day, done = date(2026, 8, 1), []
        for step, amount, days in steps:
            day = date.fromordinal(day.toordinal() + days)
            try:
                with database.write() as db:
                    some(db, made, done, step, amount, at(day))
            except InterlineError:
                continue
        close_year(database, made, 2025, now=at(max(day, date(2026, 11, 3))))

        with database.read() as db:
            assert checks.check(db, made.program.id) == []
            closing = 0
            for name in MONTHS:
                found = of_month(db, made, name)
                if not found:
                    assert closing == 0
                    continue
                [one] = found
                assert one.opening_minor == closing
                assert one.closing_minor == (
                    one.opening_minor
                    + one.accrued_minor
                    + one.adjusted_minor
                    - one.redeemed_minor
                    + one.refunded_minor
                    - one.expired_minor
                )
                closing = one.closing_minor
                month = months.named(name, made.partner)
                # Another way to the same: what was left of lots.
                owed = liability.of(db, made.program, before=positions.end_of(month.last_day, made.program))
                assert (owed.points_minor, owed.value_minor) == (one.closing_minor, one.value_minor)

    def test_count_each_entry_in_the_column_that_it_is_of(self, database, stated):
        with database.write() as db:
            events = [points.event(event_date=date(2026, 9, 1)) for _ in range(2)]
            _, second = points.record(db, stated.partner, events, now=at(date(2026, 9, 1)))
            sold = redeem(db, stated, 500, now=at(date(2026, 9, 2)))
            refund(db, stated, sold, now=at(date(2026, 9, 3)))
            reverse(db, stated, second, now=at(date(2026, 9, 4)))
            adjust(db, stated, 100, now=at(date(2026, 9, 5)))
        close_year(database, stated, 2025, now=at(date(2026, 10, 2)))
        with database.read() as db:
            [september] = of_month(db, stated, "2026-09")
            [october] = of_month(db, stated, "2026-10")

        moved = ("opening", "accrued", "adjusted", "redeemed", "refunded", "expired", "closing", "value")
        assert [getattr(september, f"{name}_minor") for name in moved] == [0, 3000, -1400, 500, 500, 0, 1600, 32]
        # Of 16 points 30 % are carried; that they moved into another lot adds up to nothing.
        assert [getattr(october, f"{name}_minor") for name in moved] == [1600, 0, 0, 0, 0, 1120, 480, 10]

    def test_of_a_member_is_the_same_as_in_the_partners(self, database, stated):
        with database.write() as db:
            points.record(db, stated.partner, [points.event(event_date=date(2026, 9, 1))], now=at(date(2026, 9, 1)))
            month = months.named("2026-09", stated.partner)
            own = statements.of(db, stated.partner.id, month, member_id=stated.member.id)

            assert list(own) == of_month(db, stated, "2026-09")
            assert of_month(db, stated, "2026-08") == []


def test_every_kind_of_entry_has_a_column():
    assert {statements.column_of(kind, gained=gained) for kind in transfers.HOUSE_OF for gained in (True, False)} == {
        "accrued", "adjusted", "redeemed", "refunded", "expired",
    }  # fmt: skip
