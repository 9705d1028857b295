"""What rules see beyond the event: points of the period so far, and code tables; and what is kept of it."""

import json
from datetime import date
from decimal import Decimal

import pytest
from sqlalchemy import select

from chalicelib.partners.account_ids import account_id
from chalicelib.points.deciding.aggregates import PeriodTotals, Span
from chalicelib.points.models.ledger import accrual_event
from tests.factories import partners, rules
from tests.factories.points import event, make_earning, record

pytestmark = pytest.mark.usefixtures("provable", "data_key")


def capped(period="calendar_month", cap="100"):
    """A point an hour, up to a cap in the period."""
    left = {"max": [0, {"-": [int(cap), {"var": "so_far"}]}]}
    points = {"type": "decimal", "scale": 2, "rounding": "half_up", "expr": {"min": [{"var": "quantity"}, left]}}
    limit = int(cap)
    cases = [
        rules.capped_case("1", "1.00", so_far="0.00"),
        rules.capped_case("10", "5.00", so_far=f"{limit - 5}.00"),
        rules.capped_case("10", "0.00", so_far=f"{limit + 5}.00"),
    ]
    return rules.accrual_document(
        inputs={"quantity": {"type": "decimal", "scale": 6}},
        when=True,
        aggregates={"so_far": {"of": "points", "period": period}},
        outputs={"points": points},
        cases=cases,
    )


def facts(db):
    query = select(accrual_event.c.facts).order_by(accrual_event.c.event_date, accrual_event.c.event_id)
    return [json.loads(text) for text in db.execute(query).scalars()]


class TestPeriodAggregates:
    def test_a_row_sees_what_the_rows_before_it_earned(self, database):
        with database.write() as db:
            earning = make_earning(db, document=capped())
            recorded = record(db, earning.partner, [event(quantity=Decimal(60)), event(quantity=Decimal(60))])

            assert [each.points_minor for each in recorded] == [6000, 4000]

    def test_a_batch_sees_what_earlier_batches_earned(self, database):
        with database.write() as db:
            earning = make_earning(db, document=capped())
            record(db, earning.partner, [event(quantity=Decimal(60))])
        with database.write() as db:
            [second] = record(db, earning.partner, [event(quantity=Decimal(60))])

        assert second.points_minor == 4000

    def test_the_row_that_comes_first_earns_first(self, database):
        first, second = event(event_id="z", quantity=Decimal(70)), event(event_id="a", quantity=Decimal(70))
        with database.write() as db:
            earning = make_earning(db, document=capped())
            recorded = record(db, earning.partner, [first, second])

        assert [each.points_minor for each in recorded] == [7000, 3000]

    @pytest.mark.parametrize(
        ("period", "same", "other"),
        [
            ("calendar_month", date(2026, 10, 31), date(2026, 11, 1)),
            ("calendar_quarter", date(2026, 11, 20), date(2026, 9, 30)),
            ("calendar_year", date(2026, 1, 1), date(2025, 12, 31)),
        ],
    )
    def test_counts_the_period_around_the_events_date(self, database, period, same, other):
        with database.write() as db:
            earning = make_earning(db, document=capped(period), effective_from=date(2025, 1, 1))
            rules.live_ruleset(db, earning.partner.id, earning.version.document, effective_from=date(2025, 1, 1))
            record(db, earning.partner, [event(event_date=date(2026, 10, 2), quantity=Decimal(80))])
            within, beyond = record(
                db,
                earning.partner,
                [event(event_date=same, quantity=Decimal(80)), event(event_date=other, quantity=Decimal(80))],
            )

        assert (within.points_minor, beyond.points_minor) == (2000, 8000)

    def test_counts_what_is_stored_from_the_first_day_to_the_last(self, database):
        days = [date(2026, 9, 30), date(2026, 10, 1), date(2026, 10, 31), date(2026, 11, 1)]
        with database.write() as db:
            earning = make_earning(db, document=capped())
            record(db, earning.partner, [event(event_date=day, quantity=Decimal(30)) for day in days])
        with database.write() as db:
            [in_october] = record(db, earning.partner, [event(event_date=date(2026, 10, 2), quantity=Decimal(60))])

        assert in_october.points_minor == 4000

    def test_counts_each_member_apart(self, database):
        with database.write() as db:
            earning = make_earning(db, document=capped())
            partners.make_member(db, earning.partner, "E2")
            recorded = record(
                db, earning.partner, [event(quantity=Decimal(80)), event(employee_id="E2", quantity=Decimal(80))]
            )

        assert [each.points_minor for each in recorded] == [8000, 8000]

    def test_a_duplicate_does_not_count_twice(self, database):
        again = event(event_id="once", quantity=Decimal(60))
        with database.write() as db:
            earning = make_earning(db, document=capped())
            record(db, earning.partner, [again])
            duplicate, second = record(db, earning.partner, [again, event(quantity=Decimal(60))])

        assert duplicate.outcome == "duplicate"
        assert second.points_minor == 4000

    def test_are_kept_with_the_decision(self, database):
        with database.write() as db:
            earning = make_earning(db, document=capped())
            record(db, earning.partner, [event(event_id="1"), event(event_id="2")])

            assert [kept["aggregates"] for kept in facts(db)] == [{"so_far": "0.00"}, {"so_far": "10.00"}]


class TestPeriodTotals:
    def test_keep_kinds_of_periods_apart(self):
        month, year = Span("calendar_month"), Span("calendar_year")
        totals = PeriodTotals([month, year])
        member = account_id(b"p" * 16, "member")
        totals.add(member, date(2026, 11, 2), 5, "HOURS")
        totals.add(member, date(2026, 12, 2), 7, "HOURS")

        assert totals.of(member, month, date(2026, 11, 30)) == 5
        assert totals.of(member, year, date(2026, 1, 1)) == 12
        assert totals.of(member, year, date(2027, 1, 1)) == 0


class TestCodeTables:
    @pytest.fixture
    def by_grade(self):
        """Points by grade, 1 for a grade that the table does not have."""
        looked_up = {
            "lookup": ["tests.grade", {"coalesce": [{"var": "grade"}, "-"]}, {"on_miss": "default", "default": "1"}]
        }
        points = {"type": "decimal", "scale": 2, "rounding": "half_up", "expr": {"parse_decimal": [looked_up]}}
        case = {
            "name": "by grade",
            "as_of": "2026-11-02",
            "given": {"grade": "G5"},
            "code_tables": {"tests.grade": {"G5": "50"}},
            "expect": {"points": "50.00"},
        }
        return rules.accrual_document(
            inputs={"grade": {"type": "string", "nullable": True}},
            when=True,
            outputs={"points": points},
            cases=[case, case | {"name": "no grade", "given": {"grade": None}, "expect": {"points": "1.00"}}],
        )

    def test_translate_what_the_roster_says(self, database, by_grade):
        with database.write() as db:
            rules.code_table(db, None, rules.table_document("tests.grade", {"G5": "50"}, partner=None))
            earning = make_earning(db, document=by_grade)
            partners.make_member(db, earning.partner, "E2", grade="G9")
            hit, miss = record(db, earning.partner, [event(event_id="1"), event(event_id="2", employee_id="E2")])

            assert (hit.points_minor, miss.points_minor) == (5000, 100)
            assert [kept["lookups"] for kept in facts(db)] == [
                {"tests.grade": {"G5": "50"}},
                {"tests.grade": {"G9": None}},
            ]
