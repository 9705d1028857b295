"""O3: lines of the books' documents, for SAP. Every document is in exactly one delta, whole."""

from collections.abc import Iterator, Sequence
from decimal import Decimal
from typing import Final

from sqlalchemy import select
from sqlalchemy.engine import Connection

from chalicelib.access.scopes import Scope
from chalicelib.files.exporting.registry import Asked, Export, Row
from chalicelib.files.models.files import export_mark
from chalicelib.partners.models.partners import partner
from chalicelib.points.models.books import posting, posting_line
from chalicelib.storage.ids import public_id, raw_id

NAME: Final = "sap_postings"
#: A document never changes, so it has one version.
_VERSION: Final = 1


def rows(db: Connection, asked: Asked) -> Iterator[Row]:
    """The lines of documents that were not sent yet; in full, of all of them. In the order of their posting."""
    query = (
        select(posting, posting_line, partner.c.code.label("partner_code"))
        .join(posting_line, posting_line.c.posting_id == posting.c.id)
        .join(partner, partner.c.id == posting.c.partner_id)
        .order_by(posting.c.seq, posting_line.c.line_no)
    )
    if asked.mode == "delta":
        sent = (
            (export_mark.c.key == posting.c.id)
            & (export_mark.c.export == NAME)
            & (export_mark.c.receiver == asked.receiver)
        )
        query = query.outerjoin(export_mark, sent).where(export_mark.c.version.is_(None))
    noted = b""
    for row in db.execute(query).mappings():
        if asked.mode == "delta" and row["id"] != noted:
            noted = row["id"]
            asked.marks.note(noted, _VERSION)
        yield {
            "posting_id": public_id("pst", row["id"]),
            "company_code": row["company_code"],
            "doc_type": row["doc_type"],
            "posting_date": row["posting_date"],
            "period": row["period"],
            "line_no": row["line_no"],
            "gl_account": row["gl_account"],
            "cost_center": row["cost_center"],
            "profit_center": row["profit_center"],
            "dr_cr": row["dr_cr"],
            "amount": Decimal(row["amount_minor"]).scaleb(-row["decimals"]),
            "currency": row["currency"],
            "assignment": row["assignment"],
            "text": row["text"],
            "partner_code": row["partner_code"],
            "source_type": row["source_type"],
            "source_id": public_id("stl", row["source_id"]),
        }


def marks_of(_db: Connection, _asked: Asked, found: Sequence[Row]) -> Iterator[tuple[bytes, int]]:
    """Which documents a file that was written has."""
    for reference in dict.fromkeys(row["posting_id"] for row in found):
        yield raw_id("pst", reference), _VERSION


EXPORT: Final = Export(
    NAME,
    rows,
    scopes=frozenset({Scope.LEDGER_READ}),
    system="sap",
    partners=False,
    deltas=True,
    marks_of=marks_of,
    skip_empty=True,
)
