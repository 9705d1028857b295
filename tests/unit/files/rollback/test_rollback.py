"""A file that was wrong is taken back: points, ids and caps are as if it had never come, and it may come again."""

import pytest
from sqlalchemy import select

from chalicelib.access.models import audit_event
from chalicelib.errors import Unprocessable
from chalicelib.files.mending import fixing, resubmitting
from chalicelib.files.register import rollbacks
from chalicelib.files.register.rollbacks import FileNotReversible
from chalicelib.files.rollback import effects, foreseeing, way
from chalicelib.files.rows import recording
from chalicelib.points.corrections import reversals
from chalicelib.points.models.ledger import accrual_event, reversal
from chalicelib.points.proof import checks
from tests.factories import points, rules
from tests.factories.files import hours, hours_layout, people, person
from tests.factories.rollbacks import ADMIN, available, left, of_member, roll_back, spend, standing_lots, with_policy

THREE = hours("e1,E1,2026-11-02,8", "e2,E2,2026-11-02,7.5", "e3,E1,2026-11-03,4")


@pytest.fixture(autouse=True)
def provable(hub):
    """The ledger adds up when the test ends."""
    yield
    with hub.database.read() as db:
        assert checks.check(db) == []


class TestAFileOfAccruals:
    def test_is_taken_back_whole(self, hub):
        hub.process("hours", THREE)
        assert (available(hub, "E1"), available(hub, "E2")) == (1800, 1125)

        run = roll_back(hub)

        assert (run.undone, run.left_over, run.stage) == (3, 0, "done")
        assert (available(hub, "E1"), available(hub, "E2")) == (0, 0)
        assert (hub.file().state, hub.receipt()["status"]) == ("rolled_back", "rolled_back")

    def test_may_come_again_and_is_not_taken_for_what_it_was(self, hub):
        hub.process("hours", THREE)
        roll_back(hub)

        again = hub.process("hours", THREE, name="again.csv")

        assert (again.state, again.rows_accepted, again.rows_duplicate) == ("processed", 3, 0)
        assert (available(hub, "E1"), available(hub, "E2")) == (1800, 1125)

    def test_may_come_again_with_other_content_under_the_same_ids(self, hub):
        hub.process("hours", THREE)
        roll_back(hub)

        again = hub.process("hours", THREE.replace(",8\n", ",6\n"), name="again.csv")

        assert again.rows_accepted == 3
        assert available(hub, "E1") == 1500

    def test_is_taken_back_again_after_it_came_again(self, hub):
        for name in ("one.csv", "two.csv", "three.csv"):
            assert hub.process("hours", THREE, name=name).rows_accepted == 3
            assert roll_back(hub, name).undone == 3
        assert available(hub, "E1") == 0

    def test_is_taken_back_once_however_often_it_is_asked_for(self, hub):
        hub.process("hours", THREE)
        first = roll_back(hub)

        assert roll_back(hub) == first
        with hub.database.read() as db:
            actions = list(db.execute(select(audit_event.c.action)).scalars())
        assert actions.count("file.rollback_requested") == 1
        assert actions.count("file.rolled_back") == 1

    def test_goes_back_row_by_row_from_the_last_one_on(self, hub, monkeypatch):
        monkeypatch.setattr(way, "ROWS_MAX", 1)
        hub.process("hours", THREE)
        run = roll_back(hub)

        with hub.database.read() as db:
            rows = db.execute(
                select(accrual_event.c.row_no, reversal.c.seq)
                .join(reversal, reversal.c.accrual_event_id == accrual_event.c.id)
                .order_by(reversal.c.seq)
            ).all()
        assert [row.row_no for row in rows] == [3, 2, 1]
        assert run.slice_no > 3

    def test_that_is_not_processed_is_refused(self, hub):
        hub.process("hours", "event,id\n")
        with hub.database.write() as db, pytest.raises(FileNotReversible):
            rollbacks.request(db, hub.file().id, reason="?", caller=ADMIN, now=hub.clock())

    def test_is_told_beforehand_without_changing_anything(self, hub):
        hub.process("hours", THREE)
        spend(hub, "E1", 1000)
        with hub.database.write() as db:
            run, stays = way.foresee(db, hub.file().id, reason="?", caller=ADMIN, now=hub.clock(), listed=10)

        assert (run.undone, [(each.row_no, each.code, each.amount_minor) for each in stays]) == (
            2,
            [(1, "points_spent", 1200)],
        )
        [sums] = run.sums.values()
        assert (sums.recovered_minor, sums.refused_minor) == (1725, 1200)
        assert (available(hub, "E1"), hub.file().state) == (800, "processed")
        with hub.database.read() as db:
            assert rollbacks.of_file(db, hub.file().id) is None

    def test_of_too_many_rows_is_not_foreseen(self, hub, monkeypatch):
        monkeypatch.setattr(way, "FORESEEN_ROWS_MAX", 2)
        monkeypatch.setattr(foreseeing, "ROWS_MAX", 2)
        hub.process("hours", THREE)
        with hub.database.write() as db, pytest.raises(Unprocessable):
            way.foresee(db, hub.file().id, reason="?", caller=ADMIN, now=hub.clock(), listed=10)

    def test_waits_until_its_rollback_is_done_before_it_is_loaded_again(self, hub):
        hub.process("hours", THREE)
        with hub.database.write() as db:
            run, _ = rollbacks.request(db, hub.file().id, reason="?", caller=ADMIN, now=hub.clock())
        hub.handle(hub.drop("hours", THREE, name="again.csv"))
        assert hub.file("again.csv").state == "arrived"

        way.announce(run.id)
        hub.drain()

        assert (hub.file("again.csv").state, hub.file("again.csv").rows_accepted) == ("processed", 3)


