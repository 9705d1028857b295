"""Many threads on MariaDB: nothing is overspent, nothing is posted twice, no batch decides on sums it did not see."""

import time
from concurrent.futures import ThreadPoolExecutor
from datetime import date
from decimal import Decimal
from random import Random

import pytest
from sqlalchemy import func, select, text

from chalicelib.partners.account_ids import MEMBER, account_id
from chalicelib.points.ledger.lots import InsufficientPoints
from chalicelib.points.models.ledger import accrual_event, reversal, transfer
from chalicelib.points.proof import checks
from tests.factories import partners, points
from tests.factories.points import counters, earn, event, record, spend
from tests.unit.points.deciding.test_deciding import capped

THREADS = 50
_WAIT_MAX_S = 10

pytestmark = pytest.mark.usefixtures("data_key")


@pytest.fixture
def database(mariadb_database):
    """Only MySQL lets two writers in at once."""
    return mariadb_database


@pytest.fixture
def many(database, earning):
    """Twenty members with 100.00 points each."""
    with database.write() as db:
        members = partners.make_members(db, earning.partner, 20)
        recorded = record(
            db, earning.partner, [event(employee_id=each, quantity=Decimal("66.666667")) for each in members]
        )
    assert {each.points_minor for each in recorded} == {10_000}
    return members


def all_at_once(work, *arguments):
    with ThreadPoolExecutor(THREADS) as pool:
        return list(pool.map(work, *arguments))


def spent_by(database, account_id, amount_minor):
    try:
        database.run(lambda db: spend(db, account_id, amount_minor))
    except InsufficientPoints:
        return 0
    return amount_minor


