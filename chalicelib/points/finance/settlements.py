"""Settlements: a partner's month is frozen, invoiced and posted, once; corrections are documents of their own.

A settlement names the entries that it is about. To correct one, it is taken back by a counter-document, and the period
is settled again: the same entries, by the terms of then.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Final, Literal, TypeAlias

from sqlalchemy import RowMapping, bindparam, func, select
from sqlalchemy.engine import Connection

from chalicelib.access import audit
from chalicelib.access.caller import Caller
from chalicelib.errors import Conflict, NotFound, Unprocessable
from chalicelib.partners import programs
from chalicelib.partners.directory import Partner
from chalicelib.partners.finance_terms import SettlementTerms
from chalicelib.partners.models import partner as partner_table
from chalicelib.points.finance import documents, figures, months, ranges
from chalicelib.points.finance.figures import Line
from chalicelib.points.finance_models import settlement, settlement_line
from chalicelib.storage import bulk
from chalicelib.storage.ids import new_id, public_id

Kind: TypeAlias = Literal["settlement", "reversal"]


class NotSettled(Unprocessable):
    """The partner's manifest does not say how it is settled."""

    code = "settlement_terms_missing"


class LaterPeriodSettled(Conflict):
    """A later period was settled already, so what this one would have had is in it."""

    code = "later_period_settled"


class Reversed(Conflict):
    """The settlement is a counter-document, or was taken back already by another."""

    code = "settlement_reversed"


@dataclass(frozen=True, slots=True)
class Settlement:
    """One document of a partner's period: ``part`` 1, 2, 3, …; a reversal takes back ``reverses_id``."""

    seq: int
    id: bytes
    partner_id: bytes
    period: str
    part: int
    kind: Kind
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


def settle(db: Connection, partner: Partner, period: str, *, caller: Caller, now: datetime) -> tuple[Settlement, bool]:
    """Settle a partner's month; it, and whether it is new. The month of a settlement that stands is settled already.

    Everything posted before the month's end that no settlement named yet is in it. Raises NotSettled, PeriodOpen,
    LaterPeriodSettled, NoValue, InvalidInput.
    """
    month = months.named(period, partner)
    # One settlement of a partner at a time: two would name the same entries.
    db.execute(_LOCK, {"id": partner.id})
    earlier = of_period(db, partner.id, period)
    last = earlier[-1] if earlier else None
    if last is not None and last.kind == "settlement":
        return last, False
    months.require_over(month, now)
    if last is None and db.execute(_LATER, {"partner_id": partner.id, "period": period}).scalar_one():
        raise LaterPeriodSettled(f"A period after {period} was settled already.")
    settlement_id = new_id()
    terms = terms_of(db, partner)
    if last is None or last.reverses_id is None:
        entries = ranges.freeze(db, settlement_id, partner.id, until=month.until)
    else:
        entries = ranges.take_over(db, settlement_id, last.reverses_id)
    row = {
        "id": settlement_id,
        "partner_id": partner.id,
        "period": month.name,
        "part": 1 if last is None else last.part + 1,
        "kind": "settlement",
        "terms": terms.model_dump_json(),
        "first_day": month.first_day,
        "last_day": month.last_day,
        "until": month.until,
        "entries": entries,
        "actor": caller.actor,
        "correlation_id": caller.correlation_id,
        "settled_at": now,
    }
    bulk.insert(db, settlement, [row])
    made = by_id(db, settlement_id)
    lines = recomputed(db, made)
    _keep(db, made, lines, month.last_day, caller, now)
    return made, True


def take_back(
    db: Connection, settlement_id: bytes, *, reason: str, posting_date: date, caller: Caller, now: datetime
) -> tuple[Settlement, bool]:
    """Take a settlement back by a counter-document with every sign turned; it, and whether it is new.

    Raises Reversed for a counter-document, NotFound.
    """
    wrong = by_id(db, settlement_id)
    db.execute(_LOCK, {"id": wrong.partner_id})
    known = db.execute(_REVERSAL_OF, {"id": settlement_id}).mappings().one_or_none()
    if known is not None:
        return _settlement(known), False
    if wrong.kind == "reversal":
        raise Reversed("A counter-document is not taken back: settle the period again.")
    part = of_period(db, wrong.partner_id, wrong.period)[-1].part + 1
    row = {
        **{name: getattr(wrong, name) for name in ("partner_id", "period", "first_day", "last_day", "until")},
        "id": new_id(),
        "part": part,
        "kind": "reversal",
        "reverses_id": wrong.id,
        "terms": wrong.terms.model_dump_json(),
        "entries": 0,
        "reason": reason,
        "actor": caller.actor,
        "correlation_id": caller.correlation_id,
        "settled_at": now,
    }
    bulk.insert(db, settlement, [row])
    made = by_id(db, row["id"])
    settled = settled_points(db, wrong.partner_id)
    lines = []
    for line in figures.stored(db, wrong.id):
        rest = settled.get(line.program_id, 0) - line.redeemed_minor + line.refunded_minor
        lines.append(line.reversed(ledger_minor=line.ledger_minor, settled_minor=rest))
    _keep(db, made, lines, posting_date, caller, now)
    return made, True


def recomputed(db: Connection, of: Settlement) -> list[Line]:
    """What a settlement's entries amount to, by its terms and what programs say their points are worth today."""
    own = {each.id: each for each in programs.of_partner(db, of.partner_id).values()}
    return figures.of(
        ranges.moved(db, of.id),
        own,
        of.terms,
        ledger=ranges.redeemed_before(db, of.partner_id, until=of.until),
        settled=settled_points(db, of.partner_id, before_seq=of.seq),
    )


def settled_points(db: Connection, partner_id: bytes, *, before_seq: int | None = None) -> dict[bytes, int]:
    """Points redeemed less refunded by program, of all documents of a partner, or of those before one."""
    query = _SETTLED if before_seq is None else _SETTLED.where(settlement.c.seq < before_seq)
    return {row[0]: int(row[1]) for row in db.execute(query, {"partner_id": partner_id})}


def terms_of(db: Connection, partner: Partner) -> SettlementTerms:
    """How the partner's manifest says that it is settled. Raises NotSettled."""
    text = db.execute(_MANIFEST, {"id": partner.id}).scalar_one()
    said = json.loads(text).get("settlement") if text else None
    if said is None:
        raise NotSettled(f"The manifest of {partner.code} does not say how it is settled.")
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


def _keep(
    db: Connection, made: Settlement, lines: Sequence[Line], posting_date: date, caller: Caller, now: datetime
) -> None:
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
_LATER: Final = select(func.count()).where(
    settlement.c.partner_id == bindparam("partner_id"), settlement.c.period > bindparam("period")
)
_SETTLED: Final = (
    select(
        settlement_line.c.program_id,
        func.sum(settlement_line.c.redeemed_minor - settlement_line.c.refunded_minor),
    )
    .join(settlement, settlement.c.id == settlement_line.c.settlement_id)
    .where(settlement.c.partner_id == bindparam("partner_id"))
    .group_by(settlement_line.c.program_id)
)
