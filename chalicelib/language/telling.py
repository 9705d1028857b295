"""An evaluation in plain words: ``hours 100 - used 20 (table tier row 2: tenure_months 24 in [24,60))``."""

from collections.abc import Iterable
from typing import Any

from chalicelib.language.faults import clip
from chalicelib.language.intervals import Anything
from chalicelib.language.places import HIT
from chalicelib.language.recording import Recording
from chalicelib.language.tables import Table
from chalicelib.language.tree import (
    Apply,
    Choice,
    Const,
    Either,
    Every,
    Fact,
    FirstValue,
    Form,
    Lookup,
    Node,
    Program,
    Shared,
    children,
)
from chalicelib.language.wording import cell_words, passed_through, symbol, value_words, words

SENTENCE_CHARACTERS_MAX = 2_000
_DEPTH_MAX = 12
# Of the conditions that did not hold, before what is given otherwise.
_REASONS_MAX = 6
_OPPOSITES = {"==": "!=", "!=": "==", "<": ">=", ">=": "<", ">": "<=", "<=": ">", "in": "not in"}


class Teller:
    """Tells one recorded evaluation; what a definition is, it tells once."""

    def __init__(self, program: Program, recording: Recording) -> None:
        self._program = program
        self._values: dict[int, Any] = {}
        self._chosen: dict[int, list[Any]] = {}
        self._told: set[str] = set()
        for met in recording.met():
            self._values.update({key: found[-1] for key, (_, found) in met.values.items()})
            for key, choice in met.chosen:
                self._chosen.setdefault(key, []).append(choice)

    def condition(self, *, applies: bool) -> str:
        """Why the rule applies, or not."""
        node = self._program.condition
        if node is None or id(node) not in self._values:
            return ""
        how = "applies" if applies else "does not apply"
        return clip(f"The rule {how}: {self._why(node, _DEPTH_MAX)}.", SENTENCE_CHARACTERS_MAX)

    def output(self, name: str) -> str:
        """How an output came to its value."""
        node = self._program.outputs[name]
        value = shown = value_words(self._values.get(id(node)))
        if isinstance(node, Apply) and node.function.form is Form.FIXED:
            [node] = node.arguments
            exact = self._values.get(id(node))
            if value_words(exact) != value and exact != self._values.get(id(self._program.outputs[name])):
                shown = f"{value}, rounded from {value_words(exact)}"
        how = self._tell(node, _DEPTH_MAX)
        title = name[:1].upper() + name[1:] if name.isascii() and name.islower() else name
        return clip(f"{title} {shown}." if how == value else f"{title} {shown}: {how}.", SENTENCE_CHARACTERS_MAX)

    def _why(self, node: Node, depth: int) -> str:  # noqa: PLR0911 - one return for each construct
        """A condition that was tested, told by the parts that settled it."""
        held = self._values.get(id(node))
        match node:
            case Every(arguments=parts) | Either(arguments=parts):
                tested = [part for part in parts if id(part) in self._values]
                # A true `and` is due to all its parts, a false one to the part that was false.
                decisive = [part for part in tested if self._values[id(part)] is held]
                return " and ".join(self._why(part, depth - 1) for part in decisive)
            case Apply(function=function, arguments=(argument,)) if function.form is Form.NOT:
                return self._why(argument, depth - 1)
            case Shared(name=name) if depth > 0:
                definition = self._program.shared[name]
                if name not in self._told and id(definition) in self._values:
                    self._told.add(name)
                    return f"{'' if held else 'not '}{name} ({self._why(definition, depth - 1)})"
                return f"{'' if held else 'not '}{name}"
            case Apply(function=function) if function.form in {Form.COMPARE, Form.CONTAINED} and depth > 0:
                return self._tested(node, depth, held=bool(held))
            case Apply(function=function, arguments=(argument,)) if function.form is Form.IS_NULL:
                return f"{words(argument)} is null" if held else self._tell(argument, depth - 1)
        return words(node) if held else f"{words(node)} does not hold"

    def _tested(self, node: Apply, depth: int, *, held: bool) -> str:
        """A comparison with the values that were compared: as it is, so that a false one reads true."""
        name = node.function.symbol or "in"
        if held or name in _OPPOSITES:
            name = name if held else _OPPOSITES[name]
            if name == "==" and isinstance(node.arguments[1], Const):
                return f"{words(node.arguments[0])} is {value_words(node.arguments[1].value)}"
            if len(node.arguments) == 2 or held:
                return self._joined(node.arguments, symbol(name), depth)
        return f"{self._joined(node.arguments, symbol(name), depth)} does not hold"

    def _tell(self, node: Node, depth: int) -> str:  # noqa: C901, PLR0911 - one return for each construct
        value = self._values.get(id(node))
        if depth <= 0:
            return value_words(value)
        match node:
            case Const():
                return value_words(node.value)
            case Fact(name=name):
                return f"{name} {value_words(value)}"
            case Shared(name=name):
                return self._shared(name, value, depth)
            case Choice():
                return self._choice(node, depth)
            case FirstValue(arguments=parts):
                chosen = max(self._numbers(node), default=0)
                told = self._tell(parts[chosen], depth) if not chosen else self._grouped(parts[chosen], depth)
                return f"{told} in place of {words(parts[chosen - 1])}" if chosen else told
            case Lookup(table=table, key=key):
                if False in self._chosen.get(id(node), ()):
                    return f"{value_words(value)} because {table} does not have {self._tell(key, depth - 1)}"
                return f"{value_words(value)} ({table}: {self._tell(key, depth - 1)})"
            case Every() | Either():
                return f"{value_words(value)} because {self._why(node, depth - 1)}"
            case Apply():
                return self._applied(node, value, depth)
        return value_words(value) if not children(node) else f"{words(node)} = {value_words(value)}"

    def _shared(self, name: str, value: object, depth: int) -> str:
        shown = f"{name} {value_words(value)}"
        definition = self._program.shared[name]
        if name in self._told:
            return shown
        self._told.add(name)
        how = self._tell(definition, depth - 1)
        return shown if how in {shown, value_words(value)} else f"{shown} ({how})"

    def _choice(self, node: Choice, depth: int) -> str:
        chosen = min(self._numbers(node), default=len(node.arms))
        if chosen < len(node.arms):
            condition, branch = node.arms[chosen]
            return f"{self._tell(branch, depth)}, because {self._why(condition, depth - 1)}"
        reasons = [self._why(condition, depth - 1) for condition, _ in node.arms]
        more = f" and {len(reasons) - _REASONS_MAX} more do not hold" if len(reasons) > _REASONS_MAX else ""
        return f"{self._tell(node.otherwise, depth)}, because {' and '.join(reasons[:_REASONS_MAX])}{more}"

    def _applied(self, node: Apply, value: object, depth: int) -> str:  # noqa: PLR0911 - one return for each form
        function, arguments = node.function, node.arguments
        match function.form:
            case Form.COMPARE | Form.CONTAINED | Form.NOT | Form.IS_NULL:
                return f"{value_words(value)} because {self._why(node, depth - 1)}"
            case Form.FIXED | Form.SHAPED:
                return self._tell(arguments[0], depth)
            case Form.SUBSCRIPT if isinstance(arguments[0], Shared) and arguments[0].name.startswith(HIT):
                return self._cell(arguments[0].name, arguments[1], value, depth)
            case Form.SUBSCRIPT:
                return f"{words(node)} {value_words(value)}"
            case Form.FOLD:
                return self._joined(arguments, symbol(function.name), depth)
        if passed_through(node):
            return self._tell(arguments[0], depth)
        if function.name in {"min", "max"} and len(arguments) == 2:
            return self._capped(node, value, depth)
        told = ", ".join(self._tell(argument, depth - 1) for argument in arguments)
        return f"{function.name}({told}) = {value_words(value)}"

    def _capped(self, node: Apply, value: object, depth: int) -> str:
        """``a, at most b``, or ``b instead of a``."""
        first, second = node.arguments
        if isinstance(first, Const):
            first, second = second, first
        least = "at most" if node.function.name == "min" else "at least"
        told, limit = self._grouped(first, depth, formulas=True), self._grouped(second, depth - 1)
        if self._values.get(id(first)) == value:
            return f"{told}, {least} {limit}"
        return f"{told} = {value_words(self._values.get(id(first)))}, but {least} {limit}"

    def _cell(self, name: str, key: Node, value: object, depth: int) -> str:
        definition = self._program.shared[name]
        table = definition.function.data if isinstance(definition, Apply) else None
        if not isinstance(table, Table) or not isinstance(key, Const):
            return value_words(value)
        column = next((one for one, (place, _) in table.columns.items() if place == key.value), "")
        rows = sorted(self._numbers(definition))
        if name in self._told or len(rows) != 1:
            numbers = ", ".join(str(row + 1) for row in rows) or "none"
            return f"{column} {value_words(value)} (table {table.name} row {numbers})"
        self._told.add(name)
        tested = ", ".join(
            f"{self._tell(node, depth - 1)} in {cell_words(cell)}"
            for node, cell in zip(table.inputs, table.rows[rows[0]], strict=True)
            if not isinstance(cell, Anything)
        )
        why = f": {tested}" if tested else ""
        return f"{column} {value_words(value)} (table {table.name} row {rows[0] + 1}{why})"

    def _joined(self, parts: Iterable[Node], between: str, depth: int) -> str:
        return f" {between} ".join(self._grouped(part, depth - 1) for part in parts)

    def _grouped(self, node: Node, depth: int, *, formulas: bool = False) -> str:
        """A part, in brackets unless it ends where it seems to; ``formulas`` may stand without."""
        bare = node
        while isinstance(bare, Apply) and passed_through(bare):
            [bare, *_] = bare.arguments
        told = self._tell(node, depth)
        return told if _ends(bare) or (formulas and _is_formula(bare)) else f"({told})"

    def _numbers(self, node: Node) -> list[int]:
        """The numbers of the ways that a node went."""
        return [one for one in self._chosen.get(id(node), ()) if isinstance(one, int) and not isinstance(one, bool)]


def _is_formula(node: Node) -> bool:
    return isinstance(node, Apply) and node.function.form is Form.FOLD


def _ends(node: Node) -> bool:
    """Whether what is told of it is one word, or ends with a bracket of its own."""
    if isinstance(node, Apply):
        return node.function.form is Form.SUBSCRIPT
    return isinstance(node, Const | Fact | Shared) or not children(node)
