"""The cases of a rule file: reading them when it is loaded, and running them."""

from collections.abc import Mapping
from datetime import date
from typing import Any, Protocol

from chalicelib.language.declarations import Keys
from chalicelib.language.declared import Aggregate, Declared, DeclaredOutput
from chalicelib.language.faults import DecisionRefused, InputRefused, Refusal, Report, at, shown
from chalicelib.language.kinds import CodeTables, Value, json_value
from chalicelib.language.reading import InputReader, iso_date
from chalicelib.records import dataclass

# Keys of ``expect`` that say something else than an output's value; no output may have these names.
REFUSED, APPLIES = "refused", "applies"
_AGGREGATE = Declared("decimal", scale=12)


@dataclass(frozen=True, slots=True)
class Case:
    """One example in a rule file, which must come true before the rule applies."""

    name: str
    as_of: date
    given: Mapping[str, object]
    expect: Mapping[str, Any]
    aggregates: Mapping[str, Value]
    code_tables: CodeTables


@dataclass(frozen=True, slots=True)
class CaseResult:
    """What became of one case; ``message`` says in one sentence what differs, or is empty."""

    name: str
    passed: bool
    expected: Mapping[str, Any]
    actual: Mapping[str, Any]
    message: str


class Rule(Protocol):
    """What running a case needs of a compiled rule."""

    def read(self, raw: Mapping[str, object]) -> dict[str, Value]:
        """Convert a raw record."""

    def decide(self, facts: Mapping[str, Value], *, as_of: date, code_tables: CodeTables) -> dict[str, Value] | None:
        """Decide it."""


def read_cases(
    raw: object,
    pointer: str,
    outputs: Mapping[str, DeclaredOutput],
    aggregates: Mapping[str, Aggregate],
    report: Report,
) -> tuple[Case, ...]:
    """Read the ``cases`` of a rule file; wrong ones are noted and left out. Inputs are judged when a case runs."""
    if not isinstance(raw, list | tuple):
        report.add(pointer, "wrong_type", "expected a list of cases", expected="a list", found=shown(raw))
        return ()
    reader = InputReader({name: _expected(declared) for name, declared in outputs.items()})
    sums = InputReader(dict.fromkeys(aggregates, _AGGREGATE))
    cases: list[Case] = []
    names: set[str] = set()
    for index, item in enumerate(raw):
        keys = Keys(item, at(pointer, index), report, _KEYS)
        name = keys.raw.get("name")
        if not isinstance(name, str) or not name or name in names:
            keys.wrong("name", "a name that no other case has")
            continue
        names.add(name)
        as_of = _as_of(keys)
        given = keys.mapping("given")
        expect = _expect(keys, reader, outputs)
        sum_values, faults = sums.attempt({**dict.fromkeys(aggregates, 0), **keys.mapping("aggregates")})
        for fault in faults:
            keys.wrong("aggregates", f"a number for each aggregate ({fault.pointer}: {fault.message})")
        if as_of is not None and expect is not None:
            cases.append(Case(name, as_of, given, expect, sum_values, _code_tables(keys)))
    return tuple(cases)


_KEYS = ("name", "as_of", "given", "expect", "aggregates", "code_tables", "why", "description")


def run_case(rule: Rule, case: Case) -> CaseResult:
    """Decide the case's record and compare; never raises for what a record or a rule can cause."""
    actual = _actual(rule, case)
    expected = {name: json_value(value) for name, value in case.expect.items()}
    if REFUSED in case.expect:
        passed = case.expect[REFUSED] in actual.get(REFUSED, ())
    elif APPLIES in case.expect:
        passed = actual.get(APPLIES, True) is case.expect[APPLIES] and REFUSED not in actual
    else:
        passed = all(name in actual and actual[name] == value for name, value in case.expect.items())
    shown = {name: json_value(value) for name, value in actual.items()}
    message = "" if passed else f"expected {_sentence(expected)}, got {_sentence(shown)}"
    return CaseResult(case.name, passed, expected, shown, message)


def _actual(rule: Rule, case: Case) -> dict[str, Any]:
    try:
        facts = {**rule.read(case.given), **case.aggregates}
        decided = rule.decide(facts, as_of=case.as_of, code_tables=case.code_tables)
    except (InputRefused, DecisionRefused) as refused:
        return {REFUSED: [refused.code, *(fault.code for fault in refused.faults)], "why": refused.message}
    return {APPLIES: False} if decided is None else dict(decided)


def _sentence(values: Mapping[str, Any]) -> str:
    codes = values.get(REFUSED)
    if isinstance(codes, list):
        return f"a refusal ({', '.join(codes)}): {values['why']}"
    return ", ".join(f"{name} = {value}" for name, value in values.items())


def _expected(declared: DeclaredOutput) -> Declared:
    return Declared(
        declared.type,
        scale=declared.scale,
        values=declared.values,
        nullable=True,
        required=False,
        items=_expected(declared.items) if declared.items else None,
        fields={name: _expected(one) for name, one in declared.fields.items()} if declared.fields else None,
    )


def _left_out(declared: DeclaredOutput, value: Any) -> Any:  # noqa: ANN401 - any typed value
    """``value`` as the output has it: without the fields that are left out when they are null."""
    match value:
        case list() if declared.items is not None:
            return [_left_out(declared.items, item) for item in value]
        case dict() if declared.fields is not None:
            fields = declared.fields
            return {
                name: _left_out(fields[name], part)
                for name, part in value.items()
                if part is not None or not fields[name].omit_null
            }
    return value


def _as_of(keys: Keys) -> date | None:
    written = keys.raw.get("as_of")
    try:
        if isinstance(written, str):
            return iso_date(written)
    except Refusal:
        # The fault below says the same as the refusal would.
        written = None
    keys.wrong("as_of", "the date of the decision, like 2026-10-01")
    return None


def _expect(keys: Keys, reader: InputReader, outputs: Mapping[str, DeclaredOutput]) -> dict[str, Any] | None:
    raw = keys.mapping("expect")
    if not raw:
        keys.wrong("expect", "the outputs that the case must have")
        return None
    for name, kind in ((REFUSED, str), (APPLIES, bool)):
        if name in raw:
            if len(raw) > 1 or not isinstance(raw[name], kind):
                keys.wrong("expect", 'only {"refused": code} or {"applies": true or false}, or values of outputs')
                return None
            return dict(raw)
    pointer = at(keys.pointer, "expect")
    for name in raw:
        if name not in outputs:
            keys.report.unknown(at(pointer, name), "output", name, outputs)
    values, faults = reader.attempt({name: value for name, value in raw.items() if name in outputs})
    for fault in faults:
        keys.report.add(
            f"{pointer}/{fault.pointer}",
            fault.code,
            fault.message,
            expected="a value of the output",
            found=shown(raw.get(fault.pointer)),
        )
    return {name: _left_out(outputs[name], value) for name, value in values.items() if name in raw}


def _code_tables(keys: Keys) -> CodeTables:
    raw = keys.mapping("code_tables")
    for name, table in raw.items():
        if not isinstance(table, Mapping) or not all(isinstance(value, str) for value in table.values()):
            keys.wrong("code_tables", f"texts by code in the table {name}")
            return {}
    return raw
