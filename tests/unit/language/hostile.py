"""Hostile rule documents and records, and the guards under which they are read."""

import ast
import json
import re
import resource
import signal
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from copy import deepcopy
from decimal import Decimal
from pathlib import Path
from typing import Any

from hypothesis import strategies as st

from chalicelib.language import Compiled, DecisionRefused, InputRefused, RuleRefused, compile_ruleset, parse_json
from chalicelib.language.compile import KINDS
from chalicelib.language.operators import GRAMMAR
from tests.unit.language.conftest import AS_OF, INPUTS

RULES = Path(__file__).parents[3] / "rules"
DECLARED = (RuleRefused, InputRefused, DecisionRefused)
# Of processor time, so that a busy machine is not mistaken for a hang. The slowest known document takes a tenth.
HANG_S = 20.0
MEMORY_MB_MAX = 256

CODES = {"codes": {"a": "A", "Ada": "B", "E1": "one"}, "harbor-hotels.grade-allowance": {"E1": "20.00", "E3": "42.50"}}


class Hung(BaseException):
    """Nothing was said in ``HANG_S`` seconds of processor time. No handler of ours may catch it."""


@contextmanager
def guarded() -> Iterator[None]:
    """Fails what does not end, and gives what asks for more than ``MEMORY_MB_MAX`` a ``MemoryError``."""

    def stop(*_: object) -> None:
        raise Hung

    pages = int(Path("/proc/self/statm").read_text().split()[0])
    soft, hard = resource.getrlimit(resource.RLIMIT_AS)
    before = signal.signal(signal.SIGPROF, stop)
    resource.setrlimit(resource.RLIMIT_AS, (pages * resource.getpagesize() + MEMORY_MB_MAX * 2**20, hard))
    signal.setitimer(signal.ITIMER_PROF, HANG_S)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        resource.setrlimit(resource.RLIMIT_AS, (soft, hard))
        signal.signal(signal.SIGPROF, before)


def compiled_or_refused(document: Any) -> Compiled | None:
    """The compiled ruleset, linted and its source checked, or None; other errors than ``RuleRefused`` come through."""
    with guarded():
        try:
            compiled = compile_ruleset(document)
        except RuleRefused as refused:
            require_pointed_faults(refused)
            return None
    require_only_compilers_words(compiled.source)
    with guarded():
        compiled.lint()
        assert 0 <= compiled.coverage().percent <= 100
    return compiled


def use(compiled: Compiled, record: Mapping[str, object], code_tables: Any = None) -> str:
    """Read, decide, explain a record and run the cases; says how far it came."""
    tables = CODES if code_tables is None else code_tables
    with guarded():
        compiled.run_cases()
        try:
            facts = compiled.read(record)
        except InputRefused:
            return "input refused"
        facts |= dict.fromkeys(compiled.aggregates, Decimal("12.50"))
        explained = compiled.explain(facts, as_of=AS_OF, code_tables=tables)
        json.dumps(explained)
        try:
            decided = compiled.decide(facts, as_of=AS_OF, code_tables=tables)
        except DecisionRefused as refused:
            require_same_codes(refused, explained)
            return "decision refused"
        assert not explained["faults"]
        return "does not apply" if decided is None else "decided"


def require_pointed_faults(refused: RuleRefused) -> None:
    """Fails when a refusal does not say where."""
    assert refused.faults
    assert all(fault.pointer == "" or fault.pointer.startswith("/") for fault in refused.faults)


def require_same_codes(refused: DecisionRefused, explained: Mapping[str, Any]) -> None:
    """Fails when a refusal says other things than the explanation."""
    assert [fault.code for fault in refused.faults] == [fault["code"] for fault in explained["faults"]]


_SYNTAX = (
    ast.Module, ast.FunctionDef, ast.arguments, ast.arg, ast.Return, ast.Assign, ast.Expr, ast.If, ast.Try,
    ast.ExceptHandler, ast.Call, ast.Name, ast.Load, ast.Store, ast.Subscript, ast.Compare, ast.Eq, ast.NotEq, ast.Lt,
    ast.LtE, ast.Gt, ast.GtE, ast.Is, ast.In, ast.BoolOp, ast.And, ast.Or, ast.UnaryOp, ast.Not, ast.IfExp, ast.List,
    ast.Tuple, ast.Dict, ast.Constant, ast.For, ast.Break, ast.ListComp, ast.GeneratorExp, ast.comprehension,
)  # fmt: skip
# Every name that the compiler makes up, and the parameters of its entry.
_NAMES = re.compile(
    r"(?:c|op|v|t|l|x|i|budget|hits|held|failed|failures|refuse|rows|memo|table|part|decide)_[0-9]+|facts|as_of|code_tables"
)


def require_only_compilers_words(source: str) -> None:
    """Fails when a generated program holds anything but the compiler's own constructs and names, and ``None``."""
    for node in ast.walk(ast.parse(source)):
        assert isinstance(node, _SYNTAX), f"{type(node).__name__} in {source}"
        match node:
            case ast.Constant(value=value):
                assert value is None, f"the constant {value!r} in {source}"
            case ast.Name(id=name) | ast.arg(arg=name) | ast.FunctionDef(name=name):
                assert _NAMES.fullmatch(name), f"the name {name} in {source}"
            case ast.Call(keywords=keywords) if keywords:
                raise AssertionError(f"a keyword in {source}")
    assert not set(source) & set("\"'.\\#@;`"), source


