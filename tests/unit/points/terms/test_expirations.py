"""What was not spent by its last day becomes breakage once; a hold keeps it or lets it lapse as the program says."""

from datetime import UTC, date, datetime, timedelta

import pytest
from sqlalchemy import func, select

from chalicelib.points.ledger import trial_balance
from chalicelib.points.models.ledger import transfer
from chalicelib.points.spending import holds
from chalicelib.points.terms import expirations
from chalicelib.points.terms.expirations import Expiry
from tests.factories import partners
from tests.factories.points import (
    CALLER,
    available,
    capture,
    earn,
    expire,
    hold,
    lots_of,
    redeem,
    with_rules,
)

pytestmark = pytest.mark.usefixtures("provable")
OCTOBER, NOVEMBER = date(2028, 10, 2), date(2028, 11, 2)
DAY = OCTOBER + timedelta(days=1)
AT = datetime(2028, 10, 3, 18, tzinfo=UTC)


@pytest.fixture
def earned(database, earning):
    """15.00 that may be spent through 2 October 2028, and 15.00 through 2 November."""
    with database.write() as db:
        earn(db, earning)
        earn(db, earning, event_date=date(2026, 10, 2))
    return earning


class TestExpiring:
    def test_takes_what_is_left_the_day_after_its_last(self, database, earned):
        with database.write() as db:
            redeem(db, earned, 400)
            assert expire(db, earned, OCTOBER, now=AT) == Expiry()
            assert expire(db, earned, DAY, now=AT) == Expiry(1, 1100, 0)

            assert lots_of(db, earned.account_id) == [(OCTOBER, 0, 0), (NOVEMBER, 1500, 0)]
            moved = db.execute(select(transfer).where(transfer.c.kind == "expiry")).one()
            assert (moved.amount_minor, moved.business_date, moved.source_id) == (1100, DAY, moved.id)
            [trial] = trial_balance.of(db, program_id=earned.program.id)
            assert [line.credits_minor for line in trial.lines if line.kind == "expiry"] == [1100]

    def test_of_one_date_happens_once(self, database, earned):
        with database.write() as db:
            expire(db, earned, DAY, now=AT)
            assert expire(db, earned, DAY, now=AT) == Expiry()

    def test_changes_nothing_that_could_be_spent(self, database, earned):
        with database.write() as db:
            before = available(db, earned, now=AT)
            expire(db, earned, DAY, now=AT)

            assert available(db, earned, now=AT) == before == (1500, 0)

    def test_is_foretold_by_the_preview(self, database, earned):
        with database.write() as db:
            hold(db, earned, 300)
            told = expirations.preview(db, earned.program, DAY, accounts_max=100).expiry
            assert db.execute(select(func.count()).select_from(transfer)).scalar_one() == 2

            assert told == expire(db, earned, DAY, now=AT) == Expiry(1, 1200, 300)

    def test_is_foretold_of_so_many_accounts_as_a_request_has_time_for(self, database, earned, monkeypatch):
        monkeypatch.setattr(expirations, "_ACCOUNTS_READ", 2)
        with database.write() as db:
            partners.make_members(db, earned.partner, 4)
            for employee_id in sorted_ids(db, earned):
                earn(db, earned, employee_id=employee_id, event_date=date(2026, 10, 2))

            some = expirations.preview(db, earned.program, DAY, accounts_max=3)
            whole = expirations.preview(db, earned.program, DAY, accounts_max=100)

        assert (some.accounts, some.whole) == (4, False)
        assert (whole.expiry.accounts, whole.accounts, whole.whole) == (5, 5, True)


class TestHeldPoints:
    def test_are_kept_for_their_hold_until_it_gives_them_back(self, database, earned):
        with database.write() as db:
            placed = hold(db, earned, 1500)
            assert expire(db, earned, DAY, now=AT) == Expiry(0, 0, 1500)
            capture(db, earned, placed, 1000, now=AT)
            holds.release(db, placed.id, caller=CALLER, now=AT)
            assert available(db, earned, now=AT) == (1500, 0)

            assert expire(db, earned, DAY, now=AT) == Expiry(1, 500, 0)

    def test_lapse_where_the_program_says_so(self, database, earned):
        with database.write() as db:
            strict = with_rules(db, earned, lots={"held_at_expiry": "lapse"})
            whole = hold(db, strict, 1000)
            part = hold(db, strict, 1000)
            told = expirations.preview(db, strict.program, DAY, accounts_max=100).expiry
            assert told == expire(db, strict, DAY, now=AT) == Expiry(1, 1500, 0)

            assert (holds.by_id(db, whole.id).state, holds.by_id(db, part.id).state) == ("lapsed", "open")
            assert holds.by_id(db, part.id).open_minor == 500
            assert available(db, strict, now=AT) == (1000, 500)


class TestTheNightlyRun:
    def test_goes_over_all_programs_in_pages_by_their_own_dates(self, database, earned, monkeypatch):
        monkeypatch.setattr(expirations, "_ACCOUNTS_READ", 2)
        with database.write() as db:
            partners.make_members(db, earned.partner, 4)
            for number in range(4):
                earn(db, earned, employee_id=sorted_ids(db, earned)[number], event_date=date(2026, 10, 2))

        # In Chicago it is still the second of October.
        assert expirations.run(database, clock=lambda: datetime(2028, 10, 3, 4, tzinfo=UTC)) == Expiry()
        assert expirations.run(database, clock=lambda: datetime(2028, 10, 3, 6, tzinfo=UTC)) == Expiry(5, 7500, 0)
        assert expirations.run(database, clock=lambda: datetime(2028, 10, 3, 6, tzinfo=UTC)) == Expiry()


def sorted_ids(db, earned):
    from chalicelib.partners.models.partners import member

    owned = select(member.c.employee_id).where(member.c.partner_id == earned.partner.id, member.c.employee_id != "E1")
    return sorted(db.execute(owned).scalars())
