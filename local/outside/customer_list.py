"""What the fake Commerce Cloud keeps on disk: customers, access tokens and a log of requests, in one SQLite file."""

import json
import secrets
import sqlite3
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

LOG_ROWS_MAX = 100_000
"""Older requests are forgotten, so that a long-running hub does not fill the disk."""

_SCHEMA = """
CREATE TABLE IF NOT EXISTS customer (customer_no TEXT PRIMARY KEY, body TEXT NOT NULL);
CREATE INDEX IF NOT EXISTS customer_login ON customer (json_extract(body, '$.credentials.login'));
CREATE TABLE IF NOT EXISTS token (token TEXT PRIMARY KEY, scope TEXT NOT NULL, expires_at REAL NOT NULL);
CREATE TABLE IF NOT EXISTS request (
    seq INTEGER PRIMARY KEY AUTOINCREMENT, at TEXT NOT NULL, method TEXT NOT NULL, path TEXT NOT NULL,
    body TEXT, status INTEGER, applied INTEGER NOT NULL, fault TEXT
);
"""


class NumberTakenError(Exception):
    """Another customer has this number."""


@dataclass(frozen=True, slots=True)
class LoggedRequest:
    """One request as the store saw it. ``status`` is None when the connection was closed without an answer."""

    method: str
    path: str
    body: object
    status: int | None
    applied: bool
    fault: str | None


