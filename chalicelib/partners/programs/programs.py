"""Programs: what a partner's employees earn and spend, in which unit, and when it expires."""

from calendar import monthrange
from collections.abc import Collection, Mapping
from datetime import date, datetime, timedelta
from functools import lru_cache
from typing import Any, Final, Literal, Protocol, TypeAlias
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from sqlalchemy import ColumnElement, RowMapping, select, update
from sqlalchemy.engine import Connection

from chalicelib.access import audit
from chalicelib.access.caller import Caller
from chalicelib.errors import Conflict, InvalidInput
from chalicelib.language import parse_json
from chalicelib.language.faults import Refusal
from chalicelib.language.months import add_months
from chalicelib.partners.models.partners import program as table
from chalicelib.records import dataclass
from chalicelib.rules import canonical
from chalicelib.storage import bulk
from chalicelib.storage.ids import new_id, public_id

Kind: TypeAlias = Literal["accrual", "allowance", "allotment", "starter_set", "on_consumption"]
Status: TypeAlias = Literal["active", "closed"]

#: The ``expires_on`` of a lot that never expires.
NEVER: Final = date(9999, 12, 31)


class Zoned(Protocol):
    """Something whose dates are in an IANA time zone: a partner, a program."""

    @property
    def time_zone(self) -> str:
        """The zone's name: ``America/Chicago``."""
        ...


@dataclass(frozen=True, slots=True)
class Program:
    """One program. ``scale`` is the number of decimals of its unit; amounts are kept in units of 10^-scale.

    ``lots`` is ``{"expires": null}``, ``{"expires": {"months": 24}}``, ``{"expires": {"days": 90}}`` or ``{"expires":
    {"year_end": "12-31"}}``, with what else the manifest says of lots; ``corrections`` is what it says of corrections.
    ``points.ledger.policy`` reads both. ``enrolment`` is ``{"when": condition}``, or None where members are enrolled by
    hand; ``partners.programs.terms`` reads ``terms``.
    """

    id: bytes
    partner_id: bytes
    code: str
    name: str
    kind: Kind
    unit: str
    scale: int
    time_zone: str
    ruleset_code: str
    effective_from: date
    lots: Mapping[str, Any]
    corrections: Mapping[str, Any] | None
    enrolment: Mapping[str, Any] | None
    terms: Mapping[str, Any] | None
    status: Status
    created_at: datetime
    changed_at: datetime


@dataclass(frozen=True, slots=True)
class ProgramSpec:
    """A program as the manifest or the API describes it; the fields mean what they mean in ``Program``."""

    code: str
    name: str
    kind: Kind
    unit: str
    scale: int
    time_zone: str
    ruleset_code: str
    effective_from: date
    lots: Mapping[str, Any]
    enrolment: Mapping[str, Any] | None
    corrections: Mapping[str, Any] | None = None
    terms: Mapping[str, Any] | None = None


_COLUMNS = tuple(table.c[name] for name in Program.__slots__)
_SPEC = tuple(ProgramSpec.__slots__)
_OPTIONAL_JSON: Final = ("corrections", "enrolment", "terms")
#: Points are kept in minor units, and lots expire by day: after the first accrual these mean other amounts and days.
FIXED: Final = ("unit", "scale", "time_zone")


def of_partner(db: Connection, partner_id: bytes) -> dict[str, Program]:
    """The partner's programs by code, closed ones too."""
    rows = db.execute(select(*_COLUMNS).where(table.c.partner_id == partner_id).order_by(table.c.code)).mappings()
    return {row["code"]: _program(row) for row in rows}


def by_id(db: Connection, program_id: bytes) -> Program | None:
    """The program of that id."""
    row = db.execute(select(*_COLUMNS).where(table.c.id == program_id)).mappings().one_or_none()
    return None if row is None else _program(row)


def by_ids(db: Connection, program_ids: Collection[bytes]) -> dict[bytes, Program]:
    """The programs of up to a page of ids."""
    rows = db.execute(select(*_COLUMNS).where(table.c.id.in_(sorted(set(program_ids))))).mappings()
    return {row["id"]: _program(row) for row in rows}


def search(
    db: Connection,
    *,
    partner_id: bytes | None = None,
    kind: Kind | None = None,
    status: Status | None = None,
    after: bytes | None = None,
    limit: int,
) -> list[Program]:
    """Up to ``limit`` programs in the order of their creation, after the id ``after``."""
    conditions: list[ColumnElement[bool]] = []
    if partner_id is not None:
        conditions.append(table.c.partner_id == partner_id)
    if kind is not None:
        conditions.append(table.c.kind == kind)
    if status is not None:
        conditions.append(table.c.status == status)
    if after is not None:
        conditions.append(table.c.id > after)
    rows = db.execute(select(*_COLUMNS).where(*conditions).order_by(table.c.id).limit(limit)).mappings()
    return [_program(row) for row in rows]


