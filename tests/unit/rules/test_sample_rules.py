"""The rules of the sample partners: right by all checks, and every row and branch of them met by a case."""

import re
from datetime import UTC, date, datetime
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chalicelib.errors import UnknownReference
from chalicelib.language import compile_ruleset, parse_json
from chalicelib.partners.onboarding import manifest
from chalicelib.rules import code_tables, documents, rulesets, simulation
from tests.factories.rules import RULES, code_table, document, live_ruleset
from tests.factories.samples import SAMPLES

NAMES = sorted(path.stem for path in (RULES / "rulesets").glob("*.json"))
LAYOUTS = sorted(path.stem for path in (RULES / "layouts").glob("*.json"))
#: What decides the programs of the partners that came after the first two.
PROGRAMS = frozenset(
    {
        "fairfield.jubilee",
        "fairfield.shop-points",
        "metro-transit.night-duty",
        "metro-transit.uniform",
        "northgate-police.gear",
        "northgate-police.issue",
        "northgate-police.nothing",
        "northgate-police.off-duty",
        "northgate-police.starter",
        "st-brigid.scrubs",
        "st-brigid.service-awards",
        "vega-motors.brand-store",
        "vega-motors.workwear",
    }
)
PARTNER = b"part" * 4
NOW = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)


class TestEverySample:
    def test_there_are_the_three_of_the_main_job(self):
        assert {"aurora-air.accrual", "commerce-cloud.balance", "harbor-hotels.accrual"} <= set(NAMES)

    @pytest.mark.parametrize("name", NAMES)
    def test_is_accepted_with_all_its_cases(self, name):
        written = document(f"rulesets/{name}")

        assert documents.check(written).envelope.code == name
        assert len(written["cases"]) >= 2

    @pytest.mark.parametrize("name", NAMES)
    def test_fails_when_any_expected_value_is_changed(self, name):
        written = document(f"rulesets/{name}")
        for case in written["cases"]:
            case["expect"] = {"applies": False} if case["expect"] != {"applies": False} else {"refused": "never"}

        assert not any(result.passed for result in compile_ruleset(written).run_cases())


class TestEveryRuleset:
    @pytest.mark.parametrize("name", NAMES)
    def test_is_shown_by_its_own_cases_in_full(self, name):
        found = compile_ruleset(document(f"rulesets/{name}")).coverage()

        assert found.complete, found
        assert found.items, "nothing was asked for"

    @pytest.mark.parametrize("name", NAMES)
    def test_has_nothing_that_lint_would_say_of_it(self, name):
        assert compile_ruleset(document(f"rulesets/{name}")).lint() == ()

    @pytest.mark.parametrize("name", [name for name in NAMES if name.endswith(".accrual") or name in PROGRAMS])
    def test_quotes_its_contract(self, name):
        why = document(f"rulesets/{name}")["why"]

        assert len(why) > 200
        assert re.search(r"[Cc]ontract|[Aa]greement|policy|terms|resolution|protocol", why)

    @pytest.mark.parametrize("name", [name for name in NAMES if document(f"rulesets/{name}").get("tables")])
    def test_has_a_case_that_notices_a_change_of_any_row(self, name):
        written = document(f"rulesets/{name}")
        results = {result.name for result in compile_ruleset(written).run_cases() if result.passed}

        for table, declared in written["tables"].items():
            for number in range(len(declared["rows"])):
                broken = document(f"rulesets/{name}")
                row = broken["tables"][table]["rows"][number]
                row[len(declared["in"]) :] = ["7777"] * len(declared["out"])
                changed = {result.name for result in compile_ruleset(broken).run_cases() if not result.passed}
                assert changed & results, f"no case notices a change of row {number} of table {table}"


class TestTheSamplePrograms:
    def test_are_decided_by_a_ruleset_each_and_named_in_the_documentation(self):
        manifests = [document(f"partners/{path.stem}") for path in sorted((RULES / "partners").glob("*.json"))]
        programs = [program for one in manifests for program in one["programs"]]
        used = {program["ruleset"] for program in programs}
        used |= {program["terms"]["eligibility"] for program in programs if "eligibility" in program.get("terms", {})}
        page = (RULES.parent / "docs" / "programs.md").read_text()

        assert len(programs) == 15
        assert used == {"aurora-air.accrual", "harbor-hotels.accrual", *PROGRAMS}
        assert [name for name in sorted(used) if f"`rules/rulesets/{name}.json`" not in page] == []

    def test_a_correction_with_effect_from_a_past_day_is_held_to_the_same(self):
        corrected = SAMPLES / "metro-transit/award-2026-11/metro-transit.night-duty.json"
        rule = compile_ruleset(parse_json(corrected.read_bytes()))

        assert all(result.passed for result in rule.run_cases())
        assert rule.coverage().complete
        assert rule.lint() == ()


