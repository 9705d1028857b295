"""What becomes of a leaver's points: forfeited, spendable for a grace, or paid out, once, whoever says it first."""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import pytest
from sqlalchemy import select, update

from chalicelib.access.models import audit_event
from chalicelib.errors import Unprocessable
from chalicelib.partners.members import enrolments, members
from chalicelib.partners.programs import programs
from chalicelib.points.models.ledger import account, accrual_event
from chalicelib.points.spending import holds
from chalicelib.points.spending.leaving import EmploymentEnded
from chalicelib.points.terms import close_outs, grants, terminations
from chalicelib.points.terms.terminations import TerminatedOtherwise
from tests.factories.partners import apply_rows, roster_row
from tests.factories.points import CALLER, NOW, Earning, available, capture, earn, hold, make_earning, redeem, refund

pytestmark = pytest.mark.usefixtures("provable", "data_key")

TODAY = NOW.date()
YESTERDAY = TODAY - timedelta(days=1)
YEAR = {"code": "annual", "on": "period", "event_type": "ALLOWANCE", "quantity": "365"}


def leaver(database, *, policy="forfeit", hours=10, grants_of=(), **more) -> Earning:
    """E1 with 15 points in a program with this policy."""
    with database.write() as db:
        terms = {"termination": {"policy": policy, **more}, "grants": list(grants_of)}
        made = make_earning(db, terms=terms)
        if hours:
            earn(db, made, hours=hours)
        return made


def leave(db, earning, last_day=YESTERDAY, *, now=NOW):
    partner_day = programs.business_date(now, earning.partner)
    [member] = members.as_of(db, [members.by_ids(db, [earning.member.id])[earning.member.id]], partner_day)
    return terminations.terminate(db, earning.partner, member, last_day, reason="a test", caller=CALLER, now=now)


def by_roster(db, earning, last_day, *, now=NOW):
    row = roster_row(action="T", term_date=last_day, effective_date=last_day + timedelta(days=1))
    assert apply_rows(db, earning.partner, [row], now=now) == ["accepted"]


def taken(db, earning):
    return [(each.kind, each.amount_minor, each.due_minor) for each in close_outs.of_member(db, earning.member.id)]


def run(database, now=NOW):
    return close_outs.run(database, caller=CALLER, clock=lambda: now)


class TestForfeiting:
    def test_takes_what_is_left_and_ends_the_enrolment(self, database):
        earning = leaver(database)
        with database.write() as db:
            assert leave(db, earning)
            assert taken(db, earning) == [("forfeiture", 1500, 1500)]
            assert available(db, earning) == (0, 0)
            [period] = enrolments.of_members(db, [earning.member.id])[earning.member.id]
            assert period.valid_to == YESTERDAY
            actions = db.execute(select(audit_event.c.action).order_by(audit_event.c.seq)).scalars().all()
            assert actions[-2:] == ["member.terminated", "member.forfeiture"]

    def test_the_same_again_changes_nothing(self, database):
        earning = leaver(database)
        with database.write() as db:
            leave(db, earning)
            assert not leave(db, earning)
            assert taken(db, earning) == [("forfeiture", 1500, 1500)]
        assert run(database) == 0

    def test_another_day_needs_a_correction(self, database):
        earning = leaver(database)
        with database.write() as db:
            leave(db, earning)
            with pytest.raises(TerminatedOtherwise):
                leave(db, earning, TODAY - timedelta(days=5))

    def test_not_before_the_hire_date(self, database):
        earning = leaver(database)
        with database.write() as db, pytest.raises(Unprocessable) as refused:
            leave(db, earning, date(2020, 1, 1))
        assert refused.value.code == "term_before_hire"

    def test_of_a_day_to_come_is_announced_and_done_by_the_schedule(self, database):
        earning = leaver(database)
        with database.write() as db:
            leave(db, earning, TODAY + timedelta(days=3))
            assert available(db, earning) == (1500, 0)
        assert run(database) == 0
        # The last day is the member's still.
        assert run(database, NOW + timedelta(days=3)) == 0
        assert run(database, NOW + timedelta(days=4)) == 1
        assert run(database, NOW + timedelta(days=5)) == 0

    def test_by_a_roster_row_is_the_same(self, database):
        earning = leaver(database)
        with database.write() as db:
            by_roster(db, earning, YESTERDAY)
        assert run(database) == 1
        with database.read() as db:
            assert taken(db, earning) == [("forfeiture", 1500, 1500)]

    def test_what_comes_back_later_is_taken_too(self, database):
        earning = leaver(database)
        with database.write() as db:
            bought = redeem(db, earning, 500)
            leave(db, earning)
            assert available(db, earning) == (0, 0)
            refund(db, earning, bought)
            assert available(db, earning) == (500, 0)
        assert run(database) == 1
        with database.read() as db:
            assert taken(db, earning) == [("forfeiture", 1000, 1000), ("forfeiture", 500, 500)]

    def test_a_program_that_says_nothing_keeps_the_points(self, database):
        with database.write() as db:
            earning = make_earning(db)
            earn(db, earning)
            leave(db, earning)
            assert available(db, earning) == (1500, 0)
        assert run(database) == 0


