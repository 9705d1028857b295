"""What is kept for a while only is forgotten each night."""

import importlib
from datetime import timedelta

from sqlalchemy import insert, select

from chalicelib.access import heartbeats, retention
from chalicelib.access.models import idempotency_record
from chalicelib.web import clock
from local import invocation
from local.event_sources import schedule_sources
from local.schedules import parse


def make_answers(database, now, *, how_many=1, age=timedelta()):
    """Kept answers of that age, under keys that tell it."""
    rows = [
        {
            "principal_id": b"p" * 16,
            "idempotency_key": f"{age.days} days, {number}",
            "route": "POST /v1/x",
            "request_hash": b"h" * 32,
            "created_at": now - age,
        }
        for number in range(how_many)
    ]
    with database.write() as db:
        db.execute(insert(idempotency_record), rows)


def kept(database):
    with database.read() as db:
        return sorted(db.execute(select(idempotency_record.c.idempotency_key)).scalars())


class TestForgetting:
    def test_takes_the_answers_that_are_older_than_a_week(self, database, now):
        for days in (0, 6, 8, 30):
            make_answers(database, now, age=timedelta(days=days))

        assert retention.forget(database, now=now) == 2
        assert kept(database) == ["0 days, 0", "6 days, 0"]

    def test_goes_on_until_nothing_old_is_left(self, database, now):
        make_answers(database, now, how_many=2_500, age=timedelta(days=8))

        assert retention.forget(database, now=now) == 2_500
        assert kept(database) == []


class TestTheSchedule:
    def test_forgets_each_night_and_says_that_it_ran(self, sqlite_database, now, monkeypatch):
        app = importlib.import_module("app")
        monkeypatch.setattr(app, "database", lambda: sqlite_database)
        monkeypatch.setattr(clock, "now", lambda: now)
        make_answers(sqlite_database, now, age=timedelta(days=8))

        [source] = [each for each in schedule_sources(app.app) if each.name == "retention"]
        source.handler(invocation.schedule_event(source.name, now), invocation.Context(source.name, 60))

        assert source.schedule == parse("cron(0 3 * * ? *)")
        assert kept(sqlite_database) == []
        with sqlite_database.read() as db:
            assert heartbeats.latest(db)["retention"].ok
