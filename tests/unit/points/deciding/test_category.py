"""The partner's own kind of an event, what was bought for instance: a fact for rules, and part of what it says."""

import json
from datetime import date
from decimal import Decimal

import pytest
from sqlalchemy import select

from chalicelib.points.deciding.events import CATEGORY_LENGTH_MAX, NewAccrual, content_hash
from chalicelib.points.models.ledger import accrual_event
from tests.factories import rules
from tests.factories.points import event, make_earning, record

pytestmark = pytest.mark.usefixtures("provable", "data_key")


def by_category():
    """Two points for fresh goods, one for the rest."""
    fresh = {"==": [{"coalesce": [{"var": "category"}, ""]}, "FRESH"]}
    cases = [(None, "10.00"), ("FRESH", "20.00"), ("HOUSEHOLD", "10.00")]
    return rules.accrual_document(
        inputs={
            "quantity": {"type": "decimal", "scale": 6},
            "category": {"type": "string", "nullable": True, "normalize": ["trim", "upper"]},
        },
        when=True,
        outputs={
            "points": {"type": "decimal", "scale": 2, "expr": {"*": [{"var": "quantity"}, {"if": [fresh, 2, 1]}]}}
        },
        cases=[
            {
                "name": str(category),
                "as_of": "2026-11-02",
                "given": {"quantity": "10", "category": category},
                "expect": {"points": points},
            }
            for category, points in cases
        ],
    )


class TestCategory:
    def test_decides_what_an_event_earns(self, database):
        with database.write() as db:
            earning = make_earning(db, document=by_category())
            recorded = record(
                db, earning.partner, [event(category="fresh"), event(category="HOUSEHOLD"), event(category=None)]
            )

        assert [each.points_minor for each in recorded] == [2000, 1000, 1000]

    def test_is_kept_where_the_rule_does_not_read_it(self, database, earning):
        with database.write() as db:
            record(db, earning.partner, [event(category="FRESH")])

            facts = json.loads(db.execute(select(accrual_event.c.facts)).scalar_one())
        assert facts["event"]["category"] == "FRESH"

    def test_is_part_of_what_an_event_says(self, database, earning):
        with database.write() as db:
            record(db, earning.partner, [event(event_id="once", category="FRESH")])
            [same] = record(db, earning.partner, [event(event_id="once", category="FRESH")])
            [other] = record(db, earning.partner, [event(event_id="once", category="HOUSEHOLD")])

        assert same.outcome == "duplicate"
        assert (other.outcome, other.code) == ("rejected", "other_content")

    def test_is_refused_when_it_is_too_long(self, database, earning):
        with database.write() as db:
            kept, refused = record(
                db,
                earning.partner,
                [event(category="x" * CATEGORY_LENGTH_MAX), event(category="x" * (CATEGORY_LENGTH_MAX + 1))],
            )

        assert kept.outcome == "posted"
        assert (refused.code, refused.column) == ("category_length", "category")


class TestContentHash:
    EVENT = NewAccrual(
        program_code="uniform",
        event_id="x",
        employee_id="E1",
        event_type="HOURS",
        event_date=date(2026, 11, 2),
        quantity=Decimal(10),
        unit="HOUR",
        amount=None,
        currency=None,
        pay_period=None,
        job_code_override=None,
        category=None,
        reference=None,
        description=None,
    )

    def test_of_an_event_without_a_category_is_what_it_was_before_there_were_any(self):
        assert content_hash(self.EVENT).hex() == "74524c9e6aaa7d3ec6400491449c54ea1c6f138a287a4141539784c4b5ce112e"

    def test_tells_a_category_from_a_description(self):
        described = NewAccrual(**{**self.EVENT, "description": "FRESH"})
        sorted_so = NewAccrual(**{**self.EVENT, "category": "FRESH"})

        assert len({content_hash(each) for each in (self.EVENT, described, sorted_so)}) == 3
