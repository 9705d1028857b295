"""/v1/users, /v1/me and /v1/api-keys as callers see them."""

from datetime import timedelta

import pytest

from chalicelib.access.scopes import PARTNER_SCOPES, ROLE_SCOPES, Role, Scope
from chalicelib.storage.ids import new_id, public_id
from tests.factories.access import make_partner_key, make_user, make_user_key
from tests.factories.partners import make_partner


@pytest.fixture
def database(sqlite_database):
    """One engine is enough: the functions below are tested on both."""
    return sqlite_database


@pytest.fixture
def admin(database):
    with database.write() as db:
        return make_user_key(db)[1]


@pytest.fixture
def partner(database):
    with database.write() as db:
        return make_partner(db)


@pytest.fixture
def partner_text(partner):
    return public_id("par", partner.id)


NEW_USER = {"email": "Kim@Example.com", "name": "Kim", "role": "operator"}


def once(text="k-1"):
    return {"Idempotency-Key": text}


class TestUsers:
    def test_are_created_listed_and_changed(self, api, admin):
        made = api.post("/v1/users", NEW_USER, key=admin)
        assert (made.status, made.json["email"], made.json["status"]) == (201, "kim@example.com", "active")
        listed = api.get("/v1/users", key=admin, params={"role": "operator"})
        assert listed.json == {"items": [made.json], "next_cursor": None}
        changed = api.patch(f"/v1/users/{made.json['id']}", {"status": "disabled"}, key=admin)
        assert (changed.status, changed.json["status"]) == (200, "disabled")
        assert api.get("/v1/users", key=admin, params={"status": "disabled"}).json["items"] == [changed.json]

    def test_an_email_is_taken_once(self, api, admin):
        statuses = [api.post("/v1/users", NEW_USER, key=admin).status for _ in range(2)]
        assert statuses == [201, 409]

    def test_a_disabled_users_key_is_refused_within_two_seconds(self, api, admin, database, edge_clock):
        with database.write() as db:
            user = make_user(db, Role.OPERATOR)
            _, text = make_user_key(db, user=user)
        assert api.get("/v1/me", key=text).status == 200
        api.patch(f"/v1/users/{public_id('usr', user.id)}", {"status": "disabled"}, key=admin)
        edge_clock.now += timedelta(seconds=2)
        answer = api.get("/v1/me", key=text)
        assert (answer.status, answer.code) == (401, "user_disabled")

    def test_a_bound_admin_sees_and_makes_users_of_the_partner_only(self, api, database, partner, partner_text):
        with database.write() as db:
            make_user(db)
            _, bound = make_user_key(db, Role.ADMIN, partner_id=partner.id)
        made = api.post("/v1/users", NEW_USER, key=bound)
        assert made.json["partner_id"] == partner_text
        assert {user["partner_id"] for user in api.get("/v1/users", key=bound).json["items"]} == {partner_text}
        elsewhere = {**NEW_USER, "email": "x@example.com", "partner_id": public_id("par", new_id())}
        assert api.post("/v1/users", elsewhere, key=bound).status == 404

    def test_of_a_partner_that_does_not_exist_there_are_none(self, api, admin):
        assert api.post("/v1/users", {**NEW_USER, "partner_id": public_id("par", new_id())}, key=admin).status == 404


class TestMe:
    def test_a_user_sees_role_and_scopes(self, api, database):
        with database.write() as db:
            made, text = make_user_key(db, Role.VIEWER)
        answer = api.get("/v1/me", key=text).json
        assert (answer["role"], answer["partner_id"], answer["key_id"]) == ("viewer", None, public_id("key", made.id))
        assert answer["scopes"] == sorted(ROLE_SCOPES[Role.VIEWER])

    def test_a_partner_sees_its_partner(self, api, database, partner, partner_text):
        with database.write() as db:
            _, text = make_partner_key(db, partner.id)
        answer = api.get("/v1/me", key=text).json
        assert (answer["role"], answer["user_id"], answer["partner_id"]) == (None, None, partner_text)
        assert answer["scopes"] == sorted(PARTNER_SCOPES)


