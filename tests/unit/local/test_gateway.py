"""The local API Gateway in front of a small Chalice app, over real connections."""

import http.client
import io
import json
import logging
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import pytest
from chalice import Chalice, Response
from chalice.local import LocalGateway

from chalicelib.web import logs
from local import gateway
from local.home import REPOSITORY


def small_app() -> Chalice:
    app = Chalice("small")

    @app.route("/v1/things/{name}")
    def thing(name):
        return {"name": name}

    @app.route("/v1/things/fixed")
    def fixed():
        return {"fixed": True}

    @app.route("/v1/echo", methods=["POST"])
    def echo():
        return {"body": app.current_request.json_body, "query": app.current_request.query_params}

    @app.route("/v1/context/{number}")
    def context(number):
        before = app.lambda_context.aws_request_id
        time.sleep(0.002)
        uri = app.current_request.uri_params["number"]
        return {"number": number, "same": uri == number and before == app.lambda_context.aws_request_id}

    @app.route("/v1/slow")
    def slow():
        time.sleep(0.5)
        return Response({"slow": True}, status_code=202, headers={"X-Seen": "yes"})

    return app


@pytest.fixture
def url() -> Iterator[str]:
    listening = gateway.listen("127.0.0.1", 0)
    server = gateway.server_of(small_app(), listening)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    yield f"http://127.0.0.1:{listening.getsockname()[1]}"
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def client(url: str) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=url, trust_env=False, timeout=10) as opened:
        yield opened


def assert_problem(answer: http.client.HTTPResponse, status: int, code: str, said: str) -> dict[str, Any]:
    shown: dict[str, Any] = json.loads(answer.read())
    assert (answer.status, answer.headers["content-type"]) == (status, "application/problem+json")
    assert (shown["status"], shown["code"], shown["retryable"]) == (status, code, False)
    assert shown["trace_id"] == answer.headers["x-correlation-id"]
    assert said in shown["detail"]
    return shown


class TestRouting:
    @pytest.mark.parametrize(
        ("path", "name"), [("/v1/things/a%20b%2Fc", "a b/c"), ("/v1/things/%C3%BC", "ü"), ("/v1/things/x+y", "x+y")]
    )
    def test_decodes_path_parameters_as_api_gateway_does(self, client: httpx.Client, path: str, name: str):
        assert client.get(path).json() == {"name": name}

    def test_prefers_a_fixed_path_over_a_parameter(self, client: httpx.Client):
        assert client.get("/v1/things/fixed").json() == {"fixed": True}

    def test_ignores_a_trailing_slash(self, client: httpx.Client):
        assert client.get("/v1/things/fixed/").json() == {"fixed": True}

    @pytest.mark.parametrize("headers", [{}, {"Authorization": "Bearer ilk_secret"}])
    def test_answers_an_unknown_path_with_a_problem_that_repeats_no_key(
        self, client: httpx.Client, headers: dict[str, str]
    ):
        answer = client.get("/v1/nothing?a=1", headers=headers)

        assert answer.status_code == 404
        assert answer.headers["content-type"] == "application/problem+json"
        assert answer.json()["code"] == "not_found"
        assert "/v1/nothing" in answer.json()["detail"]
        assert "ilk_" not in answer.text

    def test_answers_a_method_that_the_path_lacks(self, client: httpx.Client):
        assert client.delete("/v1/echo").status_code == 405

    def test_hands_on_body_and_query(self, client: httpx.Client):
        answer = client.post("/v1/echo?a=1&b=", json={"n": "1.00"})

        assert answer.json() == {"body": {"n": "1.00"}, "query": {"a": "1", "b": ""}}


class TestManyClients:
    def test_a_hundred_threads_never_see_one_anothers_request(self, url: str):
        def ask(start: int) -> int:
            with httpx.Client(base_url=url, trust_env=False, timeout=20) as one:
                return sum(one.get(f"/v1/context/{start * 10 + n}").json()["same"] for n in range(10))

        with ThreadPoolExecutor(100) as pool:
            assert sum(pool.map(ask, range(100))) == 1_000

    def test_small_answers_on_one_connection_come_at_once(self, client: httpx.Client):
        client.get("/v1/things/a")
        times: list[float] = []
        for _ in range(20):
            started = time.perf_counter()
            client.get("/v1/things/a")
            times.append(time.perf_counter() - started)

        # Nagle's algorithm and delayed acknowledgements would make each of them 40 ms.
        assert sorted(times)[10] < 0.02


