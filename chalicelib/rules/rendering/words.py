"""Expressions in plain words: ``status is “ACTIVE” and tenure months is at least 6``.

Words are made of what the author wrote, not of what the compiler made of it, so that they name the same operators in
the same order. They hold for a document that does not compile any more, too. Expressions that differ in meaning have
different words: whatever could be read in two ways stands in brackets.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import field
from types import MappingProxyType
from typing import Final

from chalicelib.language.faults import Report
from chalicelib.language.operators import GRAMMAR
from chalicelib.language.parse import Call, Fields, Items, Literal, Tree, expression
from chalicelib.records import dataclass
from chalicelib.rules.rendering.phrases import interval, listed, rounded
from chalicelib.rules.rendering.said import BOTH, EITHER, LOOSE, ONE, PHRASE, PRODUCT, SUM, TEST, Said, constant, spaced
from chalicelib.rules.rendering.texts import NOTHING, SAID_OF_TEXTS, miss, phrase, written

__all__ = ["SAID", "Arms", "Said", "Words", "arms", "parsed"]

_AS_OF: Final = "as_of"
_COMPARED: Final[Mapping[str, str]] = MappingProxyType(
    {"==": "is", "!=": "is not", "<": "is less than", "<=": "is at most", ">": "is more than", ">=": "is at least"}
)


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
            inner = "’s ".join(map(spaced, rest.split(".")))
            return f"its {inner}" if not head else f"{self.name(head)}’s {inner}"
        known = {_AS_OF: "the day of the decision", "current": "the current item", "accumulator": "the result so far"}
        return known.get(name) or spaced(name)

    def said(self, tree: Tree) -> Said:
        """An expression, and whether it needs brackets inside another."""
        match tree:
            case Literal(value=value):
                return Said(constant(value))
            case Items(items=items):
                return Said(f"[{', '.join(self.inside(item, SUM) for item in items)}]")
            case Fields(entries=entries):
                return Said(f"({'; '.join(f'{spaced(name)}: {self.tree(part)}' for name, part in entries.items())})")
            case Call(operator=operator) if operator in SAID:
                return SAID[operator](self, tree)
            case Call():
                told = ", ".join(self.inside(argument, PHRASE) for argument in tree.arguments)
                return Said(f"{tree.operator} of ({told})")
        return Said("something that is no expression")

    def inside(self, tree: Tree, level: int) -> str:
        """The words of a part, in brackets where they would fall apart."""
        said = self.said(tree)
        return said.text if said.level >= level else f"({said.text})"

    def held(self, tree: Tree, level: int = LOOSE) -> Said:
        """The words of what holds or does not: a plain name is said to be true."""
        said = self.said(tree)
        if isinstance(tree, Call) and tree.operator in {"var", "table"}:
            return Said(f"{said.text} is true", TEST)
        if isinstance(tree, Literal) and isinstance(tree.value, bool):
            return Said("always" if tree.value else "never", TEST)
        return said if said.level >= level else Said(f"({said.text})")

    def arguments(self, call: Call, level: int = PRODUCT) -> list[str]:
        """The words of all arguments."""
        return [self.inside(argument, level) for argument in call.arguments]


def parsed(raw: object) -> Tree:
    """An expression as the compiler reads it; what is none becomes a place that says so."""
    return expression(raw, "", GRAMMAR, Report(suggestions=0))


def _var(words: Words, call: Call) -> Said:
    return Said(words.name(written(call, 0)))


def _equal(words: Words, call: Call) -> Said:
    left, right = (*call.arguments, NOTHING, NOTHING)[:2]
    if isinstance(left, Literal):
        left, right = right, left
    if isinstance(right, Literal) and right.value is None:
        has = "has a value" if call.operator == "!=" else "has no value"
        return Said(f"{words.inside(left, SUM)} {has}", TEST)
    return Said(f"{words.inside(left, SUM)} {_COMPARED[call.operator]} {words.inside(right, SUM)}", TEST)


def _ordered(words: Words, call: Call) -> Said:
    told = words.arguments(call, SUM)
    if len(told) == 3:
        low, middle, high = told if call.operator[0] == "<" else reversed(told)
        how = "and may be either" if call.operator.endswith("=") else "and is neither"
        return Said(f"{middle} lies between {low} and {high}, {how}", TEST)
    return Said(f" {_COMPARED[call.operator]} ".join(told), TEST)


def _joined(word: str, level: int) -> Callable[[Words, Call], Said]:
    def say(words: Words, call: Call) -> Said:
        if len(call.arguments) == 1:
            return words.held(call.arguments[0])
        return Said(f" {word} ".join(words.held(part, level + 1).text for part in call.arguments), level)

    return say


def _not(words: Words, call: Call) -> Said:
    part = call.arguments[0] if call.arguments else NOTHING
    if isinstance(part, Call) and part.operator == "var":
        return Said(f"{words.tree(part)} is false", TEST)
    if isinstance(part, Call) and part.operator == "in" and _among(part):
        return _in(words, part, "is none of")
    return Said(f"it does not hold that {words.held(part, ONE).text}", TEST)


def _among(call: Call) -> bool:
    return len(call.arguments) == 2 and isinstance(call.arguments[1], Items)


def _if(words: Words, call: Call) -> Said:
    parts = call.arguments
    told = [
        f"{words.inside(value, SUM)} if {words.held(test, EITHER).text}"
        for test, value in zip(parts[:-1:2], parts[1::2], strict=False)
    ]
    return Said(f"{', '.join(told)}, otherwise {words.inside(parts[-1] if parts else NOTHING, SUM)}", LOOSE)


def _in(words: Words, call: Call, among: str = "is one of") -> Said:
    item, container = (*call.arguments, NOTHING, NOTHING)[:2]
    if isinstance(container, Items):
        told = listed((words.inside(one, SUM) for one in container.items), "or")
        return Said(f"{words.inside(item, SUM)} {among} {told or 'no values'}", TEST)
    return Said(f"{words.inside(item, SUM)} is in {words.inside(container, SUM)}", TEST)


def _in_range(words: Words, call: Call) -> Said:
    item = call.arguments[0] if call.arguments else NOTHING
    told = interval(written(call, 1)) or written(call, 1)
    return Said(f"{words.inside(item, SUM)} is {told}", TEST)


def _coalesce(words: Words, call: Call) -> Said:
    told = words.arguments(call, SUM)
    if len(told) == 1:
        return Said(f"{told[0]}, whether there is one or not", LOOSE)
    if len(told) == 2:
        return Said(f"{told[0]}, or {told[1]} if there is none", LOOSE)
    return Said(", or else ".join(told), LOOSE)


def _extreme(name: str, bound: str) -> Callable[[Words, Call], Said]:
    def say(words: Words, call: Call) -> Said:
        parts = call.arguments
        if len(parts) == 2 and isinstance(parts[0], Literal) is not isinstance(parts[1], Literal):
            part, limit = (parts[1], parts[0]) if isinstance(parts[0], Literal) else parts
            return Said(f"{words.inside(part, SUM)}, {bound} {words.tree(limit)}", LOOSE)
        return Said(f"the {name} of {listed(words.arguments(call))}", PHRASE)

    return say


def _plus(words: Words, call: Call) -> Said:
    first, *others = call.arguments or (NOTHING,)
    # A difference comes first as everybody reads it: from the left.
    level = SUM if isinstance(first, Call) and first.operator == "-" else PRODUCT
    return Said(" + ".join([words.inside(first, level), *(words.inside(one, PRODUCT) for one in others)]), SUM)


def _minus(words: Words, call: Call) -> Said:
    if len(call.arguments) == 1:
        return Said(f"−{words.inside(call.arguments[0], ONE)}", PRODUCT)
    first, *others = call.arguments or (NOTHING,)
    return Said(" − ".join([words.inside(first, SUM), *(words.inside(one, PRODUCT) for one in others)]), SUM)


def _folded(mark: str) -> Callable[[Words, Call], Said]:
    return lambda words, call: Said(f" {mark} ".join(words.arguments(call, ONE)), PRODUCT)


def _round(words: Words, call: Call) -> Said:
    part = call.arguments[0] if call.arguments else NOTHING
    return Said(f"{words.inside(part, ONE)} {rounded(written(call, 2), written(call, 1))}", PHRASE)


def _missing(words: Words, call: Call) -> Said:
    names = [words.name(written(call, place)) for place in range(len(call.arguments))]
    return Said(f"those of {listed(names)} that have no value", PHRASE)


def _missing_some(words: Words, call: Call) -> Said:
    listing = call.arguments[1] if len(call.arguments) > 1 else NOTHING
    names = [str(one.value) for one in listing.items if isinstance(one, Literal)] if isinstance(listing, Items) else []
    told = listed(words.name(name) for name in names)
    return Said(f"those of {told} that have no value, if fewer than {written(call, 0)} of them have one", LOOSE)


def _loop(pattern: str, level: int = LOOSE, *, tests: bool = True) -> Callable[[Words, Call], Said]:
    def say(words: Words, call: Call) -> Said:
        source, body = (*call.arguments, NOTHING, NOTHING)[:2]
        told = words.held(body, EITHER).text if tests else words.inside(body, SUM)
        return Said(pattern.format(source=words.inside(source, SUM), body=told), level)

    return say


def _reduce(words: Words, call: Call) -> Said:
    source, body, start = (*call.arguments, NOTHING, NOTHING, NOTHING)[:3]
    told = f"{words.inside(body, SUM)} for each item of {words.inside(source, SUM)} in turn"
    return Said(f"{told}, beginning with {words.inside(start, SUM)}", LOOSE)


def _sum(words: Words, call: Call) -> Said:
    part = call.arguments[0] if call.arguments else NOTHING
    if isinstance(part, Call) and part.operator == "map" and len(part.arguments) == 2:
        source, body = part.arguments
        told = f"{words.inside(body, PRODUCT)} over the items of {words.inside(source, PRODUCT)}"
        return Said(f"the sum of {told}", PHRASE)
    return Said(f"the sum of {words.inside(part, PRODUCT)}", PHRASE)


def _object(words: Words, call: Call) -> Said:
    return Said(f"an object of {words.tree((*call.arguments, NOTHING)[0])}", PHRASE)


def _lookup(words: Words, call: Call) -> Said:
    key = words.inside(call.arguments[1] if len(call.arguments) > 1 else NOTHING, PRODUCT)
    rest = miss(words, call)
    return Said(f"what code table {written(call, 0)} says for {key}{rest}", LOOSE if rest else PHRASE)


def _table(words: Words, call: Call) -> Said:
    return Said(f"{words.name(written(call, 1))} of table {words.name(written(call, 0))}")


#: How each operator of the language is said.
SAID: Final[Mapping[str, Callable[[Words, Call], Said]]] = MappingProxyType(
    {
        "var": _var,
        **dict.fromkeys(("==", "!="), _equal),
        **dict.fromkeys(("<", "<=", ">", ">="), _ordered),
        "and": _joined("and", BOTH),
        "or": _joined("or", EITHER),
        "!": _not,
        **dict.fromkeys(("if", "?:"), _if),
        "in": _in,
        "in_range": _in_range,
        "coalesce": _coalesce,
        "is_null": phrase("{a} has no value", TEST, SUM),
        "missing": _missing,
        "missing_some": _missing_some,
        "+": _plus,
        "-": _minus,
        "*": _folded("×"),
        "/": _folded("÷"),
        "%": phrase("the rest of {a} divided by {b}"),
        "min": _extreme("least", "at most"),
        "max": _extreme("greatest", "at least"),
        "abs": phrase("{a} without its sign"),
        "round": _round,
        "allocate": phrase("{a} shared out by {b}, to {c_} places", LOOSE),
        **SAID_OF_TEXTS,
        "months_between": phrase("the whole months from {a} to {b}"),
        "years_between": phrase("the whole years from {a} to {b}"),
        "days_between": phrase("the days from {a} to {b}"),
        "date_add": phrase("{a} moved by {b} {c_}"),
        "start_of": phrase("the first day of the {b_} of {a}"),
        "end_of": phrase("the last day of the {b_} of {a}"),
        "map": _loop("for each item of {source}: {body}", tests=False),
        "filter": _loop("the items of {source} for which {body}"),
        "reduce": _reduce,
        "all": _loop("{source} has items and for each of them {body}"),
        "some": _loop("for at least one item of {source}, {body}"),
        "none": _loop("for no item of {source}, {body}"),
        "merge": lambda words, call: Said(f"the items of {', then those of '.join(words.arguments(call))}", LOOSE),
        "count": phrase("the number of items of {a}"),
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
