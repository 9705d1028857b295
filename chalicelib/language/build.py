"""A document's parts -> a checked program: names, order, types, outputs brought to their declared form."""

from collections.abc import Mapping
from dataclasses import field
from typing import Any

from chalicelib.language.bounds import ALL_TABLE_ROWS_MAX
from chalicelib.language.check import Checker
from chalicelib.language.declarations import declared_output
from chalicelib.language.declared import Declared, DeclaredOutput
from chalicelib.language.faults import Report, RuleRefused, at, clip, shown
from chalicelib.language.kinds import DATE, DECIMAL, UNKNOWN, Kind, Type
from chalicelib.language.narrow import proves
from chalicelib.language.operators import GRAMMAR, OPERATORS
from chalicelib.language.order import dependency_order
from chalicelib.language.outputs import brought_to
from chalicelib.language.parse import Tree, expression, references
from chalicelib.language.places import HIT, NOTHING
from chalicelib.language.tables import table
from chalicelib.language.tree import (
    AS_OF,
    Apply,
    Fact,
    FactUse,
    Form,
    Function,
    Node,
    Program,
    walk,
)
from chalicelib.records import dataclass


@dataclass(frozen=True, slots=True)
class Parts:
    """What a document of any kind comes down to. The pointers say where each part stands in it."""

    pointer: str
    inputs: Mapping[str, Declared]
    outputs: Mapping[str, Any]
    # Inputs whose declarations are wrong, which was reported: who uses them is not to blame.
    undeclared: frozenset[str] = frozenset()
    outputs_key: str = "outputs"
    aggregates: frozenset[str] = frozenset()
    let: Mapping[str, Any] = field(default_factory=dict)
    tables: Mapping[str, Any] = field(default_factory=dict)
    condition: Any = None
    condition_key: str = "when"
    # The program applies when the condition evaluates to this.
    holds: bool = True


@dataclass(frozen=True, slots=True)
class Built:
    """A checked program and what it declares."""

    program: Program
    outputs: Mapping[str, DeclaredOutput]
    code_tables: frozenset[str]


def build(parts: Parts, report: Report) -> Built:
    """Check every part; faults go to ``report``, and with one the result is not to be used."""
    _check_names(parts, report)
    facts = {name: declared.of for name, declared in parts.inputs.items()}
    facts |= dict.fromkeys(parts.undeclared, UNKNOWN)
    facts |= dict.fromkeys(parts.aggregates, DECIMAL)
    facts[AS_OF] = DATE
    checker = Checker(report, OPERATORS, facts)
    _define(parts, checker)
    condition = None
    narrowed = NOTHING
    if parts.condition is not None:
        tree = expression(parts.condition, at(parts.pointer, parts.condition_key), GRAMMAR, report)
        condition = checker.value(tree, NOTHING, Kind.BOOLEAN)
        narrowed = proves(condition, checker.shared, holds=parts.holds)
    outputs: dict[str, DeclaredOutput] = {}
    nodes: dict[str, Node] = {}
    for name, raw in parts.outputs.items():
        pointer = at(parts.pointer, parts.outputs_key, name)
        declared = declared_output(raw, pointer, report)
        if isinstance(raw, Mapping) and "expr" in raw:
            node = checker.node(expression(raw["expr"], at(pointer, "expr"), GRAMMAR, report), narrowed)
            if declared is not None:
                outputs[name] = declared
                nodes[name] = brought_to(declared, node, checker)
    shared = {name: node for name, node in checker.shared.items() if node is not None}
    program = Program(
        facts=_facts_used(parts, [*shared.values(), *nodes.values(), *([condition] if condition else [])]),
        shared=shared,
        condition=condition,
        outputs=nodes,
        holds=parts.holds,
    )
    return Built(program, outputs, frozenset(checker.code_tables))


