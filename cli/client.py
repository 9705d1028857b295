"""One small HTTP client for any hub; the problems it answers become the hub's own errors."""

import json
from collections.abc import Iterator, Mapping
from http import HTTPStatus
from typing import Any, Self
from urllib.parse import quote, urlsplit

import httpx

from chalicelib.errors import (
    Broken,
    Conflict,
    Fault,
    InterlineError,
    InvalidInput,
    NotAuthenticated,
    NotFound,
    NotPermitted,
    Unavailable,
    Unprocessable,
)

_TIMEOUT_S = 35.0
_PAGES_MAX = 10_000
_BY_STATUS: Mapping[int, type[InterlineError]] = {
    401: NotAuthenticated,
    403: NotPermitted,
    404: NotFound,
    409: Conflict,
    422: Unprocessable,
    429: Unavailable,
}


class HubClient:
    """Calls one hub with one key. Every method raises the error that the hub's problem stands for."""

    def __init__(self, url: str, key: str | None) -> None:
        self.url = url.rstrip("/")
        local = urlsplit(self.url).hostname in {"127.0.0.1", "localhost", "::1"}
        self._http = httpx.Client(
            base_url=self.url,
            headers={"Authorization": f"Bearer {key}"} if key else {},
            timeout=_TIMEOUT_S,
            trust_env=not local,  # a proxy is of no use on the way to this machine
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._http.close()

    def get(self, path: str, **query: str | int | None) -> Any:  # noqa: ANN401 - a JSON document
        """What is at ``path``; query parameters that are None are left out."""
        return self._ask("GET", path, query=query)

    def items(self, path: str, **query: str | int | None) -> Iterator[dict[str, Any]]:
        """Every item of a list, page after page."""
        cursor: str | None = None
        for _ in range(_PAGES_MAX):
            page = self.get(path, **{**query, "cursor": cursor})
            yield from page["items"]
            cursor = page.get("next_cursor")
            if cursor is None:
                return
        raise Broken(f"{path} has more than {_PAGES_MAX} pages.")

    def put(self, path: str, text: str, **query: str | int | None) -> Any:  # noqa: ANN401 - a JSON document
        """Replace what is at ``path`` by a JSON text."""
        return self._ask("PUT", path, query=query, text=text)

    def post(self, path: str, body: object, *, idempotency_key: str) -> Any:  # noqa: ANN401 - a JSON document
        """Send ``body``; the same key twice has one effect."""
        return self.post_text(path, json.dumps(body), idempotency_key=idempotency_key)

    def patch(self, path: str, body: object) -> Any:  # noqa: ANN401 - a JSON document
        """Send a change and return the answer. Raises as ``get`` does."""
        return self._ask("PATCH", path, text=json.dumps(body))

    def post_text(self, path: str, text: str | None, *, idempotency_key: str | None = None) -> Any:  # noqa: ANN401 - a JSON document
        """Send a JSON text as it is, or nothing; without a key where the endpoint only answers a question."""
        headers = {} if idempotency_key is None else {"Idempotency-Key": idempotency_key}
        return self._ask("POST", path, text=text, headers=headers)

    def _ask(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, str | int | None] | None = None,
        text: str | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Any:  # noqa: ANN401 - a JSON document
        given = {name: value for name, value in (query or {}).items() if value is not None}
        content = None if text is None else text.encode()
        sent = dict(headers or {}) | ({} if content is None else {"Content-Type": "application/json"})
        try:
            answer = self._http.request(method, path, params=given, content=content, headers=sent)
        except httpx.HTTPError as error:
            raise Unavailable(
                f"The hub at {self.url} does not answer ({error}). Is it running? `./hub up` starts one here.",
                code="hub_unreachable",
            ) from error
        if answer.is_success:
            return answer.json() if answer.content else None
        raise _problem(answer)


def segment(value: str) -> str:
    """One path segment, percent-encoded."""
    return quote(value, safe="")


def _problem(answer: httpx.Response) -> InterlineError:
    try:
        problem = answer.json()
    except ValueError:
        problem = {}
    if not isinstance(problem, dict):
        problem = {}
    status = answer.status_code
    if status == HTTPStatus.NOT_FOUND and "code" not in problem:
        raise NotFound(
            f"{answer.url} answers 404 and is no hub: is HUB_URL the address of one, such as http://127.0.0.1:8000?",
            code="no_hub",
        )
    kind = _BY_STATUS.get(status, Unavailable if status >= 500 else InvalidInput)
    sentence = problem.get("detail") or problem.get("title") or problem.get("message") or answer.reason_phrase
    faults = [
        Fault(str(one.get("pointer", "")), str(one.get("code", "")), str(one.get("message", "")))
        for one in problem.get("faults") or problem.get("errors") or ()
        if isinstance(one, dict)
    ]
    return kind(str(sentence), code=str(problem.get("code") or f"http_{status}"), faults=faults)
