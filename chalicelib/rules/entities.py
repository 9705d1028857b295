"""The canonical fields of what files bring in: a roster row (I1), an accrual (I2), an entry of a code table (I16).

A layout says how each field comes from a partner's columns; the rooms above take rows of exactly these fields.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal


@dataclass(frozen=True, slots=True)
class EntityField:
    """One canonical field. ``values`` closes an enum; ``scale`` is the most decimals that a decimal may have.

    A text that may not be null may not be empty either. Lengths are the business of the rooms that keep the rows.
    """

    type: Literal["string", "enum", "decimal", "date"] = "string"
    nullable: bool = True
    personal: bool = False
    scale: int | None = None
    values: tuple[str, ...] = ()


_TEXT = EntityField()
_PERSONAL = EntityField(personal=True)
_KEY = EntityField(nullable=False)
_DAY = EntityField("date")
_DUE_DAY = EntityField("date", nullable=False)

#: I1: one line about one employee on one date. ``action``: A hires, C changes, T terminates.
ROSTER: Mapping[str, EntityField] = MappingProxyType(
    {
        "employee_id": _KEY,
        "action": EntityField("enum", nullable=False, values=("A", "C", "T")),
        "first_name": EntityField(nullable=False, personal=True),
        "last_name": EntityField(nullable=False, personal=True),
        "email": _PERSONAL,
        "phone": _PERSONAL,
        "hire_date": _DUE_DAY,
        "term_date": _DAY,
        "job_code": _KEY,
        "grade": _TEXT,
        "department": _TEXT,
        "cost_center": _TEXT,
        "location_code": _TEXT,
        "country": _KEY,
        "currency": _TEXT,
        "union_code": _TEXT,
        "fte_pct": EntityField("decimal", scale=4),
        "manager_id": _TEXT,
        "ship_to_line1": _PERSONAL,
        "ship_to_city": _PERSONAL,
        "ship_to_region": _PERSONAL,
        "ship_to_postal": _PERSONAL,
        "effective_date": _DUE_DAY,
    }
)

#: I2: why one employee earns, once.
ACCRUAL: Mapping[str, EntityField] = MappingProxyType(
    {
        "program_code": _KEY,
        "event_id": _KEY,
        "employee_id": _KEY,
        "event_type": EntityField(
            "enum", nullable=False, values=("HOURS", "ALLOWANCE", "ANNIVERSARY", "BONUS", "SPEND")
        ),
        "event_date": _DUE_DAY,
        "quantity": EntityField("decimal", nullable=False, scale=6),
        "unit": _KEY,
        "amount": EntityField("decimal", scale=6),
        "currency": _TEXT,
        "pay_period": _TEXT,
        "job_code_override": _TEXT,
        "category": _TEXT,
        "reference": _TEXT,
        "description": _TEXT,
    }
)

#: I16: what one code of one of the partner's tables means from one day to another.
CODE_TABLE: Mapping[str, EntityField] = MappingProxyType(
    {
        "table": _KEY,
        "code": _KEY,
        "value": _KEY,
        "description": _TEXT,
        "active": EntityField("enum", nullable=False, values=("true", "false")),
        "effective_from": _DUE_DAY,
        "effective_to": _DAY,
    }
)

ENTITIES: Mapping[str, Mapping[str, EntityField]] = MappingProxyType(
    {"roster": ROSTER, "accrual": ACCRUAL, "code_table": CODE_TABLE}
)
