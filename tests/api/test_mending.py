"""Rows mended and resubmitted by request, as callers see it."""

import pytest

from chalicelib.access.scopes import Scope
from chalicelib.deliveries import wake
from chalicelib.partners.members.members import by_employee
from chalicelib.points.ledger.history import entries
from chalicelib.storage.ids import public_id
from tests.factories.access import make_partner_key
from tests.factories.files import Hub, hours, make_hub, people, person


@pytest.fixture
def hub(database, aws) -> Hub:
    wake.reset()
    return make_hub(database)


@pytest.fixture
def key(hub) -> str:
    with hub.database.write() as db:
        return make_partner_key(db, hub.partner.id)[1]


@pytest.fixture
def blind_key(hub) -> str:
    with hub.database.write() as db:
        return make_partner_key(db, hub.partner.id, scopes={Scope.FILES_READ, Scope.FILES_WRITE})[1]


class TestMending:
    def test_a_row_is_seen_mended_and_accepted(self, api, hub, key):
        path = f"/v1/files/{hub.process('hours', hours('a,E1,2026-11-02,8', 'b,E9,2026-11-02,8')).public_id}/rows"
        assert api.get(f"{path}/2", key=key).json["cells"] == {
            "event": "b", "id": "E9", "day": "2026-11-02", "hours": "8",
        }  # fmt: skip

        fixed = api.patch(f"{path}/2", {"cells": {"id": "E2"}, "reason": "a slip"}, key=key).json
        done = api.post(f"{path}/resubmit", {}, key=key).json
        hub.drain()

        assert (fixed["outcome"], fixed["still"]) == ("rejected", None)
        assert fixed["fixes"][0]["changes"] == {"id": {"before": "E9", "after": "E2"}}
        assert [(row["row_no"], row["outcome"]) for row in done["rows"]] == [(2, "accepted")]
        assert (done["counts"]["accepted"], done["counts"]["rejected"], done["receipt_revision"]) == (2, 0, 2)
        assert hub.receipt()["rows_accepted"] == 2
        assert len(api.get(f"{path}/2", key=key).json["fixes"]) == 1

    def test_lineage_shows_the_row_as_it_came_and_as_it_was_decided(self, api, hub, key):
        path = f"/v1/files/{hub.process('hours', hours('a,E1,2026-11-02,8', 'b,E9,2026-11-02,8')).public_id}/rows"
        api.patch(f"{path}/2", {"cells": {"id": "E2"}}, key=key)
        api.post(f"{path}/resubmit", {}, key=key)
        with hub.database.read() as db:
            member = by_employee(db, hub.partner.id, ["E2"])["E2"]
            [found] = entries(db, member.id, before_seq=None, limit=2)

        lineage = api.get(f"/v1/ledger/entries/{public_id('trf', found.id)}/lineage", key=key).json

        source = lineage["decided"]["source"]
        assert (source["raw"], source["corrected"]) == ("b,E9,2026-11-02,8", "b,E2,2026-11-02,8")

    def test_what_a_layout_still_refuses_is_said_at_once(self, api, hub, key):
        path = f"/v1/files/{hub.process('hours', hours('b,E9,2026-11-02,8')).public_id}/rows/1"

        answered = api.patch(path, {"cells": {"hours": "8,5"}}, key=key)

        assert answered.json["still"]["code"] == "bad_decimal"

    def test_hidden_cells_stay_hidden_in_every_version(self, api, hub, key, blind_key):
        path = f"/v1/files/{hub.process('people', people(person('E9', hired='x'))).public_id}/rows/1"
        api.patch(path, {"cells": {"last": "Quilty"}}, key=key)

        shown = api.get(path, key=blind_key)
        refused = api.patch(path, {"cells": {"last": "***"}}, key=blind_key)

        assert "Quilty" not in shown.text
        assert "Haze" not in shown.text
        assert shown.json["fixes"][0]["changes"]["last"] == {"before": "***", "after": "***"}
        assert (refused.status, refused.code) == (422, "cells_unusable")

    def test_an_accepted_row_is_not_mended(self, api, hub, key):
        path = f"/v1/files/{hub.process('hours', hours('a,E1,2026-11-02,8')).public_id}/rows"

        refused = api.patch(f"{path}/1", {"cells": {"hours": "9"}}, key=key)
        asked = api.post(f"{path}/resubmit", {"rows": [1]}, key=key).json

        assert (refused.status, refused.code) == (409, "row_not_rejected")
        assert asked["rows"] == [
            {"row_no": 1, "tried": False, "outcome": "accepted", "code": None, "column": None, "message": None}
        ]
