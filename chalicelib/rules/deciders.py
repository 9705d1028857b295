"""The versions that came to decide a day one after the other, and what a rollback leaves of them. Pure.

A promotion puts its version on top for every day from its first one on. A rollback on a day takes the version that
decides this day off the top of that day and of every later day which it decides; what lies below decides again. Where
nothing lies below, the version that decides the day before goes on. So once a rollback is done, the version that it
took back decides no day from that day on.
"""

from collections.abc import Iterator, Sequence
from datetime import date
from typing import Protocol


class Activation(Protocol):
    """One stored activation; sequences of them are in the order in which they became known."""

    @property
    def version_id(self) -> bytes:
        """The version that decides by it."""
        ...

    @property
    def effective_from(self) -> date:
        """The first day for which it does."""
        ...

    @property
    def withdraws_id(self) -> bytes | None:
        """A rollback: the version that was taken back."""
        ...


def of_day(known: Sequence[Activation], day: date) -> list[bytes]:
    """The versions that came to decide a day and were not taken back, the last one decides; empty: nothing does."""
    stack: list[bytes] = []
    for turn in _turns(known):
        row = next((each for each in reversed(turn) if each.effective_from <= day), None)
        if row is None:
            continue
        if stack and stack[-1] == row.withdraws_id:
            stack.pop()
        if not stack or stack[-1] != row.version_id:
            stack.append(row.version_id)
    return stack


def without(known: Sequence[Activation], withdrawn: bytes, day: date) -> list[tuple[date, bytes]]:
    """The first day of each stretch from ``day`` on, and what decides in it once ``withdrawn`` is taken back.

    ``withdrawn`` decides ``day``, and was not the first to do so.
    """
    starts = sorted({day, *(row.effective_from for row in known if row.effective_from > day)})
    steps: list[tuple[date, bytes]] = []
    for start in starts:
        stack = of_day(known, start)
        if stack[-1] == withdrawn:
            stack.pop()
        decides = stack[-1] if stack else steps[-1][1]
        if not steps or steps[-1][1] != decides:
            steps.append((start, decides))
    return steps


def _turns(known: Sequence[Activation]) -> Iterator[list[Activation]]:
    """Promotions one by one, and the activations of one rollback together: each has a later first day than the last.

    Two rollbacks are never taken for one: the second of the same version is about an earlier day.
    """
    turn: list[Activation] = []
    for row in known:
        goes_on = (
            turn
            and row.withdraws_id is not None
            and row.withdraws_id == turn[-1].withdraws_id
            and row.effective_from > turn[-1].effective_from
        )
        if turn and not goes_on:
            yield turn
            turn = []
        turn.append(row)
    if turn:
        yield turn
