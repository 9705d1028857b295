"""GET /v1/alerts: what people should look at. So far these are expected files."""

from datetime import datetime
from typing import Any, Literal

from chalice.app import Blueprint
from pydantic import Field
from sqlalchemy import ColumnElement, select

from chalicelib.access.scopes import Scope
from chalicelib.errors import NotFound
from chalicelib.files.models.files import file_alert
from chalicelib.partners import directory
from chalicelib.storage.ids import public_id
from chalicelib.web import pages
from chalicelib.web.call import Call
from chalicelib.web.endpoint import endpoint
from chalicelib.web.pages import Page, PageQuery
from chalicelib.web.shapes import PublicId, View

blueprint = Blueprint(__name__)
_ALERT = file_alert.c


class AlertView(View):
    """One alert; it resolves by itself when its cause is gone."""

    id: PublicId
    kind: Literal["missing", "late", "empty", "small"]
    partner_id: PublicId
    layout: str
    due_at: datetime
    file_id: PublicId | None
    detail: str
    runbook: str = Field(description="Where it is said what to do.")
    raised_at: datetime
    resolved_at: datetime | None

    @classmethod
    def of(cls, row: Any) -> "AlertView":  # noqa: ANN401 - a row of file_alert
        """The view of one alert."""
        return cls(
            id=public_id("alr", row.id),
            kind=row.kind,
            partner_id=public_id("par", row.partner_id),
            layout=row.layout_name,
            due_at=row.due_at,
            file_id=None if row.file_id is None else public_id("fil", row.file_id),
            detail=row.detail,
            runbook="docs/files.md#expected-files",
            raised_at=row.raised_at,
            resolved_at=row.resolved_at,
        )


class AlertQuery(PageQuery):
    """Which alerts."""

    partner_id: str | None = Field(None, description="Id or code of a partner.", examples=["aurora-air"])
    kind: Literal["missing", "late", "empty", "small"] | None = Field(None, description="Only of this kind.")
    resolved: bool = Field(False, description="Also those whose cause is gone.")


@endpoint(blueprint, "GET /v1/alerts", scope=Scope.FILES_READ, raises=[NotFound])
def list_alerts(call: Call, query: AlertQuery) -> Page[AlertView]:
    """List the alerts that are open, the latest first."""
    partner_id = call.partner_scope
    if query.partner_id is not None:
        partner_id = directory.named(call.db, query.partner_id).id
        call.require_partner(partner_id)
    before = pages.after_id(call, query)
    conditions: list[ColumnElement[bool]] = []
    if partner_id is not None:
        conditions.append(_ALERT.partner_id == partner_id)
    if query.kind is not None:
        conditions.append(_ALERT.kind == query.kind)
    if not query.resolved:
        conditions.append(_ALERT.resolved_at.is_(None))
    if before is not None:
        conditions.append(_ALERT.id < before)
    rows = call.db.execute(
        select(file_alert).where(*conditions).order_by(_ALERT.id.desc()).limit(query.limit + 1)
    ).all()
    return pages.page(call, query, rows, view=AlertView.of, position=lambda row: (row.id,))
