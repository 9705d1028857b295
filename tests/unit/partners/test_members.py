"""What roster rows do to members, on both engines."""

from datetime import UTC, date, datetime

import pytest
from sqlalchemy import event, func, select

from chalicelib.partners.members import members
from chalicelib.partners.models.partners import member, member_history, member_identity
from chalicelib.storage.engine import Database
from tests.factories.partners import NOW, apply_rows, make_member, make_partner, make_program, roster_row

pytestmark = pytest.mark.usefixtures("data_key")


def in_spring(**values):
    return roster_row(effective_date=date(2026, 4, 1), **values)


class TestHire:
    def test_makes_an_active_member_with_the_facts_of_the_row(self, database: Database):
        with database.write() as db:
            partner = make_partner(db)
            found = make_member(db, partner, "E7", grade="G5", job_code="CREW")

        assert found.status == "active"
        assert (found.employee_id, found.job_code, found.country) == ("E7", "CREW", "US")
        assert found.attributes["grade"] == "G5"
        assert found.attributes["union_code"] is None
        assert found.hire_date == date(2024, 10, 1)

    def test_keeps_personal_fields_encrypted_only(self, database: Database):
        with database.write() as db:
            partner = make_partner(db)
            found = make_member(db, partner, last_name="Haze", email="lo@example.com", ship_to_line1="342 Lawn St")
            stored = " ".join(str(value) for row in db.execute(select(member)) for value in row)
            stored += " ".join(str(value) for row in db.execute(select(member_history)) for value in row)
            read = members.personal(db, [found.id])[found.id]

        assert read["last_name"] == "Haze"
        assert read["ship_to_line1"] == "342 Lawn St"
        for secret in ("Haze", "Dolores", "lo@example.com", "Lawn"):
            assert secret not in stored

    def test_of_the_same_employee_id_at_two_partners_makes_two_members(self, database: Database):
        with database.write() as db:
            one, other = make_partner(db), make_partner(db)
            first, second = make_member(db, one, "E1"), make_member(db, other, "E1", grade="G9")
            assert members.by_employee(db, one.id, ["E1"])["E1"].attributes["grade"] == "G5"

        assert first.id != second.id


class TestTheSameRowTwice:
    def test_is_a_duplicate_and_writes_nothing(self, database: Database):
        with database.write() as db:
            partner = make_partner(db)
            assert apply_rows(db, partner, [roster_row()]) == ["accepted"]
            assert apply_rows(db, partner, [roster_row(), in_spring(job_code="PILOT")]) == ["duplicate", "accepted"]
            assert apply_rows(db, partner, [in_spring(job_code="PILOT"), roster_row()]) == ["duplicate", "duplicate"]
            assert db.execute(select(func.count()).select_from(member_history)).scalar_one() == 2
            assert members.by_employee(db, partner.id, ["E1"])["E1"].job_code == "PILOT"

    def test_in_one_batch_is_one_effect(self, database: Database):
        with database.write() as db:
            partner = make_partner(db)
            assert apply_rows(db, partner, [roster_row(), roster_row()]) == ["accepted", "duplicate"]
            assert db.execute(select(func.count()).select_from(member)).scalar_one() == 1

    def test_with_another_personal_field_is_a_correction(self, database: Database):
        with database.write() as db:
            partner = make_partner(db)
            found = make_member(db, partner, last_name="Haze")
            assert apply_rows(db, partner, [roster_row(last_name="Humbert")]) == ["accepted"]
            assert members.personal(db, [found.id])[found.id]["last_name"] == "Humbert"


class TestCorrection:
    def test_keeps_what_it_replaces(self, database: Database):
        with database.write() as db:
            partner = make_partner(db)
            make_member(db, partner, job_code="CREW")
            later = datetime(2026, 11, 21, tzinfo=UTC)
            apply_rows(db, partner, [roster_row(job_code="PURSER")], now=later)
            history = db.execute(
                select(member_history.c.job_code, member_history.c.revision, member_history.c.superseded_at).order_by(
                    member_history.c.revision
                )
            ).all()
            assert members.by_employee(db, partner.id, ["E1"])["E1"].job_code == "PURSER"

        assert [tuple(row) for row in history] == [("CREW", 1, later), ("PURSER", 2, None)]

    def test_of_an_old_row_leaves_the_present_alone(self, database: Database):
        with database.write() as db:
            partner = make_partner(db)
            make_member(db, partner, job_code="CREW")
            apply_rows(db, partner, [in_spring(job_code="PILOT")])
            apply_rows(db, partner, [roster_row(job_code="TRAINEE")])
            on = members.by_employee_on(db, partner.id, [("E1", date(2026, 3, 31)), ("E1", date(2026, 4, 1))])
            assert members.by_employee(db, partner.id, ["E1"])["E1"].job_code == "PILOT"

        assert [on["E1", date(2026, 3, 31)].job_code, on["E1", date(2026, 4, 1)].job_code] == ["TRAINEE", "PILOT"]

    def test_within_one_batch_the_later_row_holds_and_the_earlier_is_kept(self, database: Database):
        with database.write() as db:
            partner = make_partner(db)
            rows = [roster_row(job_code="CREW"), roster_row(job_code="PURSER"), roster_row(job_code="CREW")]
            assert apply_rows(db, partner, rows) == ["accepted"] * 3
            history = db.execute(
                select(member_history.c.job_code, member_history.c.superseded_at).order_by(member_history.c.revision)
            ).all()
            assert members.by_employee(db, partner.id, ["E1"])["E1"].job_code == "CREW"

        assert [tuple(row) for row in history] == [("CREW", NOW), ("PURSER", NOW), ("CREW", None)]


