"""O7 of one member: asked for by the month and the member, ``2026-10 mbr_…``."""

from collections.abc import Iterator
from typing import Final

from sqlalchemy.engine import Connection

from chalicelib.errors import NOT_YOURS, NotFound
from chalicelib.files.exporting.registry import Asked, Export, Row
from chalicelib.files.exports.statement import SCOPES, row_of
from chalicelib.partners.members import members
from chalicelib.points.finance import months, statements
from chalicelib.storage.ids import raw_id


def rows(db: Connection, asked: Asked) -> Iterator[Row]:
    """A row for each program in which the member ever had an entry by the end of the month.

    Raises InvalidInput, NotFound for a member of another partner.
    """
    assert asked.partner is not None  # noqa: S101 - an export for partners only
    month, member = parts(asked.reference or "")
    member_id = raw_id("mbr", member)
    found = members.by_ids(db, [member_id]).get(member_id)
    if found is None or found.partner_id != asked.partner.id:
        raise NotFound(NOT_YOURS)
    for each in statements.of(db, asked.partner.id, months.named(month, asked.partner), member_id=member_id):
        yield row_of(each)


def parts(reference: str) -> tuple[str, str]:
    """The month and the member's id in a reference."""
    month, _, member = reference.partition(" ")
    return month, member


def _stem(asked: Asked) -> str:
    month, member = parts(asked.reference or "")
    return f"statement_{member}_{month}"


EXPORT: Final = Export("member_statement", rows, scopes=SCOPES, has_reference=True, stem=_stem)
