"""Lint never lies about tables: what it says of small ones is compared with every record that there can be."""

from datetime import date, timedelta
from decimal import Decimal
from itertools import product

from hypothesis import HealthCheck, event, given, settings
from hypothesis import strategies as st

from chalicelib.language import DecisionRefused, RuleRefused, compile_ruleset
from tests.unit.language.conftest import AS_OF, var

COLUMNS = {
    "grade": {"type": "enum", "values": ["A", "B", "C"]},
    "level": {"type": "integer", "min": 0, "max": 4},
    "share": {"type": "decimal", "scale": 1, "min": "0.1", "max": "0.4"},
    "since": {"type": "date", "min": "2026-01-30", "max": "2026-02-02"},
    "paid": {"type": "boolean"},
}
VALUES = {
    "grade": ["A", "B", "C"],
    "level": [0, 1, 2, 3, 4],
    "share": [Decimal(f"0.{tenth}") for tenth in (1, 2, 3, 4)],
    "since": [date(2026, 1, 30) + timedelta(days=day) for day in range(4)],
    "paid": [True, False],
}
# Beyond what is declared as well, on the bounds and between the values.
BOUNDS = {
    "level": ["", "-1", "0", "1", "2", "3", "4", "6"],
    "share": ["", "0", "0.1", "0.15", "0.2", "0.25", "0.3", "0.4", "1"],
    "since": ["", "2026-01-29", "2026-01-30", "2026-01-31", "2026-02-01", "2026-02-02", "2027-01-01"],
}


def written(value):
    return value if isinstance(value, bool | int) else str(value)


def cells(column):
    values = st.sampled_from(VALUES[column]).map(written)
    kinds = [st.just("-"), values, st.lists(values, min_size=1, max_size=3, unique=True)]
    if column in BOUNDS:
        bounds = st.sampled_from(BOUNDS[column])
        kinds += [st.builds("{}{},{}{}".format, st.sampled_from("[("), bounds, bounds, st.sampled_from(")]"))] * 3
    return st.one_of(kinds)


@st.composite
def tables(draw):
    columns = draw(st.lists(st.sampled_from(sorted(COLUMNS)), min_size=1, max_size=3, unique=True))
    rows = draw(st.lists(st.tuples(*map(cells, columns)).map(list), min_size=1, max_size=7))
    return columns, rows


def compiled(columns, rows):
    """The rule with as many of the rows as load: empty intervals, and rows that one other covers, are left out."""
    while rows:
        table = {"hit": "first", "in": columns, "out": ["n"], "rows": [[*row, n] for n, row in enumerate(rows)]}
        document = {
            "kind": "mapping",
            "inputs": {name: COLUMNS[name] for name in columns},
            "tables": {"t": table},
            "outputs": {"n": {"type": "integer", "expr": {"table": ["t", "n"]}}},
        }
        try:
            return compile_ruleset(document)
        except RuleRefused as refused:
            wrong = {int(fault.pointer.split("/")[4]) for fault in refused.faults}
            rows = [row for place, row in enumerate(rows) if place not in wrong]
    return None


@settings(max_examples=600, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(tables())
def test_gaps_and_unreachable_rows_are_those_that_every_record_shows(table):
    columns, rows = table
    rule = compiled(columns, rows)
    if rule is None:
        event("no row loads")
        return
    [definition] = rule.subject.program.shared.values()
    count = len(definition.function.data.rows)
    hit, missed = set(), 0
    for values in product(*(VALUES[name] for name in columns)):
        try:
            decided = rule.decide(dict(zip(columns, values, strict=True)), as_of=AS_OF)
        except DecisionRefused:
            missed += 1
        else:
            hit.add(decided["n"])
    findings = rule.lint()
    codes = {one.code for one in findings}
    unreachable = {int(one.pointer.rpartition("/")[2]) for one in findings if one.code == "unreachable_row"}
    event("a gap" if missed else "no gap")
    event("an unreachable row" if unreachable else "all rows are reached")
    assert "table_gap_unchecked" not in codes
    assert ("table_gap" in codes) is bool(missed)
    assert unreachable == set(range(count)) - hit


def test_a_gap_that_only_some_records_show_is_found_through_a_condition():
    """What `when` leaves of the records is what the table must take."""
    document = {
        "kind": "mapping",
        "inputs": {"level": COLUMNS["level"]},
        "when": {">=": [var("level"), 2]},
        "tables": {"t": {"hit": "unique", "in": ["level"], "out": ["n"], "rows": [["[2,3]", 1], ["4", 2]]}},
        "outputs": {"n": {"type": "integer", "expr": {"table": ["t", "n"]}}},
    }
    assert "table_gap" not in {one.code for one in compile_ruleset(document).lint()}
    document["when"] = {">=": [var("level"), 1]}
    assert "table_gap" in {one.code for one in compile_ruleset(document).lint()}
