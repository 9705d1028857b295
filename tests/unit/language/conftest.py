"""What the tests of the language share: one expression at a time, and the faults of a document."""

from collections.abc import Callable
from datetime import date
from decimal import Decimal
from typing import Any

import pytest

from chalicelib.language import Compiled, RuleFault, RuleRefused, compile_ruleset

AS_OF = date(2026, 10, 1)

INPUTS: dict[str, dict[str, Any]] = {
    "text": {"type": "string"},
    "note": {"type": "string", "nullable": True},
    "status": {"type": "enum", "values": ["ACTIVE", "LEAVE", "TERM"]},
    "count": {"type": "integer"},
    "limit": {"type": "integer", "nullable": True},
    "hours": {"type": "decimal", "scale": 3},
    "rate": {"type": "decimal", "scale": 2, "nullable": True},
    "hired": {"type": "date"},
    "left": {"type": "date", "nullable": True},
    "paid": {"type": "boolean"},
    "tags": {"type": "list", "items": {"type": "string"}},
    "address": {
        "type": "object",
        "nullable": True,
        "fields": {"city": {"type": "string"}, "region": {"type": "string", "nullable": True}},
    },
}
FACTS: dict[str, Any] = {
    "text": "Ada",
    "note": None,
    "status": "ACTIVE",
    "count": 7,
    "limit": None,
    "hours": Decimal("37.500"),
    "rate": None,
    "hired": date(2020, 1, 31),
    "left": None,
    "paid": True,
    "tags": ["blue", "red"],
    "address": None,
}


def output_of(expr: object, kind: str) -> dict[str, Any]:
    """An output that changes nothing about the expression's value."""
    shape: dict[str, dict[str, Any]] = {
        "decimal": {"scale": 12, "rounding": "half_even"},
        "enum": {"values": ["ACTIVE", "LEAVE"]},
        "list": {"items": {"type": "string", "nullable": True}},
    }
    return {"type": kind, "nullable": True, "expr": expr, **shape.get(kind, {})}


def rule(expr: object, kind: str = "decimal", **parts: Any) -> Compiled:
    """A compiled rule with one output ``it`` over INPUTS."""
    document = {"kind": "mapping", "inputs": INPUTS, "outputs": {"it": output_of(expr, kind)}, **parts}
    return compile_ruleset(document)


@pytest.fixture
def evaluate() -> Callable[..., Any]:
    """The value of an expression over FACTS, some of them replaced; explain must say the same."""

    def run(expr: object, kind: str = "decimal", *, code_tables: Any = None, parts: Any = None, **facts: Any) -> Any:
        compiled = rule(expr, kind, **(parts or {}))
        record = {**FACTS, **facts}
        decided = compiled.decide(record, as_of=AS_OF, code_tables=code_tables or {})
        explained = compiled.explain(record, as_of=AS_OF, code_tables=code_tables or {})
        assert decided is not None
        assert explained["faults"] == []
        return decided["it"]

    return run


@pytest.fixture
def refused() -> Callable[..., list[RuleFault]]:
    """The faults of an expression that must not load."""

    def run(expr: object, kind: str = "decimal", **parts: Any) -> list[RuleFault]:
        with pytest.raises(RuleRefused) as raised:
            rule(expr, kind, **parts)
        return list(raised.value.faults)

    return run


def var(name: str) -> dict[str, str]:
    """A variable, as a rule file writes it."""
    return {"var": name}
