"""Back-tests over the API: asked for, run by the workers' own handler, and read in points."""

import csv
import importlib
import json
from datetime import timedelta
from decimal import Decimal

import pytest

from chalicelib.access.scopes import Role, Scope
from chalicelib.settings import settings
from chalicelib.storage import aws as clients
from chalicelib.storage.ids import public_id
from local import invocation
from tests.factories import backtests, partners, points, rules
from tests.factories.access import make_user_key

pytestmark = pytest.mark.usefixtures("aws")


@pytest.fixture
def key(database):
    with database.write() as db:
        return make_user_key(db)[1]


@pytest.fixture
def earning(database, api):
    """E1 and E2 with some hours behind them; version 1 gives 1.5 points an hour."""
    with database.write() as db:
        made = points.make_earning(db)
        partners.make_member(db, made.partner, "E2")
        hours = [points.event(event_id="e1"), points.event(event_id="e2", quantity=Decimal(4), employee_id="E2")]
        points.record(db, made.partner, [*hours, points.event(event_id="e3", quantity=Decimal(13))])
    return made


@pytest.fixture
def run(database, monkeypatch):
    """Work on the messages of the queue by the handler that the app registers."""
    app = importlib.import_module("app")
    monkeypatch.setattr(app, "database", lambda: database)

    def work():
        sqs = clients.client("sqs")
        queue = settings().queue("backtests")
        url = sqs.get_queue_url(QueueName=queue)["QueueUrl"]
        messages = sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10, AttributeNames=["All"]).get("Messages", [])
        for message in messages:
            event = invocation.sqs_event(queue, [{"MessageAttributes": {}, **message}])
            app.app.handler_map["backtest_runner"](event, invocation.Context("backtest_runner", 900.0))
        return len(messages)

    return work


def saved(database, earning, rate="2", **changes):
    """The number of a draft."""
    with database.write() as db:
        document = rules.accrual_document(f"{earning.partner.code}.accrual", rate=rate, **changes)
        return backtests.draft(db, earning.partner.id, document).number


def start(api, key, earning, version, **body):
    return api.post(
        f"/v1/rulesets/{earning.partner.code}.accrual/versions/{version}/backtests",
        {"from_date": "2026-11-01", **body},
        key=key,
        headers={"Idempotency-Key": f"one-{version}"},
    )


class TestABacktest:
    def test_is_accepted_run_and_shown_in_points(self, api, key, database, earning, run):
        asked = start(api, key, earning, saved(database, earning))
        assert (asked.status, asked.json["state"], asked.json["events_total"]) == (202, "queued", None)
        path = f"/v1/backtests/{asked.json['id']}"

        assert run() == 1

        done = api.get(path, key=key).json
        assert (done["state"], done["events_done"], done["events_total"]) == ("done", 3, 3)
        assert len(done["data_hash"]) == len(done["result_hash"]) == 64
        assert done["units"] == [
            {"unit": "points", "points_then": "40.50", "points_now": "54.00", "difference": "13.50"}
        ]
        [program] = done["programs"]
        assert (program["program_code"], program["events"], program["members"]) == ("uniform", 3, 2)
        assert program["changes"]["more"] == 3
        assert done["decided_by"] == [
            {
                "ruleset": f"{earning.partner.code}.accrual",
                "version": 1,
                "version_id": public_id("rsv", earning.version.version_id),
                "events": 3,
            }
        ]

    def test_shows_the_biggest_movers_with_both_traces(self, api, key, database, earning, run):
        asked = start(api, key, earning, saved(database, earning)).json
        run()

        done = api.get(f"/v1/backtests/{asked['id']}", key=key).json

        assert [(each["employee_id"], each["difference"]) for each in done["members_moved"]] == [
            ("E1", "11.50"),
            ("E2", "2.00"),
        ]
        assert [each["event_id"] for each in done["events_moved"]] == ["e3", "e1", "e2"]
        first = done["events_moved"][0]
        assert first == done["members_moved"][0]["biggest"]
        assert first["trace_then"]["outputs"] == {"points": "19.50"}
        assert first["trace_now"]["outputs"] == {"points": "26.00"}

    def test_names_the_records_that_are_refused_now(self, api, key, database, earning, run):
        gap = {"-": [{"var": "quantity"}, 13]}
        output = {"type": "decimal", "scale": 2, "rounding": "half_up", "expr": {"/": [{"*": [gap, 2]}, gap]}}
        case = {
            "name": "two points",
            "as_of": "2026-11-02",
            "given": {"status": "active", "quantity": "1"},
            "expect": {"points": "2.00"},
        }
        asked = start(api, key, earning, saved(database, earning, outputs={"points": output}, cases=[case])).json
        run()

        path = f"/v1/backtests/{asked['id']}"
        [refused] = api.get(f"{path}/records", key=key).json["items"]
        assert (refused["change"], refused["event_id"], refused["points_then"]) == ("refused", "e3", "19.50")
        assert (refused["code"], refused["field"]) == ("rule_refused", "quantity")
        assert api.get(f"{path}/records", key=key, params={"change": "accepted"}).json["items"] == []
        done = api.get(path, key=key).json
        assert done["reasons"] == [{"change": "refused", "reason": "rule_refused quantity", "records": 1}]
        moved = done["events_moved"][0]
        assert (moved["event_id"], moved["points_now"]) == ("e3", "0.00")
        assert moved["refused_because"].startswith(f"{earning.partner.code}.accrual: ")
        assert moved["trace_now"]["faults"] != []

    def test_lists_members_in_pages_and_as_csv(self, api, key, database, earning, run):
        asked = start(api, key, earning, saved(database, earning)).json
        run()
        path = f"/v1/backtests/{asked['id']}/members"

        first = api.get(path, key=key, params={"limit": 1}).json
        second = api.get(path, key=key, params={"limit": 1, "cursor": first["next_cursor"]}).json
        text = api.get(path, key=key, params={"format": "csv", "changed": "true"})

        listed = {each["employee_id"]: each for each in (*first["items"], *second["items"])}
        assert second["next_cursor"] is None
        assert {name: each["difference"] for name, each in listed.items()} == {"E1": "11.50", "E2": "2.00"}
        assert text.headers["Content-Type"].startswith("text/csv")
        rows = {row["employee_id"]: row for row in csv.DictReader(text.text.splitlines())}
        assert (rows["E2"]["points_then"], rows["E2"]["points_now"], rows["E2"]["difference"]) == (
            "6.00",
            "8.00",
            "2.00",
        )

    def test_that_is_cancelled_is_not_run(self, api, key, database, earning, run):
        asked = start(api, key, earning, saved(database, earning)).json
        path = f"/v1/backtests/{asked['id']}"

        assert api.post(f"{path}/cancel", key=key).json["state"] == "cancelled"
        run()

        found = api.get(path, key=key).json
        assert (found["state"], found["events_done"], found["result_hash"]) == ("cancelled", 0, None)

    def test_is_listed_by_ruleset_and_state(self, api, key, database, earning, run):
        asked = start(api, key, earning, saved(database, earning)).json
        run()

        def listed(**params):
            return [each["id"] for each in api.get("/v1/backtests", key=key, params=params).json["items"]]

        assert listed(ruleset_id=f"{earning.partner.code}.accrual", state="done") == [asked["id"]]
        assert listed(state="queued") == []
        assert listed(ruleset_id="other.accrual") == []

    def test_of_a_lost_message_is_found_by_the_sweeper(self, api, key, database, earning, run, edge_clock):
        app = importlib.import_module("app")
        asked = start(api, key, earning, saved(database, earning)).json
        clients.client("sqs").purge_queue(
            QueueUrl=clients.client("sqs").get_queue_url(QueueName=settings().queue("backtests"))["QueueUrl"]
        )
        assert run() == 0
        edge_clock.now += timedelta(minutes=2)

        app.app.handler_map["backtest_sweeper"](
            invocation.schedule_event("backtest_sweeper", edge_clock.now), invocation.Context("backtest_sweeper", 60.0)
        )

        assert run() == 1
        assert api.get(f"/v1/backtests/{asked['id']}", key=key).json["state"] == "done"


