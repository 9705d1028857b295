"""Keys: what is kept of them, who they stand for, and when they stop being accepted."""

import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from sqlalchemy import select, update

from chalicelib.access import keys, users
from chalicelib.access.caller import Caller
from chalicelib.access.models import api_key, audit_event, user_account
from chalicelib.access.scopes import PARTNER_SCOPES, ROLE_SCOPES, Role, Scope
from chalicelib.errors import Conflict, InvalidInput, NotAuthenticated, NotFound, NotPermitted, UnknownReference
from chalicelib.storage.ids import new_id, public_id
from tests.factories.access import CALLER, make_partner_key, make_user, make_user_key

PARTNER = b"p" * 16
OTHER = b"q" * 16


def principal(db, text, now):
    return keys.authenticate(db, text, now=now)


class TestAuthenticating:
    def test_a_users_key_stands_for_the_user(self, database, now):
        with database.write() as db:
            user = make_user(db, Role.OPERATOR)
            made, text = make_user_key(db, user=user)
            found = principal(db, text, now)
        assert (found.key_id, found.actor, found.partner_id) == (made.id, public_id("usr", user.id), None)
        assert (found.scopes, found.role) == (ROLE_SCOPES[Role.OPERATOR], Role.OPERATOR)

    def test_a_partners_key_stands_for_itself_and_sees_that_partner_only(self, database, now):
        with database.write() as db:
            made, text = make_partner_key(db, PARTNER)
            found = principal(db, text, now)
        assert (found.actor, found.partner_id, found.user_id) == (public_id("key", made.id), PARTNER, None)
        assert found.scopes == PARTNER_SCOPES

    def test_a_bound_users_key_sees_the_users_partner_only(self, database, now):
        with database.write() as db:
            _, text = make_user_key(db, Role.VIEWER, partner_id=PARTNER)
            assert principal(db, text, now).partner_id == PARTNER

    def test_no_secret_is_in_the_database(self, database):
        with database.write() as db:
            made, text = make_partner_key(db, PARTNER)
            row = db.execute(select(api_key).where(api_key.c.id == made.id)).one()
        secret = text.rpartition("_")[2]
        assert len(secret) == 64
        assert secret not in repr(row)
        assert bytes.fromhex(secret) not in {value for value in row if isinstance(value, bytes)}

    @pytest.mark.parametrize("change", ["last character", "prefix of another", "no mark", "not a key", "empty"])
    def test_a_wrong_text_is_refused_without_saying_why(self, database, now, change):
        with database.write() as db:
            _, text = make_partner_key(db, PARTNER)
            _, other = make_partner_key(db, PARTNER)
            wrong = {
                "last character": text[:-1] + ("0" if text[-1] != "0" else "1"),
                "prefix of another": "_".join([*other.split("_")[:2], text.split("_")[2]]),
                "no mark": text.removeprefix("ilk_"),
                "not a key": "ilk_x_y_z",
                "empty": "",
            }[change]
            with pytest.raises(NotAuthenticated) as refused:
                principal(db, wrong, now)
        assert refused.value.code == "not_authenticated"

    def test_a_key_is_accepted_until_it_expires(self, database, now):
        with database.write() as db:
            _, text = make_partner_key(db, PARTNER, expires_at=now)
            assert principal(db, text, now - timedelta(microseconds=1))
            with pytest.raises(NotAuthenticated) as refused:
                principal(db, text, now)
        assert refused.value.code == "key_expired"

    def test_a_disabled_users_key_is_refused(self, database, now):
        with database.write() as db:
            user = make_user(db)
            _, text = make_user_key(db, user=user)
            db.execute(update(user_account).where(user_account.c.id == user.id).values(status=users.DISABLED))
            with pytest.raises(NotAuthenticated) as refused:
                principal(db, text, now)
        assert refused.value.code == "user_disabled"

    def test_a_key_loses_what_its_users_new_role_does_not_allow(self, database, now):
        with database.write() as db:
            user = make_user(db, Role.ADMIN)
            _, text = make_user_key(db, user=user)
            db.execute(update(user_account).where(user_account.c.id == user.id).values(role="viewer"))
            assert principal(db, text, now).scopes == ROLE_SCOPES[Role.VIEWER]

    def test_use_is_noted_at_most_once_a_minute(self, database, now):
        with database.write() as db:
            made, _ = make_partner_key(db, PARTNER)
            noted = []
            for seconds in (0, 59, 61):
                keys.note_use(db, made.id, now=now + timedelta(seconds=seconds))
                noted.append(keys.find(db, made.id, partner_id=None).last_used_at)
        assert noted == [now, now, now + timedelta(seconds=61)]


