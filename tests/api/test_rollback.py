"""A file is taken back, and processed again with effect, by request: who may, and what the answers tell."""

from datetime import UTC, datetime, timedelta

import pytest

from chalicelib.access.scopes import Role
from chalicelib.deliveries import wake
from tests.conftest import NOW
from tests.factories.access import make_partner_key, make_user_key
from tests.factories.files import Hub, hours, make_hub
from tests.factories.rollbacks import available, spend
from tests.unit.files.reprocessing.test_reprocessing import new_rule

THREE = hours("e1,E1,2026-11-02,8", "e2,E2,2026-11-02,7.5", "e3,E1,2026-11-03,4")


@pytest.fixture
def hub(database, aws) -> Hub:
    wake.reset()
    return make_hub(database)


@pytest.fixture
def keys(hub) -> dict[str, str]:
    with hub.database.write() as db:
        made = {role.value: make_user_key(db, role)[1] for role in (Role.ADMIN, Role.OPERATOR)}
        return made | {"partner": make_partner_key(db, hub.partner.id)[1]}


class TestRollback:
    def test_is_foretold_done_and_shown(self, api, hub, keys):
        path = f"/v1/files/{hub.process('hours', THREE).public_id}"
        spend(hub, "E1", 1000)
        body = {"reason": "the wrong month"}

        told = api.post(f"{path}/rollback", {**body, "dry_run": True}, key=keys["admin"])
        asked = api.post(f"{path}/rollback", body, key=keys["admin"])
        hub.drain()
        shown = api.get(path, key=keys["partner"]).json

        assert (told.status, asked.status) == (200, 202)
        assert (told.json["dry_run"], told.json["state"], asked.json["state"]) == (True, "processed", "rolling_back")
        assert [(each["row_no"], each["code"], each["points"]) for each in told.json["left"]] == [
            (1, "points_spent", "12.00")
        ]
        assert told.json["programs"] == [
            {
                "program_code": "uniform",
                "records": 2,
                "points": "29.25",
                "recovered": "17.25",
                "overdrawn": "0.00",
                "given_up": "0.00",
                "expired": "0.00",
                "refused": "12.00",
            }
        ]
        assert (shown["state"], shown["rollback"]["left"]) == ("rolled_back", told.json["left"])
        assert shown["rollback"]["programs"] == told.json["programs"]

    @pytest.mark.parametrize("who", ["operator", "partner"])
    def test_is_for_administrators_only(self, api, hub, keys, who):
        path = f"/v1/files/{hub.process('hours', THREE).public_id}/rollback"
        assert api.post(path, {"reason": "?"}, key=keys[who]).status == 403
        assert hub.file().state == "processed"

    def test_of_a_file_that_was_refused_is_refused(self, api, hub, keys):
        path = f"/v1/files/{hub.process('hours', 'event,id').public_id}/rollback"
        answered = api.post(path, {"reason": "?"}, key=keys["admin"])
        assert (answered.status, answered.json["code"]) == (409, "file_not_reversible")


class TestReprocessing:
    def test_makes_the_difference_that_was_shown(self, api, hub, keys):
        path = f"/v1/files/{hub.process('hours', THREE).public_id}/reprocess"
        # The API's day is that of the tests.
        hub.lateness = NOW - datetime.now(UTC) - timedelta(hours=1)
        new_rule(hub, "2")
        seen = api.post(path, {}, key=keys["operator"]).json
        wanted = {"dry_run": False, "difference": seen["difference"], "reason": "a new rate"}

        refused = api.post(path, wanted, key=keys["partner"])
        unnamed = api.post(path, {"dry_run": False, "reason": "a new rate"}, key=keys["operator"])
        made = api.post(path, wanted, key=keys["operator"])
        again = api.post(path, wanted, key=keys["operator"])

        assert (refused.status, unnamed.json["code"]) == (403, "difference_not_named")
        assert (made.status, made.json["programs"]) == (200, seen["programs"])
        assert (again.status, again.json["code"]) == (409, "difference_changed")
        assert available(hub, "E1") == 2400
