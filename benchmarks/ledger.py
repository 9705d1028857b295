"""``python -m benchmarks.ledger``: how many accruals, holds, captures and refunds a second the ledger posts.

On MariaDB that flushes at each commit, by some threads at once, on one hot member and on many. Beside each, in the same
run and by turns, the same rows by hand: a conditional UPDATE and INSERTs that check nothing. Accruals are measured one
in a transaction, as a till sends them, and in slices, as files bring them.
"""

import argparse
import json
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from queue import SimpleQueue
from statistics import median, quantiles
from typing import Any, Final

from sqlalchemy import select
from sqlalchemy.engine import make_url

from benchmarks import report, world
from benchmarks.rivals.bare_ledger import Bare, Member
from benchmarks.world import CALLER, World
from chalicelib.deliveries.models import target
from chalicelib.partners.account_ids import account_id
from chalicelib.partners.members.members import MemberRef
from chalicelib.partners.programs import programs
from chalicelib.partners.programs.programs import Program
from chalicelib.partners.provenance import BY_API
from chalicelib.points.deciding.events import NewAccrual
from chalicelib.points.earning import accruals
from chalicelib.points.models.ledger import accrual_event, lot
from chalicelib.points.proof import checks
from chalicelib.points.spending import holds, redemptions, refunds
from chalicelib.points.spending.holds import NewHold
from chalicelib.points.spending.refunds import Wanted
from chalicelib.storage import bulk
from chalicelib.storage.ids import new_ids

_MEMBERS, _MEMBERS_QUICK = 10_000, 400
_OPERATIONS, _OPERATIONS_QUICK = 400, 80
_SLICE, _SLICES, _SLICES_QUICK = 500, 8, 4
_ROUNDS, _ROUNDS_QUICK = 5, 1
_THREADS: Final = 4
_EVENTS_OF_ONE: Final = 2_000
NAMES: Final = ("accrue", "hold", "capture", "refund")
_SLICED: Final = "accrue in slices"


@dataclass(slots=True)
class Pairs:
    """Operations a second of one kind: ours and the bare rows', one figure a round."""

    ours: list[float] = field(default_factory=list)
    bare: list[float] = field(default_factory=list)
    #: How long each of ours took, waiting for its turn at the database included.
    ours_s: list[float] = field(default_factory=list)

    def figures(self) -> dict[str, float]:
        """Medians over the rounds."""
        ratios = [mine / its for mine, its in zip(self.ours, self.bare, strict=True)]
        return {
            "per_s": round(median(self.ours)),
            "bare_per_s": round(median(self.bare)),
            "ratio": round(median(ratios), 3),
            "lowest": round(min(ratios), 3),
            **{f"p{at}_ms": round(1000 * self._quantile(at), 1) for at in (50, 95, 99)},
        }

    def _quantile(self, percent: int) -> float:
        return quantiles(self.ours_s, n=100)[percent - 1]


@dataclass(frozen=True, slots=True)
class Bench:
    """The world with everybody's points in it."""

    on: World
    program: Program
    people: Sequence[MemberRef]
    rows_of: dict[bytes, Member]
    bare: "SimpleQueue[Bare]"


def main() -> None:
    """Measure and print."""
    args = report.arguments(__doc__ or "")
    members = _MEMBERS_QUICK if args.quick else _MEMBERS
    with world.machine() as machine:
        on = world.build(machine, "ledger", members_count=members, with_cap=False)
        bench = _prepare(on)
        figures = {
            **_series(args, bench, "one member", bench.people[:2]),
            **_series(args, bench, f"{members // 2:,} members", bench.people),
        }
        with on.database.read() as db:
            broken = checks.check(db)
        # The bare rows have no facts and share one lot: only that may be said of them.
        ours = {account_id(bench.program.id, "member", each.id) for each in bench.people[::2]}
        if any(found.subject in ours for found in broken):
            raise RuntimeError(f"The ledger does not add up: {broken}")
    report.show(args, "Operations a second on MariaDB, and the bare rows", figures)
    peak_mb = report.own_peak_mb()
    report.say(
        args, f"\nPeak memory of the process, both sides' rows and the world of the benchmark included: {peak_mb} MB"
    )
    named = {name.replace(", ", "_").replace(" ", "_"): each for name, each in figures.items()}
    flat = {f"{name}_{key}": value for name, each in named.items() for key, value in each.items()}
    report.finish(args, flat | {"peak_mb": peak_mb})


