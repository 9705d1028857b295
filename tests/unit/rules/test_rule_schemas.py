"""The JSON Schemas of rule files: current, valid, complete, and never stricter than the hub."""

import json
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, event, given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from chalicelib.errors import InterlineError
from chalicelib.language import compile_ruleset, parse_json
from chalicelib.language.faults import Report
from chalicelib.language.operators import OPERATORS
from chalicelib.partners.onboarding import manifest
from chalicelib.pipelines import documents as pipelines
from chalicelib.rules import code_tables, documents
from chalicelib.rules.schemas.operators import EXAMPLES
from cli import schemas

ROOT = Path(__file__).parents[3]
RULES = ROOT / "rules"
NAMES = ("ruleset", "layout", "pipeline", "partner", "code_table")
FOLDERS = {
    "rulesets": "ruleset",
    "layouts": "layout",
    "pipelines": "pipeline",
    "code-tables": "code_table",
    "partners": "partner",
}
FILES = sorted(path for folder in FOLDERS for path in (RULES / folder).glob("*.json"))
EVERYTHING = ROOT / "tests/unit/language/everything.json"
VALIDATORS = {name: Draft202012Validator(json.loads(text)) for name, text in schemas.texts().items()}


def refusals(name: str, document: Any) -> list[str]:
    """Where a schema finds fault, as JSON has the document."""
    plain = json.loads(json.dumps(document, default=float))
    return [error.json_path for error in VALIDATORS[f"{name}.json"].iter_errors(plain)]


def hub_refuses(name: str, document: Any) -> bool:
    try:
        match name:
            case "ruleset" | "layout":
                documents.read(document)
            case "code_table":
                code_tables.check(document)
            case "pipeline":
                pipelines.check(document)
            case "partner":
                report = Report()
                manifest.examine({"manifest": document}, report=report)
                report.refuse_if_any()
    except InterlineError:
        return True
    return False


def load(path: Path) -> Any:
    return parse_json(path.read_bytes())


class TestFiles:
    @pytest.mark.parametrize("name", NAMES)
    def test_is_what_the_code_says_now(self, name):
        written = (schemas.FOLDER / f"{name}.json").read_text()
        assert written == schemas.texts()[f"{name}.json"], "run `make schemas`"

    @pytest.mark.parametrize("name", NAMES)
    def test_is_a_schema_of_2020_12(self, name):
        schema = json.loads((schemas.FOLDER / f"{name}.json").read_text())
        assert schema["$schema"] == "https://json-schema.org/draft/2020-12/schema"
        Draft202012Validator.check_schema(schema)

    def test_are_written_where_they_are_missing_or_old_and_left_where_they_are_not(self, tmp_path):
        (tmp_path / "layout.json").write_text("{}")
        assert {path.name for path in schemas.write(tmp_path)} == {f"{name}.json" for name in NAMES}
        assert schemas.write(tmp_path) == []

    def test_vs_code_binds_each_folder_of_rules_to_its_schema(self):
        bound = json.loads((ROOT / ".vscode/settings.json").read_text())["json.schemas"]
        found = {one["fileMatch"][0]: one["url"] for one in bound}
        assert found == {f"/rules/{folder}/*.json": f"./rules/schemas/{name}.json" for folder, name in FOLDERS.items()}

    @pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
    def test_accepts_every_rule_file(self, path):
        document = load(path)
        name = FOLDERS[path.parent.name]
        assert document.get("$schema", f"../schemas/{name}.json") == f"../schemas/{name}.json"
        assert refusals(name, document) == []

    def test_accepts_the_document_that_has_everything(self):
        document = load(EVERYTHING) | {"entity": "balance", "target": "sfcc_customers", "inputs": {}}
        assert refusals("ruleset", document) == []


INPUTS = {
    "hours": {"type": "decimal", "scale": 2},
    "days": {"type": "integer"},
    "status": {"type": "enum", "values": ["ACTIVE", "LEAVE"]},
    "grade": {"type": "string", "nullable": True},
    "fte_pct": {"type": "decimal", "scale": 4, "nullable": True},
    "name": {"type": "string"},
    "job": {"type": "string"},
    "hire_date": {"type": "date"},
    "part_time": {"type": "boolean"},
    "tags": {"type": "list", "items": {"type": "string"}},
    "lines": {
        "type": "list",
        "items": {"type": "object", "fields": {"qty": {"type": "integer"}, "price": {"type": "decimal", "scale": 2}}},
    },
}
TIER = {"hit": "first", "in": ["hours"], "out": ["rate"], "rows": [["-", "1.5"]]}


class TestOperators:
    def test_every_operator_is_explained_with_an_example(self):
        assert sorted(EXAMPLES) == sorted(OPERATORS)
        known = json.loads(schemas.texts()["ruleset.json"])["$defs"]["expression"]["properties"]
        assert known.keys() == OPERATORS.keys()
        for name, operator in OPERATORS.items():
            assert operator.summary in known[name]["markdownDescription"]
            assert operator.signature in known[name]["markdownDescription"]
            assert known[name]["examples"] == [EXAMPLES[name]]

    @pytest.mark.parametrize("name", sorted(EXAMPLES))
    def test_every_example_is_what_the_language_takes(self, name):
        document = {
            "kind": "mapping",
            "inputs": INPUTS,
            "let": {"example": {name: EXAMPLES[name]}},
            "tables": {"tier": TIER},
            "outputs": {"it": {"type": "integer", "expr": 1}},
        }
        compile_ruleset(document)
        found = refusals("ruleset", document)
        assert [path for path in found if path.startswith(("$.let", "$.tables"))] == []


