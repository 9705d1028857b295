"""Prices: what an article costs in a price book, in money and in points, for everybody or by one partner's contract."""

from collections.abc import Collection, Iterable, Sequence
from datetime import date, datetime
from decimal import Decimal
from typing import Any, Final, TypedDict

from sqlalchemy import Row
from sqlalchemy.engine import Connection

from chalicelib.access.caller import Caller
from chalicelib.errors import InvalidInput
from chalicelib.language import parse_json
from chalicelib.language.rounding import plain
from chalicelib.partners import directory
from chalicelib.partners.account_ids import HOUSE
from chalicelib.partners.house import currencies, words
from chalicelib.partners.house.products import unusable_sku
from chalicelib.partners.house.words import Word
from chalicelib.partners.models.house import price_version as table
from chalicelib.partners.provenance import RowSource, Told, refused, unusable
from chalicelib.records import dataclass
from chalicelib.storage import bulk
from chalicelib.web import amounts

_KEY: Final = ("sku", "price_book", "partner_id", "valid_from")
_PRICE_BOOK_CHARACTERS_MAX: Final = 64
_AMOUNT_MAX: Final = Decimal(10) ** 12
_QUANTITY_MAX: Final = Decimal(10) ** 9


class PriceRow(TypedDict):
    """One price, typed (layout I10). Prices are of one piece; ``partner_code`` None: for all without an own price."""

    sku: str
    price_book: str
    partner_code: str | None
    currency: str
    list_price: Decimal
    contract_price: Decimal | None
    points_price: Decimal | None
    min_qty: Decimal | None
    valid_from: date
    valid_to: date | None


@dataclass(frozen=True, slots=True)
class Price:
    """What an article costs. Money is text at the currency's scale; points are in the unit of the partner's program.

    ``partner_id`` None: for every partner that has no price of its own in the book.
    """

    sku: str
    price_book: str
    partner_id: bytes | None
    currency: str
    list_price: str
    contract_price: str | None
    points_price: str | None
    min_qty: int
    valid_from: date
    valid_to: date | None


def record(
    db: Connection, rows: Sequence[PriceRow], *, sources: Sequence[RowSource], caller: Caller, now: datetime
) -> list[Told]:
    """Add what the rows say, in order; one outcome each.

    Another word about the same article, book, partner and first day corrects the earlier one, which is kept. Raises
    nothing for bad rows.
    """
    known = partner_ids(db, (row["partner_code"] for row in rows))
    told: dict[int, Told] = {}
    said: dict[int, Word] = {}
    for at, row in enumerate(rows):
        wrong = _unusable(row)
        partner_id = HOUSE if row["partner_code"] is None else known.get(row["partner_code"])
        if partner_id is None:
            told[at] = unknown_partner()
        elif wrong is not None:
            told[at] = wrong
        else:
            said[at] = Word((row["sku"], row["price_book"], partner_id, row["valid_from"]), _content(row))
    told |= words.add(db, table, _KEY, said, sources=sources, caller=caller, now=now)
    return [told[at] for at in range(len(rows))]


def of(db: Connection, skus: Collection[str], *, on: date, partner_id: bytes | None) -> list[Price]:
    """What the articles cost a partner on a day, by article and book; with ``partner_id`` None, everybody's prices.

    A partner's own price goes before everybody's in the same book, and a price that begins later before an earlier one.
    """
    asked = {HOUSE} if partner_id is None else {HOUSE, partner_id}
    found: dict[tuple[str, str], Price] = {}
    for chunk in bulk.in_chunks(sorted(set(skus))):
        rows = db.execute(
            words.latest(table, _KEY).where(
                table.c.sku.in_(chunk), table.c.partner_id.in_(sorted(asked)), table.c.valid_from <= on
            )
        )
        prices = [price for price in map(_price, rows) if price.valid_to is None or price.valid_to >= on]
        for price in sorted(prices, key=lambda each: (each.partner_id is not None, each.valid_from)):
            found[price.sku, price.price_book] = price
    return [found[place] for place in sorted(found)]


def partner_ids(db: Connection, codes: Iterable[str | None]) -> dict[str, bytes]:
    """The ids of the partners of these codes; unknown ones are left out."""
    found = {code: directory.by_code(db, code) for code in sorted({code for code in codes if code is not None})}
    return {code: partner.id for code, partner in found.items() if partner is not None}


def unknown_partner() -> Told:
    """The refusal of a row that names a partner that there is not."""
    return refused("unknown_partner", "partner_code", "There is no partner of this code.")


def _unusable(row: PriceRow) -> Told | None:
    wrong = unusable_sku(row["sku"]) or unusable("price_book", row["price_book"], _PRICE_BOOK_CHARACTERS_MAX)
    if wrong is not None:
        return wrong
    if not currencies.is_one(row["currency"]):
        return refused("bad_currency", "currency", "A currency is three letters, such as USD.")
    wrong = _bad_amount(row)
    if wrong is not None:
        return wrong
    if row["valid_to"] is not None and row["valid_to"] < row["valid_from"]:
        return refused("ends_before_it_starts", "valid_to", "The price ends before it starts.")
    if row["min_qty"] is not None and not 0 <= row["min_qty"] <= _QUANTITY_MAX:
        return refused("quantity_out_of_range", "min_qty", f"A quantity is from 0 to {_QUANTITY_MAX:,}.")
    return None


def _bad_amount(row: PriceRow) -> Told | None:
    scale = currencies.scale(row["currency"])
    given = {"list_price": row["list_price"], "contract_price": row["contract_price"]}
    for name, amount in {**given, "points_price": row["points_price"]}.items():
        if amount is not None and not 0 <= amount <= _AMOUNT_MAX:
            return refused("amount_out_of_range", name, f"A price is from 0 to {_AMOUNT_MAX:,}.")
    for name, amount in given.items():
        try:
            amounts.minor(amount or Decimal(0), scale)
        except InvalidInput as error:
            return refused(error.code, name, error.message)
    return None


def _content(row: PriceRow) -> dict[str, object]:
    def money(amount: Decimal | None) -> str | None:
        scale = currencies.scale(row["currency"])
        return None if amount is None else amounts.text(amounts.minor(amount, scale), scale)

    points = row["points_price"]
    return {
        "currency": row["currency"],
        "list_price": money(row["list_price"]),
        "contract_price": money(row["contract_price"]),
        "points_price": None if points is None else plain(points),
        "min_qty": 1 if row["min_qty"] is None else int(row["min_qty"]),
        "valid_to": None if row["valid_to"] is None else row["valid_to"].isoformat(),
    }


def _price(row: Row[Any]) -> Price:
    content = parse_json(row.content)
    until = content.pop("valid_to")
    return Price(
        sku=row.sku,
        price_book=row.price_book,
        partner_id=None if row.partner_id == HOUSE else row.partner_id,
        valid_from=row.valid_from,
        valid_to=None if until is None else date.fromisoformat(until),
        **content,
    )
