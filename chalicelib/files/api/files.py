"""/v1/files: what arrived, how far it is, and whether its figures add up."""

from datetime import datetime
from typing import Annotated, Literal

from chalice.app import Blueprint
from pydantic import Field

from chalicelib.access.scopes import Scope
from chalicelib.errors import InvalidInput, NotFound
from chalicelib.files.answers import quality, receipts, showing
from chalicelib.files.answers.showing import FileFilter
from chalicelib.files.api import rollback_shapes
from chalicelib.files.api.rollback_shapes import RollbackView
from chalicelib.files.expected import expecting
from chalicelib.files.expected.expecting import Expected
from chalicelib.files.formats.controls import shown_sum
from chalicelib.files.mending import resubmitting
from chalicelib.files.models.files import NOBODY
from chalicelib.files.register import register
from chalicelib.files.register.register import InboundFile
from chalicelib.files.rows import conserving
from chalicelib.partners import directory
from chalicelib.storage.ids import public_id, raw_id
from chalicelib.web import pages
from chalicelib.web.amounts import AmountText
from chalicelib.web.call import Call
from chalicelib.web.endpoint import endpoint
from chalicelib.web.pages import Page, PageQuery
from chalicelib.web.paths import FileId
from chalicelib.web.problems import Malformed
from chalicelib.web.shapes import PublicId, Query, View, Written

blueprint = Blueprint(__name__)

FileState = Literal[
    "arrived",
    "waiting",
    "checked",
    "applying",
    "applied",
    "processed",
    "quarantined",
    "duplicate",
    "ignored",
    "broken",
    "rolling_back",
    "rolled_back",
]


class CountsView(View):
    """Rows by outcome. ``done`` of ``total`` are applied; ``total`` is null until the file has been checked."""

    total: int | None
    done: int
    accepted: int
    rejected: int
    duplicate: int
    ignored: int


class FileView(View):
    """One file that arrived. It is finished, and its receipt written, once ``finished_at`` is set."""

    id: PublicId
    partner_id: PublicId | None = Field(description="Null when the key names no partner.")
    name: str
    object_key: str
    layout: str
    state: FileState
    reason_code: str | None
    reason: str | None
    duplicate_of: PublicId | None
    size_bytes: int
    sha256: str | None
    rows: CountsView
    arrived_at: datetime
    started_at: datetime | None
    finished_at: datetime | None
    receipt_key: str | None = Field(description="In the bucket hub-out.")
    rejects_key: str | None = Field(description="In the bucket hub-out; null when nothing was rejected.")

    @classmethod
    def of(cls, file: InboundFile) -> "FileView":
        """The view of one file."""
        return cls(
            id=file.public_id,
            partner_id=None if file.partner_id == NOBODY else public_id("par", file.partner_id),
            name=file.name,
            object_key=file.object_key,
            layout=file.layout_name,
            state=file.state,
            reason_code=file.reason_code,
            reason=file.reason,
            duplicate_of=None if file.duplicate_of is None else public_id("fil", file.duplicate_of),
            size_bytes=file.size_bytes,
            sha256=None if file.sha256 is None else file.sha256.hex(),
            rows=CountsView(
                total=file.rows_total,
                done=file.next_row - 1,
                accepted=file.rows_accepted,
                rejected=file.rows_rejected,
                duplicate=file.rows_duplicate,
                ignored=file.rows_ignored,
            ),
            arrived_at=file.arrived_at,
            started_at=file.started_at,
            finished_at=file.finished_at,
            receipt_key=receipts.key_of(file) if file.finished_at is not None else None,
            rejects_key=receipts.rejects_key_of(file) if file.finished_at is not None and file.rows_rejected else None,
        )


class SumsView(View):
    """The control column: read, and by outcome; cells that are no number are counted apart."""

    read: str
    accepted: str
    rejected: str
    duplicate: str
    ignored: str
    unreadable: int

    @classmethod
    def of(cls, file: InboundFile) -> "SumsView":
        """The view of a file's control sums."""
        return cls(
            read=shown_sum(file.control_in),
            accepted=shown_sum(file.control_accepted),
            rejected=shown_sum(file.control_rejected),
            duplicate=shown_sum(file.control_duplicate),
            ignored=shown_sum(file.control_ignored),
            unreadable=file.control_unreadable,
        )


