"""/v1/files/{file_id}/rows and /errors: what became of each row, and the refused ones as their sender wrote them.

Cells of personal and of undeclared columns are shown to keys with the scope ``members:personal``; to others they are
``***``.
"""

import csv
import io
from datetime import datetime
from typing import Literal

from chalice.app import Blueprint
from pydantic import Field
from sqlalchemy.engine import Connection

from chalicelib.access.scopes import Scope
from chalicelib.errors import InvalidInput, NotFound, Unprocessable
from chalicelib.files.answers import receipts, rejects, showing
from chalicelib.files.answers.showing import Cells, RowOutcome
from chalicelib.files.api.files import readable
from chalicelib.files.formats import marking
from chalicelib.files.register.register import InboundFile
from chalicelib.storage.ids import public_id
from chalicelib.web import pages
from chalicelib.web.answers import Attachment
from chalicelib.web.call import Call
from chalicelib.web.endpoint import endpoint
from chalicelib.web.pages import Page, PageQuery
from chalicelib.web.paths import FileId
from chalicelib.web.shapes import PublicId, View

blueprint = Blueprint(__name__)

#: Rows of one CSV answer; more are fetched from hub-out, where there is no limit.
CSV_ROWS_MAX = 5000
_CSV = "text/csv"
_COLUMN = Field(description="The sender's header; of a value made of several columns all of them, with commas between.")


class RowView(View):
    """What became of one row; runs of duplicate or ignored rows are shown as one, up to ``row_to``."""

    row_no: int = Field(description="1 is the first row after the header.")
    row_to: int
    outcome: Literal["accepted", "rejected", "duplicate", "ignored"]
    code: str | None
    column: str | None = _COLUMN
    message: str | None
    fixable: bool = Field(description="Whether the hub tries the row again once a roster has brought the member.")
    accrual_id: PublicId | None
    recorded_at: datetime | None

    @classmethod
    def of(cls, row: RowOutcome) -> "RowView":
        """The view of one outcome."""
        values = row._asdict() | {"accrual_id": None if row.accrual_id is None else public_id("acr", row.accrual_id)}
        return cls.model_validate(values)


class ErrorView(View):
    """One refused row: why, and its cells by header name."""

    row_no: int
    code: str
    column: str | None = _COLUMN
    message: str | None
    fixable: bool
    resubmit_token: str
    cells: dict[str, str]


class RowQuery(PageQuery):
    """Which rows."""

    outcome: Literal["accepted", "rejected", "duplicate", "ignored"] | None = Field(
        None, description="Only rows that ended so."
    )


class ErrorQuery(PageQuery):
    """In which form: pages of JSON, or all rows as one CSV in the sender's layout with the reasons added."""

    format: Literal["json", "csv"] | None = Field(
        None, description="The form; without it, `Accept: text/csv` asks for CSV."
    )


@endpoint(blueprint, "GET /v1/files/{file_id}/rows", scope=Scope.FILES_READ, raises=[NotFound, InvalidInput])
def list_rows(call: Call, file_id: FileId, query: RowQuery) -> Page[RowView]:
    """List what became of each row, in the order of the file."""
    file = readable(call, file_id)
    after = pages.after_seq(call, query) or 0
    rows = showing.rows(call.db, file, outcome=query.outcome, after=after, limit=query.limit + 1)
    return pages.page(call, query, rows, view=RowView.of, position=lambda row: (row.row_no,))


@endpoint(
    blueprint,
    "GET /v1/files/{file_id}/errors",
    scope=Scope.FILES_READ,
    raises=[NotFound, InvalidInput, Unprocessable],
)
def list_errors(call: Call, file_id: FileId, query: ErrorQuery) -> Page[ErrorView] | Attachment:
    """List the rows that are refused and unmended, as JSON or as the CSV of rejects."""
    file = readable(call, file_id)
    after = pages.after_seq(call, query) or 0
    as_csv = query.format == "csv" or (query.format is None and _CSV in call.headers.get("accept", ""))
    layout = showing.layout_of(call.db, file)
    if layout is None or file.header is None or not file.rows_rejected:
        if as_csv:
            raise NotFound("No row of this file is refused.")
        return Page(items=[], next_cursor=None)
    cells = Cells(layout, file, personal=Scope.MEMBERS_PERSONAL in call.principal.scopes)
    if as_csv:
        return _csv(call.db, file, cells)
    rows = showing.rejected(call.db, file, after=after, limit=query.limit + 1)
    return pages.page(
        call,
        query,
        rows,
        view=lambda row: ErrorView(
            row_no=row.row_no,
            code=row.code,
            column=row.column_name,
            message=row.message,
            fixable=row.fixable,
            resubmit_token=marking.resubmit_token(file.id, row.row_no),
            cells=cells.named(cells.of(row)),
        ),
        position=lambda row: (row.row_no,),
    )


def _csv(db: Connection, file: InboundFile, cells: Cells) -> Attachment:
    """The rejects as hub-out has them, in UTF-8, personal cells masked as for the caller."""
    if file.rows_rejected > CSV_ROWS_MAX:
        raise Unprocessable(
            f"{file.rows_rejected} rows are too many here: fetch {receipts.rejects_key_of(file)} from hub-out.",
            code="too_many_rows",
        )
    text = io.StringIO()
    table = csv.writer(text, quoting=csv.QUOTE_ALL)
    table.writerows(rejects.lines(db, file, cells_of=cells.of, header=cells.columns))
    return Attachment(text.getvalue(), _CSV, receipts.rejects_key_of(file).rpartition("/")[2])
