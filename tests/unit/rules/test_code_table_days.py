"""Whatever is said of a code in whatever way: each day has one value, and days that were not spoken of keep theirs."""

from collections.abc import Sequence
from datetime import date, timedelta

from hypothesis import event, given
from hypothesis import strategies as st

from chalicelib.rules.code_table_content import Entry
from chalicelib.rules.code_table_editing import EntryOverlaps, Wanted, Way, arrange

START = date(2026, 1, 1)
#: Everything that is said is of the first ten; the others show what is so for ever.
DAYS = [START + timedelta(days=number) for number in range(14)]
VALUES = "123"


@st.composite
def statements(draw: st.DrawFn) -> tuple[Wanted, Way]:
    first = draw(st.integers(0, 9))
    last = draw(st.none() | st.integers(first, 9))
    active = draw(st.sampled_from([True, True, True, False]))
    to = None if last is None else DAYS[last]
    return Wanted("G1", draw(st.sampled_from(VALUES)), DAYS[first], to, active=active), draw(st.sampled_from(Way))


def values(entries: Sequence[Entry]) -> dict[date, str | None]:
    """What the code means on each day; it has one value at most."""
    found = {}
    for day in DAYS:
        held = [entry.value for entry in entries if entry.holds(day)]
        assert len(held) <= 1
        found[day] = held[0] if held else None
    return found


def expected(entries: Sequence[Entry], wanted: Wanted, way: Way) -> dict[date, str | None]:
    """What the code must mean, day by day, if the statement is taken at all."""
    later = min(
        (entry.effective_from for entry in entries if entry.effective_from > wanted.effective_from), default=None
    )
    closes = not wanted.active or any(
        (entry.effective_from, entry.value) == (wanted.effective_from, wanted.value) for entry in entries
    )
    meant = values(entries)
    for day in DAYS:
        if day < wanted.effective_from:
            continue
        gives_way = wanted.ends or (way is Way.FIT and wanted.effective_to is None)
        if gives_way and later is not None and day >= later:
            continue
        if wanted.ends:
            meant[day] = None
        elif wanted.effective_to is None or day <= wanted.effective_to:
            meant[day] = wanted.value
        elif closes and (later is None or day < later):
            # Only who says that the code ends, or says an entry again with an earlier end, takes a value away.
            meant[day] = None
    return meant


class TestDays:
    @given(st.lists(statements(), min_size=1, max_size=8))
    def test_outside_what_is_said_keep_their_value_or_it_is_refused(self, said: list[tuple[Wanted, Way]]):
        entries: tuple[Entry, ...] = ()
        for wanted, way in said:
            try:
                after = arrange(entries, wanted, way)
            except EntryOverlaps:
                event("refused")
                continue
            event(f"taken: {way}")
            assert values(after) == expected(entries, wanted, way)
            entries = after

    @given(st.lists(statements(), min_size=1, max_size=6))
    def test_the_same_again_changes_nothing(self, said: list[tuple[Wanted, Way]]):
        entries: tuple[Entry, ...] = ()
        for wanted, way in said:
            try:
                entries = arrange(entries, wanted, way)
            except EntryOverlaps:
                continue
            assert arrange(entries, wanted, way) == entries
