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


class TestTheOrderOfTheFiles:
    def test_no_file_comes_before_one_of_smaller_rank_and_none_beside_one_of_its_partner(self):
        ranks = {"hr_roster": 10, "roster": 10, "accruals": 20, "customers": 12}
        names = "a/accruals/2.csv a/accruals/1.csv a/hr_roster/x.csv a/roster/y.csv b/accruals/1.csv b/hr_roster/z.csv"
        paths = [Path(name) for name in [*names.split(), "house/customers/c.csv"]]

        turns = samples.in_turns(paths, lambda path: ranks[path.parent.name])

        assert [[str(path) for path in turn] for turn in turns] == [
            ["a/hr_roster/x.csv", "b/hr_roster/z.csv"],
            ["a/roster/y.csv"],
            ["house/customers/c.csv"],
            ["a/accruals/1.csv", "b/accruals/1.csv"],
            ["a/accruals/2.csv"],
        ]
