"""Two rulesets never come to decide the same event on the same day."""

from datetime import UTC, date, datetime

import pytest

from chalicelib.errors import Conflict
from chalicelib.partners.programs import programs
from chalicelib.rules import rulesets
from chalicelib.rules.gates import GatesClosed
from tests.factories import partners
from tests.factories.rules import AUTHOR, accrual_document, live_ruleset

ACME = b"acme" * 4
OTHER = b"othr" * 4
NOW = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)
JANUARY = date(2026, 1, 1)
JULY = date(2026, 7, 1)


def of_uniform(code: str, status: str = "active", **changes):
    """An accrual rule that says by itself that it is asked about one program."""
    document = accrual_document(code, program="uniform", when={"==": [{"var": "status"}, status]})
    document["cases"] = [
        {
            "name": given,
            "as_of": changes.get("effective", {}).get("from", "2026-10-01"),
            "given": {"status": given, "quantity": "10"},
            "expect": {"points": "15.00"} if given == status else {"applies": False},
        }
        for given in ("active", "terminated")
    ]
    return document | changes


def activate(db, document, *, partner_id=ACME, day=JANUARY):
    saved = rulesets.save(db, document, partner_id=partner_id, caller=AUTHOR, now=NOW)
    return rulesets.activate(db, document["id"], saved.version_id, effective_from=day, caller=AUTHOR, now=NOW)


class TestTwoRulesetsOfOneProgram:
    def test_are_refused_with_an_example(self, database):
        with database.write() as db:
            live_ruleset(db, ACME, of_uniform("acme.accrual"))
            with pytest.raises(GatesClosed) as refused:
                activate(db, of_uniform("acme.bonus"), day=JULY)

        [fault] = refused.value.faults
        assert fault.code == "conflicting_rulesets"
        assert "acme.accrual and acme.bonus both decide" in fault.message
        assert "from 2026-07-01" in fault.message
        assert "for example" in fault.message

    def test_may_exclude_each_other_by_their_conditions(self, database):
        with database.write() as db:
            live_ruleset(db, ACME, of_uniform("acme.accrual"))

            assert activate(db, of_uniform("acme.farewell", "terminated")) is True

    def test_may_follow_each_other(self, database):
        ends_in_june = {"effective": {"from": "2026-01-01", "to": "2026-06-30"}}
        with database.write() as db:
            live_ruleset(db, ACME, of_uniform("acme.accrual", **ends_in_june))
            with pytest.raises(GatesClosed):
                activate(db, of_uniform("acme.bonus"), day=date(2026, 6, 30))

            assert activate(db, of_uniform("acme.bonus"), day=JULY) is True

    def test_are_seen_where_the_other_is_planned(self, database):
        with database.write() as db:
            live_ruleset(db, ACME, of_uniform("acme.accrual"), effective_from=date(2027, 1, 1))
            with pytest.raises(GatesClosed):
                activate(db, of_uniform("acme.bonus"))

    def test_of_different_partners_or_programs_are_none(self, database):
        with database.write() as db:
            live_ruleset(db, ACME, of_uniform("acme.accrual"))

            assert activate(db, of_uniform("other.accrual"), partner_id=OTHER) is True
            assert activate(db, of_uniform("acme.boots", program="boots")) is True

    def test_a_draft_that_is_not_live_is_none(self, database):
        with database.write() as db:
            rulesets.save(db, of_uniform("acme.accrual"), partner_id=ACME, caller=AUTHOR, now=NOW)

            assert activate(db, of_uniform("acme.bonus")) is True


class TestRulesetsThatProgramsName:
    def test_may_stand_side_by_side(self, database):
        """Which of them is asked about an event is for its program to say, and that names one."""
        with database.write() as db:
            live_ruleset(db, ACME, accrual_document("acme.accrual"))

            assert activate(db, accrual_document("acme.bonus")) is True

    def test_a_program_names_one(self, database):
        with database.write() as db:
            partner = partners.make_partner(db)
            partners.make_program(db, partner)
            spec = programs.spec_of(programs.of_partner(db, partner.id)["uniform"])
            second = type(spec)(**{**{n: getattr(spec, n) for n in spec.__slots__}, "ruleset_code": "acme.bonus"})
            with pytest.raises(Conflict):
                programs.create(db, partner.id, second, caller=AUTHOR, now=NOW)


class TestVersionsOfOneRuleset:
    def test_are_no_rivals(self, database):
        with database.write() as db:
            live_ruleset(db, ACME, of_uniform("acme.accrual"))

            assert activate(db, of_uniform("acme.accrual", why="The same, told otherwise.")) is True
