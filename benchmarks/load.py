"""A light HTTP load: users on keep-alive connections, with or without think time, all in one event loop."""

import asyncio
import math
import random
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field

_RESPONSE_TIMEOUT_S = 30.0


@dataclass(slots=True)
class Result:
    """What the users of one step saw. Latencies in milliseconds, of answers with an expected status only."""

    users: int
    think_s: float
    seconds: float
    latencies_ms: list[float] = field(default_factory=list)
    statuses: Counter[str] = field(default_factory=Counter)

    @property
    def errors(self) -> int:
        """Answers of 400 and more, time-outs and broken connections."""
        return sum(count for status, count in self.statuses.items() if not status.startswith("2"))

    def figures(self) -> dict[str, float]:
        """Requests per second, p50, p95, p99 in milliseconds, and errors."""
        ordered = sorted(self.latencies_ms)
        return {
            "requests_per_s": round(len(ordered) / self.seconds, 1),
            "p50_ms": percentile(ordered, 50),
            "p95_ms": percentile(ordered, 95),
            "p99_ms": percentile(ordered, 99),
            "errors": self.errors,
        }


def percentile(ordered: list[float], percent: float) -> float:
    """The smallest value that at least ``percent`` of the ascending values do not exceed; 0.0 when there are none."""
    if not ordered:
        return 0.0
    at = math.ceil(len(ordered) * percent / 100) - 1
    return round(ordered[max(at, 0)], 2)


def run(
    port: int, request: Callable[[random.Random], bytes], *, users: int, seconds: float, think_s: float, seed: int = 1
) -> Result:
    """Let ``users`` send what ``request`` draws for ``seconds``; think time is exponential, mean ``think_s``."""
    return asyncio.run(_run(port, request, users=users, seconds=seconds, think_s=think_s, seed=seed))


async def _run(
    port: int, request: Callable[[random.Random], bytes], *, users: int, seconds: float, think_s: float, seed: int
) -> Result:
    result = Result(users, think_s, seconds)
    until = time.perf_counter() + seconds
    await asyncio.gather(*(_user(port, request, random.Random(seed * 1000 + n), until, result) for n in range(users)))
    return result


async def _user(
    port: int, request: Callable[[random.Random], bytes], draw: random.Random, until: float, result: Result
) -> None:
    if result.think_s:
        await asyncio.sleep(draw.random() * result.think_s)
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    while (started := time.perf_counter()) < until:
        writer.write(request(draw))
        try:
            async with asyncio.timeout(_RESPONSE_TIMEOUT_S):
                head = await reader.readuntil(b"\r\n\r\n")
                length, closes = _length(head)
                await reader.readexactly(length)
        except (TimeoutError, asyncio.IncompleteReadError, ConnectionError) as error:
            result.statuses[type(error).__name__] += 1
            writer.close()
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            continue
        status = head[9:12].decode()
        result.statuses[status] += 1
        if status.startswith("2"):
            result.latencies_ms.append((time.perf_counter() - started) * 1000)
        if closes:
            writer.close()
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
        if result.think_s:
            left = until - time.perf_counter()
            await asyncio.sleep(min(draw.expovariate(1 / result.think_s), max(left, 0.0)))
    writer.close()


def _length(head: bytes) -> tuple[int, bool]:
    length, closes = 0, head.startswith(b"HTTP/1.0")
    for line in head.split(b"\r\n")[1:]:
        name, _, value = line.partition(b":")
        match name.lower():
            case b"content-length":
                length = int(value)
            case b"connection":
                closes = value.strip().lower() == b"close"
    return length, closes
