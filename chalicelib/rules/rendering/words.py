"""Expressions in plain words: ``status is “ACTIVE” and tenure months is at least 6``.

Words are made of what the author wrote, not of what the compiler made of it, so that they name the same operators in
the same order. They hold for a document that does not compile any more, too.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Final

from chalicelib.language.faults import Report
from chalicelib.language.operators import GRAMMAR
from chalicelib.language.parse import Call, Fields, Items, Literal, Tree, expression
from chalicelib.rules.rendering.phrases import interval, listed, literal, places, rounded

_AS_OF: Final = "as_of"
#: Inside what they need brackets: the higher holds its parts together more tightly.
_EITHER, _BOTH, _TEST, _SUM, _PRODUCT, _ONE = range(6)
_COMPARED: Final[Mapping[str, str]] = MappingProxyType(
    {"==": "is", "!=": "is not", "<": "is less than", "<=": "is at most", ">": "is more than", ">=": "is at least"}
)
_NOTHING = Literal("", None)


@dataclass(frozen=True, slots=True)
class Said:
    """Some words, and how tightly they hold together."""

    text: str
    level: int = _ONE


@dataclass(frozen=True, slots=True)
class Words:
    """Says expressions. ``names`` says what a name stands for where that reads better than the name itself."""

    names: Mapping[str, str] = field(default_factory=dict)

    def of(self, raw: object) -> str:
        """An expression as a document has it."""
        return self.tree(parsed(raw))

    def condition(self, raw: object) -> str:
        """An expression that holds or does not."""
        return self.held(parsed(raw)).text

    def tree(self, tree: Tree) -> str:
        """A parsed expression."""
        return self.said(tree).text

    def name(self, name: str) -> str:
        """What a name stands for, in words."""
        if name == "":
            return "the item"
        if name in self.names:
            return self.names[name]
        head, dot, rest = name.partition(".")
        if dot:
            owner = "its" if not head else f"{self.name(head)}’s"
            return f"{owner} {rest.replace('.', ' ').replace('_', ' ')}"
        known = {_AS_OF: "the day of the decision", "current": "the item", "accumulator": "the result so far"}
        return known.get(name, name.replace("_", " "))

    def said(self, tree: Tree) -> Said:
        """An expression, and whether it needs brackets inside another."""
        match tree:
            case Literal(value=value):
                return Said(literal(value))
            case Items(items=items):
                return Said(listed(self.tree(item) for item in items) or "an empty list")
            case Fields(entries=entries):
                return Said(listed(f"{name}: {self.inside(part, _SUM)}" for name, part in entries.items()))
            case Call(operator=operator) if operator in SAID:
                return SAID[operator](self, tree)
            case Call():
                told = ", ".join(self.tree(argument) for argument in tree.arguments)
                return Said(f"{tree.operator} of ({told})")
        return Said("something that is no expression")

    def inside(self, tree: Tree, level: int) -> str:
        """The words of a part, in brackets where they would fall apart."""
        said = self.said(tree)
        return said.text if said.level >= level else f"({said.text})"

    def held(self, tree: Tree, level: int = _EITHER) -> Said:
        """The words of what holds or does not: a plain name is said to be true."""
        said = self.said(tree)
        if isinstance(tree, Call) and tree.operator in {"var", "table"}:
            return Said(f"{said.text} is true", _TEST)
        if isinstance(tree, Literal) and isinstance(tree.value, bool):
            return Said("always" if tree.value else "never", _TEST)
        return said if said.level >= level else Said(f"({said.text})")

    def arguments(self, call: Call, level: int = _SUM) -> list[str]:
        """The words of all arguments."""
        return [self.inside(argument, level) for argument in call.arguments]


def parsed(raw: object) -> Tree:
    """An expression as the compiler reads it; what is none becomes a place that says so."""
    return expression(raw, "", GRAMMAR, Report(suggestions=0))


def miss(words: Words, call: Call) -> str:
    """What happens where nothing is found."""
    chosen = call.options.get("on_miss", _NOTHING)
    how = chosen.value if isinstance(chosen, Literal) else None
    if how == "default":
        return f", or {words.tree(call.options.get('default', _NOTHING))} where there is none"
    return {
        "null": ", or nothing where there is none",
        "quarantine": ", held back where there is none",
    }.get(str(how), "")


def _written(call: Call, place: int) -> str:
    """An argument that is written out, bare."""
    tree = call.arguments[place] if place < len(call.arguments) else _NOTHING
    return str(tree.value) if isinstance(tree, Literal) else "…"


def _var(words: Words, call: Call) -> Said:
    return Said(words.name(_written(call, 0)))


def _equal(words: Words, call: Call) -> Said:
    left, right = (*call.arguments, _NOTHING, _NOTHING)[:2]
    if isinstance(left, Literal):
        left, right = right, left
    if isinstance(right, Literal) and right.value is None:
        has = "has a value" if call.operator == "!=" else "has no value"
        return Said(f"{words.inside(left, _SUM)} {has}", _TEST)
    return Said(f"{words.inside(left, _SUM)} {_COMPARED[call.operator]} {words.inside(right, _SUM)}", _TEST)


def _ordered(words: Words, call: Call) -> Said:
    told = words.arguments(call)
    if len(told) == 3:
        low, middle, high = told if call.operator[0] == "<" else reversed(told)
        how = "and may be either" if call.operator.endswith("=") else "and is neither"
        return Said(f"{middle} lies between {low} and {high}, {how}", _TEST)
    return Said(f" {_COMPARED[call.operator]} ".join(told), _TEST)


def _joined(word: str, level: int) -> Callable[[Words, Call], Said]:
    def say(words: Words, call: Call) -> Said:
        if len(call.arguments) == 1:
            return words.held(call.arguments[0])
        return Said(f" {word} ".join(words.held(part, level + 1).text for part in call.arguments), level)

    return say


def _not(words: Words, call: Call) -> Said:
    part = call.arguments[0] if call.arguments else _NOTHING
    if isinstance(part, Call) and part.operator == "var":
        return Said(f"{words.tree(part)} is false", _TEST)
    if isinstance(part, Call) and part.operator == "in" and _among(part):
        return Said(words.said(part).text.replace(" is one of ", " is none of ", 1), _TEST)
    return Said(f"it does not hold that {words.held(part, _TEST).text}", _TEST)


def _among(call: Call) -> bool:
    return len(call.arguments) == 2 and isinstance(call.arguments[1], Items)


def _if(words: Words, call: Call) -> Said:
    parts = call.arguments
    told = [
        f"{words.inside(value, _TEST)} if {words.held(test).text}"
        for test, value in zip(parts[:-1:2], parts[1::2], strict=False)
    ]
    return Said(f"{', '.join(told)}, otherwise {words.inside(parts[-1] if parts else _NOTHING, _TEST)}", _EITHER)


def _in(words: Words, call: Call) -> Said:
    item, container = (*call.arguments, _NOTHING, _NOTHING)[:2]
    if isinstance(container, Items):
        among = listed((words.tree(one) for one in container.items), "or")
        return Said(f"{words.inside(item, _SUM)} is one of {among or 'nothing'}", _TEST)
    return Said(f"{words.inside(item, _SUM)} is in {words.inside(container, _SUM)}", _TEST)


def _in_range(words: Words, call: Call) -> Said:
    item = call.arguments[0] if call.arguments else _NOTHING
    return Said(f"{words.inside(item, _SUM)} is {interval(_written(call, 1)) or _written(call, 1)}", _TEST)


def _coalesce(words: Words, call: Call) -> Said:
    told = words.arguments(call, _TEST)
    if len(told) == 2:
        return Said(f"{told[0]}, or {told[1]} if there is none", _EITHER)
    return Said(", or else ".join(told), _EITHER if len(told) > 1 else _ONE)


def _extreme(name: str, bound: str) -> Callable[[Words, Call], Said]:
    def say(words: Words, call: Call) -> Said:
        parts = call.arguments
        if len(parts) == 2 and isinstance(parts[0], Literal) is not isinstance(parts[1], Literal):
            part, limit = (parts[1], parts[0]) if isinstance(parts[0], Literal) else parts
            return Said(f"{words.inside(part, _SUM)}, {bound} {words.tree(limit)}", _EITHER)
        return Said(f"the {name} of {listed(words.arguments(call))}", _SUM)

    return say


def _minus(words: Words, call: Call) -> Said:
    if len(call.arguments) == 1:
        return Said(f"−{words.inside(call.arguments[0], _ONE)}", _PRODUCT)
    first, *others = call.arguments or (_NOTHING,)
    return Said(" − ".join([words.inside(first, _SUM), *(words.inside(one, _PRODUCT) for one in others)]), _SUM)


def _folded(mark: str, level: int, inner: int) -> Callable[[Words, Call], Said]:
    def say(words: Words, call: Call) -> Said:
        return Said(f" {mark} ".join(words.arguments(call, inner)), level)

    return say


def _phrase(pattern: str, level: int = _SUM) -> Callable[[Words, Call], Said]:
    """Says arguments by their places: ``{a}`` and ``{b}`` as expressions, ``{b_}`` written out, bare."""

    def say(words: Words, call: Call) -> Said:
        told = dict(zip("abc", (*words.arguments(call), "…", "…", "…"), strict=False))
        bare = {f"{name}_": _written(call, place) for place, name in enumerate("abc")}
        return Said(pattern.format_map({**told, **bare}), level)

    return say


def _round(words: Words, call: Call) -> Said:
    part = call.arguments[0] if call.arguments else _NOTHING
    return Said(f"{words.inside(part, _PRODUCT)} {rounded(_written(call, 2), _written(call, 1))}", _SUM)


def _missing(words: Words, call: Call) -> Said:
    names = [words.name(_written(call, place)) for place in range(len(call.arguments))]
    return Said(f"those of {listed(names)} that have no value")


def _missing_some(words: Words, call: Call) -> Said:
    listing = call.arguments[1] if len(call.arguments) > 1 else _NOTHING
    names = [str(one.value) for one in listing.items if isinstance(one, Literal)] if isinstance(listing, Items) else []
    told = listed(words.name(name) for name in names)
    return Said(f"those of {told} that have no value, if fewer than {_written(call, 0)} of them have one")


def _substr(words: Words, call: Call) -> Said:
    told = words.arguments(call)
    length = f", {told[2]} characters long" if len(told) > 2 else " on"
    return Said(f"the part of {told[0]} from character {told[1] if len(told) > 1 else '…'}{length}")


def _split(words: Words, call: Call) -> Said:
    text = words.inside(call.arguments[0] if call.arguments else _NOTHING, _SUM)
    if len(call.arguments) < 3:
        return Said(f"the parts of {text} between “{_written(call, 1)}”")
    return Said(f"part {_written(call, 2)} of {text}, split at “{_written(call, 1)}”{miss(words, call)}", _TEST)


def _parse_decimal(words: Words, call: Call) -> Said:
    marks = [
        f"{name.replace('_', ' ')} “{option.value}”"
        for name, option in call.options.items()
        if isinstance(option, Literal)
    ]
    told = f" ({listed(marks)})" if marks else ""
    return Said(f"{words.inside((*call.arguments, _NOTHING)[0], _SUM)} read as a number{told}", _SUM)


def _to_text(words: Words, call: Call) -> Said:
    told = f" with {places(_written(call, 1))}" if len(call.arguments) > 1 else ""
    return Said(f"{words.inside((*call.arguments, _NOTHING)[0], _SUM)} written as text{told}", _SUM)


def _loop(pattern: str, level: int) -> Callable[[Words, Call], Said]:
    def say(words: Words, call: Call) -> Said:
        source, body = (*call.arguments, _NOTHING, _NOTHING)[:2]
        told = words.held(body, _TEST).text if level == _TEST or "for which" in pattern else words.inside(body, _TEST)
        return Said(pattern.format(source=words.inside(source, _SUM), body=told), level)

    return say


def _reduce(words: Words, call: Call) -> Said:
    source, body, start = (*call.arguments, _NOTHING, _NOTHING, _NOTHING)[:3]
    told = f"{words.inside(body, _TEST)} for each item of {words.inside(source, _SUM)} in turn"
    return Said(f"{told}, beginning with {words.inside(start, _SUM)}", _EITHER)


def _sum(words: Words, call: Call) -> Said:
    part = call.arguments[0] if call.arguments else _NOTHING
    if isinstance(part, Call) and part.operator == "map" and len(part.arguments) == 2:
        source, body = part.arguments
        return Said(f"the sum of {words.inside(body, _SUM)} over the items of {words.inside(source, _SUM)}")
    return Said(f"the sum of {words.inside(part, _SUM)}")


def _object(words: Words, call: Call) -> Said:
    return Said(f"an object of {words.tree((*call.arguments, _NOTHING)[0])}", _TEST)


def _lookup(words: Words, call: Call) -> Said:
    key = words.inside(call.arguments[1] if len(call.arguments) > 1 else _NOTHING, _SUM)
    return Said(f"what code table {_written(call, 0)} says for {key}{miss(words, call)}", _TEST)


def _table(words: Words, call: Call) -> Said:
    return Said(f"{words.name(_written(call, 1))} of table {words.name(_written(call, 0))}")


#: How each operator of the language is said.
SAID: Final[Mapping[str, Callable[[Words, Call], Said]]] = MappingProxyType(
    {
        "var": _var,
        **dict.fromkeys(("==", "!="), _equal),
        **dict.fromkeys(("<", "<=", ">", ">="), _ordered),
        "and": _joined("and", _BOTH),
        "or": _joined("or", _EITHER),
        "!": _not,
        **dict.fromkeys(("if", "?:"), _if),
        "in": _in,
        "in_range": _in_range,
        "coalesce": _coalesce,
        "is_null": _phrase("{a} has no value", _TEST),
        "missing": _missing,
        "missing_some": _missing_some,
        "+": _folded("+", _SUM, _SUM),
        "-": _minus,
        "*": _folded("×", _PRODUCT, _PRODUCT),
        "/": _folded("÷", _PRODUCT, _ONE),
        "%": _phrase("the rest of {a} divided by {b}"),
        "min": _extreme("least", "at most"),
        "max": _extreme("greatest", "at least"),
        "abs": _phrase("{a} without its sign"),
        "round": _round,
        "allocate": _phrase("{a} shared out by {b}, to {c_} places"),
        "cat": lambda words, call: Said(f"the text {' followed by '.join(words.arguments(call))}", _SUM),
        "substr": _substr,
        "length": _phrase("the number of characters of {a}"),
        "trim": _phrase("{a} without blanks around it"),
        "upper": _phrase("{a} in upper case"),
        "lower": _phrase("{a} in lower case"),
        "normalize": _phrase("{a} in Unicode’s compatible form"),
        "replace": _phrase("{a} with “{b_}” replaced by “{c_}”"),
        "split": _split,
        "pad_left": _phrase("{a} filled on the left with “{c_}” to {b_} characters"),
        "parse_decimal": _parse_decimal,
        "parse_integer": _phrase("{a} read as a whole number"),
        "to_text": _to_text,
        "matches": _phrase("{a} has the form “{b_}”", _TEST),
        "parse_date": _phrase("{a} read as a date written {b_}"),
        "format_date": _phrase("{a} written {b_}"),
        "months_between": _phrase("the whole months from {a} to {b}"),
        "years_between": _phrase("the whole years from {a} to {b}"),
        "days_between": _phrase("the days from {a} to {b}"),
        "date_add": _phrase("{a} moved by {b} {c_}"),
        "start_of": _phrase("the first day of the {b_} of {a}"),
        "end_of": _phrase("the last day of the {b_} of {a}"),
        "map": _loop("for each item of {source}: {body}", _EITHER),
        "filter": _loop("the items of {source} for which {body}", _SUM),
        "reduce": _reduce,
        "all": _loop("{source} has items and for each of them {body}", _TEST),
        "some": _loop("for at least one item of {source}, {body}", _TEST),
        "none": _loop("for no item of {source}, {body}", _TEST),
        "merge": lambda words, call: Said(f"the items of {', then those of '.join(words.arguments(call))}", _SUM),
        "count": _phrase("the number of items of {a}"),
        "sum": _sum,
        "object": _object,
        "table": _table,
        "lookup": _lookup,
    }
)

Arms = Sequence[tuple[str, str]]


def arms(words: Words, raw: object) -> Arms | None:
    """An ``if`` as conditions and what each leads to, the last one "otherwise"; None for other expressions."""
    tree = parsed(raw)
    if not isinstance(tree, Call) or tree.operator not in {"if", "?:"} or len(tree.arguments) < 3:
        return None
    parts = tree.arguments
    told = [
        (f"if {words.held(test).text}", words.tree(value))
        for test, value in zip(parts[:-1:2], parts[1::2], strict=False)
    ]
    return [*told, ("otherwise", words.tree(parts[-1]))]
