"""The edge: who may call, what a call is given, and what becomes of its answer and its errors."""

import logging
import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Annotated, Literal

import pytest
from pydantic import Field
from sqlalchemy import func, insert, select
from sqlalchemy.exc import OperationalError

from chalicelib.access import keys
from chalicelib.access.models import api_key, heartbeat
from chalicelib.access.scopes import Role, Scope
from chalicelib.errors import (
    Broken,
    Conflict,
    Fault,
    InvalidInput,
    NotFound,
    OtherContent,
    Unavailable,
    UnknownReference,
    Unprocessable,
)
from chalicelib.web import authentication
from chalicelib.web.answers import Answer, Attachment
from chalicelib.web.call import Call
from chalicelib.web.endpoint import endpoint
from chalicelib.web.paths import PartnerId
from chalicelib.web.registry import Open
from chalicelib.web.shapes import Body, Query, View
from tests.factories.access import CALLER, make_partner_key, make_user_key

PARTNER = b"p" * 16
READ, WRITE = Scope.MEMBERS_READ, Scope.MEMBERS_WRITE


class Said(View):
    text: str


class Note(Body):
    name: str
    mood: Literal["good", "bad"] = "good"


ThingId = Annotated[str, Field(description="A thing.")]
Number = Annotated[int, Field(description="Its number.")]


class Wanted(Query):
    loud: bool = Field(False, description="Whether to shout.")
    tag: list[str] = Field(default=[], description="May be given several times.")


def declare_reading(bench, **options):
    @endpoint(bench.blueprint, "GET /v1/things/{thing_id}", scope=READ, **options)
    def read_thing(call: Call, thing_id: ThingId, query: Wanted) -> Said:
        """Read a thing."""
        return Said(text=f"{thing_id} {query.loud} {','.join(query.tag)} {call.partner_scope}")


def declare_writing(bench, *, idempotent=True, then=lambda: None):
    @endpoint(bench.blueprint, "POST /v1/things", scope=WRITE, status=201, idempotent=idempotent)
    def make_thing(call: Call, body: Note) -> Said:
        """Make a thing."""
        call.db.execute(insert(heartbeat), {"name": body.name, "at": call.now, "ok": True})
        then()
        return Said(text=f"made {body.name} by {call.caller.actor[:3]}")


def effects(database):
    with database.read() as db:
        return db.execute(select(func.count()).select_from(heartbeat)).scalar_one()


@pytest.fixture
def partner_key(database):
    with database.write() as db:
        return make_partner_key(db, PARTNER)[1]


class TestAuthentication:
    def test_no_key_is_401_and_says_how(self, bench):
        declare_reading(bench)
        answer = bench.api.get("/v1/things/1")
        assert (answer.status, answer.code) == (401, "key_missing")
        assert answer.headers["WWW-Authenticate"] == 'Bearer realm="interline"'

    @pytest.mark.parametrize("header", ["Basic abc", "Bearer", "Bearer x", "ilk_a_b", "Bearer ilk_a_b"])
    def test_no_other_text_is_a_key(self, bench, header):
        declare_reading(bench)
        assert bench.api.get("/v1/things/1", headers={"Authorization": header}).status == 401

    def test_a_key_without_the_scope_is_403(self, bench, database):
        declare_reading(bench)
        with database.write() as db:
            _, text = make_partner_key(db, PARTNER, scopes={Scope.FILES_READ})
        answer = bench.api.get("/v1/things/1", key=text)
        assert (answer.status, answer.code) == (403, "scope_missing")
        assert READ in answer.json["detail"]

    def test_who_may_not_ask_is_not_told_what_is_wrong_with_the_request(self, bench):
        declare_writing(bench)
        assert bench.api.post("/v1/things", raw="{").status == 401

    def test_a_revoked_key_is_served_for_two_seconds_at_most(self, bench, database, now):
        declare_reading(bench)
        with database.write() as db:
            made, text = make_partner_key(db, PARTNER)
        statuses = [bench.api.get("/v1/things/1", key=text).status]
        with database.write() as db:
            keys.revoke(db, made.id, partner_id=None, caller=CALLER, now=now)
        for seconds in (1.9, 2.0):
            bench.now = now + timedelta(seconds=seconds)
            statuses.append(bench.api.get("/v1/things/1", key=text).status)
        assert statuses == [200, 200, 401]

    def test_a_busy_key_is_looked_up_once_and_its_use_noted_once(self, bench, database, partner_key, monkeypatch, now):
        declare_reading(bench)
        asked = []
        ask = keys.authenticate
        monkeypatch.setattr(keys, "authenticate", lambda *args, **more: asked.append(1) or ask(*args, **more))
        for seconds in (0, 1, 1.5, 2.5):
            bench.now = now + timedelta(seconds=seconds)
            bench.api.get("/v1/things/1", key=partner_key)
        with database.read() as db:
            noted = db.execute(select(api_key.c.last_used_at)).scalar_one()
        assert (len(asked), noted) == (2, now)

    def test_many_keys_do_not_fill_the_memory(self, bench, database, monkeypatch):
        declare_reading(bench)
        monkeypatch.setattr(authentication, "_KNOWN_MAX", 2)
        with database.write() as db:
            texts = [make_partner_key(db, PARTNER)[1] for _ in range(5)]
        for text in texts:
            assert bench.api.get("/v1/things/1", key=text).status == 200
        assert len(authentication._known) <= 2
        assert len(authentication._noted) <= 2


