"""The three shapes of rules that ``benchmarks.rules`` measures, each in every engine's own words, and their records.

``document`` is a rule file of the hub. ``plain`` says the same in JsonLogic, with what that lacks written out: null
tests for ``coalesce``, conditions for tables and code tables, ``floor`` for rounding, a list for an object. ``zen``
says it in the ZEN expression language. Months of service come with the record: JsonLogic has no dates.
"""

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any

AS_OF = date(2026, 10, 1)
RECORDS = 10_000
_SEED = 20261001

FACTORS = {
    "E1": "0.75",
    "E2": "0.80",
    "E3": "0.90",
    "E4": "1.00",
    "E5": "1.05",
    "E6": "1.10",
    "E7": "1.25",
    "E8": "1.40",
}
COUNTRIES = {"DEU": "DE", "AUT": "AT", "CHE": "CH", "FRA": "FR", "ITA": "IT", "ESP": "ES", "NLD": "NL", "GBR": "GB"}
CODE_TABLES: Mapping[str, Mapping[str, str]] = {"grade-factor": FACTORS, "iso-country": COUNTRIES}


@dataclass(frozen=True, slots=True)
class Shape:
    """One shape. A record holds typed facts: the aggregate, if there is one, among them."""

    name: str
    document: dict[str, Any]
    plain: Any
    zen: str
    outputs: tuple[str, ...]
    draw: Any

    def records(self) -> list[dict[str, Any]]:
        """The same records at every call."""
        rng = random.Random(_SEED)
        return [self.draw(rng) for _ in range(RECORDS)]


def var(name: str) -> dict[str, str]:
    """A variable, in the hub's rules as in plain JsonLogic."""
    return {"var": name}


def binary(record: Mapping[str, Any]) -> dict[str, Any]:
    """A record for engines that compute with binary floating point: dates are text."""
    return {name: _binary(value) for name, value in record.items()}


def _binary(value: Any) -> Any:  # noqa: ANN401 - any fact
    if isinstance(value, Decimal):
        return float(value)
    return value.isoformat() if isinstance(value, date) else value


def either(name: str, otherwise: Any) -> dict[str, Any]:  # noqa: ANN401 - any rule
    """``coalesce`` in plain JsonLogic."""
    return {"if": [{"==": [var(name), None]}, otherwise, var(name)]}


def coded(name: dict[str, Any], table: Mapping[str, Any], *otherwise: Any) -> dict[str, Any]:  # noqa: ANN401
    """A code table in plain JsonLogic."""
    arms = [part for code, value in table.items() for part in ({"==": [name, code]}, value)]
    return {"if": [*arms, *otherwise]}


def rounded(rule: Any) -> dict[str, Any]:  # noqa: ANN401 - any rule
    """Half up to two places in JsonLogic with ``floor``, for numbers that are not negative."""
    return {"/": [{"floor": [{"+": [{"*": [rule, 100]}, 0.5]}]}, 100]}


def chosen(condition: str, pairs: Sequence[tuple[str, str]], otherwise: str) -> str:
    """A chain of conditions in ZEN; ``condition`` has a place for the code."""
    return "".join(f"({condition.format(code)}) ? {value} : " for code, value in pairs) + otherwise


# --- eligibility: one condition over eight fields

_ELIGIBLE = {
    "and": [
        {"==": [var("status"), "ACTIVE"]},
        {"!": var("on_leave")},
        {"in": [var("country"), ["DEU", "AUT", "CHE", "FRA", "ITA"]]},
        {"!=": [var("tenure_months"), None]},
        {">=": [var("tenure_months"), 6]},
        {"or": [{">=": [var("weekly_hours"), 20]}, {"==": [var("contract"), "PERMANENT"]}]},
        {"or": [{"==": [var("union"), None]}, {"!=": [var("union"), "U9"]}]},
        {"<": [var("absences"), 10]},
    ]
}


def _employee(rng: random.Random) -> dict[str, Any]:
    return {
        "status": rng.choices(("ACTIVE", "LEAVE", "TERM"), (80, 10, 10))[0],
        "on_leave": rng.random() < 0.1,
        "country": rng.choice(list(COUNTRIES)),
        "tenure_months": None if rng.random() < 0.05 else rng.randrange(120),
        "weekly_hours": Decimal(rng.randrange(0, 4_000)) / 100,
        "contract": rng.choice(("PERMANENT", "FIXED", "CASUAL")),
        "union": rng.choice((None, "U1", "U2", "U9")),
        "absences": rng.randrange(12),
    }


