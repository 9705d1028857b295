"""O6: receipts are what docs/receipt.schema.json says. ``conftest`` holds every receipt of these tests to it."""

import json
from copy import deepcopy
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from chalicelib.documents import completing
from chalicelib.files.rows.handlers import HANDLERS
from tests.factories import receipts
from tests.factories.files import Hub, hours, people, person

SCHEMA: dict[str, Any] = json.loads(receipts.SCHEMA.read_text(encoding="utf-8"))


class TestTheSchema:
    def test_is_one_of_2020_12(self):
        assert SCHEMA["$schema"] == "https://json-schema.org/draft/2020-12/schema"
        Draft202012Validator.check_schema(SCHEMA)

    def test_knows_what_the_receipt_calls_the_rows_of_every_room(self):
        effects = {each["required"][0] for each in SCHEMA["dependentSchemas"]["rows_total"]["oneOf"]}
        assert effects == {"programs", "code_tables", "members_absent", *(each.told for each in HANDLERS.values())}
        assert effects <= SCHEMA["properties"].keys()

    def test_knows_the_further_figures_of_documents(self, hub: Hub):
        with hub.database.read() as db:
            assert completing.figures(db, b"\0" * 16).keys() <= SCHEMA["properties"].keys()
        assert {handler.also for handler in HANDLERS.values()} == {None, completing.figures}


class TestAReceipt:
    @pytest.fixture
    def receipt(self, light_hub: Hub) -> dict[str, Any]:
        """Of a file with an accepted and a rejected row."""
        light_hub.process("hours", hours("a,E1,2026-11-02,8", "b,E9,2026-11-02,8", trailer="#TRAILER,2,16"))
        return light_hub.receipt()

    def test_conforms(self, receipt: dict[str, Any]):
        assert receipts.faults(receipt) == []
        assert receipt["programs"]

    @pytest.mark.parametrize(
        ("name", "value"),
        [
            ("rows_total", "2"),
            ("rows_total", -1),
            ("control_in", 16),
            ("control_in", "16,0"),
            ("status", "done"),
            ("status", "quarantined"),
            ("sha256", None),
            ("sha256", "abc"),
            ("received_at", "2026-11-20 12:00"),
            ("run_id", "1"),
            ("revision", 0),
            ("layout_version", "acme.hours"),
            ("reason_code", "odd"),
            ("duplicate_of_file", "b.csv"),
            ("members_absent", 0),
            ("more", 1),
        ],
    )
    def test_that_says_otherwise_does_not(self, receipt: dict[str, Any], name: str, value: Any):
        assert receipts.faults({**receipt, name: value}) != []

    @pytest.mark.parametrize(
        "name",
        ["run_id", "status", "sha256", "rejects", "rows_rejected", "control_unreadable", "programs", "points_in"],
    )
    def test_that_leaves_something_out_does_not(self, receipt: dict[str, Any], name: str):
        del receipt[name]
        assert receipts.faults(receipt) != []

    def test_whose_program_says_otherwise_does_not(self, receipt: dict[str, Any]):
        for name, value in (("points_in", 12), ("events", None), ("more", 1), ("corrections", 1)):
            changed = deepcopy(receipt)
            changed["programs"][0][name] = value
            assert receipts.faults(changed) != [], name


class TestEveryReceipt:
    def test_is_found_where_it_was_written(self, light_hub: Hub):
        light_hub.process("hours", hours("a,E1,2026-11-02,8"))
        light_hub.process("people", people(person("E9")), name="people.csv")
        light_hub.process("hours", "nothing that is known\n1\n", name="odd.csv")
        assert receipts.faults_of_all() == {}

        bad = light_hub.receipt("odd.csv") | {"status": "odd"}
        receipts.put("acme/hours/receipt_bad.csv.json", bad)

        assert list(receipts.faults_of_all()) == ["acme/hours/receipt_bad.csv.json"]
        receipts.put("acme/hours/receipt_bad.csv.json", light_hub.receipt("odd.csv"))
