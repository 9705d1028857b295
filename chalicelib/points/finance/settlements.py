"""Settlements: a partner's month as it was invoiced and posted, once; corrections are documents of their own.

A settlement names the entries that it is about (``points.finance.settling``). To correct one, it is taken back by a
counter-document, and the period is settled again: the same entries, by the terms of then.
"""

import json
from collections.abc import Mapping, Sequence
from datetime import date, datetime
from typing import Any, Final, Literal, TypeAlias

from sqlalchemy import RowMapping, bindparam, func, select
from sqlalchemy.engine import Connection

from chalicelib.access import audit
from chalicelib.access.caller import Caller
from chalicelib.errors import Conflict, NotFound, Unprocessable
from chalicelib.partners.directory import Partner
from chalicelib.partners.models.partners import partner as partner_table
from chalicelib.partners.programs.finance_terms import SettlementTerms
from chalicelib.points.finance import documents, figures, ranges
from chalicelib.points.finance.figures import Before, Line
from chalicelib.points.models.books import settlement, settlement_line, settlement_run
from chalicelib.records import dataclass
from chalicelib.storage import bulk
from chalicelib.storage.ids import new_id, public_id

Kind: TypeAlias = Literal["settlement", "reversal"]


class NotSettled(Unprocessable):
    """The partner's manifest does not say how it is settled."""

    code = "settlement_terms_missing"


class SettlementRunning(Conflict):
    """Entries of the partner are being named for a settlement just now."""

    code = "settlement_running"


class Reversed(Conflict):
    """The settlement is a counter-document, or was taken back already by another."""

    code = "settlement_reversed"


@dataclass(frozen=True, slots=True)
class Settlement:
    """One document of a partner's period: ``part`` 1, 2, 3, …; a reversal takes back ``reverses_id``.

    ``run_id`` is the run that named its entries; a reversal has none.
    """

    seq: int
    id: bytes
    partner_id: bytes
    period: str
    part: int
    kind: Kind
    run_id: bytes | None
    reverses_id: bytes | None
    terms: SettlementTerms
    first_day: date
    last_day: date
    until: datetime
    entries: int
    reason: str | None
    settled_at: datetime

    @property
    def reference(self) -> str:
        """What the invoice is called: the settlement's id."""
        return public_id("stl", self.id)


def lock(db: Connection, partner_id: bytes) -> None:
    """Have nobody else begin or take back a settlement of a partner in this transaction."""
    db.execute(_LOCK, {"id": partner_id})


def take_back(
    db: Connection, settlement_id: bytes, *, reason: str, posting_date: date, caller: Caller, now: datetime
) -> tuple[Settlement, bool]:
    """Take a settlement back by a counter-document with every sign turned; it, and whether it is new.

    Raises Reversed for a counter-document, SettlementRunning, NotFound.
    """
    wrong = by_id(db, settlement_id)
    lock(db, wrong.partner_id)
    known = db.execute(_REVERSAL_OF, {"id": settlement_id}).mappings().one_or_none()
    if known is not None:
        return _settlement(known), False
    if wrong.kind == "reversal":
        raise Reversed("A counter-document is not taken back: settle the period again.")
    if db.execute(_RUNNING, {"partner_id": wrong.partner_id}).scalar_one():
        raise SettlementRunning("The partner is being settled: take the settlement back once that is done.")
    row = {
        **{name: getattr(wrong, name) for name in ("partner_id", "period", "first_day", "last_day", "until")},
        "part": of_period(db, wrong.partner_id, wrong.period)[-1].part + 1,
        "kind": "reversal",
        "reverses_id": wrong.id,
        "terms": wrong.terms.model_dump_json(),
        "entries": 0,
        "reason": reason,
    }
    before = Before(
        left=ranges.left(ranges.standing(db, wrong.partner_id, through=wrong.period)),
        liability=figures.liability(db, wrong.partner_id, through=wrong.period),
        settled=figures.settled_points(db, wrong.partner_id),
        ledger={},
    )
    lines = [line.reversed(before) for line in figures.stored(db, wrong.id)]
    return keep(db, row, lines, posting_date=posting_date, caller=caller, now=now), True


