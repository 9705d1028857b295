"""Rows that were kept as duplicates or ignored, and end otherwise when their file is processed again."""

from collections.abc import Iterator
from datetime import timedelta

import pytest

from chalicelib.files.answers import finishing
from chalicelib.files.reprocessing import effect
from chalicelib.files.rows import conserving
from chalicelib.points.proof import checks
from tests.factories import rules
from tests.factories.files import Hub, hours, hours_layout
from tests.factories.rollbacks import available, roll_back
from tests.unit.files.reprocessing.test_reprocessed import looked_at, make
from tests.unit.files.reprocessing.test_reprocessing import compare

ROWS = ["e1,E1,2026-11-02,8", "e2,E1,2026-11-03,4", "e3,E2,2026-11-03,2"]


@pytest.fixture(autouse=True)
def provable(hub: Hub) -> Iterator[None]:
    """Ledger and files add up when the test ends."""
    yield
    with hub.database.read() as db:
        assert checks.check(db) == []
        assert [conserving.breaks(db, file) for file in hub.files()] == [[] for _ in hub.files()]


@pytest.mark.parametrize("first", [ROWS, ROWS[:1], ROWS[1:2], ROWS[2:]])
def test_rows_within_a_range_of_duplicates_end_each_by_itself(hub: Hub, first: list[str]):
    hub.process("hours", hours(*(row for row in ROWS if row not in first)), name="other.csv")
    hub.process("hours", hours(*first))
    hub.process("hours", hours(*ROWS, "e4,E1,2026-11-04,2"), name="two.csv")
    assert [(row.row_no, row.row_to) for row in hub.rows("two.csv")] == [(1, 3)]
    roll_back(hub)
    seen = effect.token(compare(hub, "same", name="two.csv"), "same")

    made = make(hub, seen, by="same", name="two.csv")

    file = hub.file("two.csv")
    assert made.newly_accepted == len(first)
    assert (file.state, file.rows_accepted, file.rows_duplicate) == ("processed", 1 + len(first), 3 - len(first))
    assert (available(hub, "E1"), available(hub, "E2")) == (2100, 300)
    assert compare(hub, "same", name="two.csv").differing == 0


def test_a_row_that_was_ignored_and_is_rejected_now_is_among_the_rejects(hub: Hub):
    hub.process("hours", hours("e1,E1,2026-11-02,8", "d,E1,2026-11-02,-"))
    layout = hours_layout()
    del layout["ignore_when"]
    with hub.database.write() as db:
        rules.live_ruleset(db, hub.partner.id, layout)
    hub.lateness = timedelta(seconds=2)

    assert make(hub, looked_at(hub)).differing == 1

    finishing.answer(hub.database, hub.file().id)
    assert b"bad_decimal" in hub.read("hub-out", "acme/hours/rejects_file.csv")
