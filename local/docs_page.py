"""``/docs``: the OpenAPI document for people, by Swagger UI from a development package; no content delivery network."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from types import MappingProxyType
from typing import Final

_ASSETS: Final = MappingProxyType(
    {
        "swagger-ui.css": "text/css",
        "swagger-ui-bundle.js": "text/javascript",
        "swagger-ui-standalone-preset.js": "text/javascript",
        "favicon-32x32.png": "image/png",
    }
)
#: Nothing is loaded from, or sent to, anywhere else. Swagger UI styles its elements one by one.
_POLICY: Final = "default-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; object-src 'none'"
_A_DAY: Final = {"Cache-Control": "max-age=86400"}
_PAGE: Final = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8"><title>Interline API</title>
<meta name="viewport" content="width=device-width, initial-scale=1">
<link rel="icon" type="image/png" href="/docs/favicon-32x32.png">
<link rel="stylesheet" href="/docs/swagger-ui.css">
</head>
<body>
<div id="api"></div>
<script src="/docs/swagger-ui-bundle.js"></script>
<script src="/docs/start.js"></script>
</body>
</html>
"""
_START: Final = """SwaggerUIBundle({
  url: "/v1/openapi.json",
  dom_id: "#api",
  deepLinking: true,
  displayRequestDuration: true,
  docExpansion: "list",
  filter: true,
  persistAuthorization: true,
  validatorUrl: null
});
"""


@dataclass(frozen=True, slots=True)
class Page:
    """An answer that needs no application."""

    status: int
    headers: Mapping[str, str]
    body: bytes


def serve(target: str) -> Page | None:
    """The page for a request target; None when it belongs to the application."""
    path = target.partition("?")[0]
    if path == "/":
        return Page(302, {"Location": "/docs"}, b"")
    if path.rstrip("/") == "/docs":
        headers = {"Content-Type": "text/html; charset=utf-8", "Content-Security-Policy": _POLICY}
        return Page(200, headers, _PAGE.encode())
    if not path.startswith("/docs/"):
        return None
    name = path.removeprefix("/docs/")
    if name == "start.js":
        return Page(200, {"Content-Type": "text/javascript"}, _START.encode())
    if name not in _ASSETS:
        return Page(404, {"Content-Type": "text/plain"}, b"There is no such page.\n")
    return Page(200, {"Content-Type": _ASSETS[name], **_A_DAY}, _asset(name))


@cache
def _asset(name: str) -> bytes:
    # The package is found but not imported: of its code nothing is wanted.
    found = find_spec("swagger_ui")
    if found is None or found.origin is None:
        raise FileNotFoundError("The package swagger-ui-py is missing: run `make setup`.")
    return (Path(found.origin).parent / "static" / name).read_bytes()