class TestSpendingOnceItIsDue:
    """Ten days after the last day, and the schedule has not run."""

    LAST = YESTERDAY - timedelta(days=10)

    def test_nothing_is_held_or_redeemed_any_more(self, database):
        earning = leaver(database)
        with database.write() as db:
            by_roster(db, earning, self.LAST)
            with pytest.raises(EmploymentEnded):
                redeem(db, earning, 1500)
            with pytest.raises(EmploymentEnded):
                hold(db, earning, 1)
            assert available(db, earning) == (1500, 0)

    def test_what_was_done_in_time_is_answered_as_it_was(self, database):
        earning = leaver(database)
        with database.write() as db:
            bought = redeem(db, earning, 500, reference="till")
            held = hold(db, earning, 300, reference="basket", order_no="o-1")
            by_roster(db, earning, self.LAST)

            assert redeem(db, earning, 500, reference="till") == bought
            assert hold(db, earning, 300, reference="basket", order_no="o-1") == held

    def test_a_hold_is_captured_where_the_program_keeps_it(self, database):
        earning = leaver(database)
        with database.write() as db:
            held = hold(db, earning, 400)
            by_roster(db, earning, self.LAST)

            assert capture(db, earning, held).amount_minor == 400

    def test_and_not_where_it_is_taken_with_the_rest(self, database):
        earning = leaver(database, held="release")
        with database.write() as db:
            held = hold(db, earning, 400)
            by_roster(db, earning, self.LAST)
            with pytest.raises(EmploymentEnded):
                capture(db, earning, held)

    def test_a_grace_goes_on_to_its_last_day(self, database):
        earning = leaver(database, policy="grace", grace_days=30)
        with database.write() as db:
            by_roster(db, earning, YESTERDAY)
            redeem(db, earning, 500, now=NOW + timedelta(days=29))
            with pytest.raises(EmploymentEnded):
                redeem(db, earning, 500, now=NOW + timedelta(days=30))

    def test_a_program_that_says_nothing_lets_them_be_spent(self, database):
        with database.write() as db:
            earning = make_earning(db)
            earn(db, earning)
            by_roster(db, earning, self.LAST)

            assert redeem(db, earning, 1500).amount_minor == 1500


class TestHeldPoints:
    def test_are_kept_for_their_hold(self, database):
        earning = leaver(database)
        with database.write() as db:
            held = hold(db, earning, 400)
            leave(db, earning)
            assert available(db, earning) == (0, 400)
            holds.release(db, held.id, caller=CALLER, now=NOW)
        assert run(database) == 1
        with database.read() as db:
            assert taken(db, earning) == [("forfeiture", 1100, 1100), ("forfeiture", 400, 400)]

    def test_or_released_and_taken_with_the_rest(self, database):
        earning = leaver(database, held="release")
        with database.write() as db:
            held = hold(db, earning, 400)
            leave(db, earning)
            assert holds.by_id(db, held.id).state == "released"
            assert taken(db, earning) == [("forfeiture", 1500, 1500)]