def _series(
    args: argparse.Namespace, bench: Bench, title: str, people: Sequence[MemberRef]
) -> dict[str, dict[str, float]]:
    """Every operation on these people: ours on every other one, the bare rows on those between."""
    found = {name: Pairs() for name in (*NAMES, _SLICED)}
    for number in range(_ROUNDS_QUICK if args.quick else _ROUNDS):
        _slices(bench, people, found[_SLICED], _SLICES_QUICK if args.quick else _SLICES, ours_first=number % 2 == 1)
        _round(bench, people, found, _OPERATIONS_QUICK if args.quick else _OPERATIONS, ours_first=number % 2 == 1)
    return {f"{name}, {title}": pairs.figures() for name, pairs in found.items()}


def _round(
    bench: Bench, people: Sequence[MemberRef], found: dict[str, Pairs], operations: int, *, ours_first: bool
) -> None:
    ids = new_ids(operations)
    mine = [(people[::2][at % len(people[::2])], key) for at, key in enumerate(ids)]
    its = [(bench.rows_of[people[1::2][at % len(people[1::2])].id], key) for at, key in enumerate(ids)]
    made: dict[bytes, bytes] = {}
    for name in NAMES:
        for ours in (True, False) if ours_first else (False, True):
            if ours:
                found[name].ours.append(_rate(_ours(bench, name, made), mine, found[name].ours_s))
            else:
                found[name].bare.append(_rate(_bare(bench, name), its, []))


def _slices(bench: Bench, people: Sequence[MemberRef], found: Pairs, slices: int, *, ours_first: bool) -> None:
    """Accruals in slices of some hundred: ours by the function that files call, the bare rows by multi-row INSERTs."""
    ids = [new_ids(_SLICE) for _ in range(slices)]
    employees = [people[::2][at % len(people[::2])].employee_id for at in range(_SLICE)]
    rows = [bench.rows_of[people[1::2][at % len(people[1::2])].id] for at in range(_SLICE)]

    def ours(_: object, keys: Sequence[bytes]) -> None:
        events = [_event(of, key.hex(), Decimal("0.01")) for of, key in zip(employees, keys, strict=True)]
        _record(bench.on, events)

    def bare(_: object, keys: Sequence[bytes]) -> None:
        connection = bench.bare.get()
        try:
            connection.accrue_slice(rows, [key[::-1] for key in keys])
        finally:
            bench.bare.put(connection)

    for mine in (True, False) if ours_first else (False, True):
        jobs = [(None, keys) for keys in ids]
        if mine:
            found.ours.append(_SLICE * _rate(ours, jobs, found.ours_s))
        else:
            found.bare.append(_SLICE * _rate(bare, jobs, []))


def _rate(work: Callable[[Any, Any], None], jobs: Sequence[tuple[Any, Any]], took_s: list[float]) -> float:
    """Jobs a second; how long each took is added to ``took_s``."""

    def timed(of: Any, key: Any) -> float:  # noqa: ANN401 - whatever the job is about
        begun = time.perf_counter()
        work(of, key)
        return time.perf_counter() - begun

    with ThreadPoolExecutor(_THREADS) as pool:
        started = time.perf_counter()
        took_s += [done.result() for done in [pool.submit(timed, of, key) for of, key in jobs]]
        return len(jobs) / (time.perf_counter() - started)


