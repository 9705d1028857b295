"""What a version says of a record that is already there: as it was posted, on its own day or on another."""

from collections.abc import Mapping
from datetime import date, datetime
from decimal import Decimal
from typing import cast

from sqlalchemy import func, select
from sqlalchemy.engine import Connection

from chalicelib.errors import Fault, Unprocessable
from chalicelib.files.register.register import InboundFile
from chalicelib.partners.members import members
from chalicelib.points.deciding import aggregates, previewing, redeciding
from chalicelib.points.deciding.aggregates import Span
from chalicelib.points.deciding.deciding import POINTS, Proof
from chalicelib.points.deciding.events import NewAccrual
from chalicelib.points.deciding.redeciding import Kept
from chalicelib.points.ledger.history import Event
from chalicelib.points.models.ledger import accrual_event
from chalicelib.records import dataclass
from chalicelib.rules import code_tables, rulesets, simulation
from chalicelib.rules.rulesets import LiveVersion
from chalicelib.rules.simulation import Simulated
from chalicelib.workbench import rows


@dataclass(frozen=True, slots=True)
class Then:
    """What was decided of the record when it was posted."""

    version: LiveVersion
    event: Event


def posted(db: Connection, tried: LiveVersion, event: Event, *, as_of: date | None) -> tuple[Simulated, Then]:
    """Let a version decide a posted event, by the facts that decided it, on its own day unless ``as_of`` is another.

    On its own day, sums and look-ups are those of then wherever the stored decision asked the same. Raises
    Unprocessable when the version decides no accruals.
    """
    if tried.kind != "accrual":
        raise Unprocessable(
            f"{tried.ruleset_code} decides no accruals: it is of kind {tried.kind}.", code="decides_no_accruals"
        )
    kept = Kept.of(event.facts)
    member = None
    if redeciding.asks_member(tried, kept):
        employee_id = str(kept.event["employee_id"])
        pair = (employee_id, event.event_date)
        member = members.by_employee_on(db, event.partner_id, [pair]).get(pair)
    raw = redeciding.raw_inputs(tried, kept, event_type=event.event_type, event_date=event.event_date, member=member)
    day = as_of or event.event_date
    then = rulesets.version(db, event.ruleset_version_id)
    simulated = simulation.simulate(
        db,
        tried,
        raw,
        as_of=day,
        aggregates=_sums(db, tried, then, event, kept, day),
        known=_tables(db, tried, event, day),
    )
    return simulated, Then(then, event)


def _sums(
    db: Connection, tried: LiveVersion, then: LiveVersion, event: Event, kept: Kept, day: date
) -> dict[str, Decimal]:
    """What the account had earned in each period before this event, at the program's scale."""
    found: dict[str, Decimal] = {}
    for name, declared in tried.compiled.aggregates.items():
        before = then.compiled.aggregates.get(name)
        if day == event.event_date and before == declared and name in kept.aggregates:
            found[name] = Decimal(kept.aggregates[name])
            continue
        first, last = aggregates.bounds(Span.of(declared), day)
        query = select(func.coalesce(func.sum(accrual_event.c.points_minor - accrual_event.c.reversed_minor), 0)).where(
            accrual_event.c.account_id == event.account_id,
            accrual_event.c.event_date.between(first, last),
            accrual_event.c.seq < event.seq,
        )
        if declared.event_types:
            query = query.where(accrual_event.c.event_type.in_(declared.event_types))
        earned = db.execute(query).scalar_one()
        found[name] = Decimal(int(earned)).scaleb(-event.scale)
    return found


def _tables(db: Connection, tried: LiveVersion, event: Event, day: date) -> Mapping[str, Mapping[str, str]]:
    """The code tables on the day; what the stored decision looked up on its own day reads as it did then."""
    tables = code_tables.resolve(db, tried.compiled.code_tables, on=day)
    if day != event.event_date:
        return tables
    asked = Proof.of(event.facts).lookups
    return {name: {**entries, **asked.get(name, {})} for name, entries in tables.items()}


def refused_row(
    db: Connection, tried: LiveVersion, file: InboundFile, row_no: int, *, as_of: date | None, now: datetime
) -> Simulated:
    """Let a version decide a row that its file's layout can read and that was rejected, as if it came in now.

    Raises what ``rows.rejected`` does, and Unprocessable when the row's program is decided by another ruleset.
    """
    partner, event = rows.rejected(db, file, row_no)
    if as_of is not None:
        event = cast("NewAccrual", {**event, "event_date": as_of})
    found = previewing.preview(db, partner, event, version=tried, now=now)
    trace = found.trace or {}
    if found.outcome.outcome == "rejected":
        fault = Fault(found.outcome.column or "", found.outcome.code or "rejected", found.outcome.message or "")
        return Simulated("refused", None, (fault,), trace)
    if not trace.get("applies", True):
        return Simulated("not_applicable", None, (), trace)
    points = Decimal(found.outcome.points_minor).scaleb(-found.outcome.scale)
    return Simulated("decided", {POINTS: points}, (), trace)