class TestSuspendingAPartner:
    def test_its_keys_and_its_users_keys_are_refused_also_later_ones(self, database, now):
        with database.write() as db:
            texts = [make_partner_key(db, PARTNER)[1], make_user_key(db, Role.VIEWER, partner_id=PARTNER)[1]]
            keys.suspend_partner(db, PARTNER, now=now)
            keys.suspend_partner(db, PARTNER, now=now)
            texts.append(make_partner_key(db, PARTNER)[1])
            for text in texts:
                with pytest.raises(NotAuthenticated) as refused:
                    principal(db, text, now)
                assert refused.value.code == "partner_suspended"

    def test_other_partners_and_the_hubs_own_users_go_on(self, database, now):
        with database.write() as db:
            texts = [make_partner_key(db, OTHER)[1], make_user_key(db)[1]]
            keys.suspend_partner(db, PARTNER, now=now)
            assert all(principal(db, text, now) for text in texts)

    def test_resuming_accepts_the_keys_again(self, database, now):
        with database.write() as db:
            _, text = make_partner_key(db, PARTNER)
            keys.suspend_partner(db, PARTNER, now=now)
            keys.resume_partner(db, PARTNER)
            assert principal(db, text, now).partner_id == PARTNER


class TestCreating:
    def test_a_key_belongs_to_a_user_or_to_a_partner(self, database, now):
        with database.write() as db:
            user = make_user(db)
            for owners in ({}, {"user_id": user.id, "partner_id": PARTNER}):
                with pytest.raises(InvalidInput, match="either to a user or to a partner"):
                    keys.create(db, name="k", scopes={Scope.MEMBERS_READ}, caller=CALLER, now=now, **owners)

    def test_a_key_never_exceeds_its_owners_role(self, database):
        with database.write() as db, pytest.raises(NotPermitted, match="accruals:write"):
            make_user_key(db, Role.VIEWER, scopes={Scope.ACCRUALS_WRITE})

    def test_a_partners_key_never_administers(self, database):
        for scope in frozenset(Scope) - PARTNER_SCOPES:
            with database.write() as db, pytest.raises(NotPermitted):
                make_partner_key(db, PARTNER, scopes={scope})

    def test_nobody_grants_more_than_they_have(self, database, now):
        with database.write() as db:
            _, text = make_user_key(db, scopes={Scope.KEYS_ADMIN, Scope.MEMBERS_READ})
            granter = principal(db, text, now)
            with pytest.raises(NotPermitted, match="ledger:read"):
                keys.create(
                    db,
                    name="k",
                    scopes={Scope.MEMBERS_READ, Scope.LEDGER_READ},
                    partner_id=PARTNER,
                    granted_by=granter,
                    caller=CALLER,
                    now=now,
                )

    def test_a_bound_admin_grants_within_the_partner_only(self, database, now):
        with database.write() as db:
            _, text = make_user_key(db, Role.ADMIN, partner_id=PARTNER)
            granter = principal(db, text, now)
            hub_user = make_user(db)
            for owner in ({"partner_id": OTHER}, {"user_id": hub_user.id}):
                with pytest.raises(NotPermitted, match="own partner"):
                    keys.create(
                        db,
                        name="k",
                        scopes={Scope.MEMBERS_READ},
                        granted_by=granter,
                        caller=CALLER,
                        now=now,
                        **owner,
                    )

    def test_an_unknown_or_disabled_user_owns_no_key(self, database, now):
        with database.write() as db, pytest.raises(UnknownReference):
            keys.create(db, name="k", scopes={Scope.MEMBERS_READ}, user_id=new_id(), caller=CALLER, now=now)

    def test_it_is_audited_without_the_secret(self, database):
        with database.write() as db:
            made, text = make_partner_key(db, PARTNER)
            [row] = db.execute(select(audit_event).where(audit_event.c.subject == public_id("key", made.id))).all()
        assert (row.action, row.partner_id) == ("api_key.created", PARTNER)
        assert text.rpartition("_")[2] not in repr(row)


