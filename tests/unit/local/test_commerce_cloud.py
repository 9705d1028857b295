"""The fake Commerce Cloud as a process, and the parts of its behaviour that the connector's tests do not touch."""

import base64
import contextlib
import json
import signal
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from local.outside import store as outside
from tests.factories.commerce_cloud import RunningStore, connected, message, running_store

ROOT = Path(__file__).parents[3]
WHOLE = {"customerNo": "7", "lastName": "Doe", "credentials": {"login": "doe"}}
CUSTOMERS = f"/organizations/{outside.ORGANIZATION_ID}/customer-lists/{outside.CUSTOMER_LIST_ID}/customers"


@contextlib.contextmanager
def process(directory: Path) -> Iterator[tuple[subprocess.Popen[str], RunningStore]]:
    command = [sys.executable, "-m", "local.outside.commerce_cloud", "--port", "0", "--state", str(directory)]
    started = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)
    assert started.stdout is not None
    try:
        ready = json.loads(started.stdout.readline())
        yield started, RunningStore(f"http://127.0.0.1:{ready['port']}")
    finally:
        started.kill()
        started.wait(timeout=10)
        started.stdout.close()


class TestTheProcess:
    def test_finds_its_customers_and_tokens_again_after_a_kill(self, tmp_path):
        with process(tmp_path) as (_, store):
            store.seed("42")
            with connected(store.config()) as connector:
                connector.deliver([message("42", c_points="1.00")])

        with process(tmp_path) as (_, store):
            assert store.customers()["42"]["c_points"] == "1.00"
            assert store.requests() == [("PATCH", 200)]

    def test_ends_cleanly_when_it_is_told_to(self, tmp_path):
        with process(tmp_path) as (started, _):
            started.send_signal(signal.SIGTERM)
            assert started.wait(timeout=10) == 0


@pytest.fixture
def store(tmp_path):
    with running_store(tmp_path) as running:
        yield running


def token_answer(store, **changes):
    given = {"id": outside.CLIENT_ID, "secret": outside.CLIENT_SECRET, "grant_type": "client_credentials"}
    given |= {"scope": "SALESFORCE_COMMERCE_API:zzxy_prd sfcc.customerlists.rw"} | changes
    basic = base64.b64encode(f"{given['id']}:{given['secret']}".encode()).decode()
    form = {"grant_type": given["grant_type"], "scope": given["scope"]}
    headers = {"authorization": f"Basic {basic}"}
    return httpx.post(store.url + outside.TOKEN_PATH, data=form, headers=headers, trust_env=False)


def send(store, method, path="", body=None, scope="sfcc.customerlists.rw"):
    token = token_answer(store, scope=f"SALESFORCE_COMMERCE_API:zzxy_prd {scope}").json()["access_token"]
    url = f"{store.url}{outside.API_PATH}{CUSTOMERS}{path}"
    return httpx.request(method, url, json=body, headers={"authorization": f"Bearer {token}"}, trust_env=False)


class TestTokens:
    def test_are_given_for_half_an_hour(self, store):
        answer = token_answer(store).json()
        assert (answer["token_type"], answer["expires_in"]) == ("Bearer", 1799)

    @pytest.mark.parametrize(
        ("changes", "status", "error"),
        [
            ({"secret": "x"}, 401, "invalid_client"),
            ({"id": "x"}, 401, "invalid_client"),
            ({"grant_type": "password"}, 400, "unsupported_grant_type"),
            ({"scope": "sfcc.customerlists.rw"}, 400, "invalid_scope"),
            ({"scope": "SALESFORCE_COMMERCE_API:other_prd"}, 400, "invalid_scope"),
        ],
    )
    def test_are_refused_as_account_manager_does(self, store, changes, status, error):
        answer = token_answer(store, **changes)
        assert (answer.status_code, answer.json()["error"]) == (status, error)

    def test_end(self, tmp_path):
        with running_store(tmp_path, token_life_s=-1) as running:
            assert send(running, "GET", "/42").status_code == 401

    def test_that_only_read_do_not_write(self, store):
        store.seed("42")
        assert send(store, "GET", "/42", scope="sfcc.customerlists").status_code == 200
        body = {"customerNo": "42", "lastName": "Doe"}
        assert send(store, "PATCH", "/42", body, scope="sfcc.customerlists").status_code == 403


class TestCustomers:
    def test_are_created_by_post_and_gone_after_delete(self, store):
        assert send(store, "POST", body=WHOLE).status_code == 200
        assert send(store, "GET", "/7").json()["credentials"] == {"login": "doe"}
        assert send(store, "DELETE", "/7").status_code == 204
        assert send(store, "DELETE", "/7").status_code == 204
        assert send(store, "GET", "/7").status_code == 404

    def test_need_credentials_to_be_created(self, store):
        answer = send(store, "PUT", "/7", {"customerNo": "7", "lastName": "Doe"})
        assert (answer.status_code, answer.json()["type"].rsplit("/")[-1]) == (400, "credentials-missing")

    @pytest.mark.parametrize(
        ("method", "path", "changes", "kind"),
        [
            ("PUT", "/7", {}, "login-already-in-use"),
            ("PUT", "/8", {"credentials": {"login": "new"}}, "property-constraint-violation"),
            ("PUT", "/7", {"credentials": {"login": "new"}}, "customer-number-already-in-use"),
            ("PATCH", "/8", {"credentials": {"login": "new"}}, "customer-number-already-in-use"),
        ],
    )
    def test_keep_their_numbers_and_logins_apart(self, store, method, path, changes, kind):
        send(store, "POST", body=WHOLE)
        store.seed("8")
        answer = send(store, method, path, WHOLE | changes)
        assert (answer.status_code, answer.json()["type"].rsplit("/")[-1]) == (400, kind)

    def test_may_be_renumbered(self, store):
        store.seed("7")
        assert send(store, "PATCH", "/7", {"customerNo": "9", "lastName": "Doe"}).status_code == 200
        assert list(store.customers()) == ["9"]

    @pytest.mark.parametrize(
        "wrong",
        [
            {"lastName": ""},
            {"lastName": 5},
            {"fax": "1" * 33},
            {"points": "1"},
            {"gender": True},
            {"birthday": "yesterday"},
            {"primaryAddress": "here"},
            {"credentials": {"enabled": True}},
            {"credentials": {"login": "x", "enabled": "yes"}},
            {"credentials": {"login": "x", "password": "y"}},
        ],
        ids=str,
    )
    def test_that_break_the_contract_are_refused(self, store, wrong):
        store.seed("7")
        body = {"customerNo": "7", "lastName": "Doe"} | wrong
        assert send(store, "PATCH", "/7", body).status_code == 400

    def test_of_another_organization_are_forbidden(self, store):
        other = store.config(organization="f_ecom_zzxy_stg")
        with connected(other) as connector:
            [result] = connector.deliver([message("42")])
        assert result.outcome == "unauthorized"


class TestFaults:
    @pytest.mark.parametrize("order", [{"status": 418}, {"drop": "maybe"}, {"statos": 503}], ids=str)
    def test_that_are_misspelt_are_refused(self, store, order):
        with pytest.raises(urllib.error.HTTPError) as refused:
            store.fault(**order)
        assert refused.value.code == 400
        refused.value.close()
