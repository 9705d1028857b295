"""Rejected rows are corrected and decided again: once, by everything that is known of the first time."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from sqlalchemy import func, select

from chalicelib.errors import NotFound
from chalicelib.files.answers import finishing
from chalicelib.files.intake import sweeper
from chalicelib.files.mending import fixing, resubmitting
from chalicelib.files.mending.fixing import CellsUnusable, FileNotFinished, Fixed, RowNotRejected
from chalicelib.files.mending.resubmitting import Resubmitted
from chalicelib.files.models.files import file_row_fix
from chalicelib.files.register.register import InboundFile
from chalicelib.files.rows import conserving, recording
from chalicelib.partners.members import members
from chalicelib.points.models.ledger import accrual_event, transfer
from tests.factories.files import Hub, hours, hours_layout, make_hub, people, people_layout, person
from tests.factories.partners import CALLER

GOOD = "a,E1,2026-11-02,8"
DIRTY = hours(GOOD, "b,E9,2026-11-02,8", "c,E2,2026-11-31,7.5", "d,E3,2026-11-02,x", trailer="#TRAILER,4,23.5")


def fix(hub: Hub, row_no: int, cells: dict[str, str], *, file: InboundFile | None = None) -> Fixed:
    """A correction by somebody."""
    file = file or hub.file()

    def work(db: Any) -> Fixed:
        by_layout = recording.work_of(db, file, hub.partner)
        return fixing.fix(db, file, by_layout, row_no, cells, reason="a slip", caller=CALLER, now=hub.clock())

    return hub.database.run(work)


def resubmit(hub: Hub, rows: Sequence[int] | None = None, *, name: str = "file.csv") -> Resubmitted:
    """Somebody has rows decided again, and the answer is written."""
    file = hub.file(name)
    done = hub.database.run(lambda db: resubmitting.resubmit(db, file.id, rows, caller=CALLER, now=hub.clock()))
    finishing.answer(hub.database, file.id)
    return done


def figures(file: InboundFile) -> tuple[int, ...]:
    """Rows accepted, rejected and duplicate, and the control sums of the first two in hours."""
    control = (file.control_accepted // 10**6, file.control_rejected // 10**6)
    return file.rows_accepted, file.rows_rejected, file.rows_duplicate, *control


def posted(hub: Hub) -> tuple[int, int]:
    """How many events and transfers there are."""
    with hub.database.read() as db:
        return (
            db.execute(select(func.count()).select_from(accrual_event)).scalar() or 0,
            db.execute(select(func.count()).select_from(transfer)).scalar() or 0,
        )


class TestFixing:
    def test_posts_nothing_and_says_whether_the_layout_can_read_it(self, hub: Hub):
        hub.process("hours", DIRTY)

        still = fix(hub, 3, {"day": "2026-13-01"}).still
        better = fix(hub, 3, {"day": "2026-11-01"}).still

        assert still is not None
        assert (still.code, better) == ("bad_date", None)
        assert posted(hub) == (1, 1)
        assert [row.outcome for row in hub.rows()] == ["rejected"] * 3

    def test_keeps_what_was_there_before_and_by_whom(self, hub: Hub):
        hub.process("hours", DIRTY)
        fix(hub, 3, {"day": "2026-11-01", "hours": "7"})
        fix(hub, 3, {"hours": "7.25"})

        with hub.database.read() as db:
            one, two = fixing.history(db, hub.file(), 3)
            kept = db.execute(select(file_row_fix.c.cells)).scalars().all()

        assert one.cells == {"day": ("2026-11-31", "2026-11-01"), "hours": ("7.5", "7")}
        assert (two.cells, two.actor, two.reason) == ({"hours": ("7", "7.25")}, CALLER.actor, "a slip")
        assert all(b"7.25" not in sealed for sealed in kept)

    def test_the_same_correction_again_is_one(self, hub: Hub):
        hub.process("hours", DIRTY)
        first = fix(hub, 3, {"day": "2026-11-01"})

        again = fix(hub, 3, {"day": "2026-11-01"})

        assert (first.fix.fix_no, again.fix.fix_no) == (1, 1)

    @pytest.mark.parametrize(
        ("cells", "code"),
        [
            ({"days": "1"}, "unknown_column"),
            ({"day": "a\0b"}, "nul_byte"),
            ({"day": "***"}, "masked"),
        ],
    )
    def test_refuses_what_cannot_stand_in_the_row(self, light_hub: Hub, cells: dict[str, str], code: str):
        light_hub.process("hours", DIRTY)

        with pytest.raises(CellsUnusable) as refused:
            fix(light_hub, 3, cells)
        assert [fault.code for fault in refused.value.faults] == [code]

    @pytest.mark.usefixtures("aws")
    def test_refuses_characters_that_the_layouts_encoding_lacks(self, sqlite_database):
        hub = make_hub(sqlite_database, hours_layout(format={"encoding": "cp1252"}))
        hub.process("hours", hours("b,E9,2026-11-02,8"))

        with pytest.raises(CellsUnusable):
            fix(hub, 1, {"event": "日"})
        assert fix(hub, 1, {"event": "5 € für Müller"}).still is None

    def test_a_row_of_the_wrong_form_is_given_whole(self, light_hub: Hub):
        light_hub.process("hours", hours(GOOD, "b,E2,2026-11-02"))

        with pytest.raises(CellsUnusable) as refused:
            fix(light_hub, 2, {"hours": "8"})
        assert {fault.code for fault in refused.value.faults} == {"cell_missing"}
        assert fix(light_hub, 2, {"event": "b", "id": "E2", "day": "2026-11-02", "hours": "8"}).still is None
        assert resubmit(light_hub).tried[0].outcome == "accepted"

    def test_cannot_move_the_row_to_another_partner(self, light_hub: Hub):
        light_hub.process("hours", "event,id,day,hours,partner\nb,E9,2026-11-02,8,acme\n")

        still = fix(light_hub, 1, {"partner": "globex", "id": "E1"}).still

        assert still is not None
        assert still.code == "other_partner"

    def test_only_rejected_rows_of_processed_files_are_mended(self, light_hub: Hub):
        light_hub.process("hours", hours(GOOD, GOOD, "b,E9,2026-11-02,8"))
        bad = light_hub.process("hours", b"nonsense", name="bad.csv")

        for row_no in (1, 2):
            with pytest.raises(RowNotRejected):
                fix(light_hub, row_no, {"hours": "7"})
        for row_no in (0, 4):
            with pytest.raises(NotFound):
                fix(light_hub, row_no, {"hours": "7"})
        with pytest.raises(FileNotFinished), light_hub.database.write() as db:
            resubmitting.resubmit(db, bad.id, [1], caller=CALLER, now=light_hub.clock())


class TestResubmitting:
    def test_accepts_what_was_mended_and_the_figures_stay_true(self, hub: Hub):
        hub.process("hours", DIRTY)
        fix(hub, 2, {"id": "E1"})
        fix(hub, 3, {"day": "2026-11-01"})

        done = resubmit(hub)

        assert [(row.row_no, row.outcome) for row in done.tried] == [(2, "accepted"), (3, "accepted")]
        file = hub.file()
        assert figures(file) == (3, 1, 0, 23, 0)
        assert posted(hub) == (3, 3)
        with hub.database.read() as db:
            assert conserving.breaks(db, file) == []
        receipt = hub.receipt()
        assert (receipt["revision"], receipt["rows_accepted"], receipt["rows_rejected"]) == (2, 3, 1)
        assert b'"c"' not in hub.read("hub-out", receipt["rejects"])

    def test_a_corrected_amount_is_posted_and_the_files_own_sum_is_kept(self, hub: Hub):
        hub.process("hours", DIRTY)
        fix(hub, 4, {"hours": "6"})

        resubmit(hub)

        file = hub.file()
        assert (file.control_unreadable, figures(file)) == (1, (2, 2, 0, 8, 15))
        assert hub.receipt()["control_corrected"] == "6"
        with hub.database.read() as db:
            quantity = db.execute(select(accrual_event.c.facts).where(accrual_event.c.row_no == 4)).scalar_one()
            assert conserving.breaks(db, file) == []
        assert '"6' in quantity

    def test_twice_has_one_effect(self, hub: Hub):
        hub.process("hours", DIRTY)
        fix(hub, 2, {"id": "E1"})
        resubmit(hub, [2])

        again = resubmit(hub, [1, 2])

        assert (again.tried, again.untried) == ([], [(1, "accepted"), (2, "accepted")])
        assert posted(hub) == (2, 2)
        with pytest.raises(RowNotRejected):
            fix(hub, 2, {"event": "other"})

    def test_in_parallel_has_one_effect(self, hub: Hub):
        hub.process("hours", DIRTY)
        fix(hub, 2, {"id": "E1", "event": "other"})
        file = hub.file()

        def ask(_: int) -> Resubmitted:
            return hub.database.run(lambda db: resubmitting.resubmit(db, file.id, [2], caller=CALLER, now=hub.clock()))

        with ThreadPoolExecutor(6) as pool:
            done = list(pool.map(ask, range(6)))

        assert sum(len(each.tried) for each in done) == 1
        assert posted(hub) == (2, 2)
        assert figures(hub.file()) == (2, 2, 0, 16, 7)

    def test_what_is_refused_again_stays_rejected_with_the_new_reason(self, hub: Hub):
        hub.process("hours", DIRTY)
        fix(hub, 2, {"id": "E1", "day": "2025-01-01"})

        [row] = resubmit(hub).tried

        assert (row.outcome, row.code, row.column) == ("rejected", "before_program", "day")
        assert resubmit(hub).tried == []
        assert resubmit(hub, [2]).tried[0].outcome == "rejected"
        assert hub.receipt()["revision"] == 3
        assert b"before_program" in hub.read("hub-out", hub.receipt()["rejects"])

    def test_a_row_that_is_known_by_now_is_a_duplicate(self, hub: Hub):
        hub.process("hours", DIRTY)
        hub.process("hours", hours("c,E2,2026-11-01,7.5"), name="mended.csv")
        fix(hub, 3, {"day": "2026-11-01"})

        assert [row.outcome for row in resubmit(hub).tried] == ["duplicate"]
        assert figures(hub.file()) == (1, 2, 1, 8, 8)

    def test_the_whole_file_mended_and_sent_again_posts_only_what_is_new(self, hub: Hub):
        hub.process("hours", DIRTY)
        fix(hub, 2, {"id": "E1"})
        resubmit(hub)

        again = hub.process("hours", hours(GOOD, "b,E1,2026-11-02,8", "c,E2,2026-11-01,7.5"), name="again.csv")

        assert (again.rows_duplicate, again.rows_accepted) == (2, 1)
        assert posted(hub) == (3, 3)

    def test_many_go_in_batches(self, hub: Hub, monkeypatch: pytest.MonkeyPatch):
        monkeypatch.setattr("chalicelib.files.rows.deciding_again.BATCH_ROWS", 2)
        hub.process("hours", DIRTY)
        fix(hub, 2, {"id": "E1"})
        fix(hub, 3, {"day": "2026-11-01"})
        fix(hub, 4, {"hours": "1"})

        assert [resubmit(hub).left for _ in range(3)] == [1, 0, 0]
        assert figures(hub.file())[:2] == (4, 0)

    def test_a_corrected_row_goes_back_to_its_place_in_the_archive(self, hub: Hub):
        hub.process("hours", DIRTY)
        fix(hub, 3, {"day": "2026-11-01", "id": "E1"})
        resubmit(hub)

        with hub.database.read() as db:
            found = db.execute(select(accrual_event).where(accrual_event.c.row_no == 3)).one()
        start = found.byte_offset
        assert DIRTY.encode()[start : start + found.byte_length] == b"c,E2,2026-11-31,7.5\n"
        assert found.actor == CALLER.actor

    def test_a_receipt_whose_message_was_lost_is_written_by_the_sweeper(self, hub: Hub):
        hub.process("hours", DIRTY)
        fix(hub, 2, {"id": "E1"})
        with hub.database.write() as db:
            resubmitting.resubmit(db, hub.file().id, None, caller=CALLER, now=hub.clock())

        sweeper.sweep(hub.database, clock=hub.clock, grace_s=0)
        hub.drain()

        assert hub.receipt()["rows_accepted"] == 2

    def test_a_roster_tries_the_corrected_row(self, hub: Hub):
        hub.process("hours", DIRTY)
        fix(hub, 2, {"hours": "5"})
        hub.process("people", people(person("E9")), name="people.csv")

        assert figures(hub.file())[:2] == (2, 2)
        with hub.database.read() as db:
            found = db.execute(select(accrual_event.c.points_minor).where(accrual_event.c.row_no == 2)).scalar_one()
        assert found == 750


@pytest.mark.usefixtures("aws")
class TestSnapshots:
    def test_a_mended_row_employs_and_nobody_else_is_touched(self, database):
        layout = people_layout(mode="snapshot", terminate_share_max="0.5")
        hub = make_hub(database, layout, members=["E1", "E2"])
        hub.process("people", people(person("E1"), person("E2"), person("E5", action="C", hired="soon")))
        fix(hub, 3, {"hired": "2026-01-01"})

        assert [row.outcome for row in resubmit(hub).tried] == ["accepted"]
        with hub.database.read() as db:
            assert members.active_employee_ids(db, hub.partner.id) == {"E1", "E2", "E5"}
            assert conserving.breaks(db, hub.file()) == []
