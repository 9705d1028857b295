"""The kinds of documents: what names one, what is said of the whole, what of each line, and what is personal."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final, Literal, TypeAlias

from chalicelib.records import dataclass

#: How a field is written: an identifier, a text, a moment with its offset, a day, a currency, money in the document's
#: currency, points or a share, pieces.
Form: TypeAlias = Literal["key", "text", "moment", "day", "currency", "money", "number", "pieces"]
#: Which document: its kind's scope and number.
Key: TypeAlias = tuple[str, str]
#: The revision of a document whose sender counts none.
UNCOUNTED: Final = 0


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind. ``scope`` and ``number`` are the fields that name a document.

    ``revised``: the sender counts its revisions, each of which comes whole. ``names_order``: it is about an order that
    has to be known. ``header`` is said once of a document, ``line`` of each of its lines; none where it has no lines.
    """

    name: str
    scope: str | None
    number: str
    header: Mapping[str, Form]
    line: Mapping[str, Form]
    personal: tuple[str, ...] = ()
    revised: bool = False
    names_order: bool = False

    @property
    def keys(self) -> tuple[str, ...]:
        """The fields that say to which revision, and which line of it, a row belongs."""
        scope = () if self.scope is None else (self.scope,)
        return (*scope, self.number, *(("revision",) if self.revised else ()), *(("line_no",) if self.line else ()))


_KINDS: Final = (
    Kind(
        "order",
        "channel",
        "order_no",
        {
            "order_ts": "moment",
            "partner_code": "key",
            "employee_id": "key",
            "customer_no": "key",
            "currency": "currency",
            "ship_to_country": "text",
            "status": "text",
        },
        {
            "sku": "key",
            "qty": "pieces",
            "unit_price": "money",
            "discount": "money",
            "tax": "money",
            "points_tendered": "number",
            "cash_tendered": "money",
            "promo_code": "text",
        },
        personal=("ship_to_postal",),
        revised=True,
    ),
    Kind(
        "shipment",
        "order_no",
        "shipment_id",
        {"carrier": "text", "ship_ts": "moment", "warehouse": "text"},
        {"sku": "key", "qty_shipped": "pieces", "tracking_no": "text"},
        names_order=True,
    ),
    Kind(
        "return",
        None,
        "return_no",
        {"order_no": "key"},
        {
            "sku": "key",
            "qty": "pieces",
            "reason_code": "text",
            "condition": "text",
            "received_ts": "moment",
            "refund_points": "number",
            "refund_cash": "number",
            "restock": "text",
        },
        names_order=True,
    ),
    Kind(
        "quote",
        None,
        "quote_no",
        {
            "partner_code": "key",
            "customer_no": "key",
            "quote_ts": "moment",
            "valid_until": "day",
            "currency": "currency",
            "sales_rep": "text",
            "status": "text",
        },
        {"sku": "key", "qty": "pieces", "unit_price": "money", "discount_pct": "number"},
        revised=True,
    ),
    Kind(
        "lead",
        "source",
        "lead_id",
        {
            "created_ts": "moment",
            "company": "text",
            "country": "text",
            "product_interest": "text",
            "campaign": "text",
            "consent": "text",
        },
        {},
        personal=("first_name", "last_name", "email", "phone", "postal"),
    ),
)
#: Every kind, by the entity of its rows.
KINDS: Final[Mapping[str, Kind]] = MappingProxyType({kind.name: kind for kind in _KINDS})
