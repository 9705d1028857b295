"""Points for tests: events, and a partner whose members earn, through the functions that the hub itself uses."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from decimal import Decimal
from itertools import count
from typing import Any, NamedTuple

from sqlalchemy import select
from sqlalchemy.engine import Connection

from chalicelib.access.caller import Caller
from chalicelib.partners.account_ids import MEMBER, account_id
from chalicelib.partners.directory import Partner
from chalicelib.partners.members import members
from chalicelib.partners.members.members import MemberRef
from chalicelib.partners.programs import programs
from chalicelib.partners.programs.programs import Program
from chalicelib.partners.provenance import BY_API, RowSource
from chalicelib.points.corrections import adjustments, reversals
from chalicelib.points.corrections.adjustments import Adjustment, NewAdjustment
from chalicelib.points.corrections.reversals import Reversal
from chalicelib.points.earning import accruals
from chalicelib.points.earning.accruals import NewAccrual, Recorded
from chalicelib.points.ledger import balances, history
from chalicelib.points.ledger import lots as lots_room
from chalicelib.points.ledger.lots import Taken
from chalicelib.points.models.ledger import account as account_table
from chalicelib.points.models.ledger import lot
from chalicelib.points.spending import holds, redemptions, refunds
from chalicelib.points.spending.holds import Hold, NewHold
from chalicelib.points.spending.redemptions import Line, Redemption
from chalicelib.points.spending.refunds import Refund, Wanted
from chalicelib.points.terms import expirations
from chalicelib.points.terms.expirations import Expiry
from chalicelib.rules.rulesets import LiveVersion
from chalicelib.storage.engine import Database
from chalicelib.storage.ids import new_id
from tests.factories import partners, rules

NOW = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)
CALLER = Caller("key_00000000000000000000000001", "test-points")
_numbers = count(1)


class Spent(NamedTuple):
    """A redemption of one line: its transfer, the account's latest entry after it, and the lots it took from."""

    transfer_id: bytes
    entry_no: int
    taken: tuple[Taken, ...]


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
    on: date | None = None,
    now: datetime = NOW,
) -> Spent:
    """Redeem points, under a source of their own."""
    owned = db.execute(
        select(account_table.c.program_id, account_table.c.owner_id).where(account_table.c.id == account)
    )
    program_id, member_id = owned.one()
    program = programs.by_id(db, program_id)
    assert program is not None
    made, _ = redemptions.redeem(
        db,
        program,
        member_id,
        [Line("1", amount_minor)],
        reference=(source_id or new_id()).hex(),
        caller=CALLER,
        now=now if on is None else datetime(on.year, on.month, on.day, 18, tzinfo=UTC),
    )
    entry = history.entry(db, made.transfer_id)
    taken = tuple(Taken(use.lot_id, use.amount_minor) for use in lots_room.used_by(db, made.transfer_id))
    return Spent(made.transfer_id, entry.entry_no, taken)


def hold(db: Connection, earning: Earning, amount_minor: int, *, now: datetime = NOW, **more: Any) -> Hold:
    """Hold points of E1 for an order, or for a basket with ``ttl_s``."""
    given = {"reference": f"basket-{next(_numbers)}"} | more
    if given.get("ttl_s") is None:
        given.setdefault("order_no", "order-1")
    wanted = NewHold(earning.member.id, amount_minor, **given)
    return holds.place(db, earning.program, wanted, caller=CALLER, now=now)[0]


def capture(db: Connection, earning: Earning, of: Hold, amount_minor: int | None = None, **more: Any) -> Redemption:
    """Capture a hold of E1, whole or in part."""
    given = {"reference": f"shipment-{next(_numbers)}", "caller": CALLER, "now": NOW} | more
    return redemptions.capture(db, earning.program, of.id, amount_minor=amount_minor, **given)[0]


