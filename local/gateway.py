"""``python -m local.gateway``: API Gateway for one machine, in front of the Chalice app.

Chalice's own local server with what it lacks (docs/decisions): small answers leave at once (no Nagle), a queue for a
thousand connections, decoded path parameters, a context per thread, API Gateway's limit on bodies, several processes,
and ``/docs``.
"""

import argparse
import logging
import mmap
import os
import signal
import socket
import sys
import threading
import time
from collections.abc import Callable
from http import HTTPStatus
from http.server import HTTPServer
from types import FrameType
from typing import Any, ClassVar
from urllib.parse import parse_qs, unquote

from chalice.app import Chalice
from chalice.config import Config
from chalice.local import (
    ChaliceRequestHandler,
    LambdaEventConverter,
    LocalChalice,
    LocalGateway,
    LocalGatewayException,
    MatchResult,
    RouteMatcher,
    ThreadedHTTPServer,
)

from chalicelib.errors import InterlineError, NotFound
from chalicelib.web import logs, problems
from chalicelib.web.problems import LengthRequired, Malformed, MethodNotAllowed, NotAnswered, TooLarge
from local import docs_page

log = logging.getLogger("local.gateway")

_BACKLOG = 1024
_BODY_BYTES_MAX = 10 << 20
_REQUEST_TIMEOUT_S = 29
_GRACE_S = 3.0
_IDLE_CONNECTION_S = 75
_RESTARTS_MAX = 20
#: Requests that one process works on at a time; the others wait in line, but not for long: behind slow ones quick ones
#: go ahead. Threads of Python compute by turns: with 100 of them the turns cost more than half of the throughput, and
#: with four of them a quarter of what two of them do.
_AT_ONCE = 2
_TURN_WAIT_S = 1.0
#: How long a process with more connections than another waits before it takes one more: the other is asleep then, and
#: wakes. Without it one of two processes often gets three quarters of the users.
_OTHERS_FIRST_S = 0.005


class _Routes(RouteMatcher):
    """Chalice's matching rules over an index by number of segments, with parameters percent-decoded as on AWS."""

    def __init__(self, route_urls: list[str]) -> None:
        super().__init__(route_urls)
        self._by_length: dict[int, list[tuple[str, list[str]]]] = {}
        # Literal segments sort before "{": a fixed path wins over a parameter.
        for url in self.route_urls:
            parts = url.split("/")
            self._by_length.setdefault(len(parts), []).append((url, parts))

    def match_route(self, url: str) -> MatchResult:
        """The route of a request target. Raises ValueError when there is none."""
        path, _, query = url.partition("?")
        if path != "/" and path.endswith("/"):
            path = path[:-1]
        parts = path.split("/")
        for route, expected in self._by_length.get(len(parts), ()):
            captured: dict[str, str] = {}
            for part, wanted in zip(parts, expected, strict=True):
                if wanted.startswith("{"):
                    captured[wanted[1:-1]] = unquote(part)
                elif part != wanted:
                    break
            else:
                return MatchResult(route, captured, parse_qs(query, keep_blank_values=True))
        raise ValueError(f"No matching route found for: {url}")


class _ThreadLocalApp(LocalChalice):
    """Chalice made safe for one request per thread, its Lambda context included."""

    _CONTEXTS: ClassVar[threading.local] = threading.local()

    @property
    def lambda_context(self) -> Any:  # noqa: ANN401 - Chalice leaves it untyped
        """The context of the request that this thread serves."""
        return getattr(self._CONTEXTS, "context", None)

    @lambda_context.setter
    def lambda_context(self, value: Any) -> None:  # noqa: ANN401 - Chalice leaves it untyped
        self._CONTEXTS.context = value


def local_gateway(app: Chalice) -> LocalGateway:
    """What answers requests: ``app``, from now on safe for threads, behind the routing rules of API Gateway."""
    app.__dict__.pop("lambda_context", None)
    app.__class__ = type("LocalApp", (_ThreadLocalApp, app.__class__), {})
    gateway = LocalGateway(app, Config.create(lambda_timeout=_REQUEST_TIMEOUT_S, lambda_memory_size=512))
    gateway.event_converter = LambdaEventConverter(_Routes(list(app.routes)), app.api.binary_types)
    return gateway