class TestAuroraAir:
    @pytest.mark.parametrize(
        ("hired", "points"),
        [("2024-11-01", "100.00"), ("2024-10-31", "125.00"), ("2021-11-01", "125.00"), ("2021-10-31", "150.00")],
    )
    def test_tenure_decides_to_the_day(self, hired, points):
        rule = compile_ruleset(document("rulesets/aurora-air.accrual"))
        facts = {
            "event_type": "HOURS",
            "quantity": Decimal(100),
            "unit": "HOUR",
            "hire_date": date.fromisoformat(hired),
            "term_date": None,
            "points_this_month": Decimal(0),
        }

        assert rule.decide(facts, as_of=date(2026, 10, 31)) == {"points": Decimal(points)}


class TestHarborHotels:
    @pytest.mark.parametrize(("day", "points"), [("2026-06-30", "20.00"), ("2026-07-01", "21.25")])
    def test_the_allowance_is_that_of_the_day(self, database, day, points):
        facts = {
            "event_type": "ALLOWANCE",
            "quantity": Decimal(1),
            "unit": "POINT",
            "hire_date": date(2020, 3, 1),
            "grade": "E3",
            "fte_pct": Decimal(50),
            "allowance_this_month": Decimal(0),
            "anniversary_this_month": Decimal(0),
        }
        with database.write() as db:
            code_table(db, PARTNER, document("code-tables/harbor-hotels.grade-allowance"))
            live_ruleset(db, PARTNER, document("rulesets/harbor-hotels.accrual"))
            as_of = date.fromisoformat(day)
            rule = rulesets.timeline(db, "harbor-hotels.accrual", known_at=NOW).on(as_of).compiled
            tables = code_tables.resolve(db, rule.code_tables, on=as_of)

        assert rule.decide(facts, as_of=as_of, code_tables=tables) == {"points": Decimal(points)}


class TestCommerceCloud:
    """All partners' members are in one customer list: a number must say whose member it is."""

    @given(
        partner=st.from_regex(manifest.CODE, fullmatch=True), employee=st.text(min_size=1, max_size=64) | st.just("b_c")
    )
    def test_a_customer_number_leads_back_to_one_partner_and_one_employee(self, partner, employee):
        rule = compile_ruleset(document("rulesets/commerce-cloud.balance"))
        given_facts = rule.cases[1].given | {"partner_code": partner, "employee_id": employee}

        number = rule.decide(rule.read(given_facts), as_of=date(2026, 11, 20))["customerNo"]

        assert number.partition("_") == (partner, "_", employee)


class TestLayouts:
    """Layouts are rulesets too: saved, versioned, activated and simulated by the same functions."""

    @pytest.mark.parametrize("name", LAYOUTS)
    def test_are_saved_as_versions(self, database, name):
        written = document(f"layouts/{name}")
        owner = None if written["partner"] is None else PARTNER
        with database.write() as db:
            for table in documents.check(written).code_tables:
                code_table(db, PARTNER, document(f"code-tables/{table}"))

            live = live_ruleset(db, owner, written)

        assert (live.kind, live.number) == ("layout", 1)

    def test_cannot_be_saved_before_the_code_tables_that_they_look_up_in(self, database):
        with database.write() as db, pytest.raises(UnknownReference, match=r"aurora-air\.action"):
            live_ruleset(db, PARTNER, document("layouts/aurora-air.roster"))

    def test_are_simulated_on_one_line_of_a_file(self, database):
        with database.write() as db:
            code_table(db, PARTNER, document("code-tables/aurora-air.event-type"))
            live = live_ruleset(db, PARTNER, document("layouts/aurora-air.timesheet"))
            line = dict.fromkeys(documents.compiled(live).inputs) | {
                "emp_id": "10026",
                "worked": "11/3/2026",
                "pay_type": "Regular",
                "hours": "8.50",
            }

            simulated = simulation.simulate(db, live, line, as_of=date(2026, 11, 20), aggregates={})

        assert simulated.outcome == "decided"
        assert (simulated.outputs["event_type"], simulated.outputs["quantity"]) == ("HOURS", Decimal("8.50"))
