"""Many threads on MariaDB hold, capture, release and refund for one member: nothing overspent, made or lost."""

from concurrent.futures import ThreadPoolExecutor
from datetime import date
from random import Random

import pytest
from sqlalchemy import func, select

from chalicelib.errors import Conflict
from chalicelib.points.ledger.lots import InsufficientPoints
from chalicelib.points.models.ledger import redemption
from chalicelib.points.proof import checks
from chalicelib.points.spending import holds, redemptions
from chalicelib.points.spending.redemptions import HoldExceeded
from chalicelib.points.spending.refunds import Wanted
from tests.factories import partners
from tests.factories.points import CALLER, NOW, capture, counters, earn, hold, redeem, refund

THREADS = 24

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
            assert checks.check(db) == []

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
            assert checks.check(db) == []

    def test_captures_and_releases_share_a_hold_out_exactly(self, database, earning):
        with database.write() as db:
            earn(db, earning, 10)
            placed = hold(db, earning, 1000)

        def work(number):
            if number % 3:
                return tried(database, lambda db: capture(db, earning, placed, 30))
            return tried(database, lambda db: holds.release(db, placed.id, 30, caller=CALLER, now=NOW))

        all_at_once(work, range(60))

        with database.read() as db:
            ended = holds.by_id(db, placed.id)
            assert ended.captured_minor + ended.released_minor == 1000 - 1000 % 30
            assert checks.check(db) == []

    def test_a_line_comes_back_once(self, database, earning):
        with database.write() as db:
            earn(db, earning, 10)
            sold = redeem(db, earning, 1000)

        made = all_at_once(lambda _: tried(database, lambda db: refund(db, earning, sold, Wanted("1"))), range(THREADS))

        assert len([each for each in made if each]) == 1
        with database.read() as db:
            assert counters(db, earning.account_id)["credits_posted"] == 2500
            assert checks.check(db) == []

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
            assert checks.check(db) == []
