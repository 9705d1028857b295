"""/v1/products: the retailer's articles, what they cost and where they are.

Only the retailer's own systems write here. A partner reads the articles that have a price for it, with its own prices.
"""

from collections.abc import Sequence
from datetime import date, datetime
from typing import Annotated, Any, Literal

from chalice.app import Blueprint
from pydantic import Field

from chalicelib.access import audit
from chalicelib.access.scopes import Scope
from chalicelib.errors import Fault, InvalidInput, NotFound, NotPermitted, Unavailable, Unprocessable
from chalicelib.partners import directory
from chalicelib.partners.house import moments, prices, products, stock
from chalicelib.partners.house.prices import Price, PriceRow
from chalicelib.partners.house.products import ProductRow
from chalicelib.partners.house.stock import StockRow
from chalicelib.partners.provenance import BY_API, Told
from chalicelib.storage.ids import public_id
from chalicelib.web.amounts import DecimalText
from chalicelib.web.call import Call
from chalicelib.web.endpoint import endpoint
from chalicelib.web.paths import Sku
from chalicelib.web.shapes import Body, Day, Moment, PublicId, Query, View, Written

blueprint = Blueprint(__name__)

_ROWS_MAX = 500
_Key = Annotated[
    str, Field(min_length=1, max_length=64), Written(r"\S(?:.*\S)?", "It neither begins nor ends with a space.")
]
_Text = Annotated[str | None, Field(min_length=1, max_length=200)]
_Currency = Annotated[str, Written("[A-Z]{3}", "A currency is three capital letters, such as USD.")]
_Outcome = Literal["accepted", "duplicate", "ignored"]


class ProductBody(Body):
    """What an article is from a day on."""

    name: str = Field(min_length=1, max_length=200, examples=["Pilot shirt, white"])
    category: str = Field(min_length=1, max_length=200, description="The garment group.", examples=["shirts"])
    uom: str = Field(min_length=1, max_length=200, description="The unit in which it is sold.", examples=["EA"])
    style: _Text = None
    department: _Text = None
    size: _Text = None
    color: _Text = None
    gl_class: _Text = Field(None, description="By which SAP posts it.")
    uniform: bool = Field(description="Whether it is part of a uniform.")
    weight: DecimalText | None = Field(None, description="In kilograms.")
    active: bool = Field(description="False: it is not sold any more.")
    effective_date: Day = Field(description="The first day on which it is so.")


class PriceBody(Body):
    """One price, of one piece."""

    price_book: _Key = Field(examples=["us-2026"])
    partner_code: str | None = Field(None, description="Null: of every partner that has none of its own in the book.")
    currency: _Currency = Field(examples=["USD"])
    list_price: DecimalText
    contract_price: DecimalText | None = None
    points_price: DecimalText | None = Field(None, description="In the unit of the partner's program.")
    min_qty: int = Field(1, ge=0, le=10**9, description="From how many pieces on.")
    valid_from: Day
    valid_to: Day | None = Field(None, description="The last day; null: until another price begins.")


class PricesBody(Body):
    """Prices of the article; all are taken over, or none."""

    prices: list[PriceBody] = Field(min_length=1, max_length=_ROWS_MAX)


class StockBody(Body):
    """How many pieces are in one place."""

    location_code: _Key = Field(examples=["DC-01"])
    on_hand: int = Field(ge=-(10**12), le=10**12)
    reserved: int = Field(ge=-(10**12), le=10**12)
    available: int = Field(ge=-(10**12), le=10**12, description="Below zero: more was promised than there is.")
    source_seq: int = Field(ge=0, le=2**63 - 1, description="Grows with each report of the source; older are ignored.")
    as_of: Moment


class InventoryBody(Body):
    """Reports about the article; all are taken over, or none."""

    locations: list[StockBody] = Field(min_length=1, max_length=_ROWS_MAX)


class PriceView(View):
    """What the article costs in one price book."""

    price_book: str
    partner_id: PublicId | None = Field(description="Null: of every partner that has none of its own.")
    currency: str
    list_price: str
    contract_price: str | None
    points_price: str | None
    min_qty: int
    valid_from: date
    valid_to: date | None


class StockView(View):
    """How many pieces are in one place."""

    location_code: str
    on_hand: int
    reserved: int
    available: int
    source_seq: int
    as_of: datetime


class ProductView(View):
    """An article as it is on a day, what it costs then, and where it is now."""

    sku: str
    name: str
    category: str
    uom: str
    style: str | None
    department: str | None
    size: str | None
    color: str | None
    gl_class: str | None
    uniform: bool
    weight: str | None
    active: bool
    effective_date: date
    prices: list[PriceView]
    available: int = Field(description="Over all places.")
    inventory: list[StockView]


class WrittenView(View):
    """What became of each statement, in order: ``ignored`` is older than what is known."""

    sku: str
    outcomes: list[_Outcome]


class ProductQuery(Query):
    """When, and for whom."""

    on: Day | None = Field(None, description="The day; null: today in UTC.", examples=["2026-11-20"])
    partner_id: str | None = Field(
        None, description="Id or code of the partner whose prices are asked for.", examples=["aurora-air"]
    )


