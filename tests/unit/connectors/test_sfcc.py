"""The Commerce Cloud connector against the local fake store; ``tests/contract`` holds both to Salesforce's OpenAPI."""

import dataclasses

import pytest

from chalicelib import connectors
from chalicelib.connectors.contract import Outcome
from chalicelib.errors import InvalidInput, Unavailable, UnknownReference, Unprocessable
from tests.factories.commerce_cloud import CREDENTIALS, connected, message


def deliver_one(connector, sent):
    [result] = connector.deliver([sent])
    assert result.message_id == sent.id
    return result


class TestAKnownCustomer:
    def test_takes_the_new_balance_and_keeps_its_other_attributes(self, store, connector):
        store.seed("42", email="kim@example.com")

        result = deliver_one(connector, message("42", c_points="125.00"))

        assert (result.outcome, result.status, result.code) == (Outcome.CONFIRMED, 200, "updated")
        customer = store.customers()["42"]
        assert (customer["c_points"], customer["email"]) == ("125.00", "kim@example.com")
        assert result.remote_id == customer["customerId"]

    def test_is_the_same_when_the_message_is_sent_twice(self, store, connector):
        store.seed("42")

        first, second = connector.deliver([message("42", c_points="1.00"), message("42", c_points="1.00")])

        assert first.outcome is second.outcome is Outcome.CONFIRMED
        assert store.customers()["42"]["c_points"] == "1.00"

    def test_keeps_its_login_when_the_mapping_carries_credentials(self, store, connector):
        store.seed("42", credentials={"login": "kim", "enabled": True})

        deliver_one(connector, message("42", credentials={"login": "other", "enabled": False}))

        assert store.customers()["42"]["credentials"] == {"login": "kim", "enabled": True}

    def test_with_a_number_that_needs_quoting_is_found(self, store, connector):
        store.seed("A/7 ?#%é")

        result = deliver_one(connector, message("A/7 ?#%é", c_points="2.00"))

        assert result.outcome is Outcome.CONFIRMED
        assert store.customers()["A/7 ?#%é"]["c_points"] == "2.00"


class TestAMissingCustomer:
    def test_is_reported_for_a_later_retry_and_not_created(self, store, connector):
        result = deliver_one(connector, message("7"))

        assert (result.outcome, result.status, result.code) == (Outcome.RETRY, 404, "customer_missing")
        assert result.patient
        assert store.customers() == {}
        assert store.requests() == [("PATCH", 404)]

    def test_is_created_where_the_target_says_so(self, store):
        with connected(store.config(create_missing=True)) as connector:
            result = deliver_one(connector, message("7", c_points="3.50"))

        assert (result.outcome, result.status, result.code) == (Outcome.CONFIRMED, 201, "created")
        assert store.customers()["7"]["c_points"] == "3.50"
        assert store.customers()["7"]["credentials"] == {"login": "7", "enabled": False}

    def test_is_created_with_the_credentials_of_the_mapping(self, store):
        with connected(store.config(create_missing=True)) as connector:
            deliver_one(connector, message("7", credentials={"login": "kim", "enabled": True}))

        assert store.customers()["7"]["credentials"] == {"login": "kim", "enabled": True}

    def test_created_by_somebody_else_meanwhile_is_tried_again(self, store):
        store.seed("7")
        store.fault(status=404, method="PATCH")

        with connected(store.config(create_missing=True)) as connector:
            lost = deliver_one(connector, message("7", c_points="9.00"))
            again = deliver_one(connector, message("7", c_points="9.00"))

        assert (lost.outcome, lost.code) == (Outcome.RETRY, "customer_number_already_in_use")
        assert again.outcome is Outcome.CONFIRMED
        assert store.customers()["7"]["c_points"] == "9.00"

    def test_whose_creation_lost_its_answer_is_found_by_the_next_attempt(self, store):
        store.fault(method="PUT", drop="after")

        with connected(store.config(create_missing=True)) as connector:
            lost = deliver_one(connector, message("7", c_points="9.00"))
            again = deliver_one(connector, message("7", c_points="9.00"))

        assert (lost.outcome, lost.code) == (Outcome.RETRY, "connection_lost")
        assert (again.outcome, again.code) == (Outcome.CONFIRMED, "updated")
        assert len(store.customers()) == 1

    def test_is_not_concluded_from_a_missing_list(self, store):
        with connected(store.config(create_missing=True, customer_list="Elsewhere")) as connector:
            result = deliver_one(connector, message("7"))

        assert (result.outcome, result.code) == (Outcome.RETRY, "customer_list_not_found")
        assert not result.patient
        assert store.requests() == [("PATCH", 404)]

    def test_is_not_concluded_from_a_404_that_the_store_did_not_write(self, store):
        config = store.config(create_missing=True, base_url=store.url + "/not-scapi")
        with connected(config) as connector:
            result = deliver_one(connector, message("7"))

        assert (result.outcome, result.code) == (Outcome.RETRY, "http_404")
        assert [entry["method"] for entry in store.log() if "/customers" in entry["path"]] == ["PATCH"]


