"""What the pump does when the store, a worker or a record fails."""

import json
from datetime import timedelta

import pytest
from sqlalchemy import update

from chalicelib.deliveries import claiming, senders, settling, targets
from chalicelib.deliveries.models import target
from tests.factories.commerce_cloud import CREDENTIALS
from tests.factories.deliveries import NOW, applied_versions, make_secret


@pytest.fixture
def key(pump, store):
    """A balance that changed once, of a customer whom the store knows."""
    store.seed("42")
    [opened] = pump.balances.open("42")
    pump.balances.change(opened)
    return opened


def only(rows):
    [row] = rows
    return row


class TestAFailure:
    @pytest.mark.parametrize(
        "fault",
        [{"status": 500}, {"status": 502}, {"status": 503}, {"status": 409}, {"drop": "before"}, {"drop": "after"}],
        ids=str,
    )
    @pytest.mark.usefixtures("key")
    def test_is_tried_again_later_until_it_arrives(self, pump, store, fault):
        store.fault(**fault, times=2)

        pump.run()
        waiting = only(pump.deliveries())
        assert pump.run().states == {}, "it waits for its time"
        pump.run_until_quiet()

        assert (waiting.state, waiting.failures, waiting.attempts) == ("ready", 1, 1)
        assert waiting.next_at >= NOW
        row = only(pump.deliveries())
        assert (row.state, row.attempts, row.last_code) == ("confirmed", 3, None)
        assert [each.outcome for each in pump.attempts()] == ["retry", "retry", "confirmed"]
        assert store.customers()["42"]["c_version"] == 1

    @pytest.mark.usefixtures("key")
    def test_waits_as_long_as_the_store_asks_and_not_much_longer(self, pump, store):
        store.fault(status=503, retry_after=120)

        pump.run()

        wait = only(pump.deliveries()).next_at - NOW
        assert timedelta(seconds=120) <= wait <= timedelta(seconds=133)

    def test_sends_the_newest_state_when_it_is_tried_again(self, pump, balances, store, key):
        store.fault(status=500)
        pump.run()
        balances.change(key)

        pump.run_until_quiet()

        assert applied_versions(store) == {"42": [2]}
        assert len(pump.deliveries()) == 1

    @pytest.mark.usefixtures("key")
    def test_too_many_times_makes_a_dead_letter(self, pump, store):
        store.fault(status=500, times=99)

        pump.run_until_quiet()

        row = only(pump.deliveries())
        assert (row.state, row.failures, row.last_code) == ("dead", 4, "internal_server_error")

    @pytest.mark.usefixtures("key")
    def test_for_too_long_makes_a_dead_letter(self, pump, store):
        store.fault(status=500, times=99)
        pump.run()
        pump.advance(8 * 86_400)

        pump.run()

        row = only(pump.deliveries())
        assert (row.state, row.failures) == ("dead", 2)

    @pytest.mark.usefixtures("key")
    def test_by_rate_limit_never_makes_a_dead_letter(self, pump, store):
        store.fault(status=429, times=9)

        pump.run_until_quiet()

        row = only(pump.deliveries())
        assert (row.state, row.failures, row.attempts) == ("confirmed", 0, 10)


class TestANewerStateBehindAFailure:
    def test_takes_over_its_wait_and_its_failures(self, pump, balances, store, key):
        store.fault(status=503, retry_after=300)
        lease_and_change(pump, balances, key)

        first, second = pump.deliveries()
        assert (first.state, first.unclaimed) == ("superseded", None)
        assert (second.state, second.unclaimed, second.failures) == ("ready", True, 1)
        assert second.next_at >= NOW + timedelta(seconds=300)
        pump.advance(400)
        pump.run()
        assert applied_versions(store) == {"42": [2]}


def lease_and_change(pump, balances, key):
    """Claim and send; the balance changes before the answer is written down."""
    with pump.database.read() as db:
        found = only(targets.of_partner(db, balances.partner_id))
    claimed = pump.database.run(
        lambda db: claiming.claim(db, found.id, sources=balances.sources, now=pump.now, chance=pump.chance)
    )
    balances.change(key)
    results = senders.connector(found).deliver([each.message for each in claimed.batch])
    sent = [
        settling.Sent(each.row.id, each.attempt, claimed.lease_id, result, noted=result.outcome.value)
        for each, result in zip(claimed.batch, results, strict=True)
    ]

    def settle(db):
        locked = targets.by_id(db, found.id, locked=True)
        return settling.settle(db, locked, sent, now=pump.now, chance=pump.chance)

    return pump.database.run(settle)


