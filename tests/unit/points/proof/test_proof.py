"""The proof finds each break that is planted, names it, and is silent about a sound ledger."""

from datetime import date

import pytest
from sqlalchemy import Date, DateTime, LargeBinary, String, delete, insert, select, update

from chalicelib.points.ledger import trial_balance
from chalicelib.points.models.books import overdraft_repayment, plan_year_member, settlement_range
from chalicelib.points.models.ledger import (
    account,
    accrual_event,
    adjustment,
    annulment,
    hold_lot,
    loss_recovery,
    lot,
    lot_use,
    opening_balance,
    redemption,
    redemption_line,
    refund_line,
    reversal,
    transfer,
)
from chalicelib.points.models.ledger import hold as hold_table
from chalicelib.points.models.ledger import refund as refund_table
from chalicelib.points.models.terms import close_out, increase_request, tender_line
from chalicelib.points.models.terms import tender as tender_table
from chalicelib.points.proof import checks
from chalicelib.points.spending.refunds import Wanted
from chalicelib.storage.ids import new_id
from tests.factories.finance import with_terms
from tests.factories.points import (
    NOW,
    adjust,
    capture,
    earn,
    hold,
    make_earning,
    redeem,
    refund,
    reverse,
    spend,
    with_rules,
)
from tests.factories.terms import TENDER, tender


@pytest.fixture
def sound(database, earning):
    """Two members' ledgers, one with earnings, a redemption over two lots, and one of every other kind of entry."""
    with database.write() as db:
        made = with_rules(db, earning, corrections={"reversal": "overdraft", "second_person_above": None})
        earn(db, made, 100)
        earn(db, made, 100)
        spend(db, made.account_id, 20000)
        refund(db, made, redeem(db, made, 300), Wanted("1", 100))
        capture(db, made, hold(db, made, 500), 200)
        adjust(db, made, 50)
        tender(db, with_terms(db, made, tender=TENDER))
        wrong = earn(db, made, 100, event_date=date(2026, 10, 2))
        redeem(db, made, 20000)
        reverse(db, made, wrong)
        earn(db, made, 1)
        other = make_earning(db)
        earn(db, other, 7)
    return made


@pytest.fixture
def plain(database, earning):
    """Two earnings and a redemption over both of their lots."""
    with database.write() as db:
        earn(db, earning, 100)
        earn(db, earning, 100)
        spend(db, earning.account_id, 20000)
    return earning


def repayment():
    """The lots used under an id that is no transfer's."""
    return ~select(transfer.c.id).where(transfer.c.id == lot_use.c.transfer_id).exists() & (lot_use.c.amount_minor > 0)


def without_transfer(table, s, **values):
    """A cause whose entry was never posted."""
    row = {
        column.name: b"x" * 16
        if isinstance(column.type, LargeBinary)
        else "x"
        if isinstance(column.type, String)
        else 1
        for column in table.columns
        if not column.nullable and column.name != "seq" and not isinstance(column.type, DateTime | Date)
    }
    days = {column.name: NOW.date() for column in table.columns if isinstance(column.type, Date)}
    moments = {column.name: NOW for column in table.columns if column.name.endswith("_at")}
    given = {"id": new_id(), "partner_id": s.partner.id, "program_id": s.program.id, "account_id": s.account_id}
    given |= {"transfer_id": new_id()} if "transfer_id" in table.c else {}
    return insert(table).values({**row, **days, **moments, **given, **values})


