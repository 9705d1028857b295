"""The proof's checks of why points moved: holds, redemptions, refunds, adjustments, reversals, overdrafts, expiry.

Each check selects what contradicts itself: its id, what the finer record says, and what the coarser one says.
"""

from collections.abc import Callable, Mapping
from typing import Any, Final

from sqlalchemy import Column, ColumnElement, Select, Table, and_, case, func, literal, or_, select

from chalicelib.partners.account_ids import MEMBER
from chalicelib.points.models.books import plan_year_member
from chalicelib.points.models.ledger import (
    account,
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
from chalicelib.points.models.terms import close_out, increase_request
from chalicelib.records import dataclass

#: What is posted when a member has left.
_CLOSE_OUTS: Final = ("forfeiture", "pay_out", "claw_back")
#: What is posted when a balance brought over or an adjustment is taken back with its file.
ANNULLED: Final = ("opening_annulled", "adjustment_annulled")


@dataclass(frozen=True, slots=True)
class Part:
    """Which part of the ledger is looked at: one program's, and the accounts after one id up to another. None: all."""

    program_id: bytes | None = None
    after: bytes | None = None
    until: bytes | None = None


def total(column: ColumnElement[int]) -> ColumnElement[int]:
    """The sum of a column, zero where there are no rows."""
    return func.coalesce(func.sum(column), 0)


def of_program(column: ColumnElement[bytes], part: Part) -> ColumnElement[bool]:
    """The condition that a row is of the part asked about; ``column`` is the program of a table that has accounts."""
    of: Any = column
    owner: ColumnElement[bytes] = of.table.c.get("account_id", of.table.c.id)
    conditions: list[ColumnElement[bool]] = []
    if part.program_id is not None:
        conditions.append(column == part.program_id)
    if part.after is not None:
        conditions.append(owner > part.after)
    if part.until is not None:
        conditions.append(owner <= part.until)
    return and_(literal(True), *conditions)


def member_accounts(part: Part) -> ColumnElement[bool]:
    """The condition that an account is a member's, in the part asked about."""
    return and_(account.c.kind == MEMBER, of_program(account.c.program_id, part))


def _open(of: Table) -> ColumnElement[int]:
    still: ColumnElement[int] = of.c.amount_minor - of.c.captured_minor - of.c.released_minor
    return still


def _pending(part: Part) -> Select[Any]:
    held = total(_open(hold))
    return (
        select(account.c.id, held, account.c.debits_pending)
        .outerjoin_from(account, hold, hold.c.account_id == account.c.id)
        .where(member_accounts(part))
        .group_by(account.c.id, account.c.debits_pending)
        .having(held != account.c.debits_pending)
    )


def _lots_held(part: Part) -> Select[Any]:
    """Lots that are not covered as the open holds say, or by more than they hold."""
    held = total(_open(hold_lot))
    return (
        select(lot.c.id, held, lot.c.held_minor)
        .join_from(lot, account, account.c.id == lot.c.account_id)
        .outerjoin(hold_lot, hold_lot.c.lot_id == lot.c.id)
        .where(member_accounts(part))
        .group_by(lot.c.id, lot.c.held_minor)
        .having(or_(held != lot.c.held_minor, (held > 0) & (held > func.max(lot.c.remaining_minor))))
    )


def _holds_unlike_lots(part: Part) -> Select[Any]:
    """Holds that do not reserve, spend or give back what they do of their lots, or that are open with nothing left."""
    parts = {name: total(hold_lot.c[name]) for name in ("amount_minor", "captured_minor", "released_minor")}
    # One row of the hold for each of its lots: MariaDB wants it said which of them.
    still = func.max(_open(hold))
    return (
        select(hold.c.id, parts["amount_minor"], hold.c.amount_minor)
        .outerjoin_from(hold, hold_lot, hold_lot.c.hold_id == hold.c.id)
        .where(of_program(hold.c.program_id, part))
        .group_by(hold.c.id, hold.c.amount_minor)
        .having(
            or_(
                *(of_lots != func.max(hold.c[name]) for name, of_lots in parts.items()),
                still < 0,
                (still == 0) & (func.max(hold.c.state) == "open"),
                (still > 0) & (func.max(hold.c.state) != "open"),
            )
        )
    )


def _holds_unlike_captures(part: Part) -> Select[Any]:
    captured = total(redemption.c.amount_minor)
    return (
        select(hold.c.id, captured, hold.c.captured_minor)
        .outerjoin_from(hold, redemption, redemption.c.hold_id == hold.c.id)
        .where(of_program(hold.c.program_id, part))
        .group_by(hold.c.id, hold.c.captured_minor)
        .having(captured != hold.c.captured_minor)
    )


def without_transfer(cause: Table, kind: str, moved: ColumnElement[int]) -> Callable[[Part], Select[Any]]:
    """Causes whose entry is missing, another account's or of another amount; ``moved`` is signed."""

    def statement(part: Part) -> Select[Any]:
        of_account: Column[bytes] = redemption.c.account_id if cause is refund else cause.c.account_id
        signed = case(
            (transfer.c.credit_account_id == transfer.c.account_id, transfer.c.amount_minor),
            else_=-transfer.c.amount_minor,
        )
        query = select(cause.c.id, moved, func.coalesce(signed, 0)).select_from(cause)
        if cause is refund:
            query = query.join(redemption, redemption.c.id == refund.c.redemption_id)
        program = redemption.c.program_id if cause is refund else cause.c.program_id
        return query.outerjoin(
            transfer,
            (transfer.c.id == cause.c.transfer_id)
            & (transfer.c.source_id == cause.c.id)
            & (transfer.c.kind == kind)
            & (transfer.c.account_id == of_account),
        ).where(func.coalesce(signed, 0) != moved, of_program(program, part))

    return statement


def _openings_unlike_transfers(part: Part) -> Select[Any]:
    """Balances brought over that are not exactly what was posted to their account."""
    posted = total(transfer.c.amount_minor)
    return (
        select(opening_balance.c.id, opening_balance.c.amount_minor, posted)
        .outerjoin_from(
            opening_balance,
            transfer,
            (transfer.c.source_id == opening_balance.c.id)
            & (transfer.c.kind == "opening")
            & (transfer.c.credit_account_id == opening_balance.c.account_id),
        )
        .where(of_program(opening_balance.c.program_id, part))
        .group_by(opening_balance.c.id, opening_balance.c.amount_minor)
        .having(posted != opening_balance.c.amount_minor)
    )


def _transfers_without_cause(part: Part) -> Select[Any]:
    """Transfers of a kind that has a cause, whose cause does not name them; and of kinds that there are not."""
    known = [
        select(cause.c.id).where(cause.c.id == transfer.c.source_id, cause.c.transfer_id == transfer.c.id).exists()
        & (transfer.c.kind == kind)
        for kind, cause in (
            ("redemption", redemption), ("refund", refund), ("adjustment", adjustment), ("reversal", reversal),
            ("increase", increase_request), *((kind, close_out) for kind in _CLOSE_OUTS),
            *((kind, annulment) for kind in ANNULLED), *((kind, loss_recovery) for kind in ("reversal", *ANNULLED)),
        )
    ]  # fmt: skip
    known.append(
        select(opening_balance.c.id).where(opening_balance.c.id == transfer.c.source_id).exists()
        & (transfer.c.kind == "opening")
    )
    known.append(
        select(plan_year_member.c.id).where(plan_year_member.c.id == transfer.c.source_id).exists()
        & transfer.c.kind.in_(("year_forfeit", "carry_out", "carry_in"))
    )
    elsewhere = (transfer.c.kind == "accrual") | (
        (transfer.c.kind == "expiry") & (transfer.c.source_id == transfer.c.id)
    )
    return select(transfer.c.id, literal(0), transfer.c.amount_minor).where(
        ~or_(elsewhere, *known), of_program(transfer.c.program_id, part)
    )


def _redemptions_unlike_lines(part: Part) -> Select[Any]:
    lines = total(redemption_line.c.amount_minor)
    return (
        select(redemption.c.id, lines, redemption.c.amount_minor)
        .outerjoin_from(redemption, redemption_line, redemption_line.c.redemption_id == redemption.c.id)
        .where(of_program(redemption.c.program_id, part))
        .group_by(redemption.c.id, redemption.c.amount_minor)
        .having(lines != redemption.c.amount_minor)
    )


def _lines_unlike_refunds(part: Part) -> Select[Any]:
    """Lines of which more or less came back than their refunds say, or more than was paid; by their redemption."""
    back = total(refund_line.c.amount_minor)
    line = redemption_line.c
    return (
        select(line.redemption_id, back, line.refunded_minor)
        .select_from(redemption_line)
        .join(redemption, redemption.c.id == line.redemption_id)
        .outerjoin(
            refund_line,
            (refund_line.c.redemption_id == line.redemption_id) & (refund_line.c.line_no == line.line_no),
        )
        .where(of_program(redemption.c.program_id, part))
        .group_by(line.redemption_id, line.line_no, line.refunded_minor)
        .having(or_(back != line.refunded_minor, line.refunded_minor > func.max(line.amount_minor)))
    )


def _refunds_unlike_lines(part: Part) -> Select[Any]:
    lines = total(refund_line.c.amount_minor)
    return (
        select(refund.c.id, lines, refund.c.amount_minor)
        .join_from(refund, redemption, redemption.c.id == refund.c.redemption_id)
        .outerjoin(refund_line, refund_line.c.refund_id == refund.c.id)
        .where(of_program(redemption.c.program_id, part))
        .group_by(refund.c.id, refund.c.amount_minor)
        .having(lines != refund.c.amount_minor)
    )


def _overdrafts(part: Part) -> Select[Any]:
    owed = total(case((lot.c.remaining_minor < 0, -lot.c.remaining_minor), else_=0))
    return (
        select(account.c.id, owed, account.c.overdrawn_minor)
        .outerjoin_from(account, lot, lot.c.account_id == account.c.id)
        .where(member_accounts(part))
        .group_by(account.c.id, account.c.overdrawn_minor)
        .having(owed != account.c.overdrawn_minor)
    )


def _unearned(part: Part) -> Select[Any]:
    taken_back = (transfer.c.kind == "reversal") & (transfer.c.debit_account_id == transfer.c.account_id)
    unearned = transfer.c.kind.in_(("refund", "carry_in", *ANNULLED)) | taken_back
    moved = total(case((unearned, transfer.c.amount_minor), else_=0))
    return (
        select(account.c.id, moved, account.c.unearned_minor)
        .outerjoin_from(account, transfer, transfer.c.account_id == account.c.id)
        .where(member_accounts(part))
        .group_by(account.c.id, account.c.unearned_minor)
        .having(moved != account.c.unearned_minor)
    )


def _repayments(part: Part) -> Select[Any]:
    """Uses under no transfer that do not add up to nothing: points that came from nowhere or went there."""
    moved = func.sum(lot_use.c.amount_minor)
    return (
        select(lot_use.c.transfer_id, literal(0), moved)
        .join_from(lot_use, lot, lot.c.id == lot_use.c.lot_id)
        .join(account, account.c.id == lot.c.account_id)
        .outerjoin(transfer, transfer.c.id == lot_use.c.transfer_id)
        .where(transfer.c.id.is_(None), member_accounts(part))
        .group_by(lot_use.c.transfer_id, lot.c.account_id)
        .having(moved != 0)
    )


CHECKS: Final[Mapping[str, Callable[[Part], Select[Any]]]] = {
    "pending_differs_from_holds": _pending,
    "lot_differs_from_holds": _lots_held,
    "hold_differs_from_lots": _holds_unlike_lots,
    "hold_differs_from_captures": _holds_unlike_captures,
    "redemption_differs_from_transfer": without_transfer(redemption, "redemption", -redemption.c.amount_minor),
    "redemption_differs_from_lines": _redemptions_unlike_lines,
    "line_differs_from_refunds": _lines_unlike_refunds,
    "refund_differs_from_transfer": without_transfer(refund, "refund", refund.c.amount_minor),
    "refund_differs_from_lines": _refunds_unlike_lines,
    "adjustment_differs_from_transfer": without_transfer(
        adjustment,
        "adjustment",
        case((adjustment.c.state == "posted", adjustment.c.amount_minor), else_=0),
    ),
    "increase_differs_from_transfer": without_transfer(
        increase_request,
        "increase",
        case((increase_request.c.state == "approved", increase_request.c.amount_minor), else_=0),
    ),
    **{
        f"{kind}_differs_from_transfer": without_transfer(
            close_out, kind, case((close_out.c.kind == kind, -close_out.c.amount_minor), else_=0)
        )
        for kind in _CLOSE_OUTS
    },
    "opening_differs_from_transfer": _openings_unlike_transfers,
    "transfer_without_cause": _transfers_without_cause,
    "overdraft_differs_from_lots": _overdrafts,
    "unearned_differs_from_transfers": _unearned,
    "repayment_is_uneven": _repayments,
}
