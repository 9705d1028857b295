"""The proof's checks of what the books keep: how plan years ended, overdrafts were repaid, and entries were settled."""

from collections.abc import Callable, Mapping
from typing import Any, Final

from sqlalchemy import Select, case, func, or_, select

from chalicelib.points.models.books import (
    overdraft_repayment,
    plan_year_member,
    settlement,
    settlement_range,
    settlement_run,
)
from chalicelib.points.models.ledger import account, lot_use, transfer
from chalicelib.points.proof.of_causes import Part, member_accounts, total


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


def _settled_otherwise_than_once(part: Part) -> Select[Any]:
    """Accounts with entries that no settlement that stands has, though it has later ones, or that two have.

    What standing settlements name of an account begins with its first entry and ends with one that there is, and no
    entry is named twice: then there are as many as the last one's number. A run that is under way counts as standing;
    of a period that is not settled again yet, the entries of the settlement taken back do.
    """
    named = settlement_range.c
    counter, again = settlement.alias("counter"), settlement_run.alias("again")
    count = total(named.last_entry_no - named.first_entry_no + 1)
    last = func.coalesce(func.max(named.last_entry_no), 0)
    return (
        select(account.c.id, last, count)
        .join_from(account, settlement_range, named.account_id == account.c.id)
        .outerjoin(settlement, settlement.c.run_id == named.run_id)
        .outerjoin(counter, counter.c.reverses_id == settlement.c.id)
        .outerjoin(again, again.c.of_id == named.run_id)
        # Taken back and named again: the later run's ranges are those that count.
        .where(member_accounts(part), or_(counter.c.id.is_(None), again.c.id.is_(None)))
        .group_by(account.c.id, account.c.entry_no)
        .having(or_(count != last, func.min(named.first_entry_no) != 1, last > account.c.entry_no))
    )


CHECKS: Final[Mapping[str, Callable[[Part], Select[Any]]]] = {
    "plan_year_differs_from_transfers": _years_unlike_transfers,
    "repayment_differs_from_uses": _repayments_unlike_uses,
    "settled_otherwise_than_once": _settled_otherwise_than_once,
}
