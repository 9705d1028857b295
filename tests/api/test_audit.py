"""/v1/audit as callers see it."""

import pytest

from chalicelib.access import audit
from chalicelib.access.caller import Caller
from chalicelib.access.scopes import Role
from chalicelib.storage.ids import public_id
from tests.factories.access import make_user_key
from tests.factories.partners import make_partner


@pytest.fixture
def database(sqlite_database):
    """One engine is enough: the functions below are tested on both."""
    return sqlite_database


@pytest.fixture
def mine(database):
    with database.write() as db:
        return make_partner(db)


@pytest.fixture
def theirs(database):
    with database.write() as db:
        return make_partner(db)


@pytest.fixture
def trail(database, now, mine, theirs):
    with database.write() as db:
        for number, partner_id in enumerate([mine.id, theirs.id, None]):
            audit.record(
                db,
                caller=Caller("usr_x", "corr-1234"),
                action="thing.changed",
                subject=f"thing {number}",
                partner_id=partner_id,
                before={"n": 1},
                after={"n": 2},
                reason="because",
                now=now,
            )


@pytest.fixture
def admin(database):
    with database.write() as db:
        return make_user_key(db)[1]


@pytest.fixture
def bound(database, mine):
    with database.write() as db:
        return make_user_key(db, Role.APPROVER, partner_id=mine.id)[1]


def subjects(answer):
    return [item["subject"] for item in answer.json["items"]]


@pytest.mark.usefixtures("trail")
class TestTheTrail:
    def test_says_who_did_what_when_and_why(self, api, admin, now, mine):
        [item] = api.get("/v1/audit", key=admin, params={"subject": "thing 0"}).json["items"]
        assert item["id"].startswith("aud_")
        assert {name: value for name, value in item.items() if name != "id"} == {
            "at": now.isoformat().replace("+00:00", "Z"),
            "actor": "usr_x",
            "action": "thing.changed",
            "subject": "thing 0",
            "partner_id": public_id("par", mine.id),
            "before": {"n": 1},
            "after": {"n": 2},
            "reason": "because",
            "correlation_id": "corr-1234",
        }

    def test_is_paged_newest_first(self, api, admin):
        params = {"action": "thing.changed", "limit": 2}
        first = api.get("/v1/audit", key=admin, params=params)
        rest = api.get("/v1/audit", key=admin, params={**params, "cursor": first.json["next_cursor"]})
        assert subjects(first) + subjects(rest) == ["thing 2", "thing 1", "thing 0"]

    def test_shows_a_bound_user_the_partners_part_only(self, api, bound, theirs):
        assert "thing 0" in subjects(api.get("/v1/audit", key=bound))
        assert not {"thing 1", "thing 2"} & set(subjects(api.get("/v1/audit", key=bound)))
        for named in (public_id("par", theirs.id), theirs.code):
            assert api.get("/v1/audit", key=bound, params={"partner_id": named}).status == 404

    def test_shows_who_sees_all_one_partners_part_by_id_or_code(self, api, admin, theirs):
        for named in (public_id("par", theirs.id), theirs.code):
            answer = api.get("/v1/audit", key=admin, params={"partner_id": named, "action": "thing.changed"})
            assert subjects(answer) == ["thing 1"]

    @pytest.mark.parametrize("moment", ["0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00", "1700000000"])
    def test_refuses_a_time_that_cannot_be_told(self, api, admin, moment):
        answer = api.get("/v1/audit", key=admin, params={"since": moment})
        assert (answer.status, answer.json["faults"][0]["pointer"]) == (400, "since")

    def test_refuses_a_time_without_a_zone(self, api, admin):
        answer = api.get("/v1/audit", key=admin, params={"since": "2026-01-01T00:00:00"})
        assert answer.json["faults"][0]["pointer"] == "since"
