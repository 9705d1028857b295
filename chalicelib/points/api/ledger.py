"""Balances, the entries behind them, and the double-entry check."""

from collections.abc import Mapping, Sequence
from datetime import date, datetime
from typing import Final, Literal, TypeAlias

from chalice.app import Blueprint
from pydantic import Field

from chalicelib.access.scopes import Scope
from chalicelib.errors import InvalidInput, NotFound
from chalicelib.partners import directory
from chalicelib.partners.members import members
from chalicelib.partners.members.members import Named
from chalicelib.partners.programs import programs
from chalicelib.partners.programs.programs import Program, Zoned
from chalicelib.points.earning.causes import Origin
from chalicelib.points.ledger import balances, history, trial_balance
from chalicelib.points.ledger.balances import Balance
from chalicelib.points.ledger.history import Entry
from chalicelib.points.ledger.trial_balance import TrialBalance
from chalicelib.storage.ids import public_id, raw_id
from chalicelib.web import amounts, pages
from chalicelib.web.amounts import AmountText
from chalicelib.web.call import Call
from chalicelib.web.endpoint import endpoint
from chalicelib.web.pages import Page, PageQuery
from chalicelib.web.paths import MemberId
from chalicelib.web.shapes import Day, PublicId, Query, View

blueprint = Blueprint(__name__)

_PROGRAM = Field(default=None, description="Only this program: its id.", examples=["prg_01m80ezmgbefm8btvg41ypyz86"])


class ExpiryView(View):
    """The points that expire next, and the last day on which they may be spent."""

    date: date
    points: AmountText


class ProgramBalanceView(View):
    """A member's balance in one program.

    Of a past day it is what the entries posted by the end of that day amount to. Holds are not dated: how much was held
    or pending then is not known (null), and nothing is taken off ``available`` for it.
    """

    program_id: PublicId
    program: str
    unit: str
    available: AmountText = Field(
        description="Now: may be spent; below zero: owed, and repaid by what is earned next. Of a past day: was posted "
        "and had not expired, held or not."
    )
    held: AmountText | None = Field(description="Reserved for orders; null for a past day.")
    pending: AmountText | None = Field(description="On its way in; null for a past day.")
    lifetime_earned: AmountText = Field(description="Without refunds, and without what was taken back.")
    next_expiry: ExpiryView | None
    version: int = Field(description="Grows with every entry and every change of a hold.")

    @classmethod
    def of(cls, balance: Balance, *, past: bool) -> "ProgramBalanceView":
        """The view of one account's balance, now or at the end of a past day."""
        scale = balance.scale
        expiry = None
        if balance.next_expiry_date is not None and balance.next_expiry_minor is not None:
            points = amounts.text(balance.next_expiry_minor, scale)
            expiry = ExpiryView(date=balance.next_expiry_date, points=points)
        return cls(
            program_id=public_id("prg", balance.program_id),
            program=balance.program_code,
            unit=balance.unit,
            available=amounts.text(balance.available_minor, scale),
            held=None if past else amounts.text(balance.held_minor, scale),
            pending=None if past else amounts.text(balance.pending_minor, scale),
            lifetime_earned=amounts.text(balance.lifetime_minor, scale),
            next_expiry=expiry,
            version=balance.version,
        )


class BalanceView(View):
    """What a member has in each program in which anything was ever earned."""

    member_id: PublicId
    employee_id: str
    as_of: date | None = Field(description="The business day at whose end this was true; null: now.")
    balances: list[ProgramBalanceView]


class BalanceQuery(Query):
    """When, and in which program."""

    as_of: Day | None = Field(
        default=None,
        description="A day in the program's time zone, not a future one: the balance at its end, from what was posted "
        "by then; holds are not dated and stay out of it. Of today: what was posted so far.",
    )
    program_id: str | None = _PROGRAM


#: How the source of each kind of entry is shown.
_SOURCES: Final[Mapping[str, str]] = {
    "accrual": "acr",
    "opening": "opb",
    "redemption": "rdm",
    "refund": "rfd",
    "expiry": "trf",
    "adjustment": "adj",
    "reversal": "rev",
    "year_forfeit": "pym",
    "carry_out": "pym",
    "carry_in": "pym",
    "increase": "inc",
    "forfeiture": "clo",
    "pay_out": "clo",
    "claw_back": "clo",
    "opening_annulled": "ann",
    "adjustment_annulled": "ann",
}


EntryKind: TypeAlias = Literal[
    "accrual",
    "opening",
    "redemption",
    "refund",
    "expiry",
    "adjustment",
    "reversal",
    "year_forfeit",
    "carry_out",
    "carry_in",
    "increase",
    "forfeiture",
    "pay_out",
    "claw_back",
    "opening_annulled",
    "adjustment_annulled",
]


class EntryView(View):
    """One entry of a member's account; a negative amount left it."""

    id: PublicId
    program_id: PublicId
    entry_no: int = Field(description="1, 2, 3, … within the account.")
    kind: EntryKind
    amount: AmountText
    accrual_id: PublicId | None = Field(description="The event that earned it.")
    source_id: PublicId = Field(description="What caused it: an accrual, redemption, refund, …; an expiry is its own.")
    business_date: date
    posted_at: datetime

    @classmethod
    def of(cls, entry: Entry) -> "EntryView":
        """The view of one entry."""
        return cls.model_validate(
            {
                "id": public_id("trf", entry.id),
                "program_id": public_id("prg", entry.program_id),
                "entry_no": entry.entry_no,
                "kind": entry.kind,
                "amount": amounts.text(entry.amount_minor, entry.scale),
                "accrual_id": public_id("acr", entry.source_id) if entry.kind == "accrual" else None,
                "source_id": public_id(_SOURCES[entry.kind], entry.source_id),
                "business_date": entry.business_date,
                "posted_at": entry.posted_at,
            }
        )