class TestCalls:
    def test_parameters_arrive_typed_and_decoded(self, bench, partner_key):
        declare_reading(bench)
        answer = bench.api.get("/v1/things/a%2Fb", key=partner_key, params={"loud": "true", "tag": ["x", "y"]})
        assert (answer.status, answer.json["text"]) == (200, f"a/b True x,y {PARTNER}")

    def test_an_answer_may_choose_its_status(self, bench, partner_key):
        @endpoint(bench.blueprint, "PUT /v1/things/{number}", scope=WRITE)
        def put_thing(call: Call, number: Number) -> Answer[Said]:
            """Put a thing."""
            return Answer(201 if number == 1 else 200, Said(text="put"))

        api = bench.api
        assert [api.put(f"/v1/things/{number}", key=partner_key).status for number in ("1", "2", "x")] == [
            201,
            200,
            404,
        ]

    def test_an_attachment_is_offered_as_a_file(self, bench, partner_key):
        @endpoint(bench.blueprint, "GET /v1/table", scope=READ)
        def table(call: Call) -> Said | Attachment:
            """A table."""
            return Attachment("a,b\n", "text/csv; charset=utf-8", "table.csv")

        answer = bench.api.get("/v1/table", key=partner_key)
        assert (answer.text, answer.headers["Content-Type"]) == ("a,b\n", "text/csv; charset=utf-8")
        assert answer.headers["Content-Disposition"] == 'attachment; filename="table.csv"'

    def test_nothing_is_204_without_a_body(self, bench, partner_key):
        @endpoint(bench.blueprint, "DELETE /v1/things/{thing_id}", scope=WRITE, status=204)
        def drop(call: Call, thing_id: ThingId) -> None:
            """Drop a thing."""

        answer = bench.api.delete("/v1/things/1", key=partner_key)
        assert (answer.status, answer.text) == (204, "")

    def test_what_writes_nothing_cannot_write(self, bench, database, partner_key):
        declare_writing(bench, idempotent=False)
        assert bench.api.post("/v1/things", {"name": "a"}, key=partner_key).status == 201
        assert effects(database) == 0

    def test_a_public_endpoint_has_neither_key_nor_transaction(self, bench):
        seen = []

        @endpoint(bench.blueprint, "GET /v1/open", scope=Open.PUBLIC, transaction=False)
        def opened(call: Call) -> Said:
            """Open."""
            for name in ("db", "principal", "partner_scope"):
                with pytest.raises(RuntimeError):
                    getattr(call, name)
                seen.append(name)
            return Said(text=call.caller.actor)

        assert bench.api.get("/v1/open").json == {"text": "anonymous"}
        assert len(seen) == 3

    def test_other_partners_data_is_not_there(self, bench, database, partner_key):
        @endpoint(bench.blueprint, "GET /v1/theirs/{partner}", scope=READ)
        def theirs(call: Call, partner: PartnerId) -> Said:
            """Theirs."""
            call.require_partner(partner.encode() * 16)
            return Said(text="seen")

        with database.write() as db:
            _, operator = make_user_key(db, Role.OPERATOR)
        assert bench.api.get("/v1/theirs/q", key=partner_key).status == 404
        assert bench.api.get("/v1/theirs/p", key=partner_key).status == 200
        assert bench.api.get("/v1/theirs/q", key=operator).status == 200

    def test_the_callers_correlation_id_goes_through(self, bench, partner_key):
        declare_reading(bench)
        given = bench.api.get("/v1/things/1", key=partner_key, headers={"X-Correlation-Id": "order-12345"})
        bad = bench.api.get("/v1/things/1", headers={"X-Correlation-Id": "x y\n"})
        assert given.headers["X-Correlation-Id"] == "order-12345"
        assert bad.headers["X-Correlation-Id"] == bad.json["trace_id"] != "x y\n"


