"""The books for tests: programs whose points have a value and whose years are closed, partners that are settled."""

import json
from dataclasses import replace
from datetime import date, datetime
from typing import Any

from sqlalchemy import update
from sqlalchemy.engine import Connection

from chalicelib.partners.directory import Partner
from chalicelib.partners.models.partners import partner as partner_table
from chalicelib.partners.programs import programs
from chalicelib.partners.programs.finance_terms import SettlementTerms
from chalicelib.points.finance import documents
from chalicelib.points.finance.documents import Document, Item
from chalicelib.points.plan_years import closing
from chalicelib.points.plan_years.closes import Close
from chalicelib.storage.engine import Database
from chalicelib.storage.ids import new_id
from tests.factories.points import CALLER, NOW, Earning

#: A point is a cent until July 2026, and two from then on.
VALUE: dict[str, Any] = {
    "currency": "USD",
    "values": [{"since": "2020-01-01", "value": "0.01"}, {"since": "2026-07-01", "value": "0.02"}],
}
SETTLEMENT: dict[str, Any] = {
    "company_code": "1000",
    "accounts": {"receivable": "140000", "revenue": "400100", "fees": "400900", "tax": "217000"},
    "cost_center": "CC10",
    "profit_center": "PC10",
    "fee_percent": "2.5",
    "tax_percent": "8.875",
}
BALANCE_SHEET = {
    "liability": "217500",
    "expense": "640000",
    "breakage": "480000",
    "brought_over": "999100",
    "paid_out": "230000",
    "revaluation": "645000",
}


def with_terms(db: Connection, earning: Earning, **terms: Any) -> Earning:
    """The same with other terms of its program."""
    spec = replace(programs.spec_of(earning.program), terms=terms)
    return replace(earning, program=programs.change(db, earning.program, spec, caller=CALLER, now=NOW))


def settled_by(db: Connection, earning: Earning, **terms: Any) -> None:
    """Have the partner's manifest say how it is settled."""
    manifest = json.dumps({"settlement": SETTLEMENT | terms})
    db.execute(update(partner_table).where(partner_table.c.id == earning.partner.id).values(manifest=manifest))


def close_year(database: Database, earning: Earning, named: int, *, now: datetime) -> Close:
    """Close a plan year to its end, slice by slice."""
    close, _ = database.run(lambda db: closing.begin(db, earning.program, named, caller=CALLER, now=now))
    close_id = close.id
    while True:
        close = database.run(lambda db: closing.run_slice(db, earning.program, close_id, now=now))
        if close.checkpoint == bytes(16):
            return close


def at(day: date, hour: int = 18) -> datetime:
    """A moment on a day of Chicago, and of UTC."""
    return NOW.replace(year=day.year, month=day.month, day=day.day, hour=hour)


def make_posting(db: Connection, partner: Partner, settlement_id: bytes, *, minor: int = 100) -> bytes:
    """A document of a settlement over one amount; its id."""
    items = (
        Item("140000", "D", minor, "uniform", "Settlement"),
        Item("400100", "C", minor, "uniform", "Redemptions less refunds"),
    )
    made = Document(
        id=new_id(),
        company_code="1000",
        doc_type="DR",
        posting_date=date(2026, 9, 30),
        period="2026-09",
        currency="USD",
        decimals=2,
        source_type="settlement",
        source_id=settlement_id,
        items=items,
    )
    documents.write(db, [made], SettlementTerms.model_validate(SETTLEMENT), partner_id=partner.id, now=NOW)
    return made.id
