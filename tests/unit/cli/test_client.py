"""The command line's HTTP client against a server that answers as a hub does."""

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, ClassVar

import pytest

from chalicelib import errors
from cli.client import HubClient, segment


class Answers(BaseHTTPRequestHandler):
    """Answers what the test prepared, in order, and keeps what was asked."""

    prepared: ClassVar[list[tuple[int, Any]]] = []
    asked: ClassVar[list[tuple[str, str, dict[str, str], bytes]]] = []

    def answer(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", "0")))
        self.asked.append((self.command, self.path, dict(self.headers), body))
        status, document = self.prepared.pop(0)
        content = document if isinstance(document, bytes) else json.dumps(document).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    do_GET = do_POST = do_PUT = answer  # noqa: N815 - the base class's names

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def client() -> Iterator[HubClient]:
    Answers.prepared.clear()
    Answers.asked.clear()
    with ThreadingHTTPServer(("127.0.0.1", 0), Answers) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        with HubClient(f"http://127.0.0.1:{server.server_address[1]}/", "ilk_a_b") as found:
            yield found
        server.shutdown()
        thread.join()


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