class TestAMissingCustomer:
    def test_waits_long_is_listed_and_never_dies(self, pump, balances, store):
        [key] = balances.open("7")
        balances.change(key)

        for _ in range(12):
            pump.run()
            pump.advance(30_000)

        row = only(pump.deliveries())
        assert (row.state, row.last_code, row.failures) == ("ready", "customer_missing", 12)
        assert (pump.target().breaker_failures, pump.target().breaker_opened) == (0, 0)
        store.seed("7")
        pump.run()
        assert store.customers()["7"]["c_version"] == 1

    def test_is_asked_for_seldom(self, pump, balances, store):
        balances.change(*balances.open("7"))
        for _ in range(24):
            pump.run()
            pump.advance(3600)

        assert len(store.requests()) < 16, "a day of runs, once an hour"


class TestARejectedMessage:
    def test_is_dead_and_blocks_its_key_but_no_other(self, pump, balances, store, key):
        with balances.database.write() as db:
            db.execute(update(target).values(breaker_failures=0))
        balances.names[key] = "x" * 300
        store.seed("43")
        [other] = balances.open("43")
        balances.change(other)
        pump.run()
        balances.names[key] = "short again"
        balances.change(key)

        pump.run_until_quiet(rounds_max=3)

        assert [(row.entity_key, row.state) for row in pump.deliveries()] == [
            (key, "dead"),
            (other, "confirmed"),
            (key, "ready"),
        ]
        assert pump.target().breaker_failures == 0


class TestAWorkerThatDies:
    class Killed(BaseException):
        """A kill between two statements."""

    @pytest.fixture
    def dies_after_sending(self, monkeypatch):
        original = senders.connector

        def connector(found):
            real = original(found)

            class Dying:
                limits = real.limits

                @staticmethod
                def deliver(batch):
                    real.deliver(batch)
                    raise TestAWorkerThatDies.Killed

            return Dying()

        monkeypatch.setattr(senders, "connector", connector)
        return lambda: monkeypatch.setattr(senders, "connector", original)

    @pytest.mark.usefixtures("key")
    def test_after_sending_loses_its_lease_and_the_effect_stays_single(self, pump, store, dies_after_sending):
        with pytest.raises(self.Killed):
            pump.run()
        dies_after_sending()
        assert pump.run().states == {}, "the lease still holds"
        pump.advance(200)

        pump.run_until_quiet(step_s=10)

        row = only(pump.deliveries())
        assert (row.state, row.attempts, row.failures) == ("confirmed", 2, 1)
        lost, done = pump.attempts()
        assert (lost.outcome, lost.code, lost.finished_at) == (None, "lease_expired", None)
        assert done.outcome == "confirmed"
        assert store.customers()["42"]["c_version"] == 1

    @pytest.mark.usefixtures("key", "dies_after_sending")
    def test_again_and_again_over_one_record_ends_in_a_dead_letter(self, pump):
        for _ in range(4):
            with pytest.raises(self.Killed):
                pump.run()
            pump.advance(200)
        pump.run()

        row = only(pump.deliveries())
        assert (row.state, row.last_code, row.failures) == ("dead", "lease_expired", 4)

    @pytest.mark.usefixtures("store", "key")
    def test_but_answers_after_all_changes_nothing_that_another_has_taken(self, pump, balances):
        with pump.database.read() as db:
            found = only(targets.of_partner(db, balances.partner_id))
        sources = balances.sources
        slow = pump.database.run(
            lambda db: claiming.claim(db, found.id, sources=sources, now=pump.now, chance=pump.chance)
        )
        pump.advance(200)
        quick = pump.database.run(
            lambda db: claiming.claim(db, found.id, sources=sources, now=pump.now, chance=pump.chance)
        )
        [held] = quick.batch
        late = only(slow.batch)
        result = only(senders.connector(found).deliver([late.message]))
        sent = settling.Sent(late.row.id, late.attempt, slow.lease_id, result, noted="confirmed")

        def settle(db):
            locked = targets.by_id(db, found.id, locked=True)
            return settling.settle(db, locked, [sent], now=pump.now, chance=pump.chance)

        assert only(pump.database.run(settle)).state is None
        row = only(pump.deliveries())
        assert (row.state, row.attempts, row.lease_id) == ("leased", held.attempt, quick.lease_id)
        assert [each.outcome for each in pump.attempts()] == ["confirmed", None], "what was delivered stays on record"


