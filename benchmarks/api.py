"""``python -m benchmarks.api``: balance reads and accrual writes over HTTP, beside the floor and a team's own service.

Three services take turns at every step of one run, each with two processes, on schemas of one MariaDB that flushes at
each commit: the hub (the Chalice app behind ``local.gateway``), the floor (bare WSGI with PyMySQL, ``rivals.floor``)
and FastAPI with the SQLAlchemy ORM (``rivals.orm``). The load generator shares the machine with them.
"""

import json
import os
import random
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from decimal import Decimal
from itertools import count
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.engine import make_url

from benchmarks import load, report, world
from benchmarks.load import Result
from benchmarks.world import CALLER, Machine, World
from chalicelib.deliveries.models import target
from chalicelib.partners.provenance import BY_API
from chalicelib.points.earning import accruals
from chalicelib.points.models.ledger import account, accrual_event
from chalicelib.storage.ids import public_id
from local.home import REPOSITORY

PROCESSES = 2
_MEMBERS, _MEMBERS_QUICK = 1_000, 200
_SECONDS, _SECONDS_QUICK = 10.0, 1.0
#: Users and mean think time in seconds.
_STEPS = ((1, 0.0), (20, 0.0), (100, 0.0), (20, 1.0), (100, 1.0))
_STEPS_QUICK = ((1, 0.0), (20, 0.0), (100, 0.0), (100, 1.0))
_BATCH = 500
_numbers = count(1)

Request = Callable[[random.Random], bytes]


@dataclass(slots=True)
class Service:
    """One way to serve both requests, and what its users saw."""

    name: str
    port: int
    process: subprocess.Popen[bytes]
    served: World
    balance: Request
    accrual: Request
    peak_mb: float = 0.0
    written: int = 0
    results: dict[str, Result] = field(default_factory=dict)


def main() -> None:
    """Run the steps, print the tables and ratios."""
    args = report.arguments(__doc__ or "")
    members = _MEMBERS_QUICK if args.quick else _MEMBERS
    seconds = _SECONDS_QUICK if args.quick else _SECONDS
    steps = _STEPS_QUICK if args.quick else _STEPS
    with world.machine() as on, ExitStack() as running:
        services = [running.enter_context(start(on, members)) for start in (_hub, _floor, _orm)]
        for service in services:
            _require_answers(service)
        before = {service.name: _events(service) for service in services}
        for users, think_s in steps:
            for kind in ("balance", "accrual"):
                for service in services:
                    _measure(service, kind, users=users, think_s=think_s, seconds=seconds)
                    report.say(args, f"  {kind:8} {users:3} users, think {think_s:.0f} s: {service.name} done")
        stored = {service.name: _events(service) - before[service.name] for service in services}
    for kind in ("balance", "accrual"):
        rows = {
            f"{service.name}, {step}": result.figures()
            for step in [f"{users} users" + (", think 1 s" if think_s else "") for users, think_s in steps]
            for service in services
            if (result := service.results.get(f"{kind}, {step}")) is not None
        }
        report.show(args, f"{kind} ({PROCESSES} processes each)", rows)
    figures = _figures(services, stored)
    report.show(args, "Writes answered and stored, peak memory", _checks(services, stored))
    report.show(args, "Ratios of requests per second", {name: {"ratio": value} for name, value in _ratios(services)})
    report.finish(args, figures)


def _require_answers(service: Service) -> None:
    """Raise unless the service does what it is measured at: a rival that refuses everything would lose every step."""
    for kind, request in (("balance", service.balance), ("accrual", service.accrual)):
        found = load.run(service.port, request, users=1, seconds=0.2, think_s=0.0)
        if found.errors or not found.latencies_ms:
            raise RuntimeError(f"{service.name} does not answer {kind}: {dict(found.statuses)}")


def _measure(service: Service, kind: str, *, users: int, think_s: float, seconds: float) -> None:
    request = service.balance if kind == "balance" else service.accrual
    with report.PeakMemory(service.process.pid) as memory:
        result = load.run(service.port, request, users=users, seconds=seconds, think_s=think_s)
    service.peak_mb = max(service.peak_mb, memory.peak_mb)
    service.results[f"{kind}, {users} users" + (", think 1 s" if think_s else "")] = result
    if kind == "accrual":
        service.written += sum(number for status, number in result.statuses.items() if status.startswith("2"))


def _figures(services: list[Service], stored: Mapping[str, int]) -> dict[str, Any]:
    figures: dict[str, Any] = {f"ratio, {name}": value for name, value in _ratios(services)}
    for service in services:
        for step, result in service.results.items():
            figures |= {f"{service.name}, {step}, {name}": value for name, value in result.figures().items()}
        figures[f"{service.name}, peak_mb"] = service.peak_mb
        figures[f"{service.name}, writes_answered"] = service.written
        figures[f"{service.name}, writes_stored"] = stored[service.name]
    return figures


def _checks(services: list[Service], stored: Mapping[str, int]) -> dict[str, dict[str, float]]:
    return {
        service.name: {"answered": service.written, "stored": stored[service.name], "peak_mb": service.peak_mb}
        for service in services
    }


def _ratios(services: list[Service]) -> Iterator[tuple[str, float]]:
    hub, *others = services
    for step in hub.results:
        if "think" in step:
            continue
        own = hub.results[step].figures()["requests_per_s"]
        for other in others:
            theirs = other.results[step].figures()["requests_per_s"]
            yield f"hub / {other.name}, {step}", round(own / theirs, 2) if theirs else 0.0


