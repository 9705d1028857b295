"""Two rosters about the same people at once: applied one after the other, neither is lost."""

import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import date

import pytest
from sqlalchemy import func, select

from chalicelib.partners.models.partners import enrolment, member, member_history, member_identity
from chalicelib.storage.engine import Database
from tests.factories.partners import apply_rows, make_partner, make_program, roster_row

pytestmark = pytest.mark.usefixtures("data_key")

WRITERS = 8
PEOPLE = 40


def count(db, table):
    return db.execute(select(func.count()).select_from(table)).scalar_one()


def test_of_writers_who_hire_the_same_people_each_row_is_kept_once(database: Database):
    with database.write() as db:
        partner = make_partner(db)
        make_program(db, partner)
    start = threading.Barrier(WRITERS)

    def hire(writer: int) -> list[str]:
        # Each overlaps with its neighbours, comes in its own order and speaks of a date of its own.
        numbers = [f"E{(writer * 10 + each) % PEOPLE:03}" for each in range(PEOPLE // 2)]
        if writer % 2:
            numbers.reverse()
        rows = [roster_row(number, effective_date=date(2026, 1, 1 + writer)) for number in numbers]
        start.wait()
        return database.run(lambda db: apply_rows(db, partner, rows))

    with ThreadPoolExecutor(WRITERS) as pool:
        outcomes = list(pool.map(hire, range(WRITERS)))

    with database.read() as db:
        assert {each for outcome in outcomes for each in outcome} == {"accepted"}
        assert count(db, member) == PEOPLE
        assert count(db, member_history) == WRITERS * PEOPLE // 2
        assert count(db, member_identity) == PEOPLE
        assert count(db, enrolment) == PEOPLE
        newest = select(member_history.c.member_id, func.max(member_history.c.effective_date)).group_by(
            member_history.c.member_id
        )
        stored = db.execute(select(member.c.id, member.c.effective_date)).all()
        assert set(stored) == set(db.execute(newest).all())


def test_of_writers_who_say_the_same_one_is_accepted(database: Database):
    with database.write() as db:
        partner = make_partner(db)
    start = threading.Barrier(WRITERS)

    def hire(_: int) -> list[str]:
        start.wait()
        return database.run(lambda db: apply_rows(db, partner, [roster_row("E1"), roster_row("E2")]))

    with ThreadPoolExecutor(WRITERS) as pool:
        outcomes = sorted(pool.map(hire, range(WRITERS)))

    assert outcomes == [["accepted"] * 2] + [["duplicate"] * 2] * (WRITERS - 1)
