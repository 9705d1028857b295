"""O4: lines of orders, for NetSuite. A delta has the orders whose newest whole revision it was not yet sent.

An order that is not whole yet is in no file, and of two revisions that became whole since the last delta only the newer
one is: a revision is in one delta at most, and what holds when a delta is written is in exactly one. What is personal
is never read.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any, Final

from sqlalchemy import RowMapping, select
from sqlalchemy.engine import Connection

from chalicelib.access.scopes import Scope
from chalicelib.documents.models import document, document_version
from chalicelib.files.exporting.registry import Asked, Export, Row
from chalicelib.files.models.files import export_mark
from chalicelib.partners import directory
from chalicelib.partners.directory import Partner
from chalicelib.partners.programs import programs
from chalicelib.points.finance import settlements
from chalicelib.points.finance.settlements import NotSettled
from chalicelib.storage import bulk
from chalicelib.storage.ids import public_id, raw_id

NAME: Final = "netsuite_orders"
#: Orders of one read; each is its whole text.
_ORDERS: Final = bulk.CHUNK
_PREFIX: Final = "ord"


def rows(db: Connection, asked: Asked) -> Iterator[Row]:
    """A row for each line of each order's newest version; in a delta, of those that were not sent yet."""
    after = b""
    companies: dict[bytes, str | None] = {}
    while True:
        found = _some(db, asked, after)
        partners = _partners(db, found)
        for order in found:
            owner = partners[order["partner_id"]]
            concerned = partners.get(order["concerns_id"], owner)
            for each in (concerned, owner):
                if each.id not in companies:
                    companies[each.id] = _company(db, each)
            yield from _lines(asked, order, owner, companies[concerned.id] or companies[owner.id])
        if len(found) < _ORDERS:
            return
        after = found[-1]["id"]


def _some(db: Connection, asked: Asked, after: bytes) -> Sequence[RowMapping]:
    columns = document.c
    query = (
        select(
            columns.id,
            columns.partner_id,
            columns.concerns_id,
            columns.scope,
            columns.number,
            document_version.c.revision,
            document_version.c.content,
        )
        .join(document_version, document_version.c.id == columns.newest_version_id)
        .where(columns.kind == "order", columns.id > after)
    )
    if asked.mode == "delta":
        mark = export_mark.c
        sent = (mark.key == columns.id) & (mark.export == NAME) & (mark.receiver == asked.receiver)
        unsent = mark.version.is_(None) | (mark.version < document_version.c.revision)
        query = query.outerjoin(export_mark, sent).where(unsent)
    return db.execute(query.order_by(columns.id).limit(_ORDERS)).mappings().all()


def _partners(db: Connection, found: Sequence[RowMapping]) -> Mapping[bytes, Partner]:
    """Who sent the orders, and whose employees they are about."""
    named = {order["partner_id"] for order in found} | {order["concerns_id"] for order in found}
    return directory.by_ids(db, sorted(named - {None}))


def _company(db: Connection, partner: Partner) -> str | None:
    """Which of the retailer's companies deals with a partner; None where nothing says so."""
    try:
        return settlements.terms_of(db, partner).company_code
    except NotSettled:
        return None


def _lines(asked: Asked, order: RowMapping, owner: Partner, company: str | None) -> Iterator[Row]:
    # Texts and whole numbers only, which we wrote, of any length.
    content: dict[str, Any] = json.loads(order["content"])
    header = content["header"]
    common = {
        "external_id": public_id(_PREFIX, order["id"]),
        "revision": order["revision"],
        "status": header["status"],
        "tran_date": programs.business_date(datetime.fromisoformat(header["order_ts"]), owner),
        "entity": header["customer_no"],
        "subsidiary": company,
        "currency": header["currency"],
        "location": order["scope"],
        "memo": order["number"],
        "related_quote": None,
    }
    if asked.mode == "delta":
        asked.marks.note(order["id"], order["revision"])
    for line in content["lines"]:
        quantity, rate = int(line["qty"]), Decimal(line["unit_price"])
        yield {
            **common,
            "line_no": int(line["line_no"]),
            "item": line["sku"],
            "quantity": quantity,
            "rate": rate,
            "amount": quantity * rate - Decimal(line["discount"] or 0),
            "points_amount": None if line["points_tendered"] is None else Decimal(line["points_tendered"]),
        }


def marks_of(_db: Connection, _asked: Asked, found: Sequence[Row]) -> Iterator[tuple[bytes, int]]:
    """Which revisions of which orders a file that was written has."""
    for reference, revision in dict.fromkeys((row["external_id"], row["revision"]) for row in found):
        yield raw_id(_PREFIX, reference), revision


EXPORT: Final = Export(
    NAME,
    rows,
    scopes=frozenset({Scope.CUSTOMERS_READ}),
    system="netsuite",
    partners=False,
    deltas=True,
    marks_of=marks_of,
    skip_empty=True,
)