class TestRotating:
    def rotate(self, db, key_id, granter, now, hours=24):
        return keys.rotate(db, key_id, overlap=timedelta(hours=hours), granted_by=granter, caller=CALLER, now=now)

    def test_both_secrets_are_accepted_until_the_overlap_ends(self, database, now):
        with database.write() as db:
            made, old = make_partner_key(db, PARTNER)
            replacement, new = self.rotate(db, made.id, principal(db, old, now), now)
            before, after = now + timedelta(hours=23), now + timedelta(hours=24)
            assert principal(db, old, before).key_id == made.id
            assert principal(db, new, before).key_id == replacement.id
            with pytest.raises(NotAuthenticated) as refused:
                principal(db, old, after)
            assert principal(db, new, after).scopes == PARTNER_SCOPES
        assert refused.value.code == "key_revoked"

    def test_a_replaced_key_is_not_rotated_again(self, database, now):
        with database.write() as db:
            made, old = make_partner_key(db, PARTNER)
            granter = principal(db, old, now)
            self.rotate(db, made.id, granter, now)
            with pytest.raises(Conflict) as refused:
                self.rotate(db, made.id, granter, now)
        assert refused.value.code == "key_not_current"

    def test_of_two_rotations_at_once_one_is_made(self, database, now):
        with database.write() as db:
            made, text = make_partner_key(db, PARTNER)
            granter = principal(db, text, now)
        together = threading.Barrier(4, timeout=30)

        def attempt(_):
            together.wait()
            try:
                database.run(lambda db: self.rotate(db, made.id, granter, now))
            except Conflict:
                return "refused"
            return "made"

        with ThreadPoolExecutor(4) as pool:
            outcomes = sorted(pool.map(attempt, range(4)))
        with database.read() as db:
            left = keys.in_order(db, partner_id=PARTNER, after_id=None, limit=10)
        assert outcomes == ["made", "refused", "refused", "refused"]
        assert len(left) == 2

    def test_a_weaker_key_does_not_get_hold_of_a_stronger_one(self, database, now):
        with database.write() as db:
            strong, _ = make_partner_key(db, PARTNER)
            _, weak = make_partner_key(db, PARTNER, scopes={Scope.KEYS_ROTATE})
            with pytest.raises(NotPermitted):
                self.rotate(db, strong.id, principal(db, weak, now), now)

    def test_nobody_gets_hold_of_a_key_that_acts_in_anothers_name(self, database, now):
        with database.write() as db:
            mine = make_user(db, Role.VIEWER)
            own, text = make_user_key(db, user=mine)
            theirs, _ = make_user_key(db, Role.VIEWER)
            partners, _ = make_partner_key(db, PARTNER, scopes={Scope.FILES_READ})
            me = principal(db, text, now)
            for key in (theirs, partners):
                with pytest.raises(NotPermitted) as refused:
                    self.rotate(db, key.id, me, now)
                assert refused.value.code == "not_own_key"
            assert self.rotate(db, own.id, me, now)

    def test_an_administrator_of_keys_rotates_them_all(self, database, now):
        with database.write() as db:
            theirs, _ = make_user_key(db, Role.VIEWER)
            assert self.rotate(db, theirs.id, principal(db, make_user_key(db)[1], now), now)

    def test_another_partners_key_is_not_there(self, database, now):
        with database.write() as db:
            theirs, _ = make_partner_key(db, OTHER)
            _, mine = make_partner_key(db, PARTNER)
            with pytest.raises(NotFound):
                self.rotate(db, theirs.id, principal(db, mine, now), now)


