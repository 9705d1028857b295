"""The outbox and the targets, without a pump."""

import dataclasses
import json

import pytest
from sqlalchemy import select, update

from chalicelib.access.models import audit_event
from chalicelib.deliveries import outbox, targets
from chalicelib.deliveries.models import delivery
from chalicelib.errors import InvalidInput
from chalicelib.storage.ids import new_id
from tests.factories.deliveries import CALLER, NOW, make_delivery, make_target, target_spec

PARTNER, OTHER = new_id(), new_id()
K1, K2 = new_id().hex(), new_id().hex()


def rows(db):
    return list(db.execute(select(delivery).order_by(delivery.c.seq)))


class TestAChange:
    def test_waits_once_for_each_target_and_key_however_often_it_happens(self, database):
        with database.write() as db:
            make_target(db, PARTNER, code="one")
            make_target(db, PARTNER, code="two")
            outbox.changed(db, PARTNER, "balance", [K2, K1, K2], now=NOW)
            outbox.changed(db, PARTNER, "balance", [K1], now=NOW.replace(hour=13))
            found = rows(db)
        assert len(found) == len({row.id for row in found}) == 4
        assert [row.entity_key for row in found] == sorted([K1, K2]) * 2, "in key order, as others write them"
        assert {(row.state, row.unclaimed, row.attempts) for row in found} == {("ready", True, 0)}

    def test_of_another_partner_or_entity_goes_nowhere(self, database):
        with database.write() as db:
            make_target(db, PARTNER)
            outbox.changed(db, OTHER, "balance", [K1], now=NOW)
            outbox.changed(db, PARTNER, "order", [K1], now=NOW)
            outbox.changed(db, PARTNER, "balance", [], now=NOW)
            assert rows(db) == []

    def test_does_not_hurry_a_delivery_that_waits_after_a_failure(self, database):
        later = NOW.replace(hour=18)
        with database.write() as db:
            make_target(db, PARTNER)
            outbox.changed(db, PARTNER, "balance", [K1], now=NOW)
            db.execute(update(delivery).values(next_at=later, failures=3))
            outbox.changed(db, PARTNER, "balance", [K1], now=NOW)
            [row] = rows(db)
        assert (row.next_at, row.failures) == (later, 3)

    def test_leaves_a_leased_delivery_alone_and_queues_behind_it(self, database):
        with database.write() as db:
            make_target(db, PARTNER)
            outbox.changed(db, PARTNER, "balance", [K1], now=NOW)
            db.execute(update(delivery).values(state="leased", unclaimed=None, lease_id=new_id()))
            [leased] = rows(db)
            outbox.changed(db, PARTNER, "balance", [K1], now=NOW)
            first, second = rows(db)
        assert first == leased
        assert (second.state, second.unclaimed) == ("ready", True)

    def test_of_thousands_at_once_is_noted_for_each(self, database):
        keys = [new_id().hex() for _ in range(2500)]
        with database.write() as db:
            make_target(db, PARTNER)
            outbox.changed(db, PARTNER, "balance", keys, now=NOW)
            outbox.changed(db, PARTNER, "balance", keys[:1200], now=NOW)
            assert len(rows(db)) == 2500

    def test_is_undone_with_its_transaction(self, database):
        with database.write() as db:
            make_target(db, PARTNER)

        def work(db):
            outbox.changed(db, PARTNER, "balance", [K1], now=NOW)
            raise ZeroDivisionError

        with pytest.raises(ZeroDivisionError):
            database.run(work)
        with database.read() as db:
            assert rows(db) == []