class TestLateRow:
    def test_fills_in_the_past(self, database: Database):
        with database.write() as db:
            partner = make_partner(db)
            make_member(db, partner, effective_date=date(2026, 6, 1), job_code="PILOT")
            assert apply_rows(db, partner, [in_spring(job_code="CREW")]) == ["accepted"]
            on = members.by_employee_on(db, partner.id, [("E1", date(2026, 5, 31)), ("E1", date(2026, 6, 1))])
            assert members.by_employee(db, partner.id, ["E1"])["E1"].job_code == "PILOT"

        assert [on["E1", date(2026, 5, 31)].job_code, on["E1", date(2026, 6, 1)].job_code] == ["CREW", "PILOT"]


class TestRowOfTheFuture:
    def test_takes_effect_on_its_date_without_another_row(self, database: Database):
        with database.write() as db:
            partner = make_partner(db)
            make_member(db, partner, job_code="CREW")
            apply_rows(db, partner, [roster_row(job_code="PURSER", effective_date=date(2027, 1, 1))])
            found = members.by_employee(db, partner.id, ["E1"])["E1"]
            [before] = members.as_of(db, [found], date(2026, 12, 31))
            [after] = members.as_of(db, [found], date(2027, 1, 1))

        assert (found.job_code, found.next_effective_date) == ("CREW", date(2027, 1, 1))
        assert (before.job_code, after.job_code) == ("CREW", "PURSER")

    def test_is_the_present_once_a_later_batch_meets_it(self, database: Database):
        with database.write() as db:
            partner = make_partner(db)
            make_member(db, partner, job_code="CREW")
            apply_rows(db, partner, [roster_row(job_code="PURSER", effective_date=date(2027, 1, 1))])
            spring = datetime(2027, 4, 1, 18, tzinfo=UTC)
            apply_rows(db, partner, [roster_row(job_code="PILOT", effective_date=date(2027, 6, 1))], now=spring)
            found = members.by_employee(db, partner.id, ["E1"])["E1"]

        assert (found.job_code, found.next_effective_date) == ("PURSER", date(2027, 6, 1))


class TestTermination:
    def test_takes_effect_on_its_effective_date(self, database: Database):
        with database.write() as db:
            partner = make_partner(db)
            make_member(db, partner)
            apply_rows(db, partner, [in_spring(action="T")])
            found = members.by_employee(db, partner.id, ["E1"])["E1"]

        assert (found.status, found.term_date) == ("terminated", date(2026, 3, 31))

    def test_with_a_term_date_ahead_leaves_the_member_active_until_then(self, database: Database):
        last_day = date(2026, 12, 31)
        with database.write() as db:
            partner = make_partner(db)
            make_member(db, partner)
            apply_rows(db, partner, [in_spring(action="T", term_date=last_day)])
            found = members.by_employee(db, partner.id, ["E1"])["E1"]
            [on_last_day, after] = [members.as_of(db, [found], day)[0] for day in (last_day, date(2027, 1, 1))]

        assert (found.status, found.term_date) == ("active", last_day)
        assert (on_last_day.status, after.status) == ("active", "terminated")

    def test_of_somebody_unknown_is_kept_as_a_former_employee(self, database: Database):
        with database.write() as db:
            partner = make_partner(db)
            row = roster_row(action="T", hire_date=date(2019, 1, 1), term_date=date(2026, 2, 28))
            assert apply_rows(db, partner, [row]) == ["accepted"]
            found = members.by_employee(db, partner.id, ["E1"])["E1"]
            on = members.by_employee_on(db, partner.id, [("E1", date(2026, 2, 28)), ("E1", date(2026, 3, 1))])

        assert found.status == "terminated"
        assert [ref.status for ref in on.values()] == ["active", "terminated"]

    def test_is_not_undone_by_a_change(self, database: Database):
        with database.write() as db:
            partner = make_partner(db)
            make_member(db, partner)
            apply_rows(db, partner, [in_spring(action="T")])
            moved = roster_row(action="C", location_code="LHR", effective_date=date(2026, 5, 1))
            apply_rows(db, partner, [moved])
            found = members.by_employee(db, partner.id, ["E1"])["E1"]

        assert (found.status, found.term_date, found.attributes["location_code"]) == (
            "terminated",
            date(2026, 3, 31),
            "LHR",
        )