class TestARefusedMessage:
    def test_is_rejected_with_the_sentence_of_the_store(self, store, connector):
        store.seed("42")

        result = deliver_one(connector, message("42", lastName="x" * 257))

        assert (result.outcome, result.status) == (Outcome.REJECTED, 400)
        assert result.code == "property_constraint_violation"
        assert "lastName" in result.detail

    def test_does_not_touch_the_others_of_its_batch(self, store, connector):
        store.seed("1", "2", "3")

        results = connector.deliver([message("1"), message("2", gender="x"), message("3")])

        assert [r.outcome for r in results] == [Outcome.CONFIRMED, Outcome.REJECTED, Outcome.CONFIRMED]
        assert [r.message_id for r in results] == [message(n).id for n in "123"]

    @pytest.mark.parametrize("number", ["", ".", "..", None, 7])
    def test_without_a_usable_number_is_never_sent(self, store, connector, number):
        sent = dataclasses.replace(message("1"), body={"customerNo": number, "lastName": "Doe"})

        result = deliver_one(connector, sent)

        assert (result.outcome, result.code) == (Outcome.REJECTED, "customer_number_missing")
        assert store.log() == []

    def test_of_another_entity_is_never_sent(self, store, connector):
        result = deliver_one(connector, dataclasses.replace(message("1"), entity="order"))

        assert (result.outcome, result.code) == (Outcome.REJECTED, "unsupported_operation")
        assert store.log() == []


class TestABusyStore:
    @pytest.mark.parametrize(
        ("status", "code"),
        [
            (409, "concurrent_modification"),
            (429, "too_many_requests"),
            (500, "internal_server_error"),
            (502, "bad_gateway"),
            (503, "service_unavailable"),
            (504, "gateway_timeout"),
        ],
    )
    def test_is_asked_again_later_and_not_at_once(self, store, connector, status, code):
        store.seed("42")
        store.fault(status=status)

        result = deliver_one(connector, message("42"))

        assert (result.outcome, result.status, result.code) == (Outcome.RETRY, status, code)
        assert store.requests() == [("PATCH", status)]

    def test_says_how_long_to_wait(self, store, connector):
        store.seed("42")
        store.fault(status=429, retry_after=17)
        store.fault(status=503)

        told, untold = connector.deliver([message("42"), message("42")])

        assert told.retry_after_s == 17
        assert untold.retry_after_s is None

    def test_that_answers_too_late_is_left_alone_until_the_write_is_dead(self, store):
        store.seed("42")
        store.fault(delay_s=0.6)

        with connected(store.config(settle_s=60), timeout_s=0.2) as connector:
            result = deliver_one(connector, message("42", c_points="1.00"))

        assert (result.outcome, result.status, result.code) == (Outcome.RETRY, None, "timeout")
        assert result.retry_after_s == 60

    @pytest.mark.parametrize(("drop", "applied"), [("before", False), ("after", True)])
    def test_that_hangs_up_is_asked_again_whether_it_took_the_write_or_not(self, store, connector, drop, applied):
        store.seed("42")
        store.fault(drop=drop)

        lost = deliver_one(connector, message("42", c_points="1.00"))
        assert ("c_points" in store.customers()["42"]) is applied
        again = deliver_one(connector, message("42", c_points="1.00"))

        assert (lost.outcome, lost.code) == (Outcome.RETRY, "connection_lost")
        assert again.outcome is Outcome.CONFIRMED
        assert store.customers()["42"]["c_points"] == "1.00"

    def test_that_is_down_is_unreachable_and_may_be_tried_at_any_time(self):
        config = {
            "base_url": "http://127.0.0.1:1/customer/customers/v1",
            "token_url": "http://127.0.0.1:1/token",
            "organization": "f_ecom_zzxy_prd",
            "customer_list": "RefArch",
        }
        with connected(config) as connector:
            result = deliver_one(connector, message("42"))

        assert (result.outcome, result.code, result.retry_after_s) == (Outcome.RETRY, "unreachable", None)


