"""The words in which the corpus is written: short names for expressions, and a rule that declares what it reads."""

import json
from typing import Any, NamedTuple

ENUMS = {
    "status": ["ACTIVE", "LEAVE", "TERM"],
    "event": ["HOURS", "SPEND", "BONUS", "ANNIVERSARY"],
    "country": ["AT", "CH", "DE"],
    "class": ["CREW", "GROUND"],
}
INPUTS: dict[str, dict[str, Any]] = {
    **{name: {"type": "enum", "values": values} for name, values in ENUMS.items()},
    "hours": {"type": "decimal", "scale": 2, "min": "0", "max": "744"},
    "amount": {"type": "decimal", "scale": 2, "min": "0"},
    "balance": {"type": "decimal", "scale": 2},
    "fte": {"type": "decimal", "scale": 2, "min": "0", "max": "100"},
    "bonus": {"type": "decimal", "scale": 2, "nullable": True},
    "tenure": {"type": "integer", "min": 0, "max": 600},
    "age": {"type": "integer", "min": 14, "max": 99},
    "level": {"type": "integer", "min": 1, "max": 5},
    "count": {"type": "integer"},
    "hired": {"type": "date"},
    "left": {"type": "date", "nullable": True},
    "booked": {"type": "date", "min": "2026-01-01", "max": "2026-12-31"},
    "grade": {"type": "string", "nullable": True},
    "unit": {"type": "string"},
    "job": {"type": "string"},
    "paid": {"type": "boolean"},
    "union": {"type": "boolean"},
    "lines": {
        "type": "list",
        "items": {
            "type": "object",
            "fields": {"qty": {"type": "integer", "min": 1, "max": 99}, "sku": {"type": "string"}},
        },
    },
}
AS_OF = "2026-10-01"


class Pair(NamedTuple):
    """A rule with one planted defect, where lint must point, and the same rule mended."""

    title: str
    planted: Any
    pointer: str
    clean: Any


def v(name: str) -> dict[str, str]:
    return {"var": name}


def op(name: str, *arguments: Any) -> dict[str, Any]:
    return {name: list(arguments)}


def eq(left: Any, right: Any) -> dict[str, Any]:
    return {"==": [left, right]}


def ne(left: Any, right: Any) -> dict[str, Any]:
    return {"!=": [left, right]}


def lt(*operands: Any) -> dict[str, Any]:
    return {"<": list(operands)}


def le(*operands: Any) -> dict[str, Any]:
    return {"<=": list(operands)}


def gt(*operands: Any) -> dict[str, Any]:
    return {">": list(operands)}


def ge(*operands: Any) -> dict[str, Any]:
    return {">=": list(operands)}


def both(*parts: Any) -> dict[str, Any]:
    return {"and": list(parts)}


def either(*parts: Any) -> dict[str, Any]:
    return {"or": list(parts)}


def no(part: Any) -> dict[str, Any]:
    return {"!": [part]}


def within(item: Any, *values: Any) -> dict[str, Any]:
    return {"in": [item, list(values)]}


def case(*arms: Any) -> dict[str, Any]:
    return {"if": list(arms)}


def cell(table: str, column: str) -> dict[str, Any]:
    return {"table": [table, column]}


def months() -> dict[str, Any]:
    return {"months_between": [v("hired"), v("as_of")]}


def table(inputs: list[str], *rows: list[Any], hit: str = "unique", out: str = "rate", **more: Any) -> dict[str, Any]:
    return {"hit": hit, "in": inputs, "out": [out], "rows": list(rows), **more}


def rule(points: Any = 1, **parts: Any) -> dict[str, Any]:
    """An accrual rule that declares the inputs it mentions; ``inputs`` adds or replaces some."""
    outputs = parts.pop("outputs", None) or {
        "points": {"type": "decimal", "scale": 4, "rounding": "half_up", "expr": points}
    }
    more = parts.pop("inputs", {})
    known = {**INPUTS, **more}
    written = json.dumps([outputs, parts], default=str)
    named = {name for name in known if f'"{name}"' in written or f'"{name}.' in written or name in more}
    kind = "accrual" if "points" in outputs else "mapping"
    return {
        "kind": kind,
        "inputs": {name: one for name, one in known.items() if name in named},
        "outputs": outputs,
        **parts,
    }


def flag(expr: Any, **parts: Any) -> dict[str, Any]:
    """A rule whose answer is yes or no."""
    return rule(outputs={"ok": {"type": "boolean", "expr": expr}}, **parts)


def text(expr: Any, **parts: Any) -> dict[str, Any]:
    """A rule whose answer is a text or null."""
    return rule(outputs={"it": {"type": "string", "nullable": True, "expr": expr}}, **parts)
