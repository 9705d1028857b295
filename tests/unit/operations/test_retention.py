"""What has been kept for long enough goes by its class, and what points are worth never does."""

import gzip
import importlib
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import Table, func, insert, select

from chalicelib.access import heartbeats
from chalicelib.access.models import audit_event, idempotency_record
from chalicelib.deliveries.models import delivery_attempt
from chalicelib.files.formats import archive, redacting
from chalicelib.files.models.files import file_row_fix
from chalicelib.operations import erasure, retaining, schedules
from chalicelib.operations.retaining import CLASSES, NeverForgotten, TooShort
from chalicelib.partners.members import members
from chalicelib.points.models.ledger import transfer
from chalicelib.points.proof import checks, sealed
from chalicelib.settings import settings
from chalicelib.storage import engine, objects
from chalicelib.storage.ids import new_id, public_id
from chalicelib.web import authentication
from local import invocation
from local.event_sources import schedule_sources
from tests.factories.access import make_partner_key, make_user_key
from tests.factories.erasure import NUMBER, named
from tests.factories.gateway import Api
from tests.factories.partners import CALLER, apply_rows, roster_row


def years_on(years: int) -> datetime:
    """So long after what a test has made."""
    return datetime.now(UTC) + timedelta(days=366 * years)


def keep(hub, name, days):
    with hub.database.write() as db:
        return retaining.change(db, name, days, caller=CALLER, now=hub.clock())


def counted(hub, now):
    with hub.database.read() as db:
        return {policy.of.name: count for policy, count in retaining.preview(db, now)}


def rows_of(hub, table):
    with hub.database.read() as db:
        return db.execute(select(func.count()).select_from(table)).scalar_one()


@pytest.mark.usefixtures("full")
class TestTheNightlyRun:
    def test_of_a_young_hub_lets_nothing_go(self, hub):
        before = named(hub.database)

        assert not any(retaining.run(hub.database, now=hub.clock()).values())
        assert named(hub.database) == before

    def test_lets_each_class_go_as_a_dry_run_said(self, hub):
        _attempt(hub)
        wanted = counted(hub, years_on(2))

        gone = retaining.run(hub.database, now=years_on(2))

        assert wanted == gone | {"archives": 0, "former_members": 0}
        assert {name for name, count in gone.items() if count} == {
            "answers", "attempts", "document_persons", "rejected_rows", "refused_files", "sent_files"
        }  # fmt: skip
        assert not any(counted(hub, years_on(2)).values())
        assert not any(retaining.run(hub.database, now=years_on(2)).values())

    def test_leaves_the_ledger_and_every_decision_alone(self, hub):
        for name in ("archives", "former_members"):
            keep(hub, name, 365)
        held = {kept.table: rows_of(hub, kept.table) for kept in sealed.KEPT}

        retaining.run(hub.database, now=years_on(30))

        assert held[transfer] > 0
        assert {table: rows_of(hub, table) for table in held} == held
        with hub.database.read() as db:
            assert checks.check(db) == []

    def test_masks_refused_rows_and_keeps_why_they_were_refused(self, hub):
        reasons = [(row.row_no, row.outcome, row.code) for row in hub.rows("dirty.csv")]

        retaining.run(hub.database, now=years_on(2))

        assert [(row.row_no, row.outcome, row.code) for row in hub.rows("dirty.csv")] == reasons
        assert not named(hub.database) & {"file_row.raw", "file_row_fix.cells"}
        assert rows_of(hub, file_row_fix) == 2

    def test_lets_archives_go_only_when_somebody_says_so(self, hub):
        file = hub.file("packed.csv.gz")
        key = archive.key_of("acme", file.sha256)
        retaining.run(hub.database, now=years_on(9))
        assert key in hub.keys("hub-archive")

        keep(hub, "archives", 365)
        assert retaining.run(hub.database, now=years_on(2))["archives"] == 9

        assert not [name for name in hub.keys("hub-archive") if name.endswith((".csv", ".original"))]
        record, signed = redacting.read_record("acme", file.sha256)
        assert (signed, record.file_sha256) == (True, file.sha256.hex())

    def test_erases_who_left_long_ago(self, hub, full):
        gone = roster_row(NUMBER, action="T", term_date=datetime(2026, 11, 10, tzinfo=UTC).date())
        with hub.database.write() as db:
            row = gone | {"effective_date": datetime(2026, 11, 11, tzinfo=UTC).date()}
            assert apply_rows(db, hub.partner, [row]) == ["accepted"]
        keep(hub, "former_members", 365)

        assert retaining.run(hub.database, now=years_on(2))["former_members"] == 1
        erasure.run(hub.database, clock=hub.clock)

        assert named(hub.database) == set()
        with hub.database.read() as db:
            assert members.by_ids(db, [full.id])[full.id].employee_id.startswith("erased-")

    def test_says_in_the_audit_trail_what_went(self, hub):
        retaining.run(hub.database, now=years_on(2))

        with hub.database.read() as db:
            assert "retention.run" in set(db.execute(select(audit_event.c.action)).scalars())


