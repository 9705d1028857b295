"""Adjustments that come as a file (I5): once, for a reason, and above a threshold not by one person alone."""

from dataclasses import replace
from datetime import date
from typing import Any

import pytest
from sqlalchemy import select

from chalicelib.access.caller import Caller
from chalicelib.partners.programs import programs
from chalicelib.points.corrections import adjustments
from chalicelib.points.models.ledger import adjustment, lot
from chalicelib.points.proof import checks
from chalicelib.storage.ids import public_id
from tests.factories.access import make_user
from tests.factories.files import Hub, hours
from tests.factories.partners import CALLER, NOW
from tests.factories.shared_layouts import agree, content

LAYOUT = "adjustments"


def row(number: str = "ADJ-1", points: str = "10", **values: str) -> dict[str, str]:
    """Points that somebody of the finance department gives E1."""
    given = {
        "adjustment_id": number,
        "partner_code": "acme",
        "program_code": "uniform",
        "employee_id": "E1",
        "points": points,
        "reason_code": "goodwill",
        "effective_date": "2026-11-10",
        "requested_by": "fin-42",
    }
    return given | values


def corrections(hub: Hub, **values: Any) -> None:
    """Let acme's program correct points in this way."""
    program = hub.program
    assert program is not None
    with hub.database.write() as db:
        programs.change(db, program, replace(programs.spec_of(program), corrections=values), caller=CALLER, now=NOW)


def kept(hub: Hub) -> dict[str, tuple[int, str, str | None]]:
    """Every adjustment: amount, state, who decided."""
    with hub.database.read() as db:
        found = db.execute(select(adjustment).order_by(adjustment.c.reference))
        return {each.reference: (each.amount_minor, each.state, each.decided_by) for each in found}


@pytest.fixture
def finance(hub: Hub) -> Hub:
    """Acme, which has agreed to adjustments by file; up to 50 points one person is enough."""
    with hub.database.write() as db:
        agree(db, hub.partner.id, LAYOUT)
    corrections(hub, second_person_above="50")
    return hub


class TestRows:
    def test_give_and_take_points(self, finance: Hub):
        file = finance.process(LAYOUT, content(LAYOUT, row(points="40"), row("ADJ-2", "-12.50")))

        assert (file.state, file.rows_accepted, file.control_accepted) == ("processed", 2, 27_500_000)
        assert kept(finance) == {"ADJ-1": (4000, "posted", None), "ADJ-2": (-1250, "posted", None)}
        with finance.database.read() as db:
            assert checks.check(db) == []
            # Counted from the day that the file names, not from the day on which it came.
            assert set(db.execute(select(lot.c.expires_on)).scalars()) == {date(2028, 11, 10)}

    def test_that_cannot_be_used_say_why_and_the_others_are_posted(self, finance: Hub):
        rows = (
            row(),
            row(),
            row(points="11"),
            row("ADJ-2", "-30"),
            row("ADJ-3", reason_code="because"),
            row("ADJ-4", employee_id="E9"),
            row("ADJ-5", partner_code="globex"),
            row("ADJ-6", "0"),
            row("ADJ-7", effective_date="2026-12-31"),
            row("ADJ-8", employee_id="E2"),
            row("ADJ-9", requested_by=""),
        )

        file = finance.process(LAYOUT, content(LAYOUT, *rows))

        assert (file.state, file.rows_accepted, file.rows_duplicate) == ("processed", 2, 1)
        assert {
            each.row_no: (each.code, each.column_name) for each in finance.rows() if each.outcome == "rejected"
        } == {
            3: ("other_content", "adjustment_id"),
            4: ("insufficient_points", "points"),
            5: ("unknown_reason", "reason_code"),
            6: ("unknown_member", "employee_id"),
            7: ("other_partner", "partner_code"),
            8: ("amount_out_of_range", "points"),
            9: ("date_in_future", "effective_date"),
            11: ("missing_value", "requested_by"),
        }
        assert sorted(kept(finance)) == ["ADJ-1", "ADJ-8"]
        with finance.database.read() as db:
            assert checks.check(db) == []

    def test_of_a_file_that_was_cut_anew_post_once(self, finance: Hub):
        finance.process(LAYOUT, content(LAYOUT, row(), row("ADJ-2")))

        cut = finance.process(LAYOUT, content(LAYOUT, row("ADJ-2"), row("ADJ-3")), name="cut.csv")

        assert (cut.rows_duplicate, cut.rows_accepted) == (1, 1)
        assert [amount for amount, _, _ in kept(finance).values()] == [1000, 1000, 1000]

    def test_take_what_an_earlier_file_gave(self, finance: Hub):
        finance.process("hours", hours("e1,E1,2026-11-02,8"))

        finance.process(LAYOUT, content(LAYOUT, row(points="-12")), name="adjust.csv")

        assert kept(finance) == {"ADJ-1": (-1200, "posted", None)}


