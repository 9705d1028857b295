"""Planted defects: how many of each kind lint finds, where they are, and how often it cries wolf on mended rules."""

from typing import Any

import pytest

from chalicelib.language import RuleRefused, compile_ruleset, lint
from tests.unit.language.lint_corpus import (
    branches,
    conditions,
    conflicts,
    gaps,
    impossible,
    limits,
    tables,
    traps,
    uncovered,
    unused,
)
from tests.unit.language.lint_corpus.words import Pair

CORPUS: dict[str, list[Pair]] = {
    "always_true": [*conditions.ALWAYS_TRUE, *impossible.ALWAYS_TRUE],
    "always_constant": limits.ALWAYS_CONSTANT,
    "always_refused": limits.ALWAYS_REFUSED,
    "always_false": [*conditions.ALWAYS_FALSE, *impossible.ALWAYS_FALSE],
    "unreachable_branch": branches.UNREACHABLE_BRANCH,
    "unreachable_otherwise": branches.UNREACHABLE_OTHERWISE,
    "output_never_set": branches.OUTPUT_NEVER_SET,
    "unreachable_row": [*tables.UNREACHABLE_ROW, *impossible.UNREACHABLE_ROW],
    "table_overlap": tables.TABLE_OVERLAP,
    "table_gap": gaps.TABLE_GAP,
    "unused_input": unused.UNUSED_INPUT,
    "unused_let": unused.UNUSED_LET,
    "unused_table": unused.UNUSED_TABLE,
    "unused_column": unused.UNUSED_COLUMN,
    "unused_aggregate": unused.UNUSED_AGGREGATE,
    "uncovered": uncovered.UNCOVERED,
    "conflicting_rulesets": conflicts.CONFLICTING_RULESETS,
}
PLANTED_MIN = 15
# What lint does not see, by kind: the defect is there, and it takes more than it knows of arithmetic or order.
MISSED: dict[str, set[str]] = {
    "always_true": {"a square is never negative", "the same in another order"},
    "always_false": {"a text that has both letters and not the first"},
    "unreachable_branch": {"a longer part of a text behind a shorter one"},
    "unreachable_row": {"a square below zero"},
    "output_never_set": {"the second part of a text that has no separator"},
    "table_gap": {"a narrow gap of a product"},
}


def findings(document: Any) -> list[lint.Finding]:
    """What lint says of a document, or of several; one that does not load says it by its faults."""
    if isinstance(document, list):
        each = [lint.Deciding.of(one, pointer=f"/{place}") for place, one in enumerate(document)]
        return list(lint.conflicts(each))
    try:
        return list(compile_ruleset(document).lint())
    except RuleRefused as refused:
        return [lint.of_fault(fault) for fault in refused.faults]


@pytest.mark.parametrize("kind", CORPUS)
def test_planted_defects_are_found_where_they_are(kind, record_property):
    pairs = CORPUS[kind]
    found = {
        pair.title: any(one.code == kind and one.pointer == pair.pointer for one in findings(pair.planted))
        for pair in pairs
    }
    missed = {title for title, seen in found.items() if not seen}
    rate = 100 * (len(pairs) - len(missed)) / len(pairs)
    record_property("figure", f"lint {kind}: {len(pairs) - len(missed)} of {len(pairs)} planted found ({rate:.0f} %)")

    assert len(found) == len(pairs) >= PLANTED_MIN
    assert missed == MISSED.get(kind, set())


@pytest.fixture(scope="module")
def alarms() -> dict[str, list[tuple[str, str, str]]]:
    """What lint says of the clean rules, by kind. Every one is clean of every kind, but only some have cases."""
    found: dict[str, list[tuple[str, str, str]]] = {kind: [] for kind in lint.CODES}
    clean = [(kind, pair.title, pair.clean) for kind, pairs in CORPUS.items() for pair in pairs]
    clean += [("traps", title, document) for title, document in traps.TRAPS.items()]
    for kind, title, document in clean:
        for one in findings(document):
            if one.code != "uncovered" or kind == "uncovered":
                found[one.code].append((title, one.pointer, one.message))
    return found


@pytest.mark.parametrize("kind", lint.CODES)
def test_clean_rules_raise_no_alarm(kind, alarms, record_property):
    mended = [pair for pairs in CORPUS.values() for pair in pairs]
    clean = len(CORPUS[kind]) if kind == "uncovered" else len(mended) + len(traps.TRAPS)
    rate = 100 * len(alarms[kind]) / clean
    record_property("figure", f"lint {kind}: {len(alarms[kind])} false alarms on {clean} clean rules ({rate:.0f} %)")

    assert alarms[kind] == []


def test_every_kind_has_its_planted_defects():
    # These say that lint itself stopped early; tests of their own bring that about.
    assert lint.CODES.keys() - CORPUS.keys() == {"lint_incomplete", "table_gap_unchecked"}