class TestLimits:
    def test_refuses_a_body_over_ten_megabytes_without_reading_it(self, url: str):
        connection = http.client.HTTPConnection(url.removeprefix("http://"), timeout=5)
        connection.putrequest("POST", "/v1/echo")
        connection.putheader("Content-Length", str(11 << 20))
        connection.endheaders()

        answer = connection.getresponse()

        assert_problem(answer, 413, "too_large", "10 MB")
        connection.close()

    @pytest.mark.parametrize("headers", [{"Content-Length": "many"}, {"Transfer-Encoding": "chunked"}])
    def test_refuses_a_body_of_unknown_length(self, url: str, headers: dict[str, str]):
        connection = http.client.HTTPConnection(url.removeprefix("http://"), timeout=5)
        connection.putrequest("POST", "/v1/echo")
        for name, value in headers.items():
            connection.putheader(name, value)
        connection.endheaders()

        assert_problem(connection.getresponse(), 411, "length_required", "Content-Length")
        connection.close()


class TestFailures:
    def test_an_application_that_fails_is_502_with_the_trace_id_that_the_log_has(self, url: str, monkeypatch):
        def fail(*_args: object, **_more: object) -> None:
            raise RuntimeError("broken")

        written = logging.StreamHandler(io.StringIO())
        written.setFormatter(logs.JsonLines())
        monkeypatch.setattr(gateway.log, "handlers", [written])
        monkeypatch.setattr(LocalGateway, "handle_request", fail)
        connection = http.client.HTTPConnection(url.removeprefix("http://"), timeout=5)
        connection.request("GET", "/v1/things/a")

        shown = assert_problem(connection.getresponse(), 502, "not_answered", "failed to answer")
        connection.close()
        assert json.loads(written.stream.getvalue())["correlation_id"] == shown["trace_id"]

    @pytest.mark.parametrize(
        ("sent", "status", "code"),
        [
            (b"FETCH /v1/things/a HTTP/1.1\r\n\r\n", 405, "method_not_allowed"),
            (b"GET /v1/things/secret HTTP/7.0\r\n\r\n", 400, "malformed"),
            (b"GET /v1/secret " + b"x" * 70_000 + b" HTTP/1.1\r\n\r\n", 400, "malformed"),
            (b"secret\r\n\r\n", 400, "malformed"),
        ],
    )
    def test_what_is_no_http_is_refused_without_repeating_it(self, url: str, sent: bytes, status: int, code: str):
        host, port = url.removeprefix("http://").split(":")
        with socket.create_connection((host, int(port)), timeout=5) as connection:
            connection.sendall(sent)
            answer = http.client.HTTPResponse(connection)
            answer.begin()
            shown = assert_problem(answer, status, code, "")

        assert "secret" not in str(shown)


class TestConnections:
    def test_a_client_of_http_1_0_is_told_that_it_may_stay(self, url: str):
        host, port = url.removeprefix("http://").split(":")
        with socket.create_connection((host, int(port)), timeout=5) as connection:
            for _ in range(2):
                connection.sendall(b"GET /v1/things/a HTTP/1.0\r\nConnection: Keep-Alive\r\n\r\n")
                answer = connection.recv(65536)
                assert b"\r\nConnection: keep-alive\r\n" in answer
                assert answer.endswith(b'{"name":"a"}')


class TestStopping:
    def test_waits_for_requests_in_hand(self):
        listening = gateway.listen("127.0.0.1", 0)
        server = gateway.server_of(small_app(), listening)
        port = listening.getsockname()[1]
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        try:
            with ThreadPoolExecutor(1) as pool:
                answer = pool.submit(httpx.get, f"http://127.0.0.1:{port}/v1/slow", trust_env=False, timeout=30)
                while server.drain(0):  # until the request is in hand
                    time.sleep(0.01)

                server.shutdown()
                drained = server.drain(3)

                assert answer.result().status_code == 202
        finally:
            thread.join()
            server.server_close()
        assert drained


_TWO_PROCESSES = """
from chalicelib.web import logs
from local import gateway
from local.home import REPOSITORY
from tests.unit.local.test_gateway import small_app

listening = gateway.listen("127.0.0.1", 0)
print(listening.getsockname()[1], flush=True)
gateway.serve_with(2, small_app, listening)
"""


def _answers(port: int) -> bool:
    """Whether a connection of its own is answered."""
    with socket.create_connection(("127.0.0.1", port), timeout=30) as connection:
        connection.sendall(b"GET /v1/things/a HTTP/1.0\r\n\r\n")
        return connection.recv(65536).startswith(b"HTTP/1.1 200")