class TestAboveTheThreshold:
    def test_a_row_waits_for_a_second_person_whoever_the_file_says_agreed(self, finance: Hub):
        rows = row("ADJ-1", "60"), row("ADJ-2", "60", approved_by="fin-7")

        file = finance.process(LAYOUT, content(LAYOUT, *rows))

        assert file.rows_accepted == 2
        assert kept(finance) == {"ADJ-1": (6000, "pending", None), "ADJ-2": (6000, "pending", None)}

    def test_the_consent_in_the_file_counts_where_the_program_lets_it(self, finance: Hub):
        corrections(finance, second_person_above="50", consent_in_files=True)

        finance.process(LAYOUT, content(LAYOUT, row("ADJ-1", "60"), row("ADJ-2", "60", approved_by="fin-7")))

        assert kept(finance) == {"ADJ-1": (6000, "pending", None), "ADJ-2": (6000, "posted", "fin-7")}

    @pytest.mark.parametrize("agreed", ["fin-42", "FIN-42", " fin-42 "])
    def test_whoever_asked_cannot_agree_in_the_file(self, finance: Hub, agreed: str):
        corrections(finance, second_person_above="50", consent_in_files=True)

        finance.process(LAYOUT, content(LAYOUT, row("ADJ-1", "-60", approved_by=agreed)))

        assert [(each.code, each.column_name) for each in finance.rows()] == [("own_adjustment", "approved_by")]
        assert kept(finance) == {}

    def test_the_user_who_asked_cannot_agree_in_the_hub_either(self, finance: Hub):
        with finance.database.write() as db:
            user = make_user(db)
        finance.process(LAYOUT, content(LAYOUT, row("ADJ-1", "60", requested_by=user.email.upper())))
        program = finance.program
        assert program is not None

        with finance.database.write() as db:
            waiting = db.execute(select(adjustment.c.id)).scalar_one()
            asked = Caller(public_id("usr", user.id), "test")
            with pytest.raises(adjustments.OwnAdjustment):
                adjustments.decide(db, program, waiting, approve=True, comment=None, caller=asked, now=NOW)
            adjustments.decide(db, program, waiting, approve=True, comment=None, caller=CALLER, now=NOW)

        assert kept(finance) == {"ADJ-1": (6000, "posted", CALLER.actor)}


class TestTheFile:
    def test_is_refused_where_the_manifest_does_not_list_the_layout(self, finance: Hub):
        with finance.database.write() as db:
            agree(db, finance.partner.id)

        file = finance.process(LAYOUT, content(LAYOUT, row()))

        assert (file.state, file.reason_code, kept(finance)) == ("quarantined", "layout_not_agreed", {})

    def test_needs_a_trailer_that_agrees(self, finance: Hub):
        file = finance.process(LAYOUT, content(LAYOUT, row(), trailer="#TRAILER,1,11"))

        assert (file.state, file.reason_code, kept(finance)) == ("quarantined", "control_mismatch", {})

    def test_tells_how_many_adjustments_it_brought(self, finance: Hub):
        finance.process(LAYOUT, content(LAYOUT, row(), row("ADJ-2", "60")))

        assert finance.receipt(layout=LAYOUT)["adjustments"] == 2