@endpoint(blueprint, "GET /v1/products/{sku}", scope=Scope.CATALOG_READ, raises=[NotFound])
def get_product(call: Call, sku: Sku, query: ProductQuery) -> ProductView:
    """Show an article with its prices for a partner and its stock."""
    partner_id = call.partner_scope
    if query.partner_id is not None:
        partner_id = directory.named(call.db, query.partner_id).id
        call.require_partner(partner_id)
    day = query.on or call.now.date()
    found = products.of(call.db, [sku], on=day).get(sku)
    costs = prices.of(call.db, [sku], on=day, partner_id=partner_id)
    if found is None or (call.partner_scope is not None and not costs):
        raise NotFound(_UNKNOWN)
    places = stock.of(call.db, [sku]).get(sku, [])
    own = {name: getattr(found, name) for name in ProductView.model_fields if hasattr(found, name)}
    return ProductView(
        **own | {"weight": None if found.weight is None else str(found.weight)},
        prices=[_price(each) for each in costs],
        available=sum(each.available for each in places),
        inventory=[StockView(**{name: getattr(each, name) for name in StockView.model_fields}) for each in places],
    )


@endpoint(
    blueprint,
    "PUT /v1/products/{sku}",
    scope=Scope.CATALOG_WRITE,
    raises=[InvalidInput, NotFound, NotPermitted, Unavailable, Unprocessable],
)
def put_product(call: Call, sku: Sku, body: ProductBody) -> WrittenView:
    """Say what an article is from a day on; another word about the same day corrects the earlier one."""
    _require_house(call, sku)
    given = body.model_dump(exclude={"uniform", "active"})
    flags = {"uniform_flag": _flag(on=body.uniform), "active": _flag(on=body.active)}
    row = ProductRow(sku=sku, **given, **flags)  # type: ignore[typeddict-item]
    told = products.record(call.db, [row], sources=[BY_API], caller=call.caller, now=call.now)
    return _written(call, sku, told, "product.put", "", {"effective_date": body.effective_date})


@endpoint(
    blueprint,
    "PUT /v1/products/{sku}/prices",
    scope=Scope.CATALOG_WRITE,
    raises=[InvalidInput, NotFound, NotPermitted, Unavailable, Unprocessable],
)
def put_prices(call: Call, sku: Sku, body: PricesBody) -> WrittenView:
    """Say what an article costs from one day to another, in price books and by partners' contracts."""
    _require_house(call, sku)
    rows = [PriceRow(sku=sku, **each.model_dump()) for each in body.prices]  # type: ignore[typeddict-item]
    told = prices.record(call.db, rows, sources=[BY_API] * len(rows), caller=call.caller, now=call.now)
    return _written(call, sku, told, "product.prices_put", "prices", {"prices": len(rows)})


@endpoint(
    blueprint,
    "PUT /v1/products/{sku}/inventory",
    scope=Scope.CATALOG_WRITE,
    raises=[InvalidInput, NotFound, NotPermitted, Unavailable, Unprocessable],
)
def put_inventory(call: Call, sku: Sku, body: InventoryBody) -> WrittenView:
    """Report how much of an article is in which place; reports older than the one known are ignored."""
    _require_house(call, sku)
    rows = [
        StockRow(sku=sku, **each.model_dump() | {"as_of": moments.written(each.as_of)})  # type: ignore[typeddict-item]
        for each in body.locations
    ]
    told = stock.record(call.db, rows, sources=[BY_API] * len(rows), caller=call.caller, now=call.now)
    return _written(call, sku, told, "product.inventory_put", "locations", {"locations": len(rows)})


_UNKNOWN = "There is no such article, or none that the partner has a price for."


def _require_house(call: Call, sku: str) -> None:
    """Refuse whoever acts for one partner: as if there were no article where it sees none."""
    if call.partner_scope is None:
        return
    if not prices.of(call.db, [sku], on=call.now.date(), partner_id=call.partner_scope):
        raise NotFound(_UNKNOWN)
    raise NotPermitted("Articles are the retailer's own: a partner changes none.", code="not_the_house")


def _written(
    call: Call, sku: str, told: Sequence[Told], action: str, within: str, after: dict[str, Any]
) -> WrittenView:
    faults = [
        Fault(f"/{within}/{at}/{each.column}" if within else f"/{each.column}", each.code or "", each.message or "")
        for at, each in enumerate(told)
        if each.outcome == "rejected"
    ]
    if faults:
        raise Unprocessable(faults[0].message, code=faults[0].code, faults=faults)
    if any(each.outcome == "accepted" for each in told):
        audit.record(call.db, caller=call.caller, action=action, subject=sku, after=after, now=call.now)
    return WrittenView(sku=sku, outcomes=[each.outcome for each in told if each.outcome != "rejected"])


def _price(found: Price) -> PriceView:
    own = {name: getattr(found, name) for name in PriceView.model_fields if name != "partner_id"}
    partner_id = None if found.partner_id is None else public_id("par", found.partner_id)
    return PriceView(**own, partner_id=partner_id)


def _flag(*, on: bool) -> str:
    return "true" if on else "false"
