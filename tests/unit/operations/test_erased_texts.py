"""What people wrote to explain a member's entries goes with the person, and the chain still proves the rest."""

from dataclasses import replace
from datetime import date, timedelta
from decimal import Decimal

import pytest
from sqlalchemy import select, update

from chalicelib.access import audit
from chalicelib.access.caller import Caller
from chalicelib.access.models import audit_event
from chalicelib.access.rounds import SomeFailed
from chalicelib.operations import erasure
from chalicelib.partners.programs import programs
from chalicelib.points.corrections import adjustments, reversals
from chalicelib.points.ledger import history
from chalicelib.points.models.ledger import accrual_event, adjustment, refund, reversal
from chalicelib.points.models.terms import increase_request
from chalicelib.points.proof import checkpoints, checks, erasing, verifying
from chalicelib.points.proof.sealed import KEPT
from chalicelib.points.terms import increases
from chalicelib.storage.ids import public_id
from tests.factories import points
from tests.factories.erasure import NUMBER, erase, named
from tests.factories.partners import CALLER
from tests.factories.points import Earning

SECOND = Caller("usr_00000000000000000000000002", "test-second")
WORDS = "Quillonia Farthingale was ill"
#: Words that are about a partner's month or an account of the general ledger, and not about a member.
OF_NOBODY = {("settlement", "reason"), ("posting_line", "text")}


@pytest.fixture
def told(hub, full):
    """People explained entries of the member, and named her."""
    how = {"caller": CALLER, "now": hub.clock()}
    with hub.database.write() as db:
        spec = replace(
            programs.spec_of(hub.program),
            corrections={"second_person_above": "0", "reversal": "overdraft"},
            terms={"increases": {"request_max": "50"}},
        )
        made = Earning(hub.partner, programs.change(db, hub.program, spec, **how), full, None)
        day = date(2026, 11, 2)
        sent = {"employee_id": NUMBER, "event_date": day}
        for event_id in ("z1", "z3"):
            points.earn(db, made, event_id=event_id, **sent)
        corrects = points.event(event_id="z2", quantity=Decimal(-1), reference="z1", description=WORDS, **sent)
        [corrected] = points.record(db, hub.partner, [corrects], now=hub.clock())
        assert corrected.outcome == "posted"
        points.refund(db, made, points.redeem(db, made, 100), reason=WORDS)
        asked = points.adjust(db, made, 50, comment=WORDS, requested_by="Farthingale")
        adjustments.decide(db, made.program, asked.id, approve=True, comment=WORDS, caller=SECOND, now=hub.clock())
        more, _ = increases.request(db, made.program, full.id, 100, reference="more", reason=WORDS, **how)
        increases.decide(db, made.program, more.id, approve=False, comment=WORDS, caller=SECOND, now=hub.clock())
        [event] = [each for each in history_of(db) if each.event_id == "z3"]
        reversals.reverse(db, made.program, event, reason=WORDS, **how)
        audit.record(db, action="member.noted", subject=public_id("mbr", full.id), reason=WORDS, **how)
    return made


def history_of(db):
    ids = db.execute(select(accrual_event.c.id)).scalars().all()
    return [history.event(db, each) for each in ids]


def columns(database):
    return {f"{each.of.name}.{name}" for each in erasing.TEXTS for name in each.names} & named(database)


@pytest.mark.usefixtures("told")
class TestTheWords:
    def test_are_found_nowhere_any_more(self, hub, full):
        assert columns(hub.database) == {
            "adjustment.comment", "adjustment.requested_by", "adjustment.decision_comment", "increase_request.reason",
            "increase_request.decision_comment", "refund.reason", "reversal.reason",
        }  # fmt: skip
        assert "audit_event.reason" in named(hub.database)

        found = erase(hub, full)

        assert named(hub.database) == set()
        assert found.found["texts"] == 5

    def test_leave_why_the_person_was_erased(self, hub, full):
        erase(hub, full)
        with hub.database.read() as db:
            reasons = db.execute(select(audit_event.c.reason).where(audit_event.c.action == "member.erasure_requested"))
            assert list(reasons.scalars()) == ["asked for it"]

    def test_leave_a_chain_and_sums_that_hold(self, hub, full):
        checkpoints.run(hub.database, now=hub.clock() + timedelta(hours=1))
        erase(hub, full)

        with hub.database.read() as db:
            assert verifying.verify_chain(db).faults == ()
            assert checks.check(db) == []

    @pytest.mark.parametrize("column", [reversal.c.reason, adjustment.c.comment, refund.c.reason], ids=str)
    @pytest.mark.parametrize("text", ["another word", f"erased-{'0' * 32}", None])
    def test_cannot_be_altered_unseen_before_or_after(self, hub, full, column, text):
        checkpoints.run(hub.database, now=hub.clock() + timedelta(hours=1))
        if text is None and not column.nullable:
            text = ""
        for number in range(2):
            if number:
                erase(hub, full)
            with hub.database.engine.connect() as db:
                db.info["purpose"] = "write"
                planted = db.begin()
                db.execute(update(column.table).values({column.name: text}))
                found = {(each.table, each.columns) for each in verifying.verify_chain(db).faults}
                planted.rollback()
            assert found == {(column.table.name, (column.name,))}

    def test_of_other_members_stay(self, hub, full):
        with hub.database.write() as db:
            other = points.of_member(db, Earning(hub.partner, hub.program, full, None), "E1")
            points.earn(db, other, employee_id="E1")
            points.refund(db, other, points.redeem(db, other, 100), reason="too small")
        erase(hub, full)
        with hub.database.read() as db:
            assert "too small" in set(db.execute(select(refund.c.reason)).scalars())

    @pytest.mark.parametrize("slices", [1, 2, 4])
    def test_go_on_going_where_a_run_died(self, hub, full, slices, monkeypatch):
        monkeypatch.setattr(erasure, "_ANSWERS_MAX", 1)
        move, left = erasure._move, [slices + 2]

        def dying(db, **given):
            left[0] -= 1
            if not left[0]:
                raise RuntimeError("the power went")
            return move(db, **given)

        monkeypatch.setattr(erasure, "_move", dying)
        with pytest.raises(SomeFailed):
            erase(hub, full)
        monkeypatch.setattr(erasure, "_move", move)

        assert erase(hub, full).state == "done"
        assert columns(hub.database) == set()


def test_every_text_of_the_ledger_is_erased_or_about_nobody():
    names = {"reason", "comment", "requested_by", "approved_by", "decision_comment", "text", "description", "note"}
    texts = {(kept.table.name, column.name) for kept in KEPT for column in kept.table.columns if column.name in names}
    assert texts == {(each.of.name, name) for each in erasing.TEXTS for name in each.names} | OF_NOBODY


@pytest.mark.usefixtures("data_key")
def test_the_same_words_leave_other_traces_elsewhere():
    assert erasing.trace("reason", b"1" * 16, WORDS) != erasing.trace("reason", b"2" * 16, WORDS)
    assert increase_request.c.reason.type.length >= len(erasing.trace("reason", b"1" * 16, WORDS))
