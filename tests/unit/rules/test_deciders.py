"""What a rollback leaves, against a small model: for each day a pile of versions, of which the top one decides."""

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Literal

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from chalicelib.rules import deciders
from chalicelib.rules.versions import deciding

FIRST = date(2026, 11, 1)
DAYS = [FIRST + timedelta(days=number) for number in range(7)]


@dataclass(frozen=True)
class Row:
    version_id: bytes
    effective_from: date
    withdraws_id: bytes | None = None


@dataclass(frozen=True)
class Promotion:
    version: int
    day: int


@dataclass(frozen=True)
class Rollback:
    day: int


Act = Promotion | Rollback
P, R = Promotion, Rollback


class Hub:
    """Activations as ``activation`` writes them."""

    def __init__(self) -> None:
        self.rows: list[Row] = []

    def act(self, act: Act) -> bytes | None:
        """Do it; a rollback gives the version that it took back, None where there is nothing to go back to."""
        day = DAYS[act.day]
        if isinstance(act, Promotion):
            self.rows.append(Row(bytes([act.version]), day))
            return None
        stack = deciders.of_day(self.rows, day)
        if len(stack) < 2:
            return None
        steps = deciders.without(self.rows, stack[-1], day)
        self.rows += [Row(each, start, stack[-1]) for start, each in steps]
        return stack[-1]

    def decides(self) -> list[bytes | None]:
        """What decides each day."""
        long_ago = datetime(2026, 1, 1)  # noqa: DTZ001 - only compared with its like
        known = deciding(
            (row.effective_from, long_ago + timedelta(seconds=second), row.version_id)
            for second, row in enumerate(self.rows)
        )
        return [next((each for start, each in reversed(known) if start <= day), None) for day in DAYS]


class Model:
    """The words of ``deciders``, day by day."""

    def __init__(self) -> None:
        self.piles: list[list[bytes]] = [[] for _ in DAYS]

    def act(self, act: Act) -> None:
        if isinstance(act, Promotion):
            for pile in self.piles[act.day :]:
                if pile[-1:] != [bytes([act.version])]:
                    pile.append(bytes([act.version]))
        elif len(self.piles[act.day]) > 1:
            withdrawn = self.piles[act.day][-1]
            for number in range(act.day, len(DAYS)):
                pile = self.piles[number]
                if pile[-1] == withdrawn:
                    pile.pop()
                if not pile:
                    pile.append(self.piles[number - 1][-1])

    def decides(self) -> list[bytes | None]:
        return [pile[-1] if pile else None for pile in self.piles]


days = st.integers(0, len(DAYS) - 1)
acts = st.lists(st.one_of(st.builds(Promotion, st.integers(1, 4), days), st.builds(Rollback, days)), max_size=14)
#: A version that decided a day before as well was taken back, and decided it again.
TWICE = [P(1, 4), P(1, 2), P(3, 2), R(5), P(1, 1), R(2)]


@given(acts)
@example(TWICE)
@example([P(1, 0), P(2, 3), P(3, 1), R(1), R(3), P(2, 2), R(2)])
def test_a_rollback_leaves_what_the_model_says_and_the_withdrawn_version_decides_no_day_from_then_on(done: list[Act]):
    hub, model = Hub(), Model()
    for act in done:
        withdrawn = hub.act(act)
        model.act(act)

        assert hub.decides() == model.decides(), act
        if withdrawn is not None:
            assert withdrawn not in hub.decides()[act.day :], act


def test_where_nothing_lies_below_the_version_of_the_days_before_goes_on():
    hub = Hub()
    for act in TWICE:
        hub.act(act)

    assert [each and each[0] for each in hub.decides()] == [None, 1, 3, 3, 3, 3, 3]


@pytest.mark.parametrize("what", ["promotion", "rollback"])
def test_days_before_are_never_touched(what: Literal["promotion", "rollback"]):
    hub = Hub()
    for act in (P(1, 0), P(2, 2), P(3, 4)):
        hub.act(act)
    before = hub.decides()
    hub.act(P(4, 4) if what == "promotion" else R(4))

    assert hub.decides()[:4] == before[:4]
