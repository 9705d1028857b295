"""Expected files against those that came: what is missing, late, empty or unusually small, and alerts about it.

The manifest in force says what is expected. Nothing is kept but alerts: whatever is asked is worked out from the
calendar and the files, so it is the same however often the schedule ran.
"""

import json
import logging
from collections import defaultdict
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from functools import partial
from statistics import median
from typing import Any, Literal
from zoneinfo import ZoneInfo

from sqlalchemy import literal, select, update
from sqlalchemy.engine import Connection

from chalicelib.access.rounds import Round
from chalicelib.files.expected.calendar import Delivery, deliveries
from chalicelib.files.formats.marking import TOKEN
from chalicelib.files.models.files import file_alert, inbound_file
from chalicelib.partners.models.partners import partner
from chalicelib.partners.onboarding.expected_files import ExpectedFile
from chalicelib.records import dataclass
from chalicelib.storage import bulk
from chalicelib.storage.engine import Database
from chalicelib.storage.ids import new_id, public_id

log = logging.getLogger(__name__)
Standing = Literal["expected", "arriving", "received", "missing"]
Kind = Literal["missing", "late", "empty", "small"]

#: How far back deliveries are looked at: a missing file is not forgotten before.
LOOK_BACK = timedelta(days=40)
#: What is usual is the median of so many processed files, once there are enough of them.
_HISTORY_FILES = 12
_HISTORY_FILES_MIN = 4
_DETAIL_LENGTH_MAX = 500
_EMPTY = frozenset({"empty_file", "no_rows"})
_UNFINISHED = frozenset({"arrived", "waiting", "checked", "applying", "applied"})
_FILE = inbound_file.c
_ALERT = file_alert.c


@dataclass(frozen=True, slots=True)
class Finding:
    """Something that people should know about one delivery."""

    kind: Kind
    file_id: bytes | None
    detail: str


@dataclass(frozen=True, slots=True)
class Expected:
    """One delivery of an expected file, how it stands, and what is to be said about it."""

    partner_id: bytes
    partner_code: str
    layout_name: str
    delivery: Delivery
    standing: Standing
    file_id: bytes | None
    findings: Sequence[Finding]


@dataclass(frozen=True, slots=True)
class _Feed:
    """One expected file of one partner."""

    partner_id: bytes
    partner_code: str
    time_zone: ZoneInfo
    expected: ExpectedFile


def of_partners(db: Connection, *, partner_id: bytes | None, now: datetime) -> list[Expected]:
    """Every delivery that is open now or was due within ``LOOK_BACK``, by due time; of one partner, None: of all."""
    found: list[Expected] = []
    for feed in _feeds(db, partner_id):
        wanted = deliveries(feed.expected, feed.time_zone, since=now - LOOK_BACK, until=now)
        if not wanted:
            continue
        files = _files(db, feed, until=now)
        found.extend(_stands(feed, delivery, files, now) for delivery in wanted)
    return sorted(found, key=lambda each: (each.delivery.due_at, each.partner_code, each.layout_name))


def run(database: Database, *, now: datetime) -> int:
    """Watch every partner's files, each partner's in a transaction of its own; how many alerts were raised.

    Raises SomeFailed once all others were watched.
    """
    with database.read() as db:
        expecting = select(partner.c.id).where(partner.c.status == "active", partner.c.manifest.is_not(None))
        alerted = select(_ALERT.partner_id).where(_ALERT.due_at >= now - 2 * LOOK_BACK, _ALERT.resolved_at.is_(None))
        wanted = sorted(db.execute(expecting.union(alerted)).scalars())
    raised = 0
    with Round("missing_files") as each:
        for partner_id in wanted:
            with each.turn(public_id("par", partner_id)):
                raised += database.run(partial(watch, partner_id=partner_id, now=now))
    return raised


def watch(db: Connection, *, partner_id: bytes | None = None, now: datetime) -> int:
    """Raise an alert for each finding that has none, resolve those whose cause is gone; how many were raised.

    Of one partner, None: of all.
    """
    findings = {
        (each.partner_id, each.layout_name, each.delivery.due_at, finding.kind): finding
        for each in of_partners(db, partner_id=partner_id, now=now)
        for finding in each.findings
    }
    oldest = now - 2 * LOOK_BACK
    whose = literal(True) if partner_id is None else _ALERT.partner_id == partner_id
    known = db.execute(select(file_alert).where(_ALERT.due_at >= oldest, whose).with_for_update()).all()
    for row in known:
        finding = findings.pop((row.partner_id, row.layout_name, row.due_at, row.kind), None)
        if (finding is None) != (row.resolved_at is not None):
            values: dict[str, Any] = {"resolved_at": now if finding is None else None}
            db.execute(update(file_alert).where(_ALERT.id == row.id).values(values))
    fresh: list[dict[str, Any]] = [
        {
            "id": new_id(),
            "partner_id": partner_id,
            "layout_name": layout_name,
            "due_at": due_at,
            "kind": kind,
            "file_id": finding.file_id,
            "detail": finding.detail[:_DETAIL_LENGTH_MAX],
            "raised_at": now,
            "resolved_at": None,
        }
        for (partner_id, layout_name, due_at, kind), finding in sorted(findings.items(), key=lambda item: item[0])
    ]
    # Another watch may raise the same at this moment: the unique key says who was first.
    skipped = set(bulk.insert_new(db, file_alert, fresh, key=("partner_id", "layout_name", "due_at", "kind")))
    for number, alert in enumerate(fresh):
        if number not in skipped:
            told = {"layout": alert["layout_name"], "code": alert["kind"]}
            log.warning("An expected file is not as it should be.", extra=told)
    return len(fresh) - len(skipped)