def create(db: Connection, partner_id: bytes, spec: ProgramSpec, *, caller: Caller, now: datetime) -> Program:
    """A new, active program of the partner. Raises Conflict when the partner has one of that code.

    The spec has been examined (``onboarding.examined_program``). Nobody is enrolled yet.
    """
    program_id = new_id()
    values = _values(spec)
    row = {
        "id": program_id,
        "partner_id": partner_id,
        **values,
        "status": "active",
        "created_at": now,
        "changed_at": now,
    }
    if bulk.insert_new(db, table, [row], key=["partner_id", "code"]):
        raise Conflict(f"There is a program {spec.code} already.", code="program_exists")
    audit.record(
        db,
        caller=caller,
        action="program.created",
        subject=public_id("prg", program_id),
        partner_id=partner_id,
        after=values,
        now=now,
    )
    return _known(db, program_id)


def change(db: Connection, program: Program, spec: ProgramSpec, *, caller: Caller, now: datetime) -> Program:
    """The program as the spec describes it; nothing is written when it is so already.

    Raises Conflict for another unit, scale or time zone: what is in the ledger would mean something else.
    """
    fixed = [name for name in FIXED if getattr(program, name) != getattr(spec, name)]
    if fixed:
        raise Conflict(
            f"The program {program.code} keeps its {', '.join(fixed)}: its points are kept in them."
            " Create another program instead.",
            code="program_unit_is_fixed",
        )
    before, after = _values(spec_of(program)), _values(spec)
    if before == after:
        return program
    db.execute(update(table).where(table.c.id == program.id).values(**after, changed_at=now))
    changed = [name for name in after if before[name] != after[name]]
    audit.record(
        db,
        caller=caller,
        action="program.changed",
        subject=public_id("prg", program.id),
        partner_id=program.partner_id,
        before={name: before[name] for name in changed},
        after={name: after[name] for name in changed},
        now=now,
    )
    return _known(db, program.id)


def spec_of(program: Program) -> ProgramSpec:
    """What the program is now, in the words of a manifest."""
    return ProgramSpec(**{name: getattr(program, name) for name in _SPEC})


def business_date(now: datetime, place: Zoned) -> date:
    """The date of ``now`` in the time zone of a program or partner: the only way from a moment to a business date."""
    return now.astimezone(zone(place.time_zone)).date()


@lru_cache(maxsize=256)
def zone(name: str) -> ZoneInfo:
    """The IANA time zone. Raises InvalidInput when there is none of that name."""
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise InvalidInput(
            f"There is no time zone {name!r}: give an IANA name such as Europe/Berlin.", code="unknown_time_zone"
        ) from error


def expires_on(program: Program, event_date: date) -> date:
    """The last day on which points earned on ``event_date`` may be spent, in the program's time zone.

    24 months after 15 January 2026 is 15 January 2028; after the 31st, the last day of a shorter month.
    """
    expires = program.lots["expires"]
    if expires is None:
        return NEVER
    try:
        if "year_end" in expires:
            return _year_end(expires["year_end"], event_date) + timedelta(days=expires.get("grace_days", 0))
        if "months" in expires:
            return add_months(event_date, expires["months"])
        return event_date + timedelta(days=expires["days"])
    except (Refusal, OverflowError):
        return NEVER


def _year_end(written: str, day: date) -> date:
    """The last day of the plan year that a day is in; 02-29 is the 28th where there is none."""
    month, last = map(int, written.split("-"))
    for year in (day.year, day.year + 1):
        end = date(year, month, min(last, monthrange(year, month)[1]))
        if day <= end:
            return end
    raise AssertionError("A day is over before the year after it ends.")


def _values(spec: ProgramSpec) -> dict[str, Any]:
    values = {name: getattr(spec, name) for name in _SPEC}
    values["lots"] = canonical.text(spec.lots)
    for name in _OPTIONAL_JSON:
        values[name] = None if values[name] is None else canonical.text(values[name])
    return values


def _known(db: Connection, program_id: bytes) -> Program:
    return _program(db.execute(select(*_COLUMNS).where(table.c.id == program_id)).mappings().one())


def _program(row: RowMapping) -> Program:
    return Program(**parsed({**row}))


def parsed(row: Mapping[str, Any]) -> dict[str, Any]:
    """The columns of a program's row with its documents read."""
    read = {name: None if row[name] is None else parse_json(row[name]) for name in _OPTIONAL_JSON}
    return {**row, "lots": parse_json(row["lots"]), **read}
