"""A document is refused as a whole, with every fault in its place, before anything is stored."""

from decimal import Decimal

import pytest
import yaml

from chalicelib.language import RuleRefused
from chalicelib.rules import documents, entities, facts, targets
from tests.factories.rules import accrual_document, document


def faults_of(wrong) -> dict[str, str]:
    with pytest.raises(RuleRefused) as refused:
        documents.check(wrong)
    return {fault.pointer: fault.code for fault in refused.value.faults}


def without(document, name):
    return {key: value for key, value in document.items() if key != name}


def mapping(**changes):
    return document("rulesets/commerce-cloud.balance") | changes


class TestEnvelope:
    def test_says_who_owns_the_rule_and_when_it_is_meant_to_decide(self):
        written = accrual_document(effective={"from": "2026-10-01", "to": "2026-12-31"})

        opened = documents.check(written).envelope

        assert (opened.code, opened.kind, opened.partner) == ("acme.accrual", "accrual", "acme")
        assert str(opened.effective_from) == "2026-10-01"
        assert str(opened.effective_to) == "2026-12-31"

    @pytest.mark.parametrize("name", ["id", "kind", "owner", "why"])
    def test_needs_each_of_its_parts(self, name):
        assert f"/{name}" in faults_of(without(accrual_document(), name))

    def test_names_every_fault_at_once(self):
        assert faults_of({"id": "Acme Accrual", "kind": "acrual", "owner": "", "why": "x"}) == {
            "/id": "bad_id",
            "/kind": "unknown_kind",
            "/owner": "bad_envelope",
        }

    def test_suggests_the_kind_that_was_meant(self):
        with pytest.raises(RuleRefused) as refused:
            documents.check(accrual_document(kind="acrual"))

        assert refused.value.faults[0].suggestion == "did you mean `accrual`?"

    def test_the_id_of_a_partners_document_begins_with_the_partner(self):
        assert faults_of(accrual_document(partner="other")) == {"/id": "id_of_other_owner"}

    @pytest.mark.parametrize("day", ["2026-02-30", "20261001", "1.10.2026", 20261001])
    def test_a_period_has_real_iso_dates(self, day):
        assert faults_of(accrual_document(effective={"from": day})) == {"/effective/from": "bad_date"}

    def test_a_period_does_not_end_before_it_starts(self):
        period = {"from": "2026-10-01", "to": "2026-09-30"}

        assert faults_of(accrual_document(effective=period)) == {"/effective/to": "bad_period"}

    def test_a_period_has_no_other_fields(self):
        assert faults_of(accrual_document(effective={"until": "2026-10-01"})) == {"/effective/until": "unknown_field"}


class TestAccrual:
    def test_a_misspelt_fact_is_refused_with_a_suggestion(self):
        wrong = accrual_document()
        wrong["inputs"] = wrong["inputs"] | {"quantty": {"type": "decimal", "scale": 6}}

        with pytest.raises(RuleRefused) as refused:
            documents.check(wrong)

        [fault] = refused.value.faults
        assert (fault.pointer, fault.code) == ("/inputs/quantty", "unknown_fact")
        assert fault.suggestion == "did you mean `quantity`?"

    def test_personal_fields_are_no_facts(self):
        wrong = accrual_document()
        wrong["inputs"] = wrong["inputs"] | {"last_name": {"type": "string"}}

        assert faults_of(wrong) == {"/inputs/last_name": "unknown_fact"}

    def test_a_fact_keeps_its_type_and_all_its_digits(self):
        wrong = accrual_document()
        wrong["inputs"] = {
            "status": {"type": "enum", "values": ["active", "gone"]},
            "quantity": {"type": "decimal", "scale": 2},
            "hire_date": {"type": "string"},
        }

        assert faults_of(wrong) == {
            "/inputs/status/values": "unknown_value",
            "/inputs/quantity/scale": "fact_has_more_digits",
            "/inputs/hire_date/type": "fact_has_other_type",
        }

    def test_answers_with_points_and_nothing_else(self):
        points = accrual_document()["outputs"]["points"]

        assert "/outputs/points" in faults_of(accrual_document(outputs={"point": points}, cases=[]))
        assert "/outputs/bonus" in faults_of(accrual_document(outputs={"points": points, "bonus": points}, cases=[]))

    @pytest.mark.parametrize("changed", [{"nullable": True}, {"personal": True}, {"scale": 7}, {"type": "integer"}])
    def test_points_are_a_decimal_that_is_never_null(self, changed):
        points = {"type": "decimal", "scale": 2, "expr": 1} | changed
        if points["type"] == "integer":
            del points["scale"]

        assert faults_of(accrual_document(outputs={"points": points}, cases=[]))["/outputs/points"] == "bad_points"

    def test_a_failing_case_refuses_the_rule_and_says_what_came_out(self):
        wrong = accrual_document()
        wrong["cases"][0]["expect"] = {"points": "14.00"}

        with pytest.raises(RuleRefused) as refused:
            documents.check(wrong)

        [fault] = refused.value.faults
        assert (fault.pointer, fault.code) == ("/cases/0", "case_failed")
        assert "an active member earns" in fault.message

    def test_a_rule_without_cases_is_refused(self):
        assert faults_of(accrual_document(cases=[])) == {"/cases": "no_cases"}

    def test_a_binary_float_is_refused(self):
        wrong = accrual_document()
        wrong["outputs"]["points"]["expr"] = {"*": [{"var": "quantity"}, 1.5]}

        assert "/outputs/points/expr/*/1" in faults_of(wrong)
        wrong["outputs"]["points"]["expr"] = {"*": [{"var": "quantity"}, Decimal("1.5")]}
        assert documents.check(wrong)