class TestTheBreaker:
    @pytest.fixture
    def twelve(self, pump, store):
        numbers = [f"{n:02}" for n in range(12)]
        store.seed(*numbers)
        pump.balances.change(*pump.balances.open(*numbers))

    @pytest.mark.usefixtures("twelve")
    def test_opens_after_five_failures_and_lets_one_message_try(self, pump, store):
        store.fault(status=503, times=6)

        pump.run()
        assert len(store.requests()) == 5
        assert (pump.target().breaker_opened, pump.target().breaker_until > NOW) == (1, True)
        assert pump.run().batches == 0
        pump.advance(20)
        pump.run()
        assert len(store.requests()) == 6, "one message tries, and fails"
        assert pump.target().breaker_opened == 2
        pump.run_until_quiet()

        assert {row.state for row in pump.deliveries()} == {"confirmed"}
        assert (pump.target().breaker_opened, pump.target().breaker_until) == (0, None)
        assert pump.target().breaker_reason is None

    @pytest.mark.usefixtures("twelve")
    def test_says_why_it_is_open(self, pump, store):
        store.fault(status=503, times=5)
        pump.run()
        assert pump.target().breaker_reason.startswith("service_unavailable: HTTP 503")

    @pytest.mark.usefixtures("twelve")
    def test_is_not_moved_by_rate_limits_which_only_pause_the_target(self, pump, store):
        store.fault(status=429, times=12, retry_after=30)

        pump.run()

        assert len(store.requests()) == 5, "one batch learns of the limit, the others wait"
        found = pump.target()
        assert (found.breaker_failures, found.breaker_opened) == (0, 0)
        assert found.breaker_until == NOW + timedelta(seconds=30)
        pump.run_until_quiet(step_s=40)
        assert {row.state for row in pump.deliveries()} == {"confirmed"}
        assert {row.failures for row in pump.deliveries()} == {0}

    @pytest.mark.usefixtures("twelve")
    def test_is_closed_by_a_success_between_failures(self, pump, store):
        for _ in range(3):
            store.fault(status=500, times=4)
            store.fault(delay_s=0.001)
        pump.run()
        assert pump.target().breaker_opened == 0


class TestRefusedCredentials:
    @pytest.mark.usefixtures("key")
    def test_stop_the_target_at_once_and_kill_no_message(self, pump, store):
        make_secret(credentials=CREDENTIALS | {"client_secret": "rotated away"})

        pump.run()

        found = pump.target()
        assert found.breaker_opened == 1
        assert found.breaker_reason.startswith("token_refused")
        assert "rotated away" not in repr((found, pump.deliveries(), pump.attempts()))
        row = only(pump.deliveries())
        assert (row.state, row.attempts, row.failures) == ("ready", 1, 0)
        assert store.requests() == []

    @pytest.mark.usefixtures("store", "key")
    def test_are_read_anew_once_they_have_been_rotated(self, pump):
        make_secret(credentials=CREDENTIALS | {"client_secret": "not yet"})
        pump.run()
        make_secret()
        pump.advance(1000)

        pump.run()

        assert only(pump.deliveries()).state == "confirmed"

    @pytest.mark.usefixtures("key")
    def test_that_do_not_exist_stop_the_target_and_say_so(self, pump, store):
        with pump.database.write() as db:
            db.execute(update(target).values(secret_name="target/none"))

        pump.run()

        assert pump.target().breaker_opened == 1
        assert "target/none" in pump.target().breaker_reason
        assert only(pump.deliveries()).attempts == 0
        assert store.log() == []

    @pytest.mark.usefixtures("key")
    def test_without_their_members_stop_the_target_and_are_not_told(self, pump):
        make_secret(credentials={"client_id": "visible-id", "password": "hush-hush"})

        pump.run()

        assert pump.target().breaker_reason.startswith("credentials_unusable")
        assert "hush-hush" not in json.dumps(pump.target().breaker_reason)
