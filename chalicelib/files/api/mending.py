"""/v1/files/{file_id}/rows/{row_no} and /rows/resubmit: rejected rows are corrected and decided again."""

import logging
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Annotated, Any, Literal

from chalice.app import Blueprint
from pydantic import Field
from sqlalchemy.engine import Row

from chalicelib.access.scopes import Scope
from chalicelib.errors import Broken, InterlineError, NotFound, Unprocessable
from chalicelib.files.answers import showing
from chalicelib.files.answers.showing import Cells
from chalicelib.files.api.files import CountsView, FileView, readable
from chalicelib.files.mending import fixing, resubmitting
from chalicelib.files.mending.fixing import CellsUnusable, FileNotFinished, Fix, RowNotRejected
from chalicelib.files.register.register import InboundFile
from chalicelib.files.rows import deciding_again, recording
from chalicelib.partners import directory
from chalicelib.settings import settings
from chalicelib.storage import queues
from chalicelib.storage.ids import public_id
from chalicelib.web.call import Call
from chalicelib.web.endpoint import endpoint
from chalicelib.web.paths import FileId, RowNumber
from chalicelib.web.shapes import Body, PublicId, View

log = logging.getLogger(__name__)
blueprint = Blueprint(__name__)

Cell = Annotated[str, Field(max_length=10_000)]
Outcome = Literal["accepted", "rejected", "duplicate", "ignored"]
_CELLS_MAX = 1_000
#: That of intake, which an API function does not import.
_QUEUE = "files"


class ChangeView(View):
    """One cell of a correction; `***` where the caller may not see it."""

    before: str
    after: str


class FixView(View):
    """One correction of a row, which is kept for ever."""

    fix_no: int
    source: Literal["api", "file"] = Field(description="`file`: the row came back in a file of rejects.")
    source_file_id: PublicId | None = Field(description="The file in which it came back, and which counts it now.")
    source_row_no: int | None
    changes: dict[str, ChangeView] = Field(description="By the sender's header.")
    reason: str | None
    actor: str
    fixed_at: datetime


class StillView(View):
    """What the layout finds wrong with the row as it stands."""

    code: str
    column: str | None
    message: str | None


class RowDetailView(View):
    """One row that was not accepted at once, as it stands now, and how it came to stand so."""

    file_id: PublicId
    row_no: int
    outcome: Outcome
    code: str | None
    column: str | None
    message: str | None
    cells: dict[str, str] | None = Field(description="By the sender's header; null for rows whose text is not kept.")
    fixes: list[FixView] = Field(description="All corrections, the first one first.")


class FixedRowView(RowDetailView):
    """A corrected row. It is still rejected: `POST …/rows/resubmit` has it decided."""

    still: StillView | None = Field(description="What its layout refuses it for still; null: it can be read now.")


class FixBody(Body):
    """New cells of a rejected row; cells that are left out stay."""

    cells: dict[str, Cell] = Field(
        min_length=1, max_length=_CELLS_MAX, description="By the sender's header, as the row's errors show it."
    )
    reason: Annotated[str, Field(max_length=500)] | None = None


class ResubmitBody(Body):
    """Which rows are decided again."""

    rows: list[Annotated[int, Field(ge=1, le=2**31 - 1)]] | None = Field(
        None,
        max_length=deciding_again.BATCH_ROWS,
        description="Numbers of rows; left out: all that were corrected since they were last tried.",
    )


class ResubmittedRowView(View):
    """What became of one row."""

    row_no: int
    tried: bool = Field(description="False: it was not rejected, and nothing was done.")
    outcome: Outcome
    code: str | None = None
    column: str | None = None
    message: str | None = None


class ResubmittedView(View):
    """What became of the rows, and the file's figures after it. Its receipt and rejects follow in a moment."""

    file_id: PublicId
    rows: list[ResubmittedRowView]
    left: int = Field(description="Corrected rows that were too many for one request: ask again.")
    counts: CountsView
    receipt_revision: int


