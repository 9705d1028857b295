"""Requests for more: asked with a reason, decided by somebody else, within what the program lets."""

from dataclasses import replace
from datetime import UTC, date, datetime

import pytest
from sqlalchemy import select

from chalicelib.access import keys
from chalicelib.access.caller import Caller
from chalicelib.access.models import audit_event
from chalicelib.access.scopes import Role, Scope
from chalicelib.errors import OtherContent
from chalicelib.partners.members import enrolments
from chalicelib.partners.programs import programs
from chalicelib.points.terms import increases, managers
from chalicelib.points.terms.increases import IncreaseDecided, NotOffered, OwnIncrease, TooMuch
from chalicelib.points.terms.managers import NotAManager
from tests.factories.access import make_partner_key, make_user_key
from tests.factories.points import CALLER, NOW, Earning, available, lots_of, make_earning

pytestmark = pytest.mark.usefixtures("provable", "data_key")

MANAGER = Caller("key_00000000000000000000000009", "test-increases")
TERMS = {"increases": {"request_max": "50", "year_max": "80"}}


@pytest.fixture
def earning(database, data_key) -> Earning:
    with database.write() as db:
        return make_earning(db, terms=TERMS)


def ask(db, earning, points=5000, *, reference="more-1", caller=CALLER, now=NOW, reason="Torn on duty."):
    return increases.request(
        db, earning.program, earning.member.id, points, reference=reference, reason=reason, caller=caller, now=now
    )


def decide(db, earning, found, *, approve=True, caller=MANAGER, now=NOW):
    return increases.decide(db, earning.program, found.id, approve=approve, comment="a test", caller=caller, now=now)


class TestAsking:
    def test_gives_nothing_until_a_manager_agrees(self, database, earning):
        with database.write() as db:
            found, new = ask(db, earning)
            assert (found.state, new) == ("pending", True)
            assert lots_of(db, earning.account_id) == []
            granted = decide(db, earning, found)
            assert (granted.state, granted.decided_by) == ("approved", MANAGER.actor)
            assert available(db, earning) == (5000, 0)
            # A lot with the program's own expiry.
            assert lots_of(db, earning.account_id) == [(date(2028, 11, 20), 5000, 0)]

    def test_takes_effect_once(self, database, earning):
        with database.write() as db:
            first, _ = ask(db, earning)
            again, new = ask(db, earning)
            assert (again.id, new) == (first.id, False)
            with pytest.raises(OtherContent):
                ask(db, earning, 4000)
            decide(db, earning, first)
            decide(db, earning, first)
            assert available(db, earning) == (5000, 0)

    def test_for_too_much_is_refused(self, database, earning):
        with database.write() as db, pytest.raises(TooMuch):
            ask(db, earning, 5001)

    def test_of_a_program_that_offers_none_is_refused(self, database):
        with database.write() as db:
            earning = make_earning(db)
            with pytest.raises(NotOffered):
                ask(db, earning)

    def test_for_who_is_not_in_the_program_is_refused(self, database, earning):
        with database.write() as db:
            day = earning.program.effective_from
            enrolments.enrol(
                db, earning.program, earning.member.id, valid_from=day, valid_to=day, caller=CALLER, now=NOW
            )
            with pytest.raises(NotOffered):
                ask(db, earning)