def _check_names(parts: Parts, report: Report) -> None:
    """Every name stands for one thing, and can be shown."""
    seen: dict[str, str] = {AS_OF: "the date of the decision"}
    named = (
        ("inputs", parts.inputs),
        ("aggregates", parts.aggregates),
        ("let", parts.let),
    )
    for key, names in named:
        for name in names:
            if name in seen:
                message = f"the name {clip(name)} already stands for {seen[name]}"
                where = at(parts.pointer, key, name)
                report.add(where, "name_taken", message, expected="a name of its own", found=clip(name))
            seen[name] = f"one of the {key}"
    for key, names in (*named, ("tables", parts.tables), (parts.outputs_key, parts.outputs)):
        for name in names:
            if not name or not name.isprintable():
                where = at(parts.pointer, key, name)
                report.add(where, "bad_name", "not a name", expected="printable characters", found=shown(name))


def _define(parts: Parts, checker: Checker) -> None:
    """Check ``let`` and tables, each after what it needs."""
    report = checker.report
    trees: dict[str, Tree] = {}
    needs: dict[str, set[str]] = {}
    pointers: dict[str, str] = {}
    for name, raw in parts.let.items():
        if not name.isprintable():
            # It was noted as no name; rows of tables are kept under such names.
            continue
        pointers[name] = at(parts.pointer, "let", name)
        trees[name] = expression(raw, pointers[name], GRAMMAR, report)
        variables, tables = references(trees[name])
        needs[name] = {*_roots(variables), *(HIT + one for one in tables)}
    for name, raw in parts.tables.items():
        pointers[HIT + name] = at(parts.pointer, "tables", name)
        inputs = raw.get("in", ()) if isinstance(raw, Mapping) else ()
        texts = {one for one in inputs if isinstance(one, str)} if isinstance(inputs, list | tuple) else set()
        needs[HIT + name] = _roots(texts)
    rows = sum(len(raw["rows"]) for raw in parts.tables.values() if _has_rows(raw))
    if rows > ALL_TABLE_ROWS_MAX:
        expected = f"at most {ALL_TABLE_ROWS_MAX} rows in all tables"
        report.add(at(parts.pointer, "tables"), "too_large", "too many rows", expected=expected, found=str(rows))
        raise RuleRefused(report.faults)
    # Every name is known before any is checked, so that the users of a wrong one are not blamed for it.
    order = dependency_order(needs, pointers, report)
    checker.tables.update(dict.fromkeys(parts.tables))
    undefined = [name for name in needs if name not in order]
    checker.shared.update(dict.fromkeys([*undefined, *order]))
    for name in order:
        if not name.startswith(HIT):
            node = checker.node(trees[name], NOTHING)
            checker.shared[name] = None if node.type.kind is Kind.UNKNOWN else node
            continue
        found = table(name.removeprefix(HIT), parts.tables[name.removeprefix(HIT)], pointers[name], checker)
        if found is not None:
            checker.tables[found.name] = found.columns
            function = Function("table", found.match, Form.TABLE, data=found)
            checker.shared[name] = Apply(pointers[name], Type(Kind.LIST), function, found.inputs)
    # A dict keeps the place of a key's first insertion: bring the definitions into dependency order.
    ordered = {name: checker.shared[name] for name in order}
    checker.shared.clear()
    checker.shared.update(ordered | dict.fromkeys(undefined))


def _has_rows(raw: object) -> bool:
    return isinstance(raw, Mapping) and isinstance(raw.get("rows"), list | tuple)


def _roots(names: set[str]) -> set[str]:
    """The names and, for paths into objects, their first parts."""
    return {part for name in names for part in (name, name.partition(".")[0])}


def _facts_used(parts: Parts, nodes: list[Node]) -> dict[str, FactUse]:
    used = {part.name: None for node in nodes for part in walk(node) if isinstance(part, Fact) and part.name != AS_OF}
    facts: dict[str, FactUse] = {}
    for name in used:
        declared = parts.inputs.get(name)
        facts[name] = (
            FactUse()
            if declared is None
            else FactUse(
                nullable=declared.nullable,
                optional=not declared.required,
                empty_is_null=declared.empty_is_null and declared.of.kind is Kind.STRING,
                personal=declared.personal,
            )
        )
    return facts
