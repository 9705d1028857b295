"""The world that the benchmarks measure in: a private MariaDB that flushes at each commit, the AWS stand-in, a partner.

Everything is made by the hub's own functions: migrations, provisioning, onboarding of ``rules/``, a roster, a key.
Everything is on loopback or a Unix socket, below a temporary folder, and gone when the block ends.
"""

import os
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from random import Random
from typing import Any

from sqlalchemy.engine import make_url

from chalicelib.access import keys
from chalicelib.access.caller import Caller
from chalicelib.access.scopes import PARTNER_SCOPES
from chalicelib.language import parse_json
from chalicelib.partners import directory
from chalicelib.partners.directory import Partner
from chalicelib.partners.members import members
from chalicelib.partners.members.members import MemberRef, RosterRow
from chalicelib.partners.onboarding import onboarding
from chalicelib.partners.provenance import BY_API
from chalicelib.settings import settings
from chalicelib.storage.engine import Database, connect
from cli import bundles
from local import environment, provision, stand_in
from local.home import REPOSITORY, Home
from local.mariadb import private_server
from migrations import chain

PARTNER = "aurora-air"
CALLER = Caller("system:benchmark", "benchmark")
_ROSTER_ROWS = 5_000
_BUFFER_POOL_MB = 1_024
_POOL_MAX = 4
_TODAY = date(2026, 11, 20)


@dataclass(frozen=True, slots=True)
class Machine:
    """The servers of one benchmark. ``variables`` are a hub process's, without the database's URL."""

    server_url: str
    variables: dict[str, str]


@dataclass(frozen=True, slots=True)
class World:
    """One migrated schema with a partner, its program and its members, and a partner's key."""

    name: str
    database: Database
    partner: Partner
    key: str
    variables: dict[str, str]
    employees: Sequence[str]

    def members(self) -> dict[str, MemberRef]:
        """The members by employee id."""
        with self.database.read() as db:
            return members.by_employee(db, self.partner.id, self.employees)


@contextmanager
def machine(*, buffer_pool_mb: int = _BUFFER_POOL_MB, redo_log_mb: int = 96) -> Iterator[Machine]:
    """Start MariaDB and the AWS stand-in, and make this process one of the hub's. Call it once in a process."""
    with (
        tempfile.TemporaryDirectory(prefix="interline-bench-") as folder,
        private_server(durable=True, buffer_pool_mb=buffer_pool_mb, redo_log_mb=redo_log_mb) as server_url,
    ):
        home = Home.open(Path(folder))
        given = {name: value for name, value in os.environ.items() if not name.startswith("INTERLINE_")}
        with stand_in.running(home, given) as aws_url:
            variables = environment.of_hub(given, home, aws_url=aws_url, url="http://127.0.0.1")
            variables |= {"INTERLINE_DATABASE_TLS": "off", "INTERLINE_LOG_LEVEL": "WARNING"}
            os.environ.clear()
            os.environ.update(variables)
            settings.cache_clear()
            provision.provision(settings(), provision.seed(home, commerce_cloud_url="http://127.0.0.1:9"))
            yield Machine(server_url, variables)


def build(on: Machine, name: str, *, members_count: int, with_cap: bool = True, sqlite_in: Path | None = None) -> World:
    """A fresh schema with aurora-air as ``rules/`` has it and so many members of many tenures, all of whom earn.

    ``with_cap`` False takes the monthly cap, and with it the aggregate that it needs, out of the accrual rule.
    ``sqlite_in`` is the folder of a SQLite file that takes MariaDB's place.
    """
    if sqlite_in is None:
        database = _schema(on, name)
        url = make_url(on.server_url).set(database=name).render_as_string(hide_password=False)
    else:
        url = f"sqlite:///{sqlite_in / name}.db"
        database = connect(url, pool_max=_POOL_MAX)
        chain.upgrade(database.engine)
    now = datetime.now(UTC)
    with database.write() as db:
        onboarding.apply(db, _bundle(with_cap=with_cap), code=PARTNER, dry_run=False, caller=CALLER, now=now)
        partner = directory.by_code(db, PARTNER)
        if partner is None:
            raise RuntimeError("Onboarding made no partner.")
        _, key = keys.create(db, name="benchmark", scopes=PARTNER_SCOPES, partner_id=partner.id, caller=CALLER, now=now)
    employees = [f"{10_000 + number}" for number in range(members_count)]
    draw = Random(7)
    for start in range(0, members_count, _ROSTER_ROWS):
        rows = [_hired(employee, draw) for employee in employees[start : start + _ROSTER_ROWS]]
        with database.write() as db:
            told = members.apply_roster(db, partner, rows, sources=[BY_API] * len(rows), caller=CALLER, now=now)
        if any(each.outcome != "accepted" for each in told):
            raise RuntimeError("The roster was not accepted as a whole.")
    return World(name, database, partner, key, on.variables | {"INTERLINE_DATABASE_URL": url}, employees)


def _schema(on: Machine, name: str) -> Database:
    server = connect(on.server_url)
    with server.engine.connect() as connection:
        connection.exec_driver_sql(f"CREATE DATABASE `{name}` CHARACTER SET utf8mb4 COLLATE utf8mb4_bin")
    server.engine.dispose()
    database = connect(make_url(on.server_url).set(database=name), pool_max=_POOL_MAX)
    chain.upgrade(database.engine)
    return database


def _bundle(*, with_cap: bool) -> dict[str, Any]:
    [found] = [each for each in bundles.gather(REPOSITORY / "rules") if each.partner == PARTNER]
    document: Any = parse_json(found.text)
    if not with_cap:
        for ruleset in document["rulesets"]:
            if ruleset["kind"] == "accrual":
                _without_cap(ruleset)
    bundle: dict[str, Any] = document
    return bundle


def _without_cap(ruleset: dict[str, Any]) -> None:
    del ruleset["aggregates"], ruleset["let"]["room_this_month"]
    earned = ruleset["outputs"]["points"]["expr"]["if"]
    # ["if", granted, quantity, min(quantity * rate, room)] -> the product alone.
    earned[2] = earned[2]["min"][0]
    ruleset["cases"] = [case for case in ruleset["cases"] if "aggregates" not in case]


def _hired(employee_id: str, draw: Random) -> RosterRow:
    """Somebody of two to twenty years of service."""
    return {
        "employee_id": employee_id,
        "action": "A",
        "first_name": f"First{employee_id}",
        "last_name": f"Last{employee_id}",
        "email": f"e{employee_id}@aurora-air.example",
        "phone": None,
        "hire_date": _TODAY - timedelta(days=draw.randrange(700, 7_300)),
        "term_date": None,
        "job_code": str(draw.randrange(10, 60)),
        "grade": f"P{draw.randrange(1, 6)}",
        "department": "Flight Operations",
        "cost_center": str(draw.randrange(4_000, 4_800)),
        "location_code": "SEA",
        "country": "US",
        "currency": "USD",
        "union_code": None,
        "fte_pct": None,
        "manager_id": None,
        "ship_to_line1": "1 Harbor Way",
        "ship_to_city": "Seattle",
        "ship_to_region": "WA",
        "ship_to_postal": "98101",
        "effective_date": date(2026, 1, 1),
    }
