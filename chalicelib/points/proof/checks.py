"""The proof that can fail: everything the ledger keeps twice is compared, and each break is named.

Per member account: counters = sum of its transfers = sum of its lots' remaining; open holds = pending debits; entry
numbers run 1, 2, 3 without gaps. Per event: points = its transfer. Per lot: remaining = amount less its uses. Per
transfer: what it used of lots, and the lot it opened, add up to it. Holds, redemptions, refunds, adjustments and
reversals are compared in ``points.proof.of_causes``, carts in ``of_carts``, ids that were given free in ``of_ids``.
"""

from collections.abc import Callable
from itertools import islice
from typing import Any

from sqlalchemy import ColumnElement, Select, and_, case, func, literal, or_, select
from sqlalchemy.engine import Connection

from chalicelib.partners.account_ids import HOUSE, MEMBER
from chalicelib.points.models.ledger import account, accrual_event, lot, lot_use, transfer
from chalicelib.points.proof import of_books, of_carts, of_causes, of_counters, of_ids, of_taking_back
from chalicelib.points.proof.of_causes import Part
from chalicelib.points.proof.of_causes import member_accounts as _accounts
from chalicelib.points.proof.of_causes import of_program as _of
from chalicelib.points.proof.of_causes import total as _sum
from chalicelib.records import dataclass

#: Breaks listed of each kind; a ledger with more is broken enough.
BREAKS_MAX = 100


@dataclass(frozen=True, slots=True)
class Break:
    """One place where the ledger contradicts itself. ``subject`` is the id of the account, event, transfer or lot.

    ``expected`` and ``found`` are minor units or counts: what the finer record says, and what the coarser one says.
    """

    code: str
    subject: bytes
    expected: int
    found: int


def check(db: Connection, program_id: bytes | None = None) -> list[Break]:
    """Every break of one program, or of all; empty when the proof holds.

    It reads the whole ledger: for schedules and tests, not for requests.
    """
    return check_part(db, Part(program_id))


def check_part(db: Connection, part: Part) -> list[Break]:
    """Every break of a part of the ledger; parts that cover all accounts find what ``check`` finds."""
    broken: list[Break] = []
    for code, statement in _CHECKS.items():
        query = statement(part).limit(BREAKS_MAX)
        broken += [Break(code, row[0], int(row[1] or 0), int(row[2] or 0)) for row in db.execute(query)]
    broken += [Break(*told) for told in islice(of_carts.check(db, part), BREAKS_MAX)]
    return broken


def _counter(side: str) -> Callable[[Part], Select[Any]]:
    """Accounts whose posted counter of one side is not the sum of their transfers on that side."""

    def statement(part: Part) -> Select[Any]:
        counter = account.c[f"{side}s_posted"]
        # By the indexed account; that no other transfer names it on either side is a check of its own.
        moved = _sum(case((transfer.c[f"{side}_account_id"] == account.c.id, transfer.c.amount_minor), else_=0))
        return (
            select(account.c.id, moved, counter)
            .outerjoin_from(account, transfer, transfer.c.account_id == account.c.id)
            .where(_accounts(part))
            .group_by(account.c.id, counter)
            .having(moved != counter)
        )

    return statement


def _lots_remaining(part: Part) -> Select[Any]:
    balance = account.c.credits_posted - account.c.debits_posted
    remaining = _sum(lot.c.remaining_minor)
    return (
        select(account.c.id, remaining, balance)
        .outerjoin_from(account, lot, lot.c.account_id == account.c.id)
        .where(_accounts(part))
        .group_by(account.c.id, account.c.credits_posted, account.c.debits_posted)
        .having(remaining != balance)
    )


def _overspent(part: Part) -> Select[Any]:
    """Accounts with less than nothing, beyond what a reversal left owed."""
    left = account.c.credits_posted - account.c.debits_posted - account.c.debits_pending + account.c.overdrawn_minor
    return select(account.c.id, literal(0), left).where(_accounts(part), left < 0)


def _entry_gaps(part: Part) -> Select[Any]:
    count, last, first = (
        func.count(transfer.c.id),
        func.coalesce(func.max(transfer.c.entry_no), 0),
        func.min(transfer.c.entry_no),
    )
    return (
        select(account.c.id, account.c.entry_no, count)
        .outerjoin_from(account, transfer, transfer.c.account_id == account.c.id)
        .where(_accounts(part))
        .group_by(account.c.id, account.c.entry_no)
        .having(or_(count != account.c.entry_no, last != account.c.entry_no, first != 1))
    )


def _events_without_their_points(part: Part) -> Select[Any]:
    """Events whose points are not exactly the amount of their own transfer into their own account."""
    posted = _sum(transfer.c.amount_minor)
    return (
        select(accrual_event.c.id, accrual_event.c.points_minor, posted)
        .outerjoin_from(
            accrual_event,
            transfer,
            (transfer.c.source_id == accrual_event.c.id)
            & (transfer.c.kind == "accrual")
            & (transfer.c.credit_account_id == accrual_event.c.account_id),
        )
        .where(_of(accrual_event.c.program_id, part))
        .group_by(accrual_event.c.id, accrual_event.c.points_minor)
        .having(posted != accrual_event.c.points_minor)
    )


def _transfers_without_event(part: Part) -> Select[Any]:
    return (
        select(transfer.c.id, literal(0), transfer.c.amount_minor)
        .outerjoin_from(transfer, accrual_event, accrual_event.c.id == transfer.c.source_id)
        .where(
            transfer.c.kind == "accrual",
            accrual_event.c.id.is_(None),
            _of(transfer.c.program_id, part),
        )
    )


