"""The fields of a file layout: columns of text in, typed fields out."""

from datetime import date
from decimal import Decimal

import pytest

from chalicelib.language import DecisionRefused, RuleRefused, compile_fields
from tests.unit.language.conftest import var

AS_OF = date(2026, 10, 1)
COLUMNS = {
    "Employee_Name": {"personal": True},
    "EmpID": {},
    "DateofHire": {},
    "DateofTermination": {"nullable": True},
    "EmploymentStatus": {},
    "Zip": {},
    "Hours": {"nullable": True},
}
FIELDS = {
    "employee_id": {"type": "string", "expr": {"trim": var("EmpID")}},
    "last_name": {"type": "string", "personal": True, "expr": {"trim": {"split": [var("Employee_Name"), ",", 0]}}},
    "first_name": {"type": "string", "personal": True, "expr": {"split": [var("given"), " ", 0]}},
    "hire_date": {"type": "date", "expr": {"parse_date": [var("DateofHire"), "M/D/YYYY"]}},
    "term_date": {
        "type": "date",
        "nullable": True,
        "expr": {
            "if": [
                {"==": [var("DateofTermination"), None]},
                None,
                {"parse_date": [var("DateofTermination"), "M/D/YYYY"]},
            ]
        },
    },
    "action": {"type": "enum", "values": ["A", "T"], "expr": {"lookup": ["status", var("EmploymentStatus")]}},
    "postal": {"type": "string", "expr": {"pad_left": [var("Zip"), 5, "0"]}},
    "event_id": {"type": "string", "expr": {"cat": [{"trim": var("EmpID")}, ":", {"to_text": var("hired")}]}},
}
LET = {
    "given": {"trim": {"split": [var("Employee_Name"), ",", 1]}},
    "hired": {"parse_date": [var("DateofHire"), "M/D/YYYY"]},
}
ROW = {
    "Employee_Name": "Adinolfi, Wilson  K",
    "EmpID": "10026 ",
    "DateofHire": "7/5/2011",
    "DateofTermination": "",
    "EmploymentStatus": "Active",
    "Zip": "1960",
    "Hours": "",
}
CODES = {"status": {"Active": "A", "Voluntarily Terminated": "T"}}


def layout(**changes):
    parts = {"let": LET, **changes}
    return compile_fields(parts.pop("columns", COLUMNS), parts.pop("fields", FIELDS), **parts)


def decide(compiled, **cells):
    return compiled.decide({**ROW, **cells}, as_of=AS_OF, code_tables=CODES)


class TestRows:
    def test_a_row_becomes_typed_fields(self):
        assert decide(layout()) == {
            "employee_id": "10026",
            "last_name": "Adinolfi",
            "first_name": "Wilson",
            "hire_date": date(2011, 7, 5),
            "term_date": None,
            "action": "A",
            "postal": "01960",
            "event_id": "10026:2011-07-05",
        }

    def test_a_row_may_be_decided_as_it_is_or_after_reading(self):
        compiled = layout()
        read = compiled.read(ROW)
        assert read["DateofTermination"] is None
        assert compiled.decide(read, as_of=AS_OF, code_tables=CODES) == decide(compiled)

    def test_a_nullable_column_is_null_when_it_is_empty_and_only_then(self):
        assert decide(layout(), DateofTermination="9/24/2012")["term_date"] == date(2012, 9, 24)
        fields = {"x": {"type": "string", "nullable": True, "expr": var("Hours")}}
        assert decide(layout(fields=fields), Hours=" ") == {"x": " "}
        assert decide(layout(fields=fields), Hours="") == {"x": None}

    def test_zero_in_a_typed_nullable_column_is_not_null(self):
        compiled = compile_fields(
            {"n": {"type": "integer", "nullable": True}},
            {"n": {"type": "integer", "nullable": True, "expr": var("n")}},
        )
        assert compiled.decide(compiled.read({"n": "0"}), as_of=AS_OF) == {"n": 0}
        assert compiled.decide(compiled.read({"n": ""}), as_of=AS_OF) == {"n": None}

    def test_a_row_that_is_to_be_ignored_is_none(self):
        compiled = layout(ignore_when={"==": [var("EmpID"), "TOTAL"]})
        assert decide(compiled, EmpID="TOTAL", DateofHire="") is None
        assert decide(compiled) is not None

    def test_ignoring_empty_columns_proves_them_not_null_in_the_fields(self):
        fields = {"hours": {"type": "decimal", "scale": 2, "expr": {"parse_decimal": [var("Hours")]}}}
        compiled = layout(fields=fields, ignore_when={"is_null": var("Hours")})
        assert decide(compiled) is None
        assert decide(compiled, Hours="8.5") == {"hours": Decimal("8.50")}

    def test_a_column_that_no_field_reads_may_be_missing(self):
        row = {name: cell for name, cell in ROW.items() if name != "Hours"}
        assert layout().decide(row, as_of=AS_OF, code_tables=CODES) is not None


