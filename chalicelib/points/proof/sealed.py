"""Which columns of the ledger never change, and which are recomputed from them: what the hash chain is taken of.

Every column of every table of the ledger is in one of the sets below; a test holds that none is forgotten.

- *sealed*: written once with the row, and hashed by the next checkpoint;
- *sealed at the end*: open until the row is decided or closed, and hashed once it is;
- *counters*: they move, and are recomputed from sealed rows (``points.proof.checks``);
- *derived*: follow from sealed columns and are compared with them;
- *loose*: they say nothing about points.
"""

from collections.abc import Mapping
from dataclasses import field
from typing import Final

from sqlalchemy import Column, ColumnElement, Table

from chalicelib.points.models.books import (
    overdraft_repayment,
    plan_year_member,
    posting,
    posting_line,
    settlement,
    settlement_line,
    settlement_range,
    settlement_sum,
)
from chalicelib.points.models.ledger import (
    account,
    accrual_event,
    adjustment,
    annulment,
    hold,
    hold_lot,
    loss_recovery,
    lot,
    lot_use,
    opening_balance,
    redemption,
    redemption_line,
    refund,
    refund_line,
    reversal,
    transfer,
)
from chalicelib.points.models.terms import close_out, increase_request, tender, tender_line, tender_step
from chalicelib.records import dataclass


@dataclass(frozen=True, slots=True)
class Kept:
    """One table of the ledger. What is named nowhere is sealed; ``closed_at`` is when what is sealed late is final.

    ``prefix`` shows ids of the table's rows.
    """

    table: Table
    prefix: str
    late: frozenset[str] = frozenset()
    counters: frozenset[str] = frozenset()
    derived: frozenset[str] = frozenset()
    loose: frozenset[str] = frozenset()
    closed_at: str | None = None
    closed: ColumnElement[bool] | None = None
    #: Columns that must be sealed: a column that a migration adds is not sealed before somebody says so.
    sealed: tuple[str, ...] = ()

    def column(self, name: str) -> "Column[object]":
        """A column of the table."""
        found: Column[object] = self.table.c[name]
        return found


@dataclass(frozen=True, slots=True)
class Stream:
    """Rows in an order in which they are hashed: by ``order``, an id that begins with its time, or a moment.

    ``key`` names the row; ``hashed`` are the columns that the hash is taken of, the key's among them.
    """

    name: str
    kept: Kept
    order: str
    hashed: tuple[str, ...]
    condition: ColumnElement[bool] | None = None
    key: tuple[str, ...] = field(default=())

    @property
    def by_moment(self) -> bool:
        """Whether rows are ordered by a moment and not by an id."""
        return self.order == "at" or self.order.endswith("_at")


def _kept(table: Table, prefix: str, sealed: str, **more: str | ColumnElement[bool]) -> Kept:
    sets = {name: frozenset(str(more.pop(name, "")).split()) for name in ("late", "counters", "derived", "loose")}
    closed_at, closed = more.get("closed_at"), more.get("closed")
    return Kept(
        table,
        prefix,
        **sets,
        closed_at=None if closed_at is None else str(closed_at),
        closed=closed if isinstance(closed, ColumnElement) else None,
        sealed=tuple(sealed.split()),
    )


_CAUSED: Final = " actor correlation_id"
_FROM_ROW: Final = " source_file_id row_no byte_offset byte_length"

