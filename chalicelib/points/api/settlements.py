"""/v1/settlements: a partner's month is closed, invoiced and posted."""

from datetime import date, datetime

from chalice.app import Blueprint
from pydantic import Field
from sqlalchemy.engine import Connection

from chalicelib.access.scopes import Scope
from chalicelib.errors import InvalidInput, NotFound
from chalicelib.partners import directory, programs
from chalicelib.partners.directory import Partner
from chalicelib.points.finance import documents, figures, settlements
from chalicelib.points.finance.documents import Document, Side, Source
from chalicelib.points.finance.figures import Line
from chalicelib.points.finance.months import PeriodOpen
from chalicelib.points.finance.settlements import Kind, LaterPeriodSettled, NotSettled, Reversed, Settlement
from chalicelib.points.finance.worth import NoValue
from chalicelib.storage.ids import public_id, raw_id
from chalicelib.web import amounts
from chalicelib.web.amounts import AmountText
from chalicelib.web.answers import Answer
from chalicelib.web.call import Call
from chalicelib.web.endpoint import endpoint
from chalicelib.web.paths import SettlementId
from chalicelib.web.shapes import Body, PublicId, View

blueprint = Blueprint(__name__)


class SettlementBody(Body):
    """Which period to settle, or which settlement to take back."""

    partner_id: str | None = Field(default=None, description="Id or code of the partner.", examples=["aurora-air"])
    period: str | None = Field(default=None, max_length=7, description="A month that is over.", examples=["2026-10"])
    settlement_id: str | None = Field(
        default=None, description="Take this settlement back by a counter-document; with a reason, and nothing else."
    )
    reason: str | None = Field(default=None, min_length=1, max_length=500)


class SettlementLineView(View):
    """One program's share, in its unit and in money."""

    program_id: PublicId
    program: str
    unit: str
    currency: str
    points_redeemed: AmountText
    points_refunded: AmountText
    points_given: AmountText = Field(description="Earned, given and adjusted, less what was taken back.")
    points_lapsed: AmountText = Field(description="Expired and forfeited.")
    value: AmountText = Field(description="Of what was redeemed, less what was refunded.")
    fees: AmountText
    tax: AmountText
    total: AmountText
    ledger: AmountText = Field(description="Points redeemed less refunded, of all time, as the ledger had it.")
    settled: AmountText = Field(description="The same of all settlements up to this one.")
    difference: AmountText = Field(description="What no settlement has: what was settled again or committed late.")

    @classmethod
    def of(cls, line: Line) -> "SettlementLineView":
        """The view of one line."""

        def points(minor: int) -> str:
            return amounts.text(minor, line.scale)

        def money(minor: int) -> str:
            return amounts.text(minor, line.decimals)

        return cls(
            program_id=public_id("prg", line.program_id),
            program=line.program_code,
            unit=line.unit,
            currency=line.currency,
            points_redeemed=points(line.redeemed_minor),
            points_refunded=points(line.refunded_minor),
            points_given=points(line.given_minor),
            points_lapsed=points(line.lapsed_minor),
            value=money(line.value_minor),
            fees=money(line.fees_minor),
            tax=money(line.tax_minor),
            total=money(line.total_minor),
            ledger=points(line.ledger_minor),
            settled=points(line.settled_minor),
            difference=points(line.difference_minor),
        )


class PostingLineView(View):
    """One line of a document of the books."""

    line_no: int
    gl_account: str
    dr_cr: Side = Field(description="D: debit, C: credit.")
    amount: AmountText
    assignment: str
    text: str


class PostingView(View):
    """One document: its debits are its credits."""

    id: PublicId
    company_code: str
    doc_type: str
    posting_date: date
    currency: str
    source_type: Source
    lines: list[PostingLineView]

    @classmethod
    def of(cls, document: Document) -> "PostingView":
        """The view of one document."""
        return cls(
            id=public_id("pst", document.id),
            company_code=document.company_code,
            doc_type=document.doc_type,
            posting_date=document.posting_date,
            currency=document.currency,
            source_type=document.source_type,
            lines=[
                PostingLineView(
                    line_no=number,
                    gl_account=item.gl_account,
                    dr_cr=item.side,
                    amount=amounts.text(item.amount_minor, document.decimals),
                    assignment=item.assignment,
                    text=item.text,
                )
                for number, item in enumerate(document.items, start=1)
            ],
        )


