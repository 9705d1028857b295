"""The schedules of the points room, as the app registers them."""

import importlib
from datetime import UTC, datetime, timedelta

import pytest

from chalicelib.access import heartbeats
from chalicelib.operations.firing import parse
from chalicelib.points.spending import holds
from chalicelib.web import clock
from local import invocation
from local.event_sources import schedule_sources
from tests.factories.partners import apply_rows, roster_row
from tests.factories.points import NOW, available, counters, earn, hold, make_earning


def run(name, database, at, monkeypatch):
    app = importlib.import_module("app")
    monkeypatch.setattr(app, "database", lambda: database)
    monkeypatch.setattr(clock, "now", lambda: at)
    [source] = [each for each in schedule_sources(app.app) if each.name == name]
    source.handler(invocation.schedule_event(source.name, at), invocation.Context(source.name, 60))
    return source.schedule


@pytest.mark.usefixtures("provable", "data_key")
class TestSchedules:
    def test_give_back_what_baskets_held_too_long(self, database, earning, monkeypatch):
        with database.write() as db:
            earn(db, earning)
            placed = hold(db, earning, 100, ttl_s=60)

        schedule = run("hold_sweeper", database, NOW + timedelta(minutes=5), monkeypatch)

        assert schedule == parse("rate(5 minutes)")
        with database.read() as db:
            assert holds.by_id(db, placed.id).state == "expired"
            assert available(db, earning) == (1500, 0)
            assert heartbeats.latest(db)["hold_sweeper"].ok

    def test_post_what_was_not_spent(self, database, earning, monkeypatch):
        with database.write() as db:
            earn(db, earning)

        schedule = run("expirations", database, datetime(2028, 11, 4, 2, tzinfo=UTC), monkeypatch)

        assert schedule == parse("cron(0 2 * * ? *)")
        with database.read() as db:
            assert counters(db, earning.account_id)["debits_posted"] == 1500
            assert heartbeats.latest(db)["expirations"].ok

    def test_grant_what_programs_give_by_themselves(self, database, monkeypatch):
        with database.write() as db:
            hire = {"code": "starter", "on": "anniversary", "event_type": "ANNIVERSARY", "quantity": "10"}
            granting = make_earning(db, terms={"grants": [hire]})

        schedule = run("periodic_accruals", database, NOW, monkeypatch)

        assert schedule == parse("cron(0 1 * * ? *)")
        with database.read() as db:
            # Hired on 1 October 2024: one anniversary since the program began.
            assert available(db, granting) == (1500, 0)
            assert heartbeats.latest(db)["periodic_accruals"].ok

    def test_take_the_points_of_who_has_left(self, database, monkeypatch):
        with database.write() as db:
            leaving = make_earning(db, terms={"termination": {"policy": "forfeit"}})
            earn(db, leaving)
            last_day = NOW.date()
            row = roster_row(action="T", term_date=last_day, effective_date=last_day + timedelta(days=1))
            assert apply_rows(db, leaving.partner, [row]) == ["accepted"]

        schedule = run("close_outs", database, NOW + timedelta(days=1), monkeypatch)

        assert schedule == parse("cron(30 1 * * ? *)")
        with database.read() as db:
            assert available(db, leaving) == (0, 0)
            assert heartbeats.latest(db)["close_outs"].ok