class OpenedView(View):
    """The entry that opened a lot, whose id the lot has; its own lineage leads on."""

    kind: EntryKind
    source_id: PublicId
    business_date: date

    @classmethod
    def of(cls, origin: Origin) -> "OpenedView":
        """The view of what opened a lot."""
        return cls.model_validate(
            {
                "kind": origin.kind,
                "source_id": public_id(_SOURCES[origin.kind], origin.source_id),
                "business_date": origin.business_date,
            }
        )


class EntryQuery(PageQuery):
    """Which entries."""

    program_id: str | None = _PROGRAM


class LineView(View):
    """All accounts of one kind."""

    kind: str
    accounts: int
    debits: AmountText
    credits: AmountText


class TrialBalanceView(View):
    """One program; the difference is credits less debits, and zero."""

    program_id: PublicId
    program: str
    unit: str
    lines: list[LineView]
    difference: AmountText

    @classmethod
    def of(cls, trial: TrialBalance) -> "TrialBalanceView":
        """The view of one program's trial balance."""
        scale = trial.scale
        return cls(
            program_id=public_id("prg", trial.program_id),
            program=trial.program_code,
            unit=trial.unit,
            lines=[
                LineView(
                    kind=line.kind,
                    accounts=line.accounts,
                    debits=amounts.text(line.debits_minor, scale),
                    credits=amounts.text(line.credits_minor, scale),
                )
                for line in trial.lines
            ],
            difference=amounts.text(trial.difference_minor, scale),
        )


class TrialBalancesView(View):
    """The double-entry check of all programs asked for."""

    balanced: bool
    programs: list[TrialBalanceView]


class TrialBalanceQuery(Query):
    """Which programs."""

    program_id: str | None = _PROGRAM


class DayToCome(InvalidInput):
    """The balance of a day that is still to come was asked for."""

    code = "date_in_future"


@endpoint(blueprint, "GET /v1/members/{member_id}/balance", scope=Scope.LEDGER_READ, raises=[NotFound, DayToCome])
def get_balance(call: Call, member_id: MemberId, query: BalanceQuery) -> BalanceView:
    """What a member may spend, holds and will lose next; now, or what was posted by the end of a past day."""
    member = _member(call, member_id)
    program = None if query.program_id is None else _program(call, query.program_id)
    found = (
        balances.of(call.db, member.id, now=call.now)
        if query.as_of is None
        else balances.as_of(call.db, member.id, day=query.as_of)
    )
    if program is not None:
        found = [balance for balance in found if balance.program_id == program.id]
    if query.as_of is not None:
        places: Sequence[Zoned] = found or [program or directory.known(call.db, member.partner_id)]
        _refuse_to_come(query.as_of, places, call.now)
    return BalanceView(
        member_id=member_id,
        employee_id=member.employee_id,
        as_of=query.as_of,
        balances=[ProgramBalanceView.of(balance, past=query.as_of is not None) for balance in found],
    )


@endpoint(blueprint, "GET /v1/members/{member_id}/ledger", scope=Scope.LEDGER_READ, raises=[NotFound])
def list_entries(call: Call, member_id: MemberId, query: EntryQuery) -> Page[EntryView]:
    """The entries of a member's accounts, newest first; entries are only ever added."""
    member = _member(call, member_id)
    program_id = None if query.program_id is None else _program(call, query.program_id).id
    found = history.entries(
        call.db,
        member.id,
        program_id=program_id,
        before_seq=pages.after_seq(call, query),
        limit=query.limit + 1,
    )
    return pages.page(call, query, found, view=EntryView.of, position=lambda entry: (entry.seq,))


@endpoint(blueprint, "GET /v1/ledger/trial-balance", scope=Scope.LEDGER_READ, raises=[NotFound])
def get_trial_balance(call: Call, query: TrialBalanceQuery) -> TrialBalancesView:
    """Debits and credits of every program, members by their counters and the house by its transfers: no difference."""
    program_id = None if query.program_id is None else _program(call, query.program_id).id
    found = trial_balance.of(call.db, partner_id=call.partner_scope, program_id=program_id)
    return TrialBalancesView(
        balanced=not any(trial.difference_minor for trial in found),
        programs=[TrialBalanceView.of(trial) for trial in found],
    )


def _refuse_to_come(day: date, places: Sequence[Zoned], now: datetime) -> None:
    today, place = min((programs.business_date(now, place), place.time_zone) for place in places)
    if day > today:
        raise DayToCome(f"{day} is still to come: in {place} it is {today}. Ask for that day or an earlier one.")


def _member(call: Call, member_id: str) -> Named:
    member = members.named(call.db, raw_id("mbr", member_id))
    if member is None:
        raise NotFound("There is no such member.")
    call.require_partner(member.partner_id)
    return member


def _program(call: Call, program_id: str) -> Program:
    program = programs.by_id(call.db, raw_id("prg", program_id))
    if program is None:
        raise NotFound("There is no such program.")
    call.require_partner(program.partner_id)
    return program
