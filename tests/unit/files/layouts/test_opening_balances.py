"""Balances that members bring along from an older system (I4): each is posted once, as points of its own."""

from dataclasses import replace
from datetime import date

import pytest
from sqlalchemy import delete, select

from chalicelib.files.answers import showing
from chalicelib.files.register.register import load
from chalicelib.files.rows import conserving
from chalicelib.partners.programs import programs
from chalicelib.points.ledger import balances, trial_balance
from chalicelib.points.models.ledger import lot, opening_balance, transfer
from chalicelib.points.proof import checks
from chalicelib.settings import Settings, settings
from tests.factories.files import Hub, people, person
from tests.factories.partners import CALLER, NOW, make_member, make_partner
from tests.factories.shared_layouts import agree, content

LAYOUT = "opening_balances"


def row(**values: str) -> dict[str, str]:
    """The balance of E1 by the old system's first number."""
    given = {
        "partner_code": "acme",
        "program_code": "uniform",
        "employee_id": "E1",
        "balance_points": "118.50",
        "as_of": "2026-10-31",
        "legacy_ref": "LEG-1",
    }
    return given | values


#: Accepted, an own expiry, twice the same, other content, unknown people, other partners, nothing usable.
DIRTY = (
    row(),
    row(employee_id="E2", balance_points="20", lot_expiry="2027-06-30"),
    row(),
    row(balance_points="119"),
    row(legacy_ref="LEG-2", balance_points="1.5"),
    row(employee_id="E9"),
    row(partner_code="globex"),
    row(program_code="travel"),
    row(legacy_ref="LEG-3", balance_points="0"),
    row(legacy_ref="LEG-3", balance_points="-4"),
    row(legacy_ref="LEG-3", balance_points="1.005"),
    row(legacy_ref="LEG-3", as_of="2026-12-31"),
    row(legacy_ref="LEG-3", lot_expiry="2026-10-30"),
    row(legacy_ref=""),
)


@pytest.fixture
def old(hub: Hub) -> Hub:
    """Acme, which has agreed to bring balances over, beside another partner with a member of the same number."""
    with hub.database.write() as db:
        agree(db, hub.partner.id, LAYOUT)
        make_member(db, make_partner(db, "globex"), "E1")
    return hub


