"""/v1/schedules: what the hub does by the clock, and doing it now."""

import importlib
import json
from datetime import UTC, datetime
from typing import Any

import pytest
from sqlalchemy import select

from chalicelib.access import heartbeats
from chalicelib.access.models import heartbeat
from chalicelib.access.scopes import Role
from chalicelib.files.exporting import jobs
from chalicelib.operations import schedules
from chalicelib.operations.firing import parse
from chalicelib.settings import settings
from chalicelib.storage import aws as aws_clients
from chalicelib.storage import queues
from chalicelib.storage.engine import Database
from chalicelib.storage.ids import new_id
from local.event_sources import schedule_sources
from tests.factories import points
from tests.factories.access import make_user_key
from tests.factories.gateway import Answered, Api

pytestmark = pytest.mark.usefixtures("aws")
NOW = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)


@pytest.fixture
def operator(database: Database) -> str:
    with database.write() as db:
        return make_user_key(db, Role.OPERATOR)[1]


def run(api: Api, key: str, name: str, **body: Any) -> Answered:
    headers = {"Idempotency-Key": new_id().hex()}
    return api.post(f"/v1/schedules/{name}/run", body, key=key, headers=headers)


def work(database: Database) -> list[dict[str, Any]]:
    """Give the worker what waits in the queue of jobs."""
    url = queues.url_of(settings().queue("schedules"))
    found = aws_clients.client("sqs").receive_message(QueueUrl=url, MaxNumberOfMessages=10).get("Messages", [])
    messages = [json.loads(message["Body"]) for message in found]
    for message in messages:
        schedules.handle(database, message, now=NOW)
    return messages


class TestTheList:
    def test_names_every_job_once(self):
        assert sorted(schedules.SCHEDULES) == sorted(each.name for each in schedules._ALL)

    def test_has_every_job_of_the_app_at_its_time(self):
        app = importlib.import_module("app").app
        registered = {source.name: source.schedule for source in schedule_sources(app)}

        assert {name: parse(each.when) for name, each in schedules.SCHEDULES.items()} == registered

    def test_says_when_a_job_last_ended(self, api: Api, database: Database, operator: str):
        with database.write() as db:
            heartbeats.beat(db, "expirations", ok=True, now=NOW)

        shown = {each["name"]: each for each in api.get("/v1/schedules", key=operator).json["schedules"]}

        assert shown["expirations"]["last_at"] == "2026-11-20T12:00:00Z"
        assert shown["retention"]["last_at"] is None
        assert (shown["expirations"]["by_date"], shown["outbox_pump"]["by_hand"]) == (True, False)

    def test_says_when_a_job_is_due_next_and_how_late_it_was(self, api: Api, database: Database, operator: str):
        with database.write() as db:
            heartbeats.beat(db, "expirations", ok=True, now=NOW.replace(hour=2, second=4))
            heartbeats.beat(db, "retention", ok=True, now=NOW.replace(day=19))

        shown = {each["name"]: each for each in api.get("/v1/schedules", key=operator).json["schedules"]}

        assert (shown["expirations"]["next_at"], shown["expirations"]["drift_s"]) == ("2026-11-21T02:00:00Z", 4)
        assert (shown["retention"]["next_at"], shown["retention"]["drift_s"]) == ("2026-11-21T03:00:00Z", 9 * 3600)
        assert (shown["close_outs"]["next_at"], shown["close_outs"]["drift_s"]) == ("2026-11-21T01:30:00Z", None)
        assert (shown["outbox_pump"]["next_at"], shown["outbox_pump"]["drift_s"]) == (None, None)


class TestRunning:
    def test_is_done_by_a_worker(self, api: Api, database: Database, operator: str):
        answer = run(api, operator, "balances_export")
        assert (answer.status, answer.json["queued"]) == (202, True)

        [message] = work(database)

        assert message["schedule"] == "balances_export"
        with database.read() as db:
            assert {file.request_key for file in jobs.newest_first(db, limit=10)} == {
                "hour 2026-11-20T12",
                "night 2026-11-20",
            }
            assert schedules.latest(db)["balances_export"].latest.at == NOW
            # The clock has not run it: it is not said to have.
            assert schedules.latest(db)["balances_export"].by_clock is None

    def test_for_a_business_date_twice_is_doing_it_once(self, api: Api, database: Database, operator: str):
        with database.write() as db:
            earning = points.make_earning(db, lots={"expires": {"days": 10}})
            points.earn(db, earning)
        for _ in range(2):
            assert run(api, operator, "expirations", business_date="2026-11-15").status == 202
            work(database)

        with database.read() as db:
            assert points.counters(db, earning.account_id)["debits_posted"] == 1500

    def test_of_a_date_that_is_to_come_does_nothing(self, api: Api, database: Database, operator: str):
        with database.write() as db:
            earning = points.make_earning(db, lots={"expires": {"days": 100}})
            points.earn(db, earning)
        run(api, operator, "expirations", business_date="2027-11-15")
        work(database)

        with database.read() as db:
            assert points.counters(db, earning.account_id)["debits_posted"] == 0

    def test_dry_only_says_what_it_would_do(self, api: Api, database: Database, operator: str):
        answer = run(api, operator, "balances_export", dry_run=True)

        assert answer.json["would"] == [
            "balances_sfcc, delta, hour 2026-11-20T12",
            "balances_sfcc, full, night 2026-11-20",
        ]
        assert work(database) == []

    @pytest.mark.parametrize(
        ("name", "body", "status", "code"),
        [
            ("nothing", {}, 404, "schedule_unknown"),
            ("outbox_pump", {}, 422, "schedule_busy"),
            ("balances_export", {"business_date": "2026-11-15"}, 422, "schedule_without_date"),
            ("hold_sweeper", {"dry_run": True}, 422, "schedule_without_dry_run"),
        ],
    )
    def test_says_what_cannot_be_run(self, api: Api, operator: str, name: str, body: Any, status: int, code: str):
        answer = run(api, operator, name, **body)

        assert (answer.status, answer.code) == (status, code)

    def test_of_a_foreign_message_is_acknowledged(self, database: Database):
        schedules.handle(database, {"schedule": "nothing"}, now=NOW)
        schedules.handle(database, {"other": 1}, now=NOW)

        with database.read() as db:
            assert db.execute(select(heartbeat)).all() == []
