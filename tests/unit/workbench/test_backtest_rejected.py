"""Rows of files that the rule of their time refused: what a draft would make of them."""

import json

import pytest
from sqlalchemy import func, select

from chalicelib.points.models.ledger import accrual_event
from chalicelib.rules import rulesets
from chalicelib.storage.engine import Database
from chalicelib.workbench import backtests as room
from chalicelib.workbench.models import backtest_record, backtest_row
from tests.factories import backtests, rules
from tests.factories.files import Hub, hours, make_hub

pytestmark = pytest.mark.usefixtures("aws")
PAST = {"unchanged": 0, "more": 0, "less": 0, "without_points": 0, "refused": 0, "accepted": 0}


def capped(*, answers_13: bool):
    """A point an hour, at most 20 a month; without an answer to 13 hours unless told."""
    room = {"max": [0, {"-": [20, {"var": "so_far"}]}]}
    earned = {"min": [{"var": "quantity"}, room]}
    gap = {"-": [{"var": "quantity"}, 13]}
    return rules.accrual_document(
        inputs={"quantity": {"type": "decimal", "scale": 6}},
        when=True,
        aggregates={"so_far": {"of": "points", "period": "calendar_month"}},
        outputs={
            "points": {
                "type": "decimal",
                "scale": 2,
                "rounding": "half_up",
                "expr": earned if answers_13 else {"/": [{"*": [earned, gap]}, gap]},
            }
        },
        cases=[
            rules.capped_case("1", "1.00", so_far="0.00"),
            rules.capped_case("30", "5.00", so_far="15.00"),
            rules.capped_case("30", "0.00", so_far="25.00"),
        ],
    )


@pytest.fixture
def hub(database: Database) -> Hub:
    """Acme, whose rule has no answer to 13 hours."""
    made = make_hub(database)
    with database.write() as db:
        rules.live_ruleset(db, made.partner.id, capped(answers_13=False))
    return made


def tried(hub: Hub, *names: str):
    """A back-test of the draft that answers, over the files of these names."""
    with hub.database.write() as db:
        draft = backtests.draft(db, hub.partner.id, capped(answers_13=True))
    done = backtests.run(
        hub.database, hub.partner.id, draft, file_ids=[hub.file(name).id for name in names], now=hub.clock()
    )
    assert done.state == "done", done.reason
    return done


def changes(done):
    [program] = backtests.summary(done)["programs"].values()
    return program["changes"]


