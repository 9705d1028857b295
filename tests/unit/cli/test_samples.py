"""The store of the samples: its customers are there before any points are, and keep what they were given since."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from chalicelib.errors import Unavailable
from cli import samples
from local.home import REPOSITORY
from local.outside import customer_contract
from tests.factories.commerce_cloud import RunningStore, running_store

SAMPLES = REPOSITORY / "samples"


@pytest.fixture
def store(tmp_path: Path) -> Iterator[RunningStore]:
    with running_store(tmp_path / "store") as running:
        yield running


class TestTheStoresCustomers:
    def test_are_all_there_afterwards(self, store: RunningStore):
        samples.open_store(store.url, SAMPLES)

        customers = json.loads((SAMPLES / "commerce-cloud" / "customers.json").read_text())
        assert store.customers().keys() == {customer["customerNo"] for customer in customers}
        assert not any(customer_contract.refusal(customer, creating=False) for customer in customers)

    def test_keep_their_points_when_a_start_was_cut_short(self, store: RunningStore):
        store.seed("harbor-hotels_H-20417", c_interlinePoints="12.50")

        samples.open_store(store.url, SAMPLES)

        assert store.customers()["harbor-hotels_H-20417"]["c_interlinePoints"] == "12.50"
        assert len(store.customers()) > 40

    def test_need_a_store(self):
        with pytest.raises(Unavailable):
            samples.open_store("http://127.0.0.1:9", SAMPLES)
