"""No version decides while a case is red, a place is not covered or a lint is an error; each gate refuses by name."""

from datetime import UTC, date, datetime

import pytest
from sqlalchemy import func, select

from chalicelib.errors import Unprocessable
from chalicelib.rules import code_tables, gates, golden, rulesets
from chalicelib.rules.gates import GatesClosed
from chalicelib.rules.models import code_table, ruleset_activation
from tests.factories.rules import AUTHOR, accrual_document, golden_case
from tests.factories.rules import code_table as apply_table
from tests.factories.rules import document as sample

ACME = b"acme" * 4
JANUARY = date(2026, 1, 1)
NOW = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)


def save(db, document) -> rulesets.SavedVersion:
    return rulesets.save(db, document, partner_id=ACME, caller=AUTHOR, now=NOW)


def activate(db, saved: rulesets.SavedVersion, code: str = "acme.accrual") -> bool:
    return rulesets.activate(db, code, saved.version_id, effective_from=JANUARY, caller=AUTHOR, now=NOW)


def refused(db, document) -> list[tuple[str, str]]:
    """Code and place of what keeps the document from deciding."""
    saved = save(db, document)
    with pytest.raises(GatesClosed) as closed:
        activate(db, saved)
    assert db.execute(select(func.count()).select_from(ruleset_activation)).scalar_one() == 0
    return [(fault.code, fault.pointer) for fault in closed.value.faults]


class TestTheGateOfCases:
    def test_refuses_a_red_case(self, database):
        red = accrual_document()
        red["cases"][0]["expect"] = {"points": "1.00"}
        with database.write() as db:
            assert ("case_failed", "/cases/0") in refused(db, red)

    def test_refuses_a_rule_without_cases(self, database):
        with database.write() as db:
            assert ("no_cases", "/cases") in refused(db, accrual_document(cases=[]))

    def test_refuses_a_red_golden_case(self, database):
        with database.write() as db:
            first = save(db, accrual_document())
            golden.put(db, "acme.accrual", "four-hours", golden_case("1.5"), caller=AUTHOR, now=NOW)

            assert ("case_failed", "/golden/four-hours") in refused(db, accrual_document(rate="2"))
            assert activate(db, first) is True

    def test_looks_again_each_time(self, database):
        with database.write() as db:
            saved = save(db, accrual_document(rate="2"))
            assert gates.examine(db, rulesets.version(db, saved.version_id)).shut == ()
            golden.put(db, "acme.accrual", "four-hours", golden_case("1.5"), caller=AUTHOR, now=NOW)

            with pytest.raises(GatesClosed):
                activate(db, saved)


class TestTheGateOfCoverage:
    def test_refuses_what_no_case_reaches(self, database):
        partial = accrual_document()
        del partial["cases"][1]
        with database.write() as db:
            found = refused(db, partial)

        assert ("not_covered", "/when") in [(code, pointer[:5]) for code, pointer in found]

    def test_a_golden_case_covers_as_well(self, database):
        partial = accrual_document()
        left = partial["cases"].pop(1)
        with database.write() as db:
            saved = save(db, partial)
            golden.put(
                db, "acme.accrual", "left", {**left, "name": "left", "as_of": "2026-10-01"}, caller=AUTHOR, now=NOW
            )

            assert activate(db, saved) is True

    def test_a_golden_case_of_another_time_does_not(self, database):
        partial = accrual_document(effective={"from": "2026-12-01"})
        left = partial["cases"].pop(1)
        with database.write() as db:
            saved = save(db, partial)
            other_time = {**left, "name": "left", "as_of": "2026-10-01"}
            golden.put(db, "acme.accrual", "left", other_time, caller=AUTHOR, now=NOW)
            shut = gates.examine(db, rulesets.version(db, saved.version_id)).shut

        assert {fault.code for fault in shut} == {"not_covered"}


class TestTheGateOfLints:
    def test_refuses_an_error(self, database):
        always = accrual_document(
            when={"or": [{"==": [{"var": "status"}, "active"]}, {">=": [{"var": "quantity"}, 0]}]}
        )
        never = accrual_document(
            inputs={
                "status": {"type": "enum", "values": ["active", "terminated"]},
                "quantity": {"type": "decimal", "scale": 6, "min": "0"},
            },
            when={"and": [{"==": [{"var": "status"}, "active"]}, {"<": [{"var": "quantity"}, 0]}]},
        )
        with database.write() as db:
            assert save(db, always).created
            saved = save(db, never)
            examined = gates.examine(db, rulesets.version(db, saved.version_id))
            errors = {finding.code for finding in examined.findings if finding.severity == "error"}

            assert errors
            assert errors <= {fault.code for fault in examined.shut}


class TestTheGateOfTodaysChecks:
    def test_refuses_a_look_up_in_a_table_that_went_to_another_owner(self, database):
        with database.write() as db:
            apply_table(db, ACME, sample("code-tables/harbor-hotels.grade-allowance"))
            saved = rulesets.save(db, sample("rulesets/harbor-hotels.accrual"), partner_id=ACME, caller=AUTHOR, now=NOW)
            db.execute(code_table.update().values(partner_id=b"othr" * 4))
            assert code_tables.foreign(db, ["harbor-hotels.grade-allowance"], ACME)

            with pytest.raises(GatesClosed) as closed:
                activate(db, saved, "harbor-hotels.accrual")

        assert closed.value.faults[0].code == "unknown_code_table"

    def test_is_an_error_that_the_caller_can_mend(self):
        assert issubclass(GatesClosed, Unprocessable)


class TestLayouts:
    def test_are_let_through_without_cases(self, database):
        layout = sample("layouts/accruals")
        with database.write() as db:
            saved = rulesets.save(db, layout, partner_id=None, caller=AUTHOR, now=NOW)

            assert activate(db, saved, layout["id"]) is True