PLANTED = {
    "settled_otherwise_than_once": lambda s: insert(settlement_range).values(
        slice_id=new_id(),
        account_id=s.account_id,
        run_id=new_id(),
        partner_id=s.partner.id,
        program_id=s.program.id,
        first_entry_no=2,
        last_entry_no=2,
    ),
    "tender_differs_from_lines": lambda _: update(tender_table).values(cash_minor=tender_table.c.cash_minor + 1),
    "tender_differs_from_steps": lambda _: update(tender_line).values(refunded=tender_line.c.refunded - 1),
    "tender_differs_from_redemptions": lambda _: delete(redemption).where(
        redemption.c.hold_id.in_(select(tender_table.c.hold_id))
    ),
    "event_freed_untaken": lambda s: (
        update(accrual_event).where(accrual_event.c.account_id == s.account_id).values(generation=accrual_event.c.seq)
    ),
    "event_kept_though_taken_back": lambda _: update(reversal).values(cause="rollback"),
    "correction_differs_from_undone": lambda _: update(reversal).values(generation=reversal.c.seq),
    "forfeiture_differs_from_transfer": lambda s: without_transfer(close_out, s, kind="forfeiture"),
    "pay_out_differs_from_transfer": lambda s: without_transfer(close_out, s, kind="pay_out"),
    "claw_back_differs_from_transfer": lambda s: without_transfer(close_out, s, kind="claw_back"),
    "increase_differs_from_transfer": lambda s: without_transfer(increase_request, s, state="approved"),
    "opening_annulled_differs_from_transfer": lambda s: without_transfer(annulment, s, kind="opening_annulled"),
    "adjustment_annulled_differs_from_transfer": lambda s: without_transfer(annulment, s, kind="adjustment_annulled"),
    "annulment_differs_from_cause": lambda s: without_transfer(annulment, s, amount_minor=4),
    "opening_freed_without_annulment": lambda s: without_transfer(opening_balance, s, generation=10**6),
    "adjustment_freed_without_annulment": lambda _: update(adjustment).values(generation=adjustment.c.seq),
    "opening_differs_from_transfer": lambda s: insert(opening_balance).values(
        id=new_id(),
        partner_id=s.partner.id,
        program_id=s.program.id,
        member_id=s.member.id,
        account_id=s.account_id,
        legacy_ref="x",
        amount_minor=1,
        as_of=NOW.date(),
        actor="x",
        correlation_id="x",
        recorded_at=NOW,
    ),
    "credits_differ_from_transfers": lambda s: (
        update(account).where(account.c.id == s.account_id).values(credits_posted=account.c.credits_posted + 1)
    ),
    "debits_differ_from_transfers": lambda s: (
        update(account).where(account.c.id == s.account_id).values(debits_posted=account.c.debits_posted - 1)
    ),
    "balance_differs_from_lots": lambda s: (
        update(lot)
        .where(lot.c.account_id == s.account_id, lot.c.remaining_minor > 0)
        .values(remaining_minor=lot.c.remaining_minor + 1)
    ),
    "pending_differs_from_holds": lambda _: update(hold_table).values(amount_minor=hold_table.c.amount_minor + 1),
    "lot_differs_from_holds": lambda _: update(hold_lot).values(released_minor=hold_lot.c.released_minor + 1),
    "hold_differs_from_lots": lambda _: update(hold_table).values(captured_minor=hold_table.c.captured_minor + 1),
    "hold_differs_from_captures": lambda _: delete(redemption).where(redemption.c.hold_id.is_not(None)),
    "redemption_differs_from_transfer": lambda _: update(redemption).values(amount_minor=redemption.c.amount_minor + 1),
    "redemption_differs_from_lines": lambda _: delete(redemption_line),
    "line_differs_from_refunds": lambda _: (
        update(redemption_line)
        .where(redemption_line.c.refunded_minor > 0)
        .values(refunded_minor=redemption_line.c.refunded_minor + 1)
    ),
    "refund_differs_from_transfer": lambda _: update(refund_table).values(amount_minor=refund_table.c.amount_minor + 1),
    "refund_differs_from_lines": lambda _: delete(refund_line),
    "adjustment_differs_from_transfer": lambda _: update(adjustment).values(state="rejected"),
    "reversal_differs_from_transfer": lambda _: update(reversal).values(
        recovered_minor=reversal.c.recovered_minor + 1, lost_minor=reversal.c.lost_minor - 1
    ),
    "reversal_differs_from_event": lambda _: update(reversal).values(lost_minor=1),
    "event_differs_from_reversals": lambda s: (
        update(accrual_event).where(accrual_event.c.account_id == s.account_id).values(reversed_minor=1)
    ),
    **{
        f"{kind}_regained_differs_from_transfer": lambda s, kind=kind: without_transfer(loss_recovery, s, kind=kind)
        for kind in ("reversal", "opening_annulled", "adjustment_annulled")
    },
    "regained_more_than_lost": lambda s: without_transfer(loss_recovery, s, kind="reversal"),
    "event_taken_back_twice": lambda s: without_transfer(
        close_out,
        s,
        kind="claw_back",
        accrual_event_id=select(reversal.c.accrual_event_id)
        .where(reversal.c.account_id == s.account_id)
        .scalar_subquery(),
    ),
    "transfer_without_cause": lambda _: update(transfer).where(transfer.c.kind == "refund").values(kind="gift"),
    "overdraft_differs_from_lots": lambda s: (
        update(account).where(account.c.id == s.account_id).values(overdrawn_minor=account.c.overdrawn_minor + 1)
    ),
    "unearned_differs_from_transfers": lambda s: (
        update(account).where(account.c.id == s.account_id).values(unearned_minor=account.c.unearned_minor + 1)
    ),
    "repayment_is_uneven": lambda _: delete(lot_use).where(repayment()),
    "repayment_differs_from_uses": lambda _: update(overdraft_repayment).values(amount_minor=1),
    "plan_year_differs_from_transfers": lambda s: insert(plan_year_member).values(
        id=new_id(),
        partner_id=s.partner.id,
        close_id=new_id(),
        member_id=s.member.id,
        account_id=s.account_id,
        first_day=NOW.date(),
        last_day=NOW.date(),
        before_minor=3,
        carried_minor=2,
        held_minor=0,
        forfeited_minor=1,
        moved_minor=0,
        granted_minor=0,
        closed_at=NOW,
    ),
    "pending_without_cause": lambda s: update(account).where(account.c.id == s.account_id).values(credits_pending=1),
    "house_account_has_counters": lambda s: (
        update(account).where(account.c.program_id == s.program.id, account.c.kind == "issuance").values(entry_no=1)
    ),
    "version_behind_entries": lambda s: (
        update(account).where(account.c.id == s.account_id).values(hold_changes=account.c.hold_changes - 1)
    ),
    "adjustment_half_decided": lambda _: update(adjustment).values(decided_at=None),
    "event_of_no_generation": lambda s: (
        update(accrual_event).where(accrual_event.c.account_id == s.account_id).values(generation=10**6)
    ),
    "reversal_of_no_generation": lambda _: update(reversal).values(generation=10**6),
    "overspent": lambda s: update(account).where(account.c.id == s.account_id).values(debits_pending=10**6),
    "entry_numbers_have_gaps": lambda s: (
        update(transfer).where(transfer.c.account_id == s.account_id, transfer.c.entry_no == 3).values(entry_no=99)
    ),
    "event_differs_from_transfer": lambda s: (
        update(accrual_event).where(accrual_event.c.account_id == s.account_id).values(points_minor=1)
    ),
    "transfer_without_event": lambda s: (
        update(transfer)
        .where(transfer.c.account_id == s.account_id, transfer.c.entry_no == 1)
        .values(source_id=new_id())
    ),
    "lot_differs_from_its_uses": lambda s: (
        update(lot).where(lot.c.account_id == s.account_id).values(remaining_minor=lot.c.remaining_minor - 1)
    ),
    "earning_differs_from_lot": lambda s: (
        update(lot).where(lot.c.account_id == s.account_id).values(amount_minor=lot.c.amount_minor + 1)
    ),
    "lot_without_earning": lambda s: insert(lot).values(
        id=new_id(),
        partner_id=s.partner.id,
        account_id=s.account_id,
        expires_on=NOW.date(),
        amount_minor=1,
        remaining_minor=1,
    ),
    "spend_differs_from_lots": lambda s: delete(lot_use).where(
        lot_use.c.partner_id == s.partner.id, lot_use.c.amount_minor == 5000
    ),
    "transfer_between_wrong_accounts": lambda s: (
        update(transfer)
        .where(transfer.c.account_id == s.account_id, transfer.c.entry_no == 3)
        .values(credit_account_id=new_id())
    ),
}


