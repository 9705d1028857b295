"""Earning and spending: lots that expire first go first, nothing is overspent, the same source is spent once."""

from datetime import date, timedelta

import pytest
from sqlalchemy import select

from chalicelib.deliveries.models import delivery
from chalicelib.errors import OtherContent, Unprocessable
from chalicelib.partners.account_ids import account_id
from chalicelib.points.ledger.lots import InsufficientPoints, Taken
from chalicelib.points.ledger.transfers import AMOUNT_MINOR_MAX
from chalicelib.points.models.ledger import lot, lot_use, redemption, transfer
from chalicelib.points.proof import checks
from chalicelib.storage.ids import new_id
from tests.factories import partners
from tests.factories.points import counters, earn, hold, redeem, spend

JANUARY, MARCH, MAY = date(2026, 1, 15), date(2026, 3, 15), date(2026, 5, 15)


def lots(db, account):
    query = select(lot.c.expires_on, lot.c.remaining_minor).where(lot.c.account_id == account)
    return [tuple(row) for row in db.execute(query.order_by(lot.c.expires_on, lot.c.id))]


@pytest.fixture
def earning_monthly(database, earning):
    """150.00 points from each of January, March and May 2026, earned in another order."""
    with database.write() as db:
        for day in (MARCH, MAY, JANUARY):
            earn(db, earning, 100, event_date=day)
    return earning


@pytest.mark.usefixtures("provable")
class TestSpend:
    def test_takes_what_expires_first(self, database, earning_monthly):
        with database.write() as db:
            spent = spend(db, earning_monthly.account_id, 20000)

            assert [taken.amount_minor for taken in spent.taken] == [15000, 5000]
            assert lots(db, earning_monthly.account_id) == [
                (date(2028, 1, 15), 0),
                (date(2028, 3, 15), 10000),
                (date(2028, 5, 15), 15000),
            ]

    def test_posts_a_transfer_to_the_redemption_account_and_names_the_lots(self, database, earning_monthly):
        source = new_id()
        with database.write() as db:
            spent = spend(db, earning_monthly.account_id, 20000, source_id=source)

            moved = db.execute(select(transfer).where(transfer.c.id == spent.transfer_id)).one()
            cause = db.execute(select(redemption.c.id).where(redemption.c.reference == source.hex())).scalar_one()
            assert (moved.amount_minor, moved.entry_no, moved.kind, moved.source_id) == (20000, 4, "redemption", cause)
            assert moved.debit_account_id == earning_monthly.account_id
            assert moved.credit_account_id == account_id(earning_monthly.program.id, "redemption")
            uses = db.execute(select(lot_use.c.lot_id, lot_use.c.amount_minor)).all()
            assert {Taken(*use) for use in uses} == set(spent.taken)
            assert counters(db, earning_monthly.account_id)["debits_posted"] == 20000

    def test_passes_over_lots_that_have_expired(self, database, earning_monthly):
        with database.write() as db:
            spent = spend(db, earning_monthly.account_id, 100, on=date(2028, 1, 16))
            [taken] = spent.taken

            assert db.execute(select(lot.c.expires_on).where(lot.c.id == taken.lot_id)).scalar_one() == date(
                2028, 3, 15
            )

    def test_may_spend_a_lot_on_its_last_day(self, database, earning_monthly):
        with database.write() as db:
            spent = spend(db, earning_monthly.account_id, 45000, on=date(2028, 1, 15))

        assert len(spent.taken) == 3

    def test_refuses_more_than_unexpired_lots_hold(self, database, earning_monthly):
        with database.write() as db:
            with pytest.raises(InsufficientPoints):
                spend(db, earning_monthly.account_id, 30001, on=date(2028, 1, 16))

            assert counters(db, earning_monthly.account_id)["debits_posted"] == 0

    def test_refuses_what_is_held_for_orders(self, database, earning_monthly):
        with database.write() as db:
            hold(db, earning_monthly, 40000)
            with pytest.raises(InsufficientPoints):
                spend(db, earning_monthly.account_id, 5001)
            spend(db, earning_monthly.account_id, 5000)

    def test_refuses_more_than_one_transfer_may_move(self, database, earning_monthly):
        with database.write() as db, pytest.raises(Unprocessable, match="positive and bounded"):
            spend(db, earning_monthly.account_id, AMOUNT_MINOR_MAX + 1)

    def test_refuses_who_never_had_any_points(self, database, earning):
        with database.write() as db, pytest.raises(InsufficientPoints):
            redeem(db, earning, 100)

    def test_spends_one_source_once(self, database, earning_monthly):
        source = new_id()
        with database.write() as db:
            first = spend(db, earning_monthly.account_id, 20000, source_id=source)
            second = spend(db, earning_monthly.account_id, 20000, source_id=source)

            assert second == first
            assert counters(db, earning_monthly.account_id)["debits_posted"] == 20000

    def test_refuses_the_same_source_with_another_amount(self, database, earning_monthly):
        source = new_id()
        with database.write() as db:
            spend(db, earning_monthly.account_id, 20000, source_id=source)
            with pytest.raises(OtherContent):
                spend(db, earning_monthly.account_id, 20001, source_id=source)

    def test_refuses_the_same_source_from_another_account(self, database, earning_monthly):
        source = new_id()
        with database.write() as db:
            other = partners.make_member(db, earning_monthly.partner, "E2")
            earn(db, earning_monthly, 100, employee_id="E2")
            spend(db, earning_monthly.account_id, 100, source_id=source)
            with pytest.raises(OtherContent):
                spend(db, account_id(earning_monthly.program.id, "member", other.id), 100, source_id=source)

    def test_reads_on_when_the_first_lots_do_not_suffice(self, database, earning, monkeypatch):
        with database.write() as db:
            for days in range(7):
                earn(db, earning, 1, event_date=JANUARY + timedelta(days=days))
            monkeypatch.setattr("chalicelib.points.ledger.lots._LOTS_READ", 3)
            spent = spend(db, earning.account_id, 1050)

        assert len(spent.taken) == 7


class TestTheBalanceThatLeaves:
    def test_is_queued_once_for_each_target_however_often_it_changes(self, database, earning, balance_target):
        with database.write() as db:
            earn(db, earning)
            earn(db, earning)
            spend(db, earning.account_id, 100)

            [queued] = db.execute(select(delivery)).all()
            assert (queued.entity, queued.entity_key) == ("balance", earning.account_id.hex())
            assert (queued.target_id, queued.state) == (balance_target, "ready")


class TestAccountId:
    def test_is_a_uuid_of_version_8(self):
        made = account_id(new_id(), "member", new_id())

        assert len(made) == 16
        assert made[6] >> 4 == 8
        assert made[8] >> 6 == 2

    def test_differs_by_program_kind_and_owner(self):
        program, other, member = new_id(), new_id(), new_id()
        made = {
            account_id(program, "member", member),
            account_id(other, "member", member),
            account_id(program, "issuance", member),
            account_id(program, "issuance"),
        }

        assert len(made) == 4
        assert account_id(program, "member", member) in made


@pytest.mark.usefixtures("earning")
def test_a_ledger_without_entries_is_proven(database):
    with database.read() as db:
        assert checks.check(db) == []
