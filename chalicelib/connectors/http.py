"""What connectors over HTTP share: one request told as an outcome, bearer tokens, Retry-After, problem documents."""

import re
import threading
import time
from collections.abc import Callable, Mapping
from email.utils import parsedate_to_datetime
from typing import Final

import httpx
from pydantic import JsonValue, TypeAdapter, ValidationError

from chalicelib.connectors.contract import Outcome, Result
from chalicelib.records import dataclass

RETRY_AFTER_MAX_S: Final = 86_400.0
"""A longer request for patience is taken as a day: the operator should see the target, not wait for it."""

DETAIL_CHARACTERS_MAX: Final = 500
CODE_CHARACTERS_MAX: Final = 60

TOKEN_RESERVE_S: Final = 30.0
"""A token is renewed this long before it expires, so that it does not expire on the way."""

TOKEN_LIFE_DEFAULT_S: Final = 300.0
"""Assumed when the token endpoint names no ``expires_in`` (RFC 6749 section 5.1 only recommends it)."""

_REFUSED_BEFORE_EFFECT: Final = frozenset({408, 409, 425, 429, 503})
_GATEWAY_LOST_PATIENCE: Final = frozenset({502, 504})

_document: TypeAdapter[dict[str, JsonValue]] = TypeAdapter(dict[str, JsonValue])


class Undelivered(Exception):
    """A request that did not end in success, told as what it means for the message. Never leaves the connectors."""

    def __init__(
        self,
        outcome: Outcome,
        *,
        code: str,
        detail: str,
        status: int | None = None,
        retry_after_s: float | None = None,
        response: Mapping[str, JsonValue] | None = None,
    ) -> None:
        """The fields are those of Result."""
        super().__init__(f"{code}: {detail}")
        self.outcome = outcome
        self.code = code
        self.detail = detail
        self.status = status
        self.retry_after_s = retry_after_s
        self.response = response
        self.patient = False

    def result(self, message_id: bytes) -> Result:
        """The same, for one message."""
        return Result(
            message_id=message_id,
            outcome=self.outcome,
            status=self.status,
            code=self.code,
            detail=self.detail,
            retry_after_s=self.retry_after_s,
            response=self.response,
            patient=self.patient,
        )


@dataclass(frozen=True, slots=True)
class Deadline:
    """When one message must be done, on a monotonic clock."""

    ends_at_s: float
    clock: Callable[[], float] = time.monotonic

    @classmethod
    def after(cls, seconds: float, clock: Callable[[], float] = time.monotonic) -> "Deadline":
        """A deadline so many seconds from now."""
        return cls(clock() + seconds, clock)

    def left_s(self) -> float:
        """The seconds left. Raises Undelivered (RETRY) when there are none: nothing was sent."""
        left_s = self.ends_at_s - self.clock()
        if left_s <= 0:
            raise Undelivered(Outcome.RETRY, code="out_of_time", detail="The time for this message was used up.")
        return left_s


@dataclass(frozen=True, slots=True)
class Answer:
    """A successful answer: its status and its JSON object, empty where there was none."""

    status: int
    body: Mapping[str, JsonValue]


@dataclass(frozen=True, slots=True)
class Effect:
    """What a request may have done when its answer is lost.

    ``repeatable``: sending it twice is the same as once. ``settle_s``: how long after we gave up it may still take
    effect, so that a later message of the same record must not be sent before.
    """

    repeatable: bool
    settle_s: float


READ: Final = Effect(repeatable=True, settle_s=0.0)


