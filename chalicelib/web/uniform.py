"""The framework's own refusals as problem documents: register with ``app.register_middleware(as_problem, "http")``."""

from collections.abc import Callable

from chalice.app import Request, Response

from chalicelib.web import logs, problems
from chalicelib.web.problems import Internal, MethodNotAllowed


def as_problem(request: Request, get_response: Callable[[Request], Response]) -> Response:
    """The response, in the shape of every other refusal when Chalice refused before an endpoint was reached."""
    response = get_response(request)
    if not isinstance(response.body, dict) or "Code" not in response.body:
        return response
    correlation_id = logs.correlation_of(request.headers.get("x-correlation-id"))
    failure = (
        MethodNotAllowed(f"{request.path} does not take {request.method}.")
        if response.status_code == 405
        else Internal("The framework failed before an endpoint was reached.")
    )
    status, body, headers = problems.document(failure, trace_id=correlation_id)
    if "Allow" in response.headers:
        headers["Allow"] = str(response.headers["Allow"])
    return Response(body, {**headers, "X-Correlation-Id": correlation_id}, status)
