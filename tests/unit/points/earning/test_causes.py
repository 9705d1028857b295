"""Every entry that is no accrual says who caused it, by which reference, and what it was about."""

from dataclasses import replace
from decimal import Decimal

import pytest
from sqlalchemy import select

from chalicelib.partners.programs import programs
from chalicelib.points.carts import tender_steps, tenders
from chalicelib.points.carts.tenders import NewTender
from chalicelib.points.earning import causes, lineage
from chalicelib.points.ledger import history
from chalicelib.points.ledger.transfers import HOUSE_OF
from chalicelib.points.models.ledger import transfer
from tests.factories.points import (
    CALLER,
    NOW,
    adjust,
    capture,
    earn,
    expire,
    hold,
    redeem,
    refund,
    reverse,
    with_rules,
)
from tests.factories.terms import TENDER, line, today

HOW = {"caller": CALLER, "now": NOW}


def traced(db, kind):
    """The lineage of the latest entry of a kind."""
    query = select(transfer.c.id).where(transfer.c.kind == kind).order_by(transfer.c.seq.desc()).limit(1)
    return lineage.of(db, db.execute(query).scalar_one())


class TestCauses:
    def test_a_capture_leads_to_its_hold_and_order(self, database, earning):
        with database.write() as db:
            earn(db, earning)
            placed = hold(db, earning, 500, order_no="o-7")
            capture(db, earning, placed, reference="shipment")
            cause = traced(db, "redemption").cause

        assert (cause.reference, cause.order_no, cause.hold_id, cause.tender_id) == ("shipment", "o-7", placed.id, None)
        assert (cause.actor, cause.correlation_id, cause.at) == (CALLER.actor, CALLER.correlation_id, NOW)

    def test_a_refund_leads_to_what_was_bought(self, database, earning):
        with database.write() as db:
            recorded = earn(db, earning)
            sold = redeem(db, earning, 500, order_no="o-7")
            refund(db, earning, sold, reference="rma", reason="too small")
            found = traced(db, "refund")

        assert (found.cause.reference, found.cause.reason) == ("rma", "too small")
        assert (found.cause.redemption_id, found.cause.order_no) == (sold.id, "o-7")
        [origin] = found.origins.values()
        assert (origin.kind, origin.source_id) == ("accrual", recorded.id)

    def test_what_a_tender_moved_leads_to_the_tender(self, database, earning):
        with database.write() as db:
            spec = replace(programs.spec_of(earning.program), terms={"tender": TENDER})
            made = replace(earning, program=programs.change(db, earning.program, spec, **HOW))
            earn(db, made)
            cart = [line("1", price=Decimal("0.01"), currency="USD")]
            placed, _ = tenders.place(db, made.program, today(db, made), NewTender(cart, "cart", "o-7"), **HOW)
            tender_steps.capture(db, made.program, placed.id, {}, reference="s", **HOW)
            tender_steps.refund(db, made.program, placed.id, {}, reference="r", **HOW)
            found = [traced(db, kind).cause for kind in ("redemption", "refund")]

        assert [(each.tender_id, each.order_no) for each in found] == [(placed.id, "o-7")] * 2

    def test_an_adjustment_leads_to_who_asked_and_its_reason(self, database, earning):
        with database.write() as db:
            earn(db, earning)
            made = with_rules(db, earning, corrections={"second_person_above": None})
            adjust(db, made, 100, reference="a-1", reason_code="goodwill")
            cause = traced(db, "adjustment").cause

        assert (cause.reference, cause.reason, cause.actor) == ("a-1", "goodwill", CALLER.actor)
        assert cause.decided_by is None

    def test_a_reversal_leads_to_the_accrual(self, database, earning):
        with database.write() as db:
            recorded = earn(db, earning)
            reverse(db, earning, recorded)
            cause = traced(db, "reversal").cause

        assert (cause.accrual_event_id, cause.reason) == (recorded.id, "a test")

    def test_what_was_given_up_and_taken_after_all_leads_to_what_came_back(self, database, earning):
        with database.write() as db:
            lenient = with_rules(db, earning, corrections={"reversal": "partial"})
            recorded = earn(db, lenient)
            sold = redeem(db, lenient, 1500)
            reverse(db, lenient, recorded)
            refund(db, lenient, sold)
            cause = traced(db, "reversal").cause

        assert (cause.accrual_event_id, cause.redemption_id, cause.reason) == (recorded.id, sold.id, "a test")

    def test_an_expiry_has_none_but_its_lots(self, database, earning):
        with database.write() as db:
            recorded = earn(db, earning)
            later = NOW.replace(year=2029)
            expire(db, earning, later.date(), now=later)
            found = traced(db, "expiry")

        assert found.cause is None
        assert [(each.kind, each.source_id) for each in found.origins.values()] == [("accrual", recorded.id)]


@pytest.mark.parametrize("kind", sorted(set(HOUSE_OF) - {"accrual", "expiry"}))
def test_every_kind_of_entry_can_be_asked_for_its_cause(database, earning, kind):
    with database.write() as db:
        recorded = earn(db, earning)
        [entry] = history.entries_of_source(db, recorded.id)

        # There is no such row: what counts is that the kind is known and its table has what is asked of it.
        assert causes.of(db, replace(entry, kind=kind)) is None
        assert kind in causes.KINDS
