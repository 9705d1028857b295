"""Rules for tests, through the real functions: small documents and versions that decide at once."""

from collections.abc import Mapping
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

from sqlalchemy.engine import Connection

from chalicelib.access.caller import Caller
from chalicelib.language import parse_json
from chalicelib.rules import code_tables, rulesets

RULES = Path(__file__).parents[2] / "rules"
AUTHOR = Caller(actor="usr_00000000000000000000000001", correlation_id="test-rules")
LONG_AGO = datetime(2025, 12, 1, tzinfo=UTC)


def document(name: str) -> dict[str, Any]:
    """A document of the repository's own folder ``rules``: ``document("rulesets/aurora-air.accrual")``."""
    found: dict[str, Any] = parse_json((RULES / f"{name}.json").read_bytes())
    return found


def accrual_document(code: str = "acme.accrual", *, rate: str = "1.5", **changes: Any) -> dict[str, Any]:
    """Points for active members: quantity times ``rate``, two digits, rounded half up."""
    partner = code.rpartition(".")[0] or None
    # A case counts only on days for which the document is meant.
    day = changes.get("effective", {}).get("from") or "2026-10-01"
    return {
        "id": code,
        "kind": "accrual",
        "partner": partner,
        "owner": "tests",
        "why": "A rule of the tests.",
        "inputs": {
            "status": {"type": "enum", "values": ["active", "terminated"]},
            "quantity": {"type": "decimal", "scale": 6},
        },
        "when": {"==": [{"var": "status"}, "active"]},
        "outputs": {
            "points": {
                "type": "decimal",
                "scale": 2,
                "rounding": "half_up",
                "expr": {"*": [{"var": "quantity"}, Decimal(rate)]},
            }
        },
        "cases": [
            {
                "name": "an active member earns",
                "as_of": day,
                "given": {"status": "active", "quantity": "10"},
                "expect": {"points": str((10 * Decimal(rate)).quantize(Decimal("0.01")))},
            },
            {
                "name": "who has left does not",
                "as_of": day,
                "given": {"status": "terminated", "quantity": "10"},
                "expect": {"applies": False},
            },
        ],
        **changes,
    }


def capped_case(quantity: str, points: str, **aggregates: str) -> dict[str, Any]:
    """A case of a rule that pays by quantity up to what earlier points leave room for."""
    sums = ", ".join(f"{name} {value}" for name, value in aggregates.items())
    return {
        "name": f"{quantity} after {sums}",
        "as_of": "2026-11-02",
        "given": {"quantity": quantity},
        "aggregates": aggregates,
        "expect": {"points": points},
    }


def golden_case(rate: str = "1.5", **changes: Any) -> dict[str, Any]:
    """Four hours of ``accrual_document`` at this rate."""
    return {
        "name": "four hours",
        "as_of": "2026-11-02",
        "given": {"status": "active", "quantity": "4"},
        "expect": {"points": str((4 * Decimal(rate)).quantize(Decimal("0.01")))},
        **changes,
    }


def table_document(
    code: str = "acme.grade", entries: Mapping[str, str] | None = None, **changes: Any
) -> dict[str, Any]:
    """A code table of undated entries."""
    return {
        "id": code,
        "kind": "code_table",
        "partner": code.rpartition(".")[0] or None,
        "owner": "tests",
        "why": "A table of the tests.",
        "entries": [{"code": key, "value": value} for key, value in (entries or {"G1": "10", "G2": "20"}).items()],
        **changes,
    }


def live_ruleset(
    db: Connection,
    partner_id: bytes | None,
    document: Mapping[str, Any],
    *,
    effective_from: date = date(2026, 1, 1),
    now: datetime = LONG_AGO,
) -> rulesets.LiveVersion:
    """The document saved and deciding from ``effective_from`` on, known since ``now``, as files bring it in.

    Needs approval to be off.
    """
    saved = rulesets.save(db, document, partner_id=partner_id, caller=AUTHOR, now=now)
    rulesets.activate(
        db,
        document["id"],
        saved.version_id,
        effective_from=effective_from,
        by_file=True,
        caller=AUTHOR,
        now=now,
    )
    return rulesets.version(db, saved.version_id)


def code_table(
    db: Connection, partner_id: bytes | None, document: Mapping[str, Any], *, now: datetime = LONG_AGO
) -> None:
    """The document's entries, in force."""
    code_tables.apply(db, document, partner_id=partner_id, caller=AUTHOR, now=now)