class TestErrors:
    @pytest.mark.parametrize(
        ("error", "status", "code"),
        [
            (InvalidInput("no", code="mended"), 422, "mended"),
            (UnknownReference("no"), 422, "unknown_reference"),
            (Unprocessable("no"), 422, "unprocessable"),
            (NotFound("no"), 404, "not_found"),
            (Conflict("no"), 409, "conflict"),
            (OtherContent("no"), 409, "other_content"),
            (Unavailable("no", retry_after_s=7), 503, "unavailable"),
            (Broken("the secret inside"), 500, "broken_promise"),
            (ValueError("the secret inside"), 500, "internal_error"),
            (OperationalError("SELECT", {"x": "the secret inside"}, Exception(2013)), 503, "database_unavailable"),
            (OperationalError("SELECT", {}, Exception(1213, "deadlock")), 503, "database_unavailable"),
        ],
        ids=lambda value: type(value).__name__ if isinstance(value, Exception) else str(value),
    )
    def test_become_problem_documents(self, bench, partner_key, error, status, code):
        @endpoint(bench.blueprint, "GET /v1/fails", scope=READ)
        def fails(call: Call) -> Said:
            """Fail."""
            raise error

        answer = bench.api.get("/v1/fails", key=partner_key)
        assert (answer.status, answer.code, answer.json["status"]) == (status, code, status)
        assert answer.json["retryable"] is (status == 503)
        assert answer.json["trace_id"] == answer.headers["X-Correlation-Id"]
        assert "the secret inside" not in answer.text
        assert answer.headers.get("Retry-After") == (None if status != 503 else "7" if code == "unavailable" else "2")

    def test_faults_are_listed(self, bench, partner_key):
        @endpoint(bench.blueprint, "GET /v1/fails", scope=READ)
        def fails(call: Call) -> Said:
            """Fail."""
            raise InvalidInput("Two are wrong.", faults=[Fault("/a", "c", "m"), Fault("/b", "d", "n")])

        assert bench.api.get("/v1/fails", key=partner_key).json["faults"] == [
            {"pointer": "/a", "code": "c", "message": "m"},
            {"pointer": "/b", "code": "d", "message": "n"},
        ]

    def test_the_unexpected_is_logged_with_its_place_and_without_its_words(self, bench, partner_key, caplog):
        @endpoint(bench.blueprint, "GET /v1/fails", scope=READ)
        def fails(call: Call) -> Said:
            """Fail."""
            raise ValueError("the secret inside")

        with caplog.at_level(logging.INFO, "chalicelib"):
            bench.api.get("/v1/fails", key=partner_key)
        [record] = [record for record in caplog.records if record.levelno == logging.ERROR]
        assert record.exc_info[0] is ValueError
        assert "secret" not in record.getMessage()

    def test_a_method_that_the_path_does_not_take_is_405_in_the_same_shape(self, bench, partner_key):
        declare_reading(bench)
        answer = bench.api.delete("/v1/things/1", key=partner_key)
        assert (answer.status, answer.code, answer.headers["Allow"]) == (405, "method_not_allowed", "GET")

    def test_a_failed_write_leaves_nothing(self, bench, database, partner_key):
        def fail():
            raise Conflict("no")

        declare_writing(bench, then=fail)
        assert bench.api.post("/v1/things", {"name": "a"}, key=partner_key).status == 409
        assert effects(database) == 0

    def test_a_lost_race_is_tried_again_as_a_whole(self, bench, database, partner_key):
        lost = [Exception(1213, "deadlock"), Exception(1205, "timeout")]

        def lose():
            if lost:
                raise OperationalError("INSERT", {}, lost.pop())

        declare_writing(bench, then=lose)
        assert bench.api.post("/v1/things", {"name": "a"}, key=partner_key).status == 201
        assert (effects(database), lost) == (1, [])


