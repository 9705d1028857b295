"""Snapshots that terminate the absent, and rosters that give refused rows another try."""

from datetime import UTC, datetime, timedelta

import pytest

from chalicelib.partners import members
from chalicelib.points import proof
from tests.factories.files import PEOPLE_HEADER, Hub, hours, make_hub, people, people_layout, person
from tests.factories.partners import apply_rows, roster_row


@pytest.mark.usefixtures("aws")
class TestSnapshot:
    @pytest.fixture
    def hub(self, database) -> Hub:
        layout = people_layout(mode="snapshot", terminate_share_max="0.5")
        return make_hub(database, layout, members=["E1", "E2", "E3", "E4"])

    def active(self, hub: Hub) -> set[str]:
        with hub.database.read() as db:
            return members.active_employee_ids(db, hub.partner.id)

    def test_terminates_whom_it_does_not_name(self, hub: Hub):
        file = hub.process("people", people(person("E1"), person("E2"), person("E3"), person("E5")))

        assert (file.state, file.rows_accepted, file.rows_absent) == ("processed", 4, 1)
        assert self.active(hub) == {"E1", "E2", "E3", "E5"}
        assert hub.receipt(layout="people")["members_absent"] == 1

    def test_that_names_too_few_is_refused_as_a_whole(self, hub: Hub):
        file = hub.process("people", people(person("E1")))

        assert (file.state, file.reason_code) == ("quarantined", "too_many_absent")
        assert self.active(hub) == {"E1", "E2", "E3", "E4"}
        assert "3 of 4 active employees (75%)" in hub.receipt(layout="people")["reason"]

    def test_a_faulty_row_is_no_absence(self, hub: Hub):
        rows = [person("E1"), person("E2"), person("E3", hired="long ago")]

        file = hub.process("people", people(*rows))

        assert (file.rows_rejected, file.rows_absent) == (1, 1)
        assert self.active(hub) == {"E1", "E2", "E3"}

    def test_nobody_is_terminated_when_a_row_says_not_whom_it_is_about(self, hub: Hub):
        rows = [person("E1"), person("E2"), person("E3"), person("")]

        file = hub.process("people", people(*rows))

        assert (file.state, file.rows_unnamed, file.rows_absent) == ("processed", 1, 0)
        assert self.active(hub) == {"E1", "E2", "E3", "E4"}
        [warning] = hub.receipt(layout="people")["warnings"]
        assert warning.startswith("1 rejected rows do not say whom")

    def test_the_same_snapshot_again_changes_nothing(self, hub: Hub):
        content = people(person("E1"), person("E2"), person("E3"))
        hub.process("people", content)

        file = hub.process("people", content, name="again.csv")

        assert file.state == "duplicate"
        assert self.active(hub) == {"E1", "E2", "E3"}

    def test_who_was_hired_after_it_arrived_is_not_absent(self, hub: Hub):
        message = hub.drop("people", people(person("E1"), person("E2"), person("E3"), person("E4")))
        with hub.database.write() as db:
            apply_rows(db, hub.partner, [roster_row("E9")], now=datetime.now(UTC) + timedelta(minutes=5))

        hub.handle(message)
        hub.drain()

        assert hub.file().state == "processed"
        assert "E9" in self.active(hub)

    def test_that_is_true_again_after_another_one_is_applied_again(self, database):
        today = people_layout(mode="snapshot", terminate_share_max="0.5")
        today["columns"].pop("as_of_day")
        today["fields"]["effective_date"] = {"expr": {"var": "as_of"}}
        hub = make_hub(database, today, members=["E1", "E2", "E3", "E4"])
        everybody = [f"E{number},A,Dolores,Haze,2024-10-01,CREW,US" for number in range(1, 5)]
        header = PEOPLE_HEADER.removesuffix(",as of")
        whole, short = ("\n".join([header, *rows]) + "\n" for rows in (everybody, everybody[:3]))
        for days, content in enumerate([whole, short, whole]):
            hub.lateness = timedelta(days=days)
            hub.process("people", content, name=f"day{days}.csv")

        assert [file.state for file in hub.files()] == ["processed"] * 3
        assert self.active(hub) == {"E1", "E2", "E3", "E4"}


class TestAnotherTry:
    def test_a_roster_brings_the_points_of_rows_that_came_too_early(self, hub: Hub):
        hub.process("hours", hours("a,E9,2026-11-02,8", "b,E1,2026-11-02,8", "c,E8,2026-11-02,8"), name="early.csv")
        assert hub.receipt("early.csv")["rows_rejected"] == 2

        hub.process("people", people(person("E9")), name="roster.csv")

        early = hub.file("early.csv")
        assert (early.rows_accepted, early.rows_rejected, early.receipt_written) == (2, 1, 2)
        receipt = hub.receipt("early.csv")
        assert (receipt["revision"], receipt["rows_accepted"], receipt["points_posted"]) == (2, 2, "24.00")
        assert (receipt["control_applied"], receipt["control_rejected"]) == ("16", "8")
        assert [(row.row_no, row.outcome, row.code) for row in hub.rows("early.csv")] == [
            (1, "accepted", None),
            (3, "rejected", "unknown_member"),
        ]
        with hub.database.read() as db:
            assert proof.check(db, None) == []

    def test_the_rejects_are_written_anew(self, hub: Hub):
        hub.process("hours", hours("a,E9,2026-11-02,8"), name="early.csv")

        hub.process("people", people(person("E9")), name="roster.csv")

        lines = hub.read("hub-out", "acme/hours/rejects_early.csv").splitlines()
        assert len(lines) == 1

    def test_a_row_that_is_refused_for_another_reason_now_says_so(self, hub: Hub):
        hub.process("hours", hours("a,E9,2026-11-02,8"), name="early.csv")

        hub.process("people", people(person("E9", hired="2026-11-10")), name="roster.csv")

        [row] = hub.rows("early.csv")
        assert (row.outcome, row.code, row.fixable) == ("rejected", "not_enrolled", False)

    def test_rows_of_many_batches_are_all_tried(self, hub: Hub, monkeypatch: pytest.MonkeyPatch):
        monkeypatch.setattr("chalicelib.files.retrying._BATCH_ROWS", 2)
        for name in ("one.csv", "two.csv"):
            rows = [f"{name}{number},E{7 + number % 3},2026-11-02,8" for number in range(5)]
            hub.process("hours", hours(*rows), name=name)

        hub.process("people", people(person("E7"), person("E9")), name="roster.csv")

        assert [(file.rows_accepted, file.rows_rejected) for file in hub.files()[:2]] == [(3, 2), (3, 2)]

    def test_a_handler_that_runs_out_of_time_goes_on_later(self, hub: Hub):
        hub.process("hours", hours("a,E9,2026-11-02,8"), name="early.csv")
        hub.remaining_s = 10
        message = hub.drop("people", people(person("E9")), name="roster.csv")

        hub.handle(message)
        assert hub.file("roster.csv").finished_at is None
        hub.remaining_s = 900
        hub.drain()

        assert hub.file("roster.csv").finished_at is not None
        assert hub.file("early.csv").rows_accepted == 1