def terms_of(db: Connection, partner: Partner) -> SettlementTerms:
    """How the partner's manifest says that it is settled. Raises NotSettled."""
    text = db.execute(_MANIFEST, {"id": partner.id}).scalar_one()
    said = json.loads(text).get("settlement") if text else None
    if said is None:
        raise NotSettled(
            f"The manifest of {partner.code} does not say how it is settled: it needs `settlement`, with the accounts."
        )
    return SettlementTerms.model_validate_json(json.dumps(said))


def by_id(db: Connection, settlement_id: bytes) -> Settlement:
    """One settlement. Raises NotFound."""
    row = db.execute(_BY_ID, {"id": settlement_id}).mappings().one_or_none()
    if row is None:
        raise NotFound("There is no such settlement.")
    return _settlement(row)


def of_period(db: Connection, partner_id: bytes, period: str) -> list[Settlement]:
    """Every document of a partner's period, in their order."""
    rows = db.execute(_OF_PERIOD, {"partner_id": partner_id, "period": period}).mappings()
    return [_settlement(row) for row in rows]


def newest_first(
    db: Connection, *, partner_id: bytes | None, period: str | None, before_seq: int | None, limit: int
) -> list[Settlement]:
    """Up to ``limit`` documents, counter-documents too, newest first, older than ``before_seq``; None: of all."""
    given = ((settlement.c.partner_id, partner_id), (settlement.c.period, period))
    conditions = [column == value for column, value in given if value is not None]
    if before_seq is not None:
        conditions.append(settlement.c.seq < before_seq)
    query = select(settlement).where(*conditions).order_by(settlement.c.seq.desc()).limit(limit)
    return [_settlement(row) for row in db.execute(query).mappings()]


def keep(
    db: Connection, row: Mapping[str, Any], lines: Sequence[Line], *, posting_date: date, caller: Caller, now: datetime
) -> Settlement:
    """Write a settlement with its lines and documents. Raises AccountMissing."""
    settlement_id = new_id()
    said = {"actor": caller.actor, "correlation_id": caller.correlation_id, "settled_at": now}
    bulk.insert(db, settlement, [{**row, **said, "id": settlement_id}])
    made = by_id(db, settlement_id)
    rows = [
        {
            "settlement_id": made.id,
            "partner_id": made.partner_id,
            **{name: getattr(line, name) for name in Line.__slots__},
        }
        for line in lines
    ]
    bulk.insert(db, settlement_line, rows)
    posted = documents.of(
        lines,
        made.terms,
        source_id=made.id,
        period=made.period,
        reference=made.reference,
        posting_date=posting_date,
    )
    documents.write(db, posted, made.terms, partner_id=made.partner_id, now=now)
    audit.record(
        db,
        caller=caller,
        action="settlement.reversed" if made.kind == "reversal" else "settlement.closed",
        subject=made.reference,
        partner_id=made.partner_id,
        after={
            "period": made.period,
            "part": made.part,
            "programs": {line.program_code: [line.total_minor, line.currency] for line in lines},
        },
        reason=made.reason,
        now=now,
    )
    return made


def _settlement(row: RowMapping) -> Settlement:
    columns = {name: row[name] for name in Settlement.__slots__ if name != "terms"}
    return Settlement(**columns, terms=SettlementTerms.model_validate_json(row["terms"]))


_LOCK: Final = select(partner_table.c.id).where(partner_table.c.id == bindparam("id")).with_for_update()
_MANIFEST: Final = select(partner_table.c.manifest).where(partner_table.c.id == bindparam("id"))
_BY_ID: Final = select(settlement).where(settlement.c.id == bindparam("id"))
_REVERSAL_OF: Final = select(settlement).where(settlement.c.reverses_id == bindparam("id"))
_OF_PERIOD: Final = (
    select(settlement)
    .where(settlement.c.partner_id == bindparam("partner_id"), settlement.c.period == bindparam("period"))
    .order_by(settlement.c.part)
)
_RUNNING: Final = select(func.count()).where(
    settlement_run.c.partner_id == bindparam("partner_id"), settlement_run.c.state == "running"
)
