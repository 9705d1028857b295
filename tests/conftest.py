"""What every test stands on: real databases on both engines, an AWS that moto plays, a fixed clock, closed sockets."""

import json
import os
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

os.environ.update(
    {
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_ACCESS_KEY_ID": "testing",
        "AWS_SECRET_ACCESS_KEY": "testing",
        "INTERLINE_DATABASE_URL": "sqlite://",
        "INTERLINE_RULE_APPROVAL": "off",
        "INTERLINE_DATABASE_TLS": "off",
    }
)
for name in ("AWS_ENDPOINT_URL", "AWS_CA_BUNDLE", "HUB_URL", "HUB_KEY", "INTERLINE_HOME"):
    os.environ.pop(name, None)

import pytest
import sqlalchemy
from sqlalchemy.engine import make_url

from chalicelib.settings import settings
from chalicelib.storage import aws as aws_clients
from chalicelib.storage import encryption, queues, secrets, signing
from chalicelib.storage.engine import Database, connect
from chalicelib.storage.tables import metadata
from local.mariadb import private_server
from migrations import chain
from tests.factories.filled import filled

NOW = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)
_POOL_MAX = 64

REFERENCE_DATA = os.environ.get("INTERLINE_REFERENCE_DATA")


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print the figures that tests recorded, whichever worker ran them."""
    figures = [
        str(value)
        for report in terminalreporter.getreports("passed")
        if report.when == "call"
        for name, value in report.user_properties
        if name == "figure"
    ]
    if figures:
        terminalreporter.section("figures")
        for figure in sorted(figures):
            terminalreporter.write_line(figure)


@pytest.fixture
def now() -> datetime:
    """The moment at which a test happens."""
    return NOW


@pytest.fixture(scope="session")
def reference_data() -> Path:
    """The folder of public contracts and test suites."""
    if not REFERENCE_DATA:
        pytest.skip("INTERLINE_REFERENCE_DATA is not set: this test needs the public reference data")
    return Path(REFERENCE_DATA)


@pytest.fixture(scope="session")
def mysql_url() -> Iterator[str]:
    """A MySQL or MariaDB server: TEST_MYSQL_URL, else a private one; its absence is an error, not a skip."""
    given = os.environ.get("TEST_MYSQL_URL")
    if given:
        yield given
        return
    with private_server() as url:
        yield url


@pytest.fixture(scope="session")
def mariadb_schema(mysql_url: str, worker_id: str) -> Iterator[Database]:
    """A migrated schema of this worker's own on the server."""
    name = f"interline_test_{worker_id}"
    server = connect(mysql_url, tls="off")
    with server.engine.connect() as connection:
        connection.exec_driver_sql(f"DROP DATABASE IF EXISTS `{name}`")
        connection.exec_driver_sql(f"CREATE DATABASE `{name}` CHARACTER SET utf8mb4 COLLATE utf8mb4_bin")
    server.engine.dispose()
    database = connect(make_url(mysql_url).set(database=name), pool_max=_POOL_MAX, tls="off")
    chain.upgrade(database.engine)
    yield database
    database.engine.dispose()


@pytest.fixture(scope="session")
def sqlite_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A migrated, empty SQLite file to copy."""
    path = tmp_path_factory.mktemp("template") / "empty.db"
    database = connect(f"sqlite:///{path}")
    chain.upgrade(database.engine)
    with database.engine.connect() as connection:
        connection.connection.driver_connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")  # type: ignore[union-attr]
    database.engine.dispose()
    return path


@pytest.fixture
def sqlite_database(sqlite_template: Path, tmp_path: Path) -> Iterator[Database]:
    """An empty SQLite database of this test's own."""
    path = tmp_path / "hub.db"
    path.write_bytes(sqlite_template.read_bytes())
    database = connect(f"sqlite:///{path}", pool_max=_POOL_MAX)
    yield database
    database.engine.dispose()


@pytest.fixture
def mariadb_database(mariadb_schema: Database) -> Database:
    """The worker's MariaDB schema, emptied."""
    with mariadb_schema.engine.connect() as connection, connection.begin():
        connection.exec_driver_sql("SET FOREIGN_KEY_CHECKS = 0")
        for name in filled(connection):
            connection.execute(sqlalchemy.delete(metadata.tables[name]))
        connection.exec_driver_sql("SET FOREIGN_KEY_CHECKS = 1")
    return mariadb_schema


@pytest.fixture(params=["sqlite", "mariadb"])
def database(request: pytest.FixtureRequest) -> Database:
    """An empty database; the test runs once on each engine."""
    found: Database = request.getfixturevalue(f"{request.param}_database")
    return found


@pytest.fixture(scope="session")
def played_aws() -> Iterator[None]:
    """AWS as moto plays it, for all tests of a worker: making clients costs more than most tests do."""
    from moto import mock_aws

    with mock_aws():
        forget_aws()
        yield
    forget_aws()


@pytest.fixture
def aws(data_key: None) -> None:
    """Empty buckets and queues of the hub, and the data key. The way of real S3 clients is in tests/api."""
    empty_aws()


@pytest.fixture
def data_key(played_aws: None) -> None:
    """The secrets store holds the hub's own keys and nothing else: personal fields can be encrypted."""
    only_data_key()


def empty_aws() -> None:
    """The hub's buckets and queues, without anything in them.

    By moto's own functions: the same by requests takes longer than most tests do.
    """
    from moto.backends import get_backend
    from moto.core import DEFAULT_ACCOUNT_ID

    configured = settings()
    store = get_backend("s3")[DEFAULT_ACCOUNT_ID]["aws"]
    store.reset()
    for name in ("hub-in", "hub-archive", "hub-out", "hub-reject"):
        store.create_bucket(configured.bucket(name), "us-east-1")
    messages = get_backend("sqs")[DEFAULT_ACCOUNT_ID]["us-east-1"]
    messages.reset()
    for name in ("files", "deliveries", "backtests", "exports", "schedules"):
        messages.create_queue(configured.queue(name))
    queues.reset()


def only_data_key() -> None:
    """A secrets store with the hub's own keys, of personal fields and of the ledger's chain, and nothing else."""
    keeper = aws_clients.client("secretsmanager")
    for found in keeper.list_secrets(IncludePlannedDeletion=True)["SecretList"]:
        keeper.delete_secret(SecretId=found["ARN"], ForceDeleteWithoutRecovery=True)
    key = {"encrypt": "11" * 32, "index": "22" * 32}
    keeper.create_secret(
        Name=settings().secret("data-key"), SecretString=json.dumps({"current": "1", "keys": {"1": key}})
    )
    keeper.create_secret(
        Name=settings().secret("ledger-key"), SecretString=json.dumps({"current": "1", "keys": {"1": "33" * 32}})
    )
    secrets.forget()
    encryption.forget_keys()
    signing.forget_keys()


def forget_aws() -> None:
    """Clients, queue addresses and secrets of another AWS must not leak into the next test."""
    aws_clients.reset()
    queues.reset()
    secrets.forget()
    encryption.forget_keys()
    signing.forget_keys()