class TestTheToken:
    def test_is_fetched_once_for_many_messages(self, store, connector):
        store.seed("1", "2")

        connector.deliver([message("1"), message("2")])
        connector.deliver([message("1")])

        assert [entry["path"] for entry in store.log()].count("/dwsso/oauth2/access_token") == 1

    def test_is_renewed_once_when_it_is_refused(self, store, connector):
        store.seed("42")
        deliver_one(connector, message("42"))
        store.call("POST", "/_tokens/expire")

        result = deliver_one(connector, message("42", c_points="5.00"))

        assert result.outcome is Outcome.CONFIRMED
        assert store.requests() == [("PATCH", 200), ("PATCH", 401), ("PATCH", 200)]

    def test_refused_again_when_fresh_means_unauthorized(self, store, connector):
        store.seed("42")
        store.fault(status=401, times=2)

        result = deliver_one(connector, message("42"))

        assert (result.outcome, result.status, result.code) == (Outcome.UNAUTHORIZED, 401, "invalid_access_token")
        assert store.requests() == [("PATCH", 401), ("PATCH", 401)]

    def test_without_the_scope_means_unauthorized(self, store, connector):
        store.fault(status=403)

        assert deliver_one(connector, message("42")).outcome is Outcome.UNAUTHORIZED

    def test_is_not_given_for_a_wrong_secret_and_the_secret_is_not_told(self, store):
        wrong = CREDENTIALS | {"client_secret": "hush-hush"}
        with connected(store.config(), credentials=wrong) as connector:
            result = deliver_one(connector, message("42"))

        assert (result.outcome, result.code) == (Outcome.UNAUTHORIZED, "token_refused")
        assert "hush-hush" not in repr(result)
        assert store.requests() == []

    def test_that_cannot_be_had_for_now_is_a_retry(self, store, connector):
        store.fault(status=503, path_contains="access_token", retry_after=9)

        result = deliver_one(connector, message("42"))

        assert (result.outcome, result.code, result.retry_after_s) == (Outcome.RETRY, "token_unavailable", 9)


class TestCheck:
    def test_passes_and_changes_nothing(self, store, connector):
        connector.check()

        assert store.requests() == [("GET", 404)]
        assert store.customers() == {}

    def test_names_a_wrong_secret(self, store):
        with (
            connected(store.config(), credentials=CREDENTIALS | {"client_secret": "no"}) as connector,
            pytest.raises(Unprocessable) as refused,
        ):
            connector.check()
        assert refused.value.code == "token_refused"

    def test_names_a_wrong_list(self, store):
        with (
            connected(store.config(customer_list="Elsewhere")) as connector,
            pytest.raises(Unprocessable) as refused,
        ):
            connector.check()
        assert refused.value.code == "customer_list_not_found"

    def test_says_when_to_come_back_to_a_busy_store(self, store, connector):
        store.fault(status=503, retry_after=30)

        with pytest.raises(Unavailable) as busy:
            connector.check()
        assert busy.value.retry_after_s == 30


class TestConfiguration:
    def test_of_an_unknown_kind_is_refused_naming_the_known_ones(self):
        with pytest.raises(UnknownReference, match="sfcc_customers"):
            connectors.check_config("sap", {})

    @pytest.mark.parametrize(
        ("wrong", "pointer"),
        [
            ({"base_url": "http://store.example.com"}, "/base_url"),
            ({"token_url": "ftp://store.example.com"}, "/token_url"),
            ({"organization": "../x"}, "/organization"),
            ({"customer_list": ""}, "/customer_list"),
            ({"create_mising": True}, "/create_mising"),
        ],
    )
    def test_that_is_wrong_is_refused_with_the_place(self, store, wrong, pointer):
        with pytest.raises(InvalidInput) as refused:
            connectors.check_config("sfcc_customers", store.config() | wrong)
        assert [fault.pointer for fault in refused.value.faults] == [pointer]

    def test_without_a_secret_is_refused_and_no_credential_is_repeated(self, store):
        with (
            pytest.raises(InvalidInput) as refused,
            connected(store.config(), credentials={"client_id": "visible-id"}),
        ):
            pass
        assert [fault.pointer for fault in refused.value.faults] == ["/client_secret"]
        assert "visible-id" not in repr(refused.value.faults)
        assert refused.value.__cause__ is None

    def test_every_kind_has_limits_and_a_closed_configuration(self):
        for kind in connectors.KINDS:
            assert connectors.limits_of(kind).batch_max >= 1
            with pytest.raises(InvalidInput):
                connectors.check_config(kind, {"surprise": 1})