class TestDeciding:
    def test_is_not_for_who_asked(self, database, earning):
        with database.write() as db:
            found, _ = ask(db, earning)
            with pytest.raises(OwnIncrease):
                decide(db, earning, found, caller=CALLER)

    def test_a_refusal_gives_nothing_and_stays(self, database, earning):
        with database.write() as db:
            found, _ = ask(db, earning)
            assert decide(db, earning, found, approve=False).state == "refused"
            assert decide(db, earning, found, approve=False).state == "refused"
            with pytest.raises(IncreaseDecided):
                decide(db, earning, found)
            assert lots_of(db, earning.account_id) == []

    def test_looks_at_the_years_limit_again(self, database, earning):
        with database.write() as db:
            first, _ = ask(db, earning)
            second, _ = ask(db, earning, reference="more-2")
            decide(db, earning, first)
            with pytest.raises(TooMuch):
                decide(db, earning, second)
            # Another year has room of its own.
            assert decide(db, earning, second, now=datetime(2027, 1, 5, tzinfo=UTC)).state == "approved"

    def test_by_terms_that_were_taken_back_is_refused(self, database, earning):
        with database.write() as db:
            found, _ = ask(db, earning)
            spec = replace(programs.spec_of(earning.program), terms=None)
            changed = replace(earning, program=programs.change(db, earning.program, spec, caller=CALLER, now=NOW))
            with pytest.raises(NotOffered):
                decide(db, changed, found)

    def test_is_in_the_audit_trail(self, database, earning):
        with database.write() as db:
            found, _ = ask(db, earning)
            decide(db, earning, found)
            rows = db.execute(select(audit_event.c.action, audit_event.c.actor, audit_event.c.reason)).all()
            assert rows[-2:] == [
                ("increase.requested", CALLER.actor, "Torn on duty."),
                ("increase.approved", MANAGER.actor, "a test"),
            ]


class TestWhoDecides:
    """Managers of the partner, and the retailer's people only where the program lets them."""

    ASKS, DECIDES = frozenset({Scope.INCREASES_WRITE}), frozenset({Scope.INCREASES_APPROVE})

    @staticmethod
    def principal(db, made):
        return keys.authenticate(db, made[1], now=NOW)

    def test_a_user_of_the_partner_may(self, database, earning):
        with database.write() as db:
            found, _ = ask(db, earning)
            managers.require(
                db,
                earning.program,
                found,
                self.principal(db, make_user_key(db, Role.APPROVER, partner_id=earning.partner.id)),
            )

    def test_an_approver_of_the_retailer_may_only_where_the_program_says_so(self, database, earning):
        with database.write() as db:
            found, _ = ask(db, earning)
            approver = self.principal(db, make_user_key(db, Role.APPROVER))
            with pytest.raises(NotAManager):
                managers.require(db, earning.program, found, approver)
            spec = replace(
                programs.spec_of(earning.program), terms={"increases": {"request_max": "50", "retailer_decides": True}}
            )
            managers.require(db, programs.change(db, earning.program, spec, caller=CALLER, now=NOW), found, approver)

    def test_of_two_keys_of_the_partner_one_may_that_cannot_ask(self, database, earning):
        with database.write() as db:
            asking = self.principal(db, make_partner_key(db, earning.partner.id, scopes=self.ASKS))
            found, _ = ask(db, earning, caller=Caller(asking.actor, "a test"))
            either = self.principal(db, make_partner_key(db, earning.partner.id, scopes=self.ASKS | self.DECIDES))
            with pytest.raises(NotAManager):
                managers.require(db, earning.program, found, either)
            deciding = self.principal(db, make_partner_key(db, earning.partner.id, scopes=self.DECIDES))
            managers.require(db, earning.program, found, deciding)

    def test_who_asked_and_made_the_key_may_not(self, database, earning):
        with database.write() as db:
            admin = self.principal(db, make_user_key(db))
            found, _ = ask(db, earning, caller=Caller(admin.actor, "a test"))
            _, text = keys.create(
                db,
                name="manager",
                scopes=self.DECIDES,
                partner_id=earning.partner.id,
                granted_by=admin,
                caller=Caller(admin.actor, "a test"),
                now=NOW,
            )
            with pytest.raises(OwnIncrease):
                managers.require(db, earning.program, found, keys.authenticate(db, text, now=NOW))


class TestTheList:
    def test_is_newest_first_and_filters(self, database, earning):
        with database.write() as db:
            for number in range(3):
                ask(db, earning, 100, reference=f"more-{number}")
            [newest, *_] = increases.newest_first(db, partner_id=earning.partner.id, before_seq=None, limit=9)
            assert newest.reference == "more-2"
            decide(db, earning, newest)
            waiting = increases.newest_first(
                db, partner_id=earning.partner.id, state="pending", before_seq=newest.seq, limit=9
            )
            assert [each.reference for each in waiting] == ["more-1", "more-0"]
