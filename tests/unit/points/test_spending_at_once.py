"""Many threads on MariaDB hold, capture, release, redeem, refund and expire: nothing overspent, made or lost."""

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, date, datetime
from decimal import Decimal
from random import Random

import pytest
from sqlalchemy import func, select

from chalicelib.errors import Conflict
from chalicelib.points import hold_sweeper, holds, proof, redemptions
from chalicelib.points.lots import InsufficientPoints
from chalicelib.points.models import account, lot, redemption, transfer
from chalicelib.points.redemptions import HoldExceeded
from chalicelib.points.refunds import Wanted
from tests.factories import partners, points
from tests.factories.points import CALLER, NOW, capture, counters, earn, hold, redeem, refund

THREADS = 24
LATER = datetime(2028, 10, 3, 18, tzinfo=UTC)

pytestmark = pytest.mark.usefixtures("data_key")


@pytest.fixture
def database(mariadb_database):
    """Only MySQL lets two writers in at once."""
    return mariadb_database


def all_at_once(work, *arguments):
    with ThreadPoolExecutor(THREADS) as pool:
        return list(pool.map(work, *arguments))


def tried(database, work):
    """What the work made, or None where the ledger refused it."""
    try:
        return database.run(work)
    except (InsufficientPoints, HoldExceeded, Conflict):
        return None


class TestOneMember:
    def test_holds_never_cover_more_than_there_is(self, database, earning):
        with database.write() as db:
            for month in (1, 3, 5):
                earn(db, earning, 10, event_date=date(2026, month, 2))
        random = Random(5)  # noqa: S311 - repeatable amounts
        amounts = [random.randrange(20, 300) for _ in range(120)]

        placed = all_at_once(lambda amount: tried(database, lambda db: hold(db, earning, amount)), amounts)

        held = sum(each.amount_minor for each in placed if each)
        with database.read() as db:
            assert counters(db, earning.account_id)["debits_pending"] == held <= 4500
            assert 4500 - held < 300
            assert proof.check(db) == []

    def test_one_capture_key_spends_once(self, database, earning):
        with database.write() as db:
            earn(db, earning, 10)
            placed = hold(db, earning, 1000)

        made = all_at_once(
            lambda _: database.run(lambda db: capture(db, earning, placed, 400, reference="shipment")), range(THREADS)
        )

        assert len({each.id for each in made}) == 1
        with database.read() as db:
            assert holds.by_id(db, placed.id).captured_minor == 400
            assert proof.check(db) == []

    def test_captures_and_releases_share_a_hold_out_exactly(self, database, earning):
        with database.write() as db:
            earn(db, earning, 10)
            placed = hold(db, earning, 1000)

        def work(number):
            if number % 3:
                return tried(database, lambda db: capture(db, earning, placed, 30))
            return tried(database, lambda db: holds.release(db, placed.id, 30, now=NOW))

        all_at_once(work, range(60))

        with database.read() as db:
            ended = holds.by_id(db, placed.id)
            assert ended.captured_minor + ended.released_minor == 1000 - 1000 % 30
            assert proof.check(db) == []

    def test_a_line_comes_back_once(self, database, earning):
        with database.write() as db:
            earn(db, earning, 10)
            sold = redeem(db, earning, 1000)

        made = all_at_once(lambda _: tried(database, lambda db: refund(db, earning, sold, Wanted("1"))), range(THREADS))

        assert len([each for each in made if each]) == 1
        with database.read() as db:
            assert counters(db, earning.account_id)["credits_posted"] == 2500
            assert proof.check(db) == []

    def test_one_reference_of_two_members_is_redeemed_by_one(self, database, earning):
        with database.write() as db:
            other = partners.make_member(db, earning.partner, "E2")
            earn(db, earning, 10)
            earn(db, earning, 10, employee_id="E2")

        def work(number):
            member = (earning.member, other)[number % 2]
            lines = [redemptions.Line("1", 100)]
            return tried(
                database,
                lambda db: redemptions.redeem(
                    db, earning.program, member.id, lines, reference="till", caller=CALLER, now=NOW
                ),
            )

        all_at_once(work, range(THREADS))

        with database.read() as db:
            assert db.execute(select(func.count()).select_from(redemption)).scalar_one() == 1
            assert proof.check(db) == []


def held_and_shipped(database, of, amount):
    placed = tried(database, lambda db: hold(db, of, amount))
    if placed:
        tried(database, lambda db: capture(db, of, placed, amount // 2 + 1))


def held_and_swept(database, of, amount):
    tried(database, lambda db: hold(db, of, amount, ttl_s=60))
    hold_sweeper.sweep(database, now=LATER)


def redeemed_and_refunded(database, of, amount):
    sold = tried(database, lambda db: redeem(db, of, amount))
    if sold:
        tried(database, lambda db: refund(db, of, sold, Wanted("1", amount // 2 + 1)))


STEPS = (
    lambda database, of, amount: tried(database, lambda db: redeem(db, of, amount)),
    held_and_shipped,
    held_and_swept,
    redeemed_and_refunded,
    lambda database, of, _: points.post_expiry(database, of, LATER.date(), now=LATER),
    lambda database, of, _: database.run(lambda db: earn(db, of, 1, employee_id=of.member.employee_id)),
)


class TestManyMembers:
    def test_every_operation_at_once_adds_up(self, database, earning):
        with database.write() as db:
            names = sorted(partners.make_members(db, earning.partner, 8))
            earners = [points.of_member(db, earning, name) for name in names]
            for month in (10, 11):
                events = [
                    points.event(employee_id=name, quantity=Decimal(100), event_date=date(2026, month, 2))
                    for name in names
                ]
                points.record(db, earning.partner, events)
        random = Random(11)  # noqa: S311 - repeatable choices
        steps = [(random.choice(earners), random.randrange(len(STEPS)), random.randrange(1, 4000)) for _ in range(240)]

        def work(step):
            of, what, amount = step
            STEPS[what](database, of, amount)

        all_at_once(work, steps)

        with database.read() as db:
            assert proof.check(db) == []
            kinds = set(db.execute(select(transfer.c.kind).distinct()).scalars())
            assert kinds == {"accrual", "redemption", "refund", "expiry"}
            remaining = db.execute(select(func.sum(lot.c.remaining_minor))).scalar_one()
            balance = db.execute(select(func.sum(account.c.credits_posted - account.c.debits_posted))).scalar_one()
            assert remaining == balance