class TestSpentPoints:
    def test_that_the_program_refuses_to_take_stay_with_their_events(self, hub):
        hub.process("hours", THREE)
        spend(hub, "E1", 1000)

        run = roll_back(hub)

        assert (run.undone, [(each.row_no, each.code) for each in left(hub, run)]) == (2, [(1, "points_spent")])
        assert (available(hub, "E1"), available(hub, "E2")) == (200, 0)
        again = hub.process("hours", THREE, name="again.csv")
        assert (again.rows_accepted, again.rows_duplicate, available(hub, "E1")) == (2, 1, 800)

    def test_that_were_refused_are_taken_once_they_are_there(self, hub):
        hub.process("hours", THREE)
        spend(hub, "E1", 1000)
        roll_back(hub)
        hub.process("hours", hours("later,E1,2026-11-04,10"), name="later.csv")

        run = roll_back(hub)

        assert (run.run_no, run.undone, run.left_over) == (2, 1, 0)
        assert available(hub, "E1") == 500

    def test_are_owed_until_they_are_earned_again(self, hub):
        with_policy(hub, "overdraft")
        hub.process("hours", THREE)
        spend(hub, "E1", 1000)

        run = roll_back(hub)

        assert [(each.code, each.amount_minor) for each in left(hub, run)] == [("points_overdrawn", 1000)]
        assert sum(lot[1] for lot in standing_lots(hub, "E1")) == -1000
        hub.process("hours", THREE, name="again.csv")
        assert available(hub, "E1") == 800

    def test_are_given_up_and_told(self, hub):
        with_policy(hub, "partial")
        hub.process("hours", THREE)
        spend(hub, "E1", 1000)

        run = roll_back(hub)

        assert [(each.code, each.amount_minor) for each in left(hub, run)] == [("points_given_up", 1000)]
        assert available(hub, "E1") == 0
        [of_program] = hub.receipt()["rolled_back"]["programs"]
        assert (of_program["recovered"], of_program["lost"]) == ("19.25", "10.00")