class TestMapping:
    def test_gives_fields_that_the_target_has(self):
        outputs = mapping()["outputs"]
        wrong = mapping(outputs=outputs | {"custmerNo": outputs["customerNo"]}, cases=[])

        assert faults_of(wrong).items() >= {"/outputs/custmerNo": "unknown_field"}.items()

    def test_gives_the_fields_that_the_target_needs(self):
        wrong = mapping(outputs=without(mapping()["outputs"], "lastName"), cases=[])

        assert faults_of(wrong).items() >= {"/outputs/lastName": "field_missing"}.items()

    def test_may_add_custom_attributes_only_under_their_prefix(self):
        outputs = mapping()["outputs"]
        wrong = mapping(outputs=outputs | {"points": outputs["c_interlinePoints"]}, cases=[])

        assert faults_of(wrong).items() >= {"/outputs/points": "unknown_field"}.items()

    @pytest.mark.parametrize(
        ("name", "usable"),
        [
            ("c_points_{program_code}", True),
            ("c_{program_code}", True),
            ("{program_code}", False),
            ("c_points_{program}", False),
        ],
    )
    def test_may_name_the_program_in_a_custom_attribute(self, name, usable):
        outputs = mapping()["outputs"]
        written = mapping(outputs=outputs | {name: outputs["c_interlinePoints"]}, cases=[])

        assert faults_of(written).get(f"/outputs/{name}") == (None if usable else "unknown_field")

    def test_declares_personal_facts_as_personal(self):
        inputs = mapping()["inputs"]
        wrong = mapping(inputs=inputs | {"last_name": {"type": "string"}}, cases=[])

        assert "/inputs/last_name/personal" in faults_of(wrong)

    @pytest.mark.parametrize(("name", "code"), [("entity", "unknown_entity"), ("target", "unknown_target")])
    def test_names_an_entity_and_a_target_that_exist(self, name, code):
        assert faults_of(mapping(**{name: "nothing"}))[f"/{name}"] == code

    def test_knows_the_targets_own_fields(self, reference_data):
        contract = yaml.safe_load((reference_data / "sfcc" / "scapi-customers.yaml").read_text())
        customer = contract["components"]["schemas"]["Customer"]
        shape = targets.SHAPES["sfcc_customers"]

        assert shape.needed == set(customer["required"])
        assert shape.known <= set(customer["properties"])
        assert all(not customer["properties"][name].get("readOnly") for name in shape.known)


class TestFacts:
    def test_nothing_personal_decides_an_accrual(self):
        personal = {name for name, field in entities.ROSTER.items() if field.personal}

        assert personal
        assert not personal & facts.ACCRUAL.keys()
        assert not any(fact.personal for fact in facts.ACCRUAL.values())
