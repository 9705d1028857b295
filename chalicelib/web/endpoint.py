"""The one way to declare a REST endpoint.

``@endpoint`` owns authentication, scope, parsing, the transaction, idempotency, status and errors; the handler's
annotations are its contract.
"""

import logging
import re
import time
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from hashlib import sha256
from typing import Any, Final, TypeVar

from chalice.app import Blueprint, Request, Response
from sqlalchemy.engine import Connection
from sqlalchemy.exc import DBAPIError, InterfaceError, OperationalError

from chalicelib.access import idempotency
from chalicelib.access.caller import Caller
from chalicelib.access.principal import Principal
from chalicelib.access.scopes import Scope
from chalicelib.errors import Broken, DatabaseUnavailable, InterlineError, NotPermitted
from chalicelib.records import dataclass
from chalicelib.storage import engine
from chalicelib.storage.engine import Database
from chalicelib.storage.ids import public_id
from chalicelib.web import answers, authentication, clock, logs, parsing, problems
from chalicelib.web.answers import Reply
from chalicelib.web.call import Call
from chalicelib.web.declaration import Idempotent, specify
from chalicelib.web.problems import Internal, Malformed
from chalicelib.web.registry import ENDPOINTS, Effect, EndpointSpec, Open, Replay

log = logging.getLogger(__name__)

HandlerT = TypeVar("HandlerT", bound=Callable[..., object])

_IDEMPOTENCY_KEY: Final = re.compile(rf"[\x21-\x7e]{{1,{idempotency.KEY_LENGTH_MAX}}}")
_BODY_BYTES_MAX: Final = 1 << 20


def endpoint(
    blueprint: Blueprint,
    route: str,
    *,
    scope: Scope | Open,
    status: int = 200,
    idempotent: Idempotent = None,
    raises: Sequence[type[InterlineError]] = (),
    content_types: Sequence[str] = (answers.JSON,),
    body_bytes_max: int = _BODY_BYTES_MAX,
    exact_numbers: bool = False,
    transaction: bool = True,
) -> Callable[[HandlerT], HandlerT]:
    """Declare the decorated function as the handler of ``route`` (``"POST /v1/accruals"``).

    The handler takes ``call``, the path's parameters by name (``str`` or ``int``), and, if it wants them, ``query`` (a
    model) and ``body`` (a model or TypedDict), both refusing unknown fields. It returns a view, a ``Page``, an
    ``Answer`` with a status of its own, an ``Attachment``, or None; errors it raises become problem documents.

    A POST says what repeating it means: ``idempotent="required"`` wants an Idempotency-Key, ``True`` (it has a business
    key) takes one if given, ``False`` declares that it writes nothing: its transaction is read-only and rolled back.
    PUT, PATCH and DELETE take a key if given. ``transaction=False``: the handler of a GET opens its own, or needs none.
    ``exact_numbers=True`` is for rule documents, whose literals may be written as numbers: they arrive as Decimal.
    Raises TypeError while importing when the declaration is wrong.
    """

    def declare(handler: HandlerT) -> HandlerT:
        spec = specify(
            route,
            handler,
            scope=scope,
            status=status,
            idempotent=idempotent,
            raises=tuple(raises),
            content_types=tuple(content_types),
            body_bytes_max=body_bytes_max,
            exact_numbers=exact_numbers,
            transaction=transaction,
        )
        ENDPOINTS[spec.route] = spec

        def served(**path: str) -> Response:
            return _serve(spec, blueprint.current_request, path)

        served.__name__ = handler.__name__
        # Chalice would refuse other media types before the handler, in a shape of its own, even where there is no body.
        blueprint.route(spec.path, methods=[spec.method], content_types=[])(served)
        return handler

    return declare