class TestMendedRows:
    def mended(self, hub):
        hub.process("hours", hours("e1,E1,2026-11-02,8", "e2,E1,2026-13-02,4"))
        with hub.database.write() as db:
            file = hub.file()
            work = recording.work_of(db, file, hub.partner)
            fixing.fix(db, file, work, 2, {"day": "2026-11-03"}, reason=None, caller=ADMIN, now=hub.clock())
            resubmitting.resubmit(db, file.id, None, caller=ADMIN, now=hub.clock())
        assert available(hub, "E1") == 1800

    def test_go_first(self, hub):
        self.mended(hub)
        run = roll_back(hub)

        assert (run.undone, available(hub, "E1")) == (2, 0)
        with hub.database.read() as db:
            order = select(accrual_event.c.row_no).join(reversal, reversal.c.accrual_event_id == accrual_event.c.id)
            assert list(db.execute(order.order_by(reversal.c.seq)).scalars()) == [2, 1]

    def test_go_the_latest_first_and_a_slice_reads_no_more_than_its_rows(self, hub, monkeypatch):
        lines = [f"e{number},E1,2026-13-02,1" for number in range(1, 6)]
        hub.process("hours", hours(*lines))
        with hub.database.write() as db:
            file = hub.file()
            work = recording.work_of(db, file, hub.partner)
            for row_no in (2, 5, 1, 3):
                fixing.fix(db, file, work, row_no, {"day": "2026-11-03"}, reason=None, caller=ADMIN, now=hub.clock())
                resubmitting.resubmit(db, file.id, None, caller=ADMIN, now=hub.clock())
        monkeypatch.setattr(way, "ROWS_MAX", 2)
        with hub.database.read() as db:
            assert len(effects.latest_mended(db, file.id, before=2**62, limit=2)) == 2

        run = roll_back(hub)

        with hub.database.read() as db:
            order = select(accrual_event.c.row_no).join(reversal, reversal.c.accrual_event_id == accrual_event.c.id)
            assert list(db.execute(order.order_by(reversal.c.seq)).scalars()) == [3, 1, 5, 2]
        assert run.undone == 4

    def test_that_came_back_in_another_file_go_too(self, hub):
        hub.process("hours", hours("e1,E1,2026-11-02,8", "e2,E1,2026-13-02,4"))
        rejects = hub.read("hub-out", "acme/hours/rejects_file.csv").decode()
        back = hub.process("hours", rejects.replace("2026-13-02", "2026-11-03"), name="back.csv")
        assert (back.rows_accepted, available(hub, "E1")) == (1, 1800)

        run = roll_back(hub)

        assert (run.undone, available(hub, "E1")) == (2, 0)
        assert hub.file("back.csv").state == "processed"

    def test_are_not_tried_again_once_the_file_is_taken_back(self, hub):
        hub.process("hours", hours("e1,E1,2026-11-02,8", "e2,E9,2026-11-02,4"))
        roll_back(hub)
        hub.process("people", people(person("E9", day="2026-10-01")), name="people.csv")

        assert available(hub, "E9") == 0
        assert hub.file().rows_rejected == 1


class TestAReversalByRequest:
    def test_leaves_the_id_taken_and_says_so(self, hub):
        hub.process("hours", hours("e1,E1,2026-11-02,8"))
        with hub.database.write() as db:
            event = points.history.events(db, points.history.EventFilter(), before_seq=None, limit=1)[0]
            of = of_member(hub, "E1")
            reversals.reverse(db, of.program, event, reason="wrong", caller=ADMIN, now=hub.clock())

        again = hub.process("hours", hours("e1,E1,2026-11-02,8", ""), name="again.csv")

        assert (again.rows_accepted, again.rows_duplicate, available(hub, "E1")) == (0, 1, 0)
        assert hub.rows("again.csv")[0].code == "reversed"

    def test_is_not_taken_back_twice_by_the_rollback(self, hub):
        hub.process("hours", THREE)
        with hub.database.write() as db:
            event = points.history.events(db, points.history.EventFilter(), before_seq=None, limit=9)[-1]
            of = of_member(hub, "E1")
            reversals.reverse(db, of.program, event, reason="wrong", caller=ADMIN, now=hub.clock())

        run = roll_back(hub)

        assert (run.undone, available(hub, "E1"), available(hub, "E2")) == (3, 0, 0)
        assert hub.process("hours", THREE, name="again.csv").rows_accepted == 3


