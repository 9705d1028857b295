"""Stock: how much of an article is in one place, as its source last reported (I11)."""

from collections import defaultdict
from collections.abc import Collection, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Final, TypedDict

from sqlalchemy.engine import Connection

from chalicelib.access.caller import Caller
from chalicelib.language import parse_json
from chalicelib.partners.house import moments, words
from chalicelib.partners.house.products import unusable_sku
from chalicelib.partners.house.words import Word
from chalicelib.partners.models.house import stock_version as table
from chalicelib.partners.provenance import RowSource, Told, refused, unusable
from chalicelib.records import dataclass
from chalicelib.storage import bulk

_KEY: Final = ("sku", "location_code")
_LOCATION_CHARACTERS_MAX: Final = 64
_PIECES_MAX: Final = Decimal(10) ** 12
_SEQUENCE_MAX: Final = 2**63 - 1
_COUNTS: Final = ("on_hand", "reserved", "available")


class StockRow(TypedDict):
    """One report, typed (layout I11). Counts are pieces; ``source_seq`` grows with each report of the source."""

    sku: str
    location_code: str
    on_hand: Decimal
    reserved: Decimal
    available: Decimal
    source_seq: Decimal
    as_of: str


@dataclass(frozen=True, slots=True)
class Stock:
    """How much of an article is in one place. ``available`` may be below zero: more was promised than there is."""

    sku: str
    location_code: str
    on_hand: int
    reserved: int
    available: int
    source_seq: int
    as_of: datetime


def record(
    db: Connection, rows: Sequence[StockRow], *, sources: Sequence[RowSource], caller: Caller, now: datetime
) -> list[Told]:
    """Take over the reports, in order; one outcome each.

    A report that is older than the one known of its article and place is ignored; the same number again is a duplicate,
    or refused when it says something else. Raises nothing for bad rows.
    """
    told: dict[int, Told] = {}
    said: dict[int, Word] = {}
    for at, row in enumerate(rows):
        word = _word(row)
        if isinstance(word, Told):
            told[at] = word
        else:
            said[at] = word
    told |= words.add(db, table, _KEY, said, sources=sources, caller=caller, now=now)
    return [told[at] for at in range(len(rows))]


def of(db: Connection, skus: Collection[str]) -> dict[str, list[Stock]]:
    """The latest report of each place of these articles, by article; articles that are nowhere are left out."""
    found: defaultdict[str, list[Stock]] = defaultdict(list)
    for chunk in bulk.in_chunks(sorted(set(skus))):
        for row in db.execute(words.latest(table, _KEY).where(table.c.sku.in_(chunk))):
            content = parse_json(row.content)
            as_of = datetime.fromisoformat(content.pop("as_of"))
            found[row.sku].append(Stock(row.sku, row.location_code, source_seq=row.version, as_of=as_of, **content))
    return dict(found)


def _word(row: StockRow) -> Word | Told:
    wrong = (
        unusable_sku(row["sku"])
        or unusable("location_code", row["location_code"], _LOCATION_CHARACTERS_MAX)
        or _out_of_range(row)
    )
    if wrong is not None:
        return wrong
    as_of = moments.parsed(row["as_of"])
    if as_of is None:
        return refused("bad_moment", "as_of", "A moment is written as 2026-11-20T06:00:00Z, with its offset.")
    counts: dict[str, int | str] = {name: int(row[name]) for name in _COUNTS}
    return Word(
        (row["sku"], row["location_code"]), counts | {"as_of": as_of.isoformat()}, version=int(row["source_seq"])
    )


def _out_of_range(row: StockRow) -> Told | None:
    for name in _COUNTS:
        if abs(row[name]) > _PIECES_MAX:
            return refused("quantity_out_of_range", name, f"There are at most {_PIECES_MAX:,} pieces.")
    if not 0 <= row["source_seq"] <= _SEQUENCE_MAX:
        return refused("quantity_out_of_range", "source_seq", "A sequence number is from 0 to 9223372036854775807.")
    return None