class TestCheck:
    @pytest.mark.usefixtures("sound")
    def test_finds_nothing_in_a_sound_ledger(self, database):
        with database.read() as db:
            assert checks.check(db) == []

    @pytest.mark.parametrize("code", PLANTED)
    def test_finds_the_break_planted(self, database, sound, code):
        with database.write() as db:
            assert db.execute(PLANTED[code](sound)).rowcount

            assert code in {found.code for found in checks.check(db)}

    def test_has_a_planted_break_for_each_check(self):
        assert PLANTED.keys() == checks.codes()

    def test_names_the_account_and_both_figures(self, database, plain):
        with database.write() as db:
            db.execute(PLANTED["credits_differ_from_transfers"](plain))

            [found] = [each for each in checks.check(db) if each.code == "credits_differ_from_transfers"]
            assert found == checks.Break("credits_differ_from_transfers", plain.account_id, 30000, 30001)

    @pytest.mark.parametrize("code", PLANTED)
    def test_looks_at_one_program_only_when_asked(self, database, sound, code):
        with database.write() as db:
            other = make_earning(db)
            db.execute(PLANTED[code](sound))

            assert checks.check(db, other.program.id) == []
            assert code in {found.code for found in checks.check(db, sound.program.id)}


class TestTrialBalance:
    def test_is_zero_and_shows_both_sides(self, database, plain):
        with database.read() as db:
            [trial] = trial_balance.of(db, program_id=plain.program.id)

        assert trial.difference_minor == 0
        assert {(line.kind, line.accounts, line.debits_minor, line.credits_minor) for line in trial.lines} == {
            ("member", 1, 20000, 30000),
            ("issuance", 1, 30000, 0),
            ("redemption", 1, 0, 20000),
        }

    def test_is_not_zero_when_a_counter_is_wrong(self, database, plain):
        with database.write() as db:
            db.execute(PLANTED["credits_differ_from_transfers"](plain))
            [trial] = trial_balance.of(db, program_id=plain.program.id)

        assert trial.difference_minor == 1

    def test_shows_only_the_partners_programs_when_asked(self, database, plain):
        with database.write() as db:
            make_earning(db)
            every = trial_balance.of(db)
            mine = trial_balance.of(db, partner_id=plain.partner.id)

        assert len(every) == 2
        assert [trial.program_id for trial in mine] == [plain.program.id]

    def test_of_no_program_is_empty(self, database):
        with database.read() as db:
            assert trial_balance.of(db) == []
