from collections.abc import Iterator
from pathlib import Path

import pytest

from chalicelib.connectors.contract import Connector
from tests.factories.commerce_cloud import RunningStore, connected, running_store


@pytest.fixture
def store(tmp_path: Path) -> Iterator[RunningStore]:
    with running_store(tmp_path) as running:
        yield running


@pytest.fixture
def connector(store: RunningStore) -> Iterator[Connector]:
    with connected(store.config()) as built:
        yield built