class TestGrace:
    def test_leaves_the_points_to_be_spent_until_it_is_over(self, database):
        earning = leaver(database, policy="grace", grace_days=30)
        with database.write() as db:
            leave(db, earning)
            redeem(db, earning, 500)
        assert run(database, NOW + timedelta(days=29)) == 0
        assert run(database, NOW + timedelta(days=30)) == 1
        with database.read() as db:
            assert taken(db, earning) == [("forfeiture", 1000, 1000)]

    def test_keeps_everything_for_who_is_hired_again(self, database):
        earning = leaver(database, policy="grace", grace_days=30)
        with database.write() as db:
            leave(db, earning)
            again = TODAY + timedelta(days=10)
            assert apply_rows(db, earning.partner, [roster_row(hire_date=again, effective_date=again)]) == ["accepted"]
        assert run(database, NOW + timedelta(days=60)) == 0
        with database.read() as db:
            assert available(db, earning) == (1500, 0)


class TestPayingOut:
    def test_moves_the_points_to_an_account_of_their_own(self, database):
        earning = leaver(database, policy="pay_out")
        with database.write() as db:
            leave(db, earning)
            assert taken(db, earning) == [("pay_out", 1500, 1500)]
            kinds = select(account.c.kind).where(account.c.program_id == earning.program.id)
            assert "pay_out" in set(db.execute(kinds).scalars())


class TestClawingBack:
    def earned(self, database, **more):
        earning = leaver(database, policy="grace", grace_days=5, claw_back=True, hours=0, grants_of=[YEAR], **more)
        grants.run(database, caller=CALLER, clock=lambda: NOW)
        return earning

    def test_takes_the_days_after_the_last_one(self, database):
        earning = self.earned(database)
        with database.write() as db:
            leave(db, earning, date(2026, 11, 19))
            # 42 of 365 days of 547.5 points.
            assert taken(db, earning) == [("claw_back", 6300, 6300)]
            assert available(db, earning) == (48450, 0)
        # Once; and what is left after the grace is forfeited.
        assert run(database, NOW + timedelta(days=1)) == 0
        assert run(database, NOW + timedelta(days=5)) == 1
        with database.read() as db:
            assert taken(db, earning)[1:] == [("forfeiture", 48450, 48450)]

    def test_no_more_than_there_is(self, database):
        earning = self.earned(database)
        with database.write() as db:
            redeem(db, earning, 54750 - 1000)
            leave(db, earning, date(2026, 11, 19))
            assert taken(db, earning) == [("claw_back", 1000, 6300)]

    def test_nothing_of_a_year_that_was_worked_whole(self, database):
        earning = self.earned(database)
        with database.write() as db:
            leave(db, earning, date(2026, 12, 31))
        now = datetime(2027, 1, 2, 18, tzinfo=UTC)
        assert run(database, now) == 0
        with database.read() as db:
            assert taken(db, earning) == []

    def test_only_where_the_program_says_so(self, database):
        earning = self.earned(database)
        with database.write() as db:
            spec = programs.spec_of(earning.program)
            terms = {**(spec.terms or {}), "termination": {"policy": "grace", "grace_days": 5}}
            programs.change(db, earning.program, replace(spec, terms=terms), caller=CALLER, now=NOW)
            leave(db, earning, date(2026, 11, 19))
            assert taken(db, earning) == []

    def test_an_event_that_only_looks_like_a_grant_is_none(self, database):
        earning = self.earned(database)
        with database.write() as db:
            earned = earn(db, earning)
            # Kept since before the hub refused such ids.
            changed = update(accrual_event).where(accrual_event.c.id == earned.id)
            db.execute(changed.values(event_id="grant.today.annual.x.y"))
            leave(db, earning, date(2026, 11, 19))
            assert taken(db, earning) == [("claw_back", 6300, 6300)]
