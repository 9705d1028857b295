"""The proof finds each break that is planted, names it, and is silent about a sound ledger."""

import pytest
from sqlalchemy import delete, insert, update

from chalicelib.points import proof, trial_balance
from chalicelib.points.models import account, accrual_event, hold, lot, lot_use, transfer
from chalicelib.storage.ids import new_id
from tests.factories.points import NOW, earn, make_earning, spend


@pytest.fixture
def sound(database, earning):
    """Two members' ledgers with earnings and a spend over two lots."""
    with database.write() as db:
        earn(db, earning, 100)
        earn(db, earning, 100)
        spend(db, earning.account_id, 20000)
        other = make_earning(db)
        earn(db, other, 7)
    return earning


def add_hold(sound):
    values = {"amount_minor": 500, "captured_minor": 0, "released_minor": 0, "created_at": NOW, "changed_at": NOW}
    return insert(hold).values(
        id=new_id(), partner_id=sound.partner.id, account_id=sound.account_id, expires_at=None, **values
    )


PLANTED = {
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
    "pending_differs_from_holds": add_hold,
    "overspent": lambda s: update(account).where(account.c.id == s.account_id).values(debits_pending=10001),
    "entry_numbers_have_gaps": lambda s: (
        update(transfer).where(transfer.c.account_id == s.account_id, transfer.c.entry_no == 3).values(entry_no=4)
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
            assert proof.check(db) == []

    @pytest.mark.parametrize("code", PLANTED)
    def test_finds_the_break_planted(self, database, sound, code):
        with database.write() as db:
            assert db.execute(PLANTED[code](sound)).rowcount

            assert code in {found.code for found in proof.check(db)}

    def test_has_a_planted_break_for_each_check(self):
        assert PLANTED.keys() == proof._CHECKS.keys()

    def test_names_the_account_and_both_figures(self, database, sound):
        with database.write() as db:
            db.execute(PLANTED["credits_differ_from_transfers"](sound))

            [found] = [each for each in proof.check(db) if each.code == "credits_differ_from_transfers"]
            assert found == proof.Break("credits_differ_from_transfers", sound.account_id, 30000, 30001)

    @pytest.mark.parametrize("code", PLANTED)
    def test_looks_at_one_program_only_when_asked(self, database, sound, code):
        with database.write() as db:
            other = make_earning(db)
            db.execute(PLANTED[code](sound))

            assert proof.check(db, other.program.id) == []
            assert code in {found.code for found in proof.check(db, sound.program.id)}


class TestTrialBalance:
    def test_is_zero_and_shows_both_sides(self, database, sound):
        with database.read() as db:
            [trial] = trial_balance.of(db, program_id=sound.program.id)

        assert trial.difference_minor == 0
        assert {(line.kind, line.accounts, line.debits_minor, line.credits_minor) for line in trial.lines} == {
            ("member", 1, 20000, 30000),
            ("issuance", 1, 30000, 0),
            ("redemption", 1, 0, 20000),
        }

    def test_is_not_zero_when_a_counter_is_wrong(self, database, sound):
        with database.write() as db:
            db.execute(PLANTED["credits_differ_from_transfers"](sound))
            [trial] = trial_balance.of(db, program_id=sound.program.id)

        assert trial.difference_minor == 1

    def test_shows_only_the_partners_programs_when_asked(self, database, sound):
        with database.read() as db:
            every = trial_balance.of(db)
            mine = trial_balance.of(db, partner_id=sound.partner.id)

        assert len(every) == 2
        assert [trial.program_id for trial in mine] == [sound.program.id]

    def test_of_no_program_is_empty(self, database):
        with database.read() as db:
            assert trial_balance.of(db) == []