KEPT: Final[tuple[Kept, ...]] = (
    _kept(
        account,
        "acc",
        "id created_at",
        counters="debits_pending debits_posted credits_pending credits_posted entry_no hold_changes overdrawn_minor "
        "unearned_minor",
        derived="partner_id program_id kind owner_id",
        loose="changed_at",
    ),
    _kept(
        accrual_event,
        "acr",
        "seq id partner_id event_id content_hash program_id member_id account_id event_type event_date outcome "
        "points_minor ruleset_version_id facts received_at" + _FROM_ROW + _CAUSED,
        counters="reversed_minor",
        derived="generation",
    ),
    _kept(
        transfer,
        "trf",
        "seq id partner_id program_id account_id entry_no version debit_account_id credit_account_id amount_minor kind "
        "source_id business_date posted_at",
    ),
    _kept(lot, "trf", "id partner_id account_id expires_on amount_minor", counters="remaining_minor held_minor"),
    _kept(lot_use, "trf", "transfer_id lot_id partner_id amount_minor"),
    _kept(
        hold,
        "hld",
        "id partner_id program_id account_id reference amount_minor ttl_s created_at" + _CAUSED,
        late="order_no expires_at sweep_at changed_at state captured_minor released_minor",
        closed_at="changed_at",
        closed=hold.c.state != "open",
    ),
    _kept(hold_lot, "hld", "hold_id lot_id partner_id amount_minor", counters="captured_minor released_minor"),
    _kept(
        redemption,
        "rdm",
        "seq id partner_id program_id account_id within_id reference hold_id order_no transfer_id amount_minor "
        "business_date redeemed_at" + _CAUSED,
    ),
    _kept(
        redemption_line,
        "rdm",
        "redemption_id line_no partner_id line amount_minor",
        counters="refunded_minor",
    ),
    _kept(
        refund,
        "rfd",
        "id partner_id redemption_id reference transfer_id amount_minor reason business_date refunded_at" + _CAUSED,
    ),
    _kept(refund_line, "rfd", "refund_id redemption_id line_no partner_id amount_minor"),
    _kept(
        adjustment,
        "adj",
        "seq id partner_id program_id member_id account_id reference amount_minor reason_code comment author "
        "effective_date requested_by approved_by correlation_id created_at" + _FROM_ROW,
        late="state transfer_id decided_by decision_comment decided_at",
        closed_at="decided_at",
        derived="generation",
    ),
    _kept(
        reversal,
        "rev",
        "seq id partner_id program_id account_id accrual_event_id part cause undoes_id transfer_id amount_minor "
        "recovered_minor overdrawn_minor lost_minor expired_minor event_id content_hash facts policy reason "
        "business_date reversed_at" + _FROM_ROW + _CAUSED,
        derived="generation",
    ),
    _kept(
        opening_balance,
        "opb",
        "seq id partner_id program_id member_id account_id legacy_ref amount_minor as_of lot_expiry recorded_at"
        + _FROM_ROW
        + _CAUSED,
        derived="generation",
    ),
    _kept(
        annulment,
        "ann",
        "seq id partner_id program_id account_id kind cause_id transfer_id amount_minor recovered_minor "
        "overdrawn_minor lost_minor expired_minor policy reason business_date source_file_id annulled_at" + _CAUSED,
    ),
    _kept(
        loss_recovery,
        "lsr",
        "seq id partner_id program_id account_id kind of_id because_id transfer_id amount_minor business_date "
        "recovered_at" + _CAUSED,
    ),
    _kept(
        close_out,
        "clo",
        "seq id partner_id program_id member_id account_id kind last_day accrual_event_id due_minor amount_minor "
        "transfer_id business_date closed_at" + _CAUSED,
    ),
    _kept(
        increase_request,
        "inc",
        "seq id partner_id program_id member_id account_id reference amount_minor reason author correlation_id "
        "created_at",
        late="state transfer_id decided_by decision_comment decided_on decided_at",
        closed_at="decided_at",
    ),
    _kept(
        tender,
        "tnd",
        "id partner_id program_id member_id account_id reference order_no hold_id currency decimals refund_order "
        "points_minor cash_minor asked business_date expires_at created_at" + _CAUSED,
    ),
    _kept(
        tender_line,
        "tnd",
        "tender_id line_no partner_id line sku garment_group quantity price_minor points_minor cash_minor",
        counters="captured released refunded refunded_points_minor refunded_cash_minor",
    ),
    _kept(tender_step, "tnd", "tender_id kind reference partner_id asked parts redemption_id actor at"),
    _kept(overdraft_repayment, "trf", "id partner_id account_id amount_minor business_date repaid_at"),
    _kept(
        plan_year_member,
        "pym",
        "id partner_id close_id member_id account_id first_day last_day before_minor carried_minor held_minor "
        "forfeited_minor moved_minor carried_until grant_event granted_minor grant_refused closed_at",
    ),
    _kept(
        settlement,
        "stl",
        "seq id partner_id period part kind run_id reverses_id terms first_day last_day until entries reason settled_at"
        + _CAUSED,
    ),
    _kept(settlement_range, "stl", "slice_id account_id run_id partner_id program_id first_entry_no last_entry_no"),
    _kept(settlement_sum, "stl", "slice_id program_id movement valued_on run_id partner_id points_minor"),
    _kept(
        settlement_line,
        "stl",
        "settlement_id program_id partner_id program_code unit scale currency decimals redeemed_minor refunded_minor "
        "given_minor brought_minor lapsed_minor paid_out_minor value_minor given_value_minor brought_value_minor "
        "lapsed_value_minor paid_out_value_minor revaluation_minor closing_minor closing_value_minor fees_minor "
        "tax_minor total_minor ledger_minor settled_minor",
    ),
    _kept(
        posting,
        "pst",
        "seq id partner_id company_code doc_type posting_date period currency decimals source_type source_id posted_at",
    ),
    _kept(
        posting_line,
        "pst",
        "posting_id line_no partner_id gl_account cost_center profit_center dr_cr amount_minor assignment text",
    ),
)

#: Tables of the points room that are no part of the ledger, with the reason.
LEFT_OUT: Final[Mapping[str, str]] = {
    "plan_year_close": "the progress of work: what became of each member is in plan_year_member",
    "settlement_run": "the progress of work: what it named is in settlement_range, what it made in settlement",
    "grant_progress": "the progress of work: what was granted are accrual events",
    "posting_acknowledgement": "what SAP and NetSuite say of documents: their word, and added to only",
    "ledger_checkpoint": "the chain itself: each block names the hash of the one before it, and is signed",
}


#: Of tables whose keys do not begin with the time of the row: the moment at which it was made.
_ORDERED_BY: Final[Mapping[str, str]] = {"account": "created_at", "tender_step": "at"}


def _streams() -> tuple[Stream, ...]:
    found: list[Stream] = []
    for kept in KEPT:
        name = kept.table.name
        primary = tuple(column.name for column in kept.table.primary_key.columns)
        key = ("id",) if "seq" in primary else primary
        order = _ORDERED_BY.get(name, key[0])
        found.append(Stream(name, kept, order, kept.sealed, key=key))
        if kept.closed_at is not None:
            hashed = (*key, *sorted(kept.late))
            found.append(Stream(f"{name}.closed", kept, kept.closed_at, hashed, kept.closed, key))
    return tuple(found)


STREAMS: Final = _streams()
