"""The pump with one lane against the fake store, on both engines: what arrives, in which order, and what is kept."""

import json
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from sqlalchemy import update

from chalicelib.deliveries import outbox
from chalicelib.deliveries.models import target
from tests.factories.commerce_cloud import CREDENTIALS
from tests.factories.deliveries import NOWHERE, applied_versions, make_secret, mapping_by_program, mapping_document
from tests.factories.rules import code_table, live_ruleset, table_document


def change_once_leased(pump, key):
    """What another process does between the pump's claim and the store's answer."""
    for _ in range(500):
        if pump.deliveries()[0].state == "leased":
            pump.balances.change(key)
            return
        time.sleep(0.005)
    pytest.fail("the delivery was never leased")


class TestAChangedBalance:
    def test_reaches_the_store_once(self, pump, balances, store):
        store.seed("42")
        [key] = balances.open("42")
        balances.change(key, minor=12_550)

        report = pump.run()

        assert report.states == {"confirmed": 1}
        customer = store.customers()["42"]
        assert (customer["c_points"], customer["c_version"], customer["lastName"]) == ("125.50", 1, "Okafor")
        assert pump.run().states == {}
        assert store.requests() == [("PATCH", 200)]

    def test_travels_in_its_newest_state_only(self, pump, balances, store):
        store.seed("42")
        [key] = balances.open("42")
        balances.change(key)
        balances.change(key)
        balances.change(key)

        pump.run()

        assert applied_versions(store) == {"42": [3]}

    def test_while_it_is_on_its_way_follows_behind(self, pump, balances, store):
        store.seed("42")
        [key] = balances.open("42")
        balances.change(key)
        store.fault(delay_s=0.5)

        with ThreadPoolExecutor(1) as meanwhile:
            changing = meanwhile.submit(change_once_leased, pump, key)
            pump.run()
            changing.result()

        assert applied_versions(store) == {"42": [1, 2]}
        assert [row.state for row in pump.deliveries()] == ["confirmed", "confirmed"]

    def test_of_many_members_arrives_for_each(self, pump, balances, store):
        numbers = [f"{n:04}" for n in range(57)]
        store.seed(*numbers)
        balances.change(*balances.open(*numbers))

        report = pump.run()

        assert report.states == {"confirmed": 57}
        assert report.batches == 12
        assert {n: c["c_version"] for n, c in store.customers().items()} == dict.fromkeys(numbers, 1)

    def test_in_one_program_leaves_the_other_programs_points_alone(self, pump, balances, store):
        with balances.database.write() as db:
            live_ruleset(db, None, mapping_by_program(), now=pump.now)
        store.seed("42")
        uniform, boots = balances.open("42", "42")
        balances.programs[boots] = "work-boots"
        balances.change(uniform, minor=500)
        balances.change(boots, minor=900)

        pump.run()

        customer = store.customers()["42"]
        assert (customer["c_points_uniform"], customer["c_points_work_boots"]) == ("5.00", "9.00")

    def test_is_traced_to_the_first_confirmed_attempt_that_carried_it(self, pump, balances, store):
        [key] = balances.open("42")
        balances.change(key)
        pump.run()
        store.seed("42")
        balances.change(key)
        pump.advance(4000)
        pump.run()
        balances.change(key)
        pump.run()

        with balances.database.read() as db:
            carried = [outbox.first_carrying(db, "balance", key, version) for version in (1, 2, 3, 4)]

        assert [each and (each.version, each.attempt) for each in carried] == [(2, 2), (2, 2), (3, 1), None]
        assert carried[0].target_code == "store"


class TestWhatIsKept:
    def test_of_an_attempt_has_no_personal_value(self, pump, balances, store):
        store.seed("42", email="kim@example.com")
        [key] = balances.open("42", last_name="Vandersloot")
        balances.change(key)

        pump.run()

        [attempt] = pump.attempts()
        request, response = json.loads(attempt.request), json.loads(attempt.response)
        assert request == {"customerNo": "42", "lastName": "[masked]", "c_points": "1.00", "c_version": 1}
        assert response["c_points"] == "1.00"
        assert response["email"] == response["lastName"] == "[masked]"
        assert "Vandersloot" not in repr(attempt)
        assert (attempt.outcome, attempt.status, attempt.version) == ("confirmed", 200, 1)
        assert attempt.finished_at is not None
        assert attempt.mapping_version_id is not None

    def test_of_a_refusal_that_quotes_a_name_does_not_tell_it(self, pump, balances, monkeypatch):
        monkeypatch.setattr(
            "local.outside.customer_contract.refusal",
            lambda body, **_: ("property-constraint-violation", f"'{body['lastName']}' is not a name we like."),
        )
        [key] = balances.open("42", last_name="Vandersloot")
        balances.change(key)

        pump.run()

        [row], [attempt] = pump.deliveries(), pump.attempts()
        assert row.state == "dead"
        assert row.last_detail == attempt.detail == "HTTP 400: '[masked]' is not a name we like."
        assert "Vandersloot" not in repr((row, attempt, pump.target()))