@endpoint(blueprint, "GET /v1/files/{file_id}/rows/{row_no}", scope=Scope.FILES_READ, raises=[NotFound])
def get_row(call: Call, file_id: FileId, row_no: RowNumber) -> RowDetailView:
    """Show one row that was not accepted at once: its cells as they stand and all corrections."""
    file = readable(call, file_id)
    row = fixing.row_of(call.db, file, row_no)
    if row is None:
        raise NotFound("The row was accepted as it came: its accrual or history entry has it.")
    return RowDetailView.model_validate(_shown(call, file, row, fixing.history(call.db, file, row.row_no)))


@endpoint(
    blueprint,
    "PATCH /v1/files/{file_id}/rows/{row_no}",
    scope=Scope.FILES_WRITE,
    raises=[NotFound, FileNotFinished, RowNotRejected, CellsUnusable],
)
def fix_row(call: Call, file_id: FileId, row_no: RowNumber, body: FixBody) -> FixedRowView:
    """Correct cells of a rejected row; before and after are kept, and nothing is posted until it is resubmitted."""
    file = readable(call, file_id)
    partner = directory.by_id(call.db, file.partner_id)
    fixing.require_processed(file)
    if partner is None:
        raise Broken(f"File {file.public_id} belongs to no partner.")
    work = recording.work_of(call.db, file, partner)
    fixed = fixing.fix(call.db, file, work, row_no, body.cells, reason=body.reason, caller=call.caller, now=call.now)
    shown = _shown(call, file, fixed.row, fixing.history(call.db, file, row_no))
    still = fixed.still
    told = None if still is None else StillView(code=still.code, column=still.column, message=still.message)
    return FixedRowView.model_validate({**shown, "still": told})


@endpoint(
    blueprint,
    "POST /v1/files/{file_id}/rows/resubmit",
    scope=Scope.FILES_WRITE,
    idempotent=True,
    raises=[NotFound, FileNotFinished, Unprocessable],
)
def resubmit_rows(call: Call, file_id: FileId, body: ResubmitBody) -> ResubmittedView:
    """Decide rejected rows again, the corrected ones or those of given numbers; nothing is ever posted twice."""
    file = readable(call, file_id)
    found = resubmitting.resubmit(call.db, file.id, body.rows, caller=call.caller, now=call.now)
    if found.tried:
        call.after_commit(answer_soon(file))
    tried = [ResubmittedRowView.model_validate({**row._asdict(), "tried": True}) for row in found.tried]
    untried = [ResubmittedRowView(row_no=number, tried=False, outcome=outcome) for number, outcome in found.untried]
    return ResubmittedView(
        file_id=file.public_id,
        rows=sorted([*tried, *untried], key=lambda row: row.row_no),
        left=found.left,
        counts=FileView.of(found.file).rows,
        receipt_revision=found.file.receipt_revision,
    )


def answer_soon(file: InboundFile) -> Callable[[], None]:
    """Have receipt and rejects written anew; were the message lost, the sweeper would find that they are old."""

    def send() -> None:
        try:
            queues.send(settings().queue(_QUEUE), {"continue": file.public_id})
        except InterlineError as error:
            log.warning("A receipt waits for the sweeper.", extra={"file_id": file.public_id, "code": error.code})

    return send


def _shown(call: Call, file: InboundFile, row: Row[Any], fixes: list[Fix]) -> Mapping[str, object]:
    layout = showing.layout_of(call.db, file)
    if layout is None:
        raise Broken(f"File {file.public_id} has rows and no layout.")
    cells = Cells(layout, file, personal=Scope.MEMBERS_PERSONAL in call.principal.scopes)
    return {
        "file_id": file.public_id,
        "row_no": row.row_no,
        "outcome": row.outcome,
        "code": row.code,
        "column": row.column_name,
        "message": row.message,
        "cells": None if row.raw is None else cells.named(cells.of(row)),
        "fixes": [_fix(fix, cells) for fix in fixes],
    }


def _fix(fix: Fix, cells: Cells) -> FixView:
    changes = {
        name: ChangeView(before=cells.seen(name, before), after=cells.seen(name, after))
        for name, (before, after) in fix.cells.items()
    }
    return FixView(
        fix_no=fix.fix_no,
        source=fix.source,
        source_file_id=None if fix.source_file_id is None else public_id("fil", fix.source_file_id),
        source_row_no=fix.source_row_no,
        changes=changes,
        reason=fix.reason,
        actor=fix.actor,
        fixed_at=fix.fixed_at,
    )
