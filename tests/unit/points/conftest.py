"""A partner whose member earns, for the tests of the points room."""

import json
from collections.abc import Iterator

import pytest
from moto import mock_aws

from chalicelib.points import proof
from chalicelib.settings import settings
from chalicelib.storage import aws as clients
from chalicelib.storage.engine import Database
from tests.conftest import forget_aws
from tests.factories import points
from tests.factories.deliveries import make_target
from tests.factories.points import Earning


@pytest.fixture(scope="package")
def data_key() -> Iterator[None]:
    """A data key for the whole room: members are made in nearly every test here, and AWS is not what is tested."""
    with mock_aws():
        forget_aws()
        key = {"encrypt": "11" * 32, "index": "22" * 32}
        clients.client("secretsmanager").create_secret(
            Name=settings().secret("data-key"), SecretString=json.dumps({"current": "1", "keys": {"1": key}})
        )
        yield
    forget_aws()


@pytest.fixture
def earning(database: Database, data_key: None) -> Earning:
    """A partner with a program, a rule of 1.5 points an hour, and the member E1."""
    with database.write() as db:
        return points.make_earning(db)


@pytest.fixture
def provable(database: Database):
    """The ledger must add up when the test ends."""
    yield
    with database.read() as db:
        assert proof.check(db) == []


@pytest.fixture
def balance_target(database: Database, earning: Earning) -> bytes:
    """A store of the partner that takes balances; its id."""
    with database.write() as db:
        return make_target(db, earning.partner.id).id