class TestTheList:
    def test_is_newest_first_in_pages_and_filtered(self, database):
        with database.write() as db:
            make_target(db, PARTNER)
            make_target(db, OTHER, code="elsewhere")
            made = [make_delivery(db, PARTNER) for _ in range(3)]
            make_delivery(db, OTHER)
            mine = outbox.DeliveryFilter(partner_id=PARTNER)
            page = outbox.newest_first(db, mine, before_seq=None, limit=2)
            rest = outbox.newest_first(db, mine, before_seq=page[-1].seq, limit=2)
            assert [each.id for each in [*page, *rest]] == [each.id for each in reversed(made)]
            assert {each.target_code for each in page} == {"store"}
            for nothing in ({"target_code": "elsewhere"}, {"state": "dead"}, {"code": "x"}, {"created_before": NOW}):
                assert outbox.newest_first(db, dataclasses.replace(mine, **nothing), before_seq=None, limit=9) == []

    def test_of_the_backlog_counts_what_is_due_and_what_is_dead(self, database):
        with database.write() as db:
            make_target(db, PARTNER)
            first, second, third = (make_delivery(db, PARTNER) for _ in range(3))
            db.execute(update(delivery).where(delivery.c.id == second.id).values(next_at=NOW.replace(hour=20)))
            db.execute(update(delivery).where(delivery.c.id == third.id).values(state="dead", unclaimed=None))
            found = outbox.backlog(db, now=NOW)
            empty = outbox.backlog(db, now=NOW.replace(hour=1))
        assert found == outbox.Backlog(ready=2, due=1, dead=1, oldest_due_at=first.next_at)
        assert (empty.due, empty.oldest_due_at) == (0, None)


class TestATarget:
    def test_is_created_once_and_audited_without_secrets(self, database):
        with database.write() as db:
            first = targets.upsert(db, PARTNER, target_spec(), caller=CALLER, now=NOW)
            again = targets.upsert(db, PARTNER, target_spec(), caller=CALLER, now=NOW)
            [audited] = db.execute(select(audit_event.c.action, audit_event.c.after)).all()
            [made] = targets.of_partner(db, PARTNER)
        assert (first.kind, again.kind) == ("create", "unchanged")
        assert audited.action == "target.created"
        assert json.loads(audited.after)["config"]["organization"] == "f_ecom_zzxy_prd"
        assert (made.secret_name, made.inflight_max, made.status) == ("target/store", 4, "active")
        assert made.config["organization"] == "f_ecom_zzxy_prd"

    def test_change_tells_what_differs_and_a_plan_writes_nothing(self, database):
        wider = target_spec(inflight_max=9)
        with database.write() as db:
            targets.upsert(db, PARTNER, target_spec(), caller=CALLER, now=NOW)
            planned = targets.plan(db, PARTNER, wider)
            assert targets.of_partner(db, PARTNER)[0].inflight_max == 4
            done = targets.upsert(db, PARTNER, wider, caller=CALLER, now=NOW)
            assert targets.of_partner(db, PARTNER)[0].inflight_max == 9
        assert planned == done
        assert (done.before, done.after) == ({"inflight_max": 4}, {"inflight_max": 9})

    def test_of_the_same_code_may_exist_for_another_partner(self, database):
        with database.write() as db:
            make_target(db, PARTNER)
            make_target(db, OTHER)
            assert len(targets.of_partner(db, PARTNER)) == len(targets.of_partner(db, OTHER)) == 1

    @pytest.mark.parametrize(
        ("wrong", "pointers"),
        [
            ({"code": "Store!"}, ["/code"]),
            ({"connector": "fax"}, ["/connector"]),
            ({"secret": "../data-key"}, ["/secret"]),
            ({"secret": "a/b"}, ["/secret"]),
            ({"inflight_max": 0, "batch_max": "5"}, ["/inflight_max", "/batch_max"]),
            ({"base_url": "http://store.example.com"}, ["/base_url"]),
            ({"organisation": "x"}, ["/organisation"]),
        ],
    )
    def test_that_is_wrong_is_refused_with_each_place(self, wrong, pointers):
        with pytest.raises(InvalidInput) as refused:
            targets.check(target_spec(**wrong))
        assert [fault.pointer for fault in refused.value.faults] == pointers