def redeem(db: Connection, earning: Earning, *amounts: int, now: datetime = NOW, **more: Any) -> Redemption:
    """Redeem points of E1 at once: lines 1, 2, 3, … of these amounts."""
    lines = [Line(str(number), amount) for number, amount in enumerate(amounts, start=1)]
    given = {"reference": f"till-{next(_numbers)}", "caller": CALLER, "now": now} | more
    return redemptions.redeem(db, earning.program, earning.member.id, lines, **given)[0]


def refund(
    db: Connection, earning: Earning, of: Redemption, *lines: Wanted, now: datetime = NOW, **more: Any
) -> Refund:
    """Give lines of a redemption back to E1; all of them when none are named."""
    named = lines or [Wanted(each.line) for each in redemptions.lines_of(db, of.id)]
    given = {"reference": f"return-{next(_numbers)}", "caller": CALLER, "now": now} | more
    return refunds.give_back(db, earning.program, of.id, named, **given)[0]


def adjust(db: Connection, earning: Earning, amount_minor: int, *, now: datetime = NOW, **more: Any) -> Adjustment:
    """Ask to give points to E1, or to take some."""
    given = {"reference": f"adjustment-{next(_numbers)}", "reason_code": "correction"} | more
    wanted = NewAdjustment(earning.member.id, amount_minor, **given)
    return adjustments.request(db, earning.program, wanted, caller=CALLER, now=now)[0]


def reverse(db: Connection, earning: Earning, recorded: Recorded, *, now: datetime = NOW) -> Reversal:
    """Take back what an event earned E1."""
    assert recorded.id is not None
    return reverse_event(db, earning, recorded.id, now=now)


def reverse_event(db: Connection, earning: Earning, event_id: bytes, *, now: datetime = NOW) -> Reversal:
    """The same for the event of this id."""
    found = history.event(db, event_id)
    return reversals.reverse(db, earning.program, found, reason="a test", caller=CALLER, now=now)[0]


def expire(db: Connection, earning: Earning, day: date, *, now: datetime = NOW) -> Expiry:
    """Run a business date of E1's program."""
    return expirations.expire(db, earning.program, day, now=now).expiry


def post_expiry(database: Database, earning: Earning, day: date, *, now: datetime) -> Expiry:
    """Run a business date of E1's program, tried again as a whole when it loses a race."""
    return database.run(lambda db: expire(db, earning, day, now=now))


def of_member(db: Connection, earning: Earning, employee_id: str) -> Earning:
    """The same for another member of the program."""
    return replace(earning, member=members.by_employee(db, earning.partner.id, [employee_id])[employee_id])


def with_rules(
    db: Connection, earning: Earning, *, lots: dict[str, Any] | None = None, corrections: dict[str, Any] | None = None
) -> Earning:
    """The same with other rules for its program's lots and corrections."""
    spec = programs.spec_of(earning.program)
    spec = replace(spec, lots={**spec.lots, **(lots or {})}, corrections=corrections)
    return replace(earning, program=programs.change(db, earning.program, spec, caller=CALLER, now=NOW))


def lots_of(db: Connection, account: bytes) -> list[tuple[date, int, int]]:
    """Last day, remaining and held of the account's lots, first expiring first."""
    query = select(lot.c.expires_on, lot.c.remaining_minor, lot.c.held_minor).where(lot.c.account_id == account)
    return [(row[0], row[1], row[2]) for row in db.execute(query.order_by(lot.c.expires_on, lot.c.id))]


def available(db: Connection, earning: Earning, *, now: datetime = NOW) -> tuple[int, int]:
    """What E1 may spend, and what is held."""
    [found] = balances.of(db, earning.member.id, now=now)
    return found.available_minor, found.held_minor


def counters(db: Connection, account_id: bytes) -> dict[str, int]:
    """The account's counters and version."""
    names = ("debits_pending", "debits_posted", "credits_pending", "credits_posted", "entry_no")
    row = db.execute(select(*(account_table.c[name] for name in names)).where(account_table.c.id == account_id)).one()
    return dict(zip(names, row, strict=True))
