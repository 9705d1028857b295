"""What a Commerce Cloud answers: SCAPI Customers v1 for one customer list, and Account Manager's token endpoint.

Besides Salesforce's own addresses it has some for tests: ``POST /_faults`` (see ``faults.Fault``), ``POST /_seed`` (a
list of customers), ``GET /_customers``, ``GET /_log?after=&limit=``, ``POST /_tokens/expire``, ``POST /_reset`` and
``GET /_health``.
"""

import base64
import binascii
import hmac
import json
import re
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from urllib.parse import parse_qs, unquote

from local.outside import customer_contract
from local.outside.customer_list import CustomerList, LoggedRequest, NumberTakenError
from local.outside.faults import Fault, Faults

CLIENT_ID = "interline-local"
CLIENT_SECRET = "interline-local-secret"  # noqa: S105 - opens nothing but this fake
ORGANIZATION_ID = "f_ecom_zzxy_prd"
CUSTOMER_LIST_ID = "RefArch"
API_PATH = "/customer/customers/v1"
TOKEN_PATH = "/dwsso/oauth2/access_token"  # noqa: S105 - an address
TOKEN_LIFE_S = 1799.0
BODY_BYTES_MAX = 5_000_000
LOG_PAGE_MAX = 100_000

_ERRORS = "https://api.commercecloud.salesforce.com/documentation/error/v1/errors/"
_CUSTOMERS = re.compile(
    API_PATH + r"/organizations/(?P<organization>[^/]+)/customer-lists/(?P<list>[^/]+)/customers(?:/(?P<number>[^/]+))?"
)
_FAULT_PROBLEMS = {
    401: ("invalid-access-token", "Invalid Access Token", "The request is unauthorized, the access token is invalid."),
    403: ("forbidden", "Forbidden", "The client is not allowed to access this resource."),
    404: ("customer-not-found", "Customer Not Found", "No customer with this number could be found."),
    409: ("concurrent-modification", "Concurrent Modification", "The customer is being changed by another request."),
    429: ("too-many-requests", "Too Many Requests", "The rate limit of this API is reached."),
    500: ("internal-server-error", "Internal Server Error", "An internal error occurred."),
    502: ("bad-gateway", "Bad Gateway", "The instance did not answer properly."),
    503: ("service-unavailable", "Service Unavailable", "The system sheds load."),
    504: ("gateway-timeout", "Gateway Timeout", "The instance did not answer in time."),
}


@dataclass(frozen=True, slots=True)
class Request:
    """One request, read whole."""

    method: str
    path: str
    query: Mapping[str, list[str]]
    headers: Mapping[str, str]
    body: bytes


@dataclass(frozen=True, slots=True)
class Reply:
    """One answer. ``applied``: the request changed a customer. ``hang_up``: close the connection unanswered."""

    status: int
    document: object = None
    headers: Mapping[str, str] = field(default_factory=dict)
    applied: bool = False
    hang_up: bool = False


