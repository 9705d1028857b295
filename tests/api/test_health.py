"""/v1/health and the OpenAPI document as callers see them."""

from datetime import timedelta

import pytest
from sqlalchemy import update
from sqlalchemy.exc import OperationalError

from chalicelib.access import heartbeats
from chalicelib.access.scopes import PARTNER_SCOPES, Scope
from chalicelib.deliveries.models import delivery, target
from chalicelib.operations import readiness
from chalicelib.settings import settings
from chalicelib.storage import aws as aws_clients
from chalicelib.storage import engine
from chalicelib.storage.ids import new_id
from tests.factories.access import make_partner_key


@pytest.fixture
def database(sqlite_database):
    """One engine is enough: the functions below are tested on both."""
    return sqlite_database


@pytest.fixture
def working(database, now):
    with database.write() as db:
        for name in readiness.WORKERS:
            heartbeats.beat(db, name, ok=True, now=now)


@pytest.fixture
def overdue(database, now):
    """A message that has been due for twenty minutes."""
    since = now - timedelta(minutes=20)
    target_id, moments = new_id(), {"created_at": since, "changed_at": since}
    with database.write() as db:
        db.execute(
            target.insert(),
            {
                **moments,
                "id": target_id,
                "partner_id": new_id(),
                "code": "store",
                "connector": "sfcc_customers",
                "config": "{}",
                "secret_name": "s",
                "mapping_code": "m",
                "status": "active",
                "inflight_max": 1,
                "batch_max": 1,
                "timeout_s": 1,
                "attempts_max": 1,
                "age_max_s": 1,
            },
        )
        db.execute(
            delivery.insert(),
            {
                **moments,
                "id": new_id(),
                "partner_id": new_id(),
                "target_id": target_id,
                "kind": "state",
                "entity": "balance",
                "entity_key": "k",
                "state": "ready",
                "next_at": since,
            },
        )


def failing(answer):
    return {fault["pointer"] for fault in answer.json["faults"]}


class TestLiveness:
    def test_touches_nothing(self, api, monkeypatch):
        def refuse(*_):
            raise AssertionError("liveness asked the database")

        monkeypatch.setattr(engine.Database, "read", refuse)
        monkeypatch.setattr(aws_clients, "client", refuse)
        answer = api.get("/v1/health")
        assert (answer.status, answer.json) == (200, {"status": "alive"})


class TestRefusalsOfTheFramework:
    def test_have_the_shape_of_every_other_refusal(self, api):
        answer = api.delete("/v1/health")
        assert (answer.status, answer.code, answer.headers["Allow"]) == (405, "method_not_allowed", "GET")


@pytest.mark.usefixtures("aws")
class TestReadiness:
    @pytest.mark.usefixtures("working")
    def test_is_200_when_every_part_works(self, api):
        answer = api.get("/v1/health/ready")
        assert (answer.status, answer.json["status"]) == (200, "ready")
        assert [part["part"] for part in answer.json["parts"]] == [
            "database",
            "files store",
            "queues",
            "secrets",
            "outbox",
            *readiness.WORKERS,
        ]

    def test_names_workers_that_never_ran(self, api):
        answer = api.get("/v1/health/ready")
        assert (answer.status, answer.code, failing(answer)) == (503, "not_ready", set(readiness.WORKERS))
        assert answer.json["retryable"]

    @pytest.mark.usefixtures("working")
    def test_names_the_workers_while_the_tables_are_still_to_be_made(self, api, database):
        with database.write() as db:
            db.exec_driver_sql("ALTER TABLE heartbeat RENAME TO heartbeat_elsewhere")
        try:
            answer = api.get("/v1/health/ready")
        finally:
            with database.write() as db:
                db.exec_driver_sql("ALTER TABLE heartbeat_elsewhere RENAME TO heartbeat")
        assert (answer.status, answer.code) == (503, "not_ready")
        assert failing(answer) == set(readiness.WORKERS)

    @pytest.mark.usefixtures("working")
    def test_names_a_worker_that_fell_silent(self, api, database, edge_clock):
        edge_clock.now += timedelta(minutes=5)
        with database.write() as db:
            heartbeats.beat(db, "outbox_pump", ok=True, now=edge_clock.now)
        assert failing(api.get("/v1/health/ready")) == {"intake_sweeper"}

    @pytest.mark.usefixtures("working")
    def test_names_a_worker_whose_last_run_failed(self, api, database, now):
        with database.write() as db:
            heartbeats.beat(db, "outbox_pump", ok=False, now=now)
        assert failing(api.get("/v1/health/ready")) == {"outbox_pump"}

    @pytest.mark.usefixtures("working")
    @pytest.mark.parametrize(
        ("part", "service", "call", "name"),
        [
            ("files store", "s3", "delete_bucket", {"Bucket": "hub-in"}),
            ("queues", "sqs", "delete_queue", None),
            ("secrets", "secretsmanager", "delete_secret", {"SecretId": "interline/data-key"}),
        ],
    )
    def test_names_what_is_missing_in_aws(self, api, part, service, call, name):
        client = aws_clients.client(service)
        if name is None:
            name = {"QueueUrl": client.get_queue_url(QueueName=settings().queue("deliveries"))["QueueUrl"]}
        getattr(client, call)(**name)
        assert failing(api.get("/v1/health/ready")) == {part}

    @pytest.mark.usefixtures("working", "overdue")
    def test_names_the_outbox_when_messages_lie_still(self, api):
        assert failing(api.get("/v1/health/ready")) == {"outbox"}

    @pytest.mark.usefixtures("working", "overdue")
    @pytest.mark.parametrize("known", [{"status": "paused"}, {"breaker_until": timedelta(minutes=1)}])
    def test_a_target_that_is_known_to_be_down_is_not_our_standstill(self, api, database, now, known):
        values = {name: now + value if isinstance(value, timedelta) else value for name, value in known.items()}
        with database.write() as db:
            db.execute(update(target).values(values))
        assert api.get("/v1/health/ready").status == 200

    def test_names_the_database_when_it_does_not_answer(self, api, monkeypatch):
        def refuse(_):
            raise OperationalError("SELECT 1", {}, Exception("gone"))

        monkeypatch.setattr(engine.Database, "read", refuse)
        assert "database" in failing(api.get("/v1/health/ready"))


class TestTheOpenApiDocument:
    def operations(self, answer):
        return {f"{method.upper()} {path}" for path, methods in answer.json["paths"].items() for method in methods}

    def test_is_public_and_whole(self, api):
        answer = api.get("/v1/openapi.json")
        assert {"GET /v1/health", "POST /v1/accruals", "POST /v1/users"} <= self.operations(answer)

    def test_with_a_key_it_shows_what_the_key_may_call(self, api, database):
        with database.write() as db:
            _, partner = make_partner_key(db, new_id())
            _, narrow = make_partner_key(db, new_id(), scopes={Scope.ACCRUALS_WRITE})
        assert Scope.USERS_ADMIN not in PARTNER_SCOPES
        assert "POST /v1/users" not in self.operations(api.get("/v1/openapi.json", key=partner))
        assert "POST /v1/accruals" in self.operations(api.get("/v1/openapi.json", key=narrow))
        assert "GET /v1/accruals" not in self.operations(api.get("/v1/openapi.json", key=narrow))

    def test_with_a_wrong_key_it_is_refused(self, api):
        assert api.get("/v1/openapi.json", key="ilk_a_b").status == 401
