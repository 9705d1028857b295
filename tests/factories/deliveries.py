"""Targets and deliveries for tests: a partner's store, balances that change, and a pump with a clock of its own."""

import json
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from random import Random
from typing import Any

from sqlalchemy import insert, select, update
from sqlalchemy.engine import Connection

from chalicelib.access.caller import Caller
from chalicelib.deliveries import outbox, pump, targets
from chalicelib.deliveries.models import delivery, delivery_attempt, target
from chalicelib.deliveries.pump import PumpReport
from chalicelib.deliveries.snapshots import Snapshot, Source
from chalicelib.points.ledger import balances as points_balances
from chalicelib.points.models.ledger import account
from chalicelib.settings import settings
from chalicelib.storage import aws
from chalicelib.storage.engine import Database
from chalicelib.storage.ids import new_id
from tests.factories.commerce_cloud import CREDENTIALS, RunningStore

NOW = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)
CALLER = Caller("system:test", "test")
MAPPING = "tests.balance"
NOWHERE = {
    "base_url": "http://127.0.0.1:1/customer/customers/v1",
    "token_url": "http://127.0.0.1:1/token",
    "organization": "f_ecom_zzxy_prd",
    "customer_list": "RefArch",
}


def target_spec(code: str = "store", config: Mapping[str, Any] = NOWHERE, **values: Any) -> dict[str, Any]:
    """A Commerce Cloud as a manifest describes it; one that nobody reaches unless ``config`` says where it is."""
    frame = {"code": code, "connector": "sfcc_customers", "secret": "store", "mapping": MAPPING}
    return {**frame, **config, **values}


def make_target(db: Connection, partner_id: bytes, **values: Any) -> targets.Target:
    """A target of the partner; ``config`` and the rest are ``target_spec``'s."""
    spec = target_spec(**values)
    targets.upsert(db, partner_id, spec, caller=CALLER, now=NOW)
    [made] = [each for each in targets.of_partner(db, partner_id) if each.code == spec["code"]]
    return made


def make_delivery(db: Connection, partner_id: bytes, key: str | None = None) -> outbox.Delivery:
    """A waiting delivery of one balance to the partner's targets; the latest made."""
    outbox.changed(db, partner_id, "balance", [key or new_id().hex()], now=NOW)
    [made] = outbox.newest_first(db, outbox.DeliveryFilter(partner_id=partner_id), before_seq=None, limit=1)
    return made


def make_secret(name: str = "store", credentials: Mapping[str, str] = CREDENTIALS) -> None:
    """The target's credentials in the secrets store, new or changed."""
    client = aws.client("secretsmanager")
    real_name = settings().secret(f"target/{name}")
    if any(each["Name"] == real_name for each in client.list_secrets()["SecretList"]):
        client.put_secret_value(SecretId=real_name, SecretString=json.dumps(dict(credentials)))
    else:
        client.create_secret(Name=real_name, SecretString=json.dumps(dict(credentials)))


def mapping_document(**changes: Any) -> dict[str, Any]:
    """A mapping of a balance to a customer; the name is personal, and nobody without points is sent."""
    return {
        "id": MAPPING,
        "kind": "mapping",
        "partner": None,
        "owner": "tests",
        "why": "A mapping of the tests.",
        "entity": "balance",
        "target": "sfcc_customers",
        "inputs": {
            "customer_no": {"type": "string"},
            "last_name": {"type": "string", "personal": True},
            "available": {"type": "decimal", "scale": 6},
            "version": {"type": "integer"},
        },
        "when": {">=": [{"var": "available"}, 0]},
        "outputs": {
            "customerNo": {"type": "string", "expr": {"var": "customer_no"}},
            "lastName": {"type": "string", "personal": True, "expr": {"var": "last_name"}},
            "c_points": {"type": "decimal", "scale": 2, "rounding": "half_up", "expr": {"var": "available"}},
            "c_version": {"type": "integer", "expr": {"var": "version"}},
        },
        "cases": [
            {
                "name": "a member with points",
                "as_of": "2026-10-01",
                "given": {"customer_no": "7", "last_name": "Okafor", "available": "1.50", "version": 3},
                "expect": {"customerNo": "7", "lastName": "Okafor", "c_points": "1.50", "c_version": 3},
            },
            {
                "name": "nobody without",
                "as_of": "2026-10-01",
                "given": {"customer_no": "7", "last_name": "Okafor", "available": "-1.00", "version": 3},
                "expect": {"applies": False},
            },
        ],
        **changes,
    }


