"""The app behind a gateway of the tests' own: requests as API Gateway's proxy events, straight into the app."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

from chalice.app import Chalice
from chalice.local import LocalChalice, RouteMatcher


@dataclass(frozen=True)
class Answered:
    """A response: ``json`` is the parsed body, or None where there is none or it is not JSON."""

    status: int
    headers: Mapping[str, str]
    text: str

    @property
    def json(self) -> Any:
        """The parsed body."""
        return json.loads(self.text) if "json" in self.headers.get("Content-Type", "") and self.text else None

    @property
    def code(self) -> str | None:
        """The code of a problem document."""
        return self.json.get("code") if self.headers.get("Content-Type") == "application/problem+json" else None


class Api:
    """Sends requests to the app; safe to share between threads."""

    def __init__(self, app: Chalice) -> None:
        # As the local gateway does: the current request is then each thread's own.
        if not isinstance(app, LocalChalice):
            app.__class__ = LocalChalice
        self._app = app
        self._routes = RouteMatcher(list(app.routes))

    def request(
        self,
        method: str,
        path: str,
        *,
        key: str | None = None,
        params: Mapping[str, Any] | None = None,
        body: Any = None,
        raw: str | bytes | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Answered:
        """The app's response; ``body`` is sent as JSON, ``raw`` as it is."""
        matched = self._routes.match_route(path)
        sent = {"content-type": "application/json", **{name.lower(): value for name, value in (headers or {}).items()}}
        if key is not None:
            sent["authorization"] = f"Bearer {key}"
        query = {
            name: [str(each) for each in value] if isinstance(value, list) else [str(value)]
            for name, value in (params or {}).items()
            if value is not None
        }
        event = {
            "requestContext": {"httpMethod": method, "resourcePath": matched.route, "path": path, "identity": {}},
            "headers": sent,
            "multiValueQueryStringParameters": query or None,
            "pathParameters": matched.captured,
            "stageVariables": {},
            # Rule documents hold exact decimals; short ones survive the way through a float.
            "body": raw if body is None else json.dumps(body, default=float),
        }
        response = self._app(event, SimpleNamespace(aws_request_id="test"))
        return Answered(response["statusCode"], response["headers"], response["body"])

    def get(self, path: str, **options: Any) -> Answered:
        """GET."""
        return self.request("GET", path, **options)

    def post(self, path: str, body: Any = None, **options: Any) -> Answered:
        """POST."""
        return self.request("POST", path, body=body, **options)

    def put(self, path: str, body: Any = None, **options: Any) -> Answered:
        """PUT."""
        return self.request("PUT", path, body=body, **options)

    def patch(self, path: str, body: Any = None, **options: Any) -> Answered:
        """PATCH."""
        return self.request("PATCH", path, body=body, **options)

    def delete(self, path: str, **options: Any) -> Answered:
        """DELETE."""
        return self.request("DELETE", path, **options)
