"""/v1/partners: who the partners are, and whether the hub acts for them.

``{partner_id}`` is the partner's id (``par_…``) or its code (``aurora-air``).
"""

from datetime import date, datetime
from typing import Any

from chalice.app import Blueprint
from pydantic import Field

from chalicelib.access.scopes import Scope
from chalicelib.deliveries import targets
from chalicelib.errors import InvalidInput, NotFound
from chalicelib.partners import directory
from chalicelib.partners.directory import Partner, Status
from chalicelib.partners.onboarding import manifests
from chalicelib.partners.programs import programs
from chalicelib.rules import canonical
from chalicelib.storage.ids import public_id
from chalicelib.web import pages
from chalicelib.web.call import Call
from chalicelib.web.endpoint import endpoint
from chalicelib.web.pages import Page, PageQuery
from chalicelib.web.paths import PartnerId
from chalicelib.web.shapes import Body, Day, PublicId, View

blueprint = Blueprint(__name__)


class PartnerView(View):
    """One partner. ``status_from`` is the first day of the status, in the partner's time zone."""

    id: PublicId
    code: str
    name: str
    industry: str | None
    time_zone: str
    status: Status
    status_from: date
    status_reason: str | None
    created_at: datetime
    changed_at: datetime

    @classmethod
    def of(cls, partner: Partner) -> "PartnerView":
        """The view of a partner."""
        return cls(**_shown(partner))


class ContactView(View):
    """Whom to ask at the partner."""

    role: str
    name: str | None = None
    email: str | None = None
    phone: str | None = None


class ProgramLine(View):
    """One of the partner's programs."""

    id: PublicId
    code: str
    name: str
    status: str


class TargetLine(View):
    """One outside system that receives the partner's data."""

    id: PublicId
    code: str
    connector: str
    mapping: str
    status: str


class PartnerProfileView(PartnerView):
    """One partner with whom to ask, its programs and its outside systems."""

    contacts: list[ContactView]
    programs: list[ProgramLine]
    targets: list[TargetLine]


class PartnerQuery(PageQuery):
    """Which partners."""

    status: Status | None = Field(None, description="Whether the hub acts for them.")
    industry: str | None = Field(None, max_length=100, description="As their manifest names it.", examples=["airline"])


class StatusChange(Body):
    """A new status and why."""

    status: Status
    reason: str = Field(min_length=1, max_length=500)
    effective_date: Day | None = Field(
        None, description="First day of the status in the partner's time zone; not in the future. Null: today."
    )


class ManifestView(View):
    """What a partner's manifest would have to say to change nothing."""

    partner: str
    content: str = Field(description="The canonical JSON text of the manifest.")
    applied: bool = Field(
        description="False: the partner or its programs were made or changed by other ways than a manifest."
    )


@endpoint(blueprint, "GET /v1/partners", scope=Scope.PARTNERS_READ)
def list_partners(call: Call, query: PartnerQuery) -> Page[PartnerView]:
    """List partners by code."""
    rows = directory.search(
        call.db,
        only=call.partner_scope,
        status=query.status,
        industry=query.industry,
        after=pages.after_text(call, query),
        limit=query.limit + 1,
    )
    return pages.page(call, query, rows, view=PartnerView.of, position=lambda partner: (partner.code,))


@endpoint(blueprint, "GET /v1/partners/{partner_id}", scope=Scope.PARTNERS_READ, raises=[NotFound])
def get_partner(call: Call, partner_id: PartnerId) -> PartnerProfileView:
    """Show one partner with its contacts, programs and outside systems."""
    partner = visible(call, partner_id)
    return PartnerProfileView(
        **_shown(partner),
        contacts=[ContactView(**contact) for contact in partner.contacts],
        programs=[
            ProgramLine(id=public_id("prg", program.id), code=program.code, name=program.name, status=program.status)
            for program in programs.of_partner(call.db, partner.id).values()
        ],
        targets=[
            TargetLine(
                id=public_id("tgt", target.id),
                code=target.code,
                connector=target.connector,
                mapping=target.mapping_code,
                status=target.status,
            )
            for target in targets.of_partner(call.db, partner.id)
        ],
    )


@endpoint(
    blueprint,
    "POST /v1/partners/{partner_id}/status",
    scope=Scope.PARTNERS_ADMIN,
    idempotent=True,
    raises=[NotFound, InvalidInput],
)
def change_partner_status(call: Call, partner_id: PartnerId, body: StatusChange) -> PartnerView:
    """Activate, suspend or offboard a partner, with a reason; the same status again changes nothing."""
    partner = visible(call, partner_id)
    changed = directory.change_status(
        call.db,
        partner,
        body.status,
        reason=body.reason,
        effective_date=body.effective_date,
        caller=call.caller,
        now=call.now,
    )
    return PartnerView.of(changed)


@endpoint(blueprint, "GET /v1/partners/{partner_id}/onboarding", scope=Scope.PARTNERS_ADMIN, raises=[NotFound])
def get_onboarding(call: Call, partner_id: PartnerId) -> ManifestView:
    """Give a partner's manifest back: as it was applied last, with its programs as they are now."""
    partner = visible(call, partner_id)
    found = manifests.of(call.db, partner)
    return ManifestView(partner=partner.code, content=canonical.text(found.document), applied=found.as_applied)


def visible(call: Call, text: str) -> Partner:
    """The partner of an id or code, if the caller may see it. Raises NotFound."""
    partner = directory.named(call.db, text)
    call.require_partner(partner.id)
    return partner


def _shown(partner: Partner) -> dict[str, Any]:
    shown = {name: getattr(partner, name) for name in PartnerView.model_fields if name != "id"}
    return {"id": public_id("par", partner.id), **shown}
