"""Layout documents: what cannot read a file is refused when it is saved, with the place and a way out."""

from pathlib import Path
from typing import Any

import pytest

from chalicelib.language import RuleRefused, parse_json
from chalicelib.rules import layouts
from chalicelib.rules.entities import ACCRUAL, ENTITIES
from chalicelib.rules.layouts import Format, header_key
from tests.factories.files import hours_layout, people_layout

FOLDER = Path(__file__).parents[3] / "rules" / "layouts"


def faults(document: dict[str, Any]) -> list[tuple[str, str]]:
    """Pointer and code of everything that is wrong."""
    with pytest.raises(RuleRefused) as refused:
        layouts.check(document)
    return [(fault.pointer, fault.code) for fault in refused.value.faults]


def without_field(name: str) -> dict[str, Any]:
    document = hours_layout()
    return document | {"fields": {key: value for key, value in document["fields"].items() if key != name}}


class TestCheck:
    @pytest.mark.parametrize("name", [name for name, field in ACCRUAL.items() if not field.nullable])
    def test_every_field_that_may_not_be_null_is_provided(self, name: str):
        assert (f"/fields/{name}", "field_missing") in faults(without_field(name))

    def test_a_field_that_may_be_null_may_be_left_out(self):
        layouts.check(without_field("description"))

    @pytest.mark.parametrize(
        ("changes", "place"),
        [
            ({"rank": -1}, ("/rank", "bad_layout")),
            ({"rank": "1"}, ("/rank", "bad_layout")),
            ({"entity": "orders"}, ("/entity", "bad_layout")),
            ({"format": {"encoding": "utf-32"}}, ("/format/encoding", "bad_layout")),
            ({"format": {"delimeter": ";"}}, ("/format/delimeter", "unknown_field")),
            ({"columns": {}}, ("/columns", "bad_layout")),
            ({"headers": []}, ("/headers", "unknown_field")),
            ({"partner_column": "partnr"}, ("/partner_column", "unknown_column")),
            ({"control": {"kind": "trailer", "column": "sum"}}, ("/control/column", "unknown_column")),
            ({"control": {"kind": "none", "required": True}}, ("/control/kind", "no_control")),
            ({"mode": "snapshot", "terminate_share_max": "0.2"}, ("/mode", "bad_snapshot")),
            ({"terminate_share_max": "0.2"}, ("/terminate_share_max", "bad_snapshot")),
            ({"id": "acme.stunden"}, ("/id", "bad_id")),
            ({"name": "Hours", "id": "acme.Hours"}, ("/name", "bad_layout")),
        ],
    )
    def test_names_the_place(self, changes: dict[str, Any], place: tuple[str, str]):
        assert place in faults(hours_layout() | changes)

    def test_suggests_what_may_have_been_meant(self):
        with pytest.raises(RuleRefused) as refused:
            layouts.check(hours_layout(format={"delimeter": ";"}))

        assert refused.value.faults[0].suggestion == "did you mean `delimiter`?"

    def test_a_snapshot_says_how_many_it_may_terminate(self):
        assert ("/mode", "bad_snapshot") in faults(people_layout(mode="snapshot"))
        layouts.check(people_layout(mode="snapshot", terminate_share_max="0.1"))

    def test_two_columns_cannot_have_the_same_header(self):
        document = hours_layout()
        document["columns"] = document["columns"] | {"also_hours": {"header": "HOURS "}}

        assert ("/columns/also_hours/header", "same_header") in faults(document)

    def test_what_may_be_absent_may_be_empty(self):
        document = hours_layout()
        document["columns"] = document["columns"] | {"note": {"required": False, "nullable": False}}

        assert ("/columns/note/nullable", "not_nullable") in faults(document)

    def test_an_expression_is_checked_against_the_columns(self):
        document = hours_layout()
        document["fields"] = document["fields"] | {"employee_id": {"expr": {"var": "idd"}}}

        [(pointer, code)] = faults(document)
        assert pointer.startswith("/fields/employee_id/expr")
        assert code.startswith("unknown_")

    def test_a_null_cannot_become_a_required_value(self):
        document = hours_layout()
        document["fields"] = document["fields"] | {"employee_id": {"expr": {"var": "note"}}}

        [(pointer, _)] = faults(document)
        assert pointer.startswith("/fields/employee_id")


class TestPersonal:
    def test_a_personal_column_feeds_personal_fields_only(self):
        document = people_layout()
        document["fields"] = document["fields"] | {"grade": {"expr": {"var": "last"}}}

        assert faults(document) == [("/fields/grade/expr", "personal_column")]

    def test_a_personal_field_comes_from_a_personal_column(self):
        document = people_layout()
        document["columns"] = document["columns"] | {"last": {}}

        assert faults(document) == [("/fields/last_name/expr", "column_not_personal")]


class TestHeader:
    @pytest.mark.parametrize("header", ["Emp ID", "emp id", "EMP  ID", "Emp\tID"])
    def test_a_loose_header_is_blind_to_case_and_blanks(self, header: str):
        assert header_key(header, Format()) == header_key("Emp ID", Format())

    def test_an_exact_header_is_not(self):
        assert header_key("emp id", Format(header="exact")) != header_key("Emp ID", Format(header="exact"))


class TestRepository:
    @pytest.mark.parametrize("path", sorted(FOLDER.glob("*.json")), ids=lambda path: path.stem)
    def test_every_layout_of_ours_can_read_a_file(self, path: Path):
        layout = layouts.parse(parse_json(path.read_bytes()))

        assert layout.code == path.stem
        provided = {name for name, output in layout.compiled.outputs.items() if not output.nullable}
        assert provided == {name for name, field in ENTITIES[layout.spec.entity].items() if not field.nullable}
