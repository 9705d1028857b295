"""What was taken back may come again as it was: rejects that came back, corrections, and files that repeated others."""

from collections.abc import Iterator

import pytest

from chalicelib.files.rows import conserving
from chalicelib.points.proof import checks
from tests.factories import rules
from tests.factories.files import Hub, hours, hours_layout
from tests.factories.rollbacks import available, roll_back, spend
from tests.unit.files.mending.test_returned_rejects import mended

DIRTY = hours("e1,E1,2026-11-02,8", "e2,E1,2026-13-02,4")
MENDED = ("2026-13-02", "2026-11-03")


@pytest.fixture(autouse=True)
def provable(hub: Hub) -> Iterator[None]:
    """Ledger and files add up when the test ends."""
    yield
    with hub.database.read() as db:
        assert checks.check(db) == []
        assert [conserving.breaks(db, file) for file in hub.files()] == [[] for _ in hub.files()]


@pytest.fixture
def noting(hub: Hub) -> Hub:
    """Hours that may correct others."""
    layout = hours_layout()
    layout["columns"]["original"] = {"required": False}
    layout["fields"]["reference"] = {"expr": {"var": "original"}}
    with hub.database.write() as db:
        rules.live_ruleset(db, hub.partner.id, layout)
    return hub


def test_rejects_that_came_back_and_were_taken_back_may_come_again_and_go_with_either_file(hub: Hub):
    hub.process("hours", DIRTY)
    back = mended(hub, MENDED)
    for name in ("back.csv", "again.csv", "third.csv"):
        assert hub.process("hours", back, name=name).rows_accepted == 1
        assert available(hub, "E1") == 1800
        roll_back(hub, name)
        assert available(hub, "E1") == 1200
    hub.process("hours", back, name="last.csv")
    assert hub.process("hours", back + b"\n", name="twice.csv").rows_accepted == 0

    roll_back(hub)

    assert available(hub, "E1") == 0


def test_what_stayed_of_a_row_that_came_back_settles_it(hub: Hub):
    hub.process("hours", DIRTY)
    hub.process("hours", mended(hub, MENDED), name="back.csv")
    spend(hub, "E1", 1800)
    assert roll_back(hub, "back.csv").left_over == 1
    other = f"event,id,day,hours,resubmit_token\nother,E1,2026-11-03,4,{hub.file().public_id}.2\n"

    hub.process("hours", other, name="other.csv")

    assert [row.code for row in hub.rows("other.csv")] == ["settled_already"]
    assert available(hub, "E1") == 0


def test_rejects_that_came_back_may_come_again_once_their_first_file_was_taken_back(hub: Hub):
    hub.process("hours", DIRTY)
    back = mended(hub, MENDED)
    hub.process("hours", back, name="back.csv")
    roll_back(hub)
    hub.process("hours", DIRTY, name="again.csv")

    file = hub.process("hours", back, name="back-again.csv")

    assert (file.state, available(hub, "E1")) == ("processed", 1800)


def test_corrections_may_come_again_once_their_originals_did(noting: Hub):
    less = "event,id,day,hours,original\nc1,E1,2026-11-05,-2,e1\n"
    noting.process("hours", hours("e1,E1,2026-11-02,8"))
    noting.process("hours", less, name="less.csv")
    roll_back(noting)
    noting.process("hours", hours("e1,E1,2026-11-02,8"), name="again.csv")

    file = noting.process("hours", less, name="less-again.csv")

    assert (file.state, available(noting, "E1")) == ("processed", 900)


def test_a_file_that_repeated_another_may_come_again_once_that_is_taken_back(hub: Hub):
    hub.process("hours", hours("e1,E1,2026-11-02,8"))
    both = hours("e1,E1,2026-11-02,8", "e4,E1,2026-11-04,2")
    hub.process("hours", both, name="two.csv")
    roll_back(hub)

    again = hub.process("hours", both, name="again.csv")

    assert (again.rows_accepted, again.rows_duplicate, available(hub, "E1")) == (1, 1, 1500)
    assert hub.process("hours", both, name="third.csv").state == "duplicate"
