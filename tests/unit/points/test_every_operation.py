"""Every operation in random order leaves lots, holds and totals as the reference says: nothing is made or lost."""

from datetime import timedelta
from decimal import Decimal

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)
from sqlalchemy import select

from chalicelib.errors import InterlineError
from chalicelib.points import balances, hold_sweeper, holds, proof, trial_balance
from chalicelib.points.models import account, lot
from chalicelib.points.refunds import Wanted
from tests.factories import finance, points
from tests.factories.points import NOW, make_earning, record, with_rules
from tests.unit.points.reference_ledger import Reference, Refused

FIRST = NOW.date()
LIFE = 12
#: The last day of the plan year, counted from the first day, and the first day of the next.
YEAR_ENDS = 3
YEAR_BEGINS = f"{FIRST + timedelta(days=YEAR_ENDS + 1):%m-%d}"
AMOUNTS = st.integers(1, 900)
PICKED = st.integers(0, 10**6)


class Machine(RuleBasedStateMachine):
    """The same steps on the ledger and on the reference; both do them, or both refuse."""

    def __init__(self, database):
        super().__init__()
        self.database = database
        self.names = iter(range(10**6))
        self.placed, self.sold, self.recorded, self.closed = {}, {}, {}, False

    @initialize(
        keeps_held=st.booleans(),
        reversal=st.sampled_from(["refuse", "partial", "overdraft"]),
        grace=st.sampled_from([0, 5, 40]),
    )
    def begin(self, keeps_held, reversal, grace):
        self.plain = Reference(keeps_held=keeps_held, reversal=reversal, grace=grace)
        with self.database.write() as db:
            made = make_earning(db, lots={"expires": {"days": LIFE}})
            lots = {"held_at_expiry": "keep" if keeps_held else "lapse", "refund_grace_days": grace}
            made = with_rules(db, made, lots=lots, corrections={"reversal": reversal, "second_person_above": None})
            plan_year = {"begins": YEAR_BEGINS, "carry_over": {"percent": "40", "grace_days": 20}}
            self.earning = finance.with_terms(db, made, plan_year=plan_year)

    @property
    def now(self):
        return NOW + timedelta(days=self.plain.today)

    def both(self, real, plain):
        """What the ledger made, or None when it and the reference refused."""
        try:
            plain()
        except Refused:
            with pytest.raises(InterlineError), self.database.write() as db:
                real(db)
            return None
        with self.database.write() as db:
            return real(db)

    @rule(hours=st.integers(1, 8), ago=st.integers(0, LIFE + 2))
    def earn(self, hours, ago):
        name = next(self.names)
        event = points.event(quantity=Decimal(hours), event_date=self.now.date() - timedelta(days=ago))
        [self.recorded[name]] = self.both(
            lambda db: record(db, self.earning.partner, [event], now=self.now),
            lambda: self.plain.earn(name, self.plain.today - ago + LIFE, 150 * hours),
        )

    @rule(amount=AMOUNTS, sign=st.sampled_from([1, -1]))
    def adjust(self, amount, sign):
        self.both(
            lambda db: points.adjust(db, self.earning, sign * amount, now=self.now),
            lambda: self.plain.adjust(self.plain.today + LIFE, sign * amount),
        )

    @rule(amount=AMOUNTS, days=st.sampled_from([None, 2]))
    def hold(self, amount, days):
        name, ttl_s = next(self.names), days and days * 86_400
        made = self.both(
            lambda db: points.hold(db, self.earning, amount, now=self.now, ttl_s=ttl_s),
            lambda: self.plain.hold(name, amount),
        )
        if made:
            self.placed[name] = made, None if days is None else self.plain.today + days

    @precondition(lambda self: self.placed)
    @rule(which=PICKED, amount=AMOUNTS)
    def capture(self, which, amount):
        name = list(self.placed)[which % len(self.placed)]
        made, ends = self.placed[name]
        sale = next(self.names)

        def plain():
            if ends is not None and ends <= self.plain.today:
                raise Refused
            self.plain.capture(name, sale, amount)

        sold = self.both(lambda db: points.capture(db, self.earning, made, amount, now=self.now), plain)
        if sold:
            self.sold[sale] = sold, 1

    @precondition(lambda self: self.placed)
    @rule(which=PICKED, amount=AMOUNTS)
    def release(self, which, amount):
        name = list(self.placed)[which % len(self.placed)]
        self.both(
            lambda db: holds.release(db, self.placed[name][0].id, amount, now=self.now),
            lambda: self.plain.release(name, amount),
        )

    @rule(lines=st.lists(AMOUNTS, min_size=1, max_size=3))
    def redeem(self, lines):
        sale = next(self.names)
        sold = self.both(
            lambda db: points.redeem(db, self.earning, *lines, now=self.now), lambda: self.plain.redeem(sale, lines)
        )
        if sold:
            self.sold[sale] = sold, len(lines)

    @precondition(lambda self: self.sold)
    @rule(which=PICKED, line=PICKED, amount=AMOUNTS)
    def refund(self, which, line, amount):
        sale = list(self.sold)[which % len(self.sold)]
        sold, lines = self.sold[sale]
        number = line % lines
        name = "all" if sold.hold_id else str(number + 1)
        self.both(
            lambda db: points.refund(db, self.earning, sold, Wanted(name, amount), now=self.now),
            lambda: self.plain.refund(sale, number, amount),
        )

    @precondition(lambda self: self.recorded)
    @rule(which=PICKED)
    def reverse(self, which):
        name = list(self.recorded)[which % len(self.recorded)]
        if self.both(
            lambda db: points.reverse(db, self.earning, self.recorded[name], now=self.now),
            lambda: self.plain.reverse(name),
        ):
            del self.recorded[name]

    @rule(days=st.integers(1, 6), expire=st.booleans(), sweep=st.booleans())
    def wait(self, days, expire, sweep):
        self.plain.today += days
        if sweep:
            hold_sweeper.sweep(self.database, now=self.now)
            for name, (_, ends) in self.placed.items():
                if ends is not None and ends <= self.plain.today and self.plain.holds[name]:
                    self.plain.release(name, self.plain.holds[name])
        if expire:
            self.both(
                lambda db: points.expire(db, self.earning, self.now.date(), now=self.now),
                lambda: self.plain.expire(self.plain.today),
            )

    @precondition(lambda self: self.plain.today > YEAR_ENDS and not self.closed)
    @rule()
    def close_year(self):
        self.closed = True
        finance.close_year(self.database, self.earning, FIRST.year - 1, now=self.now)
        self.plain.close(YEAR_ENDS, 40, 20)

    @invariant()
    def agree(self):
        if not hasattr(self, "earning"):
            return
        plain = self.plain
        with self.database.read() as db:
            found = db.execute(
                select(lot.c.expires_on, lot.c.remaining_minor, lot.c.held_minor)
                .where(lot.c.account_id == self.earning.account_id, lot.c.amount_minor > 0)
                .order_by(lot.c.id)
            ).all()
            assert [tuple(row) for row in found] == [
                (FIRST + timedelta(days=each.last_day), each.left, sum(each.covers.values())) for each in plain.lots
            ]
            assert {name: holds.by_id(db, made.id).open_minor for name, (made, _) in self.placed.items()} == plain.holds
            shown = balances.of(db, self.earning.member.id, now=self.now)
            assert [(each.available_minor, each.held_minor) for each in shown] == (
                [(plain.available, sum(plain.holds.values()))] if plain.lots else []
            )
            owed = select(account.c.overdrawn_minor).where(account.c.id == self.earning.account_id)
            assert (db.execute(owed).scalar_one_or_none() or 0) == plain.owed
            [trial] = trial_balance.of(db, program_id=self.earning.program.id)
            assert trial.difference_minor == 0
            assert {
                line.kind: line.credits_minor - line.debits_minor for line in trial.lines if line.kind != "member"
            }.items() >= {kind: points for kind, points in plain.house.items() if points}.items()

    def teardown(self):
        if hasattr(self, "earning"):
            with self.database.read() as db:
                assert proof.check(db, self.earning.program.id) == []


@pytest.mark.usefixtures("data_key")
def test_every_operation_in_any_order_equals_the_reference(database):
    run_state_machine_as_test(
        lambda: Machine(database),
        settings=settings(
            max_examples=25,
            stateful_step_count=30,
            deadline=None,
            # A failing run of thirty steps is read quickly; to make it smaller takes minutes.
            phases=[Phase.explicit, Phase.generate],
            database=None,
            suppress_health_check=list(HealthCheck),
        ),
    )