def accrual(**changes: Any) -> dict[str, Any]:
    return load(RULES / "rulesets/harbor-hotels.accrual.json") | changes


def without(document: dict[str, Any], *path: Any) -> dict[str, Any]:
    changed = deepcopy(document)
    inner: Any = changed
    for step in path[:-1]:
        inner = inner[step]
    del inner[path[-1]]
    return changed


def with_(document: dict[str, Any], *path: Any) -> dict[str, Any]:
    """A copy with the last of ``path`` at the place that the others lead to."""
    changed = deepcopy(document)
    inner: Any = changed
    for step in path[:-2]:
        inner = inner[step]
    inner[path[-2]] = path[-1]
    return changed


RULE = accrual()
LAYOUT = load(RULES / "layouts/harbor-hotels.roster.json")
TABLE = load(RULES / "code-tables/harbor-hotels.grade-allowance.json")
PARTNER = load(RULES / "partners/aurora-air.json")
PIPELINE = load(RULES / "pipelines/order.json")
VAR = {"var": "quantity"}
WRONG = {
    "unknown key": ("ruleset", accrual(whne=True)),
    "no outputs": ("ruleset", without(RULE, "outputs")),
    "unknown kind": ("ruleset", accrual(kind="accruel")),
    "bad id": ("ruleset", accrual(id="Harbor Hotels")),
    "unknown fact": ("ruleset", with_(RULE, "inputs", "tenur", {"type": "date"})),
    "unknown type": ("ruleset", with_(RULE, "inputs", "grade", "type", "text")),
    "missing type": ("ruleset", without(RULE, "inputs", "grade", "type")),
    "decimal without a scale": ("ruleset", without(RULE, "inputs", "quantity", "scale")),
    "text with a scale": ("ruleset", with_(RULE, "inputs", "grade", "scale", 2)),
    "enum without values": ("ruleset", without(RULE, "inputs", "event_type", "values")),
    "unknown normalization": ("ruleset", with_(RULE, "inputs", "grade", "normalize", ["strip"])),
    "unknown operator": ("ruleset", with_(RULE, "when", {"equals": [VAR, 1]})),
    "two operators": ("ruleset", with_(RULE, "when", {"==": [VAR, 1], "!=": [VAR, 1]})),
    "wrong arity": ("ruleset", with_(RULE, "when", {"==": [VAR]})),
    "too many arguments": ("ruleset", with_(RULE, "when", {">": [VAR, 1, 2, 3]})),
    "deep wrong arity": ("ruleset", with_(RULE, "let", "x", {"and": [{"!": [{"in": [VAR]}]}]})),
    "one argument without a list": ("ruleset", with_(RULE, "when", {"==": 1})),
    "unknown rounding": ("ruleset", with_(RULE, "let", "x", {"round": [VAR, 2, "half"]})),
    "unknown option": ("ruleset", with_(RULE, "let", "x", {"lookup": ["t", "a", {"onmiss": "null"}]})),
    "default without on_miss": ("ruleset", with_(RULE, "let", "x", {"lookup": ["t", "a", {"default": "b"}]})),
    "unknown hit policy": ("ruleset", with_(RULE, "tables", "anniversary", "hit", "uniqe")),
    "collect without collecting": ("ruleset", with_(RULE, "tables", "anniversary", "collect", "sum")),
    "priority without a ranking": ("ruleset", with_(RULE, "tables", "anniversary", "hit", "priority")),
    "table without rows": ("ruleset", with_(RULE, "tables", "anniversary", "rows", [])),
    "object in a cell": ("ruleset", with_(RULE, "tables", "anniversary", "rows", 0, 1, {"value": 1})),
    "output without an expression": ("ruleset", without(RULE, "outputs", "points", "expr")),
    "points that are text": ("ruleset", with_(RULE, "outputs", "points", {"type": "string", "expr": "a"})),
    "case without a day": ("ruleset", without(RULE, "cases", 0, "as_of")),
    "case that expects two things": ("ruleset", with_(RULE, "cases", 0, "expect", {"refused": "x", "points": "1"})),
    "unknown key of a case": ("ruleset", with_(RULE, "cases", 0, "when", "2026-10-01")),
    "no such date form": ("ruleset", with_(RULE, "effective", {"from": "2026-W40-4"})),
    "layout without an entity": ("layout", without(LAYOUT, "entity")),
    "layout's unknown field": ("layout", with_(LAYOUT, "fields", "firstname", {"expr": "a"})),
    "layout's missing field": ("layout", without(LAYOUT, "fields", "hire_date")),
    "layout's unknown operator": ("layout", with_(LAYOUT, "fields", "grade", {"expr": {"trimm": "a"}})),
    "layout's unknown delimiter": ("layout", with_(LAYOUT, "format", "delimiter", "::")),
    "layout's unknown column key": ("layout", with_(LAYOUT, "columns", "city", "heder", "Ort")),
    "layout's rounding": ("layout", with_(LAYOUT, "fields", "fte_pct", "rounding", "half")),
    "layout's date form": ("layout", with_(LAYOUT, "effective", {"from": "2026-W40-4"})),
    "entry without a value": ("code_table", without(TABLE, "entries", 0, "value")),
    "entry's unknown key": ("code_table", with_(TABLE, "entries", 0, "valid_from", "2026-01-01")),
    "no entries": ("code_table", with_(TABLE, "entries", [])),
    "pipeline without steps": ("pipeline", with_(PIPELINE, "steps", [])),
    "pipeline's unknown key": ("pipeline", with_(PIPELINE, "effective", {"from": "2026-01-01"})),
    "step's unknown kind": ("pipeline", with_(PIPELINE, "steps", 0, "kind", "wrok")),
    "step's unknown key": ("pipeline", with_(PIPELINE, "steps", 0, "timeout", 60)),
    "step without its time": ("pipeline", without(PIPELINE, "steps", 0, "timeout_s")),
    "step's name": ("pipeline", with_(PIPELINE, "steps", 0, "name", "Check order")),
    "delivery without a throttle": ("pipeline", without(PIPELINE, "steps", 3, "throttle")),
    "retry of what never passes": ("pipeline", with_(PIPELINE, "retries", "passing", "errors", ["rejected"])),
    "retry a hundred times": ("pipeline", with_(PIPELINE, "retries", "passing", "attempts_max", 100)),
    "throttle's name": ("pipeline", with_(PIPELINE, "throttles", "Net Suite", {"inflight_max": 5})),
    "partner without programs": ("partner", without(PARTNER, "programs")),
    "program's unknown key": ("partner", with_(PARTNER, "programs", 0, "colour", "blue")),
    "program's unknown kind": ("partner", with_(PARTNER, "programs", 0, "kind", "accruel")),
    "enrolment's unknown operator": ("partner", with_(PARTNER, "programs", 0, "enrolment", {"when": {"inn": [1, 2]}})),
    "expiry in weeks": ("partner", with_(PARTNER, "programs", 0, "lots", {"expires": {"weeks": 2}})),
    "target's unknown connector": ("partner", with_(PARTNER, "targets", 0, "connector", "sfcc")),
    "target's unknown key": ("partner", with_(PARTNER, "targets", 0, "organisation", "f_ecom_zzxy_prd")),
    "target's form of an organization": ("partner", with_(PARTNER, "targets", 0, "organization", "zzxy")),
}


