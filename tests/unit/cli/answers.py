"""A hub that answers what a test prepared."""

import json
from http.server import BaseHTTPRequestHandler
from typing import Any, ClassVar


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

    do_GET = do_POST = do_PUT = do_PATCH = answer  # noqa: N815 - the base class's names

    def log_message(self, *_: object) -> None:
        pass
