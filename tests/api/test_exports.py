"""/v1/exports as callers see it: asked for, written by the workers, fetched by a link."""

import json
from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from chalicelib.access.scopes import PARTNER_SCOPES, Role, Scope
from chalicelib.files.exporting import running
from chalicelib.settings import settings
from chalicelib.storage import aws as aws_clients
from chalicelib.storage import objects, queues
from chalicelib.storage.engine import Database
from chalicelib.storage.ids import new_id
from tests.factories import points
from tests.factories.access import make_partner_key, make_user_key
from tests.factories.gateway import Answered, Api
from tests.factories.points import Earning

pytestmark = pytest.mark.usefixtures("aws")
Ask = Callable[..., Answered]


@pytest.fixture
def operator(database: Database) -> str:
    with database.write() as db:
        return make_user_key(db, Role.OPERATOR)[1]


@pytest.fixture
def earning(database: Database, aws: None) -> Earning:
    with database.write() as db:
        made = points.make_earning(db)
        points.earn(db, made)
    return made


@pytest.fixture
def own(database: Database, earning: Earning) -> str:
    """The partner's own key."""
    with database.write() as db:
        return make_partner_key(db, earning.partner.id)[1]


@pytest.fixture
def ask(api: Api, operator: str) -> Ask:
    def asked(key: str | None = None, **body: Any) -> Answered:
        sent = {"export": "balances_sfcc", **body}
        return api.post("/v1/exports", sent, key=key or operator, headers={"Idempotency-Key": new_id().hex()})

    return asked


def work(database: Database, edge_clock: Any) -> int:
    """Give the export worker each waiting message; how many there were."""
    url = queues.url_of(settings().queue("exports"))
    client, worked = aws_clients.client("sqs"), 0
    while found := client.receive_message(QueueUrl=url).get("Messages"):
        for message in found:
            running.handle(database, json.loads(message["Body"]), clock=lambda: edge_clock.now)
            client.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
            worked += 1
    return worked


class TestAsking:
    @pytest.mark.usefixtures("earning")
    def test_is_answered_at_once_and_written_by_a_worker(self, api, ask, database, edge_clock, operator):
        asked = ask()
        assert (asked.status, asked.json["state"], asked.json["file_seq"]) == (202, "queued", None)
        assert work(database, edge_clock) == 1

        shown = api.get(f"/v1/exports/{asked.json['id']}", key=operator).json

        assert (shown["state"], shown["file_seq"], shown["rows"], shown["control_sum"]) == ("written", 1, 1, "15")
        assert shown["receiver"] == "_commerce-cloud"
        assert shown["partner_id"] is None
        assert len(shown["sha256"]) == len(shown["layout_hash"]) == 64

    def test_by_a_partners_key_is_of_that_partner(self, api, ask, database, edge_clock, earning, own):
        asked = ask(own).json
        work(database, edge_clock)

        shown = api.get(f"/v1/exports/{asked['id']}", key=own).json

        assert shown["receiver"] == earning.partner.code
        assert shown["object_key"].startswith(f"{earning.partner.code}/balances_sfcc/")

    def test_for_a_period_twice_is_asking_once(self, ask, earning):
        period = {"export": "payroll_feed", "period_start": "2026-11-01", "period_end": "2026-11-15"}
        wanted = {**period, "partner_code": earning.partner.code}

        assert ask(**wanted).json["id"] == ask(**wanted).json["id"]

    @pytest.mark.parametrize(
        ("body", "status", "code"),
        [
            ({"export": "nothing"}, 404, "export_unknown"),
            ({"export": "expiry_notice"}, 422, "partner_missing"),
            ({"export": "payroll_feed", "mine": True, "mode": "delta"}, 422, "export_without_deltas"),
            ({"export": "payroll_feed", "mine": True}, 422, "export_period"),
            ({"export": "payroll_feed", "mine": True, "period_start": "2026-11-01"}, 422, "export_period"),
            (
                {"export": "payroll_feed", "mine": True, "period_start": "2026-11-02", "period_end": "2026-11-01"},
                422,
                "export_period",
            ),
            (
                {"export": "payroll_feed", "mine": True, "period_start": "2026-11-01", "period_end": "2026-11-20"},
                422,
                "period_not_over",
            ),
            ({"period_start": "2026-11-01", "period_end": "2026-11-02"}, 422, "export_period"),
            ({"reference": "stl_1"}, 422, "export_reference"),
        ],
    )
    def test_for_what_makes_no_sense_says_so(self, ask, earning, body, status, code):
        mine = {"partner_code": earning.partner.code} if "mine" in body else {}

        answer = ask(**{name: value for name, value in body.items() if name != "mine"}, **mine)

        assert (answer.status, answer.code) == (status, code), answer.text


