"""/v1/members/{member_id}/timeline: one member's story across all rooms."""

from datetime import UTC, datetime
from typing import Any, Final

from chalice.app import Blueprint
from pydantic import Field

from chalicelib.access.scopes import Scope
from chalicelib.errors import NotFound
from chalicelib.operations import timeline
from chalicelib.operations.timeline import Kind, Moment, Place
from chalicelib.partners.members import members
from chalicelib.storage.ids import raw_id
from chalicelib.web import pages
from chalicelib.web.call import Call
from chalicelib.web.endpoint import endpoint
from chalicelib.web.pages import Page, PageQuery
from chalicelib.web.paths import MemberId
from chalicelib.web.problems import Malformed
from chalicelib.web.shapes import PublicId, View

blueprint = Blueprint(__name__)

#: What of the story a key may read: the same as it may read elsewhere.
_NEEDED: Final = {
    Kind.ROSTER: Scope.MEMBERS_READ,
    Kind.ENROLMENT: Scope.MEMBERS_READ,
    Kind.ACCRUAL: Scope.ACCRUALS_READ,
    Kind.ENTRY: Scope.LEDGER_READ,
    Kind.DELIVERY: Scope.DELIVERIES_READ,
    Kind.EDIT: Scope.AUDIT_READ,
}


class MomentView(View):
    """One thing that happened to the member; what ``detail`` holds depends on ``kind``."""

    at: datetime
    kind: Kind
    id: PublicId
    detail: dict[str, Any]

    @classmethod
    def of(cls, moment: Moment) -> "MomentView":
        """The moment as shown."""
        return cls(at=moment.at, kind=moment.kind, id=moment.public_id, detail=dict(moment.detail))


class TimelineQuery(PageQuery):
    """Which parts of the story are wanted."""

    kind: list[Kind] = Field(
        default_factory=list,
        description="What to tell of; may be given several times, and without it everything is told.",
    )


@endpoint(blueprint, "GET /v1/members/{member_id}/timeline", scope=Scope.MEMBERS_READ, raises=[NotFound])
def member_timeline(call: Call, member_id: MemberId, query: TimelineQuery) -> Page[MomentView]:
    """Tell a member's story, the latest first: rosters, enrolments, accruals, entries, deliveries and edits.

    Kinds that the key may not read elsewhere (accruals:read, ledger:read, deliveries:read, audit:read) are left out.
    """
    raw = raw_id("mbr", member_id)
    found = members.by_ids(call.db, [raw]).get(raw)
    if found is None:
        raise NotFound("There is no such member.")
    call.require_partner(found.partner_id)
    kinds = {kind for kind in query.kind or Kind if _NEEDED[kind] in call.principal.scopes}
    moments = timeline.newest_first(call.db, raw, kinds=kinds, before=_before(call, query), limit=query.limit + 1)
    return pages.page(
        call,
        query,
        moments,
        view=MomentView.of,
        position=lambda moment: (_microseconds(moment.at), moment.kind.value, moment.id),
    )


def _before(call: Call, query: TimelineQuery) -> Place | None:
    match pages.position(call, query):
        case None:
            return None
        case (int(microseconds), str(kind), bytes(last)) if kind in set(Kind):
            return Place(_moment_at(microseconds), Kind(kind), last)
    raise Malformed("The cursor is not one of this list.", code="cursor_foreign")


def _microseconds(at: datetime) -> int:
    return int(at.timestamp()) * 1_000_000 + at.microsecond


def _moment_at(microseconds: int) -> datetime:
    whole, rest = divmod(microseconds, 1_000_000)
    return datetime.fromtimestamp(whole, UTC).replace(microsecond=rest)
