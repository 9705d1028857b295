"""The floor: a bare WSGI application with PyMySQL that runs the few statements the effect needs, and checks nothing.

No tenancy, no rules, no validation, no facts, no duplicate answers: what remains is the price of the database.
"""

import json
import os
import threading
import uuid
from collections.abc import Callable, Iterable
from datetime import UTC, date, datetime
from typing import Any

import pymysql

_SOCKET, _DATABASE = os.environ["BENCH_SOCKET"], os.environ["BENCH_DATABASE"]
_WORLD: dict[str, Any] = json.loads(os.environ["BENCH_WORLD"])
_PARTNER, _PROGRAM, _ISSUANCE, _TARGET, _VERSION = (
    bytes.fromhex(_WORLD[name]) for name in ("partner_id", "program_id", "issuance_id", "target_id", "version_id")
)
_local = threading.local()

_BALANCE = """SELECT a.credits_posted - a.debits_posted, a.debits_pending,
 (SELECT MIN(l.expires_on) FROM lot l WHERE l.account_id = a.id AND l.remaining_minor > 0)
 FROM account a WHERE a.owner_id = %s AND a.kind = 'member'"""
_ACCOUNT = """SELECT a.id, a.entry_no, m.id FROM member m JOIN account a ON a.owner_id = m.id AND a.kind = 'member'
 WHERE m.partner_id = %s AND m.employee_id = %s FOR UPDATE"""
_EVENT = """INSERT INTO accrual_event (id, partner_id, event_id, content_hash, program_id, member_id,
 account_id, event_type, event_date, outcome, points_minor, ruleset_version_id, facts, actor, correlation_id,
 received_at)
 VALUES (%s,%s,%s,%s,%s,%s,%s,%s,%s,'posted',%s,%s,'{}','bench','bench',%s)"""
_TRANSFER = """INSERT INTO transfer (id, partner_id, program_id, account_id, entry_no, version,
 debit_account_id, credit_account_id, amount_minor, kind, source_id, business_date, posted_at)
 VALUES (%s,%s,%s,%s,%s,%s,%s,%s,%s,'accrual',%s,%s,%s)"""
_LOT = """INSERT INTO lot (id, partner_id, account_id, expires_on, amount_minor, remaining_minor, held_minor)
 VALUES (%s,%s,%s,'2028-11-30',%s,%s,0)"""
_COUNTER = """UPDATE account SET credits_posted = credits_posted + %s, entry_no = entry_no + 1, changed_at = %s
 WHERE id = %s"""
_DELIVERY = """INSERT INTO delivery (id, partner_id, target_id, kind, entity, entity_key, unclaimed, state, attempts,
 failures, next_at, created_at, changed_at) VALUES (%s,%s,%s,'state','balance',%s,1,'ready',0,0,%s,%s,%s)
 ON DUPLICATE KEY UPDATE changed_at = VALUES(changed_at)"""


def _cursor() -> Any:  # noqa: ANN401 - the driver is untyped
    if not hasattr(_local, "connection"):
        _local.connection = pymysql.connect(
            unix_socket=_SOCKET, user="root", database=_DATABASE, ssl_disabled=True, charset="utf8mb4"
        )
        _local.connection.cursor().execute("SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED")
    return _local.connection.cursor()


def _balance(member: str) -> dict[str, object]:
    cursor = _cursor()
    cursor.execute(_BALANCE, (bytes.fromhex(member),))
    posted, pending, expires = cursor.fetchone()
    _local.connection.rollback()
    return {"available": str(posted - pending), "held": str(pending), "next_expiry": str(expires)}


def _accrue(body: dict[str, Any]) -> dict[str, object]:
    cursor, now = _cursor(), datetime.now(UTC).replace(tzinfo=None)
    day, points = date.fromisoformat(body["event_date"]), round(float(body["quantity"]) * 100)
    event, transfer, delivery = (uuid.uuid4().bytes for _ in range(3))
    cursor.execute(_ACCOUNT, (_PARTNER, body["employee_id"]))
    account, entry_no, member = cursor.fetchone()
    cursor.execute(
        _EVENT,
        (event, _PARTNER, body["event_id"], bytes(32), _PROGRAM, member, account, "HOURS", day, points, _VERSION, now),
    )
    cursor.execute(
        _TRANSFER,
        (transfer, _PARTNER, _PROGRAM, account, *[entry_no + 1] * 2, _ISSUANCE, account, points, event, day, now),
    )
    cursor.execute(_LOT, (transfer, _PARTNER, account, points, points))
    cursor.execute(_COUNTER, (points, now, account))
    cursor.execute(_DELIVERY, (delivery, _PARTNER, _TARGET, account.hex(), now, now, now))
    _local.connection.commit()
    return {"id": event.hex(), "points": points}


def application(environ: dict[str, Any], start: Callable[[str, list[tuple[str, str]]], object]) -> Iterable[bytes]:
    """GET /balance/<member hex> and POST /accruals."""
    if environ["REQUEST_METHOD"] == "GET":
        status, answer = "200 OK", _balance(environ["PATH_INFO"].rsplit("/", 1)[1])
    else:
        status, answer = "201 Created", _accrue(json.loads(environ["wsgi.input"].read(int(environ["CONTENT_LENGTH"]))))
    body = json.dumps(answer).encode()
    start(status, [("Content-Type", "application/json"), ("Content-Length", str(len(body)))])
    return [body]