def _lots_misused(part: Part) -> Select[Any]:
    """Lots whose remaining is not their amount less their uses, or below zero though they are no overdraft."""
    rest = lot.c.amount_minor - _sum(lot_use.c.amount_minor)
    return (
        select(lot.c.id, rest, lot.c.remaining_minor)
        .join_from(lot, account, account.c.id == lot.c.account_id)
        .outerjoin(lot_use, lot_use.c.lot_id == lot.c.id)
        .where(_accounts(part))
        .group_by(lot.c.id, lot.c.amount_minor, lot.c.remaining_minor)
        .having(or_(rest != lot.c.remaining_minor, (lot.c.remaining_minor < 0) & (lot.c.amount_minor > 0)))
    )


def _used() -> ColumnElement[int]:
    """What a transfer took of its own account's lots, less what it gave back."""
    return _sum(case((lot.c.account_id == transfer.c.account_id, lot_use.c.amount_minor), else_=0))


def _earnings_without_lot(part: Part) -> Select[Any]:
    """Transfers into a member account that are not the lot they opened and what they gave back to others."""
    own = lot.alias("own")
    opened = func.coalesce(func.max(own.c.amount_minor), 0)
    came = opened - _used()
    return (
        select(transfer.c.id, transfer.c.amount_minor, came)
        .outerjoin_from(transfer, own, (own.c.id == transfer.c.id) & (own.c.account_id == transfer.c.account_id))
        .outerjoin(lot_use, lot_use.c.transfer_id == transfer.c.id)
        .outerjoin(lot, lot.c.id == lot_use.c.lot_id)
        .where(transfer.c.credit_account_id == transfer.c.account_id, _of(transfer.c.program_id, part))
        .group_by(transfer.c.id, transfer.c.amount_minor)
        .having(came != transfer.c.amount_minor)
    )


def _lots_without_earning(part: Part) -> Select[Any]:
    """Lots that no transfer opened: points by one that came in, overdrafts by a reversal."""
    opened = or_(
        (transfer.c.credit_account_id == lot.c.account_id) & (lot.c.amount_minor > 0),
        (transfer.c.debit_account_id == lot.c.account_id)
        & (lot.c.amount_minor == 0)
        & transfer.c.kind.in_(("reversal", *of_causes.ANNULLED)),
    )
    return (
        select(lot.c.id, literal(0), lot.c.amount_minor)
        .join_from(lot, account, account.c.id == lot.c.account_id)
        .outerjoin(transfer, (transfer.c.id == lot.c.id) & opened)
        .where(transfer.c.id.is_(None), _accounts(part))
    )


def _spends_without_lots(part: Part) -> Select[Any]:
    """Transfers out of a member account that took more or less from that account's lots than they moved."""
    taken = _used()
    return (
        select(transfer.c.id, taken, transfer.c.amount_minor)
        .outerjoin_from(transfer, lot_use, lot_use.c.transfer_id == transfer.c.id)
        .outerjoin(lot, lot.c.id == lot_use.c.lot_id)
        .where(transfer.c.debit_account_id == transfer.c.account_id, _of(transfer.c.program_id, part))
        .group_by(transfer.c.id, transfer.c.amount_minor)
        .having(taken != transfer.c.amount_minor)
    )


def _one_sided(part: Part) -> Select[Any]:
    """Transfers that do not run between the member account they are numbered in and a house account of its program."""
    member, other = account.alias("member"), account.alias("other")
    other_side = case(
        (transfer.c.debit_account_id == transfer.c.account_id, transfer.c.credit_account_id),
        else_=transfer.c.debit_account_id,
    )
    touches = or_(
        transfer.c.debit_account_id == transfer.c.account_id, transfer.c.credit_account_id == transfer.c.account_id
    )
    return (
        select(transfer.c.id, literal(0), transfer.c.amount_minor)
        .outerjoin_from(
            transfer,
            member,
            and_(
                member.c.id == transfer.c.account_id,
                member.c.kind == MEMBER,
                member.c.program_id == transfer.c.program_id,
                member.c.partner_id == transfer.c.partner_id,
            ),
        )
        .outerjoin(
            other,
            and_(
                other.c.id == other_side,
                other.c.owner_id == HOUSE,
                other.c.program_id == transfer.c.program_id,
            ),
        )
        .where(
            or_(member.c.id.is_(None), other.c.id.is_(None), ~touches, transfer.c.amount_minor <= 0),
            _of(transfer.c.program_id, part),
        )
    )


def codes() -> frozenset[str]:
    """Every code that a break may have."""
    return frozenset((*_CHECKS, *of_carts.CODES))


_CHECKS: dict[str, Callable[[Part], Select[Any]]] = {
    "credits_differ_from_transfers": _counter("credit"),
    "debits_differ_from_transfers": _counter("debit"),
    "balance_differs_from_lots": _lots_remaining,
    "overspent": _overspent,
    "entry_numbers_have_gaps": _entry_gaps,
    "event_differs_from_transfer": _events_without_their_points,
    "transfer_without_event": _transfers_without_event,
    "lot_differs_from_its_uses": _lots_misused,
    "earning_differs_from_lot": _earnings_without_lot,
    "lot_without_earning": _lots_without_earning,
    "spend_differs_from_lots": _spends_without_lots,
    "transfer_between_wrong_accounts": _one_sided,
    **of_causes.CHECKS,
    **of_taking_back.CHECKS,
    **of_books.CHECKS,
    **of_counters.CHECKS,
    **of_ids.CHECKS,
}
