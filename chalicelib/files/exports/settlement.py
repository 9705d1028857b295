"""O9: a settlement, or a counter-document, for the partner and for SAP."""

from collections.abc import Iterator
from decimal import Decimal
from typing import Final

from sqlalchemy.engine import Connection

from chalicelib.access.scopes import Scope
from chalicelib.errors import NOT_YOURS, NotFound
from chalicelib.files.exporting.registry import Asked, Export, Row
from chalicelib.points.finance import figures, settlements
from chalicelib.storage.ids import raw_id


def rows(db: Connection, asked: Asked) -> Iterator[Row]:
    """A row for each program. Raises NotFound for a settlement of another partner."""
    assert asked.partner is not None  # noqa: S101 - an export for partners only
    found = settlements.by_id(db, raw_id("stl", asked.reference or ""))
    if found.partner_id != asked.partner.id:
        raise NotFound(NOT_YOURS)
    for line in figures.stored(db, found.id):
        yield {
            "settlement_id": found.reference,
            "program_code": line.program_code,
            "points_redeemed": Decimal(line.redeemed_minor - line.refunded_minor).scaleb(-line.scale),
            "value": Decimal(line.value_minor).scaleb(-line.decimals),
            "fees": Decimal(line.fees_minor).scaleb(-line.decimals),
            "tax": Decimal(line.tax_minor).scaleb(-line.decimals),
            "total": Decimal(line.total_minor).scaleb(-line.decimals),
            "currency": line.currency,
            "invoice_ref": f"{asked.partner.code}-{found.period}-{found.part}",
        }


def _stem(asked: Asked) -> str:
    assert asked.partner is not None  # noqa: S101 - an export for partners only
    return f"settlement_{asked.partner.code}_{asked.reference}"


EXPORT: Final = Export("settlement", rows, scopes=frozenset({Scope.LEDGER_READ}), has_reference=True, stem=_stem)
