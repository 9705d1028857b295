"""No change is told where there is none, and none is kept quiet: held against what the two rules decide."""

from collections.abc import Callable
from copy import deepcopy
from decimal import Decimal
from random import Random
from typing import Any

from hypothesis import HealthCheck, assume, event, given, settings
from hypothesis import strategies as st

from chalicelib.language import Compiled, DecisionRefused, RuleRefused, compile_ruleset
from chalicelib.rules.diffing.comparing import diff
from tests.unit.language.conftest import AS_OF
from tests.unit.language.conftest import INPUTS as PLAIN_INPUTS
from tests.unit.language.generated_rules import CODES, DEEP, INPUTS, LET, OUTPUTS, RECORDS, TABLES

SLOW = settings(max_examples=80, deadline=None, suppress_health_check=list(HealthCheck))
RULES = st.builds(
    lambda output, when: {
        "kind": "mapping",
        "inputs": {**PLAIN_INPUTS, **INPUTS},
        "let": LET,
        "tables": TABLES,
        "when": when,
        "outputs": {"it": {**output[1], "nullable": True, "expr": output[0]}},
    },
    OUTPUTS,
    DEEP["boolean"],
)


def compiled(document: Any) -> Compiled | None:
    try:
        return compile_ruleset(document)
    except RuleRefused:
        return None


def decided(rule: Compiled, record: dict[str, Any]) -> Any:
    """What a rule says to a record; of a refusal only that it is one, since another part may be asked first."""
    try:
        return rule.decide(record, as_of=AS_OF, code_tables=CODES)
    except DecisionRefused:
        return "refused"


def everywhere(raw: Any, change: Callable[[Any], Any]) -> Any:
    """A copy in which every part went through ``change``, the inner ones first."""
    if isinstance(raw, dict):
        return change({name: everywhere(one, change) for name, one in raw.items()})
    return change([everywhere(one, change) for one in raw] if isinstance(raw, list) else raw)


def respelled(raw: Any, random: Random) -> Any:  # noqa: C901 - one case for each spelling
    """The same expression in other words: keys, lists and numbers of the document spelled otherwise."""

    def change(part: Any) -> Any:  # noqa: PLR0911 - one return for each spelling
        match part:
            case {"var": str(name)}:
                return {"var": [name]} if random.random() < 0.5 else part
            case {"?:": arguments}:
                return {"if": arguments}
            case {">": [left, right]}:
                return {"<": [right, left]}
            case {"<=": [left, right]}:
                return {">=": [right, left]}
            case {"==": [left, right]}:
                return {"==": [right, left]}
            case Decimal():
                return Decimal(f"{part}0") if "." in str(part) else part
            case {"lookup": [table, key]}:
                return {"lookup": [table, key, {"on_miss": "error"}]}
            case {"and": [only]}:
                return only
            case {"in_range": [item, str(written)]}:
                return {"in_range": [item, written.replace(",", " , ")]}
        return part

    return everywhere(raw, change)


def shuffled(document: dict[str, Any], random: Random) -> dict[str, Any]:
    """The same document with everything in another order that has none."""
    found = deepcopy(document)
    for key in ("inputs", "let", "tables", "outputs"):
        names = list(found[key])
        random.shuffle(names)
        found[key] = {name: found[key][name] for name in names}
    random.shuffle(found["tables"]["literal"]["rows"])
    found["inputs"]["status"]["values"] = random.sample(found["inputs"]["status"]["values"], 3)
    return dict(reversed(found.items()))


def disturbed(raw: Any, random: Random) -> Any:
    """An expression in which the arguments of one operator changed places: now and then that means the same."""
    calls: list[Any] = []

    def note(part: Any) -> Any:
        match part:
            case {**members} if len(members) == 1 and members.keys().isdisjoint({"var", "table", "lookup"}):
                [arguments] = members.values()
                if isinstance(arguments, list) and len(arguments) > 1:
                    calls.append(arguments)
        return part

    found = everywhere(raw, note)
    if calls:
        # The copy's own lists were noted, so that one of them can be turned in its place.
        random.choice(calls).reverse()
    return found


class TestNoise:
    @SLOW
    @given(RULES, st.randoms(use_true_random=False))
    def test_another_spelling_is_no_change(self, rule, random):
        other = shuffled(rule, random)
        for name in ("when", "let"):
            other[name] = respelled(other[name], random)
        other["outputs"]["it"]["expr"] = respelled(other["outputs"]["it"]["expr"], random)
        assume(compiled(rule) is not None and compiled(other) is not None)

        assert diff(rule, deepcopy(rule)) == []
        assert [change.what for change in diff(rule, other)] == []


class TestSilence:
    @SLOW
    @given(RULES, st.lists(RECORDS, min_size=6, max_size=6), st.randoms(use_true_random=False))
    def test_where_nothing_is_told_both_decide_alike(self, rule, records, random):
        other = deepcopy(rule)
        if random.random() < 0.7:
            other["outputs"]["it"]["expr"] = disturbed(other["outputs"]["it"]["expr"], random)
        else:
            other["when"] = disturbed(other["when"], random)
        random.shuffle(other["tables"][random.choice(sorted(TABLES))]["rows"])
        left, right = compiled(rule), compiled(other)
        assume(left is not None and right is not None)
        whole = [{**dict.fromkeys(PLAIN_INPUTS), **record} for record in records]

        changes = diff(rule, other)
        same = all(decided(left, record) == decided(right, record) for record in whole)
        event(f"{'changes' if changes else 'nothing'} told, {'the same' if same else 'another'} decision")
        assert changes or same

    @SLOW
    @given(RULES, RULES, RECORDS)
    def test_rules_that_decide_otherwise_are_told_apart(self, rule, other, record):
        left, right = compiled(rule), compiled(other)
        assume(left is not None and right is not None)
        record = {**dict.fromkeys(PLAIN_INPUTS), **record}
        if decided(left, record) != decided(right, record):
            assert diff(rule, other)
