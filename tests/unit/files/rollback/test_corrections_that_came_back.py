"""Corrections that came back in another file go with the file that they came for, however often they came back."""

from collections.abc import Iterator

import pytest

from chalicelib.errors import Unprocessable
from chalicelib.files.rollback import way
from chalicelib.files.rollback.slices import returned_rows
from chalicelib.points.proof import checks
from tests.factories import rules
from tests.factories.files import Hub, hours, hours_layout
from tests.factories.rollbacks import ADMIN, available, roll_back
from tests.unit.files.mending.test_returned_rejects import mended

LESS = "event,id,day,hours,original\ne5,E1,2026-11-05,2,\nc1,E1,2026-13-05,-2,e1\n"
WRONG = hours("e1,E1,2026-11-02,8", "e2,E1,2026-13-02,4")


@pytest.fixture(autouse=True)
def provable(hub: Hub) -> Iterator[None]:
    """The ledger adds up when the test ends."""
    yield
    with hub.database.read() as db:
        assert checks.check(db) == []


@pytest.fixture
def noting(hub: Hub) -> Hub:
    """Hours that may correct others."""
    layout = hours_layout()
    layout["columns"]["original"] = {"required": False}
    layout["fields"]["reference"] = {"expr": {"var": "original"}}
    with hub.database.write() as db:
        rules.live_ruleset(db, hub.partner.id, layout)
    return hub


def test_a_correction_that_came_back_is_given_back_with_the_first_file(noting: Hub, monkeypatch: pytest.MonkeyPatch):
    noting.process("hours", hours("e1,E1,2026-11-02,8"), name="first.csv")
    noting.process("hours", LESS)
    back = noting.process("hours", mended(noting, ("2026-13-05", "2026-11-05")), name="back.csv")
    assert (back.rows_accepted, available(noting, "E1")) == (1, 1200)
    with monkeypatch.context() as large, noting.database.write() as db:
        large.setattr(way, "FORESEEN_ROWS_MAX", 0)
        with pytest.raises(Unprocessable):
            way.foresee(db, noting.file().id, reason="?", caller=ADMIN, now=noting.clock(), listed=10)

    run = roll_back(noting)

    assert (run.undone, run.left_over, available(noting, "E1")) == (2, 0, 1200)
    assert roll_back(noting, "back.csv").undone == 0
    assert available(noting, "E1") == 1200


def test_rows_may_come_back_any_number_of_times(hub: Hub):
    hub.process("hours", WRONG)
    name = "file.csv"
    for number in range(21):
        back = mended(hub, name=name)
        name = f"back{number}.csv"
        hub.process("hours", back, name=name)
    hub.process("hours", mended(hub, ("2026-13-02", "2026-11-03"), name=name), name="last.csv")
    with hub.database.read() as db:
        assert len(returned_rows(db, hub.file().id)) == 22

    roll_back(hub)

    assert (available(hub, "E1"), hub.file().state) == (0, "rolled_back")
