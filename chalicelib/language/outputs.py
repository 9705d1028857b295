"""Expressions brought to the form that their output declares: type, scale and rounding, values, nulls left out.

An object or a list that the rule builds is brought to it part by part, where it is built, so that what it costs is the
rounding itself and a fault has the place of the part. What comes from elsewhere is shaped as a value (see ``shaping``).
"""

from dataclasses import replace
from decimal import Decimal

from chalicelib.language.check import Checker, wrong
from chalicelib.language.conversions import as_date, as_decimal
from chalicelib.language.declared import DeclaredOutput
from chalicelib.language.faults import Refusal, shown
from chalicelib.language.kinds import NUMBERS, Kind, list_of, object_of
from chalicelib.language.rounding import quantizer, unit, zero
from chalicelib.language.shaping import none_of, shaped
from chalicelib.language.tree import Apply, Built, Choice, Const, Form, Function, Loop, Node, Sequence, Way


def brought_to(declared: DeclaredOutput, node: Node, checker: Checker) -> Node:  # noqa: PLR0911 - one return for each type
    """``node`` in the declared form of the output: its type, scale, values and nullability."""
    if node.type.kind is Kind.UNKNOWN:
        return node
    if node.type.nullable and not declared.nullable and not declared.omit_null:
        other_way = 'declare the output with "nullable": true'
        return checker.may_be_null(node, f"an output of type {declared.type}", other_way)
    if node.type.kind is Kind.NULL:
        return node
    match declared.type:
        case "decimal":
            return _decimal(declared, node, checker)
        case "integer":
            return _integer(declared, node, checker)
        case "enum":
            return _enum(declared, node, checker)
        case "list":
            return _list(declared, node, checker)
        case "object":
            return _object(declared, node, checker)
    kind = Kind(declared.type)
    if kind is Kind.DATE:
        node = as_date(node)
    return node if node.type.kind is kind else checker.mismatch(node, kind)


def _list(  # noqa: PLR0911 - one return for each construct
    declared: DeclaredOutput, node: Node, checker: Checker
) -> Node:
    if node.type.kind is not Kind.LIST:
        return checker.mismatch(node, Kind.LIST)
    if declared.items is None or node.type.item is None:
        return node
    match node:
        case Loop(way=Way.MAP, body=body):
            body = brought_to(declared.items, body, checker)
            return replace(node, type=list_of(body.type), body=body, given=True)
        case Sequence(items=items):
            brought = tuple(brought_to(declared.items, item, checker) for item in items)
            return replace(node, type=list_of(brought[0].type), items=brought, given=True)
        case Const(value=list(values)) if values:
            written = tuple(Const(node.pointer, node.type.item, value) for value in values)
            return _list(declared, Sequence(node.pointer, node.type, written), checker)
        case Choice():
            return _branches(declared, node, checker)
    return shaped(declared, node, checker)


def _object(declared: DeclaredOutput, node: Node, checker: Checker) -> Node:
    match node:
        case Built():
            return _built(declared, node, checker)
        case Choice():
            return _branches(declared, node, checker)
    return shaped(declared, node, checker) if node.type.kind is Kind.OBJECT else checker.mismatch(node, Kind.OBJECT)


def _branches(declared: DeclaredOutput, node: Choice, checker: Checker) -> Node:
    # Whether a branch may be null was judged with the whole.
    nullable = replace(declared, nullable=True)
    arms = tuple((condition, brought_to(nullable, branch, checker)) for condition, branch in node.arms)
    return replace(node, arms=arms, otherwise=brought_to(nullable, node.otherwise, checker))


def _built(declared: DeclaredOutput, node: Built, checker: Checker) -> Node:
    fields = declared.fields or {}
    for name, part in node.fields.items():
        if name not in fields:
            checker.report.unknown(part.pointer, "field", name, fields)
    for name in fields:
        if name not in node.fields:
            checker.report.add(
                node.pointer,
                "missing_field",
                f"the output declares a field `{name}` that is not built",
                expected=f"a field {name}",
                found="an object without it",
            )
    brought = {name: brought_to(of, node.fields[name], checker) for name, of in fields.items() if name in node.fields}
    kind = object_of({name: part.type for name, part in brought.items()})
    omitted = tuple(
        name for name, of in fields.items() if of.omit_null and name in brought and brought[name].type.nullable
    )
    return replace(node, type=kind, fields=brought, omitted=omitted, given=True)


def _decimal(declared: DeclaredOutput, node: Node, checker: Checker) -> Node:
    if node.type.kind not in NUMBERS:
        return checker.mismatch(node, Kind.DECIMAL)
    return _fixed(as_decimal(node), declared.scale or 0, declared.rounding)


def _integer(declared: DeclaredOutput, node: Node, checker: Checker) -> Node:
    if node.type.kind is Kind.DECIMAL and declared.rounding is not None:
        rounded = _fixed(node, 0, declared.rounding)
        return Apply(node.pointer, replace(node.type, kind=Kind.INTEGER), _TO_INTEGER, (rounded,))
    return node if node.type.kind is Kind.INTEGER else checker.mismatch(node, Kind.INTEGER)


def _fixed(node: Node, scale: int, rounding: str | None) -> Node:
    quantize, step, nought = quantizer(rounding), unit(scale), zero(scale)

    def call(number: Decimal | None) -> Decimal | None:
        return None if number is None else quantize(number, step) or nought

    function = Function("fixed", call, Form.FIXED, data=(quantize, step, nought))
    return Apply(node.pointer, node.type, function, (node,))


def _enum(declared: DeclaredOutput, node: Node, checker: Checker) -> Node:
    if node.type.kind is not Kind.STRING:
        return checker.mismatch(node, Kind.STRING)
    if node.type.values is None:
        return Apply(node.pointer, replace(node.type, values=declared.values), _one_of(tuple(declared.values)), (node,))
    stray = [value for value in node.type.values if value not in declared.values]
    for value in stray:
        checker.report.add(
            node.pointer,
            "not_in_values",
            f"{shown(value)} is not a value of the output",
            expected="one of " + ", ".join(declared.values),
            found=shown(value),
            misspelt=(value, declared.values),
        )
    return wrong(node.pointer) if stray else node


def _one_of(values: tuple[str, ...]) -> Function:
    known, told = frozenset(values), none_of(values)

    def call(text: str | None) -> str | None:
        if text is None or text in known:
            return text
        raise Refusal("not_in_values", told)

    return Function("one_of", call)


def _to_integer(number: Decimal | None) -> int | None:
    if number is None:
        return None
    if number.adjusted() >= 18:
        raise Refusal("number_too_large", "an integer has more than 18 digits")
    return int(number)


_TO_INTEGER = Function("integer", _to_integer)
