"""Lists and objects that a rule did not build itself, brought to the form that an output declares, value by value.

The result shares nothing with the record or the rule, so the caller may change it. What a rule names may share parts,
so a small rule could spell out an endless payload: every value is paid for from the decision's budget.
"""

from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from chalicelib.language.budget import Budget, given, spend
from chalicelib.language.conversions import conversion
from chalicelib.language.declared import DeclaredOutput
from chalicelib.language.faults import Refusal, at, shown
from chalicelib.language.kinds import NUMBERS, Kind, Type
from chalicelib.language.rounding import arithmetic_refusal, quantizer, unit, zero
from chalicelib.language.tree import Apply, Form, Function, Node

if TYPE_CHECKING:
    from chalicelib.language.check import Checker

#: Declared texts that a refusal names; the others are counted.
_VALUES_SHOWN = 12

# A value that is not null -> its declared form.
Shape = Callable[[Any, Budget], Any]


class _Misfit(Exception):
    """A part has no declared form; ``path`` leads to it from the output, the last key first."""

    def __init__(self, refusal: Refusal) -> None:
        super().__init__()
        self.refusal = refusal
        self.path: list[str | int] = []


def shaped(declared: DeclaredOutput, node: Node, checker: "Checker") -> Node:
    """``node``, a list or an object, in its declared form; faults where the types do not fit."""
    before = len(checker.report.faults)
    shape = _Shaper(node.pointer, checker).shape(declared, node.type.without_null())
    if len(checker.report.faults) > before:
        return node

    def call(value: Any, budget: Budget) -> Any:  # noqa: ANN401 - a list, an object or null
        if value is None:
            return None
        try:
            return shape(value, budget)
        except _Misfit as misfit:
            where = at("", *reversed(misfit.path)).removeprefix("/")
            raise Refusal(misfit.refusal.code, f"{where}: {misfit.refusal.message}") from None

    return Apply(node.pointer, node.type, Function("shaped", call, Form.SHAPED), (node,))


class _Shaper:
    """Makes the conversions for one expression; faults are noted at its ``pointer``."""

    def __init__(self, pointer: str, checker: "Checker") -> None:
        self.pointer = pointer
        self.checker = checker

    def shape(self, declared: DeclaredOutput, kind: Type) -> Shape:  # noqa: PLR0911 - one return for each type
        """The conversion to ``declared`` of values of type ``kind``, null apart."""
        if kind.nullable and not declared.nullable and not declared.omit_null:
            self.checker.report.add(
                self.pointer,
                "may_be_null",
                f"a part may be null where {declared.words} is declared",
                expected=f"{declared.words}, never null",
                found=kind.words,
                suggestion='declare the part with "nullable": true or "omit_null": true',
            )
        if kind.kind in {Kind.NULL, Kind.UNKNOWN}:
            return _same
        match declared.type:
            case "list" if kind.kind is Kind.LIST:
                return self.list(declared, kind)
            case "object" if kind.kind is Kind.OBJECT:
                return self.object(declared, kind)
            case "decimal" if kind.kind in NUMBERS:
                return _decimal(declared)
            case "integer" if kind.kind is Kind.DECIMAL and declared.rounding is not None:
                return _integer(declared)
            case "enum" if kind.kind is Kind.STRING:
                return self.enum(declared, kind)
            case "string" if kind.kind is Kind.STRING:
                return _text
            case "integer" | "boolean" | "date" if kind.kind is Kind(declared.type):
                return _same
        self.checker.report.add(
            self.pointer,
            "wrong_type",
            f"expected {declared.words}, found {kind.words}",
            expected=declared.words,
            found=kind.words,
            suggestion=conversion(kind.kind, (Kind.STRING if declared.type == "enum" else Kind(declared.type),)),
        )
        return _same

    def enum(self, declared: DeclaredOutput, kind: Type) -> Shape:
        """One of the declared texts."""
        values = frozenset(declared.values)
        for value in kind.values or ():
            if value not in values:
                self.checker.report.add(
                    self.pointer,
                    "not_in_values",
                    f"{shown(value)} is not a value of the output",
                    expected="one of " + ", ".join(declared.values),
                    found=shown(value),
                    misspelt=(value, declared.values),
                )

        told = none_of(tuple(declared.values))

        def shape(text: str, budget: Budget) -> str:
            spend(budget, 1)
            if text not in values:
                raise _Misfit(Refusal("not_in_values", told))
            return text

        return shape

    def list(self, declared: DeclaredOutput, kind: Type) -> Shape:
        """A list of the same items, each in its form."""
        if kind.item is None or declared.items is None:
            return _nothing
        item = self.shape(declared.items, kind.item)

        def shape(values: list[Any], budget: Budget) -> list[Any]:
            spend(budget, 1)
            found: list[Any] = []
            try:
                for value in values:
                    found.append(None if value is None else item(value, budget))  # noqa: PERF401 - it says which failed
            except _Misfit as misfit:
                misfit.path.append(len(found))
                raise
            return found

        return shape

    def object(self, declared: DeclaredOutput, kind: Type) -> Shape:
        """An object of the declared fields, each in its form."""
        fields, found = declared.fields or {}, kind.fields or {}
        for name in found:
            if name not in fields:
                self.checker.report.unknown(self.pointer, "field", name, fields)
        for name in fields:
            if name not in found:
                self.checker.report.add(
                    self.pointer,
                    "missing_field",
                    f"the output declares a field `{name}` that is not there",
                    expected=f"a field {name}",
                    found="an object without it",
                )
        return _object(
            [(name, one.omit_null, self.shape(one, found[name])) for name, one in fields.items() if name in found]
        )