class ReasonView(View):
    """One code of refusal and how many rows have it still."""

    code: str
    rows: int


class QualityView(View):
    """How good the file was."""

    score: str = Field(
        description="0.0 to 100.0: the share of rows that are not rejected, times that of readable control amounts.",
        examples=["98.5"],
    )
    reasons: list[ReasonView] = Field(description="The most frequent reasons of refusal.")
    unmapped_rows: int = Field(description="Rows rejected for a code that a code table lacks.")


class EarlierView(View):
    """A file in which duplicate rows were before; without an id they came by request."""

    file_id: PublicId | None
    file_name: str | None
    rows: int


class FileDetailView(FileView):
    """One file with the layout that reads it and what its sender should know."""

    layout_version: str | None = Field(description="Ruleset code and version number of the layout.")
    compressed: bool
    control_source: Literal["trailer", "sidecar"] | None
    members_absent: int = Field(description="Members whom a snapshot terminated by leaving them out.")
    receipt_revision: int
    warnings: list[str]
    control: SumsView
    quality: QualityView | None = Field(description="Null while the file is in work, and for repeated files.")
    corrected_rows: int = Field(description="Rejected rows that were corrected and not resubmitted since.")
    duplicates_in: list[EarlierView] | None = Field(
        description="Where duplicate rows were before; only with `duplicates=true`."
    )
    rollback: RollbackView | None = Field(description="How far the file is taken back; null: nobody asked for it.")


class ProgramPointsView(View):
    """What the accepted rows earned in one program, and what was posted for them."""

    program_code: str
    events: int
    points_in: AmountText
    points_posted: AmountText
    ruleset_versions: list[str]
    corrections: int = Field(default=0, description="Rows with a quantity below zero, which corrected earlier events.")
    points_corrected: AmountText | None = Field(default=None, description="What they took back; null: there are none.")


class ReconciliationView(View):
    """Whether everything in the file went somewhere, counted anew from what is stored."""

    file_id: PublicId
    balanced: bool
    breaks: list[str] = Field(description="Where figures differ, one sentence each.")
    rows: CountsView
    control: SumsView
    programs: list[ProgramPointsView]


class FileQuery(PageQuery):
    """Which files."""

    partner_id: str | None = Field(None, description="Id or code of a partner.", examples=["aurora-air"])
    layout: str | None = Field(
        None, max_length=64, description="Name of a layout: the second part of the key.", examples=["timesheet"]
    )
    state: FileState | None = Field(None, description="How far they are.")
    expected: bool = Field(
        False,
        description="Instead of files, the deliveries of the partners' calendars that were not received, by due time. "
        "Of the filters only `partner_id` and `layout` are applied.",
    )
    name: str | None = Field(
        None,
        max_length=255,
        description="Name of the file: the last part of the key.",
        examples=["hours_2026-11-15.csv"],
    )
    object_key: str | None = Field(
        None,
        max_length=1024,
        description="The whole key in hub-in.",
        examples=["aurora-air/timesheet/hours_2026-11-15.csv"],
    )
    sha256: Annotated[str, Written("[0-9a-f]{64}", "A digest has 64 hexadecimal digits, in lower case.")] | None = (
        Field(None, description="SHA-256 of the file as it arrived, in hexadecimal.", examples=["4baf42cc" * 8])
    )


class DetailQuery(Query):
    """What is told beyond what is at hand."""

    duplicates: bool = Field(
        False, description="Also say in which files duplicate rows were before: reads up to 1,000 of them again."
    )


class ExpectedView(View):
    """One delivery of a file that the partner's manifest expects, which has not been received."""

    partner_id: PublicId
    partner_code: str
    layout: str
    due_at: datetime
    deadline_at: datetime = Field(description="Due time and grace: from then on it is missing.")
    standing: Literal["expected", "arriving", "missing"]
    file_id: PublicId | None = Field(description="The file that is in work.")
    findings: list[str]

    @classmethod
    def of(cls, each: Expected) -> "ExpectedView":
        """The view of one delivery."""
        return cls.model_validate(
            {
                "partner_id": public_id("par", each.partner_id),
                "partner_code": each.partner_code,
                "layout": each.layout_name,
                "due_at": each.delivery.due_at,
                "deadline_at": each.delivery.deadline_at,
                "standing": each.standing,
                "file_id": None if each.file_id is None else public_id("fil", each.file_id),
                "findings": [finding.detail for finding in each.findings],
            }
        )


