"""Snapshots that terminate the absent, and rosters that give refused rows another try."""

from datetime import UTC, date, datetime, timedelta

import pytest
from sqlalchemy import select, update

from chalicelib.access.models import audit_event
from chalicelib.files.models.files import inbound_file
from chalicelib.partners.members import members
from chalicelib.points.models.ledger import transfer
from chalicelib.points.proof import checks
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

    def dated(self, day: str, *employee_ids: str) -> str:
        """A snapshot that holds from a day on."""
        return people(*[person(employee_id, day=day) for employee_id in employee_ids])

    def an_hour_ago(self, hub: Hub, content: str) -> None:
        """Process a snapshot before those of the test: whoever changes after a file's arrival is no absent of it."""
        hub.lateness = timedelta(hours=-1)
        hub.process("people", content, name="november.csv")
        hub.lateness = timedelta()

    def last_days(self, hub: Hub) -> dict[str, date]:
        """The last day of each member who has left."""
        everybody = [f"E{number}" for number in range(1, 20)]
        with hub.database.read() as db:
            found = members.by_employee(db, hub.partner.id, everybody)
        return {each.employee_id: each.term_date for each in found.values() if each.term_date is not None}

    def test_ends_the_employment_of_the_absent_on_the_day_before_its_own(self, hub: Hub):
        file = hub.process("people", self.dated("2026-11-10", "E1", "E2", "E3"))

        assert (file.rows_absent, file.snapshot_date) == (1, date(2026, 11, 10))
        assert self.last_days(hub) == {"E4": date(2026, 11, 9)}

    def test_is_of_the_latest_day_that_a_usable_row_speaks_of(self, hub: Hub):
        rows = [person("E1", day="2026-11-10"), person("E2", day="2026-11-08"), person("E3", hired="?")]

        hub.process("people", people(*rows))

        assert self.last_days(hub) == {"E4": date(2026, 11, 9)}

    def test_that_comes_late_leaves_alone_who_was_hired_since(self, hub: Hub):
        self.an_hour_ago(hub, self.dated("2026-11-12", "E1", "E2", "E3", "E4", "E15"))

        file = hub.process("people", self.dated("2026-10-01", "E1", "E2", "E3"), name="october.csv")

        assert (file.state, file.rows_absent) == ("processed", 0)
        assert self.active(hub) == {"E1", "E2", "E3", "E4", "E15"}

    def test_leaves_alone_whose_first_day_is_later_than_its_own(self, hub: Hub):
        with hub.database.write() as db:
            row = roster_row("E9", hire_date=date(2026, 11, 5), effective_date=date(2026, 9, 20))
            apply_rows(db, hub.partner, [row])

        hub.process("people", self.dated("2026-10-01", "E1", "E2", "E3", "E4"))

        assert self.last_days(hub) == {}

    def test_is_not_refused_for_whom_it_is_too_old_to_name(self, hub: Hub):
        newcomers = [f"E{number}" for number in range(5, 12)]
        self.an_hour_ago(hub, self.dated("2026-11-12", "E1", "E2", "E3", "E4", *newcomers))
        with hub.database.write() as db:
            apply_rows(db, hub.partner, [roster_row("E12"), roster_row("E13")])

        file = hub.process("people", self.dated("2026-10-01", "E12"), name="october.csv")

        assert (file.state, file.rows_absent) == ("processed", 1)
        assert self.last_days(hub) == {"E13": date(2026, 9, 30)}

    def test_terminates_nobody_when_no_usable_row_says_from_when_on(self, hub: Hub):
        file = hub.process("people", self.dated("soon", "E1", "E2", "E3"))

        assert (file.state, file.rows_rejected, file.rows_absent) == ("processed", 3, 0)
        assert self.active(hub) == {"E1", "E2", "E3", "E4"}
        [warning] = hub.receipt(layout="people")["warnings"]
        assert warning == "No usable row says from when on the snapshot holds: nobody was terminated for being absent."


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
            assert checks.check(db, None) == []

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
        monkeypatch.setattr("chalicelib.files.rows.retrying.BATCH_ROWS", 2)
        for name in ("one.csv", "two.csv"):
            rows = [f"{name}{number},E{7 + number % 3},2026-11-02,8" for number in range(5)]
            hub.process("hours", hours(*rows), name=name)

        hub.process("people", people(person("E7"), person("E9")), name="roster.csv")

        assert [(file.rows_accepted, file.rows_rejected) for file in hub.files()[:2]] == [(3, 2), (3, 2)]

    def test_figures_that_do_not_add_up_any_more_break_their_file(self, hub: Hub):
        hub.process("hours", hours("a,E9,2026-11-02,8", "b,E1,2026-11-02,8"), name="early.csv")
        with hub.database.write() as db:
            db.execute(update(transfer).where(transfer.c.kind == "accrual").values(amount_minor=1))

        roster = hub.process("people", people(person("E9")), name="roster.csv")

        assert roster.state == "processed"
        early = hub.file("early.csv")
        assert (early.state, early.reason_code, early.rows_accepted) == ("broken", "not_conserved", 2)
        receipt = hub.receipt("early.csv")
        assert (receipt["status"], receipt["revision"]) == ("broken", 2)
        assert "points of the events and points posted: 2400 is not 1201" in receipt["reason"]
        with hub.database.read() as db:
            told = db.execute(select(audit_event.c.subject).where(audit_event.c.action == "file.broken")).scalars()
            assert list(told) == [early.public_id]

    def test_the_last_batch_finds_what_an_earlier_one_broke(self, hub: Hub, monkeypatch: pytest.MonkeyPatch):
        monkeypatch.setattr("chalicelib.files.rows.retrying.BATCH_ROWS", 2)
        hub.process("hours", hours(*[f"{number},E9,2026-11-02,8" for number in range(4)]), name="early.csv")
        with hub.database.write() as db:
            db.execute(update(inbound_file).values(rows_duplicate=1))

        hub.process("people", people(person("E9")), name="roster.csv")

        early = hub.file("early.csv")
        assert (early.state, early.rows_accepted, early.receipt_written) == ("broken", 4, 3)

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
