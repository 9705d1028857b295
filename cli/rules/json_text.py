"""JSON as people write it in rule files: two blanks a level, and on one line what fits there."""

import json
from collections.abc import Mapping, Sequence
from decimal import Decimal
from types import MappingProxyType
from typing import Any

_WIDTH = 120
_INDENT = "  "
#: What a document says about itself comes first, its cases last; the rest keeps its order.
_FIRST = (
    "$schema", "id", "kind", "code", "name", "partner", "owner", "why", "industry", "time_zone", "effective",
    "contacts", "entity", "target", "rank", "mode", "format", "control", "columns", "inputs", "aggregates", "let",
    "when", "tables",
)  # fmt: skip
_LAST = ("outputs", "fields", "entries", "cases")
#: The same for the objects in some parts of a document.
_PARTS: Mapping[str, Sequence[str]] = MappingProxyType(
    {
        "contacts": ("role", "name"),
        "programs": ("code", "name", "kind", "unit", "scale", "time_zone", "ruleset", "effective_from", "lots"),
        "targets": ("code", "connector"),
        "columns": ("header",),
        "inputs": ("type",),
        "outputs": ("type", "scale", "rounding"),
        "tables": ("hit", "in", "out"),
        "entries": ("code", "value", "effective_from", "effective_to"),
        "cases": ("name", "why", "as_of", "given", "aggregates", "code_tables"),
    }
)


def written(document: Mapping[str, Any]) -> str:
    """A document as the text of a file; ``language.parse_json`` reads the same back, digit by digit."""
    return _value(_in_order(document), 0, 0) + "\n"


def _in_order(document: Mapping[str, Any]) -> dict[str, Any]:
    ordered = _sorted(document, _FIRST, _LAST)
    for part, first in _PARTS.items():
        match ordered.get(part):
            case list() as items:
                ordered[part] = [_sorted(one, first) if isinstance(one, Mapping) else one for one in items]
            case Mapping() as named:
                ordered[part] = {
                    name: _sorted(one, first) if isinstance(one, Mapping) else one for name, one in named.items()
                }
    return ordered


def _sorted(part: Mapping[str, Any], first: Sequence[str], last: Sequence[str] = ()) -> dict[str, Any]:
    def place(name: str) -> tuple[int, int]:
        if name in first:
            return 0, first.index(name)
        return (2, last.index(name)) if name in last else (1, 0)

    return {name: part[name] for name in sorted(part, key=place)}


def _value(value: object, level: int, used: int) -> str:
    """The text of a value that begins in column ``used`` of a line indented by ``level``."""
    flat = _flat(value)
    if level and used + len(flat) < _WIDTH:
        return flat
    inner = _INDENT * (level + 1)
    if isinstance(value, Mapping) and value:
        lines = []
        for name, one in value.items():
            head = f"{inner}{json.dumps(name, ensure_ascii=False)}: "
            lines.append(head + _value(one, level + 1, len(head)))
        return "{\n" + ",\n".join(lines) + f"\n{_INDENT * level}}}"
    if isinstance(value, Sequence) and not isinstance(value, str) and value:
        lines = [inner + _value(one, level + 1, len(inner)) for one in value]
        return "[\n" + ",\n".join(lines) + f"\n{_INDENT * level}]"
    return flat


def _flat(value: object) -> str:
    if isinstance(value, Mapping):
        parts = (f"{json.dumps(name, ensure_ascii=False)}: {_flat(one)}" for name, one in value.items())
        return "{" + ", ".join(parts) + "}"
    if isinstance(value, Sequence) and not isinstance(value, str):
        return "[" + ", ".join(_flat(one) for one in value) + "]"
    return str(value) if isinstance(value, Decimal) else json.dumps(value, ensure_ascii=False)
