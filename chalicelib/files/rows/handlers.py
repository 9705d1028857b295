"""Which room keeps which kind of row: the batch function that takes it, and the table with a row for each accepted one.

Rosters, accruals and code tables came first and have their own ways (``files.rows.recording``,
``files.rows.conserving``); every other entity is one entry here, and conservation, lists of accepted rows and receipts
follow from it.
"""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any, Final

from sqlalchemy import Column, Select, Table, func, select
from sqlalchemy.engine import Connection

from chalicelib.documents import completing, rows
from chalicelib.documents.kinds import KINDS
from chalicelib.documents.models import document_line
from chalicelib.files.register.register import InboundFile
from chalicelib.partners.directory import Partner
from chalicelib.partners.house import allowance_plans, customers, prices, products, stock
from chalicelib.partners.models.house import (
    allowance_plan,
    customer_version,
    price_version,
    product_version,
    stock_version,
)
from chalicelib.partners.provenance import Told
from chalicelib.points.corrections import adjusting_by_file
from chalicelib.points.earning import openings
from chalicelib.points.finance import acknowledgements
from chalicelib.points.models.acknowledgements import posting_acknowledgement
from chalicelib.points.models.ledger import adjustment, opening_balance
from chalicelib.records import dataclass


@dataclass(frozen=True, slots=True)
class Handler:
    """One entity. ``record(db, partner, rows, sources=, caller=, now=)`` gives one ``Told`` a row, in order.

    ``kept`` has ``source_file_id`` and ``row_no`` of every accepted row, exactly once, and the time in ``at``. ``told``
    is what the receipt calls its rows. ``again``: what was true once may be true again, so a file repeats only the
    latest one of its layout. ``gathers``: rows are put together when the file was read, and ``record`` is told with
    ``alone`` that rows are tried again after that. ``also``: further figures of a file.
    """

    record: Callable[..., list[Told]]
    kept: Table
    at: str
    told: str
    again: bool = False
    gathers: bool = False
    also: Callable[[Connection, bytes], dict[str, int]] | None = None

    def rows(self, db: Connection, file: InboundFile) -> int:
        """How many rows the room has of a file."""
        count = select(func.count()).select_from(self.kept).where(self._file == file.id)
        return int(db.execute(count).scalar_one())

    def accepted(self, file: InboundFile, *, after: int, limit: int) -> Select[Any]:
        """The accepted rows after row ``after``: ``row_no`` and ``recorded_at``."""
        row_no = self.kept.c.row_no
        found = select(row_no, self.kept.c[self.at].label("recorded_at")).where(self._file == file.id, row_no > after)
        return found.order_by(row_no).limit(limit)

    @property
    def _file(self) -> Column[bytes]:
        return self.kept.c.source_file_id


def _of_house(record: Callable[..., list[Told]]) -> Callable[..., list[Told]]:
    """The function of a room that keeps what is the retailer's own: it asks for no partner."""

    def of_partner(db: Connection, partner: Partner, rows: Sequence[Any], **given: Any) -> list[Told]:  # noqa: ANN401, ARG001 - passed on as it comes
        return record(db, rows, **given)

    return of_partner


def _customers(db: Connection, rows: Sequence[Any], **given: Any) -> list[Told]:  # noqa: ANN401 - passed on as it comes
    return [each.told for each in customers.record(db, rows, **given)]


def _of_documents(kind: str, told: str) -> Handler:
    record = partial(rows.record, kind=KINDS[kind])
    return Handler(record, document_line, "recorded_at", told, gathers=True, also=completing.figures)


HANDLERS: Final[Mapping[str, Handler]] = {
    "allowance_plan": Handler(allowance_plans.record, allowance_plan, "recorded_at", "allowance_plans", again=True),
    "opening_balance": Handler(openings.record, opening_balance, "recorded_at", "opening_balances"),
    "adjustment": Handler(adjusting_by_file.record, adjustment, "created_at", "adjustments"),
    "product": Handler(_of_house(products.record), product_version, "recorded_at", "products", again=True),
    "price": Handler(_of_house(prices.record), price_version, "recorded_at", "prices", again=True),
    "stock": Handler(_of_house(stock.record), stock_version, "recorded_at", "stock"),
    "customer": Handler(_of_house(_customers), customer_version, "recorded_at", "customers"),
    "order": _of_documents("order", "order_lines"),
    "shipment": _of_documents("shipment", "shipment_lines"),
    "return": _of_documents("return", "return_lines"),
    "quote": _of_documents("quote", "quote_lines"),
    "lead": _of_documents("lead", "leads"),
    "erp_ack": Handler(_of_house(acknowledgements.record), posting_acknowledgement, "recorded_at", "acknowledgements"),
}
#: Entities of which a file repeats only the latest of its layout.
AGAIN: Final = frozenset({"code_table", *(name for name, handler in HANDLERS.items() if handler.again)})


def of(entity: str | None) -> Handler | None:
    """The handler of an entity; None for those that have their own ways, and for no entity."""
    return None if entity is None else HANDLERS.get(entity)
