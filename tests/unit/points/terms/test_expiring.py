"""What expired and what will is told by last day and program, in pages that leave nothing out."""

from dataclasses import replace
from datetime import UTC, date, datetime

import pytest
from sqlalchemy import select

from chalicelib.access.models import audit_event
from chalicelib.points.terms import expirations, expiring
from chalicelib.points.terms.expiring import Expiring, ExpiringFilter
from tests.factories import partners
from tests.factories.points import CALLER, earn, expire, hold, make_earning, post_expiry, redeem, refund

pytestmark = pytest.mark.usefixtures("provable")

FIRST, SECOND = date(2028, 10, 2), date(2028, 11, 2)
AT = datetime(2028, 10, 3, 18, tzinfo=UTC)


def told(database, *, after=None, limit=10, **wanted):
    with database.read() as db:
        return expiring.by_day(db, ExpiringFilter(**wanted), after=after, limit=limit)


@pytest.fixture
def earned(database, earning):
    """15.00 that may be spent through 2 October 2028, and 15.00 through 2 November."""
    with database.write() as db:
        earn(db, earning)
        earn(db, earning, event_date=date(2026, 10, 2))
    return earning


class TestByDay:
    def test_what_is_left_is_told_by_its_last_day_with_what_is_held(self, database, earned):
        with database.write() as db:
            redeem(db, earned, 500)
            hold(db, earned, 300)

        program = earned.program.id
        assert told(database) == [Expiring(program, FIRST, 1, 0, 1000, 300), Expiring(program, SECOND, 1, 0, 1500, 0)]

    def test_what_expired_is_told_beside_what_waits_for_its_hold(self, database, earned):
        with database.write() as db:
            hold(db, earned, 300)
        post_expiry(database, earned, AT.date(), now=AT)

        assert told(database, until=FIRST) == [Expiring(earned.program.id, FIRST, 1, 1200, 300, 300)]

    def test_what_was_spent_whole_is_not_told(self, database, earned):
        with database.write() as db:
            redeem(db, earned, 1500)

        assert [each.last_day for each in told(database)] == [SECOND]

    def test_what_came_back_and_expired_again_counts_once_each_time(self, database, earned):
        with database.write() as db:
            sold = redeem(db, earned, 500)
            expire(db, earned, AT.date(), now=AT)
            refund(db, earned, sold, now=AT)
            assert told_in(db, until=FIRST)[0][3:] == (1000, 500, 0)
            expire(db, earned, AT.date(), now=AT)
            assert told_in(db, until=FIRST)[0][3:] == (1500, 0, 0)

    def test_points_without_a_last_day_are_not_told(self, database):
        with database.write() as db:
            earn(db, make_earning(db, lots={"expires": None}))

        assert told(database) == []

    def test_members_are_counted_once(self, database, earned):
        with database.write() as db:
            other = partners.make_member(db, earned.partner, employee_id="E2")
            earn(db, earned)
            earn(db, replace(earned, member=other), employee_id="E2")

        assert [(each.members, each.left_minor) for each in told(database, since=SECOND)] == [(2, 4500)]

    def test_filters_narrow_it(self, database, earned):
        with database.write() as db:
            stranger = make_earning(db)
            earn(db, stranger)

        mine = {"partner_id": earned.partner.id, "program_id": earned.program.id, "member_id": earned.member.id}
        for name, value in mine.items():
            assert {each.program_id for each in told(database, **{name: value})} == {earned.program.id}
        assert told(database, partner_id=earned.partner.id, until=date(2028, 10, 1)) == []


@pytest.mark.usefixtures("earned")
class TestPages:
    def test_go_through_all_of_it_once(self, database):
        with database.write() as db:
            for _ in range(2):
                earn(db, make_earning(db))
        whole, found, after = told(database), [], None
        while page := told(database, after=after, limit=1):
            found += page
            after = page[-1].last_day, page[-1].program_id

        assert found == whole
        assert len(whole) == 4


class TestAsked:
    def test_who_ran_an_expiry_is_in_the_audit_trail(self, database, earned):
        with database.write() as db:
            for _ in range(2):
                expirations.post_some(db, earned.program, AT.date(), accounts_max=10, caller=CALLER, now=AT)
            columns = (audit_event.c.actor, audit_event.c.after)
            rows = db.execute(select(*columns).where(audit_event.c.action == "program.expired")).all()

        [(actor, after)] = rows
        assert actor == CALLER.actor
        assert after == '{"accounts":1,"business_date":"2028-10-03","expired_minor":1500}'


def told_in(db, **wanted):
    return expiring.by_day(db, ExpiringFilter(**wanted), limit=10)