def _feeds(db: Connection, partner_id: bytes | None) -> Iterator[_Feed]:
    query = select(partner.c.id, partner.c.code, partner.c.time_zone, partner.c.manifest).where(
        partner.c.status == "active", partner.c.manifest.is_not(None)
    )
    if partner_id is not None:
        query = query.where(partner.c.id == partner_id)
    for row in db.execute(query.order_by(partner.c.code)):
        for document in json.loads(row.manifest).get("expected_files", ()):
            yield _Feed(row.id, row.code, ZoneInfo(row.time_zone), ExpectedFile.model_validate(document))


def _files(db: Connection, feed: _Feed, *, until: datetime) -> Sequence[Any]:
    """The feed's files, the earliest first; rejects that came back are none of them."""
    return db.execute(
        select(_FILE.id, _FILE.name, _FILE.state, _FILE.reason_code, _FILE.reason, _FILE.rows_total, _FILE.arrived_at)
        .where(
            _FILE.partner_id == feed.partner_id,
            _FILE.layout_name == feed.expected.layout,
            _FILE.arrived_at <= until,
            # The history of what is usual reaches further back than the deliveries that are looked at.
            _FILE.arrived_at >= until - 12 * LOOK_BACK,
            _FILE.header.is_(None) | _FILE.header.not_like(f'%"{TOKEN}"%'),
        )
        .order_by(_FILE.arrived_at, _FILE.id)
    ).all()


def _stands(feed: _Feed, delivery: Delivery, files: Sequence[Any], now: datetime) -> Expected:
    by_state: defaultdict[str, list[Any]] = defaultdict(list)
    for file in files:
        if delivery.opens_at <= file.arrived_at < delivery.closes_at:
            by_state["arriving" if file.state in _UNFINISHED else file.state].append(file)
    good, arriving = by_state["processed"], by_state["arriving"]
    refused = by_state["quarantined"] + by_state["broken"]
    standing: Standing
    if good:
        standing = "received"
    elif arriving:
        standing = "arriving"
    else:
        standing = "missing" if now > delivery.deadline_at else "expected"
    file = (good or arriving or [None])[0]
    findings = [*_missing(standing, delivery, refused, by_state["duplicate"])]
    if now < delivery.closes_at:
        findings += _unusual(feed, delivery, good, refused, files)
    return Expected(
        feed.partner_id,
        feed.partner_code,
        feed.expected.layout,
        delivery,
        standing,
        None if file is None else file.id,
        findings,
    )


def _missing(
    standing: Standing, delivery: Delivery, refused: Sequence[Any], repeated: Sequence[Any]
) -> Iterator[Finding]:
    if standing != "missing":
        return
    due = f"{delivery.due_at:%Y-%m-%d %H:%M} UTC"
    if refused:
        told = f"The file due at {due} is missing: {refused[-1].name} came and was refused ({refused[-1].reason_code})."
        yield Finding("missing", refused[-1].id, told)
    elif repeated:
        told = f"The file due at {due} is missing: {repeated[-1].name} only repeats a file that was processed before."
        yield Finding("missing", repeated[-1].id, told)
    else:
        yield Finding("missing", None, f"The file due at {due} is missing: nothing came.")


def _unusual(
    feed: _Feed, delivery: Delivery, good: Sequence[Any], refused: Sequence[Any], files: Sequence[Any]
) -> Iterator[Finding]:
    """What is to be said of the delivery that is open now; of earlier ones it is history."""
    empty = [file for file in refused if file.reason_code in _EMPTY]
    if empty and not good:
        yield Finding("empty", empty[-1].id, f"{empty[-1].name} came without a row.")
    if not good:
        return
    if good[0].arrived_at > delivery.deadline_at:
        late = good[0].arrived_at - delivery.due_at
        minutes = int(late.total_seconds() // 60)
        yield Finding("late", good[0].id, f"{good[0].name} came {minutes} minutes after it was due.")
    rows = sum(file.rows_total for file in good)
    usual = _usual_rows(delivery, files)
    if usual is not None and rows * 100 < usual * feed.expected.small_percent:
        told = f"{good[-1].name} has {rows} rows; the files before it had {usual:g} (median)."
        yield Finding("small", good[-1].id, told)


def _usual_rows(delivery: Delivery, files: Sequence[Any]) -> float | None:
    """The median number of rows of the feed's latest processed files before a delivery; None while there are few."""
    earlier = [file.rows_total for file in files if file.state == "processed" and file.arrived_at < delivery.opens_at]
    return median(earlier[-_HISTORY_FILES:]) if len(earlier) >= _HISTORY_FILES_MIN else None