class SettlementView(View):
    """A settlement, or a counter-document that takes one back: every sign is turned there."""

    id: PublicId
    partner_id: PublicId
    period: str
    part: int = Field(description="1, 2, 3, … of the period's documents.")
    kind: Kind
    reverses_id: PublicId | None
    first_day: date
    last_day: date
    until: datetime = Field(description="Entries posted before this moment are in it, as far as none before has them.")
    entries: int = Field(description="How many entries of the ledger it names.")
    reason: str | None
    settled_at: datetime
    lines: list[SettlementLineView]
    postings: list[PostingView]

    @classmethod
    def of(cls, db: Connection, found: Settlement) -> "SettlementView":
        """The view of one settlement with its lines and documents."""
        return cls(
            id=found.reference,
            partner_id=public_id("par", found.partner_id),
            period=found.period,
            part=found.part,
            kind=found.kind,
            reverses_id=None if found.reverses_id is None else public_id("stl", found.reverses_id),
            first_day=found.first_day,
            last_day=found.last_day,
            until=found.until,
            entries=found.entries,
            reason=found.reason,
            settled_at=found.settled_at,
            lines=[SettlementLineView.of(line) for line in figures.stored(db, found.id)],
            postings=[PostingView.of(document) for document in documents.of_settlement(db, found.id)],
        )


@endpoint(
    blueprint,
    "POST /v1/settlements",
    scope=Scope.LEDGER_ADJUST,
    status=201,
    idempotent=True,
    raises=[NotFound, InvalidInput, NotSettled, PeriodOpen, LaterPeriodSettled, Reversed, NoValue],
)
def close_period(call: Call, body: SettlementBody) -> Answer[SettlementView]:
    """Settle a partner's month, or take a settlement back; once, so the same again answers 200 with the first.

    A month whose settlement was taken back can be settled again: the same entries, by the terms of then.
    """
    if body.settlement_id is not None:
        found, new = _take_back(call, body, body.settlement_id)
    else:
        if body.period is None or body.reason is not None:
            raise InvalidInput("Name a period; a reason is for taking a settlement back.", code="settlement_unclear")
        partner = _partner(call, body.partner_id)
        found, new = settlements.settle(call.db, partner, body.period, caller=call.caller, now=call.now)
    return Answer(201 if new else 200, SettlementView.of(call.db, found))


@endpoint(blueprint, "GET /v1/settlements/{settlement_id}", scope=Scope.LEDGER_READ, raises=[NotFound])
def get_settlement(call: Call, settlement_id: SettlementId) -> SettlementView:
    """Show a settlement with its totals by program, their differences to the ledger, and its documents."""
    found = settlements.by_id(call.db, raw_id("stl", settlement_id))
    call.require_partner(found.partner_id)
    return SettlementView.of(call.db, found)


def _take_back(call: Call, body: SettlementBody, settlement_id: str) -> tuple[Settlement, bool]:
    wrong = settlements.by_id(call.db, raw_id("stl", settlement_id))
    call.require_partner(wrong.partner_id)
    if body.reason is None or body.partner_id is not None or body.period is not None:
        raise InvalidInput("To take a settlement back, give its id and a reason only.", code="settlement_unclear")
    return settlements.take_back(
        call.db,
        wrong.id,
        reason=body.reason,
        posting_date=programs.business_date(call.now, directory.known(call.db, wrong.partner_id)),
        caller=call.caller,
        now=call.now,
    )


def _partner(call: Call, named: str | None) -> Partner:
    if named is not None:
        partner = directory.named(call.db, named)
        call.require_partner(partner.id)
        return partner
    if call.partner_scope is None:
        raise InvalidInput("Name the partner: this key is not bound to one.", code="partner_missing")
    return directory.known(call.db, call.partner_scope)
