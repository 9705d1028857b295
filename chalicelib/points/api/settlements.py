"""/v1/settlements: a partner's month is closed, invoiced and posted."""

from datetime import date, datetime
from typing import Literal

from chalice.app import Blueprint
from pydantic import Field
from sqlalchemy.engine import Connection

from chalicelib.access.scopes import Scope
from chalicelib.errors import InvalidInput, NotFound
from chalicelib.partners import directory
from chalicelib.partners.directory import Partner
from chalicelib.partners.programs import programs
from chalicelib.points.api.whose import narrowed
from chalicelib.points.finance import documents, figures, months, settlements, settling
from chalicelib.points.finance.documents import AccountMissing, Document, Side, Source
from chalicelib.points.finance.figures import CurrencyChanged, Line
from chalicelib.points.finance.months import PeriodOpen
from chalicelib.points.finance.settlements import Kind, NotSettled, Reversed, Settlement, SettlementRunning
from chalicelib.points.finance.settling import LaterPeriodSettled, Run
from chalicelib.points.finance.worth import NoValue
from chalicelib.storage.ids import public_id, raw_id
from chalicelib.web import amounts, pages
from chalicelib.web.amounts import AmountText
from chalicelib.web.answers import Answer
from chalicelib.web.call import Call
from chalicelib.web.endpoint import endpoint
from chalicelib.web.pages import Page, PageQuery
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
    points_brought: AmountText = Field(description="Opening balances, less those that were taken back.")
    points_lapsed: AmountText = Field(description="Expired and forfeited.")
    points_paid_out: AmountText = Field(description="Of members who left.")
    value: AmountText = Field(description="Of what was redeemed, less what was refunded.")
    value_given: AmountText
    value_brought: AmountText
    value_lapsed: AmountText
    value_paid_out: AmountText
    revaluation: AmountText = Field(
        description="What brings the liability to the closing value: a changed value of points, and cents of rounding."
    )
    points_closing: AmountText = Field(description="Points that are left, of all entries settled so far.")
    value_closing: AmountText = Field(description="What they are worth on the last day: the liability in the books.")
    fees: AmountText
    tax: AmountText
    total: AmountText
    ledger: AmountText = Field(description="Points redeemed less refunded, of all entries up to the period's end.")
    settled: AmountText = Field(description="The same of all documents up to this one.")
    difference: AmountText = Field(
        description="Between the two: what later periods have, when one was settled again after them."
    )

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
            points_brought=points(line.brought_minor),
            points_lapsed=points(line.lapsed_minor),
            points_paid_out=points(line.paid_out_minor),
            value=money(line.value_minor),
            value_given=money(line.given_value_minor),
            value_brought=money(line.brought_value_minor),
            value_lapsed=money(line.lapsed_value_minor),
            value_paid_out=money(line.paid_out_value_minor),
            revaluation=money(line.revaluation_minor),
            points_closing=points(line.closing_minor),
            value_closing=money(line.closing_value_minor),
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

    id: PublicId | None = Field(description="Null while it is running.")
    state: Literal["running", "done"] = Field(
        description="`running`: its entries are still being named. The hub goes on by itself; ask again to see."
    )
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
    settled_at: datetime | None
    lines: list[SettlementLineView]
    postings: list[PostingView]

    @classmethod
    def of(cls, db: Connection, found: Settlement) -> "SettlementView":
        """The view of one settlement with its lines and documents."""
        return cls(
            id=found.reference,
            state="done",
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

    @classmethod
    def of_run(cls, run: Run, partner: Partner) -> "SettlementView":
        """The view of a settlement whose entries are still being named."""
        month = months.named(run.period, partner)
        return cls(
            id=None,
            state="running",
            partner_id=public_id("par", run.partner_id),
            period=run.period,
            part=run.part,
            kind="settlement",
            reverses_id=None,
            first_day=month.first_day,
            last_day=month.last_day,
            until=run.until,
            entries=run.entries,
            reason=None,
            settled_at=None,
            lines=[],
            postings=[],
        )


class SettlementQuery(PageQuery):
    """Which settlements; filters add up."""

    partner_id: str | None = Field(default=None, description="Id or code of a partner.", examples=["aurora-air"])
    period: str | None = Field(default=None, max_length=7, description="A month.", examples=["2026-10"])


class SettlementItemView(View):
    """One settlement, or a counter-document; `GET /v1/settlements/{settlement_id}` has its totals."""

    id: PublicId
    partner_id: PublicId
    period: str
    part: int = Field(description="1, 2, 3, … of the period's documents.")
    kind: Kind
    reverses_id: PublicId | None
    entries: int = Field(description="How many entries of the ledger it names.")
    reason: str | None
    settled_at: datetime

    @classmethod
    def of(cls, found: Settlement) -> "SettlementItemView":
        """The view of one settlement without its totals."""
        return cls(
            id=found.reference,
            partner_id=public_id("par", found.partner_id),
            period=found.period,
            part=found.part,
            kind=found.kind,
            reverses_id=None if found.reverses_id is None else public_id("stl", found.reverses_id),
            entries=found.entries,
            reason=found.reason,
            settled_at=found.settled_at,
        )


@endpoint(
    blueprint,
    "POST /v1/settlements",
    scope=Scope.LEDGER_ADJUST,
    status=201,
    idempotent=True,
    raises=[
        NotFound,
        InvalidInput,
        NotSettled,
        PeriodOpen,
        LaterPeriodSettled,
        SettlementRunning,
        Reversed,
        NoValue,
        CurrencyChanged,
        AccountMissing,
    ],
)
def close_period(call: Call, body: SettlementBody) -> Answer[SettlementView]:
    """Settle a partner's month, or take a settlement back; once, so the same again answers 200 with the first.

    A partner with many members is not settled at once: the answer is 202 then, and the hub goes on by itself. A month
    whose settlement was taken back can be settled again: the same entries, by the terms of then.
    """
    if body.settlement_id is not None:
        found, new = _take_back(call, body, body.settlement_id)
        return Answer(201 if new else 200, SettlementView.of(call.db, found))
    if body.period is None or body.reason is not None:
        raise InvalidInput(
            "To settle, give a partner_id and a period; to take a settlement back, its settlement_id and a reason.",
            code="settlement_unclear",
        )
    partner = _partner(call, body.partner_id)
    made, run, new = settling.settle(call.db, partner, body.period, caller=call.caller, now=call.now)
    if made is None and run is not None:
        return Answer(202, SettlementView.of_run(run, partner))
    assert made is not None  # noqa: S101 - there is a settlement, or the way to one
    return Answer(201 if new else 200, SettlementView.of(call.db, made))


@endpoint(blueprint, "GET /v1/settlements", scope=Scope.LEDGER_READ, raises=[NotFound])
def list_settlements(call: Call, query: SettlementQuery) -> Page[SettlementItemView]:
    """Settlements and what took them back, newest first."""
    partner_id = narrowed(call, query.partner_id, None, None).partner_id
    found = settlements.newest_first(
        call.db,
        partner_id=partner_id,
        period=query.period,
        before_seq=pages.after_seq(call, query),
        limit=query.limit + 1,
    )
    return pages.page(call, query, found, view=SettlementItemView.of, position=lambda each: (each.seq,))


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
