"""Who is in a program on which days: by rule, by hand, through hire, change, termination and return."""

from datetime import date
from decimal import Decimal

import pytest
from sqlalchemy import func, select

from chalicelib.access.models import audit_event
from chalicelib.errors import Conflict, InvalidInput
from chalicelib.partners.members import enrolments, members
from chalicelib.partners.models.partners import enrolment
from chalicelib.storage.engine import Database
from tests.factories.partners import CALLER, NOW, apply_rows, make_member, make_partner, make_program, roster_row

pytestmark = pytest.mark.usefixtures("data_key")

HIRED = date(2024, 10, 1)
STARTED = date(2026, 1, 1)


def periods(db, program, member):
    found = enrolments.of_members(db, [member.id]).get(member.id, [])
    return [(each.valid_from, each.valid_to) for each in found if each.program_id == program.id]


def by_hand(db, program, member, **values):
    return enrolments.enrol(
        db, program, member.id, **{"valid_from": date(2026, 3, 1), "caller": CALLER, "now": NOW} | values
    )


@pytest.fixture
def place(database: Database):
    """An open transaction with a partner and a program that enrols crew."""
    with database.write() as db:
        partner = make_partner(db)
        program = make_program(db, partner, enrolment={"when": {"==": [{"var": "job_code"}, "CREW"]}})
        yield db, partner, program


class TestRule:
    def test_enrols_from_the_programs_first_day_who_was_hired_before(self, place):
        db, partner, program = place
        member = make_member(db, partner, hire_date=HIRED)
        assert periods(db, program, member) == [(STARTED, None)]

    def test_enrols_from_the_hire_date_who_was_hired_later(self, place):
        db, partner, program = place
        member = make_member(db, partner, hire_date=date(2026, 5, 4), effective_date=date(2026, 5, 11))
        assert periods(db, program, member) == [(date(2026, 5, 4), None)]

    def test_leaves_out_whom_its_condition_does_not_fit(self, place):
        db, partner, program = place
        member = make_member(db, partner, job_code="PILOT")
        assert periods(db, program, member) == []

    def test_follows_a_change_of_the_facts_both_ways(self, place):
        db, partner, program = place
        member = make_member(db, partner)
        apply_rows(db, partner, [roster_row(job_code="PILOT", effective_date=date(2026, 4, 1))])
        assert periods(db, program, member) == [(STARTED, date(2026, 3, 31))]
        apply_rows(db, partner, [roster_row(job_code="CREW", effective_date=date(2026, 6, 1))])
        assert periods(db, program, member) == [(STARTED, date(2026, 3, 31)), (date(2026, 6, 1), None)]

    def test_ends_with_the_last_day_of_employment(self, place):
        db, partner, program = place
        member = make_member(db, partner)
        left = roster_row(action="T", term_date=date(2026, 4, 30), effective_date=date(2026, 5, 4))
        apply_rows(db, partner, [left])
        assert periods(db, program, member) == [(STARTED, date(2026, 4, 30))]

    def test_ends_in_the_past_when_the_news_comes_late(self, place):
        db, partner, program = place
        member = make_member(db, partner)
        apply_rows(db, partner, [roster_row(action="C", grade="G6", effective_date=date(2026, 5, 1))])
        left = roster_row(action="T", term_date=date(2026, 4, 15), effective_date=date(2026, 6, 1))
        apply_rows(db, partner, [left])
        assert periods(db, program, member) == [(STARTED, date(2026, 4, 15))]

    def test_begins_again_with_a_rehire(self, place):
        db, partner, program = place
        member = make_member(db, partner)
        apply_rows(db, partner, [roster_row(action="T", effective_date=date(2026, 4, 1))])
        apply_rows(db, partner, [roster_row(hire_date=date(2026, 9, 1), effective_date=date(2026, 9, 1))])
        assert periods(db, program, member) == [(STARTED, date(2026, 3, 31)), (date(2026, 9, 1), None)]

    def test_is_restored_when_a_termination_is_corrected_away(self, place):
        db, partner, program = place
        member = make_member(db, partner)
        apply_rows(db, partner, [roster_row(action="T", effective_date=date(2026, 4, 1))])
        apply_rows(db, partner, [roster_row(action="C", effective_date=date(2026, 4, 1))])
        assert periods(db, program, member) == [(STARTED, None)]
        assert members.by_ids(db, [member.id])[member.id].status == "active"

    def test_reads_a_late_row_between_two_known_ones(self, place):
        db, partner, program = place
        member = make_member(db, partner)
        apply_rows(db, partner, [roster_row(action="C", grade="G7", effective_date=date(2026, 6, 1))])
        apply_rows(db, partner, [roster_row(action="C", job_code="PILOT", effective_date=date(2026, 3, 1))])
        assert periods(db, program, member) == [(STARTED, date(2026, 2, 28)), (date(2026, 6, 1), None)]

    def test_gives_a_former_employee_the_days_of_the_program_that_were_worked(self, place):
        db, partner, program = place
        member = make_member(db, partner, action="T", term_date=date(2026, 2, 15), effective_date=date(2026, 11, 1))
        assert periods(db, program, member) == [(STARTED, date(2026, 2, 15))]

    def test_whose_condition_has_no_answer_does_not_enrol(self, database: Database):
        ratio = {"/": [1, {"-": [{"coalesce": [{"var": "fte_pct"}, 0]}, 50]}]}
        with database.write() as db:
            partner = make_partner(db)
            program = make_program(db, partner, enrolment={"when": {"<": [ratio, 1]}})
            apply_rows(db, partner, [roster_row("E1", fte_pct=Decimal(50)), roster_row("E2", fte_pct=Decimal(100))])
            found = members.by_employee(db, partner.id, ["E1", "E2"])
            assert periods(db, program, found["E1"]) == []
            assert periods(db, program, found["E2"]) == [(STARTED, None)]

    def test_writes_nothing_for_a_row_that_changes_no_fact_it_reads(self, place):
        db, partner, program = place
        member = make_member(db, partner)
        before = db.execute(select(enrolment)).all()
        apply_rows(db, partner, [roster_row(action="C", phone="555", effective_date=date(2026, 7, 1))])
        assert db.execute(select(enrolment)).all() == before
        assert periods(db, program, member) == [(STARTED, None)]


