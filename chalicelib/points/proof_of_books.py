"""The proof's checks of what the books keep: how members' plan years ended, and when overdrafts were repaid."""

from collections.abc import Callable, Mapping
from typing import Any, Final

from sqlalchemy import Select, case, func, or_, select

from chalicelib.points.finance_models import overdraft_repayment, plan_year_member
from chalicelib.points.models import account, lot_use, transfer
from chalicelib.points.proof_of_causes import Part, member_accounts, total


def _years_unlike_transfers(part: Part) -> Select[Any]:
    """Members' years whose points are not all carried or forfeited, or that did not move what they say."""
    year = plan_year_member.c

    def moved(kind: str) -> Any:  # noqa: ANN401 - an expression
        return total(case((transfer.c.kind == kind, transfer.c.amount_minor), else_=0))

    return (
        select(year.id, moved("year_forfeit"), year.forfeited_minor)
        .join_from(plan_year_member, account, account.c.id == year.account_id)
        .outerjoin(transfer, (transfer.c.source_id == year.id) & (transfer.c.account_id == year.account_id))
        .where(member_accounts(part))
        .group_by(year.id, year.forfeited_minor)
        .having(
            or_(
                moved("year_forfeit") != year.forfeited_minor,
                moved("carry_out") != func.max(year.moved_minor),
                moved("carry_in") != func.max(year.moved_minor),
                func.max(year.before_minor) != func.max(year.carried_minor) + year.forfeited_minor,
            )
        )
    )


def _repayments_unlike_uses(part: Part) -> Select[Any]:
    """Repayments of overdrafts that did not take of lots what they say."""
    repaid = overdraft_repayment.c
    taken = total(case((lot_use.c.amount_minor > 0, lot_use.c.amount_minor), else_=0))
    return (
        select(repaid.id, taken, repaid.amount_minor)
        .join_from(overdraft_repayment, account, account.c.id == repaid.account_id)
        .outerjoin(lot_use, lot_use.c.transfer_id == repaid.id)
        .where(member_accounts(part))
        .group_by(repaid.id, repaid.amount_minor)
        .having(taken != repaid.amount_minor)
    )


CHECKS: Final[Mapping[str, Callable[[Part], Select[Any]]]] = {
    "plan_year_differs_from_transfers": _years_unlike_transfers,
    "repayment_differs_from_uses": _repayments_unlike_uses,
}
