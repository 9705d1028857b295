"""The proof's checks of what was taken back: reversals, annulments, claw-backs, and losses made good."""

from collections.abc import Callable, Mapping
from typing import Any, Final

from sqlalchemy import Select, case, func, or_, select, union_all

from chalicelib.points.models.ledger import (
    accrual_event,
    adjustment,
    annulment,
    loss_recovery,
    opening_balance,
    reversal,
)
from chalicelib.points.models.terms import close_out
from chalicelib.points.proof.of_causes import ANNULLED, Part, of_program, total, without_transfer


def _reversals_unlike_events(part: Part) -> Select[Any]:
    """Reversals whose parts are not what they took back."""
    parts = reversal.c.recovered_minor + reversal.c.overdrawn_minor + reversal.c.lost_minor + reversal.c.expired_minor
    return select(reversal.c.id, parts, reversal.c.amount_minor).where(
        parts != reversal.c.amount_minor, of_program(reversal.c.program_id, part)
    )


def _events_unlike_reversals(part: Part) -> Select[Any]:
    """Events of which more or less counts as taken back than their reversals took and gave."""
    of_event = accrual_event.c
    back = total(reversal.c.amount_minor)
    return (
        select(of_event.id, back, of_event.reversed_minor)
        .outerjoin_from(accrual_event, reversal, reversal.c.accrual_event_id == of_event.id)
        .where(of_program(of_event.program_id, part))
        .group_by(of_event.id, of_event.reversed_minor)
        .having(back != of_event.reversed_minor)
    )


def _events_taken_twice(part: Part) -> Select[Any]:
    """Events of which reversals and claw-backs asked for more than they gave."""
    asked = union_all(
        select(
            reversal.c.accrual_event_id.label("event_id"),
            (reversal.c.recovered_minor + reversal.c.overdrawn_minor + reversal.c.lost_minor).label("amount_minor"),
        ).where(of_program(reversal.c.program_id, part)),
        select(close_out.c.accrual_event_id, close_out.c.amount_minor).where(
            close_out.c.kind == "claw_back", of_program(close_out.c.program_id, part)
        ),
    ).subquery()
    taken = total(asked.c.amount_minor)
    return (
        select(accrual_event.c.id, accrual_event.c.points_minor, taken)
        .join(asked, asked.c.event_id == accrual_event.c.id)
        .group_by(accrual_event.c.id, accrual_event.c.points_minor)
        .having(taken > accrual_event.c.points_minor)
    )


def _regained_too_much(part: Part) -> Select[Any]:
    """Reversals and annulments of which more was taken after all than they had lost."""
    lost = union_all(
        *(select(of.c.id, of.c.lost_minor).where(of_program(of.c.program_id, part)) for of in (reversal, annulment))
    ).subquery()
    regained = total(loss_recovery.c.amount_minor)
    return (
        select(loss_recovery.c.of_id, func.coalesce(func.max(lost.c.lost_minor), 0), regained)
        .outerjoin_from(loss_recovery, lost, lost.c.id == loss_recovery.c.of_id)
        .where(of_program(loss_recovery.c.program_id, part))
        .group_by(loss_recovery.c.of_id)
        .having(or_(regained > func.coalesce(func.max(lost.c.lost_minor), 0), regained < 0))
    )


def _annulments_unlike_causes(part: Part) -> Select[Any]:
    """Annulments whose parts are not what was posted for what they took back, or whose cause was not taken back."""
    parts = (
        annulment.c.recovered_minor + annulment.c.overdrawn_minor + annulment.c.lost_minor + annulment.c.expired_minor
    )
    given = case(
        (adjustment.c.state == "posted", adjustment.c.amount_minor),
        else_=func.coalesce(opening_balance.c.amount_minor, 0),
    )
    freed = func.coalesce(adjustment.c.generation, opening_balance.c.generation, 0)
    return (
        select(annulment.c.id, given, parts)
        .select_from(annulment)
        .outerjoin(adjustment, (adjustment.c.id == annulment.c.cause_id) & (annulment.c.kind == "adjustment_annulled"))
        .outerjoin(
            opening_balance,
            (opening_balance.c.id == annulment.c.cause_id) & (annulment.c.kind == "opening_annulled"),
        )
        .where(
            or_(parts != annulment.c.amount_minor, given != annulment.c.amount_minor, freed == 0),
            of_program(annulment.c.program_id, part),
        )
    )


CHECKS: Final[Mapping[str, Callable[[Part], Select[Any]]]] = {
    "reversal_differs_from_transfer": without_transfer(
        reversal, "reversal", -(reversal.c.recovered_minor + reversal.c.overdrawn_minor)
    ),
    **{
        f"{kind}_differs_from_transfer": without_transfer(
            annulment,
            kind,
            case((annulment.c.kind == kind, -(annulment.c.recovered_minor + annulment.c.overdrawn_minor)), else_=0),
        )
        for kind in ANNULLED
    },
    **{
        f"{kind}_regained_differs_from_transfer": without_transfer(
            loss_recovery, kind, case((loss_recovery.c.kind == kind, -loss_recovery.c.amount_minor), else_=0)
        )
        for kind in ("reversal", *ANNULLED)
    },
    "regained_more_than_lost": _regained_too_much,
    "annulment_differs_from_cause": _annulments_unlike_causes,
    "reversal_differs_from_event": _reversals_unlike_events,
    "event_differs_from_reversals": _events_unlike_reversals,
    "event_taken_back_twice": _events_taken_twice,
}