class CustomerList:
    """One customer list. Every method is one transaction and may be called from any thread."""

    def __init__(self, directory: Path) -> None:
        directory.mkdir(parents=True, exist_ok=True)
        self._lock = threading.Lock()
        self._db = sqlite3.connect(
            directory / "commerce_cloud.sqlite", isolation_level=None, check_same_thread=False, timeout=10
        )
        self._db.execute("PRAGMA journal_mode=WAL")
        self._db.execute("PRAGMA synchronous=NORMAL")
        self._db.executescript(_SCHEMA)

    def close(self) -> None:
        """Let go of the file."""
        with self._lock:
            self._db.close()

    @contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        with self._lock:
            self._db.execute("BEGIN IMMEDIATE")
            try:
                yield self._db
            except BaseException:
                self._db.execute("ROLLBACK")
                raise
            self._db.execute("COMMIT")

    def customer(self, number: str) -> dict[str, Any] | None:
        """The customer of that number, or None."""
        with self._transaction() as db:
            return _customer(db, number)

    def customers(self) -> list[dict[str, Any]]:
        """Every customer, by number."""
        with self._transaction() as db:
            rows = db.execute("SELECT body FROM customer ORDER BY customer_no")
            return [json.loads(body) for (body,) in rows]

    def create(self, body: Mapping[str, Any], *, now: datetime) -> dict[str, Any]:
        """A new customer with a new id. Raises NumberTakenError."""
        with self._transaction() as db:
            if _customer(db, body["customerNo"]) is not None:
                raise NumberTakenError
            created = {"customerId": secrets.token_hex(13), "creationDate": _text(now), **body}
            return _keep(db, created, now)

    def update(self, number: str, changes: Mapping[str, Any], *, now: datetime) -> dict[str, Any] | None:
        """The customer with the changes merged in, or None where there is none. Raises NumberTakenError."""
        with self._transaction() as db:
            known = _customer(db, number)
            if known is None:
                return None
            if changes["customerNo"] != number:
                if _customer(db, changes["customerNo"]) is not None:
                    raise NumberTakenError
                db.execute("DELETE FROM customer WHERE customer_no = ?", (number,))
            merged = {**known, **changes}
            if "credentials" in changes:
                merged["credentials"] = {**known.get("credentials", {}), **changes["credentials"]}
            return _keep(db, {name: value for name, value in merged.items() if value is not None}, now)

    def seed(self, bodies: list[dict[str, Any]], *, now: datetime) -> int:
        """Put customers there as if they had always been; returns how many."""
        with self._transaction() as db:
            for body in bodies:
                seeded = {"customerId": secrets.token_hex(13), "creationDate": _text(now), **body}
                _keep(db, seeded, now)
        return len(bodies)

    def delete(self, number: str) -> None:
        """Forget a customer; one that is not there is forgotten already."""
        with self._transaction() as db:
            db.execute("DELETE FROM customer WHERE customer_no = ?", (number,))

    def login_owner(self, login: str) -> str | None:
        """The number of the customer who has this login, or None."""
        with self._transaction() as db:
            row = db.execute(
                "SELECT customer_no FROM customer WHERE json_extract(body, '$.credentials.login') = ?", (login,)
            ).fetchone()
            return None if row is None else str(row[0])

    def issue_token(self, scope: str, *, life_s: float, now: datetime) -> str:
        """A new access token."""
        token = secrets.token_urlsafe(24)
        with self._transaction() as db:
            db.execute("DELETE FROM token WHERE expires_at < ?", (now.timestamp(),))
            db.execute("INSERT INTO token VALUES (?, ?, ?)", (token, scope, now.timestamp() + life_s))
        return token

    def scope_of(self, token: str, *, now: datetime) -> str | None:
        """The scope of a token that is valid now, or None."""
        with self._transaction() as db:
            row = db.execute(
                "SELECT scope FROM token WHERE token = ? AND expires_at > ?", (token, now.timestamp())
            ).fetchone()
            return None if row is None else str(row[0])

    def expire_tokens(self) -> None:
        """Make every token invalid."""
        with self._transaction() as db:
            db.execute("DELETE FROM token")

    def reset(self) -> None:
        """Forget customers, tokens and log."""
        with self._transaction() as db:
            for name in ("customer", "token", "request"):
                db.execute(f"DELETE FROM {name}")  # noqa: S608 - the three names above

    def log(self, entry: LoggedRequest, *, now: datetime) -> None:
        """Remember one request."""
        body = None if entry.body is None else json.dumps(entry.body)
        with self._transaction() as db:
            cursor = db.execute(
                "INSERT INTO request (at, method, path, body, status, applied, fault) VALUES (?, ?, ?, ?, ?, ?, ?)",
                (_text(now), entry.method, entry.path, body, entry.status, entry.applied, entry.fault),
            )
            db.execute("DELETE FROM request WHERE seq <= ?", ((cursor.lastrowid or 0) - LOG_ROWS_MAX,))

    def requests(self, *, after: int, limit: int) -> list[dict[str, Any]]:
        """Requests in order of arrival of their answers, after a sequence number."""
        columns = ("seq", "at", "method", "path", "body", "status", "applied", "fault")
        with self._transaction() as db:
            rows = db.execute(
                "SELECT seq, at, method, path, body, status, applied, fault FROM request WHERE seq > ?"
                " ORDER BY seq LIMIT ?",
                (after, limit),
            ).fetchall()
        entries = [dict(zip(columns, row, strict=True)) for row in rows]
        for entry in entries:
            entry["body"] = None if entry["body"] is None else json.loads(entry["body"])
            entry["applied"] = bool(entry["applied"])
        return entries


def _customer(db: sqlite3.Connection, number: str) -> dict[str, Any] | None:
    row = db.execute("SELECT body FROM customer WHERE customer_no = ?", (number,)).fetchone()
    if row is None:
        return None
    customer: dict[str, Any] = json.loads(row[0])
    return customer


def _keep(db: sqlite3.Connection, customer: dict[str, Any], now: datetime) -> dict[str, Any]:
    kept = {**customer, "lastModified": _text(now)}
    db.execute(
        "INSERT INTO customer VALUES (?, ?) ON CONFLICT (customer_no) DO UPDATE SET body = excluded.body",
        (kept["customerNo"], json.dumps(kept)),
    )
    return kept


def _text(at: datetime) -> str:
    return at.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
