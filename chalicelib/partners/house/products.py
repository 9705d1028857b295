"""Articles: what each is from a day on, as SAP or the product information system says (I9)."""

from collections.abc import Collection, Mapping, Sequence
from datetime import date, datetime
from decimal import Decimal
from typing import Final, TypedDict

from sqlalchemy import select
from sqlalchemy.engine import Connection

from chalicelib.access.caller import Caller
from chalicelib.language import parse_json
from chalicelib.language.rounding import plain
from chalicelib.partners.house import words
from chalicelib.partners.house.words import Word
from chalicelib.partners.models.house import product_version as table
from chalicelib.partners.provenance import RowSource, Told, refused, unusable
from chalicelib.records import dataclass
from chalicelib.storage import bulk

SKU_CHARACTERS_MAX: Final = 64
_TEXT_CHARACTERS_MAX: Final = 200
_KEY: Final = ("sku", "effective_date")
_TEXTS: Final = ("name", "category", "uom", "style", "department", "size", "color", "gl_class")


class ProductRow(TypedDict):
    """One article from a day on, typed (layout I9). ``weight`` is in kilograms; flags are "true" or "false"."""

    sku: str
    style: str | None
    name: str
    category: str
    department: str | None
    size: str | None
    color: str | None
    uom: str
    gl_class: str | None
    uniform_flag: str
    weight: Decimal | None
    active: str
    effective_date: date


@dataclass(frozen=True, slots=True)
class Product:
    """An article as it is on a day. ``category`` is its garment group; not ``active``: it is not sold any more."""

    sku: str
    effective_date: date
    version: int
    name: str
    category: str
    uom: str
    style: str | None
    department: str | None
    size: str | None
    color: str | None
    gl_class: str | None
    uniform: bool
    weight: Decimal | None
    active: bool


def record(
    db: Connection, rows: Sequence[ProductRow], *, sources: Sequence[RowSource], caller: Caller, now: datetime
) -> list[Told]:
    """Add what the rows say, in order; one outcome each.

    Another word about the same article and day corrects the earlier one, which is kept. Raises nothing for bad rows.
    """
    told: dict[int, Told] = {}
    said: dict[int, Word] = {}
    for at, row in enumerate(rows):
        wrong = _unusable(row)
        if wrong is None:
            said[at] = Word((row["sku"], row["effective_date"]), _content(row))
        else:
            told[at] = wrong
    told |= words.add(db, table, _KEY, said, sources=sources, caller=caller, now=now)
    return [told[at] for at in range(len(rows))]


def of(db: Connection, skus: Collection[str], *, on: date) -> dict[str, Product]:
    """The articles of these numbers as they are on a day, by number; those that are not known yet are left out."""
    found: dict[str, Product] = {}
    for chunk in bulk.in_chunks(sorted(set(skus))):
        rows = db.execute(
            select(table.c.sku, table.c.effective_date, table.c.version, table.c.content)
            .where(table.c.sku.in_(chunk), table.c.effective_date <= on, table.c.version >= 0)
            .order_by(table.c.sku, table.c.effective_date, table.c.version)
        )
        # The last one of each is the one that holds.
        latest = {row.sku: row for row in rows}
        for sku, row in latest.items():
            content = parse_json(row.content)
            weight = content.pop("weight")
            weighs = None if weight is None else Decimal(weight)
            found[sku] = Product(
                sku=sku, effective_date=row.effective_date, version=row.version, weight=weighs, **content
            )
    return found


def unusable_sku(sku: str) -> Told | None:
    """Why an article's number cannot be kept."""
    return unusable("sku", sku, SKU_CHARACTERS_MAX)


def _unusable(row: ProductRow) -> Told | None:
    fields: Mapping[str, object] = row
    for name in _TEXTS:
        text = fields[name]
        if isinstance(text, str) and len(text) > _TEXT_CHARACTERS_MAX:
            return refused("too_long", name, f"{name} has more than {_TEXT_CHARACTERS_MAX} characters.")
    if row["weight"] is not None and row["weight"] < 0:
        return refused("below_minimum", "weight", "Nothing weighs less than nothing.")
    return unusable_sku(row["sku"])


def _content(row: ProductRow) -> dict[str, object]:
    fields: Mapping[str, object] = row
    weight = row["weight"]
    return {
        **{name: fields[name] for name in _TEXTS},
        "uniform": row["uniform_flag"] == "true",
        "active": row["active"] == "true",
        "weight": None if weight is None else plain(weight),
    }
