"""What documents declare, in plain words and Markdown: types and forms, tables, cells."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from decimal import Decimal
from types import MappingProxyType
from typing import Any, Final

from chalicelib.language.declarations import declared_input, declared_output
from chalicelib.language.declared import Declared, DeclaredOutput
from chalicelib.language.faults import Report
from chalicelib.language.kinds import json_value
from chalicelib.rules.rendering.phrases import interval, listed, number, places, rounding
from chalicelib.rules.rendering.said import cell_text
from chalicelib.rules.rendering.words import Words

_SPECIAL: Final = str.maketrans({character: f"\\{character}" for character in "\\`*_<>|[]#~"} | {"&": "&amp;"})
_KINDS: Final[Mapping[str, str]] = MappingProxyType(
    {"string": "text", "integer": "whole number", "date": "date", "boolean": "yes or no"}
)
_NORMALIZED: Final[Mapping[str, str]] = MappingProxyType(
    {
        "trim": "blanks around it are dropped",
        "upper": "read in upper case",
        "lower": "read in lower case",
        "nfkc": "read in Unicode’s compatible form",
    }
)
_HITS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "unique": "At most one row fits, and it answers.",
        "any": "Rows that fit together say the same.",
        "first": "The first row that fits answers.",
        "priority": "Of the rows that fit, the one that ranks highest answers.",
    }
)
_GATHERED: Final[Mapping[str, str]] = MappingProxyType(
    {"list": "are listed", "sum": "are added up", "min": "give their least", "max": "give their greatest"}
)


def escaped(text: object) -> str:
    """A text that Markdown shows as it is, on one line."""
    return " ".join(str(text).split()).translate(_SPECIAL)


def grid(header: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    """A table in Markdown, of texts that are not escaped yet."""
    lines = [list(header), ["---"] * len(header), *([escaped(cell) for cell in row] for row in rows)]
    return [f"| {' | '.join(cells)} |" for cells in lines]


def bullets(items: Iterable[tuple[int, str]]) -> list[str]:
    """A list in Markdown, of levels and finished texts."""
    return [f"{'  ' * level}- {text}" for level, text in items]


def read_input(raw: object) -> Declared | None:
    """An input's declaration; None when it is none."""
    return declared_input(raw, "", Report(suggestions=0))


def read_output(raw: object) -> DeclaredOutput | None:
    """An output's declaration; None when it is none."""
    return declared_output(raw, "", Report(suggestions=0))


def kind(declared: Declared | DeclaredOutput) -> str:
    """What a value is."""
    match declared.type:
        case "enum":
            return f"one of {listed(declared.values, 'or')}"
        case "decimal":
            return f"number with {places(declared.scale)}" if declared.scale else "number without decimal places"
        case "list":
            return f"list, each item: {form(declared.items)}" if declared.items else "list"
        case "object":
            parts = (f"{name} ({form(part)})" for name, part in (declared.fields or {}).items())
            return f"object of {listed(parts)}"
    return _KINDS.get(declared.type, declared.type)


def form(declared: Declared | DeclaredOutput | None) -> str:
    """What a value is and how it comes about."""
    if declared is None:
        return "unreadable"
    return "; ".join([kind(declared), *remarks(declared)])


def remarks(declared: Declared | DeclaredOutput) -> list[str]:
    """What is to be known of a value beside its type."""
    found = []
    if isinstance(declared, Declared):
        if declared.min is not None or declared.max is not None:
            low, high = (_bound(one) for one in (declared.min, declared.max))
            found.append(interval(f"[{low},{high}]") or "")
        found.extend(_NORMALIZED[name] for name in declared.normalize)
        if not declared.required:
            found.append("may be left out")
    else:
        if declared.rounding is not None:
            found.append(rounding(declared.rounding))
        if declared.omit_null:
            found.append("left out when it has no value")
    if declared.nullable:
        found.append("may have no value")
    if declared.personal:
        found.append("personal")
    return found


def _bound(value: object) -> str:
    if isinstance(value, Decimal):
        return number(value)
    return "" if value is None else str(value.isoformat() if isinstance(value, date) else value)


def aggregate(raw: Mapping[str, Any]) -> str:
    """A sum of a period."""
    period = str(raw.get("period", "")).replace("_", " ")
    back = raw.get("back", 0)
    when = f"the {period} of the event so far" if not back else f"the {period} {back} before that of the event"
    types = raw.get("event_types")
    of_types = f" of {', '.join(map(str, types))}" if isinstance(types, Sequence) and types else ""
    return f"sum of {raw.get('of', 'points')}{of_types} over {when}"


def table(name: str, raw: Mapping[str, Any], words: Words, texts: Sequence[bool] = ()) -> list[str]:
    """A decision table with its policy; ``texts`` says of each condition column whether it tests a text."""
    inputs, outs = list(raw.get("in", ())), list(raw.get("out", ()))
    of_texts = texts or [False] * len(inputs)
    header = [escaped(words.name(str(column))) for column in (*inputs, *outs)]
    rows = [
        [
            *(condition(cell, text=text) for cell, text in zip(row, of_texts, strict=False)),
            *(result(cell) for cell in row[len(inputs) :]),
        ]
        for row in raw.get("rows", ())
        if isinstance(row, Sequence)
    ]
    lines = [f"### Table {escaped(words.name(name))}", "", policy(raw)]
    if raw.get("description"):
        lines.append(escaped(raw["description"]))
    return [*lines, "", *grid(header, rows), ""]


def policy(raw: Mapping[str, Any]) -> str:
    """How the rows of a table answer."""
    hit = str(raw.get("hit"))
    if hit == "collect":
        how = str(raw.get("collect", "list"))
        if how == "count":
            return "All rows that fit are counted."
        return f"The results of all rows that fit {_GATHERED.get(how, how)}."
    ranked = raw.get("priority")
    if hit == "priority" and isinstance(ranked, Mapping):
        order = ranked.get("order")
        first = f"in the order {listed(map(str, order), 'then')}" if isinstance(order, Sequence | Mapping) else order
        told = order if isinstance(order, str) else first
        return f"{_HITS['priority'][:-1]}: by {escaped(ranked.get('by'))}, {escaped(told)} first."
    return _HITS.get(hit, escaped(hit))


def condition(raw: object, *, text: bool) -> str:
    """A condition cell; of a column of texts only "-" is more than the text itself."""
    match raw:
        case "-":
            return "anything"
        case str() if not text and raw.lstrip()[:1] in {"[", "("}:
            return interval(raw) or cell_text(raw)
        case list() | tuple():
            return listed(map(result, raw), "or")
    return result(raw)


def result(raw: object) -> str:  # noqa: PLR0911 - one return for each type
    """A result cell, or another constant that stands alone."""
    match raw:
        case None:
            return "nothing"
        case bool():
            return "yes" if raw else "no"
        case int() | Decimal():
            return number(raw)
        case list() | tuple():
            return f"[{', '.join(map(result, raw))}]"
        case Mapping():
            return "{" + given(raw) + "}"
        case str():
            return cell_text(raw)
    return str(json_value(raw))


def given(values: Mapping[str, Any]) -> str:
    """Values by name, in a line."""
    return "; ".join(f"{name.replace('_', ' ')}: {result(value)}" for name, value in values.items())