PREDICATE = Shape(
    name="predicate",
    document={
        "kind": "eligibility",
        "inputs": {
            "status": {"type": "enum", "values": ["ACTIVE", "LEAVE", "TERM"]},
            "on_leave": {"type": "boolean"},
            "country": {"type": "string"},
            "tenure_months": {"type": "integer", "nullable": True},
            "weekly_hours": {"type": "decimal", "scale": 2},
            "contract": {"type": "enum", "values": ["PERMANENT", "FIXED", "CASUAL"]},
            "union": {"type": "string", "nullable": True},
            "absences": {"type": "integer"},
        },
        "outputs": {"eligible": {"type": "boolean", "expr": _ELIGIBLE}},
    },
    plain=_ELIGIBLE,
    zen='status == "ACTIVE" and not on_leave and country in ["DEU", "AUT", "CHE", "FRA", "ITA"]'
    " and tenure_months != null and tenure_months >= 6"
    ' and (weekly_hours >= 20 or contract == "PERMANENT") and (union == null or union != "U9") and absences < 10',
    outputs=("eligible",),
    draw=_employee,
)


# --- tiered accrual: a table, a code table, nulls with defaults, a cap, rounding

_TIERS = ((24, "1.0"), (60, "1.25"), (120, "1.5"))
_TENURE = either("tenure_months", 0)
_EARNED = {
    "*": [
        var("quantity"),
        {"if": [part for end, rate in _TIERS for part in ({"<": [_TENURE, end]}, float(rate))] + [1.75]},
        coded(either("grade", "E1"), {grade: float(factor) for grade, factor in FACTORS.items()}),
        {"/": [either("fte_pct", 100), 100]},
    ]
}


def _hours(rng: random.Random) -> dict[str, Any]:
    return {
        "event_type": rng.choices(("HOURS", "OVERTIME", "SPEND"), (70, 20, 10))[0],
        "quantity": Decimal(rng.randrange(0, 200_000)) / 1_000,
        "tenure_months": None if rng.random() < 0.02 else rng.randrange(6, 180),
        "grade": None if rng.random() < 0.1 else rng.choice(list(FACTORS)),
        "fte_pct": None if rng.random() < 0.3 else Decimal(rng.randrange(200, 1_001)) / 10,
        "points_this_month": Decimal(rng.randrange(0, 45_000)) / 100,
    }


TIERS = Shape(
    name="tiers",
    document={
        "kind": "accrual",
        "inputs": {
            "event_type": {"type": "enum", "values": ["HOURS", "OVERTIME", "SPEND"]},
            "quantity": {"type": "decimal", "scale": 3, "min": "0"},
            "tenure_months": {"type": "integer", "nullable": True},
            "grade": {"type": "string", "nullable": True},
            "fte_pct": {"type": "decimal", "scale": 4, "nullable": True},
        },
        "aggregates": {"points_this_month": {"of": "points", "period": "calendar_month"}},
        "let": {
            "tenure": {"coalesce": [var("tenure_months"), 0]},
            "factor": {"parse_decimal": [{"lookup": ["grade-factor", {"coalesce": [var("grade"), "E1"]}]}]},
            "part_time": {"/": [{"coalesce": [var("fte_pct"), 100]}, 100]},
            "room": {"max": [{"-": [400, var("points_this_month")]}, 0]},
        },
        "when": {"in": [var("event_type"), ["HOURS", "OVERTIME"]]},
        "tables": {
            "tier": {
                "hit": "unique",
                "in": ["tenure"],
                "out": ["rate"],
                "rows": [["(,24)", "1.0"], ["[24,60)", "1.25"], ["[60,120)", "1.5"], ["[120,)", "1.75"]],
            }
        },
        "outputs": {
            "points": {
                "type": "decimal",
                "scale": 2,
                "rounding": "half_up",
                "expr": {
                    "min": [
                        {"*": [var("quantity"), {"table": ["tier", "rate"]}, var("factor"), var("part_time")]},
                        var("room"),
                    ]
                },
            }
        },
    },
    plain={
        "if": [
            {"in": [var("event_type"), ["HOURS", "OVERTIME"]]},
            rounded({"min": [_EARNED, {"max": [{"-": [400, var("points_this_month")]}, 0]}]}),
            None,
        ]
    },
    zen='(event_type in ["HOURS", "OVERTIME"]) ? round(min([quantity * ('
    + chosen("(tenure_months ?? 0) < {}", [(str(end), rate) for end, rate in _TIERS], "1.75")
    + ") * ("
    + chosen('(grade ?? "E1") == "{}"', list(FACTORS.items()), "null")
    + ") * (fte_pct ?? 100) / 100, max([400 - points_this_month, 0])]), 2) : null",
    outputs=("points",),
    draw=_hours,
)