def _ours(bench: Bench, name: str, made: dict[bytes, bytes]) -> Callable[[MemberRef, bytes], None]:
    database, program = bench.on.database, bench.program

    def accrue(of: MemberRef, key: bytes) -> None:
        _record(bench.on, [_event(of.employee_id, key.hex(), Decimal("0.01"))])

    def hold(of: MemberRef, key: bytes) -> None:
        wanted = NewHold(of.id, 1, f"ours-{key.hex()}", "order-1")
        made[key] = database.run(lambda db: holds.place(db, program, wanted, caller=CALLER, now=_now()))[0].id

    def capture(_: MemberRef, key: bytes) -> None:
        captured = database.run(
            lambda db: redemptions.capture(db, program, made[key], reference="all", caller=CALLER, now=_now())
        )
        made[key] = captured[0].id

    def refund(_: MemberRef, key: bytes) -> None:
        wanted = [Wanted(redemptions.WHOLE)]
        database.run(
            lambda db: refunds.give_back(db, program, made[key], wanted, reference="all", caller=CALLER, now=_now())
        )

    return {"accrue": accrue, "hold": hold, "capture": capture, "refund": refund}[name]


def _bare(bench: Bench, name: str) -> Callable[[Member, bytes], None]:
    def work(of: Member, key: bytes) -> None:
        connection = bench.bare.get()
        try:
            getattr(connection, name)(of, key[::-1] if name == "accrue" else key)
        finally:
            bench.bare.put(connection)

    return work


def _record(on: World, events: Sequence[NewAccrual]) -> None:
    """Record events in one transaction. Raises RuntimeError unless all are posted."""
    told = on.database.run(
        lambda db: accruals.record(db, on.partner, events, sources=[BY_API] * len(events), caller=CALLER, now=_now())
    )
    if any(each.outcome != "posted" for each in told):
        raise RuntimeError("Accruals were not posted.")


def _now() -> datetime:
    return datetime.now(UTC)


def _event(employee_id: str, event_id: str, quantity: Decimal) -> NewAccrual:
    return {
        "program_code": "uniform",
        "event_id": event_id,
        "employee_id": employee_id,
        "event_type": "BONUS",
        "event_date": (_now() - timedelta(days=2)).date(),
        "quantity": quantity,
        "unit": "POINT",
        "amount": None,
        "currency": None,
        "pay_period": None,
        "job_code_override": None,
        "category": None,
        "reference": None,
        "description": None,
    }


def _prepare(on: World) -> Bench:
    """Give everybody two lots to begin with, and find what the bare rows need to know."""
    members = on.members()
    people = [members[each] for each in on.employees]
    for part in bulk.in_chunks(people, _EVENTS_OF_ONE):
        for number in range(2):
            events = [_event(each.employee_id, f"first-{number}-{each.employee_id}", Decimal(100)) for each in part]
            _record(on, events)
    with on.database.read() as db:
        program = programs.of_partner(db, on.partner.id)["uniform"]
        lots = {row.account_id: row.id for row in db.execute(select(lot.c.account_id, lot.c.id))}
        first = db.execute(select(accrual_event.c.ruleset_version_id, accrual_event.c.facts).limit(1)).one()
        store = db.execute(select(target.c.id).where(target.c.partner_id == on.partner.id).limit(1)).scalar_one()
    accounts = {each.id: account_id(program.id, "member", each.id) for each in people}
    ids = {
        "partner": on.partner.id,
        "program": program.id,
        "version": first.ruleset_version_id,
        "target": store,
        "issuance": account_id(program.id, "issuance"),
        "redemption": account_id(program.id, "redemption"),
    }
    bare: SimpleQueue[Bare] = SimpleQueue()
    for _ in range(_THREADS):
        bare.put(Bare(_options(on), ids, json.dumps(json.loads(first.facts))))
    rows_of = {each.id: Member(accounts[each.id], each.id, lots[accounts[each.id]]) for each in people}
    return Bench(on, program, people, rows_of, bare)


def _options(on: World) -> dict[str, Any]:
    url = make_url(on.variables["INTERLINE_DATABASE_URL"])
    given: dict[str, Any] = {"user": url.username, "password": url.password or "", "database": url.database}
    socket = url.query.get("unix_socket")
    where = {"host": url.host, "port": url.port} if socket is None else {"unix_socket": socket}
    return {**given, **where, "ssl_disabled": True, "charset": "utf8mb4"}


if __name__ == "__main__":
    main()
