"""What rule files may change of what a ruleset decides, and what is left to a person. Pure.

Files have contents; from which day a content decides is kept in the hub, and a person may have settled it there. So
files bring a version in from a day on, but they never undo what is newer than they are: a rollback, a version saved
after theirs, or a day that a person named.
"""

from datetime import date
from typing import Literal, TypeAlias

from chalicelib.records import dataclass
from chalicelib.rules.catalogue import Activated, History

#: ``decides``: it does already. ``withdrawn``: a rollback took it back. ``behind``: a newer version decides.
#: ``by_hand``: it would take days away from a version that was promoted by hand.
Held: TypeAlias = Literal["decides", "withdrawn", "behind", "by_hand"]


@dataclass(frozen=True, slots=True)
class Verdict:
    """What keeps files from letting a version decide, and what to do, as a sentence."""

    held: Held
    sentence: str = ""


def verdict(history: History, number: int, since: date) -> Verdict | None:
    """What keeps files from letting version ``number`` decide from ``since`` on; None: nothing does."""
    decides = history.decides
    if not decides:
        return _withdrawn(history, number)
    first, last = decides[0], decides[-1]
    if last[1] == number:
        # A program that begins earlier than its files said takes its rule along, unless a person named the day.
        moves = len(decides) == 1 and since < first[0] and _came(history, first).by_file
        return None if moves else Verdict("decides")
    newer = [(start, each) for start, each in decides if each > number and (start >= since or start == last[0])]
    if newer:
        start, each = newer[-1]
        return Verdict("behind", f"the hub has version {each} since {start}: pull first")
    withdrawn = _withdrawn(history, number)
    if withdrawn is not None:
        return withdrawn
    for stretch in decides:
        start, each = stretch
        if start >= since and each != number and not _came(history, stretch).by_file:
            return Verdict(
                "by_hand", f"version {each} was promoted from {start} by a person: promote this one by hand, too"
            )
    return None


def _withdrawn(history: History, number: int) -> Verdict | None:
    """The word of a rollback, unless the version was promoted again since."""
    for each in reversed(history.activations):
        if each.number == number:
            return None
        if each.withdraws_number == number:
            when = f"withdrawn on {each.activated_at:%Y-%m-%d} by {each.activated_by}"
            return Verdict("withdrawn", f"{when}: promote it by hand, or change the file")
    return None


def _came(history: History, stretch: tuple[date, int]) -> Activated:
    """How a stretch came to be: by the latest promotion of its version. A rollback only lets that hold again."""
    start, number = stretch
    return next(
        each
        for each in reversed(history.activations)
        if each.number == number and each.effective_from <= start and each.withdraws_number is None
    )
