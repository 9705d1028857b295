"""Some words, how tightly they hold together, and how names and constants are written among them."""

import re
from decimal import Decimal
from types import MappingProxyType
from typing import Final

from chalicelib.records import dataclass
from chalicelib.rules.rendering.phrases import number

#: How tightly words hold their parts together. What is said in several words stands in brackets inside a formula, since
#: it is open on the right: nobody could tell where "the least of h and k" ends before "+ 100".
LOOSE, EITHER, BOTH, TEST, PHRASE, SUM, PRODUCT, ONE = range(8)

_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]*")
#: Words that phrases are made of: a name with one of them is put in quotation marks, or it could be read as a phrase.
_CONNECTING: Final = frozenset(
    {
        *("always", "and", "as", "at", "be", "beginning", "between", "by", "else", "false", "for", "from", "has", "if"),
        *("in", "is", "it", "item", "items", "its", "never", "no", "none", "nothing", "of", "on", "or", "otherwise"),
        *("than", "the", "then", "those", "to", "true", "what", "which", "with", "without"),
    }
)
_DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_ESCAPES: Final = MappingProxyType(
    {ord("\\"): "\\\\", ord("”"): "\\”", ord("\n"): "\\n", ord("\r"): "\\r", ord("\t"): "\\t", ord("␣"): "\\␣"}
)
_PLAIN_CELL = re.compile(r"[\w.:/+@&%-]+( [\w.:/+@&%-]+)*")
#: What cells say in words: a text with one of them is put in quotation marks.
_CELL_WORDS: Final = _CONNECTING | {"after", "anything", "before", "earlier", "later", "less", "more", "not", "yes"}
_BLANKS = re.compile(r"^ +| +$| {2,}")


@dataclass(frozen=True, slots=True)
class Said:
    """Some words, and how tightly they hold together."""

    text: str
    level: int = ONE


def spaced(name: str) -> str:
    """A name in words: ``tenure_months`` as ``tenure months``; in quotation marks what could be taken for more."""
    words = name.split("_")
    if not _NAME.fullmatch(name) or "" in words:
        return f"«{_escaped(name).replace('»', f'{chr(92)}»')}»"
    plain = _CONNECTING.isdisjoint(word.lower() for word in words)
    return " ".join(words) if plain else f"‘{' '.join(words)}’"


def quoted(text: str) -> str:
    """A text in quotation marks, so that every character of it can be told."""
    return f"“{_escaped(text)}”"


def cell_text(text: str) -> str:
    """A text in a cell, bare where nobody can take it for anything but itself."""
    # A single letter is a code, not a word.
    words = {word.lower() for word in text.split(" ") if len(word) > 1}
    bare = _PLAIN_CELL.fullmatch(text) and text != "-" and _CELL_WORDS.isdisjoint(words)
    return text if bare else quoted(text)


def constant(value: object) -> str:
    """A constant: texts in quotes, dates and numbers bare; a decimal that is whole shows that it is one."""
    match value:
        case None:
            return "nothing"
        case bool():
            return "true" if value else "false"
        case str():
            return value if _DAY.fullmatch(value) else quoted(value)
        case Decimal() if value == value.to_integral_value():
            return f"{number(value)}.0"
    return number(value)


def _escaped(text: str) -> str:
    told = "".join(
        one if one.isprintable() or one in "\n\r\t" else f"\\u{ord(one):04x}" for one in text.translate(_ESCAPES)
    )
    return _BLANKS.sub(lambda found: "␣" * len(found[0]), told)