@dataclass(slots=True)
class _Exchange:
    """One request on its way through the edge."""

    spec: EndpointSpec
    request: Request
    correlation_id: str
    now: datetime
    database: Database
    principal: Principal | None = None

    def authenticate(self) -> None:
        """Learn who asks, and whether they may. Raises NotAuthenticated and NotPermitted."""
        scope = self.spec.scope
        if scope is Open.PUBLIC:
            return
        header = self.request.headers.get("authorization")
        self.principal = authentication.principal_of(header, database=self.database, now=self.now)
        if scope is not Open.AUTHENTICATED and scope not in self.principal.scopes:
            raise NotPermitted(f"This needs the scope {scope}, which your key lacks.", code="scope_missing")

    def answer(self, raw_path: Mapping[str, str]) -> tuple[Reply, dict[str, str]]:
        """The reply and its extra headers."""
        spec, request = self.spec, self.request
        path = parsing.path_of(spec, raw_path)
        query = parsing.query_of(spec, request.query_params)
        raw_body = b"" if spec.body is None else _raw_body(request)
        body = parsing.body_of(spec, raw_body, request.headers.get("content-type"))
        arguments: dict[str, Any] = dict(path)
        if spec.query is not None:
            arguments["query"] = query
        if spec.body is not None:
            arguments["body"] = body

        afterwards: list[Callable[[], None]] = []

        def handled(db: Connection | None) -> Reply:
            call = Call(
                db=db,
                principal=self.principal,
                caller=Caller(self.actor, self.correlation_id),
                now=self.now,
                database=self.database,
                headers=request.headers,
                bound_to=f"{spec.route} {path}",
            )
            reply = answers.reply(spec.handler(call, **arguments), spec.status)
            # A transaction that lost its race is done again: what counts is the last time.
            afterwards[:] = call.afterwards
            return reply

        if spec.effect is Effect.NONE:
            return handled(None), {}
        if spec.effect is Effect.READ:
            with self.database.read() as db:
                return handled(db), {}
        key = _idempotency_key(spec, request.headers.get("idempotency-key"))
        if key is None:
            answered: tuple[Reply, dict[str, str]] = self.database.run(handled), {}
        else:
            seen = repr((path, None if query is None else query.model_dump_json())).encode() + b"\n" + raw_body
            answered = self.database.run(lambda db: self._once(db, key, sha256(seen).digest(), handled))
        for do in afterwards:
            do()
        return answered

    @property
    def actor(self) -> str:
        """Who asks, as the audit trail names them."""
        return "anonymous" if self.principal is None else self.principal.actor

    def _once(
        self, db: Connection, key: str, request_hash: bytes, handled: Callable[[Connection], Reply]
    ) -> tuple[Reply, dict[str, str]]:
        """The answer to the first request with this key: by doing it now, or by replaying it."""
        if self.principal is None:
            raise Broken("A request without a principal cannot be replayed.")
        owner = self.principal.key_id
        earlier = idempotency.claim(
            db, principal_id=owner, key=key, route=self.spec.route, request_hash=request_hash, now=self.now
        )
        if earlier is not None:
            return Reply(earlier.status, earlier.body), {"Idempotency-Replayed": "true"}
        reply = handled(db)
        idempotency.keep(db, principal_id=owner, key=key, status=reply.status, body=reply.body)
        return reply, {}


def _serve(spec: EndpointSpec, request: Request, raw_path: Mapping[str, str]) -> Response:
    """The response, whatever happens; one log line tells how it went."""
    started = time.perf_counter()
    correlation_id = logs.correlation_of(request.headers.get("x-correlation-id"))
    exchange = _Exchange(spec, request, correlation_id, clock.now(), engine.database())
    code: str | None = None
    with logs.correlated(correlation_id):
        try:
            exchange.authenticate()
            reply, headers = exchange.answer(raw_path)
        except Exception as error:  # noqa: BLE001 - the one broad catch: nothing leaves the edge but a problem document
            failure = _anticipated(error)
            code = failure.code
            status, body, headers = problems.document(failure, trace_id=correlation_id)
        else:
            status, body = reply.status, reply.body
            headers["Content-Type"] = reply.media_type
            if reply.file_name is not None:
                headers["Content-Disposition"] = f'attachment; filename="{reply.file_name}"'
        log.info(
            "Request answered.",
            extra={
                "route": spec.route,
                "status": status,
                "duration_ms": round((time.perf_counter() - started) * 1000, 2),
                "actor": exchange.actor,
                "key_id": None if exchange.principal is None else public_id("key", exchange.principal.key_id),
                "code": code,
            },
        )
    headers["X-Correlation-Id"] = correlation_id
    # Balances, personal data and keys: no cache on the way keeps them.
    headers["Cache-Control"] = "no-store"
    return Response(body, {**headers}, status)


def _anticipated(error: Exception) -> InterlineError:
    """What the caller is told of a failure; what only engineers may see goes to the log."""
    if isinstance(error, Broken):
        log.critical("A promise of the hub does not hold.", exc_info=error, extra={"code": error.code})
        return error
    if isinstance(error, InterlineError):
        return error
    if isinstance(error, DBAPIError):
        if engine.lost_race(error):
            return DatabaseUnavailable("The database is too busy: try again.")
        if error.connection_invalidated or isinstance(error, OperationalError | InterfaceError):
            log.error("The database went away during a request.", exc_info=error)
            return DatabaseUnavailable(
                "The database went away. Whether the request took effect is not known: repeat it with the same "
                "Idempotency-Key, or look."
            )
    log.error("A request failed unexpectedly.", exc_info=error)
    return Internal("The hub failed.")


def _raw_body(request: Request) -> bytes:
    raw = request.raw_body
    return raw if isinstance(raw, bytes) else raw.encode()


def _idempotency_key(spec: EndpointSpec, header: str | None) -> str | None:
    if header is None:
        if spec.replay is Replay.REQUIRED:
            raise Malformed(
                "This needs an Idempotency-Key header: any text of your choice, new for each new request.",
                code="idempotency_key_missing",
            )
        return None
    if not _IDEMPOTENCY_KEY.fullmatch(header):
        raise Malformed(
            f"An Idempotency-Key has 1 to {idempotency.KEY_LENGTH_MAX} visible ASCII characters.",
            code="idempotency_key_malformed",
        )
    return header
