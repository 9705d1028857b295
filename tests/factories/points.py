"""Points for tests: events, and a partner whose members earn, through the functions that the hub itself uses."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal
from itertools import count
from typing import Any

from sqlalchemy import select
from sqlalchemy.engine import Connection

from chalicelib.access.caller import Caller
from chalicelib.partners.account_ids import MEMBER, account_id
from chalicelib.partners.directory import Partner
from chalicelib.partners.members import MemberRef
from chalicelib.partners.programs import Program
from chalicelib.partners.provenance import BY_API, RowSource
from chalicelib.points import accruals, ledger
from chalicelib.points.accruals import NewAccrual, Recorded
from chalicelib.points.ledger import Spent
from chalicelib.points.models import account
from chalicelib.rules.rulesets import LiveVersion
from chalicelib.storage.ids import new_id
from tests.factories import partners, rules

NOW = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)
CALLER = Caller("key_00000000000000000000000001", "test-points")
_numbers = count(1)


@dataclass(frozen=True, slots=True)
class Earning:
    """A partner with one program, a live rule and one member."""

    partner: Partner
    program: Program
    member: MemberRef
    version: LiveVersion

    @property
    def account_id(self) -> bytes:
        """The member's account in the program."""
        return account_id(self.program.id, MEMBER, self.member.id)


def make_earning(db: Connection, *, document: dict[str, Any] | None = None, **program: Any) -> Earning:
    """A partner whose only member E1 earns 1.5 points an hour, or by ``document``."""
    partner = partners.make_partner(db)
    document = document or rules.accrual_document(f"{partner.code}.accrual")
    document = {**document, "id": f"{partner.code}.accrual", "partner": partner.code}
    version = rules.live_ruleset(db, partner.id, document)
    made = partners.make_program(db, partner, **program)
    return Earning(partner, made, partners.make_member(db, partner), version)


def event(**values: Any) -> NewAccrual:
    """Ten hours of E1 on 2 November 2026, under an event id of its own."""
    given: dict[str, Any] = {
        "program_code": "uniform",
        "event_id": f"event-{next(_numbers)}",
        "employee_id": "E1",
        "event_type": "HOURS",
        "event_date": date(2026, 11, 2),
        "quantity": Decimal(10),
        "unit": "HOUR",
        "amount": None,
        "currency": None,
        "pay_period": None,
        "job_code_override": None,
        "category": None,
        "reference": None,
        "description": None,
    }
    unknown = values.keys() - given.keys()
    assert not unknown, f"an accrual has no {unknown}"
    return NewAccrual(**(given | values))  # type: ignore[typeddict-item]


def record(
    db: Connection,
    partner: Partner,
    events: Sequence[NewAccrual],
    *,
    sources: Sequence[RowSource] | None = None,
    now: datetime = NOW,
) -> list[Recorded]:
    """Record events as a request would."""
    return accruals.record(db, partner, events, sources=sources or [BY_API] * len(events), caller=CALLER, now=now)


def earn(db: Connection, earning: Earning, hours: str | int = 10, **values: Any) -> Recorded:
    """Post what E1 earns for some hours."""
    [recorded] = record(db, earning.partner, [event(quantity=Decimal(hours), **values)])
    assert recorded.outcome == "posted", recorded
    return recorded


def spend(
    db: Connection,
    account: bytes,
    amount_minor: int,
    *,
    source_id: bytes | None = None,
    on: date = date(2026, 11, 20),
    now: datetime = NOW,
) -> Spent:
    """Redeem points, under a source of their own."""
    return ledger.spend(db, account, amount_minor, source_id=source_id or new_id(), business_date=on, now=now)


def counters(db: Connection, account_id: bytes) -> dict[str, int]:
    """The account's counters and version."""
    names = ("debits_pending", "debits_posted", "credits_pending", "credits_posted", "entry_no")
    row = db.execute(select(*(account.c[name] for name in names)).where(account.c.id == account_id)).one()
    return dict(zip(names, row, strict=True))
