"""Rows of files that have been taken in: the accrual that one became, or what a rejected one says by its layout."""

from typing import cast

from sqlalchemy import select
from sqlalchemy.engine import Connection

from chalicelib.errors import NotFound, Unprocessable
from chalicelib.files.formats.reading import one_record
from chalicelib.files.intake import applying
from chalicelib.files.models.files import file_row
from chalicelib.files.register.refusals import RowRefused
from chalicelib.files.register.register import InboundFile
from chalicelib.files.rows.tallies import unseal
from chalicelib.partners import directory
from chalicelib.partners.directory import Partner
from chalicelib.points.deciding.events import NewAccrual
from chalicelib.points.ledger import history
from chalicelib.points.ledger.history import Event
from chalicelib.points.models.ledger import accrual_event


def accepted(db: Connection, file: InboundFile, row_no: int) -> Event | None:
    """The accrual that a row became; None of a row that was rejected or ignored, or that is not there."""
    found = db.execute(
        select(accrual_event.c.id).where(
            accrual_event.c.source_file_id == file.id,
            accrual_event.c.row_no == row_no,
            # Below zero: recorded anew when the file was processed again.
            accrual_event.c.generation >= 0,
        )
    ).scalar_one_or_none()
    return None if found is None else history.event(db, found)


def rejected(db: Connection, file: InboundFile, row_no: int) -> tuple[Partner, NewAccrual]:
    """The event that a rejected row of a file of accruals tells of, and whose it is.

    Raises NotFound for a row that is not kept: only rejected ones are, accepted ones are accruals. Unprocessable
    (``row_unreadable``) when the layout refuses it still.
    """
    row = db.execute(
        select(file_row).where(
            file_row.c.file_id == file.id, file_row.c.row_no == row_no, file_row.c.outcome == "rejected"
        )
    ).first()
    if row is None or file.entity != "accrual" or file.partner_id is None:
        raise NotFound(f"The file has no rejected accrual in row {row_no}.")
    partner = directory.known(db, file.partner_id)
    work = applying.work_of(db, file, partner)
    said = work.translator.row(one_record(unseal(row.raw, file.id), work.reading.layout.spec.format))
    if isinstance(said, RowRefused):
        raise Unprocessable(f"The layout refuses the row still: {said.message}", code="row_unreadable")
    return partner, cast("NewAccrual", said)