class TestCorrections:
    """Rows with a quantity below zero; the layout of hours has its `note` for what they name."""

    @pytest.fixture
    def noting(self, hub):
        layout = hours_layout()
        layout["columns"]["original"] = {"required": False}
        layout["fields"]["reference"] = {"expr": {"var": "original"}}
        with hub.database.write() as db:
            rules.live_ruleset(db, hub.partner.id, layout)
        return hub

    def correct(self, hub, *rows, name="less.csv"):
        return hub.process("hours", "\n".join(["event,id,day,hours,original", *rows]), name=name)

    def test_count_as_accepted_and_say_what_they_took(self, noting):
        noting.process("hours", THREE)
        file = self.correct(noting, "c1,E1,2026-11-05,-2,e1", "c2,E1,2026-11-05,-9,e1", "c3,E2,2026-11-05,-1,e1")

        assert (file.state, file.rows_accepted, file.rows_rejected) == ("processed", 1, 2)
        assert [row.code for row in noting.rows("less.csv")] == ["correction_exceeds_original", "original_differs"]
        assert available(noting, "E1") == 1500
        receipt = noting.receipt("less.csv")
        assert (receipt["control_in"], receipt["control_applied"]) == ("-12", "-2")
        assert receipt["programs"] == [
            {
                "program_code": "uniform",
                "events": 0,
                "points_in": "0.00",
                "points_posted": "0.00",
                "ruleset_versions": [],
                "corrections": 1,
                "points_corrected": "3.00",
            }
        ]

    def test_of_a_file_are_taken_back_with_it(self, noting):
        noting.process("hours", THREE)
        self.correct(noting, "c1,E1,2026-11-05,-2,e1", "c2,E1,2026-11-05,-4,e3", "c4,E2,2026-11-05,3,")

        run = roll_back(noting, "less.csv")

        assert (run.undone, run.left_over) == (3, 0)
        assert (available(noting, "E1"), available(noting, "E2")) == (1800, 1125)
        again = self.correct(noting, "c1,E1,2026-11-05,-2,e1", "c2,E1,2026-11-05,-4,e3", name="again.csv")
        assert (again.rows_accepted, available(noting, "E1")) == (2, 900)

    @pytest.mark.parametrize("spent", [0, 1500, 1700])
    def test_that_left_something_owed_are_taken_back_too(self, noting, spent):
        with_policy(noting, "overdraft")
        noting.process("hours", THREE)
        spend(noting, "E1", spent or 1)
        self.correct(noting, "c1,E1,2026-11-05,-8,e1")
        noting.process("hours", hours("e9,E1,2026-11-07,1"), name="more.csv")

        roll_back(noting, "less.csv")

        assert available(noting, "E1") == 1800 + 150 - (spent or 1)

    def test_are_not_foreseen_in_a_large_file(self, noting, monkeypatch):
        noting.process("hours", THREE)
        self.correct(noting, "c1,E1,2026-11-05,-2,e1")
        monkeypatch.setattr(way, "FORESEEN_ROWS_MAX", 0)
        given = {"reason": "?", "caller": ADMIN, "now": noting.clock(), "listed": 10}

        with noting.database.write() as db:
            run, _ = way.foresee(db, noting.file().id, **given)
            assert run.undone == 3
            with pytest.raises(Unprocessable):
                way.foresee(db, noting.file("less.csv").id, **given)

    def test_go_with_the_file_whose_events_they_correct(self, noting):
        noting.process("hours", THREE)
        self.correct(noting, "c1,E1,2026-11-05,-2,e1")

        run = roll_back(noting)

        assert (run.undone, available(noting, "E1")) == (3, 0)
        noting.process("hours", THREE, name="again.csv")
        assert self.correct(noting, "c1,E1,2026-11-05,-2,e1", "", name="c.csv").rows_accepted == 1
        assert available(noting, "E1") == 1500