class TestRights:
    def test_to_write_files_are_not_enough_to_read_balances_by_them(self, api, ask, database, edge_clock, earning, own):
        asked = ask(own).json
        work(database, edge_clock)
        with database.write() as db:
            _, weak = make_partner_key(db, earning.partner.id, scopes=PARTNER_SCOPES - {Scope.LEDGER_READ})

        refused, hidden = ask(weak), api.get(f"/v1/exports/{asked['id']}", key=weak)

        assert [(answer.status, answer.code) for answer in (refused, hidden)] == [(403, "scope_missing")] * 2

    def test_of_a_partner_do_not_reach_the_hubs_own_files(self, api, ask, database, edge_clock, own):
        hubs = ask().json
        work(database, edge_clock)

        assert api.get(f"/v1/exports/{hubs['id']}", key=own).status == 404
        assert api.get("/v1/exports", key=own).json["items"] == []

    def test_of_a_partner_do_not_reach_anothers(self, api, ask, database, edge_clock, earning, own):
        with database.write() as db:
            other = points.make_earning(db)
            _, others = make_partner_key(db, other.partner.id)
        asked = ask(own).json
        work(database, edge_clock)

        assert ask(others, partner_code=earning.partner.code).status == 404
        assert api.get(f"/v1/exports/{asked['id']}", key=others).status == 404


class TestTheLink:
    @pytest.mark.usefixtures("earning")
    def test_leads_to_the_file_for_five_minutes(self, api, ask, database, edge_clock, operator):
        asked = ask().json
        work(database, edge_clock)

        shown = api.get(f"/v1/exports/{asked['id']}", key=operator).json

        link = urlsplit(shown["link"])
        assert link.path.endswith(shown["object_key"])
        assert parse_qs(link.query)["X-Amz-Expires"] == ["300"]
        size = objects.head(running.bucket(), shown["object_key"])
        assert size is not None
        assert size.size == shown["size_bytes"]

    def test_is_not_there_before_the_file_is(self, api, ask, operator):
        asked = ask().json

        shown = api.get(f"/v1/exports/{asked['id']}", key=operator).json

        assert (shown["link"], shown["link_expires_at"]) == (None, None)


class TestTheList:
    def test_has_the_latest_first_and_goes_on(self, api, ask, operator):
        ids = [ask().json["id"] for _ in range(3)][::-1]

        first = api.get("/v1/exports", key=operator, params={"limit": 2}).json
        rest = api.get("/v1/exports", key=operator, params={"limit": 2, "cursor": first["next_cursor"]}).json

        assert [one["id"] for one in first["items"] + rest["items"]] == ids

    def test_is_filtered(self, api, ask, database, edge_clock, earning, operator):
        ask()
        work(database, edge_clock)
        waiting = ask(partner_code=earning.partner.code).json["id"]

        def found(**params: str) -> list[str]:
            return [one["id"] for one in api.get("/v1/exports", key=operator, params=params).json["items"]]

        assert found(state="queued") == found(partner_id=earning.partner.code) == [waiting]
        assert len(found(export="balances_sfcc")) == 2
        assert found(export="payroll_feed") == []
