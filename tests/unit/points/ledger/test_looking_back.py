"""Sums of earlier periods, as a rule sees them that looks back: what the quarter before left over, and the like."""

from datetime import date
from decimal import Decimal

import pytest

from chalicelib.language import RuleRefused, compile_ruleset
from chalicelib.partners.account_ids import account_id
from chalicelib.points.deciding.aggregates import PeriodTotals, Span, around, bounds
from tests.factories import backtests, rules
from tests.factories.points import event, make_earning, record


def carrying(period="calendar_quarter", back=1):
    """A point an hour, up to 100 in the period and what an earlier period left of its 100."""
    left = {"max": [0, {"-": [100, {"var": "before"}]}]}
    room = {"max": [0, {"-": [{"+": [100, left]}, {"var": "now"}]}]}
    points = {"type": "decimal", "scale": 2, "rounding": "half_up", "expr": {"min": [{"var": "quantity"}, room]}}
    cases = [
        rules.capped_case("300", "25.00", now="95.00", before="80.00"),
        rules.capped_case("1", "1.00", now="0.00", before="105.00"),
        rules.capped_case("1", "0.00", now="205.00", before="80.00"),
    ]
    return rules.accrual_document(
        inputs={"quantity": {"type": "decimal", "scale": 6}},
        when=True,
        aggregates={
            "now": {"of": "points", "period": period},
            "before": {"of": "points", "period": period, "back": back},
        },
        outputs={"points": points},
        cases=cases,
    )


def on(day, quantity, **values):
    return event(event_date=day, quantity=Decimal(quantity), **values)


@pytest.mark.usefixtures("provable", "data_key")
class TestTheSumOfAnEarlierPeriod:
    @pytest.mark.parametrize(
        ("period", "back", "before", "day"),
        [
            ("calendar_month", 1, date(2026, 9, 30), date(2026, 10, 1)),
            ("calendar_quarter", 1, date(2026, 7, 1), date(2026, 11, 20)),
            ("calendar_quarter", 1, date(2025, 12, 31), date(2026, 1, 1)),
            ("calendar_year", 1, date(2025, 1, 1), date(2026, 11, 20)),
            ("calendar_month", 12, date(2025, 10, 31), date(2026, 10, 1)),
        ],
    )
    def test_is_that_of_the_whole_period_so_many_periods_before(self, database, period, back, before, day):
        document = carrying(period, back)
        with database.write() as db:
            earning = make_earning(db, document=document, effective_from=date(2025, 1, 1))
            rules.live_ruleset(db, earning.partner.id, earning.version.document, effective_from=date(2025, 1, 1))
            record(db, earning.partner, [on(before, 70)])
        with database.write() as db:
            [later] = record(db, earning.partner, [on(day, 300)])

        assert later.points_minor == 130_00

    def test_sees_what_the_same_batch_earned_in_it(self, database):
        with database.write() as db:
            earning = make_earning(db, document=carrying())
            events = [on(date(2026, 8, 3), 60), on(date(2026, 9, 30), 15), on(date(2026, 10, 1), 300)]
            recorded = record(db, earning.partner, events)

        assert [each.points_minor for each in recorded] == [60_00, 15_00, 125_00]

    def test_counts_neither_this_period_nor_the_one_before_that(self, database):
        with database.write() as db:
            earning = make_earning(db, document=carrying())
            record(db, earning.partner, [on(date(2026, 6, 30), 90), on(date(2026, 10, 1), 40)])
            [later] = record(db, earning.partner, [on(date(2026, 10, 2), 300)])

        # 100, and 100 that the third quarter left, less the 40 of this one.
        assert later.points_minor == 160_00

    def test_what_comes_late_for_an_earlier_period_does_not_decide_again(self, database):
        with database.write() as db:
            earning = make_earning(db, document=carrying())
            [first] = record(db, earning.partner, [on(date(2026, 10, 1), 180, event_id="first")])
            record(db, earning.partner, [on(date(2026, 9, 30), 80)])
            again, after = record(
                db,
                earning.partner,
                [on(date(2026, 10, 1), 180, event_id="first"), on(date(2026, 10, 2), 10)],
            )

        assert (first.points_minor, again.outcome, again.points_minor) == (180_00, "duplicate", 180_00)
        assert after.points_minor == 0

    def test_is_made_anew_by_a_back_test_of_the_later_period_alone(self, database):
        with database.write() as db:
            earning = make_earning(db, document=carrying())
            record(db, earning.partner, [on(date(2026, 9, 30), 60)])
            record(db, earning.partner, [on(date(2026, 10, 1), 300)])

        october = {"first_day": date(2026, 10, 1), "last_day": date(2026, 10, 31)}
        done = backtests.run(database, earning.partner.id, earning.version, **october)

        assert done.state == "done", done.reason
        assert backtests.members(database, done) == {earning.member.id: (140_00, 140_00)}


class TestDeclaring:
    @pytest.mark.parametrize("back", [-1, 13, "1", True])
    def test_refuses_what_is_no_number_of_periods(self, back):
        with pytest.raises(RuleRefused) as refused:
            compile_ruleset(carrying(back=back))

        assert [fault.pointer for fault in refused.value.faults] == ["/aggregates/before/back"], refused.value.faults


class TestSpans:
    def test_end_on_the_last_day_of_their_period(self):
        assert bounds(Span("calendar_month", 1), date(2024, 3, 31)) == (date(2024, 2, 1), date(2024, 2, 29))
        assert bounds(Span("calendar_quarter", 2), date(2026, 2, 1)) == (date(2025, 7, 1), date(2025, 9, 30))

    def test_widen_days_to_every_period_that_is_seen_from_them(self):
        days = date(2026, 10, 5), date(2026, 11, 5)

        assert around(*days, [Span("calendar_quarter", 1)]) == (date(2026, 7, 1), date(2026, 11, 5))
        assert around(*days, [Span("calendar_month"), Span("calendar_month", 1)]) == (
            date(2026, 9, 1),
            date(2026, 11, 30),
        )

    def test_before_the_calendar_begins_have_nothing(self):
        assert bounds(Span("calendar_year", 12), date(5, 1, 1))[0] == date.min

    def test_of_other_accounts_stay_apart(self):
        before = Span("calendar_month", 1)
        totals = PeriodTotals([before])
        one, other = (account_id(b"p" * 16, owner) for owner in ("one", "other"))
        totals.add(one, date(2026, 10, 2), 5, "HOURS")

        assert totals.of(one, before, date(2026, 11, 30)) == 5
        assert totals.of(one, before, date(2026, 10, 2)) == 0
        assert totals.of(other, before, date(2026, 11, 30)) == 0