class TestKeys:
    def test_a_key_for_a_partner_works_and_is_listed_without_its_text(self, api, admin, partner_text):
        body = {"name": "payroll", "scopes": ["accruals:write"], "partner_id": partner_text}
        made = api.post("/v1/api-keys", body, key=admin, headers=once())
        assert made.status == 201
        assert api.get("/v1/me", key=made.json["key"]).json["scopes"] == ["accruals:write"]
        listed = api.get("/v1/api-keys", key=admin, params={"limit": 200})
        [shown] = [item for item in listed.json["items"] if item["id"] == made.json["id"]]
        assert shown["last_used_at"] is not None
        assert {**shown, "key": made.json["key"], "last_used_at": None} == made.json
        assert made.json["key"] not in listed.text

    def test_a_key_may_name_its_partner_by_code(self, api, admin, partner, partner_text):
        body = {"name": "payroll", "scopes": ["accruals:write"], "partner_id": partner.code}
        assert api.post("/v1/api-keys", body, key=admin, headers=once()).json["partner_id"] == partner_text

    def test_a_repeated_creation_shows_the_same_key_and_makes_no_other(self, api, admin, partner_text):
        body = {"name": "payroll", "scopes": ["accruals:write"], "partner_id": partner_text}
        first, second = (api.post("/v1/api-keys", body, key=admin, headers=once()) for _ in range(2))
        assert first.text == second.text
        assert len(api.get("/v1/api-keys", key=admin).json["items"]) == 2

    def test_without_an_owner_it_is_ones_own(self, api, admin):
        mine = api.get("/v1/me", key=admin).json["user_id"]
        made = api.post("/v1/api-keys", {"name": "cli", "scopes": ["files:read"]}, key=admin, headers=once())
        assert (made.json["user_id"], made.json["partner_id"]) == (mine, None)

    def test_an_expiry_without_a_time_zone_is_refused(self, api, admin):
        body = {"name": "k", "scopes": ["files:read"], "expires_at": "2030-01-01T00:00:00"}
        answer = api.post("/v1/api-keys", body, key=admin, headers=once())
        assert (answer.status, answer.json["faults"][0]["pointer"]) == (422, "/expires_at")

    def test_of_an_unknown_user_there_is_none(self, api, admin):
        body = {"name": "k", "scopes": ["files:read"], "user_id": public_id("usr", new_id())}
        assert api.post("/v1/api-keys", body, key=admin, headers=once()).status == 404

    def test_a_partner_rotates_its_own_key(self, api, database, partner, edge_clock):
        with database.write() as db:
            made, old = make_partner_key(db, partner.id)
        path = f"/v1/api-keys/{public_id('key', made.id)}/rotate"
        rotated = api.post(path, {"overlap_hours": 1}, key=old, headers=once())
        assert rotated.status == 201
        edge_clock.now += timedelta(minutes=59)
        assert [api.get("/v1/me", key=key).status for key in (old, rotated.json["key"])] == [200, 200]
        edge_clock.now += timedelta(minutes=1)
        assert [api.get("/v1/me", key=key).status for key in (old, rotated.json["key"])] == [401, 200]

    def test_a_revoked_key_is_refused_within_two_seconds(self, api, admin, database, partner, edge_clock):
        with database.write() as db:
            made, text = make_partner_key(db, partner.id)
        path = f"/v1/api-keys/{public_id('key', made.id)}"
        assert api.delete(path, key=admin).json["revoked_at"] is not None
        assert api.delete(path, key=admin).status == 200
        edge_clock.now += timedelta(seconds=2)
        assert api.get("/v1/me", key=text).code == "key_revoked"

    def test_a_bound_admin_neither_sees_nor_revokes_other_keys(self, api, database, partner):
        with database.write() as db:
            hub_key, _ = make_user_key(db)
            _, bound = make_user_key(db, Role.ADMIN, partner_id=partner.id)
        assert len(api.get("/v1/api-keys", key=bound).json["items"]) == 1
        assert api.delete(f"/v1/api-keys/{public_id('key', hub_key.id)}", key=bound).status == 404

    def test_rights_beyond_ones_own_are_refused(self, api, database, partner_text):
        with database.write() as db:
            _, weak = make_user_key(db, scopes={Scope.KEYS_ADMIN})
        body = {"name": "k", "scopes": ["accruals:write"], "partner_id": partner_text}
        answer = api.post("/v1/api-keys", body, key=weak, headers=once())
        assert (answer.status, answer.code) == (403, "beyond_own_rights")
