"""A case made of a rejected row: what the rule was asked, with the sums that it would read."""

from datetime import UTC, datetime

import pytest

from chalicelib.errors import NotFound, Unprocessable
from chalicelib.rules import gates, golden, rulesets
from chalicelib.workbench import masking
from tests.factories import rules
from tests.factories.files import Hub, hours, hours_layout, make_hub
from tests.factories.points import CALLER

NOW = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)


def by_room():
    """Points by what is left of twenty a month; without an answer when nothing is left."""
    return rules.accrual_document(
        inputs={"quantity": {"type": "decimal", "scale": 6}},
        when=True,
        aggregates={"so_far": {"of": "points", "period": "calendar_month"}},
        outputs={
            "points": {
                "type": "decimal",
                "scale": 2,
                "rounding": "half_up",
                "expr": {"/": [{"*": [{"var": "quantity"}, 2]}, {"-": [20, {"var": "so_far"}]}]},
            }
        },
        cases=[
            {
                "name": "an hour",
                "as_of": "2026-11-02",
                "given": {"quantity": "10"},
                "aggregates": {"so_far": "0.00"},
                "expect": {"points": "1.00"},
            }
        ],
    )


@pytest.fixture
def hub(database, aws) -> Hub:
    """Acme, whose rule has no answer once somebody has earned twenty points in a month."""
    made = make_hub(database, hours_layout())
    with database.write() as db:
        rules.live_ruleset(db, made.partner.id, by_room())
    return made


@pytest.fixture
def file(hub):
    """Two hundred hours earn twenty points, so there is no answer to the second row."""
    return hub.process("hours", hours("e1,E1,2026-11-02,200", "e2,E1,2026-11-03,8", "e3,E9,2026-11-03,8"))


def case(hub, file, row_no: int = 2, *, code: str = "acme.accrual", **options):
    said = {"name": "a row", "why": None, "expect": None, "now": NOW} | options
    with hub.database.read() as db:
        return masking.case_of_row(db, code, file, row_no, **said)


class TestACaseOfARejectedRow:
    def test_has_the_sums_that_the_rule_would_read_and_its_refusal(self, hub, file):
        assert case(hub, file) == {
            "name": "a row",
            "as_of": "2026-11-03",
            "given": {"quantity": "8.000000"},
            "aggregates": {"so_far": "20.00"},
            "expect": {"refused": "division_by_zero"},
        }

    def test_is_passed_by_the_version_that_it_was_made_with(self, hub, file):
        with hub.database.write() as db:
            golden.put(db, "acme.accrual", "seen", case(hub, file, why="seen"), caller=CALLER, now=NOW)
            version = rulesets.by_number(db, "acme.accrual", 2)
            runs = {run.result.name: run.result.passed for run in gates.examine(db, version).cases}

        assert runs == {"an hour": True, "golden:seen": True}

    def test_expects_what_the_author_says_it_should_have_been(self, hub, file):
        assert case(hub, file, expect={"points": "0.80"})["expect"] == {"points": "0.80"}

    def test_of_another_ruleset_is_not_found(self, hub, file):
        with pytest.raises(NotFound):
            case(hub, file, code="acme.other")

    def test_that_was_accepted_is_none(self, hub, file):
        with pytest.raises(NotFound):
            case(hub, file, 1)

    def test_about_nobody_is_refused(self, hub, file):
        with pytest.raises(Unprocessable) as refused:
            case(hub, file, 3)

        assert refused.value.code == "no_rule_asked"
