"""Parsing: every fault is named with its place, and nothing is repaired or guessed."""

from decimal import Decimal
from typing import Any

import pytest
from pydantic import ConfigDict, Field, JsonValue
from typing_extensions import TypedDict

from chalicelib.access.scopes import Scope
from chalicelib.web.amounts import DecimalText
from chalicelib.web.call import Call
from chalicelib.web.endpoint import endpoint
from chalicelib.web.pages import PageQuery
from chalicelib.web.shapes import Body, Day, View
from tests.factories.access import make_partner_key


class Line(Body):
    amount: DecimalText
    on: Day | None = None


class Order(Body):
    lines: list[Line]
    count: int = 1
    free: dict[str, JsonValue] = Field(default={})


class Loose(TypedDict):
    __pydantic_config__ = ConfigDict(extra="forbid")  # type: ignore[misc]
    amount: Decimal


class Rules(Body):
    document: dict[str, Any]


class Seen(View):
    said: Any


@pytest.fixture
def database(sqlite_database):
    """One engine is enough: nothing here depends on it."""
    return sqlite_database


@pytest.fixture
def bench(bench, database):
    with database.write() as db:
        bench.key = make_partner_key(db, b"p" * 16)[1]

    @endpoint(bench.blueprint, "POST /v1/orders", scope=Scope.MEMBERS_WRITE, idempotent=False, body_bytes_max=500)
    def order(call: Call, body: Order) -> Seen:
        """Order."""
        return Seen(said=body.model_dump(mode="json"))

    @endpoint(bench.blueprint, "POST /v1/loose", scope=Scope.MEMBERS_WRITE, idempotent=False)
    def loose(call: Call, body: Loose) -> Seen:
        """Loose."""
        return Seen(said=str(body["amount"]))

    @endpoint(bench.blueprint, "PUT /v1/rules", scope=Scope.MEMBERS_WRITE, exact_numbers=True)
    def rules(call: Call, body: Rules) -> Seen:
        """Rules."""
        return Seen(said=repr(body.document))

    @endpoint(bench.blueprint, "GET /v1/orders", scope=Scope.MEMBERS_READ)
    def listed(call: Call, query: PageQuery) -> Seen:
        """List."""
        return Seen(said=query.limit)

    @endpoint(bench.blueprint, "GET /v1/plain", scope=Scope.MEMBERS_READ)
    def plain(call: Call) -> Seen:
        """Plain."""
        return Seen(said="plain")

    return bench


def post(bench, raw, path="/v1/orders", **headers):
    return bench.api.post(path, raw=raw, key=bench.key, headers=headers)


def faults(answer):
    return [(fault["pointer"], fault["code"]) for fault in answer.json["faults"]]


