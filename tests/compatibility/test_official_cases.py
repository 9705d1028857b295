"""JsonLogic's own test suite, which is reference data and not ours, in compatibility mode."""

from pathlib import Path

from chalicelib.language import parse_json
from tests.compatibility.checking import compile_plain
from tests.compatibility.javascript import from_json, same, to_json

CASES = 278


def test_every_official_case_gives_the_official_answer(reference_data: Path, record_property):
    rows = parse_json((reference_data / "jsonlogic" / "compatible.json").read_bytes())
    cases = [row for row in rows if isinstance(row, list)]
    assert len(cases) == CASES
    wrong = []
    for rule, data, expected in cases:
        found = compile_plain(rule)(data)
        if not same(found, to_json(from_json(expected))):
            wrong.append(f"{rule} with {data}: {found}, not {expected}")
    record_property("figure", f"official JsonLogic cases in compatibility mode: {CASES - len(wrong)} of {CASES}")
    assert wrong == []
