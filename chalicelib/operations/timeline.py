"""A member's story: what rosters said, where it led, and what left for outside systems, in one order."""

import heapq
from collections.abc import Callable, Collection, Mapping
from datetime import date, datetime
from enum import StrEnum
from typing import Any, Final

from sqlalchemy import ColumnElement, Select, and_, or_, select
from sqlalchemy.engine import Connection, Row

from chalicelib.access.models import audit_event
from chalicelib.deliveries.models import delivery, target
from chalicelib.partners.models.partners import enrolment, member_history, program
from chalicelib.points.models.ledger import account, accrual_event, transfer
from chalicelib.records import dataclass
from chalicelib.storage.ids import public_id
from chalicelib.web import amounts


class Kind(StrEnum):
    """What a moment is about, in the order in which moments of one instant follow from one another."""

    ROSTER = "roster"
    ENROLMENT = "enrolment"
    ACCRUAL = "accrual"
    ENTRY = "entry"
    DELIVERY = "delivery"
    EDIT = "edit"


_RANKS: Final = {kind: rank for rank, kind in enumerate(Kind)}


@dataclass(frozen=True, slots=True)
class Moment:
    """One thing that happened to a member. ``detail`` holds JSON values and nothing personal."""

    at: datetime
    kind: Kind
    id: bytes
    public_id: str
    detail: Mapping[str, Any]

    @property
    def place(self) -> tuple[datetime, int, bytes]:
        """Where the moment stands in the story."""
        return self.at, _RANKS[self.kind], self.id


@dataclass(frozen=True, slots=True)
class Place:
    """A place in the story, between two moments."""

    at: datetime
    kind: Kind
    id: bytes


def newest_first(
    db: Connection, member_id: bytes, *, kinds: Collection[Kind], before: Place | None, limit: int
) -> list[Moment]:
    """Up to ``limit`` moments of the given kinds, the latest first, from before a place on."""
    accounts = list(
        db.execute(select(account.c.id).where(account.c.owner_id == member_id, account.c.kind == "member")).scalars()
    )
    found = (
        [
            _moment(kind, row)
            for row in db.execute(_continued(_SOURCES[kind](member_id, accounts), kind, before).limit(limit))
        ]
        for kind in Kind
        if kind in kinds
    )
    merged = heapq.merge(*found, key=lambda moment: moment.place, reverse=True)
    return [moment for moment, _ in zip(merged, range(limit), strict=False)]


def _continued(source: Select[Any], kind: Kind, before: Place | None) -> Select[Any]:
    at, key = source.selected_columns["at"], source.selected_columns["id"]
    ordered = source.order_by(at.desc(), key.desc())
    if before is None:
        return ordered
    earlier: ColumnElement[bool] = at < before.at
    if kind is before.kind:
        earlier = or_(earlier, and_(at == before.at, key < before.id))
    elif _RANKS[kind] < _RANKS[before.kind]:
        earlier = at <= before.at
    return ordered.where(earlier)


def _roster(member_id: bytes, _accounts: list[bytes]) -> Select[Any]:
    column = member_history.c
    return select(
        column.recorded_at.label("at"),
        column.id,
        column.action,
        column.effective_date,
        column.revision,
        column.status,
        column.hire_date,
        column.term_date,
        column.job_code,
        column.source_kind,
        column.source_id,
        column.row_no,
        column.superseded_at,
        column.actor,
    ).where(column.member_id == member_id)


def _enrolments(member_id: bytes, _accounts: list[bytes]) -> Select[Any]:
    column = enrolment.c
    return (
        select(
            column.created_at.label("at"),
            column.id,
            program.c.code.label("program"),
            column.valid_from,
            column.valid_to,
            column.tier,
            column.source,
        )
        .select_from(enrolment.join(program, program.c.id == column.program_id))
        .where(column.member_id == member_id)
    )


def _accruals(_member_id: bytes, accounts: list[bytes]) -> Select[Any]:
    column = accrual_event.c
    return (
        select(
            column.received_at.label("at"),
            column.id,
            program.c.code.label("program"),
            program.c.scale,
            column.event_id,
            column.event_type,
            column.event_date,
            column.outcome,
            column.points_minor,
            column.source_file_id,
            column.row_no,
            column.actor,
        )
        .select_from(accrual_event.join(program, program.c.id == column.program_id))
        .where(column.account_id.in_(accounts))
    )


def _entries(_member_id: bytes, accounts: list[bytes]) -> Select[Any]:
    column = transfer.c
    return (
        select(
            column.posted_at.label("at"),
            column.id,
            program.c.code.label("program"),
            program.c.scale,
            column.entry_no,
            column.kind,
            column.amount_minor,
            (column.credit_account_id == column.account_id).label("earned"),
            column.business_date,
        )
        .select_from(transfer.join(program, program.c.id == column.program_id))
        .where(column.account_id.in_(accounts))
    )


def _deliveries(_member_id: bytes, accounts: list[bytes]) -> Select[Any]:
    column = delivery.c
    return (
        select(
            column.created_at.label("at"),
            column.id,
            target.c.code.label("target"),
            column.entity,
            column.state,
            column.version,
            column.attempts,
            column.last_code,
            column.confirmed_at,
        )
        .select_from(delivery.join(target, target.c.id == column.target_id))
        .where(column.entity_key.in_([each.hex() for each in accounts]))
    )


def _edits(member_id: bytes, _accounts: list[bytes]) -> Select[Any]:
    column = audit_event.c
    return select(column.at.label("at"), column.id, column.actor, column.action, column.reason).where(
        column.subject == public_id("mbr", member_id)
    )


_SOURCES: Final[Mapping[Kind, Callable[[bytes, list[bytes]], Select[Any]]]] = {
    Kind.ROSTER: _roster,
    Kind.ENROLMENT: _enrolments,
    Kind.ACCRUAL: _accruals,
    Kind.ENTRY: _entries,
    Kind.DELIVERY: _deliveries,
    Kind.EDIT: _edits,
}
_PREFIXES: Final[Mapping[Kind, str]] = {
    Kind.ROSTER: "hst",
    Kind.ENROLMENT: "enr",
    Kind.ACCRUAL: "acr",
    Kind.ENTRY: "trf",
    Kind.DELIVERY: "dlv",
    Kind.EDIT: "aud",
}


def _moment(kind: Kind, row: Row[Any]) -> Moment:
    values = row._mapping  # noqa: SLF001 - SQLAlchemy's public name for it
    detail: dict[str, Any] = {}
    for name, value in values.items():
        match name:
            case "at" | "id" | "scale" | "earned":
                pass
            case "points_minor":
                detail["points"] = amounts.text(value, values["scale"])
            case "amount_minor":
                detail["points"] = amounts.text(value if values["earned"] else -value, values["scale"])
            case "source_id" | "source_file_id":
                detail["file_id"] = None if value is None else public_id("fil", value)
            case _:
                detail[name] = _plain(value)
    return Moment(row.at, kind, row.id, public_id(_PREFIXES[kind], row.id), detail)


def _plain(value: object) -> object:
    if isinstance(value, datetime):
        return value.isoformat().replace("+00:00", "Z")
    return value.isoformat() if isinstance(value, date) else value
