"""The command line's HTTP client against a server that answers as a hub does."""

import json

import pytest

from chalicelib import errors
from chalicelib.errors import NotFound
from cli.client import HubClient, segment
from tests.unit.cli.answers import Answers


class TestHubClient:
    def test_sends_key_query_and_body(self, client: HubClient):
        Answers.prepared.append((200, {"changes": []}))

        client.put("/v1/partners/a/onboarding", '{"manifest": {"name": "Zürich"}}', dry_run="true", missing=None)

        [(method, path, headers, body)] = Answers.asked
        assert (method, path) == ("PUT", "/v1/partners/a/onboarding?dry_run=true")
        assert headers["Authorization"] == "Bearer ilk_a_b"
        assert json.loads(body) == {"manifest": {"name": "Zürich"}}

    def test_walks_through_every_page(self, client: HubClient):
        Answers.prepared += [
            (200, {"items": [{"n": 1}, {"n": 2}], "next_cursor": "more"}),
            (200, {"items": [{"n": 3}], "next_cursor": None}),
        ]

        assert [one["n"] for one in client.items("/v1/things", limit=2)] == [1, 2, 3]
        assert [path for _, path, _, _ in Answers.asked] == ["/v1/things?limit=2", "/v1/things?limit=2&cursor=more"]

    @pytest.mark.parametrize(
        ("status", "kind"),
        [
            (400, errors.InvalidInput),
            (401, errors.NotAuthenticated),
            (403, errors.NotPermitted),
            (404, errors.NotFound),
            (409, errors.Conflict),
            (422, errors.Unprocessable),
            (429, errors.Unavailable),
            (503, errors.Unavailable),
        ],
    )
    def test_raises_the_error_that_a_problem_stands_for(
        self, client: HubClient, status: int, kind: type[errors.InterlineError]
    ):
        fault = {"pointer": "/manifest/code", "code": "missing", "message": "Name it."}
        Answers.prepared.append((status, {"code": "some_code", "detail": "It is so.", "faults": [fault]}))

        with pytest.raises(kind) as raised:
            client.get("/v1/things")

        assert type(raised.value) is kind
        assert (raised.value.code, raised.value.message) == ("some_code", "It is so.")
        assert raised.value.faults == (errors.Fault("/manifest/code", "missing", "Name it."),)

    def test_says_that_a_server_without_the_hubs_paths_is_none(self, client: HubClient):
        Answers.prepared.append((404, b"Not Found"))

        with pytest.raises(NotFound, match="is no hub: is HUB_URL the address of one") as raised:
            client.get("/v1/members")

        assert raised.value.code == "no_hub"

    def test_survives_an_answer_that_is_not_a_problem_document(self, client: HubClient):
        Answers.prepared.append((502, b"<html>bad gateway</html>"))

        with pytest.raises(errors.Unavailable) as raised:
            client.get("/v1/things")

        assert raised.value.code == "http_502"

    def test_says_that_the_hub_does_not_answer(self):
        with HubClient("http://127.0.0.1:9", "key") as nowhere, pytest.raises(errors.Unavailable) as raised:
            nowhere.get("/v1/health")

        assert raised.value.code == "hub_unreachable"
        assert "./hub up" in raised.value.message


class TestSegment:
    def test_keeps_any_text_in_one_segment(self):
        assert segment("a/b c?d") == "a%2Fb%20c%3Fd"