class CommerceCloud:
    """The store: what it answers to each request."""

    def __init__(self, customers: CustomerList, *, token_life_s: float = TOKEN_LIFE_S) -> None:
        self._customers = customers
        self._faults = Faults()
        self._token_life_s = token_life_s

    def answer(self, request: Request, *, now: datetime) -> Reply:
        """The answer to one request, faults included; requests to the store itself are logged."""
        if request.path.startswith("/_"):
            return self._for_tests(request, now)
        fault = self._faults.take(request.method, request.path)
        if fault is not None and fault.delay_s:
            time.sleep(fault.delay_s)
        reply = _refused_by(fault) or self._store(request, now)
        if fault is not None and fault.drop:
            reply = Reply(reply.status, applied=reply.applied, hang_up=True)
        entry = LoggedRequest(
            method=request.method,
            path=request.path,
            body=_json(request.body) if request.path != TOKEN_PATH else None,
            status=None if reply.hang_up else reply.status,
            applied=reply.applied,
            fault=None if fault is None else fault.name(),
        )
        self._customers.log(entry, now=now)
        return reply

    def _store(self, request: Request, now: datetime) -> Reply:
        if request.path == TOKEN_PATH:
            return self._token(request, now)
        place = _CUSTOMERS.fullmatch(request.path)
        if place is None:
            return Reply(404, None)
        refused = self._refused(request, place, now)
        if refused is not None:
            return refused
        number = place["number"]
        if number is None:
            return self._create(request, None, now) if request.method == "POST" else Reply(405)
        return self._customer(request, unquote(number), now)

    def _customer(self, request: Request, number: str, now: datetime) -> Reply:
        match request.method:
            case "GET":
                known = self._customers.customer(number)
                return _not_found(number) if known is None else Reply(200, known)
            case "PATCH":
                return self._update(request, number, now)
            case "PUT":
                return self._create(request, number, now)
            case "DELETE":
                # OCAPI's documentation: 204 also for a customer that is gone already.
                self._customers.delete(number)
                return Reply(204, applied=True)
        return Reply(405)

    def _create(self, request: Request, number: str | None, now: datetime) -> Reply:
        body = _json(request.body)
        refusal = customer_contract.refusal(body, creating=True)
        if refusal is not None or not isinstance(body, dict):
            return _problem(400, *(refusal or ("malformed-request-body", "")))
        if number not in {None, body["customerNo"]}:
            return _problem(400, "property-constraint-violation", "The customerNo differs from the one in the path.")
        if self._customers.login_owner(body["credentials"]["login"]) is not None:
            return _problem(400, "login-already-in-use", "The given login is already in use.")
        try:
            created = self._customers.create(customer_contract.accepted(body), now=now)
        except NumberTakenError:
            return _problem(400, "customer-number-already-in-use", "Another customer has this customer number.")
        return Reply(200 if number is None else 201, created, applied=True)

    def _update(self, request: Request, number: str, now: datetime) -> Reply:
        body = _json(request.body)
        refusal = customer_contract.refusal(body, creating=False)
        if refusal is not None or not isinstance(body, dict):
            return _problem(400, *(refusal or ("malformed-request-body", "")))
        login = body.get("credentials", {}).get("login")
        if login is not None and self._customers.login_owner(login) not in {None, number}:
            return _problem(400, "login-already-in-use", "The given login is already in use.")
        try:
            updated = self._customers.update(number, customer_contract.accepted(body), now=now)
        except NumberTakenError:
            return _problem(400, "customer-number-already-in-use", "Another customer has this customer number.")
        return _not_found(number) if updated is None else Reply(200, updated, applied=True)

    def _refused(self, request: Request, place: re.Match[str], now: datetime) -> Reply | None:
        """Why the caller may not be here at all: token, scope, organization, list."""
        kind, _, token = request.headers.get("authorization", "").partition(" ")
        scope = self._customers.scope_of(token, now=now) if kind.lower() == "bearer" else None
        if scope is None:
            return _problem(401, *_FAULT_PROBLEMS[401][::2])
        needed = {"sfcc.customerlists.rw"} | ({"sfcc.customerlists"} if request.method == "GET" else set())
        if not needed & set(scope.split()) or unquote(place["organization"]) != ORGANIZATION_ID:
            return _problem(403, *_FAULT_PROBLEMS[403][::2])
        if unquote(place["list"]) != CUSTOMER_LIST_ID:
            sentence = f"No customer list with ID '{unquote(place['list'])}' could be found."
            return _problem(404, "customer-list-not-found", sentence)
        return None

    def _token(self, request: Request, now: datetime) -> Reply:
        if request.method != "POST":
            return Reply(405)
        if not _knows_the_secret(request.headers.get("authorization", "")):
            return Reply(401, {"error": "invalid_client", "error_description": "Client authentication failed"})
        form = parse_qs(request.body.decode("utf-8", "replace"))
        if form.get("grant_type") != ["client_credentials"]:
            return Reply(400, {"error": "unsupported_grant_type", "error_description": "Use client_credentials"})
        scope = " ".join(form.get("scope", []))
        if f"SALESFORCE_COMMERCE_API:{ORGANIZATION_ID.removeprefix('f_ecom_')}" not in scope.split():
            return Reply(400, {"error": "invalid_scope", "error_description": "Unknown/invalid tenant in scope"})
        token = self._customers.issue_token(scope, life_s=self._token_life_s, now=now)
        document = {
            "access_token": token,
            "scope": scope,
            "token_type": "Bearer",
            "expires_in": int(self._token_life_s),
        }
        return Reply(200, document)

    def _for_tests(self, request: Request, now: datetime) -> Reply:
        addresses: dict[tuple[str, str], Callable[[], Reply]] = {
            ("GET", "/_health"): lambda: Reply(200, {"status": "up"}),
            ("GET", "/_customers"): lambda: Reply(200, self._customers.customers()),
            ("GET", "/_log"): lambda: self._log_page(request.query),
            ("POST", "/_seed"): lambda: self._seed(_json(request.body), now),
            ("POST", "/_faults"): lambda: self._order(_json(request.body)),
            ("POST", "/_tokens/expire"): self._expire_tokens,
            ("POST", "/_reset"): self._reset,
        }
        chosen = addresses.get((request.method, request.path))
        return Reply(404) if chosen is None else chosen()

    def _log_page(self, query: Mapping[str, list[str]]) -> Reply:
        after = int(query.get("after", ["0"])[0])
        limit = min(int(query.get("limit", ["1000"])[0]), LOG_PAGE_MAX)
        return Reply(200, self._customers.requests(after=after, limit=limit))

    def _seed(self, body: object, now: datetime) -> Reply:
        if not isinstance(body, list):
            return _problem(400, "malformed-request-body", "Send a list of customers.")
        refusals = [why for each in body if (why := customer_contract.refusal(each, creating=False))]
        if refusals:
            return _problem(400, *refusals[0])
        return Reply(200, {"seeded": self._customers.seed(body, now=now)})

    def _expire_tokens(self) -> Reply:
        self._customers.expire_tokens()
        return Reply(204)

    def _reset(self) -> Reply:
        self._faults.clear()
        self._customers.reset()
        return Reply(204)

    def _order(self, body: object) -> Reply:
        if not isinstance(body, dict):
            return _problem(400, "malformed-request-body", "Send one fault as an object.")
        try:
            self._faults.order(Fault.of(body))
        except ValueError as error:
            return _problem(400, "malformed-request-body", str(error))
        return Reply(204)