class TestSpendingAndEarningAtOnce:
    def test_never_overspends_one_member(self, database, earning):
        with database.write() as db:
            for month in (1, 3, 5, 7):
                earn(db, earning, 5, event_date=date(2026, month, 2))
        random = Random(7)  # noqa: S311 - repeatable amounts
        amounts = [random.randrange(20, 400) for _ in range(200)]

        spent = all_at_once(lambda amount: spent_by(database, earning.account_id, amount), amounts)

        with database.read() as db:
            after = counters(db, earning.account_id)
            assert after["debits_posted"] == sum(spent) <= 3000
            # What was refused last did not fit any more, so little is left.
            assert 3000 - sum(spent) < 400
            assert checks.check(db) == []

    def test_adds_up_exactly_on_one_member(self, database, earning):
        with database.write() as db:
            earn(db, earning, 1)

        def work(number):
            if number % 2:
                return database.run(lambda db: earn(db, earning, 1)).points_minor
            return -spent_by(database, earning.account_id, 130)

        moved = all_at_once(work, range(200))

        with database.read() as db:
            after = counters(db, earning.account_id)
            assert after["credits_posted"] == 101 * 150
            assert after["credits_posted"] - after["debits_posted"] == 150 + sum(moved) >= 0
            assert after["entry_no"] == 1 + sum(1 for each in moved if each)
            assert checks.check(db) == []

    def test_adds_up_exactly_on_many_members_in_overlapping_batches(self, database, earning, many):
        names = sorted(many)
        random = Random(11)  # noqa: S311 - repeatable choices
        batches = [[event(employee_id=random.choice(names)) for _ in range(12)] for _ in range(60)]
        accounts = [account_id(earning.program.id, MEMBER, each.id) for each in many.values()]

        def work(number):
            if number % 2:
                recorded = database.run(lambda db: record(db, earning.partner, batches[number // 2]))
                return sum(each.points_minor for each in recorded)
            return -spent_by(database, accounts[number // 2 % len(accounts)], 1200)

        moved = all_at_once(work, range(120))

        with database.read() as db:
            after = [counters(db, each) for each in accounts]
            assert all(each["credits_posted"] >= each["debits_posted"] for each in after)
            balance = sum(each["credits_posted"] - each["debits_posted"] for each in after)
            assert balance == 20 * 10_000 + sum(moved)
            assert sum(moved) > -20 * 10_000
            assert checks.check(db) == []


class TestTheSameEventsAtOnce:
    def test_are_posted_once_each(self, database, earning, many):
        names = sorted(many)
        batch = [event(event_id=f"same-{number}", employee_id=names[number % 20]) for number in range(40)]

        def work(number):
            mine = batch[number % 7 :] + batch[: number % 7]
            return database.run(lambda db: record(db, earning.partner, mine))

        outcomes = [each.outcome for recorded in all_at_once(work, range(THREADS)) for each in recorded]

        assert outcomes.count("posted") == 40
        assert outcomes.count("duplicate") == 40 * (THREADS - 1)
        with database.read() as db:
            assert db.execute(select(func.count()).select_from(transfer)).scalar_one() == 20 + 40
            assert checks.check(db) == []

    def test_a_single_event_is_posted_once(self, database, earning):
        same = event()

        recorded = all_at_once(lambda _: database.run(lambda db: record(db, earning.partner, [same])), range(THREADS))

        outcomes = [each.outcome for [each] in recorded]
        assert (outcomes.count("posted"), outcomes.count("duplicate")) == (1, THREADS - 1)
        assert len({each.id for [each] in recorded}) == 1

    def test_first_earnings_of_a_member_open_one_account(self, database, earning):
        all_at_once(lambda _: database.run(lambda db: earn(db, earning, 1)), range(THREADS))

        with database.read() as db:
            assert counters(db, earning.account_id)["entry_no"] == THREADS
            assert checks.check(db) == []


class TestSumsUnderConcurrency:
    def test_a_cap_holds_exactly(self, database):
        with database.write() as db:
            earning = points.make_earning(db, document=capped(cap="100"))

        all_at_once(
            lambda _: database.run(lambda db: record(db, earning.partner, [event(quantity=Decimal(3))])),
            range(THREADS),
        )

        with database.read() as db:
            assert counters(db, earning.account_id)["credits_posted"] == 10_000

    def test_a_batch_that_is_overtaken_decides_anew_without_the_event_it_lost(self, database):
        with database.write() as db:
            earning = points.make_earning(db, document=capped(cap="100"))
            partners.make_member(db, earning.partner, "E2")
            december = {"event_date": date(2026, 12, 1), "quantity": Decimal(1)}
            record(db, earning.partner, [event(**december), event(employee_id="E2", **december)])
        contested = event(event_id="contested", quantity=Decimal(80))
        batch = [contested, event(event_id="next", quantity=Decimal(80))]

        with ThreadPoolExecutor(1) as pool:
            with database.write() as db:
                # Another member's event of the same id: the account locks do not order the two writers.
                record(db, earning.partner, [{**contested, "employee_id": "E2"}])
                running = pool.submit(database.run, lambda other: record(other, earning.partner, batch))
                wait_until_someone_waits(database, running)
            lost, second = running.result(_WAIT_MAX_S)

        assert lost.code == "other_content"
        # Had the lost event been counted, 20 would have been left of the cap.
        assert second.points_minor == 8000
        with database.read() as db:
            kept = db.execute(select(accrual_event.c.facts).where(accrual_event.c.event_id == "next")).scalar_one()
            assert '"aggregates":{"so_far":"0.00"}' in kept
            assert checks.check(db) == []


def wait_until_someone_waits(database, running):
    waiting = text("SHOW GLOBAL STATUS LIKE 'Innodb_row_lock_current_waits'")
    for _ in range(_WAIT_MAX_S * 50):
        with database.read() as db:
            [(_, waits)] = db.execute(waiting)
        if int(waits):
            return
        assert not running.done(), running.result()
        time.sleep(0.02)
    raise AssertionError("nobody came to wait for the lock")


class TestOneCorrectionIdForTwoEvents:
    def test_corrects_one_of_them_and_is_refused_for_the_other(self, database, earning, many):
        names = sorted(many)
        with database.write() as db:
            wrong = [event(employee_id=name, quantity=Decimal(10)) for name in names]
            record(db, earning.partner, wrong)

        def work(number):
            same = f"correction-{number // 2}"
            of = wrong[number % len(wrong)]
            again = {"reference": of["event_id"], "employee_id": of["employee_id"], "quantity": Decimal(-1)}
            [told] = database.run(lambda db: record(db, earning.partner, [event(event_id=same, **again)]))
            return same, told.outcome, told.code

        told = all_at_once(work, range(2 * THREADS))

        for number in range(THREADS):
            own = sorted((outcome, code) for same, outcome, code in told if same == f"correction-{number}")
            assert own == [("posted", None), ("rejected", "other_content")]
        with database.read() as db:
            assert db.execute(select(func.count()).select_from(reversal)).scalar_one() == THREADS
            assert checks.check(db) == []
