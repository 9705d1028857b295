"""The three documents that hold rules: a ruleset, the fields of a file layout, a single expression."""

from collections.abc import Callable, Mapping
from datetime import date
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from chalicelib.language.bounds import examine
from chalicelib.language.cases import APPLIES, REFUSED, read_cases
from chalicelib.language.compiled import Compiled
from chalicelib.language.declarations import Keys, declared_aggregate, declared_input
from chalicelib.language.declared import Aggregate, Declared, Origin
from chalicelib.language.faults import Refusal, Report, at
from chalicelib.language.kinds import Value
from chalicelib.language.reading import iso_date
from chalicelib.records import dataclass

if TYPE_CHECKING:
    from chalicelib.language.build import Built


@dataclass(frozen=True, slots=True)
class Decides:
    """The output that every ruleset of a kind has: its name, its type (one of ``types``) and what it means."""

    output: str
    types: tuple[str, ...]
    meaning: str


#: What the kinds decide. A mapping has the outputs that its target has fields for; a layout has a form of its own.
DECIDES: Mapping[str, Decides | None] = MappingProxyType(
    {
        "accrual": Decides("points", ("decimal", "integer"), "the points that an event earns"),
        "eligibility": Decides("eligible", ("boolean",), "whether the member may"),
        "enrolment": Decides("enrolled", ("boolean",), "whether the member belongs to the program"),
        "routing": Decides("route", ("enum",), "where the record goes, out of all places it may go to"),
        "validation": Decides(
            "violations", ("list",), "codes of what is wrong with the record; none means it is right"
        ),
        "mapping": None,
    }
)
KINDS = tuple(DECIDES)
_METADATA = (
    "$schema", "id", "owner", "why", "title", "description", "effective", "program", "partner", "target", "entity",
)  # fmt: skip
_RULESET_KEYS = (*_METADATA, "kind", "inputs", "let", "when", "aggregates", "tables", "outputs", "cases")
_RESULT = "result"
_RULESET = Origin()
_NOTHING: Mapping[str, Any] = MappingProxyType({})


def compile_ruleset(document: Mapping[str, Any]) -> Compiled:
    """Check and compile a ruleset; raises ``RuleRefused`` with every fault found."""
    from chalicelib.language.build import Parts, build

    report = Report()
    examine(document, "", report)
    keys = Keys(document, "", report, _RULESET_KEYS)
    kind = keys.choice("kind", KINDS)
    _check_metadata(keys)
    first, last = _effective(keys)
    if "when" in keys.raw and keys.raw["when"] is None:
        keys.wrong("when", "a condition; leave it out where the rule applies to every record")
    inputs = _inputs(keys.mapping("inputs"), "/inputs", report, column=False)
    aggregates = {
        name: found
        for name, raw in keys.mapping("aggregates").items()
        if (found := declared_aggregate(raw, at("/aggregates", name), report)) is not None
    }
    outputs = keys.mapping("outputs")
    if not outputs:
        keys.wrong("outputs", "what the rule decides")
    _check_outputs(kind, outputs, report)
    built = build(
        Parts(
            pointer="",
            inputs=inputs,
            outputs=outputs,
            undeclared=frozenset(keys.mapping("inputs").keys() - inputs.keys()),
            aggregates=frozenset(aggregates),
            let=keys.mapping("let"),
            tables=keys.mapping("tables"),
            condition=keys.raw.get("when"),
        ),
        report,
    )
    cases = read_cases(keys.raw.get("cases", ()), "/cases", built.outputs, aggregates, report)
    report.refuse_if_any()
    return _compiled(built, inputs, aggregates, cases, origin=Origin(first=first, last=last))


def compile_fields(
    columns: Mapping[str, Mapping[str, Any]],
    fields: Mapping[str, Mapping[str, Any]],
    *,
    let: Mapping[str, Any] = _NOTHING,
    ignore_when: Any = None,  # noqa: ANN401 - an expression as JSON has it
    tables: Mapping[str, Any] = _NOTHING,
    pointer: str = "",
) -> Compiled:
    """Check and compile the fields of a file layout; raises ``RuleRefused`` with every fault found.

    ``columns`` are the inputs, text unless said; in a nullable one the empty text is null. ``fields`` are the outputs.
    A row for which ``ignore_when`` holds is decided as None. Pointers start with ``pointer``, followed by ``columns``,
    ``fields``, ``let``, ``ignore_when`` or ``tables``.
    """
    from chalicelib.language.build import Parts, build

    report = Report()
    parts = {"columns": columns, "fields": fields, "let": let, "ignore_when": ignore_when, "tables": tables}
    examine(parts, pointer, report)
    keys = Keys(parts, pointer, report, tuple(parts))
    inputs = _inputs(keys.mapping("columns"), at(pointer, "columns"), report, column=True)
    if not keys.mapping("fields"):
        keys.wrong("fields", "the fields that a row gives")
    built = build(
        Parts(
            pointer=pointer,
            inputs=inputs,
            outputs=keys.mapping("fields"),
            undeclared=frozenset(keys.mapping("columns").keys() - inputs.keys()),
            outputs_key="fields",
            let=keys.mapping("let"),
            tables=keys.mapping("tables"),
            condition=ignore_when,
            condition_key="ignore_when",
            holds=False,
        ),
        report,
    )
    report.refuse_if_any()
    return _compiled(built, inputs, {}, origin=Origin(at(pointer, "columns"), shown_by_cases=False))