class TestWrongDocuments:
    @pytest.mark.parametrize("what", sorted(WRONG))
    def test_are_refused_by_the_schema_and_by_the_hub(self, what):
        name, document = WRONG[what]
        assert hub_refuses(name, document)
        assert refusals(name, document)


def places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    found = [path] if path else []
    if isinstance(value, dict | list):
        for key, inner in value.items() if isinstance(value, dict) else enumerate(value):
            found.extend(places(inner, (*path, key)))
    return found


SUBJECTS = [(FOLDERS[path.parent.name], load(path)) for path in FILES] + [("ruleset", load(EVERYTHING))]
SCALARS = st.sampled_from([None, True, 0, 1, -1, 7, "", "-", "a", "decimal", "list", "date", "first", "2026-10-01"])
CALLS = st.builds(
    lambda name, arguments: {name: arguments},
    st.sampled_from([*sorted(OPERATORS), "unknown"]),
    st.one_of(SCALARS, st.lists(st.one_of(SCALARS, st.just({"var": "quantity"}), st.just({"on_miss": "null"})))),
)
ANYTHING = st.one_of(SCALARS, CALLS, st.lists(SCALARS, max_size=3), st.dictionaries(st.sampled_from("ab"), SCALARS))


class TestNeverStricter:
    @settings(max_examples=250, deadline=None, suppress_health_check=list(HealthCheck))
    @given(st.sampled_from(SUBJECTS), st.data())
    def test_what_the_schema_refuses_the_hub_refuses_too(self, subject, data):
        name, whole = subject
        path = data.draw(st.sampled_from(places(whole)))
        how = data.draw(st.sampled_from(["replace", "remove", "add"]))
        if how == "remove":
            changed = without(whole, *path)
        elif how == "add":
            key = data.draw(st.sampled_from(["scale", "values", "nullable", "min", "items", "description", "x", ""]))
            parent: Any = whole
            for step in path[:-1]:
                parent = parent[step]
            at = (*path[:-1], key) if isinstance(parent, dict) else path
            changed = with_(whole, *at, data.draw(ANYTHING))
        else:
            changed = with_(whole, *path, data.draw(ANYTHING))

        found = refusals(name, changed)
        event("the schema refuses it" if found else "the schema accepts it")
        assert not found or hub_refuses(name, changed), found
