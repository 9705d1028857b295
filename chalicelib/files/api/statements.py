"""/v1/statements: members' months, as files that the workers write."""

from datetime import datetime, timedelta
from functools import partial
from typing import Final

from chalice.app import Blueprint
from pydantic import Field

from chalicelib.access.scopes import Scope
from chalicelib.errors import NOT_YOURS, InvalidInput, NotFound, NotPermitted, UnknownReference, Unprocessable
from chalicelib.files.exporting import asking, jobs, running, statements
from chalicelib.files.exporting.jobs import ExportFile, State
from chalicelib.files.exports import member_statement, statement
from chalicelib.partners import directory
from chalicelib.partners.directory import Partner
from chalicelib.partners.members import members
from chalicelib.points.finance import months
from chalicelib.points.finance.months import PeriodOpen
from chalicelib.storage import objects
from chalicelib.storage.ids import public_id, raw_id
from chalicelib.web import pages
from chalicelib.web.answers import Answer
from chalicelib.web.call import Call
from chalicelib.web.endpoint import endpoint
from chalicelib.web.pages import Page, PageQuery
from chalicelib.web.paths import MemberId, PartnerId, StatementId
from chalicelib.web.shapes import Body, PublicId, View

blueprint = Blueprint(__name__)

_LINK_EXPIRES_S: Final = 300


class StatementBody(Body):
    """Whose month."""

    period: str = Field(max_length=7, description="A month that is over.", examples=["2026-10"])
    partner_code: str | None = Field(
        default=None, max_length=40, description="Needed with a key that is not bound to a partner."
    )
    member_id: str | None = Field(default=None, description="Only of this member; null: of all.")


class StatementView(View):
    """One statement, or the request for it. Its figures are null until it is written."""

    id: PublicId
    partner_id: PublicId
    member_id: PublicId | None = Field(description="Null: of all members.")
    period: str
    state: State = Field(description="`empty`: nobody had an entry by then, and nothing was written.")
    reason_code: str | None
    as_of: datetime | None
    rows: int | None
    size_bytes: int | None
    sha256: str | None
    created_by: str
    created_at: datetime
    finished_at: datetime | None

    @classmethod
    def of(cls, file: ExportFile) -> "StatementView":
        """The view of one statement."""
        return cls.model_validate(_shown(file))


class StatementLinkView(StatementView):
    """One statement, with a link to fetch it once it is written."""

    link: str | None = Field(description="Good for whoever has it until it expires; ask again for another.")
    link_expires_at: datetime | None


class StatementQuery(PageQuery):
    """Which statements."""

    partner_id: PartnerId | None = Field(None, description="Of one partner: its id or its code.")
    member_id: MemberId | None = Field(None, description="Of one member: those that are of this member alone.")
    period: str | None = Field(None, max_length=7, description="Of one month.", examples=["2026-10"])


@endpoint(
    blueprint,
    "POST /v1/statements",
    scope=Scope.FILES_WRITE,
    status=202,
    idempotent=True,
    raises=[NotFound, InvalidInput, UnknownReference, Unprocessable, NotPermitted, PeriodOpen],
)
def ask_for_statement(call: Call, body: StatementBody) -> Answer[StatementView]:
    """Have the workers write a statement of a month; once, so the same again answers 200 with the first."""
    _require(call)
    partner = _partner(call, body.partner_code)
    month = months.named(body.period, partner)
    months.require_over(month, call.now)
    if body.member_id is None:
        export, period, reference = statement.EXPORT, (month.first_day, month.last_day), None
    else:
        member_id = raw_id("mbr", body.member_id)
        found = members.by_ids(call.db, [member_id]).get(member_id)
        if found is None or found.partner_id != partner.id:
            raise NotFound(NOT_YOURS)
        export, period, reference = member_statement.EXPORT, None, statements.reference(month, body.member_id)
    file, fresh = asking.ask(
        call.db, export, partner, period=period, reference=reference, caller=call.caller, now=call.now
    )
    if fresh:
        call.after_commit(partial(running.announce, file.id))
    return Answer(202 if fresh else 200, StatementView.of(file))


@endpoint(blueprint, "GET /v1/statements", scope=Scope.FILES_READ, raises=[NotFound, InvalidInput])
def list_statements(call: Call, query: StatementQuery) -> Page[StatementView]:
    """List statements, the latest request first."""
    wanted = call.partner_scope
    if query.partner_id is not None:
        wanted = directory.named(call.db, query.partner_id).id
        call.require_partner(wanted)
    if query.member_id is not None:
        member_id = raw_id("mbr", query.member_id)
        found = members.by_ids(call.db, [member_id]).get(member_id)
        if found is None:
            raise NotFound(NOT_YOURS)
        call.require_partner(found.partner_id)
    rows = statements.newest_first(
        call.db,
        partner_id=wanted,
        member=query.member_id,
        period=query.period,
        before=pages.after_id(call, query),
        limit=query.limit + 1,
    )
    return pages.page(call, query, rows, view=StatementView.of, position=lambda file: (file.id,))


@endpoint(blueprint, "GET /v1/statements/{statement_id}", scope=Scope.FILES_READ, raises=[NotFound, NotPermitted])
def show_statement(call: Call, statement_id: StatementId) -> StatementLinkView:
    """Show one statement; once it is written, with a link by which to fetch it within five minutes."""
    file = jobs.load(call.db, raw_id("exp", statement_id))
    call.require_partner(file.partner_id)
    if file.export not in {statements.WHOLE, statements.OF_MEMBER}:
        raise NotFound(NOT_YOURS)
    link = expires_at = None
    if file.state == "written" and file.object_key is not None:
        _require(call)
        name = file.object_key.rpartition("/")[2]
        link = objects.presigned_get(running.bucket(), file.object_key, file_name=name, expires_s=_LINK_EXPIRES_S)
        expires_at = call.now + timedelta(seconds=_LINK_EXPIRES_S)
    return StatementLinkView.model_validate({**_shown(file), "link": link, "link_expires_at": expires_at})


def _require(call: Call) -> None:
    """Refuse who may not read what a statement says. Raises NotPermitted."""
    lacking = sorted(statement.SCOPES - call.principal.scopes)
    if lacking:
        raise NotPermitted(
            f"A statement says what needs the scope {lacking[0]}, which your key lacks.", code="scope_missing"
        )


def _partner(call: Call, code: str | None) -> Partner:
    if code is not None:
        partner = directory.named(call.db, code)
        call.require_partner(partner.id)
        return partner
    if call.partner_scope is None:
        raise InvalidInput("Name the partner: this key is not bound to one.", code="partner_missing")
    return directory.known(call.db, call.partner_scope)


def _shown(file: ExportFile) -> dict[str, object]:
    of = statements.told(file)
    return {
        "id": file.public_id,
        "partner_id": public_id("par", file.partner_id),
        "member_id": of.member,
        "period": of.month,
        "state": file.state,
        "reason_code": file.reason_code,
        "as_of": file.as_of if file.state == "written" else None,
        "rows": file.rows,
        "size_bytes": file.size_bytes,
        "sha256": None if file.sha256 is None else file.sha256.hex(),
        "created_by": file.created_by,
        "created_at": file.created_at,
        "finished_at": file.finished_at,
    }