class TestRehire:
    def test_makes_the_same_member_active_again_with_a_second_identity(self, database: Database):
        with database.write() as db:
            partner = make_partner(db)
            hired = make_member(db, partner)
            apply_rows(db, partner, [in_spring(action="T")])
            again = date(2026, 9, 1)
            apply_rows(db, partner, [roster_row(hire_date=again, effective_date=again)])
            found = members.by_employee(db, partner.id, ["E1"])["E1"]
            identities = db.execute(
                select(member_identity.c.valid_from, member_identity.c.valid_to).order_by(member_identity.c.valid_from)
            ).all()

        assert (found.id, found.status, found.term_date) == (hired.id, "active", None)
        assert [tuple(row) for row in identities] == [(date(2024, 10, 1), date(2026, 3, 31)), (again, None)]


class TestRefusedRow:
    @pytest.mark.parametrize(
        ("values", "code"),
        [
            ({"action": "X"}, "unknown_action"),
            ({"employee_id": " "}, "missing"),
            ({"employee_id": "E1 "}, "surrounding_blanks"),
            ({"employee_id": "E\n1"}, "unprintable"),
            ({"employee_id": "E" * 65}, "too_long"),
            ({"country": "USA"}, "too_long"),
            ({"department": "d" * 201}, "too_long"),
            ({"last_name": "n" * 201}, "too_long"),
            ({"term_date": date(2024, 9, 30)}, "term_before_hire"),
        ],
    )
    def test_does_not_touch_the_others(self, database: Database, values, code):
        with database.write() as db:
            partner = make_partner(db)
            rows = [roster_row("E1"), roster_row(**{"employee_id": "E2"} | values), roster_row("E3")]
            assert apply_rows(db, partner, rows) == ["accepted", f"rejected: {code}", "accepted"]
            assert db.execute(select(func.count()).select_from(member)).scalar_one() == 2


class TestLastDayOfWork:
    def test_still_counts_as_employed(self, database: Database):
        with database.write() as db:
            partner = make_partner(db)
            make_program(db, partner)
            make_member(db, partner)
            apply_rows(db, partner, [in_spring(action="T", term_date=date(2026, 4, 1))])
            on = members.by_employee_on(db, partner.id, [("E1", date(2026, 4, 1)), ("E1", date(2026, 4, 2))])

        assert [ref.status for ref in on.values()] == ["active", "terminated"]


class TestBigBatch:
    """Above two hundred rows MySQL takes another way: LOAD DATA and staging tables."""

    def test_is_written_exactly_and_in_few_statements(self, database: Database):
        numbers = [f"E{number:04}" for number in range(400)]
        names = {number: f'Müller\t\\N "{number}" 李' for number in numbers}

        def rows(**values):
            return [roster_row(number, last_name=names[number], **values) for number in numbers]

        statements: list[str] = []
        with database.write() as db:
            partner = make_partner(db)
            make_program(db, partner)
            event.listen(db, "before_cursor_execute", lambda *args: statements.append(args[2]))
            assert set(apply_rows(db, partner, rows())) == {"accepted"}
            hired = len(statements)
            moved = rows(effective_date=date(2026, 2, 1), grade=None, department="Tür\n\0 1")
            assert set(apply_rows(db, partner, moved)) == {"accepted"}
            assert set(apply_rows(db, partner, rows(job_code="PILOT"))) == {"accepted"}
            assert set(apply_rows(db, partner, moved)) == {"duplicate"}
            found = members.by_employee(db, partner.id, numbers)
            personal = members.personal(db, [ref.id for ref in found.values()])

        assert len(found) == 400
        assert hired < 20
        assert len(statements) < 100
        for number, ref in found.items():
            assert personal[ref.id]["last_name"] == names[number]
            assert (ref.job_code, ref.term_date, ref.attributes["grade"]) == ("CREW", None, None)
            assert ref.attributes["department"] == "Tür\n\0 1"