def readable(call: Call, file_id: str) -> InboundFile:
    """A file that the caller may see. Raises NotFound."""
    file = register.load(call.db, raw_id("fil", file_id))
    call.require_partner(file.partner_id)
    return file


@endpoint(blueprint, "GET /v1/files", scope=Scope.FILES_READ, raises=[NotFound, InvalidInput])
def list_files(call: Call, query: FileQuery) -> Page[FileView] | Page[ExpectedView]:
    """List files, the latest first, by partner, layout, state, name, key or digest; or those that are expected."""
    partner_id = call.partner_scope
    if query.partner_id is not None:
        partner_id = directory.named(call.db, query.partner_id).id
        call.require_partner(partner_id)
    if query.expected:
        return _expected(call, query, partner_id)
    wanted = FileFilter(
        partner_id=partner_id,
        layout=query.layout,
        state=query.state,
        name=query.name,
        object_key=query.object_key,
        sha256=None if query.sha256 is None else bytes.fromhex(query.sha256),
    )
    rows = showing.newest_first(call.db, wanted, before=pages.after_id(call, query), limit=query.limit + 1)
    return pages.page(call, query, rows, view=FileView.of, position=lambda file: (file.id,))


def _expected(call: Call, query: FileQuery, partner_id: bytes | None) -> Page[ExpectedView]:
    after = pages.position(call, query)
    if after is not None and not (len(after) == 3 and all(isinstance(part, str) for part in after)):
        raise Malformed("The cursor is not one of this list.", code="cursor_foreign")
    rows = [
        each
        for each in expecting.of_partners(call.db, partner_id=partner_id, now=call.now)
        if each.standing != "received" and query.layout in {None, each.layout_name}
    ]
    if after is not None:
        rows = [each for each in rows if _place(each) > after]
    return pages.page(call, query, rows[: query.limit + 1], view=ExpectedView.of, position=_place)


def _place(each: Expected) -> tuple[str, str, str]:
    return (each.delivery.due_at.isoformat(), each.partner_code, each.layout_name)


@endpoint(blueprint, "GET /v1/files/{file_id}", scope=Scope.FILES_READ, raises=[NotFound])
def get_file(call: Call, file_id: FileId, query: DetailQuery) -> FileDetailView:
    """Show one file: state, digest, layout version, counts, control sums, quality, and the reason of a refusal."""
    file = readable(call, file_id)
    found = quality.of(call.db, file)
    partner = directory.by_id(call.db, file.partner_id) if query.duplicates else None
    earlier = None if partner is None else quality.duplicates(call.db, file, partner)
    return FileDetailView(
        **FileView.of(file).model_dump(),
        layout_version=receipts.layout_version(call.db, file),
        compressed=file.compressed,
        control_source=file.control_source,
        members_absent=file.rows_absent,
        receipt_revision=file.receipt_revision,
        warnings=file.warning_texts,
        control=SumsView.of(file),
        quality=None
        if found is None
        else QualityView(
            score=str(found.score),
            reasons=[ReasonView(code=reason.code, rows=reason.rows) for reason in found.reasons],
            unmapped_rows=found.unmapped_rows,
        ),
        corrected_rows=resubmitting.corrected_rows(call.db, file),
        rollback=rollback_shapes.of_file(call.db, file),
        duplicates_in=None
        if earlier is None
        else [
            EarlierView(
                file_id=None if each.file_id is None else public_id("fil", each.file_id),
                file_name=each.name,
                rows=each.rows,
            )
            for each in earlier
        ],
    )


@endpoint(blueprint, "GET /v1/files/{file_id}/reconciliation", scope=Scope.FILES_READ, raises=[NotFound])
def get_reconciliation(call: Call, file_id: FileId) -> ReconciliationView:
    """Count again whether rows, control sums and points of a file add up; of an unfinished file they need not yet."""
    file = readable(call, file_id)
    breaks = conserving.breaks(call.db, file)
    by_program = receipts.points_by_program(call.db, file) if file.entity == "accrual" else {}
    return ReconciliationView(
        file_id=file.public_id,
        balanced=not breaks,
        breaks=breaks,
        rows=FileView.of(file).rows,
        control=SumsView.of(file),
        programs=[ProgramPointsView.model_validate(found) for found in by_program.values()],
    )
