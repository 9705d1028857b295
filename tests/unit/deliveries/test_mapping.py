"""From a record to a body, and what of it may be kept."""

from datetime import date
from decimal import Decimal

import pytest

from chalicelib.deliveries import mapping
from chalicelib.deliveries.snapshots import Snapshot
from chalicelib.language import compile_ruleset
from tests.factories.deliveries import mapping_document

RECORD = {
    "program_code": "uniform",
    "customer_no": "42",
    "last_name": "Vandersloot",
    "available": Decimal("12.50"),
    "version": 3,
    "held": "more",
}
DAY = date(2026, 11, 20)


def mapped(record=RECORD, *, personal_output=True, **outputs):
    document = mapping_document()
    document["outputs"] |= outputs
    document["outputs"]["lastName"]["personal"] = personal_output
    return mapping.apply(compile_ruleset(document), Snapshot(3, record), as_of=DAY, code_tables={})


class TestABody:
    def test_has_the_outputs_as_json_and_ignores_what_the_mapping_does_not_read(self):
        until = {"type": "date", "expr": {"var": "as_of"}}
        assert mapped(c_until=until).body == {
            "customerNo": "42",
            "lastName": "Vandersloot",
            "c_points": "12.50",
            "c_version": 3,
            "c_until": "2026-11-20",
        }

    def test_names_the_program_in_the_fields_that_tell_of_it(self):
        points = {"type": "decimal", "scale": 2, "expr": {"var": "available"}}
        of_program = mapped(RECORD | {"program_code": "work-shoes"}, **{"c_points_{program_code}": points})

        assert of_program.body["c_points_work_shoes"] == "12.50"
        assert "c_points_work_shoes" in of_program.clear
        assert "{" not in of_program.masked().lstrip("{")

    def test_keeps_a_personal_field_masked_under_its_programs_name(self):
        note = {"type": "string", "personal": True, "expr": {"upper": [{"var": "last_name"}]}}
        assert "c_note_uniform" not in mapped(**{"c_note_{program_code}": note}).clear

    def test_is_none_where_the_mapping_does_not_apply(self):
        assert mapped(RECORD | {"available": Decimal(-1)}) is None

    @pytest.mark.parametrize("missing", ["customer_no", "last_name"])
    def test_of_a_record_without_a_needed_field_is_refused_naming_the_field(self, missing):
        with pytest.raises(mapping.Unmappable) as refused:
            mapped({name: value for name, value in RECORD.items() if name != missing})
        assert missing in refused.value.detail
        assert "Vandersloot" not in refused.value.detail


class TestWhatMayBeKept:
    def test_leaves_out_an_output_that_says_it_is_personal(self):
        constant = {"type": "string", "personal": True, "expr": "from nothing personal"}
        assert "c_note" not in mapped(c_note=constant).clear

    def test_leaves_out_an_output_made_of_a_personal_input_whatever_it_says(self):
        shout = {"type": "string", "personal": True, "expr": {"upper": [{"var": "last_name"}]}}
        assert mapped(c_shout=shout).clear == {"customerNo", "c_points", "c_version"}

    def test_masks_fields_of_an_answer_that_were_not_sent(self):
        kept = mapped().masked_answer({"c_points": "12.50", "email": "k@example.com", "lastName": "V", "fax": None})
        assert kept == '{"c_points":"12.50","email":"[masked]","fax":null,"lastName":"[masked]"}'

    def test_scrubs_personal_values_out_of_sentences_nested_ones_too(self):
        body = {"primaryAddress": {"lines": ["1 Elm Street", "Elm"]}, "lastName": "Vandersloot", "customerNo": "42"}
        sent = mapping.Mapped(body, frozenset({"customerNo"}))
        said = "42: Vandersloot of 1 Elm Street (Elm) is unknown"
        assert sent.scrubbed(said) == "42: [masked] of [masked] ([masked]) is unknown"
