"""Large files are tried, compared and processed again by request: who may, and what the answers tell."""

from datetime import UTC, datetime, timedelta
from typing import ClassVar

import pytest

from chalicelib.access.scopes import Role
from chalicelib.deliveries import wake
from chalicelib.files.intake import arrivals
from chalicelib.files.trials import parting
from chalicelib.storage import objects
from tests.conftest import NOW
from tests.factories.access import make_partner_key, make_user_key
from tests.factories.files import Hub, hours, make_hub
from tests.factories.partners import make_partner
from tests.factories.rollbacks import available
from tests.unit.files.reprocessing.test_reprocessing import new_rule

FOUR = hours("e1,E1,2026-11-02,8", "e2,E2,2026-11-02,7.5", "e3,E9,2026-11-03,4", "e1,E1,2026-11-02,8")


@pytest.fixture
def hub(database, aws, monkeypatch) -> Hub:
    wake.reset()
    monkeypatch.setattr(parting, "PART_ROWS", 2)
    return make_hub(database)


@pytest.fixture
def keys(hub) -> dict[str, str]:
    with hub.database.write() as db:
        made = {role.value: make_user_key(db, role)[1] for role in (Role.ADMIN, Role.OPERATOR)}
        stranger = make_partner(db, "globex").id
        own, foreign = make_partner_key(db, hub.partner.id)[1], make_partner_key(db, stranger)[1]
        return made | {"partner": own, "stranger": foreign}


class TestValidation:
    BODY: ClassVar = {"layout": "hours", "name": "big.csv", "size_bytes": len(FOUR)}

    def test_of_a_large_file_is_asked_for_begun_and_read(self, api, hub, keys):
        asked = api.post("/v1/file-trials", self.BODY, key=keys["partner"])
        path = f"/v1/file-trials/{asked.json['id']}"
        key = f"acme/hours/{asked.json['id']}.trial.tmp"
        assert (asked.status, asked.json["state"], asked.json["file"]) == (201, "awaiting", None)
        assert key in asked.json["upload"]["url"]
        objects.put(arrivals.inbox(), key, FOUR.encode())

        begun = api.post(f"{path}/start", key=keys["partner"])
        again = api.post(f"{path}/start", key=keys["partner"])
        hub.drain()
        told = api.get(path, key=keys["partner"]).json

        assert (begun.status, again.status, again.json["code"]) == (202, 409, "trial_begun")
        assert (told["state"], told["parts"], told["parts_done"], told["upload"]) == ("done", 2, 2, None)
        file = told["file"]
        assert (file["state"], file["control"]["read"], file["control"]["accepted"]) == ("processed", "27.5", "15.5")
        assert file["rows"] == {"total": 4, "done": 4, "accepted": 2, "rejected": 1, "duplicate": 1, "ignored": 0}
        assert [(each["row_no"], each["code"]) for each in file["errors"]] == [(3, "unknown_member")]
        assert [(each["events"], each["points_posted"]) for each in file["programs"]] == [(2, "23.25")]
        assert (hub.files(), hub.keys("hub-in")) == ([], [])

    def test_of_another_partner_is_not_shown(self, api, keys):
        made = api.post("/v1/file-trials", self.BODY, key=keys["partner"]).json
        path = f"/v1/file-trials/{made['id']}"
        assert api.get(path, key=keys["stranger"]).status == 404
        assert api.post(f"{path}/start", key=keys["stranger"]).status == 404


class TestReprocessing:
    def test_of_a_large_file_is_compared_and_then_made_once(self, api, hub, keys):
        file = hub.process("hours", FOUR)
        # The API's day is that of the tests.
        hub.lateness = NOW - datetime.now(UTC) - timedelta(hours=1)
        new_rule(hub, "2")

        asked = api.post(f"/v1/files/{file.public_id}/comparisons", {}, key=keys["operator"])
        early = api.post(f"/v1/file-trials/{asked.json['id']}/reprocess", {"reason": "r"}, key=keys["operator"])
        hub.drain()
        seen = api.get(f"/v1/file-trials/{asked.json['id']}", key=keys["partner"]).json
        path = f"/v1/file-trials/{asked.json['id']}/reprocess"
        refused = api.post(path, {"reason": "a new rate"}, key=keys["partner"])
        made = api.post(path, {"reason": "a new rate"}, key=keys["operator"])
        again = api.post(path, {"reason": "a new rate"}, key=keys["operator"])
        hub.drain()
        done = api.get(f"/v1/file-trials/{made.json['id']}", key=keys["partner"]).json

        assert (asked.status, early.json["code"], refused.status) == (202, "not_compared", 403)
        assert (made.status, again.json["code"]) == (202, "not_compared")
        assert (seen["state"], seen["comparison"]["differing"], len(seen["comparison"]["difference"])) == (
            "done",
            2,
            64,
        )
        assert [(each["points_before"], each["points_after"]) for each in seen["comparison"]["programs"]] == [
            ("23.25", "31.00")
        ]
        assert (done["state"], done["kind"], done["comparison"]["differing"]) == ("done", "reprocess", 2)
        assert done["comparison"]["left"] == {"difference_changed": 0, "points_spent": 0, "event_corrected": 0}
        assert available(hub, "E1") == 1600
