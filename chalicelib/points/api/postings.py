"""/v1/erp/postings: documents of the books, and what SAP and NetSuite answer to them."""

from datetime import date, datetime
from decimal import Decimal
from typing import Literal

from chalice.app import Blueprint
from pydantic import Field

from chalicelib.access.scopes import Scope
from chalicelib.errors import Fault, NotFound, Unprocessable
from chalicelib.partners.house import moments
from chalicelib.partners.provenance import BY_API
from chalicelib.points.api.settlements import PostingView
from chalicelib.points.api.whose import narrowed
from chalicelib.points.finance import acknowledgements, documents, postings
from chalicelib.points.finance.acknowledgements import AcknowledgementRow, State
from chalicelib.points.finance.documents import Source
from chalicelib.points.finance.postings import Answered, Posting, PostingFilter
from chalicelib.storage.ids import public_id, raw_id
from chalicelib.web import pages
from chalicelib.web.call import Call
from chalicelib.web.endpoint import endpoint
from chalicelib.web.pages import Page, PageQuery
from chalicelib.web.paths import PostingId
from chalicelib.web.shapes import Body, Moment, PublicId, View

blueprint = Blueprint(__name__)


class AcknowledgementBody(Body):
    """What a system says of a document."""

    system: Literal["sap", "netsuite"]
    company_code: str = Field(max_length=4, description="The posting's: proof that it is meant.", examples=["1000"])
    status: Literal["POSTED", "REJECTED"]
    doc_no: str | None = Field(
        default=None, min_length=1, max_length=40, description="The system's number of it; what was posted has one."
    )
    fiscal_year: int | None = Field(default=None, ge=2000, le=2100)
    message: str | None = Field(default=None, max_length=500, description="Why it was rejected.")
    posted_at: Moment = Field(description="When the system decided; of two answers the later one holds.")


class PostingQuery(PageQuery):
    """Which documents; filters add up."""

    partner_id: str | None = Field(default=None, description="Id or code of a partner.", examples=["aurora-air"])
    company_code: str | None = Field(default=None, description="Company code in SAP.", examples=["1000"])
    period: str | None = Field(default=None, max_length=7, description="A month.", examples=["2026-10"])
    settlement_id: str | None = Field(
        default=None, description="The settlement that they post.", examples=["stl_01m80ezmgbefm8btvg41ypyz86"]
    )
    status: Answered | None = Field(
        default=None, description="`unanswered`: no system has said anything; else what one of them says now."
    )


class AcknowledgementView(View):
    """What one system says of a document now."""

    system: str
    status: Literal["POSTED", "REJECTED"]
    doc_no: str | None
    fiscal_year: int | None
    message: str | None
    posted_at: datetime

    @classmethod
    def of(cls, system: str, state: State) -> "AcknowledgementView":
        """The view of one system's latest word."""
        return cls.model_validate(
            {
                "system": system,
                "status": state.status,
                "doc_no": state.doc_no,
                "fiscal_year": state.fiscal_year,
                "message": state.message,
                "posted_at": state.said_at,
            }
        )


class PostingItemView(View):
    """One document and what systems say of it; `GET /v1/erp/postings/{posting_id}` has its lines."""

    id: PublicId
    partner_id: PublicId
    company_code: str
    doc_type: str
    posting_date: date
    period: str
    currency: str
    source_type: Source
    settlement_id: PublicId
    posted_at: datetime = Field(description="When the hub made it.")
    acknowledgements: list[AcknowledgementView] = Field(description="Empty: no system has answered.")

    @classmethod
    def of(cls, found: Posting, said: dict[str, State]) -> "PostingItemView":
        """The view of one document."""
        return cls(
            id=public_id("pst", found.id),
            partner_id=public_id("par", found.partner_id),
            company_code=found.company_code,
            doc_type=found.doc_type,
            posting_date=found.posting_date,
            period=found.period,
            currency=found.currency,
            source_type=found.source_type,
            settlement_id=public_id("stl", found.source_id),
            posted_at=found.posted_at,
            acknowledgements=[AcknowledgementView.of(system, said[system]) for system in sorted(said)],
        )


class PostingDetailView(View):
    """One document with its lines."""

    posting: PostingItemView
    document: PostingView


class AcknowledgedView(View):
    """What became of an answer. ``ignored``: a later one of this number is known."""

    outcome: Literal["accepted", "duplicate", "ignored"]
    posting: PostingItemView


class AcknowledgementRefused(Unprocessable):
    """The answer cannot be about this document; `code` and `faults` say why."""

    code = "acknowledgement_refused"


@endpoint(blueprint, "GET /v1/erp/postings", scope=Scope.LEDGER_READ, raises=[NotFound])
def list_postings(call: Call, query: PostingQuery) -> Page[PostingItemView]:
    """Documents of the books with what SAP and NetSuite say of them, newest first."""
    wanted = PostingFilter(
        partner_id=narrowed(call, query.partner_id, None, None).partner_id,
        company_code=query.company_code,
        period=query.period,
        source_id=None if query.settlement_id is None else raw_id("stl", query.settlement_id),
        answered=query.status,
    )
    found = postings.newest_first(call.db, wanted, before_seq=pages.after_seq(call, query), limit=query.limit + 1)
    said = acknowledgements.states(call.db, [each.id for each in found])
    return pages.page(
        call,
        query,
        found,
        view=lambda each: PostingItemView.of(each, said.get(each.id, {})),
        position=lambda each: (each.seq,),
    )


@endpoint(blueprint, "GET /v1/erp/postings/{posting_id}", scope=Scope.LEDGER_READ, raises=[NotFound])
def get_posting(call: Call, posting_id: PostingId) -> PostingDetailView:
    """One document of the books with its lines, and what SAP and NetSuite say of it."""
    found = _visible(call, posting_id)
    [document] = [each for each in documents.of_settlement(call.db, found.source_id) if each.id == found.id]
    return PostingDetailView(posting=_shown(call, found), document=PostingView.of(document))


@endpoint(
    blueprint,
    "POST /v1/erp/postings/{posting_id}/ack",
    scope=Scope.POSTINGS_ANSWER,
    idempotent=True,
    raises=[AcknowledgementRefused, NotFound],
)
def acknowledge_posting(call: Call, posting_id: PostingId, body: AcknowledgementBody) -> AcknowledgedView:
    """Note that SAP or NetSuite posted a document under its number, or rejected it; the same answer counts once."""
    found = _visible(call, posting_id)
    row = AcknowledgementRow(
        system=body.system,
        posting_id=public_id("pst", found.id),
        company_code=body.company_code,
        doc_no=body.doc_no,
        fiscal_year=None if body.fiscal_year is None else Decimal(body.fiscal_year),
        status=body.status,
        message=body.message,
        posted_ts=moments.written(body.posted_at),
    )
    [told] = acknowledgements.record(call.db, [row], sources=[BY_API], caller=call.caller, now=call.now)
    if told.outcome == "rejected":
        message = told.message or "The answer was refused."
        code = told.code or AcknowledgementRefused.code
        raise AcknowledgementRefused(message, code=code, faults=[Fault(f"/{told.column or ''}", code, message)])
    return AcknowledgedView(outcome=told.outcome, posting=_shown(call, found))


def _shown(call: Call, found: Posting) -> PostingItemView:
    return PostingItemView.of(found, acknowledgements.states(call.db, [found.id]).get(found.id, {}))


def _visible(call: Call, text: str) -> Posting:
    found = postings.by_id(call.db, raw_id("pst", text))
    call.require_partner(found.partner_id)
    return found