def _refused_by(fault: Fault | None) -> Reply | None:
    if fault is None:
        return None
    if fault.drop == "before":
        return Reply(0, hang_up=True)
    if fault.status is None:
        return None
    kind, title, detail = _FAULT_PROBLEMS[fault.status]
    headers = {} if fault.retry_after is None else {"Retry-After": fault.retry_after}
    return Reply(fault.status, {"title": title, "type": _ERRORS + kind, "detail": detail}, headers)


def _problem(status: int, kind: str, detail: str) -> Reply:
    return Reply(status, {"title": kind.replace("-", " ").title(), "type": _ERRORS + kind, "detail": detail})


def _not_found(number: str) -> Reply:
    return _problem(404, "customer-not-found", f"No customer with number '{number}' could be found.")


def _json(body: bytes) -> object:
    """The body's JSON, or None where there is none or it is malformed: the store refuses both alike."""
    try:
        document: object = json.loads(body)
    except ValueError:
        return None
    return document


def _knows_the_secret(authorization: str) -> bool:
    kind, _, encoded = authorization.partition(" ")
    try:
        given = base64.b64decode(encoded, validate=True)
    except binascii.Error:
        return False
    return kind.lower() == "basic" and hmac.compare_digest(given, f"{CLIENT_ID}:{CLIENT_SECRET}".encode())