class TestTheMapping:
    def test_that_does_not_apply_sends_nothing_and_discards(self, pump, balances, store):
        [key] = balances.open("42")
        balances.change(key, minor=-500)

        pump.run()

        [row] = pump.deliveries()
        assert (row.state, row.last_code) == ("discarded", "mapping_does_not_apply")
        assert store.requests() == []
        with balances.database.read() as db:
            assert outbox.first_carrying(db, "balance", key, 1) is None

    def test_that_refuses_a_record_makes_a_dead_letter_naming_the_field_not_the_value(self, pump, balances, store):
        store.seed("1", "3")
        good, bad, also_good = balances.open("1", "2", "3")
        balances.names[bad] = None
        balances.change(good, bad, also_good)

        report = pump.run()

        assert report.states == {"confirmed": 2, "dead": 1}
        [dead] = [row for row in pump.deliveries() if row.state == "dead"]
        assert (dead.entity_key, dead.last_code) == (bad, "mapping_refused")
        assert "last_name" in dead.last_detail
        assert len(store.requests()) == 2

    def test_of_a_record_that_is_gone_makes_a_dead_letter(self, pump, balances):
        [key] = balances.open("42")
        balances.change(key)
        pump.read = lambda _db, _keys: {}

        pump.run()

        assert [(row.state, row.last_code) for row in pump.deliveries()] == [("dead", "record_missing")]

    def test_looks_up_code_tables_of_the_day(self, pump, balances, store):
        document = mapping_document()
        document["outputs"]["c_tier"] = {"type": "string", "expr": {"lookup": ["tests.tier", {"var": "customer_no"}]}}
        case = document["cases"][0]
        case["code_tables"] = {"tests.tier": {"7": "silver"}}
        case["expect"]["c_tier"] = "silver"
        with balances.database.write() as db:
            code_table(db, None, table_document("tests.tier", {"42": "gold"}, partner=None))
            live_ruleset(db, None, document, now=pump.now)
        store.seed("42")
        balances.change(*balances.open("42"))

        pump.run()

        assert store.customers()["42"]["c_tier"] == "gold"

    def test_that_is_not_in_force_stops_the_target_and_spends_no_attempt(self, pump, balances, store):
        with balances.database.write() as db:
            db.execute(update(target).values(mapping_code="nobody.knows"))
        balances.change(*balances.open("42"))

        pump.run()

        [row] = pump.deliveries()
        assert (row.state, row.attempts) == ("ready", 0)
        assert "nobody.knows" in pump.target().breaker_reason
        assert store.log() == []


class TestASecretWithAddresses:
    def test_leads_to_the_store_of_its_environment(self, pump, balances, store):
        store.seed("42")
        here = store.config()
        with balances.database.write() as db:
            db.execute(update(target).values(config=json.dumps(NOWHERE)))
        make_secret(credentials=CREDENTIALS | {name: here[name] for name in ("base_url", "token_url")})
        balances.change(*balances.open("42"))

        assert pump.run().states == {"confirmed": 1}


class TestAPausedTarget:
    def test_keeps_its_deliveries_until_it_is_active_again(self, pump, balances, store):
        store.seed("42")
        with balances.database.write() as db:
            db.execute(update(target).values(status="paused"))
        balances.change(*balances.open("42"))
        assert pump.run().states == {}
        assert store.log() == []

        with balances.database.write() as db:
            db.execute(update(target).values(status="active"))
        assert pump.run().states == {"confirmed": 1}


class TestTheDeadline:
    def test_stops_new_batches(self, pump, balances, store):
        store.seed("42")
        balances.change(*balances.open("42"))

        assert pump.run(deadline_s=0).batches == 0
        assert store.log() == []


class TestDecimals:
    @pytest.mark.parametrize(("minor", "text"), [(0, "0.00"), (10**17, "1000000000000000.00"), (5, "0.05")])
    def test_travel_as_plain_text_at_full_scale(self, pump, balances, store, minor, text):
        store.seed("42")
        balances.change(*balances.open("42"), minor=minor)

        pump.run()

        assert store.customers()["42"]["c_points"] == text
