"""A Commerce Cloud for tests: the local fake in a thread of the test's process, and connectors that point at it."""

import json
import threading
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from chalicelib import connectors
from chalicelib.connectors.contract import Connector, Limits, Message
from local.outside import store
from local.outside.commerce_cloud import Server
from local.outside.customer_list import CustomerList

CREDENTIALS = {"client_id": store.CLIENT_ID, "client_secret": store.CLIENT_SECRET}


@dataclass(frozen=True)
class RunningStore:
    """A fake store that listens at ``url``."""

    url: str

    def call(self, method: str, path: str, body: object = None) -> Any:
        """One of the store's addresses for tests."""
        content = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(self.url + path, data=content, method=method)  # noqa: S310 - loopback
        with urllib.request.urlopen(request, timeout=10) as response:  # noqa: S310
            text = response.read()
        return json.loads(text) if text else None

    def seed(self, *numbers: str, **properties: object) -> None:
        self.call("POST", "/_seed", [{"customerNo": number, "lastName": "Doe", **properties} for number in numbers])

    def fault(self, **order: object) -> None:
        self.call("POST", "/_faults", order)

    def customers(self) -> dict[str, dict[str, Any]]:
        return {customer["customerNo"]: customer for customer in self.call("GET", "/_customers")}

    def log(self) -> list[dict[str, Any]]:
        return list(self.call("GET", "/_log?limit=100000"))

    def requests(self) -> list[tuple[str, int | None]]:
        """Method and status of each request about customers."""
        return [(entry["method"], entry["status"]) for entry in self.log() if "/customers" in entry["path"]]

    def config(self, **other: object) -> dict[str, Any]:
        return {
            "base_url": self.url + store.API_PATH,
            "token_url": self.url + store.TOKEN_PATH,
            "organization": store.ORGANIZATION_ID,
            "customer_list": store.CUSTOMER_LIST_ID,
            **other,
        }


@contextmanager
def running_store(directory: Path, **options: float) -> Iterator[RunningStore]:
    """A store that keeps its customers in ``directory`` while the block runs."""
    customers = CustomerList(directory)
    server = Server(store.CommerceCloud(customers, **options), 0)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield RunningStore(f"http://127.0.0.1:{server.server_address[1]}")
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
        customers.close()


@contextmanager
def connected(
    config: Mapping[str, Any], *, credentials: Mapping[str, str] = CREDENTIALS, timeout_s: float = 5.0
) -> Iterator[Connector]:
    """A connector with an HTTP client of its own."""
    limits = Limits(batch_max=10, inflight_max=1, timeout_s=timeout_s, attempts_max=5)
    with httpx.Client(trust_env=False) as client:
        yield connectors.build("sfcc_customers", config, credentials, client, limits=limits)


def message(number: str, **properties: Any) -> Message:
    """A message that brings one customer to a state."""
    body = {"customerNo": number, "lastName": "Doe", **properties}
    return Message(
        id=number.encode().rjust(16, b"\0"),
        entity="customer",
        operation="patch",
        key=number,
        external_id=number,
        body=body,
        attempt=1,
    )