@pytest.mark.usefixtures("data_key")
class TestAfterCommit:
    def declare(self, bench, seen, *, fails=False):
        @endpoint(bench.blueprint, "POST /v1/things", scope=WRITE, status=201, idempotent=True)
        def make_thing(call: Call, body: Note) -> Said:
            """Make a thing, and tell somebody."""
            call.db.execute(insert(heartbeat), {"name": body.name, "at": call.now, "ok": True})
            call.after_commit(lambda: seen.append(effects(call.database)))
            if fails:
                raise Conflict("No.")
            return Said(text="made")

    def test_what_was_asked_for_happens_once_the_effect_is_there(self, bench, partner_key):
        seen: list[int] = []
        self.declare(bench, seen)
        headers = {"Idempotency-Key": "k-1"}
        for _ in range(2):
            assert bench.api.post("/v1/things", {"name": "a"}, key=partner_key, headers=headers).status == 201
        assert seen == [1]

    def test_nothing_happens_after_a_refusal(self, bench, partner_key):
        seen: list[int] = []
        self.declare(bench, seen, fails=True)
        assert bench.api.post("/v1/things", {"name": "a"}, key=partner_key).status == 409
        assert seen == []


@pytest.mark.usefixtures("data_key")
class TestIdempotency:
    def post(self, bench, key, *, name="a", idempotency_key: str | None = "k-1"):
        headers = {} if idempotency_key is None else {"Idempotency-Key": idempotency_key}
        return bench.api.post("/v1/things", {"name": name}, key=key, headers=headers)

    def test_the_same_request_again_is_answered_the_same_without_effect(self, bench, database, partner_key):
        declare_writing(bench)
        first, second = self.post(bench, partner_key), self.post(bench, partner_key)
        assert (first.status, first.text) == (second.status, second.text) == (201, '{"text":"made a by key"}')
        assert "Idempotency-Replayed" not in first.headers
        assert second.headers["Idempotency-Replayed"] == "true"
        assert effects(database) == 1

    def test_another_body_under_the_same_key_is_refused(self, bench, database, partner_key):
        declare_writing(bench)
        self.post(bench, partner_key)
        answer = self.post(bench, partner_key, name="b")
        assert (answer.status, answer.code, effects(database)) == (422, "other_content", 1)

    def test_where_it_is_required_its_absence_is_refused(self, bench, database, partner_key):
        declare_writing(bench, idempotent="required")
        answer = self.post(bench, partner_key, idempotency_key=None)
        assert (answer.status, answer.code, effects(database)) == (400, "idempotency_key_missing", 0)
        assert self.post(bench, partner_key).status == 201

    @pytest.mark.parametrize("text", ["", "a b", "ä", "x" * 101])
    def test_a_malformed_key_is_refused(self, bench, partner_key, text):
        declare_writing(bench)
        assert self.post(bench, partner_key, idempotency_key=text).code == "idempotency_key_malformed"

    def test_a_refused_request_may_be_mended_under_the_same_key(self, bench, database, partner_key):
        problems = [Conflict("not yet")]

        def fail_once():
            if problems:
                raise problems.pop()

        declare_writing(bench, then=fail_once)
        assert [self.post(bench, partner_key).status for _ in range(2)] == [409, 201]
        assert effects(database) == 1

    def test_ten_at_once_have_one_effect_and_one_answer(self, bench, database, partner_key):
        numbers = iter(range(100))
        declare_writing(bench, then=lambda: next(numbers))
        api, together = bench.api, threading.Barrier(10, timeout=30)

        def send(_):
            together.wait()
            return api.post("/v1/things", {"name": "a"}, key=partner_key, headers={"Idempotency-Key": "k"})

        with ThreadPoolExecutor(10) as pool:
            answers = list(pool.map(send, range(10)))
        assert {(answer.status, answer.text) for answer in answers} == {(201, '{"text":"made a by key"}')}
        assert sum("Idempotency-Replayed" in answer.headers for answer in answers) == 9
        assert effects(database) == 1
