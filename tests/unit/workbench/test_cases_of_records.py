"""A case made of a posted record: the same decision, and nothing that tells whose it was."""

import json
from datetime import date
from decimal import Decimal

import pytest
from sqlalchemy import update

from chalicelib.errors import NotFound, Unprocessable
from chalicelib.points.models.ledger import accrual_event
from chalicelib.rules import gates, golden
from chalicelib.workbench import masking
from tests.factories import points, rules
from tests.factories.points import CALLER, NOW, event, make_earning, record

pytestmark = pytest.mark.usefixtures("data_key")


def made(db, earning, **values):
    """The case of an event, which is recorded first."""
    [recorded] = record(db, earning.partner, [event(**values)])
    assert recorded.id is not None, recorded
    return masking.case_of(db, earning.version.ruleset_code, recorded.id, name="a record", why="seen in November")


def by_pay_period(*, looks: bool = True):
    """Ten points for a pay period whose text names E1, else twenty; or ten whatever it says."""
    known = {"!=": [{"var": "pay_period"}, None]}
    points = {"if": [{"in": ["E1", {"var": "pay_period"}]}, 10, 20]}
    return rules.accrual_document(
        inputs={"pay_period": {"type": "string", "nullable": True}},
        let={"points": {"if": [known, points if looks else 10, 0]}},
        when=known,
        outputs={"points": {"type": "decimal", "scale": 2, "expr": {"var": "points"}}},
        cases=[
            {"name": str(given), "as_of": "2026-01-01", "given": {"pay_period": given}, "expect": expect}
            for given, expect in (
                ("2026-E1", {"points": "10.00"}),
                ("2026-11", {"points": "20.00" if looks else "10.00"}),
                (None, {"applies": False}),
            )
        ],
    )


class TestACaseOfARecord:
    def test_has_its_facts_its_day_and_its_points(self, database, earning):
        with database.write() as db:
            case = made(db, earning, quantity=Decimal("7.25"))

        assert case == {
            "name": "a record",
            "why": "seen in November",
            "as_of": "2026-11-02",
            "given": {"status": "active", "quantity": "7.25"},
            "expect": {"points": "10.88"},
        }

    def test_says_when_the_rule_did_not_apply(self, database):
        with database.write() as db:
            earning = make_earning(db, document=by_pay_period())

            assert made(db, earning, pay_period=None)["expect"] == {"applies": False}

    def test_becomes_a_golden_case_that_the_version_passes(self, database, earning):
        with database.write() as db:
            golden.put(db, earning.version.ruleset_code, "seen", made(db, earning), caller=CALLER, now=NOW)
            runs = gates.examine(db, earning.version).cases

        assert [(run.golden.case_id, run.result.passed) for run in runs if run.golden] == [("seen", True)]

    def test_brings_the_sums_that_were_known_and_the_codes_that_were_looked_up(self, database):
        document = rules.document("rulesets/harbor-hotels.accrual")
        with database.write() as db:
            harbor = points.partners.make_partner(db, "harbor-hotels")
            rules.code_table(db, harbor.id, rules.document("code-tables/harbor-hotels.grade-allowance"))
            rules.live_ruleset(db, harbor.id, document)
            points.partners.make_program(db, harbor)
            points.partners.make_member(db, harbor, grade="E3", fte_pct=Decimal(100))
            august = {"quantity": Decimal(1), "unit": "POINT", "event_date": date(2026, 8, 31)}
            [recorded] = record(db, harbor, [event(event_type="ALLOWANCE", **august)])
            case = masking.case_of(db, "harbor-hotels.accrual", recorded.id, name="August", why=None)

        assert case["code_tables"] == {"harbor-hotels.grade-allowance": {"E3": "42.50"}}
        assert case["expect"] == {"points": "42.50"}

        aurora = rules.document("rulesets/aurora-air.accrual")
        with database.write() as db:
            earning = make_earning(db, document=aurora)
            made(db, earning)
            assert made(db, earning)["aggregates"] == {"points_this_month": "12.50"}


class TestMasking:
    def test_replaces_the_employees_number_in_texts(self, database):
        with database.write() as db:
            case = made(db, make_earning(db, document=by_pay_period(looks=False)), pay_period="2026/e1-E1, E12, XE1")

        assert case["given"] == {"pay_period": "2026/EMPLOYEE-0-EMPLOYEE-0, E12, XE1"}

    def test_holds_nothing_of_the_person(self, database, earning):
        with database.write() as db:
            text = json.dumps(made(db, earning, reference="E1 Haze", description="for Dolores Haze"))

        assert not any(word in text for word in ("E1", "Haze", "Dolores"))

    def test_that_would_change_the_decision_is_refused(self, database):
        with database.write() as db:
            earning = make_earning(db, document=by_pay_period())
            with pytest.raises(Unprocessable) as refused:
                made(db, earning, pay_period="2026-E1")

        assert refused.value.code == "masking_changes_decision"


class TestARecordThatIsNotThere:
    def test_of_another_ruleset_is_not_found(self, database, earning):
        with database.write() as db:
            [recorded] = record(db, earning.partner, [event()])
            with pytest.raises(NotFound):
                masking.case_of(db, "other.accrual", recorded.id, name="x", why=None)

    def test_whose_points_are_not_those_of_its_facts_is_a_broken_promise(self, database, earning):
        with database.write() as db:
            [recorded] = record(db, earning.partner, [event()])
            db.execute(update(accrual_event).values(points_minor=1))
            with pytest.raises(masking.Broken):
                masking.case_of(db, earning.version.ruleset_code, recorded.id, name="x", why=None)
