"""The canonical fields of what files bring in, by the kind of row that a layout describes: its entity.

A layout says how each field comes from a partner's columns; the rooms above take rows of exactly these fields.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final, Literal, TypeAlias, get_args

from chalicelib.records import dataclass


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

_AMOUNT = EntityField("decimal", scale=6)
_DUE_AMOUNT = EntityField("decimal", nullable=False, scale=6)
_COUNT = EntityField("decimal", scale=0)
_DUE_COUNT = EntityField("decimal", nullable=False, scale=0)
_FLAG = EntityField("enum", nullable=False, values=("true", "false"))

#: I3: what one kind of employee is allowed in one plan year.
ALLOWANCE_PLAN: Mapping[str, EntityField] = MappingProxyType(
    {
        "program_code": _KEY,
        "plan_year": _DUE_COUNT,
        "job_code": _KEY,
        "grade": _TEXT,
        "points": _DUE_AMOUNT,
        "cap": _AMOUNT,
        "carryover_pct": EntityField("decimal", scale=4),
        "grace_days": _COUNT,
        "first_order_bonus": _AMOUNT,
        "valid_from": _DUE_DAY,
        "valid_to": _DUE_DAY,
    }
)

#: I4: points that a member had before the hub kept them.
OPENING_BALANCE: Mapping[str, EntityField] = MappingProxyType(
    {
        "program_code": _KEY,
        "employee_id": _KEY,
        "balance_points": _DUE_AMOUNT,
        "as_of": _DUE_DAY,
        "lot_expiry": _DAY,
        "legacy_ref": _KEY,
    }
)

#: I5: points that somebody gives or takes, for a reason. Who asked and agreed are staff numbers or users, no names.
ADJUSTMENT: Mapping[str, EntityField] = MappingProxyType(
    {
        "adjustment_id": _KEY,
        "program_code": _KEY,
        "employee_id": _KEY,
        "points": _DUE_AMOUNT,
        "reason_code": _KEY,
        "effective_date": _DUE_DAY,
        "requested_by": _KEY,
        "approved_by": _TEXT,
        "comment": _TEXT,
    }
)

#: I9: what one article is from a day on.
PRODUCT: Mapping[str, EntityField] = MappingProxyType(
    {
        "sku": _KEY,
        "style": _TEXT,
        "name": _KEY,
        "category": _KEY,
        "department": _TEXT,
        "size": _TEXT,
        "color": _TEXT,
        "uom": _KEY,
        "gl_class": _TEXT,
        "uniform_flag": _FLAG,
        "weight": _AMOUNT,
        "active": _FLAG,
        "effective_date": _DUE_DAY,
    }
)

#: I10: what an article costs in a price book, for everybody or for one partner, from one day to another.
PRICE: Mapping[str, EntityField] = MappingProxyType(
    {
        "sku": _KEY,
        "price_book": _KEY,
        "partner_code": _TEXT,
        "currency": _KEY,
        "list_price": _DUE_AMOUNT,
        "contract_price": _AMOUNT,
        "points_price": _AMOUNT,
        "min_qty": _COUNT,
        "valid_from": _DUE_DAY,
        "valid_to": _DAY,
    }
)

#: I11: how much of an article is in one place. ``as_of`` is a moment, written as ISO 8601 with its offset.
STOCK: Mapping[str, EntityField] = MappingProxyType(
    {
        "sku": _KEY,
        "location_code": _KEY,
        "on_hand": _DUE_COUNT,
        "reserved": _DUE_COUNT,
        "available": _DUE_COUNT,
        "source_seq": _DUE_COUNT,
        "as_of": _KEY,
    }
)

#: I12: a customer as one outside system knows it. ``last_modified`` is a moment, written as ISO 8601 with its offset.
CUSTOMER: Mapping[str, EntityField] = MappingProxyType(
    {
        "source": EntityField("enum", nullable=False, values=("salesforce", "sfcc")),
        "customer_no": _KEY,
        "customer_list": _TEXT,
        "email": EntityField(nullable=False, personal=True),
        "first_name": _PERSONAL,
        "last_name": _PERSONAL,
        "partner_code": _TEXT,
        "employee_id": _TEXT,
        "salesforce_id": _TEXT,
        "consent_marketing": EntityField("enum", values=("true", "false")),
        "last_modified": _KEY,
    }
)

#: I6: one line of one revision of an order. ``order_ts`` is a moment, written as ISO 8601 with its offset.
ORDER: Mapping[str, EntityField] = MappingProxyType(
    {
        "channel": _KEY,
        "order_no": _KEY,
        "revision": _DUE_COUNT,
        "order_ts": _KEY,
        "partner_code": _TEXT,
        "employee_id": _TEXT,
        "customer_no": _TEXT,
        "currency": _KEY,
        "line_no": _DUE_COUNT,
        "sku": _KEY,
        "qty": _DUE_COUNT,
        "unit_price": _DUE_AMOUNT,
        "discount": _AMOUNT,
        "tax": _AMOUNT,
        "points_tendered": _AMOUNT,
        "cash_tendered": _AMOUNT,
        "promo_code": _TEXT,
        "ship_to_country": _TEXT,
        "ship_to_postal": _PERSONAL,
        "status": _KEY,
    }
)

#: I7: how much of one line of an order went with one shipment.
SHIPMENT: Mapping[str, EntityField] = MappingProxyType(
    {
        "shipment_id": _KEY,
        "order_no": _KEY,
        "line_no": _DUE_COUNT,
        "sku": _KEY,
        "qty_shipped": _DUE_COUNT,
        "carrier": _TEXT,
        "tracking_no": _TEXT,
        "ship_ts": _KEY,
        "warehouse": _KEY,
    }
)

#: I8: what came back of one line of an order, and what is owed for it.
RETURN: Mapping[str, EntityField] = MappingProxyType(
    {
        "return_no": _KEY,
        "order_no": _KEY,
        "line_no": _DUE_COUNT,
        "sku": _KEY,
        "qty": _DUE_COUNT,
        "reason_code": _KEY,
        "condition": _TEXT,
        "received_ts": _KEY,
        "refund_points": _AMOUNT,
        "refund_cash": _AMOUNT,
        "restock": EntityField("enum", values=("true", "false")),
    }
)

#: I13: one line of one revision of a quote. ``sales_rep`` is a staff number, no name.
QUOTE: Mapping[str, EntityField] = MappingProxyType(
    {
        "quote_no": _KEY,
        "revision": _DUE_COUNT,
        "partner_code": _TEXT,
        "customer_no": _KEY,
        "quote_ts": _KEY,
        "valid_until": _DUE_DAY,
        "currency": _KEY,
        "line_no": _DUE_COUNT,
        "sku": _KEY,
        "qty": _DUE_COUNT,
        "unit_price": _DUE_AMOUNT,
        "discount_pct": EntityField("decimal", scale=4),
        "sales_rep": _TEXT,
        "status": _KEY,
    }
)

#: I14: somebody who may become a customer.
LEAD: Mapping[str, EntityField] = MappingProxyType(
    {
        "source": _KEY,
        "lead_id": _KEY,
        "created_ts": _KEY,
        "first_name": _PERSONAL,
        "last_name": EntityField(nullable=False, personal=True),
        "company": _TEXT,
        "email": EntityField(nullable=False, personal=True),
        "phone": _PERSONAL,
        "postal": _PERSONAL,
        "country": _KEY,
        "product_interest": _TEXT,
        "campaign": _TEXT,
        "consent": _FLAG,
    }
)

#: I15: what SAP or NetSuite says of one posting.
ERP_ACK: Mapping[str, EntityField] = MappingProxyType(
    {
        "system": EntityField("enum", nullable=False, values=("sap", "netsuite")),
        "posting_id": _KEY,
        "company_code": _KEY,
        "doc_no": _TEXT,
        "fiscal_year": _COUNT,
        "status": EntityField("enum", nullable=False, values=("POSTED", "REJECTED")),
        "message": _TEXT,
        "posted_ts": _KEY,
    }
)

#: The kinds of rows that a layout may describe.
Entity: TypeAlias = Literal[
    "roster", "accrual", "code_table", "allowance_plan", "opening_balance", "adjustment", "product", "price", "stock",
    "customer", "order", "shipment", "return", "quote", "lead", "erp_ack",
]  # fmt: skip
ENTITY_NAMES: Final[tuple[Entity, ...]] = get_args(Entity)
#: Rows that are the retailer's own: no partner's file may bring them.
HOUSE: Final[frozenset[str]] = frozenset({"product", "price", "stock", "customer", "erp_ack"})
#: Rows that whoever may drop a file may bring. Any other layout that partners share has to be listed in the manifest.
UNASKED: Final[frozenset[str]] = frozenset({"roster", "accrual"})

#: Fields that say to which line of which document a row belongs; they are read apart when the row is refused.
PLACES: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "order": ("channel", "order_no", "revision", "line_no"),
        "shipment": ("order_no", "shipment_id", "line_no"),
        "return": ("return_no", "line_no"),
        "quote": ("quote_no", "revision", "line_no"),
        "lead": ("source", "lead_id"),
    }
)

ENTITIES: Mapping[str, Mapping[str, EntityField]] = MappingProxyType(
    {
        "roster": ROSTER,
        "accrual": ACCRUAL,
        "code_table": CODE_TABLE,
        "allowance_plan": ALLOWANCE_PLAN,
        "opening_balance": OPENING_BALANCE,
        "adjustment": ADJUSTMENT,
        "product": PRODUCT,
        "price": PRICE,
        "stock": STOCK,
        "customer": CUSTOMER,
        "order": ORDER,
        "shipment": SHIPMENT,
        "return": RETURN,
        "quote": QUOTE,
        "lead": LEAD,
        "erp_ack": ERP_ACK,
    }
)
