"""What a version says of a record that is there: as it was, under another version, on another day."""

from datetime import date, timedelta
from decimal import Decimal

import pytest
from sqlalchemy import func, select

from chalicelib.errors import Unprocessable
from chalicelib.points.ledger import history
from chalicelib.points.models.ledger import accrual_event
from chalicelib.rules import rulesets
from chalicelib.workbench import simulating
from tests.factories import partners, rules
from tests.factories.points import NOW, event, make_earning, record
from tests.factories.rules import AUTHOR

pytestmark = pytest.mark.usefixtures("data_key")


def posted(db, partner, **values):
    [recorded] = record(db, partner, [event(**values)])
    assert recorded.id is not None, recorded
    return history.event(db, recorded.id)


def draft(db, earning, document):
    written = {**document, "id": earning.version.ruleset_code, "partner": earning.partner.code}
    saved = rulesets.save(db, written, partner_id=earning.partner.id, caller=AUTHOR, now=NOW)
    return rulesets.version(db, saved.version_id)


class TestAPostedRecord:
    def test_under_its_own_version_is_decided_as_it_was(self, database, earning):
        with database.write() as db:
            found = posted(db, earning.partner, quantity=Decimal(7))
            simulated, then = simulating.posted(db, earning.version, found, as_of=None)

        assert simulated.outputs == {"points": Decimal("10.50")}
        assert (then.version.number, then.event.points_minor) == (1, 1050)
        assert simulated.trace["outputs"] == {"points": "10.50"}

    def test_under_a_draft_is_decided_by_the_draft(self, database, earning):
        with database.write() as db:
            found = posted(db, earning.partner)
            tried = draft(db, earning, rules.accrual_document(rate="2"))

            assert simulating.posted(db, tried, found, as_of=None)[0].outputs == {"points": Decimal("20.00")}

    def test_facts_that_the_old_version_did_not_read_are_the_members_of_that_day(self, database, earning):
        by_grade = rules.accrual_document(
            inputs={"grade": {"type": "string", "nullable": True}},
            when=True,
            outputs={
                "points": {
                    "type": "decimal",
                    "scale": 2,
                    "expr": {"if": [{"==": [{"coalesce": [{"var": "grade"}, ""]}, "G5"]}, 5, 9]},
                }
            },
        )
        with database.write() as db:
            found = posted(db, earning.partner)
            partners.apply_rows(
                db, earning.partner, [partners.roster_row(action="C", grade="G9", effective_date=date(2026, 11, 10))]
            )
            tried = draft(db, earning, by_grade)

            assert simulating.posted(db, tried, found, as_of=None)[0].outputs == {"points": Decimal("5.00")}

    def test_sums_are_those_before_the_record_and_not_those_of_today(self, database):
        with database.write() as db:
            earning = make_earning(db, document=rules.document("rulesets/aurora-air.accrual"))
            found = [posted(db, earning.partner, quantity=Decimal(150)) for _ in range(3)]
            capped = [simulating.posted(db, earning.version, each, as_of=None)[0].outputs for each in found]
            other = rules.document("rulesets/aurora-air.accrual")
            other["aggregates"]["points_this_month"]["period"] = "calendar_year"
            yearly = draft(db, earning, other)

            # 187.50, 187.50, and what is left of 400.
            assert capped == [{"points": Decimal(points)} for points in ("187.50", "187.50", "25.00")]
            assert simulating.posted(db, yearly, found[1], as_of=None)[0].outputs == {"points": Decimal("187.50")}
            assert simulating.posted(db, yearly, found[2], as_of=None)[0].outputs == {"points": Decimal("25.00")}

    def test_as_if_on_another_day_has_the_sums_and_tenure_of_that_day(self, database):
        with database.write() as db:
            earning = make_earning(db, document=rules.document("rulesets/aurora-air.accrual"))
            found = [posted(db, earning.partner, quantity=Decimal(200)) for _ in range(2)][1]
            october = simulating.posted(db, earning.version, found, as_of=date(2026, 9, 30))[0]

        assert found.points_minor == 15000
        # Hired on 2024-10-01: 23 months of service until then, and nothing earned in that month.
        assert october.outputs == {"points": Decimal("200.00")}
        assert october.trace["as_of"] == "2026-09-30"

    def test_looks_up_what_was_known_then_on_its_day_and_what_is_known_now_on_another(self, database):
        with database.write() as db:
            harbor = partners.make_partner(db, "harbor-hotels")
            grades = rules.document("code-tables/harbor-hotels.grade-allowance")
            rules.code_table(db, harbor.id, grades)
            version = rules.live_ruleset(db, harbor.id, rules.document("rulesets/harbor-hotels.accrual"))
            partners.make_program(db, harbor)
            partners.make_member(db, harbor, grade="E3", fte_pct=Decimal(100))
            august = {"quantity": Decimal(1), "unit": "POINT", "event_date": date(2026, 8, 31)}
            found = posted(db, harbor, event_type="ALLOWANCE", **august)
            dearer = [{**entry, "value": "99.00"} for entry in grades["entries"]]
            rules.code_table(db, harbor.id, {**grades, "entries": dearer}, now=NOW)

            assert simulating.posted(db, version, found, as_of=None)[0].outputs == {"points": Decimal("42.50")}
            later = found.event_date + timedelta(days=1)
            assert simulating.posted(db, version, found, as_of=later)[0].outputs == {"points": Decimal("99.00")}

    def test_is_only_for_rules_that_decide_accruals(self, database, earning):
        with database.write() as db:
            found = posted(db, earning.partner)
            mapping = rules.live_ruleset(db, None, rules.document("rulesets/commerce-cloud.balance"))
            with pytest.raises(Unprocessable) as refused:
                simulating.posted(db, mapping, found, as_of=None)

        assert refused.value.code == "decides_no_accruals"

    def test_writes_nothing(self, database, earning):
        with database.write() as db:
            found = posted(db, earning.partner)
        with database.read() as db:
            simulating.posted(db, earning.version, found, as_of=None)
            assert db.execute(select(func.count()).select_from(accrual_event)).scalar_one() == 1
