"""A snapshot names everybody who is employed: who is missing from it has left."""

from datetime import date

import pytest
from sqlalchemy import select

from chalicelib.access.models import audit_event
from chalicelib.partners.members import enrolments, members
from chalicelib.partners.models.partners import member_history
from chalicelib.storage.engine import Database
from chalicelib.storage.ids import new_id
from tests.factories.partners import CALLER, NOW, apply_rows, make_members, make_partner, make_program, roster_row

pytestmark = pytest.mark.usefixtures("data_key")

MAY = date(2026, 5, 1)


def in_may(*numbers, **values):
    return [roster_row(number, **{"action": "C", "effective_date": MAY} | values) for number in numbers]


def terminate(db, partner, file_id, effective_date=MAY):
    return members.terminate_absent(db, partner, file_id, effective_date=effective_date, caller=CALLER, now=NOW)


class TestAbsent:
    def test_are_the_active_members_whom_the_file_did_not_name(self, database: Database):
        with database.write() as db:
            partner = make_partner(db)
            make_members(db, partner, 5)
            gone = roster_row("E0005", action="T", effective_date=date(2026, 3, 1))
            apply_rows(db, partner, [gone])
            file_id = new_id()
            apply_rows(db, partner, in_may("E0001", "E0003"), snapshot_file=file_id)
            assert members.absent(db, partner.id, file_id, on=MAY) == ["E0002", "E0004"]
            assert members.absent(db, partner.id, file_id) == ["E0002", "E0004"]

    def test_are_not_those_named_by_a_duplicate_or_a_rejected_row(self, database: Database):
        with database.write() as db:
            partner = make_partner(db)
            make_members(db, partner, 3)
            file_id = new_id()
            apply_rows(db, partner, [roster_row("E0001", email="e0001@example.com")], snapshot_file=file_id)
            members.mark_seen(db, partner.id, ["E0002", "unknown"], file_id)
            assert members.absent(db, partner.id, file_id) == ["E0003"]

    def test_are_not_those_of_whom_a_later_row_speaks(self, database: Database):
        with database.write() as db:
            partner = make_partner(db)
            make_members(db, partner, 2)
            apply_rows(db, partner, [roster_row("E0002", action="C", effective_date=date(2026, 6, 1))])
            assert members.absent(db, partner.id, new_id(), on=MAY) == ["E0001"]

    def test_are_not_those_whose_announced_last_day_has_passed(self, database: Database):
        with database.write() as db:
            partner = make_partner(db)
            [ref] = make_members(db, partner, 1).values()
            last = date(2026, 12, 31)
            apply_rows(db, partner, [roster_row(ref.employee_id, action="T", term_date=last, effective_date=MAY)])
            february = date(2027, 2, 1)
            assert terminate(db, partner, new_id(), february) == 0
            [after] = members.as_of(db, [members.by_ids(db, [ref.id])[ref.id]], february)
            assert after.term_date == last


class TestTerminateAbsent:
    def test_ends_employment_and_enrolments_the_day_before_and_says_why(self, database: Database):
        with database.write() as db:
            partner = make_partner(db)
            make_program(db, partner)
            known = make_members(db, partner, 3)
            file_id = new_id()
            apply_rows(db, partner, in_may("E0001"), snapshot_file=file_id)
            assert terminate(db, partner, file_id) == 2
            assert terminate(db, partner, file_id) == 0
            after = members.by_employee(db, partner.id, list(known))
            periods = enrolments.of_members(db, [known["E0002"].id])
            entry = db.execute(select(member_history).where(member_history.c.source_kind == "absence")).first()
            audited = db.execute(select(audit_event.c.after).where(audit_event.c.action == "members.absent_terminated"))
            assert len(audited.all()) == 1
            assert members.personal(db, [known["E0002"].id])[known["E0002"].id]["last_name"] == "Haze"

        assert [after[number].status for number in sorted(known)] == ["active", "terminated", "terminated"]
        assert after["E0002"].term_date == date(2026, 4, 30)
        [period] = periods[known["E0002"].id]
        assert (period.valid_from, period.valid_to) == (date(2026, 1, 1), date(2026, 4, 30))
        assert (entry.action, entry.source_id) == ("terminate", file_id)

    def test_is_undone_when_a_later_snapshot_names_them_again(self, database: Database):
        june = date(2026, 6, 1)
        with database.write() as db:
            partner = make_partner(db)
            make_program(db, partner)
            [ref] = make_members(db, partner, 1).values()
            terminate(db, partner, new_id())
            apply_rows(db, partner, in_may("E0001", effective_date=june), snapshot_file=new_id())
            back = members.by_ids(db, [ref.id])[ref.id]
            periods = enrolments.of_members(db, [ref.id])

        assert back.status == "active"
        assert [(each.valid_from, each.valid_to) for each in periods[ref.id]] == [
            (date(2026, 1, 1), date(2026, 4, 30)),
            (june, None),
        ]