class TestFaults:
    def test_every_failing_field_is_named_at_its_column(self):
        compiled = layout()
        bad = {"DateofHire": "2011-07-05", "EmploymentStatus": "Gone", "Employee_Name": "Adinolfi"}
        with pytest.raises(DecisionRefused) as raised:
            decide(compiled, **bad)
        found = [(fault.pointer, fault.code, fault.message) for fault in raised.value.faults]
        assert found == [
            ("Employee_Name", "no_such_part", "first_name: the text has no part 1 when it is split"),
            ("DateofHire", "bad_date", "hire_date: the text is not a date written M/D/YYYY"),
            ("EmploymentStatus", "unknown_code", "action: `Gone` is not in the code table status"),
        ]
        assert compiled.faults({**ROW, **bad}, as_of=AS_OF, code_tables=CODES) == raised.value.faults

    def test_a_good_row_has_no_faults(self):
        assert layout().faults(ROW, as_of=AS_OF, code_tables=CODES) == ()

    def test_a_null_in_a_column_that_is_not_nullable_is_a_fault(self):
        with pytest.raises(DecisionRefused) as raised:
            decide(layout(), Zip=None)
        assert [(fault.pointer, fault.code) for fault in raised.value.faults] == [("Zip", "missing_value")]

    def test_personal_values_are_never_repeated(self):
        columns = {**COLUMNS, "EmploymentStatus": {"personal": True}}
        with pytest.raises(DecisionRefused) as raised:
            decide(layout(columns=columns), EmploymentStatus="Gone", Employee_Name="Doe")
        assert not any(word in str(raised.value.faults) for word in ("Gone", "Doe"))


class TestDeclarations:
    def test_fields_say_which_columns_they_read_through_let(self):
        outputs = layout().outputs
        assert outputs["event_id"].columns == ("EmpID", "DateofHire")
        assert outputs["first_name"].columns == ("Employee_Name",)
        assert outputs["first_name"].personal
        assert outputs["term_date"].nullable

    def test_faults_point_into_the_layout(self):
        with pytest.raises(RuleRefused) as raised:
            compile_fields(
                {"A": {"nulable": True}},
                {"a": {"type": "date", "expr": var("A")}},
                let={"b": var("C")},
                ignore_when=var("A"),
                tables={"t": {}},
                pointer="/layout",
            )
        assert {fault.pointer for fault in raised.value.faults} >= {
            "/layout/columns/A/nulable",
            "/layout/fields/a/expr",
            "/layout/let/b",
            "/layout/ignore_when",
            "/layout/tables/t/rows",
        }

    def test_text_is_not_a_date_by_itself(self):
        with pytest.raises(RuleRefused, match="parse_date"):
            compile_fields({"A": {}}, {"a": {"type": "date", "expr": var("A")}})

    def test_a_layout_without_fields_is_refused(self):
        with pytest.raises(RuleRefused, match="the fields that a row gives"):
            compile_fields({"A": {}}, {})

    def test_tables_serve_fields_too(self):
        compiled = compile_fields(
            {"A": {}},
            {"a": {"type": "integer", "expr": {"table": ["t", "n"]}}},
            tables={"t": {"hit": "unique", "in": ["A"], "out": ["n"], "rows": [["x", 1], [["y", "z"], 2]]}},
        )
        assert [compiled.decide({"A": cell}, as_of=AS_OF) for cell in "xz"] == [{"a": 1}, {"a": 2}]