class TestByHand:
    def test_enrols_whom_no_rule_enrols_and_the_rule_leaves_it_so(self, place):
        db, partner, program = place
        member = make_member(db, partner, job_code="PILOT")
        by_hand(db, program, member)
        apply_rows(db, partner, [roster_row(job_code="PILOT", grade="G9", effective_date=date(2026, 8, 1))])
        assert periods(db, program, member) == [(date(2026, 3, 1), None)]

    def test_changes_the_tier_from_a_day_on(self, place):
        db, partner, program = place
        member = make_member(db, partner)
        by_hand(db, program, member, tier="gold")
        [first, second] = enrolments.of_members(db, [member.id])[member.id]
        assert (first.valid_from, first.valid_to, first.tier) == (STARTED, date(2026, 2, 28), None)
        assert (second.valid_from, second.valid_to, second.tier) == (date(2026, 3, 1), None, "gold")

    def test_again_changes_nothing_and_is_audited_once(self, place):
        db, partner, program = place
        member = make_member(db, partner)
        once = by_hand(db, program, member, tier="gold")
        assert by_hand(db, program, member, tier="gold") == once
        enrolled = select(func.count()).select_from(audit_event).where(audit_event.c.action == "member.enrolled")
        assert db.execute(enrolled).scalar_one() == 1

    def test_ends_with_employment(self, place):
        db, partner, program = place
        member = make_member(db, partner)
        by_hand(db, program, member, tier="gold")
        apply_rows(db, partner, [roster_row(action="T", effective_date=date(2026, 6, 1))])
        assert periods(db, program, member)[-1] == (date(2026, 3, 1), date(2026, 5, 31))

    def test_refuses_a_period_that_would_overlap_a_later_one(self, place):
        db, partner, program = place
        member = make_member(db, partner, hire_date=date(2026, 6, 1), effective_date=date(2026, 6, 1))
        with pytest.raises(Conflict):
            by_hand(db, program, member)
        by_hand(db, program, member, valid_to=date(2026, 5, 31))
        assert periods(db, program, member) == [(date(2026, 3, 1), date(2026, 5, 31)), (date(2026, 6, 1), None)]

    def test_refuses_to_end_before_it_begins(self, place):
        db, partner, program = place
        member = make_member(db, partner)
        with pytest.raises(InvalidInput):
            by_hand(db, program, member, valid_to=date(2026, 2, 28))
