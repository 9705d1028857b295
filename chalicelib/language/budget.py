"""What one decision may spend in loops, so that lists inside lists end in time and in memory.

Whoever spends more is refused as a record: no ``let`` keeps that failure for later, as it does with others.
"""

from collections.abc import Iterable, Sequence
from typing import Any, TypeVar

from chalicelib.language.bounds import CHARACTERS_PER_OPERATION, ITEMS_PER_OPERATION, OPERATIONS_MAX
from chalicelib.language.faults import DecisionFault

Items = TypeVar("Items", bound=Sequence[Any])


class Exhausted(Exception):
    """The budget is spent. Not a ``Refusal``: compiled code keeps those until the path is taken that needs them."""

    def fault(self, outputs: Iterable[str]) -> DecisionFault:
        """What is said of the record, at the first output."""
        message = f"the rule takes more than {OPERATIONS_MAX} steps for this record"
        return DecisionFault(next(iter(outputs), ""), "too_much_work", message)


class Budget:
    """What is left of one decision's operations."""

    __slots__ = ("left",)

    def __init__(self, operations: int = OPERATIONS_MAX) -> None:
        self.left = operations


def enter(budget: Budget, items: Items, each: int) -> Items:
    """``items``, which a loop is about to go through at the cost of ``each``; raises ``Exhausted``."""
    spend(budget, len(items) * each + 1)
    return items


def read(budget: Budget, whole: Items, each: int) -> Items:
    """``whole``, a text or a list, of which each stretch costs ``each`` in a loop; raises ``Exhausted``."""
    stretch = CHARACTERS_PER_OPERATION if isinstance(whole, str) else ITEMS_PER_OPERATION
    spend(budget, (len(whole) // stretch + 1) * each)
    return whole


def given(budget: Budget, text: str | None) -> str | None:
    """``text``, which is about to become a part of an output at the cost of its length; raises ``Exhausted``."""
    if text is not None:
        # Written out, as in ``grown``: this runs for every text of a payload.
        budget.left -= len(text) // CHARACTERS_PER_OPERATION
        if budget.left < 0:
            raise Exhausted
    return text


def spend(budget: Budget, operations: int) -> None:
    """Pay for some work; raises ``Exhausted``."""
    budget.left -= operations
    if budget.left < 0:
        raise Exhausted


def grown(budget: Budget, built: Any) -> Any:  # noqa: ANN401 - a text or a list
    """``built``, a text or a list that was built inside a loop and costs its length; raises ``Exhausted``."""
    budget.left -= len(built) // CHARACTERS_PER_OPERATION if isinstance(built, str) else len(built)
    if budget.left < 0:
        raise Exhausted
    return built


def without_nulls(built: dict[str, Any], names: Iterable[str]) -> dict[str, Any]:
    """``built`` itself, without those of the fields ``names`` that are null."""
    for name in names:
        if built[name] is None:
            del built[name]
    return built
