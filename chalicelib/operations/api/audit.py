"""/v1/audit: who did what, to what, when and why."""

from datetime import datetime
from typing import Any

from chalice.app import Blueprint
from pydantic import Field

from chalicelib.access import audit
from chalicelib.access.audit import AuditEvent, AuditFilter
from chalicelib.access.scopes import Scope
from chalicelib.errors import NotFound
from chalicelib.partners import directory
from chalicelib.storage.ids import public_id
from chalicelib.web import pages
from chalicelib.web.call import Call
from chalicelib.web.endpoint import endpoint
from chalicelib.web.pages import Page, PageQuery
from chalicelib.web.shapes import Moment, PublicId, View

blueprint = Blueprint(__name__)


class AuditView(View):
    """One change. ``before`` and ``after`` hold the fields that it touched."""

    id: PublicId
    at: datetime
    actor: str = Field(examples=["usr_01m80ezmgbefm8btvg41ypyz86", "system:intake"])
    action: str = Field(examples=["partner.suspended"])
    subject: str
    partner_id: PublicId | None
    before: dict[str, Any] | None
    after: dict[str, Any] | None
    reason: str | None
    correlation_id: str

    @classmethod
    def of(cls, event: AuditEvent) -> "AuditView":
        """The entry as shown."""
        return cls(
            id=public_id("aud", event.id),
            at=event.at,
            actor=event.actor,
            action=event.action,
            subject=event.subject,
            partner_id=event.partner_id and public_id("par", event.partner_id),
            before=event.before,
            after=event.after,
            reason=event.reason,
            correlation_id=event.correlation_id,
        )


class AuditQuery(PageQuery):
    """Which entries are wanted."""

    partner_id: str | None = Field(default=None, description="Id or code of a partner.", examples=["aurora-air"])
    actor: str | None = Field(
        default=None,
        max_length=60,
        description="Who did it: a user, a key or a part of the hub.",
        examples=["system:files"],
    )
    action: str | None = Field(default=None, max_length=60, description="What was done.", examples=["api_key.created"])
    subject: str | None = Field(
        default=None,
        max_length=100,
        description="To what: an id or a code.",
        examples=["fil_01m80ezmgbefm8btvg41ypyz86"],
    )
    since: Moment | None = Field(default=None, description="From this moment on.")
    until: Moment | None = Field(default=None, description="Before this moment.")


@endpoint(blueprint, "GET /v1/audit", scope=Scope.AUDIT_READ, raises=[NotFound])
def list_audit(call: Call, query: AuditQuery) -> Page[AuditView]:
    """List what was done, newest first."""
    partner_id = call.partner_scope
    if query.partner_id is not None:
        partner_id = directory.named(call.db, query.partner_id).id
        call.require_partner(partner_id)
    wanted = AuditFilter(partner_id, query.actor, query.action, query.subject, query.since, query.until)
    found = audit.newest_first(
        call.db,
        wanted,
        before_seq=pages.after_seq(call, query),
        limit=query.limit + 1,
    )
    return pages.page(call, query, found, view=AuditView.of, position=lambda event: (event.seq,))