def _object(shapes: list[tuple[str, bool, Shape]]) -> Shape:
    def shape(value: Mapping[str, Any], budget: Budget) -> dict[str, Any]:
        spend(budget, 1)
        found: dict[str, Any] = {}
        name = ""
        try:
            for name, omitted, of in shapes:
                part = value[name]
                if part is not None:
                    found[name] = of(part, budget)
                elif not omitted:
                    found[name] = None
        except _Misfit as misfit:
            misfit.path.append(name)
            raise
        return found

    return shape


def _same(value: Any, budget: Budget) -> Any:  # noqa: ANN401 - any scalar
    spend(budget, 1)
    return value


def _nothing(_: list[Any], budget: Budget) -> list[Any]:
    spend(budget, 1)
    return []


def _text(text: str, budget: Budget) -> str | None:
    spend(budget, 1)
    return given(budget, text)


def _decimal(declared: DeclaredOutput) -> Shape:
    quantize, step, nought = quantizer(declared.rounding), unit(declared.scale or 0), zero(declared.scale or 0)

    def shape(number: Decimal | int, budget: Budget) -> Decimal:
        spend(budget, 1)
        try:
            return quantize(Decimal(number), step) or nought
        except ArithmeticError as error:
            raise _Misfit(arithmetic_refusal(error)) from None

    return shape


def _integer(declared: DeclaredOutput) -> Shape:
    rounded = _decimal(DeclaredOutput("decimal", scale=0, rounding=declared.rounding))

    def shape(number: Decimal, budget: Budget) -> int:
        whole = rounded(number, budget)
        if whole.adjusted() >= 18:
            raise _Misfit(Refusal("number_too_large", "an integer has more than 18 digits"))
        return int(whole)

    return shape


def none_of(values: tuple[str, ...]) -> str:
    """What is said of a text that is not among the declared ones: which there are, as far as they can be read."""
    more = "" if len(values) <= _VALUES_SHOWN else f" or {len(values) - _VALUES_SHOWN} others"
    return f"the text is none of {', '.join(shown(value) for value in values[:_VALUES_SHOWN])}{more}"