class _Requests(ChaliceRequestHandler):
    """One connection. ``gateway`` and ``server`` are shared by all of them."""

    disable_nagle_algorithm = True
    wbufsize = 1 << 16  # headers and body leave in one packet
    timeout = _IDLE_CONNECTION_S
    server_version, sys_version = "Interline", ""
    gateway: ClassVar[LocalGateway]

    def __init__(self, request: socket.socket, client_address: tuple[str, int], server: HTTPServer) -> None:
        self.local_gateway = self.gateway
        # Chalice's own constructor would build and sort the routes for every connection.
        super(ChaliceRequestHandler, self).__init__(request, client_address, server)

    def _answer(self) -> None:
        with self.server.in_flight():
            page = docs_page.serve(self.path) if self.command == "GET" else None
            if page is not None:
                self._send_http_response(page.status, dict(page.headers), page.body)
                return
            if self._refuses_body():
                return
            its_turn = self.server.turns.acquire(timeout=_TURN_WAIT_S)
            try:
                self._generic_handle()
            except LocalGatewayException:
                raise
            except Exception:
                # The edge of this process, as API Gateway is of a function that fails.
                correlation_id = self._correlation_id()
                with logs.correlated(correlation_id):
                    log.exception("The application failed to answer.", extra={"method": self.command})
                self.close_connection = True
                told = "The application failed to answer; whether the request took effect is not known."
                self._refuse(NotAnswered(told), correlation_id)
            finally:
                if its_turn:
                    self.server.turns.release()

    def _refuses_body(self) -> bool:
        length = self.headers.get("content-length", "0")
        if self.headers.get("transfer-encoding") is not None or not length.isdecimal():
            self.close_connection = True
            self._refuse(LengthRequired("Send the body with a Content-Length, and not in chunks."))
            return True
        if int(length) > _BODY_BYTES_MAX:
            self.close_connection = True
            self._refuse(TooLarge("The body is larger than 10 MB: send a file through S3."))
            return True
        return False

    def _send_error_response(self, error: LocalGatewayException) -> None:  # noqa: ARG002 - the base class's
        # Chalice imitates API Gateway's refusal of a path that it does not know, with the caller's key in it.
        self._refuse(NotFound(f"There is no {self.path.partition('?')[0]} here."))

    def send_error(self, code: int, message: str | None = None, explain: str | None = None) -> None:  # noqa: ARG002 - the base class's
        """What the HTTP server cannot read: in the shape of every other refusal, without what was sent."""
        self.close_connection = True
        # Of a line that it cannot read the base class believes that it is of HTTP/0.9, which had no status line.
        self.request_version = self.protocol_version
        if code == HTTPStatus.NOT_IMPLEMENTED:
            self._refuse(MethodNotAllowed("There is no such method here."))
        else:
            self._refuse(Malformed(f"The request cannot be read as HTTP: {HTTPStatus(code).phrase}."))

    def _refuse(self, error: InterlineError, correlation_id: str | None = None) -> None:
        correlation_id = correlation_id or self._correlation_id()
        status, body, headers = problems.document(error, trace_id=correlation_id)
        self._send_http_response(status, {**headers, "X-Correlation-Id": correlation_id}, body)

    def _correlation_id(self) -> str:
        # A request that could not be read has no headers.
        return logs.correlation_of(self.headers.get("x-correlation-id") if hasattr(self, "headers") else None)

    def end_headers(self) -> None:
        """Say whether the connection stays open: a client of HTTP/1.0 would wait for its end otherwise."""
        self.send_header("Connection", "close" if self.close_connection else "keep-alive")
        super().end_headers()

    do_GET = do_PUT = do_POST = do_HEAD = do_DELETE = do_PATCH = do_OPTIONS = _answer  # noqa: N815 - http.server's names

    def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
        """Nothing: the application logs each request with its correlation id."""

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002, ANN401 - the base class's signature
        """Only what the HTTP server itself finds wrong arrives here: broken requests and idle connections."""
        log.debug(format, *args)


class Shares:
    """How many connections each process has that answers on the port, in memory that they share."""

    def __init__(self, processes: int) -> None:
        self._counts = memoryview(mmap.mmap(-1, 8 * processes)).cast("q")

    def set(self, number: int, connections: int) -> None:
        """Process ``number`` has so many connections now; only that process says so."""
        self._counts[number] = connections

    def ahead(self, number: int) -> bool:
        """Whether the process has more connections than another."""
        return self._counts[number] > min(self._counts)


