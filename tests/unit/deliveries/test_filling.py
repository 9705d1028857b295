"""A target that comes later is told of everything its partner has, in pages that survive a death."""

import threading
import time
from collections import Counter

import pytest
from sqlalchemy import select, update

from chalicelib.deliveries import filling, outbox, targets
from chalicelib.deliveries.models import delivery, target
from chalicelib.deliveries.snapshots import Source
from chalicelib.points.ledger import balances as points_balances
from chalicelib.points.models.ledger import account
from chalicelib.storage.ids import new_id
from tests.factories.deliveries import CALLER, NOW, Balances, make_target, target_spec


def queued(balances, target_id):
    """The states of a target's deliveries, by customer number."""
    with balances.database.read() as db:
        rows = db.execute(select(delivery).where(delivery.c.target_id == target_id).order_by(delivery.c.seq))
        return [(balances.numbers[row.entity_key], row.state) for row in rows]


def filled(balances, target_id):
    with balances.database.read() as db:
        return db.execute(select(target.c.filled_to).where(target.c.id == target_id)).scalar_one() is None


class TestANewTarget:
    def test_is_told_of_every_balance_there_is(self, pump, balances, store):
        store.seed("1", "2", "3")
        balances.change(*balances.open("1", "2"))
        balances.open("3")
        pump.run()

        with balances.database.write() as db:
            later = make_target(db, balances.partner_id, code="later", config=store.config(settle_s=0))
            make_target(db, new_id(), code="strange", config=store.config(settle_s=0))
        report = pump.run()

        assert report.states == {"confirmed": 2}
        assert sorted(queued(balances, later.id)) == [("1", "confirmed"), ("2", "confirmed")]
        assert filled(balances, later.id)
        assert pump.run().states == {}

    def test_is_told_of_what_changes_while_it_is_filled_once(self, pump, balances, store):
        store.seed("1")
        [key] = balances.open("1")
        with balances.database.write() as db:
            later = make_target(db, balances.partner_id, code="later", config=store.config(settle_s=0))
        balances.change(key)
        pump.run_until_quiet()

        assert queued(balances, later.id) == [("1", "confirmed")]

    def test_is_filled_in_pages_from_where_the_one_who_died_left_off(self, pump, balances, monkeypatch):
        monkeypatch.setattr(filling, "PAGE_KEYS", 3)
        numbers = [str(number) for number in range(10)]
        balances.change(*balances.open(*numbers))
        pump.run()
        with balances.database.write() as db:
            later = make_target(db, balances.partner_id, code="later")
        asked: list[str] = []

        def dying_third(db, partner_id, after, limit):
            asked.append(after)
            if len(asked) == 3:
                raise ConnectionError
            return points_balances.delivery_keys(db, partner_id, after, limit)

        def fill(keys):
            sources = {"balance": Source(balances.read, keys)}
            ends_at_s = time.monotonic() + 60
            filling.fill(balances.database, sources, clock=lambda: NOW, ends_at_s=ends_at_s)

        with pytest.raises(ConnectionError):
            fill(dying_third)
        assert len(queued(balances, later.id)) == 6
        fill(dying_third)

        assert asked[3] == asked[2] != ""
        assert Counter(queued(balances, later.id)) == Counter((number, "ready") for number in numbers)
        assert filled(balances, later.id)

    def test_waits_when_no_time_is_left(self, pump, balances):
        balances.change(*balances.open("1"))
        with balances.database.write() as db:
            later = make_target(db, balances.partner_id, code="later")
        pump.run(deadline_s=0)

        assert queued(balances, later.id) == []
        assert not filled(balances, later.id)


class TestATargetThatChanges:
    @pytest.mark.parametrize(
        ("change", "again"),
        [
            ({"mapping": "tests.other"}, True),
            ({"customer_list": "Other"}, True),
            ({"inflight_max": 7}, False),
            ({"status": "paused"}, False),
        ],
    )
    def test_is_filled_again_when_it_leads_elsewhere_or_says_other_things(self, database, change, again):
        partner_id = new_id()
        with database.write() as db:
            made = make_target(db, partner_id)
            db.execute(update(target).values(filled_to=None))
            targets.upsert(db, partner_id, target_spec(**change), caller=CALLER, now=NOW)
            assert (targets.by_id(db, made.id).filled_to is not None) is again

    def test_is_filled_again_once_it_is_active_again_and_not_before(self, pump, balances):
        balances.change(*balances.open("1"))
        paused = target_spec(code="later", status="paused")
        with balances.database.write() as db:
            later = make_target(db, balances.partner_id, code="later", status="paused")
        pump.run()
        assert queued(balances, later.id) == []

        with balances.database.write() as db:
            targets.upsert(db, balances.partner_id, paused | {"status": "active"}, caller=CALLER, now=NOW)
        pump.run()
        assert [number for number, _ in queued(balances, later.id)] == ["1"]


class TestAPostingUnderWay:
    def test_that_does_not_see_the_target_yet_is_waited_for(self, mariadb_database):
        """On SQLite writers take turns anyway."""
        balances = Balances(mariadb_database, new_id())
        [key] = balances.open("1")
        sources = {"balance": Source(balances.read, points_balances.delivery_keys)}

        def fill():
            filling.fill(mariadb_database, sources, clock=lambda: NOW, ends_at_s=time.monotonic() + 60)

        filler = threading.Thread(target=fill)
        with mariadb_database.write() as db:
            db.execute(update(account).where(account.c.id == bytes.fromhex(key)).values(entry_no=1))
            outbox.changed(db, balances.partner_id, "balance", [key], now=NOW)
            with mariadb_database.write() as other:
                made = make_target(other, balances.partner_id)
            filler.start()
            filler.join(1)
            assert filler.is_alive()
        filler.join(30)

        assert queued(balances, made.id) == [("1", "ready")]
