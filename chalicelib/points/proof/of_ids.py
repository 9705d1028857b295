"""The proof's checks of ids that were given free: only what was taken back may be recorded a second time.

``generation`` says whether a record holds its id (0), or gave it up: to nobody (its own ``seq``), when its file was
taken back, or to an event that was recorded anew (``-seq``), when its file was processed again.
"""

from collections.abc import Callable, Mapping
from typing import Any, Final

from sqlalchemy import Select, Table, or_, select

from chalicelib.points.models.ledger import accrual_event, annulment, reversal
from chalicelib.points.models.ledger import adjustment as adjustment_table
from chalicelib.points.models.ledger import opening_balance as opening_table
from chalicelib.points.proof.of_causes import Part, of_program

_EVENT: Final = accrual_event.c
_REVERSAL: Final = reversal.c


def _generations(of: Table, *, anew: bool) -> Callable[[Part], Select[Any]]:
    """Rows of a generation that there is not; ``anew``: whether such rows can be recorded anew."""
    own = (0, of.c.seq, -of.c.seq) if anew else (0, of.c.seq)

    def statement(part: Part) -> Select[Any]:
        return select(of.c.id, of.c.seq, of.c.generation).where(
            of.c.generation.not_in(own), of_program(of.c.program_id, part)
        )

    return statement


def _events_freed_untaken(part: Part) -> Select[Any]:
    """Events that gave up their ids though not all of their points were taken back, or though no file brought them."""
    return select(_EVENT.id, _EVENT.points_minor, _EVENT.reversed_minor).where(
        _EVENT.generation != 0,
        or_(_EVENT.reversed_minor != _EVENT.points_minor, _EVENT.source_file_id.is_(None)),
        of_program(_EVENT.program_id, part),
    )


def _events_kept_though_taken(part: Part) -> Select[Any]:
    """Events that hold their ids though they were taken back with their file, or recorded anew."""
    return (
        select(_EVENT.id, _EVENT.seq, _EVENT.generation)
        .join_from(reversal, accrual_event, _EVENT.id == _REVERSAL.accrual_event_id)
        .where(
            _REVERSAL.cause.in_(("rollback", "reprocess")),
            _REVERSAL.undoes_id.is_(None),
            _EVENT.generation == 0,
            of_program(_REVERSAL.program_id, part),
        )
    )


def _corrections_unlike_undone(part: Part) -> Select[Any]:
    """Corrections that hold their ids though they were given back, or the other way round.

    One is given back by a reversal that undoes it, or with the event that it corrected.
    """
    undoing = reversal.alias("undoing")
    freed = or_(
        select(undoing.c.id).where(undoing.c.undoes_id == _REVERSAL.id).exists(),
        select(_EVENT.id).where(_EVENT.id == _REVERSAL.accrual_event_id, _EVENT.generation != 0).exists(),
    )
    holds, named = _REVERSAL.generation == 0, _REVERSAL.event_id.is_not(None)
    return select(_REVERSAL.id, _REVERSAL.seq, _REVERSAL.generation).where(
        or_(holds & freed & named, ~holds & ~(freed & named)),
        of_program(_REVERSAL.program_id, part),
    )


def _freed_without_annulment(of: Table) -> Callable[[Part], Select[Any]]:
    """Balances or adjustments that gave up their ids though nothing took them back."""

    def statement(part: Part) -> Select[Any]:
        annulled = select(annulment.c.id).where(annulment.c.cause_id == of.c.id).exists()
        return select(of.c.id, of.c.seq, of.c.generation).where(
            of.c.generation != 0, or_(of.c.generation != of.c.seq, ~annulled), of_program(of.c.program_id, part)
        )

    return statement


CHECKS: Final[Mapping[str, Callable[[Part], Select[Any]]]] = {
    "event_of_no_generation": _generations(accrual_event, anew=True),
    "reversal_of_no_generation": _generations(reversal, anew=False),
    "event_freed_untaken": _events_freed_untaken,
    "event_kept_though_taken_back": _events_kept_though_taken,
    "correction_differs_from_undone": _corrections_unlike_undone,
    "opening_freed_without_annulment": _freed_without_annulment(opening_table),
    "adjustment_freed_without_annulment": _freed_without_annulment(adjustment_table),
}
