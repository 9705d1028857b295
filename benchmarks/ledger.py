"""``python -m benchmarks.ledger``: how many accruals, holds, captures and refunds a second the ledger posts.

On MariaDB that flushes at each commit, by some threads at once, on one hot member and on many. Beside each, in the same
run and by turns, the same rows by hand: a conditional UPDATE and INSERTs that check nothing.
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
from statistics import median
from typing import Any, Final

from sqlalchemy import select
from sqlalchemy.engine import make_url

from benchmarks import report, world
from benchmarks.rivals.bare_ledger import Bare, Member
from benchmarks.world import CALLER, World
from chalicelib.deliveries.models import target
from chalicelib.partners import programs
from chalicelib.partners.account_ids import account_id
from chalicelib.partners.members import MemberRef
from chalicelib.partners.programs import Program
from chalicelib.partners.provenance import BY_API
from chalicelib.points import accruals, holds, proof, redemptions, refunds
from chalicelib.points.events import NewAccrual
from chalicelib.points.holds import NewHold
from chalicelib.points.models import accrual_event, lot
from chalicelib.points.refunds import Wanted
from chalicelib.storage import bulk
from chalicelib.storage.ids import new_ids

_MEMBERS, _MEMBERS_QUICK = 10_000, 400
_OPERATIONS, _OPERATIONS_QUICK = 600, 80
_ROUNDS, _ROUNDS_QUICK = 3, 1
_THREADS: Final = 4
_EVENTS_OF_ONE: Final = 2_000
NAMES: Final = ("accrue", "hold", "capture", "refund")


@dataclass(slots=True)
class Pairs:
    """Operations a second of one kind: ours and the bare rows', one figure a round."""

    ours: list[float] = field(default_factory=list)
    bare: list[float] = field(default_factory=list)

    def figures(self) -> dict[str, float]:
        """Medians over the rounds."""
        ratios = [mine / its for mine, its in zip(self.ours, self.bare, strict=True)]
        return {
            "per_s": round(median(self.ours)),
            "bare_per_s": round(median(self.bare)),
            "ratio": round(median(ratios), 3),
            "lowest": round(min(ratios), 3),
        }


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
            broken = proof.check(db)
        # The bare rows have no facts and share one lot: only that may be said of them.
        ours = {account_id(bench.program.id, "member", each.id) for each in bench.people[::2]}
        if any(found.subject in ours for found in broken):
            raise RuntimeError(f"The ledger does not add up: {broken}")
    report.show(args, "Operations a second on MariaDB, and the bare rows", figures)
    report.finish(
        args, {f"{name.replace(', ', '_').replace(' ', '_')}_{key}": value for name, each in figures.items()
               for key, value in each.items()}
    )  # fmt: skip


def _series(
    args: argparse.Namespace, bench: Bench, title: str, people: Sequence[MemberRef]
) -> dict[str, dict[str, float]]:
    """Every operation on these people: ours on every other one, the bare rows on those between."""
    found = {name: Pairs() for name in NAMES}
    for number in range(_ROUNDS_QUICK if args.quick else _ROUNDS):
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
                found[name].ours.append(_rate(_ours(bench, name, made), mine))
            else:
                found[name].bare.append(_rate(_bare(bench, name), its))


def _rate(work: Callable[[Any, bytes], None], jobs: Sequence[tuple[Any, bytes]]) -> float:
    with ThreadPoolExecutor(_THREADS) as pool:
        started = time.perf_counter()
        for done in [pool.submit(work, of, key) for of, key in jobs]:
            done.result()
        return len(jobs) / (time.perf_counter() - started)


def _ours(bench: Bench, name: str, made: dict[bytes, bytes]) -> Callable[[MemberRef, bytes], None]:
    database, program = bench.on.database, bench.program

    def accrue(of: MemberRef, key: bytes) -> None:
        event = _event(of.employee_id, key.hex(), Decimal("0.01"))
        [told] = database.run(
            lambda db: accruals.record(db, bench.on.partner, [event], sources=[BY_API], caller=CALLER, now=_now())
        )
        if told.outcome != "posted":
            raise RuntimeError(f"An accrual was not posted: {told}")

    def hold(of: MemberRef, key: bytes) -> None:
        wanted = NewHold(of.id, 1, f"ours-{key.hex()}")
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
            told = on.database.run(
                lambda db, events=events: accruals.record(  # type: ignore[misc]
                    db, on.partner, events, sources=[BY_API] * len(events), caller=CALLER, now=_now()
                )
            )
            if any(each.outcome != "posted" for each in told):
                raise RuntimeError("The first points were not posted.")
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