@pytest.fixture
def tiny_slices(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two rows a slice, on both engines."""
    small = Settings.model_validate(settings().model_dump() | {"slice_rows": 2, "slice_rows_sqlite": 2})
    monkeypatch.setattr("chalicelib.files.intake.applying.settings", lambda: small)


def lots(hub: Hub) -> list[tuple[int, date]]:
    """Every lot: amount in minor units and last day."""
    with hub.database.read() as db:
        found = db.execute(select(lot.c.amount_minor, lot.c.expires_on).order_by(lot.c.amount_minor, lot.c.expires_on))
        return [(each.amount_minor, each.expires_on) for each in found]


class TestRows:
    def test_become_points_of_their_own_with_their_own_last_day(self, old: Hub):
        file = old.process(LAYOUT, content(LAYOUT, row(), row(employee_id="E2", lot_expiry="2027-06-30")))

        assert (file.state, file.rows_accepted, file.control_accepted) == ("processed", 2, 237_000_000)
        # Without a day of its own, it is as if they had been earned on the day of the balance.
        assert lots(old) == [(11850, date(2027, 6, 30)), (11850, date(2028, 10, 31))]
        with old.database.read() as db:
            assert checks.check(db) == []
            assert set(db.execute(select(transfer.c.kind)).scalars()) == {"opening"}

    def test_are_no_points_issued_by_the_program(self, old: Hub):
        old.process(LAYOUT, content(LAYOUT, row()))

        with old.database.read() as db:
            [balance] = trial_balance.of(db, partner_id=old.partner.id)
        assert balance.difference_minor == 0
        assert {line.kind: line.debits_minor for line in balance.lines} == {"member": 0, "opening": 11850}

    def test_that_cannot_be_used_say_why(self, old: Hub):
        file = old.process(LAYOUT, content(LAYOUT, *DIRTY))

        assert (file.state, file.rows_accepted, file.rows_duplicate, file.rows_rejected) == ("processed", 3, 1, 10)
        assert {each.row_no: (each.code, each.column_name) for each in old.rows() if each.outcome == "rejected"} == {
            4: ("other_content", "legacy_ref"),
            6: ("unknown_member", "employee_id"),
            7: ("other_partner", "partner_code"),
            8: ("unknown_program", "program_code"),
            9: ("amount_out_of_range", "balance_points"),
            10: ("amount_out_of_range", "balance_points"),
            11: ("excess_digits", "balance_points"),
            12: ("date_in_future", "as_of"),
            13: ("expires_before_as_of", "lot_expiry"),
            14: ("missing_value", "legacy_ref"),
        }
        assert [amount for amount, _ in lots(old)] == [150, 2000, 11850]
        with old.database.read() as db:
            assert checks.check(db) == []

    def test_never_reach_the_member_of_another_partner(self, old: Hub):
        old.process(LAYOUT, content(LAYOUT, row(partner_code="globex"), row(program_code="uniform", employee_id="E1")))

        with old.database.read() as db:
            assert set(db.execute(select(opening_balance.c.partner_id)).scalars()) == {old.partner.id}

    def test_of_somebody_who_comes_with_a_later_roster_are_tried_again(self, old: Hub):
        old.process(LAYOUT, content(LAYOUT, row(employee_id="E9")))

        old.process("people", people(person("E9", day="2026-10-01")), name="people.csv")

        assert (old.file().rows_accepted, old.file().rows_rejected) == (1, 0)
        assert [amount for amount, _ in lots(old)] == [11850]

    def test_of_the_last_day_before_the_program_count_for_who_is_enrolled_on_its_first(self, old: Hub):
        program = old.program
        assert program is not None
        with old.database.write() as db:
            programs.change(
                db,
                program,
                replace(programs.spec_of(program), effective_from=date(2026, 11, 1)),
                caller=CALLER,
                now=NOW,
            )

        assert old.process(LAYOUT, content(LAYOUT, row())).rows_accepted == 1


class TestOnce:
    @pytest.mark.usefixtures("tiny_slices")
    def test_slices_come_to_the_same_as_one(self, old: Hub):
        file = old.process(LAYOUT, content(LAYOUT, *DIRTY))

        assert (file.state, file.slice_no, file.rows_accepted) == ("processed", 7, 3)
        assert [amount for amount, _ in lots(old)] == [150, 2000, 11850]

    def test_the_same_file_again_posts_nothing(self, old: Hub):
        old.process(LAYOUT, content(LAYOUT, row()))

        again = old.process(LAYOUT, content(LAYOUT, row()), name="again.csv")

        assert (again.state, again.reason_code) == ("duplicate", "same_file")
        assert len(lots(old)) == 1

    def test_a_file_that_was_cut_anew_posts_only_what_is_new(self, old: Hub):
        old.process(LAYOUT, content(LAYOUT, row(), row(legacy_ref="LEG-2")))

        cut = old.process(LAYOUT, content(LAYOUT, row(legacy_ref="LEG-2"), row(legacy_ref="LEG-3")), name="cut.csv")

        assert (cut.rows_duplicate, cut.rows_accepted) == (1, 1)
        assert len(lots(old)) == 3


class TestTheFile:
    def test_needs_a_trailer(self, old: Hub):
        file = old.process(LAYOUT, content(LAYOUT, row(), trailer="#TRAILER,1,118.49"))

        assert (file.state, file.reason_code, lots(old)) == ("quarantined", "control_mismatch", [])

    def test_is_refused_where_the_manifest_does_not_list_the_layout(self, old: Hub):
        with old.database.write() as db:
            agree(db, old.partner.id)

        file = old.process(LAYOUT, content(LAYOUT, row()))

        assert (file.state, file.reason_code, lots(old)) == ("quarantined", "layout_not_agreed", [])

    def test_has_a_receipt_and_its_accepted_rows_are_listed(self, old: Hub):
        file = old.process(LAYOUT, content(LAYOUT, *DIRTY))

        assert old.receipt(layout=LAYOUT)["opening_balances"] == 3
        with old.database.read() as db:
            listed = showing.rows(db, file, outcome="accepted", after=0, limit=10)
        assert [each.row_no for each in listed] == [1, 2, 5]

    def test_is_broken_when_a_balance_is_missing(self, old: Hub):
        file = old.process(LAYOUT, content(LAYOUT, row()))

        with old.database.write() as db:
            assert conserving.breaks(db, load(db, file.id)) == []
            db.execute(delete(opening_balance))
            assert conserving.breaks(db, load(db, file.id)) == ["accepted rows and kept rows: 1 is not 0"]
            assert {each.code for each in checks.check(db)} == {"transfer_without_cause"}


class TestAMember:
    def test_may_spend_what_was_brought_over(self, old: Hub):
        old.process(LAYOUT, content(LAYOUT, row()))

        with old.database.read() as db:
            member_id = db.execute(select(opening_balance.c.member_id)).scalar_one()
            [balance] = balances.of(db, member_id, now=old.clock())
        assert balance.available_minor == 11850
