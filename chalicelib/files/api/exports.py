"""/v1/exports: files that the hub sends, asked for and fetched."""

from datetime import date, datetime, timedelta
from functools import partial
from typing import Annotated, Final, Literal

from chalice.app import Blueprint
from pydantic import Field

from chalicelib.access.scopes import Scope
from chalicelib.errors import InvalidInput, NotFound, NotPermitted, Unprocessable
from chalicelib.files.exporting import asking, jobs, registry, running
from chalicelib.files.exporting.jobs import ExportFile, State
from chalicelib.files.exporting.registry import Export, Mode
from chalicelib.files.formats.controls import shown_sum
from chalicelib.files.models.files import NOBODY
from chalicelib.partners import directory
from chalicelib.partners.directory import Partner
from chalicelib.storage import objects
from chalicelib.storage.ids import public_id, raw_id
from chalicelib.web import pages
from chalicelib.web.call import Call
from chalicelib.web.endpoint import endpoint
from chalicelib.web.pages import Page, PageQuery
from chalicelib.web.paths import ExportId, PartnerId
from chalicelib.web.shapes import Body, Day, PublicId, View

blueprint = Blueprint(__name__)

_LINK_EXPIRES_S: Final = 300
_Name = Annotated[str, Field(max_length=40, examples=["balances_sfcc"])]


class ExportBody(Body):
    """Which file."""

    export: _Name = Field(description="docs/files.md lists them.")
    partner_code: str | None = Field(
        None, description="Whose, and to whom. Left out: of every partner, to the outside system that takes it."
    )
    mode: Literal["full", "delta"] = Field("full", description="A delta: what changed since the delta before.")
    period_start: Day | None = Field(None, description="First day, of exports that have a period.")
    period_end: Day | None = Field(None, description="Last day, which must be over.")
    reference: Annotated[str, Field(max_length=60)] | None = Field(
        None, description="What it is about, of exports that have that: a settlement's id, for one."
    )


class ExportView(View):
    """One file, or the request for it. Its figures are null until it is written."""

    id: PublicId
    export: str
    partner_id: PublicId | None = Field(description="Null: of every partner, for an outside system.")
    receiver: str = Field(description="The first part of the key: a partner's code, or an outside system after `_`.")
    mode: Mode
    business_date: date
    period_start: date | None
    period_end: date | None
    reference: str | None
    state: State = Field(description="empty: there was nothing to say, and nothing was sent.")
    reason_code: str | None
    reason: str | None
    file_seq: int | None = Field(description="1, 2, 3, … by export and receiver; final once it is written.")
    object_key: str | None = Field(description="In the bucket hub-out.")
    as_of: datetime | None = Field(description="The moment that the file shows.")
    rows: int | None
    control_sum: str | None
    size_bytes: int | None
    sha256: str | None
    layout_hash: str | None
    created_by: str
    created_at: datetime
    finished_at: datetime | None

    @classmethod
    def of(cls, file: ExportFile) -> "ExportView":
        """The view of one export."""
        return cls(**_shown(file))


class ExportLinkView(ExportView):
    """One file, with a link to fetch it once it is written."""

    link: str | None = Field(description="Good for whoever has it until it expires; ask again for another.")
    link_expires_at: datetime | None


class ExportQuery(PageQuery):
    """Which exports."""

    export: _Name | None = Field(None, description="The name of the export.")
    state: Literal["queued", "writing", "written", "empty", "failed"] | None = Field(
        None, description="How far they are."
    )
    partner_id: PartnerId | None = Field(None, description="Of one partner: its id or its code.")