def rulesets() -> dict[str, Any]:
    """The rule files of the repository, and one of each kind that has everything."""
    real = {path.stem: parse_json(path.read_bytes()) for path in sorted((RULES / "rulesets").glob("*.json"))}
    everything = parse_json(Path(__file__).with_name("everything.json").read_bytes())
    return real | {f"everything as {kind}": {**everything, "kind": kind} for kind in KINDS}


# --- what random documents are made of

TEXTS = st.one_of(
    st.text(max_size=8),
    st.sampled_from(
        ["", "Ada", "a,b", "12.5", "2026-10-01", "2024-02-29", "[1,5)", "(,)", "-", "half_up", "month", "codes", "tier"]
    ),
    st.sampled_from(
        ["(a+)+$", "(?:a|a)*b", "[", "\\1", "(?=x)", ".{1,99999}", "%s", "{0}", "\x00", "\ud800", "ﬁ", "ß"]
    ),
    st.sampled_from(["__import__('os')", "\n  import os", "facts", "as_of", "c_0", "table\0tier", "var"]),
    st.integers(4_000, 5_000).map(lambda length: "a" * length),
)
NUMBERS = st.one_of(
    st.integers(-3, 40),
    st.integers(),
    st.sampled_from([10**17, 10**18 - 1, -(10**18), Decimal("1e27"), Decimal("0.000000000001"), 2_000_000_000]),
    st.integers(20, 400).map(lambda digits: 10**digits),
    st.decimals(allow_nan=True, allow_infinity=True),
    st.floats(),
)
VARIABLES = st.sampled_from([*INPUTS, "as_of", "address.city", "address.nothing", "nothing", "item", "lines", ""]).map(
    lambda name: {"var": name}
)
LEAVES = st.one_of(VARIABLES, st.none(), st.booleans(), TEXTS, NUMBERS)


def _calls(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    def call(name: str, arguments: list[Any], options: list[Any]) -> dict[str, Any]:
        names = GRAMMAR[name][1]
        chosen = dict(zip(names, options, strict=False))
        return {name: [*arguments, *([chosen] if chosen else [])]}

    names = st.sampled_from(sorted(GRAMMAR))
    options = st.lists(st.one_of(st.sampled_from(["error", "null", "default", "month", ",", "."]), inner), max_size=3)
    return st.one_of(
        st.builds(call, names, st.lists(inner, max_size=4), options),
        st.builds(call, names, st.lists(VARIABLES, min_size=1, max_size=3), st.just([])),
        st.builds(lambda name, argument: {name: argument}, names, inner),
        st.lists(inner, max_size=4),
        st.dictionaries(st.one_of(TEXTS, names), inner, max_size=3),
    )


#: Expressions of known operators, seldom well typed.
EXPRESSIONS = st.recursive(LEAVES, _calls, max_leaves=15)
#: Any JSON, and values that are no JSON.
ANYTHING = st.recursive(
    st.one_of(LEAVES, st.binary(max_size=3)),
    lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(TEXTS, inner, max_size=4)),
    max_leaves=10,
)

Path_ = tuple[str | int, ...]


def places(document: Any, path: Path_ = ()) -> Iterator[Path_]:
    """The paths of all values in a document."""
    yield path
    if isinstance(document, dict):
        for name, value in document.items():
            yield from places(value, (*path, name))
    elif isinstance(document, list):
        for index, value in enumerate(document):
            yield from places(value, (*path, index))


def value_at(document: Any, path: Path_) -> Any:
    """What stands at a path."""
    for key in path:
        document = document[key]
    return document


def replaced(document: Any, path: Path_, value: Any) -> Any:
    """A copy of the document with another value at a path."""
    if not path:
        return value
    whole = deepcopy(document)
    value_at(whole, path[:-1])[path[-1]] = value
    return whole


@st.composite
def mutated(draw: st.DrawFn, originals: list[Any]) -> Any:
    """A real document with a few places changed: replaced, taken away, moved, wrapped or renamed."""
    document = draw(st.sampled_from(originals))
    for _ in range(draw(st.integers(1, 4))):
        found = list(places(document))
        path = draw(st.sampled_from(found))
        value = value_at(document, path)
        kind = draw(st.sampled_from(["leaf", "expression", "anything", "move", "wrap", "drop", "rename", "repeat"]))
        match kind:
            case "leaf":
                changed = draw(LEAVES)
            case "expression":
                changed = draw(EXPRESSIONS)
            case "anything":
                changed = draw(ANYTHING)
            case "move":
                changed = deepcopy(value_at(document, draw(st.sampled_from(found))))
            case "wrap":
                changed = {draw(st.sampled_from(sorted(GRAMMAR))): [value]}
            case _:
                changed = _within(draw, value, kind)
        document = replaced(document, path, changed)
    return document


def _within(draw: st.DrawFn, value: Any, kind: str) -> Any:
    """A list or object with one entry taken away, said twice or renamed; anything else as it is."""
    if not isinstance(value, list | dict) or not value:
        return value
    if isinstance(value, list):
        index = draw(st.integers(0, len(value) - 1))
        return value[:index] + value[index + 1 :] if kind == "drop" else [*value, value[index]]
    name = draw(st.sampled_from(list(value)))
    other = draw(st.one_of(TEXTS, st.sampled_from(list(value))))
    rest = {key: one for key, one in value.items() if key != name}
    match kind:
        case "drop":
            return rest
        case "rename":
            return {**rest, other: value[name]}
    return {**value, other: value[name]}
