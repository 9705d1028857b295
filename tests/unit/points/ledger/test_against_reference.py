"""Any sequence of earnings and spends leaves the ledger as a reference of thirty lines says, and provable."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date, timedelta

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import select

from chalicelib.points.ledger import accounts, transfers
from chalicelib.points.ledger.lots import InsufficientPoints
from chalicelib.points.ledger.transfers import Earning
from chalicelib.points.models.ledger import lot
from chalicelib.points.proof import checks
from chalicelib.storage.ids import new_id
from tests.factories.points import NOW, counters, spend

FIRST = date(2026, 11, 20)
DAYS = st.integers(0, 6).map(lambda days: FIRST + timedelta(days=days))
AMOUNTS = st.integers(1, 300)
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("earn"), st.lists(st.tuples(AMOUNTS, DAYS), min_size=1, max_size=4)),
        st.tuples(st.just("spend"), AMOUNTS, DAYS),
    ),
    max_size=12,
)


class Reference:
    """The ledger of one account, as plainly as it can be said."""

    def __init__(self) -> None:
        self.lots: list[list] = []
        self.earned = self.spent = self.entries = 0

    def earn(self, amount, expires_on):
        self.lots.append([expires_on, len(self.lots), amount])
        self.earned += amount
        self.entries += 1

    def spend(self, amount, day):
        """What is taken from each lot, or None when there is not enough."""
        unexpired = sorted(each for each in self.lots if each[0] >= day and each[2])
        if sum(each[2] for each in unexpired) < amount:
            return None
        taken = []
        for each in unexpired:
            part = min(each[2], amount - sum(taken))
            if part:
                each[2] -= part
                taken.append(part)
        self.spent += amount
        self.entries += 1
        return taken


@contextmanager
def rolled_back(database) -> Iterator:
    with database.engine.connect() as db, db.begin() as transaction:
        yield db
        transaction.rollback()


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=STEPS)
def test_earning_and_spending_equal_the_reference(database, earning, steps):
    reference = Reference()
    owners = {earning.account_id: (earning.program.id, earning.member.id)}
    with rolled_back(database) as db:
        locked = accounts.lock_members(db, earning.partner.id, owners, now=NOW)
        for step, *arguments in steps:
            if step == "earn":
                [earned] = arguments
                locked = accounts.lock_members(db, earning.partner.id, owners, now=NOW)
                earnings = [Earning(earning.account_id, amount, new_id(), FIRST, day) for amount, day in earned]
                transfers.earn(db, locked, earnings, now=NOW)
                for amount, day in earned:
                    reference.earn(amount, day)
            else:
                amount, day = arguments
                expected = reference.spend(amount, day)
                try:
                    taken = [each.amount_minor for each in spend(db, earning.account_id, amount, on=day).taken]
                except InsufficientPoints:
                    taken = None
                assert taken == expected

        remaining = db.execute(
            select(lot.c.remaining_minor).where(lot.c.account_id == earning.account_id).order_by(lot.c.id)
        )
        assert list(remaining.scalars()) == [each[2] for each in reference.lots]
        assert counters(db, earning.account_id) == {
            "debits_pending": 0,
            "debits_posted": reference.spent,
            "credits_pending": 0,
            "credits_posted": reference.earned,
            "entry_no": reference.entries,
        }
        # These earnings stand without accrual events, which is the one thing that the proof may say.
        assert {each.code for each in checks.check(db)} <= {"transfer_without_event"}
