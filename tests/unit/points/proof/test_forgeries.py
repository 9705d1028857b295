"""Changes that hide one another: which of them the sums find at once, which the chain finds, and which nothing can.

The chain knows what was chained: what is newer than its last block is proven by the sums alone. docs/finance.md tells
users the same, under the same names.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from sqlalchemy import Table, delete, func, select, update
from sqlalchemy.engine import Connection

from chalicelib.partners.provenance import RowSource
from chalicelib.points.carts import tender_steps, tenders
from chalicelib.points.carts.tenders import NewTender
from chalicelib.points.earning import lineage
from chalicelib.points.models.ledger import (
    account,
    accrual_event,
    adjustment,
    hold_lot,
    lot,
    lot_use,
    redemption,
    redemption_line,
    transfer,
)
from chalicelib.points.models.terms import tender_line, tender_step
from chalicelib.points.proof import checkpoints, verifying
from chalicelib.storage.ids import new_id
from tests.factories.partners import make_member
from tests.factories.points import (
    CALLER,
    NOW,
    Earning,
    adjust,
    earn,
    event,
    hold,
    make_earning,
    of_member,
    record,
    redeem,
    spend,
    with_rules,
)
from tests.factories.terms import TENDER, line, today

DOCS = Path(__file__).parents[4] / "docs" / "finance.md"
_EVENT, _TRANSFER, _LOT, _USE, _ACCOUNT = accrual_event.c, transfer.c, lot.c, lot_use.c, account.c


@dataclass(frozen=True)
class World:
    """E1 with two lots, of which a spend took the first and a part of the second; E2 with one; a cart paid by card."""

    first: Earning
    second: Earning
    accruals: list[bytes]
    spent: bytes
    newest: bytes
    adjusted: bytes
    cart: bytes
    for_nothing: bytes


@pytest.fixture
def world(database, aws):
    with database.write() as db:
        made = make_earning(db, terms={"tender": TENDER})
        made = with_rules(db, made, corrections={"second_person_above": None})
        earned = [earn(db, made, 100, event_date=date(2026, 10, day)) for day in (2, 3)]
        spent = spend(db, made.account_id, 20000)
        adjusted = adjust(db, made, 5000, comment="a test")
        hold(db, made, 500, order_no="order-1")
        lines = [line("shirt", 2, price=Decimal(500), currency="USD")]
        how: dict[str, Any] = {"caller": CALLER, "now": NOW}
        cart, _ = tenders.place(
            db, made.program, today(db, made), NewTender(lines, "cart", order_no="order-2", points_max_minor=0), **how
        )
        tender_steps.capture(db, made.program, cart.id, {}, reference="shipped", **how)
        tender_steps.refund(db, made.program, cart.id, {"shirt": 1}, reference="back", **how)
        make_member(db, made.partner, "E2")
        other = of_member(db, made, "E2")
        earn(db, made, 100, employee_id="E2")
        nothing = event(quantity=Decimal(0), employee_id="E2")
        [idle] = record(db, made.partner, [nothing], sources=[RowSource(new_id(), 1, 0, 10)])
        assert idle.outcome == "no_points"
        newest = redeem(db, other, 700)
    return World(made, other, [each.id for each in earned], spent.transfer_id, newest.id, adjusted.id, cart.id, idle.id)


def of_source(db: Connection, source_id: bytes) -> bytes:
    """The entry, and the lot, of an event or redemption."""
    found: bytes = db.execute(select(_TRANSFER.id).where(_TRANSFER.source_id == source_id)).scalar_one()
    return found


def add(db: Connection, of: Table, key: bytes, **changes: int) -> None:
    """Change numbers of one row by so much."""
    values = {name: of.c[name] + change for name, change in changes.items()}
    assert db.execute(update(of).where(of.c.id == key).values(values)).rowcount == 1


def put(db: Connection, of: Table, key: bytes, **values: Any) -> None:
    """Let one row say something else."""
    assert db.execute(update(of).where(of.c.id == key).values(values)).rowcount == 1


def more_in_entry_and_lot(db: Connection, w: World) -> None:
    entry = of_source(db, w.accruals[1])
    add(db, transfer, entry, amount_minor=100)
    add(db, lot, entry, amount_minor=100, remaining_minor=100)
    add(db, account, w.first.account_id, credits_posted=100)


def more_everywhere(db: Connection, w: World) -> None:
    more_in_entry_and_lot(db, w)
    add(db, accrual_event, w.accruals[1], points_minor=100)


def use_of_another_lot(db: Connection, w: World) -> None:
    for source, change in zip(w.accruals, (-1000, 1000), strict=True):
        own = of_source(db, source)
        use = (_USE.transfer_id == w.spent) & (_USE.lot_id == own)
        assert db.execute(update(lot_use).where(use).values(amount_minor=_USE.amount_minor + change)).rowcount == 1
        add(db, lot, own, remaining_minor=-change)


def longer_lot(db: Connection, w: World) -> None:
    put(db, lot, of_source(db, w.accruals[1]), expires_on=date(2099, 1, 1))


def entry_of_another(db: Connection, w: World) -> None:
    number = db.execute(select(_ACCOUNT.entry_no).where(_ACCOUNT.id == w.first.account_id)).scalar_one()
    put(
        db,
        transfer,
        of_source(db, w.newest),
        account_id=w.first.account_id,
        debit_account_id=w.first.account_id,
        entry_no=number + 1,
    )
    put(db, redemption, w.newest, account_id=w.first.account_id)
    add(db, account, w.first.account_id, debits_posted=700, entry_no=1)
    add(db, account, w.second.account_id, debits_posted=-700, entry_no=-1)


def newest_taken_out(db: Connection, w: World) -> None:
    entry = of_source(db, w.newest)
    for use in db.execute(select(_USE.lot_id, _USE.amount_minor).where(_USE.transfer_id == entry)).all():
        add(db, lot, use.lot_id, remaining_minor=use.amount_minor)
    db.execute(delete(lot_use).where(_USE.transfer_id == entry))
    db.execute(delete(redemption_line).where(redemption_line.c.redemption_id == w.newest))
    db.execute(delete(redemption).where(redemption.c.id == w.newest))
    db.execute(delete(transfer).where(_TRANSFER.id == entry))
    add(db, account, w.second.account_id, debits_posted=-700, entry_no=-1)


def put_in(db: Connection, w: World) -> bytes:
    """Everything that the hub itself would write."""
    return adjust(db, w.second, 5000, reference="forged", now=datetime.now(UTC)).id


def put_in_at(db: Connection, w: World, shift: timedelta) -> None:
    forged = put_in(db, w)
    entry = of_source(db, forged)
    dated = {key: _shifted(key, shift) for key in (forged, entry)}
    put(db, transfer, entry, id=dated[entry], source_id=dated[forged])
    put(db, lot, entry, id=dated[entry])
    put(db, adjustment, forged, id=dated[forged], transfer_id=dated[entry])


def _shifted(key: bytes, shift: timedelta) -> bytes:
    return (int.from_bytes(key) + (shift // timedelta(milliseconds=1) << 80)).to_bytes(16)


def refund_by_card_taken_out(db: Connection, w: World) -> None:
    db.execute(delete(tender_step).where(tender_step.c.tender_id == w.cart, tender_step.c.kind == "refund"))
    own = update(tender_line).where(tender_line.c.tender_id == w.cart)
    assert db.execute(own.values(refunded=0, refunded_cash_minor=0)).rowcount == 1


def refund_by_card_not_counted(db: Connection, w: World) -> None:
    own = update(tender_line).where(tender_line.c.tender_id == w.cart)
    assert db.execute(own.values(refunded=0, refunded_cash_minor=0)).rowcount == 1


def id_given_free(db: Connection, w: World) -> None:
    assert db.execute(update(accrual_event).where(_EVENT.id == w.accruals[0]).values(generation=_EVENT.seq)).rowcount


def id_given_free_as_if_taken_back(db: Connection, w: World) -> None:
    own = update(accrual_event).where(_EVENT.id == w.accruals[0])
    assert db.execute(own.values(generation=_EVENT.seq, reversed_minor=_EVENT.points_minor)).rowcount


def id_of_nothing_given_free(db: Connection, w: World) -> None:
    assert db.execute(update(accrual_event).where(_EVENT.id == w.for_nothing).values(generation=_EVENT.seq)).rowcount


def hold_of_another_lot(db: Connection, w: World) -> None:
    covered = db.execute(select(hold_lot)).one()
    [free] = db.execute(
        select(_LOT.id).where(
            _LOT.account_id == w.first.account_id, _LOT.id != covered.lot_id, _LOT.remaining_minor >= 500
        )
    ).scalars()
    db.execute(update(hold_lot).values(lot_id=free))
    add(db, lot, covered.lot_id, held_minor=-500)
    add(db, lot, free, held_minor=500)


def another_decider(db: Connection, w: World) -> None:
    put(db, adjustment, w.adjusted, decided_by="usr_somebody")


def waits_again(db: Connection, w: World) -> None:
    put(db, adjustment, w.adjusted, state="pending", decided_by=None, decided_at=None, decision_comment=None)


def balances_exchanged(db: Connection, w: World) -> None:
    names = ("credits_posted", "debits_posted")
    of = {
        key: dict(db.execute(select(*(_ACCOUNT[name] for name in names)).where(_ACCOUNT.id == key)).mappings().one())
        for key in (w.first.account_id, w.second.account_id)
    }
    put(db, account, w.first.account_id, **of[w.second.account_id])
    put(db, account, w.second.account_id, **of[w.first.account_id])


def both_sides(db: Connection, w: World) -> None:
    add(db, account, w.first.account_id, credits_posted=100, debits_posted=100)


def words_of_an_event(db: Connection, w: World) -> None:
    changed = func.replace(_EVENT.facts, '"employee_id":"E1"', '"employee_id":"E2"')
    put(db, accrual_event, w.accruals[0], facts=changed)


class Forgery(NamedTuple):
    """What is done, and whether it is found before the rows are chained, and after."""

    forge: Callable[[Connection, World], object]
    before: bool
    after: bool


FORGERIES = {
    "amount of an accrual in entry, lot and balance": Forgery(more_in_entry_and_lot, before=True, after=True),
    "the same in its event too": Forgery(more_everywhere, before=False, after=True),
    "what a spend took, from one lot to another": Forgery(use_of_another_lot, before=False, after=True),
    "last day of a lot": Forgery(longer_lot, before=False, after=True),
    "an entry of one member to another": Forgery(entry_of_another, before=True, after=True),
    "newest entry taken out with all that it left": Forgery(newest_taken_out, before=False, after=True),
    "a whole entry put in, as the hub would": Forgery(put_in, before=False, after=False),
    "the same, dated back": Forgery(lambda db, w: put_in_at(db, w, -timedelta(days=3)), before=False, after=True),
    "the same, of a time to come": Forgery(lambda db, w: put_in_at(db, w, timedelta(days=3)), before=True, after=True),
    "a refund by card not counted": Forgery(refund_by_card_not_counted, before=True, after=True),
    "a refund by card taken out with its step": Forgery(refund_by_card_taken_out, before=False, after=True),
    "id of an event given free": Forgery(id_given_free, before=True, after=True),
    "the same, as if it was taken back": Forgery(id_given_free_as_if_taken_back, before=True, after=True),
    "id of an event of a file that earned nothing given free": Forgery(
        id_of_nothing_given_free, before=False, after=False
    ),
    "a hold from one lot to another": Forgery(hold_of_another_lot, before=False, after=True),
    "who decided an adjustment": Forgery(another_decider, before=False, after=True),
    "a posted adjustment that waits again": Forgery(waits_again, before=True, after=True),
    "balances of two members exchanged": Forgery(balances_exchanged, before=True, after=True),
    "the same on both sides of a balance": Forgery(both_sides, before=True, after=True),
    "number and words of the sender in an event": Forgery(words_of_an_event, before=False, after=False),
}


def found(db: Connection) -> bool:
    chained, summed = verifying.verify_chain(db), verifying.verify_sums(db)
    return bool(chained.faults or summed.faults or summed.breaks)


class TestForgeries:
    @pytest.mark.parametrize("name", FORGERIES)
    def test_are_found_where_users_are_told_that_they_are(self, database, world, name):
        forgery = FORGERIES[name]
        for expected in (forgery.before, forgery.after):
            with database.engine.connect() as db:
                db.info["purpose"] = "write"
                planted = db.begin()
                assert not found(db)
                forgery.forge(db, world)
                assert found(db) == expected
                planted.rollback()
            # All that was made so far, and nothing that is made from now on.
            time.sleep(0.003)
            checkpoints.run(database, now=datetime.now(UTC) + checkpoints.LAG)

    def test_of_an_accrual_everywhere_is_found_by_recomputing_it(self, database, world):
        with database.write() as db:
            more_everywhere(db, world)
            told = lineage.of(db, of_source(db, world.accruals[1]), recompute=True).decided
        assert told is not None
        assert not told.agrees

    def test_are_told_to_users_under_the_same_names(self):
        yes = {True: "yes", False: "no"}
        rows = [f"| {name} | {yes[of.before]} | {yes[of.after]} |" for name, of in FORGERIES.items()]
        assert [row for row in rows if row not in DOCS.read_text()] == []