def _events(service: Service) -> int:
    with service.served.database.read() as db:
        return int(db.execute(select(func.count()).select_from(accrual_event)).scalar_one())


@contextmanager
def _hub(on: Machine, members: int) -> Iterator[Service]:
    served = _opened(on, "bench_hub", members)
    ids = [public_id("mbr", each.id) for each in served.members().values()]
    port = report.free_port()
    command = [sys.executable, "-m", "local.gateway", "--port", str(port), "--processes", str(PROCESSES)]
    with running(command, served.variables | {"INTERLINE_DATABASE_POOL_MAX": "16"}, port) as process:
        yield Service(
            "hub",
            port,
            process,
            served,
            lambda draw: _get(f"/v1/members/{draw.choice(ids)}/balance", served.key),
            lambda draw: _post("/v1/accruals", served.key, draw.choice(served.employees)),
        )


@contextmanager
def _floor(on: Machine, members: int) -> Iterator[Service]:
    port = report.free_port()
    command = ["-m", "gunicorn", "--workers", str(PROCESSES), "--worker-class", "gthread", "--threads", "100"]
    bound = ["--bind", f"127.0.0.1:{port}", "--backlog", "1024", "--keep-alive", "75", "benchmarks.rivals.floor"]
    with _rival(on, members, "floor", [*command, *bound], port) as service:
        yield service


@contextmanager
def _orm(on: Machine, members: int) -> Iterator[Service]:
    port = report.free_port()
    # Users think for longer than uvicorn keeps an idle connection by default; the hub's gateway keeps it for longer.
    command = ["-m", "uvicorn", "--workers", str(PROCESSES), "--port", str(port), "--log-level", "warning"]
    command += ["--timeout-keep-alive", "75"]
    with _rival(on, members, "orm", [*command, "benchmarks.rivals.orm:app"], port) as service:
        yield service


@contextmanager
def _rival(on: Machine, members: int, name: str, command: list[str], port: int) -> Iterator[Service]:
    served = _opened(on, f"bench_{name}", members)
    url = make_url(on.server_url)
    variables = {
        "BENCH_SOCKET": str(url.query["unix_socket"]),
        "BENCH_DATABASE": served.name,
        "BENCH_WORLD": json.dumps(_ids(served)),
    }
    ids = [each.id.hex() for each in served.members().values()]
    with running([sys.executable, *command], dict(os.environ) | variables, port) as process:
        yield Service(
            name,
            port,
            process,
            served,
            lambda draw: _get(f"/balance/{draw.choice(ids)}", served.key),
            lambda draw: _post("/accruals", served.key, draw.choice(served.employees)),
        )


def _opened(on: Machine, name: str, members: int) -> World:
    """A schema whose every member has an account with one lot already."""
    served = world.build(on, name, members_count=members)
    for start in range(0, members, _BATCH):
        events = [_event(employee) for employee in served.employees[start : start + _BATCH]]
        with served.database.write() as db:
            sources = [BY_API] * len(events)
            accruals.record(db, served.partner, events, sources=sources, caller=CALLER, now=datetime.now(UTC))
    return served


def _event(employee_id: str) -> accruals.NewAccrual:
    return {
        "program_code": "uniform",
        "event_id": f"first-{employee_id}",
        "employee_id": employee_id,
        "event_type": "HOURS",
        "event_date": date(2026, 11, 2),
        "quantity": Decimal(1),
        "unit": "HOUR",
        "amount": None,
        "currency": None,
        "pay_period": None,
        "job_code_override": None,
        "category": None,
        "reference": None,
        "description": None,
    }


def _ids(served: World) -> dict[str, str]:
    with served.database.read() as db:
        event = db.execute(select(accrual_event).limit(1)).one()
        issuance = db.execute(select(account.c.id).where(account.c.kind == "issuance")).scalar_one()
        store = db.execute(select(target.c.id)).scalar_one()
    return {
        "partner_id": served.partner.id.hex(),
        "program_id": event.program_id.hex(),
        "version_id": event.ruleset_version_id.hex(),
        "issuance_id": issuance.hex(),
        "target_id": store.hex(),
    }


def _get(path: str, key: str) -> bytes:
    return f"GET {path} HTTP/1.1\r\nHost: hub\r\nAuthorization: Bearer {key}\r\n\r\n".encode()


def _post(path: str, key: str, employee_id: str) -> bytes:
    body = (
        f'{{"program_code":"uniform","event_id":"e-{next(_numbers)}","employee_id":"{employee_id}",'
        '"event_type":"HOURS","event_date":"2026-11-03","quantity":"0.25","unit":"HOUR"}'
    )
    return (
        f"POST {path} HTTP/1.1\r\nHost: hub\r\nAuthorization: Bearer {key}\r\n"
        f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n{body}"
    ).encode()


@contextmanager
def running(command: list[str], variables: Mapping[str, str], port: int) -> Iterator[subprocess.Popen[bytes]]:
    """A process of ours that serves a port until the block ends."""
    process = subprocess.Popen(  # noqa: S603 - our own command
        command, cwd=REPOSITORY, env=dict(variables), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        report.wait_for_port(port)
        yield process
    finally:
        process.terminate()
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


if __name__ == "__main__":
    main()
