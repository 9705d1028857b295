"""A small faithful Commerce Cloud on the loopback address; its state survives a kill.

``python -m local.outside.commerce_cloud --port N --state DIR``. What it answers is in ``store``.
"""

import argparse
import json
import signal
import sys
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import FrameType
from urllib.parse import parse_qs, urlsplit

from local.outside.customer_list import CustomerList
from local.outside.store import BODY_BYTES_MAX, TOKEN_LIFE_S, CommerceCloud, Reply, Request


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    # Nagle's algorithm and delayed acknowledgements together cost 40 ms a request on a kept connection.
    disable_nagle_algorithm = True
    server: "Server"

    def _serve(self) -> None:
        length = int(self.headers.get("content-length") or 0)
        if length > BODY_BYTES_MAX:
            self.send_error(413)
            return
        parts = urlsplit(self.path)
        headers = {name.lower(): value for name, value in self.headers.items()}
        request = Request(self.command, parts.path, parse_qs(parts.query), headers, self.rfile.read(length))
        reply = self.server.store.answer(request, now=datetime.now(UTC))
        if reply.hang_up:
            self.close_connection = True
            return
        self._send(reply)

    # The base class looks its methods up by these names.
    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = _serve  # noqa: N815

    def _send(self, reply: Reply) -> None:
        content = b"" if reply.document is None else json.dumps(reply.document).encode()
        self.send_response(reply.status)
        if content:
            problem = reply.status >= 400 and isinstance(reply.document, dict) and "type" in reply.document
            self.send_header("Content-Type", "application/problem+json" if problem else "application/json")
        if reply.status != 204:
            self.send_header("Content-Length", str(len(content)))
        for name, value in reply.headers.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class's name
        """Nothing: requests are in the store's own log."""


class Server(ThreadingHTTPServer):
    """The store on a loopback port; 0 asks for a free one."""

    daemon_threads = True
    request_queue_size = 128

    def __init__(self, store: CommerceCloud, port: int) -> None:
        self.store = store
        super().__init__(("127.0.0.1", port), _Handler)

    def handle_error(self, request: object, client_address: object) -> None:
        """A client that goes away in the middle is no error; anything else is printed as usual."""
        if not isinstance(sys.exc_info()[1], ConnectionError):
            super().handle_error(request, client_address)  # type: ignore[arg-type]  # typeshed's private socket union


def _stop(_signal: int, _frame: FrameType | None) -> None:
    raise SystemExit(0)


def main() -> None:
    """Serve until told to stop; the first line of output says where, as JSON."""
    parser = argparse.ArgumentParser(prog="local.outside.commerce_cloud", description="A local Commerce Cloud.")
    parser.add_argument("--port", type=int, required=True, help="0 asks for a free one")
    parser.add_argument("--state", type=Path, required=True, help="directory that keeps the customers")
    parser.add_argument("--token-life-s", type=float, default=TOKEN_LIFE_S)
    options = parser.parse_args()
    signal.signal(signal.SIGTERM, _stop)
    store = CommerceCloud(CustomerList(options.state), token_life_s=options.token_life_s)
    with Server(store, options.port) as server:
        port = server.server_address[1]
        line = {"level": "INFO", "source": "commerce-cloud", "message": f"Commerce Cloud listens on port {port}"}
        sys.stdout.write(json.dumps(line | {"port": port}) + "\n")
        sys.stdout.flush()
        try:
            server.serve_forever(poll_interval=0.2)
        except KeyboardInterrupt:
            return


if __name__ == "__main__":
    main()
