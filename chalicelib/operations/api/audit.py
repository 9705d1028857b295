"""/v1/audit: who did what, to what, when and why."""

from datetime import datetime
from typing import Any

from chalice.app import Blueprint
from pydantic import AwareDatetime, Field

from chalicelib.access import audit
from chalicelib.access.audit import AuditEvent, AuditFilter
from chalicelib.access.scopes import Scope
from chalicelib.storage.ids import public_id, raw_id
from chalicelib.web import pages
from chalicelib.web.call import Call
from chalicelib.web.endpoint import endpoint
from chalicelib.web.pages import Page, PageQuery
from chalicelib.web.shapes import PublicId, View

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

    partner_id: str | None = None
    actor: str | None = Field(default=None, max_length=60)
    action: str | None = Field(default=None, max_length=60, examples=["api_key.created"])
    subject: str | None = Field(default=None, max_length=100)
    since: AwareDatetime | None = Field(default=None, description="Inclusive.")
    until: AwareDatetime | None = Field(default=None, description="Exclusive.")


@endpoint(blueprint, "GET /v1/audit", scope=Scope.AUDIT_READ)
def list_audit(call: Call, query: AuditQuery) -> Page[AuditView]:
    """List what was done, newest first."""
    partner_id = call.partner_scope
    if query.partner_id is not None:
        partner_id = raw_id("par", query.partner_id)
        call.require_partner(partner_id)
    wanted = AuditFilter(partner_id, query.actor, query.action, query.subject, query.since, query.until)
    found = audit.newest_first(
        call.db,
        wanted,
        before_seq=pages.after_seq(call, query),
        limit=query.limit + 1,
    )
    return pages.page(call, query, found, view=AuditView.of, position=lambda event: (event.seq,))