def _attempt(hub):
    row = {"id": new_id(), "partner_id": hub.partner.id, "delivery_id": new_id(), "attempt": 1, "request": "{}"}
    with hub.database.write() as db:
        db.execute(insert(delivery_attempt), {**row, "started_at": hub.clock()})


class TestAPolicy:
    def test_is_the_default_until_somebody_says_otherwise(self, hub):
        with hub.database.read() as db:
            assert {policy.of.name: policy.days for policy in retaining.policies(db)} == {
                name: of.days for name, of in CLASSES.items()
            }

    def test_changes_from_the_next_run_on(self, hub):
        old = {"principal_id": b"p" * 16, "idempotency_key": "k", "route": "r", "request_hash": b"h" * 32}
        with hub.database.write() as db:
            db.execute(insert(idempotency_record), {**old, "created_at": hub.clock() - timedelta(days=10)})
        keep(hub, "answers", 30)
        assert retaining.run(hub.database, now=hub.clock())["answers"] == 0

        keep(hub, "answers", 9)
        assert retaining.run(hub.database, now=hub.clock())["answers"] == 1

    def test_for_ever_is_for_ever(self, hub):
        keep(hub, "answers", None)

        assert "answers" not in retaining.run(hub.database, now=years_on(90))

    @pytest.mark.parametrize(("name", "days"), [("archives", 364), ("rejected_rows", 29), ("sent_files", 40_000)])
    def test_that_breaks_a_promise_is_refused(self, hub, name, days):
        with pytest.raises(TooShort):
            keep(hub, name, days)

    @pytest.mark.parametrize("name", ["ledger", "decisions", "versions", "audit"])
    def test_of_what_points_are_worth_is_refused(self, hub, name):
        with pytest.raises(NeverForgotten):
            keep(hub, name, 3650)


def test_no_class_deletes_from_a_table_of_the_ledger():
    source = importlib.import_module("chalicelib.operations.forgetting")
    tables = {value.name for value in vars(source).values() if isinstance(value, Table)}

    assert tables & {kept.table.name for kept in sealed.KEPT} == set()


class TestTheSchedule:
    def test_forgets_each_night_and_says_that_it_ran(self, hub, monkeypatch):
        app = importlib.import_module("app")
        monkeypatch.setattr(app, "database", lambda: hub.database)
        objects.put(settings().bucket("hub-out"), "acme/old.csv", gzip.compress(b""))
        monkeypatch.setattr(app.clock, "now", lambda: years_on(2))

        [source] = [each for each in schedule_sources(app.app) if each.name == "retention"]
        source.handler(invocation.schedule_event(source.name, years_on(2)), invocation.Context(source.name, 60))

        assert hub.keys("hub-out") == []
        with hub.database.read() as db:
            assert heartbeats.latest(db)["retention"].ok
            assert schedules.preview(db, "retention", None, now=years_on(2))[0].startswith("answers: 0 older than 7")


class TestTheEndpoints:
    @pytest.fixture
    def api(self, hub, monkeypatch):
        app = importlib.import_module("app")
        monkeypatch.setattr(engine, "database", lambda: hub.database)
        authentication.forget()
        yield Api(app.app)
        authentication.forget()

    def test_list_and_change_policies(self, hub, api):
        with hub.database.write() as db:
            user, key = make_user_key(db)

        changed = api.request("PUT", "/v1/retention/attempts", key=key, body={"days": 10})
        shown = api.get("/v1/retention", key=key).json["classes"]

        assert (changed.status, changed.json["days"], changed.json["days_default"]) == (200, 10, 90)
        assert changed.json["changed_by"] == public_id("usr", user.user_id)
        assert {each["data_class"]: each["days"] for each in shown}["attempts"] == 10
        refused = api.request("PUT", "/v1/retention/ledger", key=key, body={"days": 10})
        assert (refused.status, refused.code) == (422, "never_forgotten")

    def test_are_not_a_partners(self, hub, api):
        with hub.database.write() as db:
            _, key = make_partner_key(db, hub.partner.id)
            _, bound = make_user_key(db, partner_id=hub.partner.id)

        assert api.get("/v1/retention", key=key).status == 403
        assert api.get("/v1/retention", key=bound).status == 403
