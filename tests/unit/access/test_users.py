"""Users: what a role bounds, and who may grant it."""

import pytest
from sqlalchemy import select

from chalicelib.access import keys, users
from chalicelib.access.models import audit_event
from chalicelib.access.scopes import Role, Scope
from chalicelib.errors import Conflict, InvalidInput, NotFound, NotPermitted
from tests.factories.access import CALLER, make_user, make_user_key

PARTNER = b"p" * 16
OTHER = b"q" * 16


def granter(db, now, role=Role.ADMIN, **options):
    return keys.authenticate(db, make_user_key(db, role, **options)[1], now=now)


def create(db, now, **options):
    given = {"email": "new@example.com", "name": "New", "role": Role.VIEWER, "caller": CALLER, "now": now}
    return users.create(db, **{**given, **options})


class TestFirstAdmin:
    def test_makes_an_administrator_whose_key_may_do_everything(self, database, now):
        with database.write() as db:
            user, text = users.first_admin(db, email="root@example.com", now=now)
            found = keys.authenticate(db, text, now=now)
        assert found.user_id == user.id
        assert found.scopes == frozenset(Scope)

    def test_a_lost_key_is_replaced_for_the_same_user(self, database, now):
        with database.write() as db:
            first, first_text = users.first_admin(db, email="root@example.com", now=now)
            second, second_text = users.first_admin(db, email="Root@Example.com", now=now)
        assert first.id == second.id
        assert first_text != second_text

    def test_someone_elses_email_is_refused(self, database, now):
        with database.write() as db:
            user = make_user(db, Role.VIEWER)
            with pytest.raises(Conflict):
                users.first_admin(db, email=user.email, now=now)


class TestCreating:
    def test_an_email_names_one_user_whatever_its_case(self, database, now):
        with database.write() as db:
            create(db, now)
            with pytest.raises(Conflict) as refused:
                create(db, now, email=" NEW@example.com")
            # The transaction goes on after the refusal.
            create(db, now, email="other@example.com")
            assert len(users.in_order(db, partner_id=None, after_id=None, limit=9)) == 2
        assert refused.value.code == "email_taken"

    @pytest.mark.parametrize("email", ["", "kim", "kim@", "a b@example.com", "kim@example", "x" * 250 + "@example.com"])
    def test_what_is_no_address_is_refused(self, database, now, email):
        with database.write() as db, pytest.raises(InvalidInput):
            create(db, now, email=email)

    def test_nobody_makes_a_user_with_more_rights_than_their_key(self, database, now):
        with database.write() as db:
            weak = granter(db, now, scopes={Scope.USERS_ADMIN, Scope.MEMBERS_READ})
            with pytest.raises(NotPermitted):
                create(db, now, role=Role.VIEWER, granted_by=weak)

    def test_a_bound_admin_makes_users_of_the_partner_only(self, database, now):
        with database.write() as db:
            bound = granter(db, now, partner_id=PARTNER)
            assert create(db, now, partner_id=PARTNER, granted_by=bound).partner_id == PARTNER
            for reach in (None, OTHER):
                with pytest.raises(NotPermitted):
                    create(db, now, email="x@example.com", partner_id=reach, granted_by=bound)


class TestChanging:
    def change(self, db, user, by, now, **what):
        return users.change(db, user.id, granted_by=by, caller=CALLER, now=now, **what)

    def test_says_what_was_before_and_after(self, database, now):
        with database.write() as db:
            user = make_user(db, Role.VIEWER)
            changed = self.change(db, user, granter(db, now), now, role=Role.OPERATOR)
            entry = db.execute(select(audit_event).where(audit_event.c.action == "user.changed")).one()
            assert users.find(db, user.id, partner_id=None) == changed
        assert changed.role is Role.OPERATOR
        assert (entry.before, entry.after) == (
            '{"role":"viewer","status":"active"}',
            '{"role":"operator","status":"active"}',
        )

    def test_the_same_again_is_no_change(self, database, now):
        with database.write() as db:
            user = make_user(db, Role.VIEWER)
            self.change(db, user, granter(db, now), now, role=Role.VIEWER)
            assert not db.execute(select(audit_event).where(audit_event.c.action == "user.changed")).all()

    def test_nobody_changes_their_own_role_or_status(self, database, now):
        with database.write() as db:
            user = make_user(db, Role.ADMIN)
            me = granter(db, now, user=user)
            for what in ({"role": Role.VIEWER}, {"status": users.DISABLED}):
                with pytest.raises(Conflict) as refused:
                    self.change(db, user, me, now, **what)
                assert refused.value.code == "own_rights"
            assert self.change(db, user, me, now, name="Kim B.").name == "Kim B."

    def test_someone_weaker_does_not_touch_someone_stronger(self, database, now):
        with database.write() as db:
            admin = make_user(db, Role.ADMIN)
            weak = granter(db, now, scopes={Scope.USERS_ADMIN})
            with pytest.raises(NotPermitted):
                self.change(db, admin, weak, now, status=users.DISABLED)

    def test_another_partners_user_is_not_there(self, database, now):
        with database.write() as db:
            theirs = make_user(db, Role.VIEWER, partner_id=OTHER)
            with pytest.raises(NotFound):
                self.change(db, theirs, granter(db, now, partner_id=PARTNER), now, name="X")
