"""Operators on texts and formats in plain words, and what phrases are made with."""

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Final, Protocol

from chalicelib.language.parse import Call, Literal, Tree
from chalicelib.rules.rendering.phrases import listed, places
from chalicelib.rules.rendering.said import LOOSE, ONE, PHRASE, PRODUCT, TEST, Said, quoted

NOTHING: Final = Literal("", None)


class Sayer(Protocol):
    """Who says the parts of an expression."""

    def inside(self, tree: Tree, level: int) -> str:
        """A part, in brackets where it holds together less tightly."""


Say = Callable[[Sayer, Call], Said]


def written(call: Call, place: int) -> str:
    """An argument that is written out, bare."""
    tree = call.arguments[place] if place < len(call.arguments) else NOTHING
    return str(tree.value) if isinstance(tree, Literal) else "…"


def phrase(pattern: str, level: int = PHRASE, inner: int = ONE) -> Say:
    """Says arguments by their places: ``{a}`` and ``{b}`` as expressions, ``{b_}`` written out, bare."""

    def say(words: Sayer, call: Call) -> Said:
        told = dict.fromkeys("abc", "…") | {
            name: words.inside(argument, inner) for name, argument in zip("abc", call.arguments, strict=False)
        }
        bare = {f"{name}_": written(call, place) for place, name in enumerate("abc")}
        return Said(pattern.format_map({**told, **bare}), level)

    return say


def miss(words: Sayer, call: Call) -> str:
    """What happens where nothing is found."""
    chosen = call.options.get("on_miss", NOTHING)
    how = chosen.value if isinstance(chosen, Literal) else None
    if how == "default":
        return f", or {words.inside(call.options.get('default', NOTHING), PHRASE)} where there is none"
    return {
        "null": ", or nothing where there is none",
        "quarantine": ", held back where there is none",
    }.get(str(how), "")


def _number(call: Call, place: int) -> int | None:
    """An argument that is a whole number written out."""
    tree = call.arguments[place] if place < len(call.arguments) else NOTHING
    value = tree.value if isinstance(tree, Literal) else None
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def _cat(words: Sayer, call: Call) -> Said:
    return Said(f"the text {' followed by '.join(words.inside(part, ONE) for part in call.arguments)}", PHRASE)


def _substr(words: Sayer, call: Call) -> Said:
    """A position counts from 0, or below 0 from the end; a length below 0 is what is left out there."""
    text, start = (words.inside(one, ONE) for one in (*call.arguments, NOTHING, NOTHING)[:2])
    first = _number(call, 1)
    told = f"the part of {text} from position {start} on, counted from 0 or, below 0, from the end"
    if first is not None:
        which = f"character {first + 1}" if first >= 0 else f"the last {_characters(-first)}"
        told = f"the part of {text} from {which} on"
    if len(call.arguments) < 3:
        return Said(told, LOOSE)
    length = _number(call, 2)
    if length is None:
        many = words.inside(call.arguments[2], ONE)
        return Said(f"{told}, {many} characters long or, below 0, without so many at the end of {text}", LOOSE)
    rest = f"at most {_characters(length)}" if length >= 0 else f"without the last {_characters(-length)} of {text}"
    return Said(f"{told}, {rest}", LOOSE)


def _characters(count: int) -> str:
    return f"{count} character{'' if count == 1 else 's'}"


def _split(words: Sayer, call: Call) -> Said:
    text, separator = (words.inside(one, ONE) for one in (*call.arguments, NOTHING, NOTHING)[:2])
    if len(call.arguments) < 3:
        return Said(f"the parts of {text} between {separator}", PHRASE)
    number = _number(call, 2)
    which = f"part {words.inside(call.arguments[2], ONE)}"
    if number is not None:
        which = f"part {number + 1}" if number >= 0 else f"the last part but {-number - 1}"
        which = "the last part" if number == -1 else which
    return Said(f"{which} of {text}, split at {separator}{miss(words, call)}", LOOSE)


def _parse_decimal(words: Sayer, call: Call) -> Said:
    marks = [
        f"{name.replace('_', ' ')} {quoted(str(option.value))}"
        for name, option in call.options.items()
        if isinstance(option, Literal)
    ]
    told = f" ({listed(marks)})" if marks else ""
    return Said(f"{words.inside((*call.arguments, NOTHING)[0], ONE)} read as a number{told}", PHRASE)


def _to_text(words: Sayer, call: Call) -> Said:
    told = f" with {places(written(call, 1))}" if len(call.arguments) > 1 else ""
    return Said(f"{words.inside((*call.arguments, NOTHING)[0], ONE)} written as text{told}", PHRASE)


SAID_OF_TEXTS: Final[Mapping[str, Say]] = MappingProxyType(
    {
        "cat": _cat,
        "substr": _substr,
        "length": phrase("the number of characters of {a}"),
        "trim": phrase("{a} without blanks around it"),
        "upper": phrase("{a} in upper case"),
        "lower": phrase("{a} in lower case"),
        "normalize": phrase("{a} in Unicode’s compatible form"),
        "replace": phrase("{a} with {b} replaced by {c}"),
        "split": _split,
        "pad_left": phrase("{a} filled on the left with {c} to {b} characters"),
        "parse_decimal": _parse_decimal,
        "parse_integer": phrase("{a} read as a whole number"),
        "to_text": _to_text,
        "matches": phrase("{a} has the form {b}", TEST, PRODUCT),
        "parse_date": phrase("{a} read as a date written {b_}"),
        "format_date": phrase("{a} written {b_}"),
    }
)
