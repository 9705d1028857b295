"""The breaks of what nothing else in the ledger says twice: counters that stand at nothing, versions, decisions."""

from collections.abc import Callable, Mapping
from typing import Any, Final

from sqlalchemy import Select, and_, case, func, literal, or_, select

from chalicelib.partners.account_ids import MEMBER
from chalicelib.points.models.ledger import account, adjustment, hold, transfer
from chalicelib.points.proof.of_causes import Part, member_accounts, of_program

_COUNTERS: Final = (
    "debits_pending", "debits_posted", "credits_pending", "credits_posted", "entry_no", "hold_changes",
    "overdrawn_minor", "unearned_minor",
)  # fmt: skip


def _credits_pending(part: Part) -> Select[Any]:
    """Accounts with points on their way in: nothing in the ledger announces any."""
    return select(account.c.id, literal(0), account.c.credits_pending).where(
        member_accounts(part), account.c.credits_pending != 0
    )


def _house_counters(part: Part) -> Select[Any]:
    """House accounts with counters: they have none, since they are summed."""
    moved = sum((func.abs(account.c[name]) for name in _COUNTERS[1:]), func.abs(account.c[_COUNTERS[0]]))
    return select(account.c.id, literal(0), moved).where(
        account.c.kind != MEMBER, moved != 0, of_program(account.c.program_id, part)
    )


def _versions(part: Part) -> Select[Any]:
    """Accounts whose holds have changed less often than their entries' versions and their holds say."""
    held = select(func.count()).where(hold.c.account_id == account.c.id).scalar_subquery()
    seen = func.coalesce(func.max(transfer.c.version - transfer.c.entry_no), 0)
    least = case((seen > held, seen), else_=held)
    return (
        select(account.c.id, least, account.c.hold_changes)
        .outerjoin_from(account, transfer, transfer.c.account_id == account.c.id)
        .where(member_accounts(part))
        .group_by(account.c.id, account.c.hold_changes)
        .having(account.c.hold_changes < least)
    )


def _half_decided(part: Part) -> Select[Any]:
    """Adjustments that say both that they wait and that they were decided, or neither."""
    waits, decided = adjustment.c.state == "pending", adjustment.c.decided_at.is_not(None)
    posted, has_entry = adjustment.c.state == "posted", adjustment.c.transfer_id.is_not(None)
    return select(adjustment.c.id, literal(0), adjustment.c.amount_minor).where(
        or_(
            and_(waits, or_(decided, adjustment.c.decided_by.is_not(None), adjustment.c.decision_comment.is_not(None))),
            and_(~waits, ~decided),
            and_(posted, ~has_entry),
            and_(~posted, has_entry),
        ),
        of_program(adjustment.c.program_id, part),
    )


CHECKS: Final[Mapping[str, Callable[[Part], Select[Any]]]] = {
    "pending_without_cause": _credits_pending,
    "house_account_has_counters": _house_counters,
    "version_behind_entries": _versions,
    "adjustment_half_decided": _half_decided,
}
