"""A file is processed again with effect: exactly the difference that was looked at, or nothing."""

import pytest

from chalicelib.files.reprocessing import effect
from chalicelib.files.reprocessing.effect import DifferenceChanged, EventCorrected
from chalicelib.points.corrections import reversals
from chalicelib.points.corrections.reversals import PointsSpent
from chalicelib.points.ledger import history
from chalicelib.points.proof import checks
from tests.factories.files import Hub, hours, people, person
from tests.factories.rollbacks import ADMIN, available, of_member, roll_back, spend, with_policy
from tests.unit.files.mending.test_mending import fix
from tests.unit.files.reprocessing.test_reprocessing import ROWS, compare, new_rule


@pytest.fixture(autouse=True)
def provable(hub):
    """The ledger adds up when the test ends."""
    yield
    with hub.database.read() as db:
        assert checks.check(db) == []


def make(hub: Hub, difference: str, by="latest", name="file.csv"):
    """Have a difference made."""
    return hub.database.run(
        lambda db: effect.apply(
            db,
            hub.file(name).id,
            hub.partner,
            by,
            difference=difference,
            reason="a new rate",
            caller=ADMIN,
            now=hub.clock(),
        )
    )


def looked_at(hub: Hub, by="latest") -> str:
    return effect.token(compare(hub, by), by)


class TestWithEffect:
    def test_pays_what_the_newer_rule_pays(self, hub: Hub):
        hub.process("hours", hours(*ROWS))
        new_rule(hub, "2")

        made = make(hub, looked_at(hub))

        assert list(made.points_minor.values()) == [(1500, 2000)]
        assert (available(hub, "E1"), available(hub, "E2")) == (1600, 400)
        assert compare(hub).differing == 0
        hub.drain()
        file = hub.file()
        assert (file.state, file.rows_accepted, file.rows_rejected, file.rows_duplicate) == ("processed", 2, 1, 1)

    def test_does_nothing_when_nothing_differs(self, hub: Hub):
        hub.process("hours", hours(*ROWS))
        assert make(hub, looked_at(hub)).differing == 0
        assert available(hub, "E1") == 1200

    def test_refuses_another_difference_than_was_looked_at(self, hub: Hub):
        hub.process("hours", hours(*ROWS))
        new_rule(hub, "2")
        seen = looked_at(hub)
        new_rule(hub, "3")

        with pytest.raises(DifferenceChanged):
            make(hub, seen)
        assert available(hub, "E1") == 1200

    def test_happens_once(self, hub: Hub):
        hub.process("hours", hours(*ROWS))
        new_rule(hub, "2")
        seen = looked_at(hub)
        make(hub, seen)

        with pytest.raises(DifferenceChanged):
            make(hub, seen)
        assert available(hub, "E1") == 1600

    def test_moves_rows_between_accepted_and_rejected(self, hub: Hub):
        hub.process("hours", hours(*ROWS))
        hub.process("people", people(person("E2", action="T", day="2026-11-01")), name="people.csv")
        made = make(hub, looked_at(hub))

        assert (made.newly_accepted, made.newly_refused) == (0, 1)
        file = hub.file()
        assert (file.state, file.rows_accepted, file.rows_rejected) == ("processed", 1, 2)
        assert [(row.row_no, row.outcome) for row in hub.rows()][1:3] == [(3, "rejected"), (4, "duplicate")]
        assert available(hub, "E2") == 0

    def test_of_spent_points_is_refused_only_where_less_is_left(self, hub: Hub):
        hub.process("hours", hours(*ROWS))
        spend(hub, "E1", 1200)
        new_rule(hub, "2")
        make(hub, looked_at(hub))
        assert available(hub, "E1") == 400

        new_rule(hub, "1")
        with pytest.raises(PointsSpent):
            make(hub, looked_at(hub))
        assert available(hub, "E1") == 400

    def test_may_leave_points_owed(self, hub: Hub):
        with_policy(hub, "overdraft")
        hub.process("hours", hours(*ROWS))
        spend(hub, "E1", 1200)
        new_rule(hub, "1")

        make(hub, looked_at(hub))

        assert available(hub, "E1") == -400

    def test_keeps_corrected_rows_corrected(self, hub: Hub):
        hub.process("hours", hours("a,E1,2026-11-02,8", "b,E1,2026-13-02,4"))
        fix(hub, 2, {"day": "2026-11-03"})

        make(hub, looked_at(hub))

        assert (hub.file().rows_accepted, hub.file().rows_rejected, available(hub, "E1")) == (2, 0, 1800)
        assert [(row.outcome, row.fixes) for row in hub.rows()] == [("accepted", 1)]

    def test_is_taken_back_with_the_file(self, hub: Hub):
        hub.process("hours", hours(*ROWS))
        new_rule(hub, "2")
        make(hub, looked_at(hub))

        roll_back(hub)

        assert (available(hub, "E1"), available(hub, "E2")) == (0, 0)

    def test_of_what_was_reversed_since_is_refused(self, hub: Hub):
        hub.process("hours", hours("a,E1,2026-11-02,8"))
        with hub.database.write() as db:
            [event] = history.events(db, history.EventFilter(), before_seq=None, limit=5)
            reversals.reverse(db, of_member(hub, "E1").program, event, reason="x", caller=ADMIN, now=hub.clock())
        new_rule(hub, "2")
        with pytest.raises(EventCorrected):
            make(hub, looked_at(hub))
        assert available(hub, "E1") == 0