class _Server(ThreadedHTTPServer):
    """Serves on a socket that is listening already, and knows how many requests it is working on."""

    def __init__(
        self, listening: socket.socket, handler: Callable[..., _Requests], shares: Shares, number: int
    ) -> None:
        super().__init__(listening.getsockname()[:2], handler, bind_and_activate=False)
        self.socket.close()
        self.socket: socket.socket = listening
        self.turns = threading.Semaphore(_AT_ONCE)
        self._busy = 0
        self._change = threading.Condition()
        self._shares, self._number = shares, number
        self._connections = 0
        shares.set(number, 0)

    def get_request(self) -> tuple[socket.socket, Any]:
        """The next connection, unless another process, which has fewer, takes it first."""
        if self._shares.ahead(self._number):
            time.sleep(_OTHERS_FIRST_S)
        accepted: tuple[socket.socket, Any] = super().get_request()
        return accepted

    def process_request_thread(self, request: Any, client_address: Any) -> None:  # noqa: ANN401 - the base class's
        """Serve one connection, counted while it is open."""
        self._connected(1)
        try:
            super().process_request_thread(request, client_address)
        finally:
            self._connected(-1)

    def _connected(self, change: int) -> None:
        with self._change:
            self._connections += change
            self._shares.set(self._number, self._connections)

    def in_flight(self) -> "_InFlight":
        """Marks a request as being worked on."""
        return _InFlight(self)

    def count(self, change: int) -> None:
        """One request more or fewer."""
        with self._change:
            self._busy += change
            self._change.notify_all()

    def drain(self, timeout_s: float) -> bool:
        """Wait until no request is worked on; False when that takes longer."""
        with self._change:
            return self._change.wait_for(lambda: self._busy == 0, timeout_s)

    def handle_error(self, request: object, client_address: object) -> None:  # noqa: ARG002 - the base class's
        """A connection broke (what the application raises is caught earlier): of interest only when looking for it."""
        log.debug("A connection broke.", extra={"error_type": type(sys.exception()).__name__})


class _InFlight:
    def __init__(self, server: _Server) -> None:
        self._server = server

    def __enter__(self) -> None:
        self._server.count(1)

    def __exit__(self, *_: object) -> None:
        self._server.count(-1)


def listen(host: str, port: int) -> socket.socket:
    """A listening socket. Raises OSError when the port is taken."""
    listening = socket.create_server((host, port), backlog=_BACKLOG)
    # Of two processes that a connection wakes one gets it: the other must not wait in accept(), deaf to SIGTERM.
    listening.setblocking(False)
    return listening


def server_of(app: Chalice, listening: socket.socket, shares: Shares | None = None, number: int = 0) -> _Server:
    """A server of ``app`` on a listening socket, not yet answering; of several processes, that of a number."""
    return _Server(
        listening, type("Requests", (_Requests,), {"gateway": local_gateway(app)}), shares or Shares(1), number
    )


def serve(app: Chalice, listening: socket.socket, shares: Shares | None = None, number: int = 0) -> None:
    """Answer requests on a listening socket until SIGTERM; requests in hand get three seconds to end."""
    server = server_of(app, listening, shares, number)

    def stop(_signal: int, _frame: FrameType | None) -> None:
        # shutdown() waits for the loop below, which this thread runs.
        threading.Thread(target=server.shutdown, daemon=True).start()

    signal.signal(signal.SIGTERM, stop)
    server.serve_forever(poll_interval=0.2)
    listening.close()
    server.drain(_GRACE_S)


def serve_with(processes: int, load: Callable[[], Chalice], listening: socket.socket) -> None:
    """Answer requests with several processes on one socket; one that dies is replaced, twenty times at most."""
    children: dict[int, int] = {}
    shares = Shares(processes)
    stopping = threading.Event()

    def stop(_signal: int, _frame: FrameType | None) -> None:
        stopping.set()
        for child in children:
            os.kill(child, signal.SIGTERM)

    def start(number: int) -> None:
        child = os.fork()
        if child == 0:
            signal.signal(signal.SIGTERM, signal.SIG_DFL)  # the handler above is the parent's
            serve(load(), listening, shares, number)
            os._exit(0)
        children[child] = number

    signal.signal(signal.SIGTERM, stop)
    for number in range(processes):
        start(number)
    restarts = 0
    while children:
        child, status = os.wait()
        number = children.pop(child)
        if not stopping.is_set() and restarts < _RESTARTS_MAX:
            restarts += 1
            log.error("A gateway process died and is replaced.", extra={"worker": number, "status": status})
            start(number)


def main(arguments: list[str]) -> None:
    """Serve ``app.app``."""
    parser = argparse.ArgumentParser(prog="python -m local.gateway")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=8000)
    parser.add_argument("--processes", type=int, default=1, help="processes that share the port")
    chosen = parser.parse_args(arguments)
    logs.configure()
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    listening = listen(chosen.host, chosen.port)

    def load() -> Chalice:
        import app

        loaded: Chalice = app.app
        return loaded

    if chosen.processes == 1:
        serve(load(), listening)
    else:
        serve_with(chosen.processes, load, listening)


if __name__ == "__main__":
    main(sys.argv[1:])