def compile_expression(
    expr: Any,  # noqa: ANN401 - an expression as JSON has it
    inputs: Mapping[str, Mapping[str, Any]],
    *,
    result: str,
    pointer: str = "",
) -> Callable[[Mapping[str, Value], date], Value]:
    """Check and compile one expression whose value has type ``result`` and is never null.

    Raises ``RuleRefused``; the function raises ``DecisionRefused`` for a record without an answer. Pointers into the
    expression start with ``pointer``, pointers into ``inputs`` with ``pointer`` and ``inputs``.
    """
    from chalicelib.language.build import Parts, build

    report = Report()
    examine(expr, pointer, report)
    examine(inputs, at(pointer, "inputs"), report)
    declared = _inputs(inputs, at(pointer, "inputs"), report, column=False)
    output: dict[str, Any] = {"type": result, "expr": expr}
    if result == "decimal":
        # A bare expression is not an amount: it keeps its digits as far as any scale goes.
        output |= {"scale": 12, "rounding": "half_even"}
    undeclared = frozenset(inputs.keys() - declared.keys())
    parts = Parts(pointer=pointer, inputs=declared, outputs={_RESULT: output}, undeclared=undeclared)
    built = build(parts, report)
    if built.code_tables:
        expected = "no look-ups: a single expression has no code tables"
        found = ", ".join(sorted(built.code_tables))
        report.add(pointer, "unknown_table", "look-ups are not possible here", expected=expected, found=found)
    report.relocate(at(pointer, "outputs", _RESULT, "expr"), pointer)
    report.refuse_if_any()
    compiled = _compiled(built, declared, {})

    def evaluate(facts: Mapping[str, Value], as_of: date) -> Value:
        decided = compiled.decide(facts, as_of=as_of)
        return None if decided is None else decided[_RESULT]

    return evaluate


def _inputs(raw: Mapping[str, Any], pointer: str, report: Report, *, column: bool) -> dict[str, Declared]:
    found = {name: declared_input(one, at(pointer, name), report, column=column) for name, one in raw.items()}
    return {name: declared for name, declared in found.items() if declared is not None}


def _compiled(
    built: "Built",
    inputs: Mapping[str, Declared],
    aggregates: Mapping[str, Aggregate],
    cases: tuple[Any, ...] = (),
    origin: Origin = _RULESET,
) -> Compiled:
    from chalicelib.language.tree import facts_read

    program = built.program
    outputs = {
        name: declared.reading(
            tuple(fact for fact in facts_read(program.outputs[name], program.shared) if fact in inputs)
        )
        for name, declared in built.outputs.items()
    }
    return Compiled(
        program,
        inputs=inputs,
        outputs=outputs,
        aggregates=aggregates,
        code_tables=built.code_tables,
        cases=cases,
        origin=origin,
    )


def _check_outputs(kind: str | None, outputs: Mapping[str, Any], report: Report) -> None:
    for name in (REFUSED, APPLIES):
        if name in outputs:
            where = at("/outputs", name)
            expected = "another name: cases use this one"
            report.add(where, "name_taken", "an output may not have this name", expected=expected, found=name)
    decides = DECIDES.get(kind or "")
    if decides is None or not outputs:
        return
    declared = outputs.get(decides.output)
    found = declared if isinstance(declared, Mapping) else {}
    if found.get("type") not in decides.types or (found.get("nullable", False) and kind != "accrual"):
        report.add(
            at("/outputs", decides.output),
            "no_points" if kind == "accrual" else "no_decision",
            f"a rule of kind {kind} decides `{decides.output}`: {decides.meaning}",
            expected=f"an output `{decides.output}` of type {' or '.join(decides.types)}, never null",
            found="none" if declared is None else "another type",
        )
    elif kind == "validation" and not _codes(found.get("items")):
        report.add(
            at("/outputs", decides.output, "items"),
            "no_decision",
            "violations are codes",
            expected='items of type string or enum, like {"type": "enum", "values": ["too_many_hours"]}',
            found="another type",
        )


def _codes(items: object) -> bool:
    return isinstance(items, Mapping) and items.get("type") in ("string", "enum") and not items.get("nullable", False)


def _check_metadata(keys: Keys) -> None:
    for name in ("id", "owner", "why", "title", "description", "program", "partner", "target", "entity"):
        shared = name == "partner" and keys.raw.get(name) is None
        if name in keys.raw and not shared and not isinstance(keys.raw[name], str):
            keys.wrong(name, "text")


def _effective(keys: Keys) -> tuple[date | None, date | None]:
    """The first and the last day on which the document may decide; both belong to them, and may be one day."""
    if "effective" not in keys.raw:
        return None, None
    period = Keys(keys.raw["effective"], "/effective", keys.report, ("from", "to"))
    bounds: dict[str, date] = {}
    for name in ("from", "to"):
        written = period.raw.get(name)
        if written is None:
            continue
        try:
            bounds[name] = iso_date(written if isinstance(written, str) else "")
        except Refusal as refusal:
            period.wrong(name, f"a date like 2026-10-01 or null ({refusal.message})")
    if len(bounds) == 2 and bounds["from"] > bounds["to"]:
        period.wrong("to", "a date that is not before `from`")
    return bounds.get("from"), bounds.get("to")