class TestARejectedRow:
    def test_that_would_be_accepted_is_counted_with_its_points(self, hub):
        hub.process("hours", hours("e1,E1,2026-11-02,8", "e2,E2,2026-11-02,13", "e3,E9,2026-11-02,8"))

        done = tried(hub, "file.csv")

        assert (done.events_done, done.events_total) == (2, 2)
        assert changes(done) == PAST | {"unchanged": 1, "accepted": 1}
        assert sorted(backtests.members(hub.database, done).values()) == [(0, 1300), (800, 800)]
        with hub.database.read() as db:
            [accepted] = db.execute(select(backtest_record)).all()
            assert db.execute(select(func.count()).select_from(backtest_row)).scalar_one() == 0
        assert (accepted.kind, accepted.event_id, accepted.row_no) == ("accepted", "e2", 2)
        assert (accepted.code, accepted.field, accepted.now_minor) == ("rule_refused", "hours", 1300)

    def test_takes_its_place_among_the_sums_of_its_account(self, hub):
        hub.process("hours", hours("e1,E1,2026-11-02,5", "e2,E1,2026-11-02,13", "e3,E1,2026-11-02,9"))

        done = tried(hub, "file.csv")

        # 5 and 9 then; now 5, 13, and the 2 that are left of 20.
        assert list(backtests.members(hub.database, done).values()) == [(1400, 2000)]
        assert changes(done) == PAST | {"unchanged": 1, "accepted": 1, "less": 1}

    def test_comes_before_what_later_files_brought(self, hub):
        hub.process("hours", hours("e2,E1,2026-11-02,13"), name="one.csv")
        hub.process("hours", hours("e3,E1,2026-11-02,9"), name="two.csv")

        done = tried(hub, "one.csv", "two.csv")

        # 9 then; now 13, and the 7 that are left of 20.
        assert changes(done) == PAST | {"accepted": 1, "less": 1}
        assert list(backtests.members(hub.database, done).values()) == [(900, 2000)]

    def test_of_a_member_without_any_points_makes_an_account_of_its_own(self, hub):
        hub.process("hours", hours("e2,E2,2026-11-02,13"))

        done = tried(hub, "file.csv")

        assert list(backtests.members(hub.database, done).values()) == [(0, 1300)]

    def test_that_another_file_brought_again_counts_once(self, hub):
        hub.process("hours", hours("e2,E2,2026-11-02,13"), name="one.csv")
        hub.process("hours", hours("e2,E2,2026-11-02,13", "e4,E2,2026-11-02,1"), name="two.csv")

        done = tried(hub, "one.csv", "two.csv")

        assert changes(done) == PAST | {"unchanged": 1, "accepted": 1}

    def test_that_was_accepted_after_all_does_not_count_again(self, hub):
        hub.process("hours", hours("e2,E2,2026-11-02,13"), name="one.csv")
        with hub.database.write() as db:
            mended = rulesets.save(
                db, capped(answers_13=True), partner_id=hub.partner.id, caller=rules.AUTHOR, now=hub.clock()
            )
            rulesets.activate(
                db,
                "acme.accrual",
                mended.version_id,
                effective_from=backtests.YEAR["first_day"],
                caller=rules.AUTHOR,
                now=hub.clock(),
            )
        hub.process("hours", hours("e2,E2,2026-11-02,13", "e3,E2,2026-11-02,1"), name="two.csv")
        with hub.database.read() as db:
            assert db.execute(select(func.count()).select_from(accrual_event)).scalar_one() == 2

        done = tried(hub, "one.csv", "two.csv")

        assert changes(done) == PAST | {"unchanged": 2}

    def test_that_the_draft_refuses_too_changes_nothing(self, hub):
        hub.process("hours", hours("e2,E2,2026-11-02,13", "e3,E3,2026-11-02,4"))
        with hub.database.write() as db:
            same = rules.live_ruleset(db, hub.partner.id, capped(answers_13=False))

        done = backtests.run(hub.database, hub.partner.id, same, file_ids=[hub.file().id], now=hub.clock())

        assert changes(done) == PAST | {"unchanged": 2}
        assert json.loads(done.summary)["reasons"] == {"accepted": {}, "refused": {}}

    def test_is_not_looked_for_outside_the_selected_files(self, hub):
        hub.process("hours", hours("e2,E2,2026-11-02,13"), name="one.csv")
        hub.process("hours", hours("e4,E2,2026-11-02,1"), name="two.csv")

        done = tried(hub, "two.csv")

        assert changes(done) == PAST | {"unchanged": 1}

    def test_is_forgotten_when_the_backtest_is_cancelled(self, hub):
        hub.process("hours", hours("e2,E2,2026-11-02,13"))
        with hub.database.write() as db:
            draft = backtests.draft(db, hub.partner.id, capped(answers_13=True))
        asked = backtests.asked(hub.database, hub.partner.id, draft, file_ids=[hub.file().id], now=hub.clock())
        left = iter([900.0, 900.0, 1.0])
        stopped = backtests.finish(hub.database, asked, clock=hub.clock, remaining_s=lambda: next(left))
        assert (stopped.stage, stopped.events_total) == ("rejects", 1)

        with hub.database.write() as db:
            room.cancel(db, stopped, caller=backtests.CALLER, now=hub.clock())

            assert db.execute(select(func.count()).select_from(backtest_row)).scalar_one() == 0