class TestTwoProcesses:
    def test_neither_waits_for_a_connection_that_the_other_took(self):
        with gateway.listen("127.0.0.1", 0) as listening, pytest.raises(BlockingIOError):
            listening.accept()

    def test_end_together_also_when_a_connection_woke_both(self):
        command = [sys.executable, "-c", _TWO_PROCESSES]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=REPOSITORY) as running:
            assert running.stdout is not None
            port = int(running.stdout.readline())
            with ThreadPoolExecutor(8) as pool:
                assert all(pool.map(lambda _: _answers(port), range(400)))
            running.terminate()
            try:
                # The pipe ends when nobody holds it any more: neither the first process nor those it started.
                assert running.communicate(timeout=20) == ("", None)
            finally:
                running.kill()
        assert running.returncode == 0


def _eventually(holds: Callable[[], bool]) -> bool:
    """Whether something becomes true within five seconds."""
    until = time.monotonic() + 5
    while not holds() and time.monotonic() < until:
        time.sleep(0.01)
    return holds()


class TestShares:
    def test_a_process_knows_that_it_has_more_connections_than_another(self):
        shares = gateway.Shares(2)
        listening = gateway.listen("127.0.0.1", 0)
        server = gateway.server_of(small_app(), listening, shares, 1)
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        try:
            assert not shares.ahead(1)
            with socket.create_connection(listening.getsockname(), timeout=5):
                assert _eventually(lambda: shares.ahead(1))
                assert not shares.ahead(0)
            assert _eventually(lambda: not shares.ahead(1))
        finally:
            server.shutdown()
            thread.join()
            server.server_close()

    def test_one_that_has_more_lets_the_other_take_the_next(self, monkeypatch: pytest.MonkeyPatch):
        waited: list[float] = []
        monkeypatch.setattr(gateway.time, "sleep", waited.append)
        shares = gateway.Shares(2)
        with gateway.listen("127.0.0.1", 0) as listening:
            servers = [gateway.server_of(small_app(), listening, shares, number) for number in range(2)]
            shares.set(1, 3)
            for server in servers:
                with pytest.raises(BlockingIOError):
                    server.get_request()

        assert len(waited) == 1


class TestTurns:
    def test_quick_requests_do_not_wait_for_slow_ones_to_end(self, monkeypatch: pytest.MonkeyPatch):
        monkeypatch.setattr(gateway, "_TURN_WAIT_S", 0.05)
        go_on = threading.Event()
        app = small_app()
        slow = []

        @app.route("/v1/held")
        def held():
            slow.append(1)
            assert go_on.wait(20)
            return {}

        listening = gateway.listen("127.0.0.1", 0)
        server = gateway.server_of(app, listening)
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        url = f"http://127.0.0.1:{listening.getsockname()[1]}/v1"
        try:
            with ThreadPoolExecutor(3) as pool:
                held_up = [pool.submit(httpx.get, f"{url}/held", trust_env=False, timeout=30) for _ in range(3)]
                assert _eventually(lambda: len(slow) == 3)

                quick = httpx.get(f"{url}/things/a", trust_env=False, timeout=10)

                assert not any(each.done() for each in held_up)
                go_on.set()
                assert [each.result().status_code for each in held_up] == [200] * 3
        finally:
            go_on.set()
            server.shutdown()
            thread.join()
            server.server_close()
        assert quick.json() == {"name": "a"}


class TestDocs:
    def test_shows_the_openapi_document_without_any_outside_address(self, client: httpx.Client):
        page = client.get("/docs")
        start = client.get("/docs/start.js")

        assert page.headers["content-type"].startswith("text/html")
        assert "://" not in page.text + start.text
        assert page.headers["content-security-policy"].startswith("default-src 'self';")
        assert '"/v1/openapi.json"' in start.text

    @pytest.mark.parametrize("name", ["swagger-ui.css", "swagger-ui-bundle.js", "favicon-32x32.png"])
    def test_serves_its_own_assets(self, client: httpx.Client, name: str):
        answer = client.get(f"/docs/{name}")

        assert answer.status_code == 200
        assert len(answer.content) > 500

    def test_serves_nothing_else_from_the_package(self, client: httpx.Client):
        assert client.get("/docs/..%2F__init__.py").status_code == 404
        assert client.get("/docs/swagger-editor.js").status_code == 404

    def test_leads_from_the_root_to_the_documentation(self, client: httpx.Client):
        assert client.get("/").headers["location"] == "/docs"
