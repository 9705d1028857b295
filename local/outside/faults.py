"""Faults that a test orders from the fake Commerce Cloud, each for a number of matching requests."""

import threading
from dataclasses import dataclass, replace
from typing import Any, Literal

_KNOWN = frozenset({"status", "times", "retry_after", "delay_s", "drop", "path_contains", "method"})
_STATUSES = frozenset({401, 403, 404, 409, 429, 500, 502, 503, 504})


@dataclass(frozen=True, slots=True)
class Fault:
    """What happens to a matching request.

    ``status``: answered with it, nothing applied. ``delay_s``: served that much later. ``drop``: the connection is
    closed without an answer, ``before`` or ``after`` the request took effect. ``retry_after`` is sent as it is given.
    """

    times: int = 1
    status: int | None = None
    retry_after: str | None = None
    delay_s: float = 0.0
    drop: Literal["before", "after"] | None = None
    path_contains: str = "/customers"
    method: str | None = None

    @classmethod
    def of(cls, order: dict[str, Any]) -> "Fault":
        """The fault that a test describes in JSON. Raises ValueError naming what is wrong."""
        unknown = set(order) - _KNOWN
        if unknown:
            raise ValueError(f"unknown fault members: {', '.join(sorted(unknown))}")
        status = order.get("status")
        if status is not None and status not in _STATUSES:
            raise ValueError(f"status must be one of {sorted(_STATUSES)}")
        retry_after = order.get("retry_after")
        return cls(
            times=int(order.get("times", 1)),
            status=status,
            retry_after=None if retry_after is None else str(retry_after),
            delay_s=float(order.get("delay_s", 0)),
            drop=_drop(order.get("drop", False)),
            path_contains=str(order.get("path_contains", "/customers")),
            method=order.get("method"),
        )

    def name(self) -> str:
        """How the log tells this fault."""
        if self.status is not None:
            return str(self.status)
        return f"drop {self.drop}" if self.drop else f"delay {self.delay_s}"


def _drop(ordered: object) -> Literal["before", "after"] | None:
    if ordered is False or ordered is None:
        return None
    if ordered is True or ordered == "after":
        return "after"
    if ordered == "before":
        return "before"
    raise ValueError("drop must be true, 'before' or 'after'")


class Faults:
    """The faults still to come, first ordered, first served; safe to use from any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._waiting: list[Fault] = []

    def order(self, fault: Fault) -> None:
        """Serve this fault to the next requests that match."""
        with self._lock:
            self._waiting.append(fault)

    def clear(self) -> None:
        """No more faults."""
        with self._lock:
            self._waiting.clear()

    def take(self, method: str, path: str) -> Fault | None:
        """The fault for this request, counted down."""
        with self._lock:
            for index, fault in enumerate(self._waiting):
                if fault.path_contains in path and fault.method in {None, method}:
                    if fault.times > 1:
                        self._waiting[index] = replace(fault, times=fault.times - 1)
                    else:
                        del self._waiting[index]
                    return fault
        return None
