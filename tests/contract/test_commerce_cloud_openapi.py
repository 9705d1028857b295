"""The Commerce Cloud connector, and the fake store that stands in locally, against Salesforce's own OpenAPI.

Prism serves and checks ``scapi-customers.yaml`` (reference data, not ours). As a mock it judges the connector's
requests; as a proxy in front of the fake store it judges the store's answers too.
"""

import os
import re
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from chalicelib.connectors.contract import Outcome
from local.outside import store as outside
from tests.factories.commerce_cloud import RunningStore, connected, message, running_store

PRISM = Path(__file__).parent / "node" / "node_modules" / ".bin" / "prism"
START_S_MAX = 60.0
ADDRESS = f"/organizations/{outside.ORGANIZATION_ID}/customer-lists/{outside.CUSTOMER_LIST_ID}/customers/42"


@pytest.fixture(scope="module")
def contract() -> Path:
    directory = os.environ.get("INTERLINE_REFERENCE_DATA")
    if not directory:
        pytest.skip("INTERLINE_REFERENCE_DATA is not set: Salesforce's OpenAPI is not at hand")
    if not PRISM.exists():
        pytest.fail("Prism is not installed: run `make setup` (or `npm ci` in tests/contract/node)")
    return Path(directory) / "sfcc" / "scapi-customers.yaml"


@contextmanager
def prism(log: Path, *arguments: str) -> Iterator[str]:
    """Prism's URL once it listens. It tells the port it chose in its log."""
    with log.open("wb") as output:
        process = subprocess.Popen(
            [str(PRISM), *arguments, "--errors", "--host", "127.0.0.1", "--port", "0"],
            stdout=output,
            stderr=subprocess.STDOUT,
            env={**os.environ, "NO_COLOR": "1", "FORCE_COLOR": "0"},
        )
    try:
        yield listening_url(process, log)
    finally:
        process.terminate()
        process.wait(timeout=10)


def listening_url(process: subprocess.Popen[bytes], log: Path) -> str:
    deadline = time.monotonic() + START_S_MAX
    while time.monotonic() < deadline:
        said = log.read_text()
        found = re.search(r"Prism is listening on (http://127\.0\.0\.1:[1-9]\d*)", said)
        if found:
            return found[1]
        if process.poll() is not None:
            pytest.fail(f"Prism ended at once:\n{said}")
        time.sleep(0.2)
    pytest.fail(f"Prism did not listen within {START_S_MAX} s:\n{log.read_text()}")


@pytest.fixture(scope="module")
def tokens(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningStore]:
    """Prism has no token endpoint: the fake store gives the tokens."""
    with running_store(tmp_path_factory.mktemp("tokens")) as running:
        yield running


@pytest.fixture(scope="module")
def mock_url(contract: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with prism(tmp_path_factory.mktemp("prism") / "mock.log", "mock", str(contract)) as url:
        yield url


@pytest.fixture(scope="module")
def proxied(contract: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, RunningStore]]:
    """A fake store behind a Prism that refuses requests and answers that break the contract."""
    directory = tmp_path_factory.mktemp("proxied")
    with running_store(directory) as store:
        upstream = store.url + outside.API_PATH
        with prism(directory / "proxy.log", "proxy", str(contract), upstream) as url:
            yield url, store


class TestRequestsOfTheConnector:
    def test_to_update_a_customer_keep_the_contract(self, mock_url, tokens):
        with connected(tokens.config(base_url=mock_url)) as connector:
            [result] = connector.deliver([message("42", c_points="125.00", c_pointsExpiring="3.00")])
        assert (result.outcome, result.status) == (Outcome.CONFIRMED, 200)

    def test_to_check_the_target_keep_the_contract(self, mock_url, tokens):
        with connected(tokens.config(base_url=mock_url)) as connector:
            connector.check()

    def test_that_the_mapping_spoiled_are_rejected(self, mock_url, tokens):
        spoiled = message("42", lastName=None)
        with connected(tokens.config(base_url=mock_url)) as connector:
            [result] = connector.deliver([spoiled])
        assert (result.outcome, result.status) == (Outcome.REJECTED, 400)

    @pytest.mark.parametrize("body", [{"customerNo": "42"}, {"lastName": "Doe"}, {"customerNo": 42, "lastName": "Doe"}])
    def test_would_be_refused_if_they_broke_it(self, mock_url, body):
        answer = httpx.patch(mock_url + ADDRESS, json=body, headers={"authorization": "Bearer t"}, trust_env=False)
        assert answer.status_code == 400
        assert answer.headers["sl-violations"]

    def test_would_be_refused_without_a_token(self, mock_url):
        body = {"customerNo": "42", "lastName": "Doe"}
        assert httpx.patch(mock_url + ADDRESS, json=body, trust_env=False).status_code == 401


class TestAnswersOfTheFakeStore:
    def test_to_creation_update_and_refusal_keep_the_contract(self, proxied):
        url, store = proxied
        config = store.config(base_url=url, create_missing=True)
        with connected(config) as connector:
            [created, updated] = connector.deliver([message("n1", c_points="1.00"), message("n1", c_points="2.00")])
            connector.check()
        assert (created.outcome, created.status, created.code) == (Outcome.CONFIRMED, 201, "created")
        assert (updated.outcome, updated.status) == (Outcome.CONFIRMED, 200)
        assert store.customers()["n1"]["c_points"] == "2.00"

    def test_to_an_unknown_customer_keep_the_contract(self, proxied):
        url, store = proxied
        with connected(store.config(base_url=url)) as connector:
            [result] = connector.deliver([message("nobody")])
        assert (result.outcome, result.code) == (Outcome.RETRY, "customer_missing")

    @pytest.mark.parametrize("status", [401, 404])
    def test_to_ordered_faults_keep_the_contract(self, proxied, status):
        url, store = proxied
        store.seed("f1")
        store.fault(status=status, times=2)
        with connected(store.config(base_url=url)) as connector:
            [result] = connector.deliver([message("f1")])
        store.call("POST", "/_reset")
        assert result.status == status

    def test_would_be_refused_if_they_broke_it(self, proxied):
        url, store = proxied
        store.call("POST", "/_seed", [{"customerNo": "bad", "lastName": "Doe", "creationDate": "yesterday"}])
        with connected(store.config(base_url=url)) as connector:
            [result] = connector.deliver([message("bad")])
        assert (result.outcome, result.status, result.code) == (Outcome.RETRY, 500, "errors_violations")