class TestAnotherPartner:
    def test_sees_nothing_of_it(self, api, key, database, earning):
        asked = start(api, key, earning, saved(database, earning)).json
        with database.write() as db:
            stranger = points.make_earning(db)
            theirs = make_user_key(db, Role.ADMIN, partner_id=stranger.partner.id)[1]

        for path in ("", "/members", "/records"):
            assert api.get(f"/v1/backtests/{asked['id']}{path}", key=theirs).status == 404
        assert api.post(f"/v1/backtests/{asked['id']}/cancel", key=theirs).status == 404
        assert start(api, theirs, earning, 1).status == 404
        assert api.get("/v1/backtests", key=theirs).json["items"] == []

    def test_is_not_asked_about_by_naming_it(self, api, key, database, earning):
        with database.write() as db:
            stranger = points.make_earning(db)
        answer = start(api, key, earning, 1, partner_code=stranger.partner.code)
        assert answer.status == 404

    def test_needs_to_be_named_for_a_ruleset_that_everybody_uses(self, api, key, database, earning, run):
        with database.write() as db:
            shared = backtests.draft(db, None, rules.accrual_document("everybodys", rate="3"))
        path = f"/v1/rulesets/everybodys/versions/{shared.number}/backtests"
        body = {"from_date": "2026-11-01", "program_codes": ["uniform"]}

        unnamed = api.post(path, body, key=key, headers={"Idempotency-Key": "a"})
        named = api.post(path, body | {"partner_code": earning.partner.code}, key=key, headers={"Idempotency-Key": "b"})
        run()

        assert (unnamed.status, unnamed.code) == (422, "partner_missing")
        done = api.get(f"/v1/backtests/{named.json['id']}", key=key).json
        assert json.dumps(done["units"][0]["points_now"]) == '"81.00"'


class TestAKeyThatMayNotReadRecords:
    def test_sees_no_figures_of_members(self, api, key, database, earning, run):
        asked = start(api, key, earning, saved(database, earning)).json
        run()
        with database.write() as db:
            blind = make_user_key(db, Role.APPROVER, scopes={Scope.RULES_READ, Scope.RULES_APPROVE})[1]

        for path in ("", "/members", "/records"):
            refused = api.get(f"/v1/backtests/{asked['id']}{path}", key=blind)
            assert (refused.status, refused.code) == (403, "scope_missing")
            assert "accruals:read" in refused.text
        csv_refused = api.get(f"/v1/backtests/{asked['id']}/members", key=blind, params={"format": "csv"})
        assert csv_refused.code == "scope_missing"
        assert [each["id"] for each in api.get("/v1/backtests", key=blind).json["items"]] == [asked["id"]]