class TestRevoking:
    def test_a_revoked_key_is_refused_at_once_and_audited_once(self, database, now):
        with database.write() as db:
            made, text = make_partner_key(db, PARTNER)
            for later in (0, 5):
                keys.revoke(db, made.id, partner_id=None, caller=CALLER, now=now + timedelta(seconds=later))
            with pytest.raises(NotAuthenticated):
                principal(db, text, now)
            noted = db.execute(select(audit_event.c.at).where(audit_event.c.action == "api_key.revoked")).scalars()
            assert list(noted) == [now]

    def test_an_overlap_can_be_cut_short(self, database, now):
        with database.write() as db:
            made, old = make_partner_key(db, PARTNER)
            TestRotating().rotate(db, made.id, principal(db, old, now), now)
            keys.revoke(db, made.id, partner_id=PARTNER, caller=CALLER, now=now)
            with pytest.raises(NotAuthenticated):
                principal(db, old, now)


class TestTheHandsOfAKey:
    """Through whose hands a secret went."""

    def made(self, db, by, now, owner=None):
        """A key of a user, made by the user whose key ``by`` is."""
        granter = principal(db, by, now)
        owner = owner or make_user(db, Role.APPROVER)
        caller = Caller(granter.actor, "test")
        scopes = {Scope.RULES_READ, Scope.KEYS_ROTATE}
        made, text = keys.create(
            db, name="k", scopes=scopes, user_id=owner.id, granted_by=granter, caller=caller, now=now
        )
        return granter.actor, made, text

    def test_are_none_where_the_hub_made_it(self, database):
        with database.write() as db:
            assert keys.holders(db, make_user_key(db)[0].id) == frozenset()

    def test_are_those_who_made_it_and_what_it_was_made_with(self, database, now):
        with database.write() as db:
            front = make_user(db)
            granter = principal(db, make_user_key(db)[1], now)
            caller = Caller(granter.actor, "test")
            _, text = keys.create(
                db, name="k", scopes=set(Scope), user_id=front.id, granted_by=granter, caller=caller, now=now
            )
            second, made, _ = self.made(db, text, now)

            assert keys.holders(db, made.id) == {granter.actor, second}

    def test_stay_when_it_is_rotated(self, database, now):
        with database.write() as db:
            maker, made, text = self.made(db, make_user_key(db)[1], now)
            owner = principal(db, text, now)
            caller = Caller(owner.actor, "test")
            new, _ = keys.rotate(db, made.id, overlap=timedelta(0), granted_by=owner, caller=caller, now=now)

            assert keys.holders(db, new.id) == {maker, owner.actor}

    def test_stay_when_somebody_else_rotates_it(self, database, now):
        with database.write() as db:
            maker, made, _ = self.made(db, make_user_key(db)[1], now)
            other = principal(db, make_user_key(db)[1], now)
            caller = Caller(other.actor, "test")
            new, _ = keys.rotate(db, made.id, overlap=timedelta(0), granted_by=other, caller=caller, now=now)

            assert keys.holders(db, new.id) == {maker, other.actor}

    def test_of_a_user_are_those_of_the_keys_that_could_act_at_that_time(self, database, now):
        hour = timedelta(hours=1)
        with database.write() as db:
            owner = make_user(db, Role.APPROVER)
            maker, made, _ = self.made(db, make_user_key(db)[1], now, owner)
            keys.revoke(db, made.id, partner_id=None, caller=CALLER, now=now + 2 * hour)

            held = [keys.held_for(db, owner.id, at=now + hours * hour) for hours in (-1, 0, 1, 2)]

        assert held == [frozenset(), {maker}, {maker}, frozenset()]