def mapping_by_program() -> dict[str, Any]:
    """The same mapping, with the program's code in the names of the fields that tell of the program."""

    def renamed(names: Mapping[str, Any]) -> dict[str, Any]:
        return {f"{name}_{{program_code}}" if name.startswith("c_") else name: each for name, each in names.items()}

    document = mapping_document()
    case, otherwise = document["cases"]
    return document | {
        "outputs": renamed(document["outputs"]),
        "cases": [case | {"expect": renamed(case["expect"])}, otherwise],
    }


@dataclass
class Balances:
    """Balances in real account rows: a change and its delivery are written in one transaction, as the ledger does."""

    database: Database
    partner_id: bytes
    numbers: dict[str, str] = field(default_factory=dict)
    names: dict[str, Any] = field(default_factory=dict)
    programs: dict[str, str] = field(default_factory=dict)

    def open(self, *numbers: str, last_name: Any = "Okafor") -> list[str]:
        """New accounts, each of the store customer of that number; their keys."""
        keys = []
        with self.database.write() as db:
            for number in numbers:
                raw = new_id()
                row = {"id": raw, "partner_id": self.partner_id, "program_id": new_id(), "kind": "member"}
                db.execute(insert(account), row | {"owner_id": new_id(), "created_at": NOW, "changed_at": NOW})
                self.numbers[raw.hex()] = number
                self.names[raw.hex()] = last_name
                keys.append(raw.hex())
        return keys

    def change(self, *keys: str, minor: int = 100, now: datetime = NOW) -> None:
        """Post points to accounts and note it for the partner's targets."""

        def work(db: Connection) -> None:
            for key in sorted(keys):
                db.execute(
                    update(account)
                    .where(account.c.id == bytes.fromhex(key))
                    .values(credits_posted=account.c.credits_posted + minor, entry_no=account.c.entry_no + 1)
                )
            outbox.changed(db, self.partner_id, "balance", keys, now=now)

        self.database.run(work)

    def read(self, db: Connection, keys: Sequence[str]) -> Mapping[str, Snapshot]:
        """The reader that the pump uses."""
        chosen = select(account).where(account.c.id.in_([bytes.fromhex(key) for key in keys]))
        return {
            row.id.hex(): Snapshot(
                row.entry_no,
                {
                    "program_code": self.programs.get(row.id.hex(), "uniform"),
                    "customer_no": self.numbers[row.id.hex()],
                    "last_name": self.names[row.id.hex()],
                    "available": Decimal(row.credits_posted).scaleb(-2),
                    "version": row.entry_no,
                },
            )
            for row in db.execute(chosen)
        }

    @property
    def sources(self) -> dict[str, Source]:
        """The same as the pump takes it."""
        return {"balance": Source(self.read, points_balances.delivery_keys)}

    def versions(self) -> dict[str, int]:
        """The newest version of each customer's balance."""
        with self.database.read() as db:
            return {self.numbers[row.id.hex()]: row.entry_no for row in db.execute(select(account))}


@dataclass
class Pump:
    """The pump on a clock that only moves when it is told to."""

    database: Database
    balances: Balances
    now: datetime = NOW
    chance: Random = field(default_factory=lambda: Random(7))  # noqa: S311 - spread, not secrecy
    read: Callable[[Connection, Sequence[str]], Mapping[str, Snapshot]] | None = None
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def clock(self) -> datetime:
        with self._lock:
            return self.now

    def advance(self, seconds: float) -> None:
        with self._lock:
            self.now += timedelta(seconds=seconds)

    def run(self, deadline_s: float = 60) -> PumpReport:
        sources = {"balance": Source(self.read or self.balances.read, points_balances.delivery_keys)}
        return pump.run(self.database, sources=sources, clock=self.clock, deadline_s=deadline_s, chance=self.chance)

    def run_until_quiet(self, *, step_s: float = 1000, rounds_max: int = 40) -> None:
        """Run and let time pass until nothing is left to do."""
        for _ in range(rounds_max):
            self.run()
            with self.database.read() as db:
                left = db.execute(select(delivery.c.seq).where(delivery.c.state.in_(("ready", "leased")))).first()
            if left is None:
                return
            self.advance(step_s)

    def deliveries(self) -> list[Any]:
        with self.database.read() as db:
            return list(db.execute(select(delivery).order_by(delivery.c.seq)))

    def attempts(self) -> list[Any]:
        with self.database.read() as db:
            return list(db.execute(select(delivery_attempt).order_by(delivery_attempt.c.seq)))

    def target(self) -> Any:
        with self.database.read() as db:
            return db.execute(select(target)).one()


def applied_versions(store: RunningStore) -> dict[str, list[int]]:
    """The versions that the store applied, in order, by customer number."""
    seen: dict[str, list[int]] = {}
    for entry in store.log():
        if entry["applied"] and "/customers" in entry["path"]:
            seen.setdefault(entry["body"]["customerNo"], []).append(entry["body"]["c_version"])
    return seen