class ClientCredentials:
    """The access token of one target by OAuth 2.0 client credentials (RFC 6749 section 4.4, HTTP Basic).

    Fetched when first needed, kept until shortly before it expires, safe to share between threads.
    """

    def __init__(
        self,
        client: httpx.Client,
        *,
        token_url: str,
        client_id: str,
        client_secret: str,
        scope: str,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._client = client
        self._token_url = token_url
        self._basic = httpx.BasicAuth(client_id, client_secret)
        self._scope = scope
        self._clock = clock
        self._lock = threading.Lock()
        self._token = ""
        self._renew_at_s = 0.0

    def token(self, deadline: Deadline) -> str:
        """A token that is valid now.

        Raises Undelivered: UNAUTHORIZED when the credentials are refused, RETRY when the endpoint does not serve.
        """
        with self._lock:
            if not self._token or self._clock() >= self._renew_at_s:
                self._fetch(deadline)
            return self._token

    def forget(self, token: str) -> None:
        """Drop a token that was refused, unless another thread has replaced it already."""
        with self._lock:
            if self._token == token:
                self._token = ""

    def _fetch(self, deadline: Deadline) -> None:
        form = {"grant_type": "client_credentials", "scope": self._scope}
        response = _exchange(
            self._client, "POST", self._token_url, effect=READ, deadline=deadline, auth=self._basic, data=form
        )
        body = _object(response)
        if response.status_code in {400, 401, 403}:
            said = body.get("error_description") or body.get("error") or f"HTTP {response.status_code}"
            raise Undelivered(
                Outcome.UNAUTHORIZED,
                code="token_refused",
                detail=f"The token endpoint refuses the credentials or the scope: {said}"[:DETAIL_CHARACTERS_MAX],
                status=response.status_code,
            )
        token = body.get("access_token")
        if response.status_code != 200 or not isinstance(token, str) or not token:
            raise Undelivered(
                Outcome.RETRY,
                code="token_unavailable",
                detail=f"The token endpoint gave no token (HTTP {response.status_code}).",
                status=response.status_code,
                retry_after_s=retry_after_s(response.headers),
            )
        life = body.get("expires_in")
        life_s = float(life) if isinstance(life, int | float) else TOKEN_LIFE_DEFAULT_S
        self._token = token
        self._renew_at_s = self._clock() + max(life_s - TOKEN_RESERVE_S, life_s / 2)


def request(
    client: httpx.Client,
    credentials: ClientCredentials,
    method: str,
    url: str,
    *,
    effect: Effect,
    deadline: Deadline,
    body: Mapping[str, JsonValue] | None = None,
) -> Answer:
    """Send one authenticated request; a refused token is renewed once.

    Raises Undelivered for everything that is not a 2xx.
    """
    response = _authenticated(client, credentials, method, url, effect=effect, deadline=deadline, body=body)
    if response.status_code == 401:
        response = _authenticated(client, credentials, method, url, effect=effect, deadline=deadline, body=body)
    if not response.is_success:
        raise _undelivered(response, effect)
    return Answer(response.status_code, _object(response))


def _authenticated(
    client: httpx.Client,
    credentials: ClientCredentials,
    method: str,
    url: str,
    *,
    effect: Effect,
    deadline: Deadline,
    body: Mapping[str, JsonValue] | None,
) -> httpx.Response:
    token = credentials.token(deadline)
    headers = {"authorization": f"Bearer {token}"}
    response = _exchange(client, method, url, effect=effect, deadline=deadline, headers=headers, json=body)
    if response.status_code == 401:
        credentials.forget(token)
    return response


def _exchange(
    client: httpx.Client,
    method: str,
    url: str,
    *,
    effect: Effect,
    deadline: Deadline,
    headers: Mapping[str, str] | None = None,
    auth: httpx.Auth | None = None,
    json: Mapping[str, JsonValue] | None = None,
    data: Mapping[str, str] | None = None,
) -> httpx.Response:
    """One request and its whole answer, whatever its status. Raises Undelivered when there is no answer."""
    try:
        return client.request(
            method,
            url,
            headers=headers,
            auth=auth,
            json=json,
            data=data,
            timeout=deadline.left_s(),
            follow_redirects=False,
        )
    except (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout) as error:
        raise Undelivered(
            Outcome.RETRY, code="unreachable", detail=f"No connection could be made ({type(error).__name__})."
        ) from error
    except httpx.TransportError as error:
        raise Undelivered(
            Outcome.RETRY if effect.repeatable else Outcome.UNCERTAIN,
            code="timeout" if isinstance(error, httpx.TimeoutException) else "connection_lost",
            detail=f"The request was sent but no answer came ({type(error).__name__}).",
            retry_after_s=effect.settle_s or None,
        ) from error


def _undelivered(response: httpx.Response, effect: Effect) -> Undelivered:
    status = response.status_code
    problem = _object(response)
    asked_s = retry_after_s(response.headers)
    if status in _GATEWAY_LOST_PATIENCE:
        asked_s = max(asked_s or 0.0, effect.settle_s) or None
    said = problem.get("detail") or problem.get("title") or "The answer says no more."
    return Undelivered(
        _outcome(status, effect),
        code=problem_code(problem) or f"http_{status}",
        detail=f"HTTP {status}: {said}"[:DETAIL_CHARACTERS_MAX],
        status=status,
        retry_after_s=asked_s,
        response=problem or None,
    )


def _outcome(status: int, effect: Effect) -> Outcome:
    if status in {401, 403}:
        return Outcome.UNAUTHORIZED
    if status in _REFUSED_BEFORE_EFFECT:
        return Outcome.RETRY
    if status >= 500:
        return Outcome.RETRY if effect.repeatable else Outcome.UNCERTAIN
    # A redirect or a missing address is the target's set-up at fault, not the content of this message.
    return Outcome.RETRY if status < 400 or status == 404 else Outcome.REJECTED


def problem_code(problem: Mapping[str, JsonValue]) -> str | None:
    """The last segment of a problem's type (RFC 9457) in snake_case, or None where there is no usable type."""
    named = problem.get("type")
    if not isinstance(named, str):
        return None
    segment = named.rstrip("/").rsplit("/", 1)[-1]
    words = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", segment)
    code = re.sub(r"[^a-z0-9]+", "_", words.lower()).strip("_")
    return None if code in {"", "about_blank"} else code[:CODE_CHARACTERS_MAX]


def retry_after_s(headers: Mapping[str, str]) -> float | None:
    """The seconds that a Retry-After header asks for, at most a day (RFC 9110 section 10.2.3); None without one.

    A date counts from the answer's own Date header, so that a difference between the two clocks does not matter.
    """
    asked = headers.get("retry-after", "").strip()
    if asked.isascii() and asked.isdigit():
        return min(float(asked), RETRY_AFTER_MAX_S)
    sent = headers.get("date", "")
    if not asked or not sent:
        return None
    try:
        seconds = (parsedate_to_datetime(asked) - parsedate_to_datetime(sent)).total_seconds()
    except (ValueError, TypeError):
        return None  # Neither a number nor a date: the sender breaks the standard and the pump's own backoff serves.
    return min(max(seconds, 0.0), RETRY_AFTER_MAX_S)


def _object(response: httpx.Response) -> dict[str, JsonValue]:
    """The answer's JSON object; empty when it is none, as with a page that a proxy made."""
    try:
        return _document.validate_json(response.content)
    except ValidationError:
        return {}