class TestBodies:
    def test_are_typed(self, bench):
        answer = post(bench, '{"lines": [{"amount": "1.50", "on": "2026-02-28"}]}')
        assert answer.json["said"] == {
            "lines": [{"amount": "1.50", "on": "2026-02-28"}],
            "count": 1,
            "free": {},
        }

    @pytest.mark.parametrize(
        ("raw", "said"),
        [
            ('{"lines": [}', "line 1 column 12"),
            ("", "missing"),
            ("hello", "line 1 column 1"),
            ('{"lines": []} x', "extra data at line 1 column 15"),
            (b'{"lines": "\xff"}', "byte 11 is not"),
            ('{"count": 1.5, "lines": [}', "line 1"),
            ('{"lines": [], "free": {"a": NaN}}', "NaN"),
            ('{"lines":\n[], "free":\n\t{"a":\n-Infinity}}', "-Infinity"),
        ],
    )
    def test_that_are_not_json_are_400_with_the_place(self, bench, raw, said):
        answer = post(bench, raw)
        assert answer.status == 400
        assert said in answer.json["detail"]

    def test_that_are_wrong_are_422_with_every_place(self, bench):
        answer = post(bench, '{"lines": [{"amount": "1", "on": "2026-02-30"}, {"price": 1}], "count": "1", "x/y~z": 0}')
        assert (answer.status, answer.code) == (422, "body_invalid")
        assert faults(answer) == [
            ("/lines/0/on", "day_unknown"),
            ("/lines/1/amount", "missing"),
            ("/lines/1/price", "extra_forbidden"),
            ("/count", "int_type"),
            ("/x~1y~0z", "extra_forbidden"),
        ]
        assert answer.json["faults"][-1]["message"].startswith("There is no field of this name here; there are lines, ")

    def test_never_repeat_what_was_sent(self, bench):
        answer = post(bench, '{"lines": [{"amount": "Jane Doe", "on": "Jane Doe"}], "count": "Jane Doe"}')
        assert answer.status == 422
        assert "Jane" not in answer.text

    @pytest.mark.parametrize(
        ("raw", "pointer"),
        [
            ('{"lines": [{"amount": 1.1}]}', "/lines/0/amount"),
            ('{"lines": [{"amount": 1e2}]}', "/lines/0/amount"),
            ('{"lines": [], "free": {"a": [0, -0.5]}}', "/free/a/1"),
        ],
    )
    def test_floats_are_refused_wherever_they_are(self, bench, raw, pointer):
        answer = post(bench, raw)
        assert answer.status == 422
        assert faults(answer) == [(pointer, "float_refused")]
        assert "decimals as strings" in answer.json["detail"]

    def test_a_float_is_refused_where_a_plain_decimal_is_declared(self, bench):
        assert post(bench, '{"amount": 1.1}', "/v1/loose").status == 422
        assert post(bench, '{"amount": "1.1"}', "/v1/loose").json["said"] == "1.1"

    def test_a_text_that_looks_like_a_float_is_a_text(self, bench):
        answer = post(bench, '{"lines": [], "free": {"a": "see:1.5, or [2.5"}}')
        assert answer.json["said"]["free"] == {"a": "see:1.5, or [2.5"}

    @pytest.mark.parametrize(
        "amount", ["1.", ".5", "1,5", "+1", "1e3", "01", "", " 1", "NaN", "1" * 19, "0.1234567890"]
    )
    def test_a_decimal_is_written_in_one_way(self, bench, amount):
        answer = post(bench, f'{{"lines": [{{"amount": "{amount}"}}]}}')
        assert faults(answer) == [("/lines/0/amount", "decimal_malformed")]

    def test_a_number_where_a_decimal_text_is_due_is_told_so(self, bench):
        assert faults(post(bench, '{"lines": [{"amount": 1}]}')) == [("/lines/0/amount", "decimal_not_text")]

    @pytest.mark.parametrize(
        ("raw", "pointers"),
        [
            ('{"lines": [], "lines": []}', ["/lines"]),
            ('{"lines": [{"amount": "1"}, {"amount": "1", "amount": "2"}]}', ["/lines/1/amount"]),
            (
                '{"lines": [], "free": {"a/b": [{"x": 1, "x": 1}]}, "count": 1, "count": 2}',
                ["/count", "/free/a~1b/0/x"],
            ),
        ],
    )
    @pytest.mark.parametrize("path", ["/v1/orders", "/v1/rules"])
    def test_a_name_that_is_there_twice_is_400_with_the_place(self, bench, raw, pointers, path):
        method = bench.api.put if path == "/v1/rules" else bench.api.post
        answer = method(path, raw=raw, key=bench.key)
        assert (answer.status, answer.code) == (400, "repeated_name")
        assert faults(answer) == [(pointer, "repeated_name") for pointer in pointers]
        assert pointers[0] in answer.json["detail"]
        assert all(fault["message"].endswith("guess.") for fault in answer.json["faults"])

    def test_that_are_too_large_are_413(self, bench):
        assert post(bench, '{"lines": []' + " " * 489 + "}").status == 413
        assert post(bench, '{"lines": []' + " " * 487 + "}").status == 200

    def test_of_another_media_type_are_415(self, bench):
        assert post(bench, '{"lines": []}', **{"Content-Type": "text/csv"}).status == 415
        assert post(bench, '{"lines": []}', **{"Content-Type": "Application/JSON; charset=utf-8"}).status == 200

    def test_too_deep_ones_are_refused_calmly(self, bench):
        assert post(bench, '{"free": ' + "[" * 240 + "1.5" + "]" * 240 + "}").status in {400, 422}


class TestRuleDocuments:
    def put(self, bench, raw):
        return bench.api.put("/v1/rules", raw=raw, key=bench.key)

    def test_keep_their_numbers_exactly(self, bench):
        answer = self.put(bench, '{"document": {"a": 0.1, "b": [1.10, 2]}}')
        assert answer.json["said"] == "{'a': Decimal('0.1'), 'b': [Decimal('1.10'), 2]}"

    def test_that_are_not_json_are_400(self, bench):
        for raw in ('{"document": {', '{"document": NaN}'):
            answer = self.put(bench, raw)
            assert (answer.status, answer.code) == (400, "not_json")

    def test_of_the_wrong_shape_are_422_with_the_place(self, bench):
        answer = self.put(bench, '{"document": [], "x": 1}')
        assert answer.status == 422
        assert faults(answer) == [("/document", "dict_type"), ("/x", "extra_forbidden")]


class TestQueries:
    @pytest.mark.parametrize(
        ("path", "params", "fault"),
        [
            ("/v1/orders", {"limt": "1"}, ("limt", "unknown_parameter")),
            ("/v1/orders", {"limit": "201"}, ("limit", "less_than_equal")),
            ("/v1/orders", {"limit": "x"}, ("limit", "int_parsing")),
            ("/v1/orders", {"limit": ["1", "2"]}, ("limit", "repeated_parameter")),
            ("/v1/plain", {"x": "1"}, ("x", "unknown_parameter")),
        ],
    )
    def test_a_wrong_parameter_is_400_by_name(self, bench, path, params, fault):
        answer = bench.api.get(path, key=bench.key, params=params)
        assert (answer.status, answer.code) == (400, "query_malformed")
        assert faults(answer) == [fault]

    def test_an_unknown_parameter_is_told_the_known_ones(self, bench):
        answer = bench.api.get("/v1/orders", key=bench.key, params={"x": "1"})
        assert "cursor, limit" in answer.json["detail"]