@endpoint(
    blueprint,
    "POST /v1/exports",
    scope=Scope.FILES_WRITE,
    status=202,
    idempotent="required",
    raises=[NotFound, InvalidInput, Unprocessable, NotPermitted],
)
def ask_for_export(call: Call, body: ExportBody) -> ExportView:
    """Have the workers write a file for a partner or an outside system; ask for its state until it is written."""
    export = registry.export_named(body.export)
    _require(call, export)
    if (body.period_start is None) != (body.period_end is None):
        raise InvalidInput("A period has a first and a last day.", code="export_period")
    period = None
    if body.period_start is not None and body.period_end is not None:
        period = (body.period_start, body.period_end)
    file, fresh = asking.ask(
        call.db,
        export,
        _partner(call, body.partner_code),
        mode=body.mode,
        period=period,
        reference=body.reference,
        caller=call.caller,
        now=call.now,
    )
    if fresh:
        call.after_commit(partial(running.announce, file.id))
    return ExportView.of(file)


@endpoint(blueprint, "GET /v1/exports", scope=Scope.FILES_READ, raises=[NotFound, InvalidInput])
def list_exports(call: Call, query: ExportQuery) -> Page[ExportView]:
    """List exports, the latest first."""
    wanted = call.partner_scope
    if query.partner_id is not None:
        wanted = directory.named(call.db, query.partner_id).id
        call.require_partner(wanted)
    rows = jobs.newest_first(
        call.db,
        partner_id=wanted,
        export=query.export,
        state=query.state,
        before=pages.after_id(call, query),
        limit=query.limit + 1,
    )
    return pages.page(call, query, rows, view=ExportView.of, position=lambda file: (file.id,))


@endpoint(blueprint, "GET /v1/exports/{export_id}", scope=Scope.FILES_READ, raises=[NotFound, NotPermitted])
def show_export(call: Call, export_id: ExportId) -> ExportLinkView:
    """Show one export; once it is written, with a link by which to fetch it within five minutes."""
    file = jobs.load(call.db, raw_id("exp", export_id))
    call.require_partner(file.partner_id)
    link = expires_at = None
    if file.state == "written" and file.object_key is not None:
        _require(call, registry.export_named(file.export))
        name = file.object_key.rpartition("/")[2]
        link = objects.presigned_get(running.bucket(), file.object_key, file_name=name, expires_s=_LINK_EXPIRES_S)
        expires_at = call.now + timedelta(seconds=_LINK_EXPIRES_S)
    return ExportLinkView(**_shown(file), link=link, link_expires_at=expires_at)


def _require(call: Call, export: Export) -> None:
    """Refuse who may not read what the file says. Raises NotPermitted."""
    lacking = sorted(export.scopes - call.principal.scopes)
    if lacking:
        raise NotPermitted(
            f"{export.name} says what needs the scope {lacking[0]}, which your key lacks.", code="scope_missing"
        )


def _partner(call: Call, code: str | None) -> Partner | None:
    if code is not None:
        partner = directory.named(call.db, code)
        call.require_partner(partner.id)
        return partner
    return None if call.partner_scope is None else directory.known(call.db, call.partner_scope)


def _shown(file: ExportFile) -> dict[str, object]:
    asked = file.asked
    written = file.state == "written"
    return {
        "id": file.public_id,
        "export": file.export,
        "partner_id": None if file.partner_id == NOBODY else public_id("par", file.partner_id),
        "receiver": file.receiver,
        "mode": asked.mode,
        "business_date": asked.day,
        "period_start": asked.period[0] if asked.period else None,
        "period_end": asked.period[1] if asked.period else None,
        "reference": asked.reference,
        "state": file.state,
        "reason_code": file.reason_code,
        "reason": file.reason,
        "file_seq": file.file_seq,
        "object_key": file.object_key,
        "as_of": file.as_of if written else None,
        "rows": file.rows,
        "control_sum": None if file.control_sum is None else shown_sum(file.control_sum),
        "size_bytes": file.size_bytes,
        "sha256": None if file.sha256 is None else file.sha256.hex(),
        "layout_hash": None if file.layout_hash is None else file.layout_hash.hex(),
        "created_by": file.created_by,
        "created_at": file.created_at,
        "finished_at": file.finished_at,
    }
