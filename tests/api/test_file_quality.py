"""What one file's page says beyond its counts; what is expected; alerts."""

import json

import pytest
from sqlalchemy import update

from chalicelib.deliveries import wake
from chalicelib.files.expected import expecting
from chalicelib.partners.models.partners import partner
from tests.factories.access import make_partner_key
from tests.factories.files import Hub, hours, make_hub


@pytest.fixture
def hub(database, aws) -> Hub:
    wake.reset()
    return make_hub(database)


@pytest.fixture
def key(hub) -> str:
    with hub.database.write() as db:
        return make_partner_key(db, hub.partner.id)[1]


class TestQuality:
    def test_is_the_share_of_good_rows_and_readable_amounts(self, api, hub, key):
        rows = ["a,E1,2026-11-02,8", "b,E9,2026-11-02,8", "c,E9,2026-11-02,8", "d,E1,2026-11-02,x"]
        file = hub.process("hours", hours(*rows))

        shown = api.get(f"/v1/files/{file.public_id}", key=key).json

        assert shown["quality"] == {
            # A quarter is good, and three quarters can be read.
            "score": "18.8",
            "reasons": [{"code": "unknown_member", "rows": 2}, {"code": "bad_decimal", "rows": 1}],
            "unmapped_rows": 0,
        }
        assert shown["control"]["rejected"] == "16"

    @pytest.mark.parametrize(("content", "score"), [("nonsense", "0.0"), (hours("a,E1,2026-11-02,8"), "100.0")])
    def test_of_a_refused_and_of_a_clean_file(self, api, hub, key, content, score):
        file = hub.process("hours", content)

        assert api.get(f"/v1/files/{file.public_id}", key=key).json["quality"]["score"] == score

    def test_names_the_files_in_which_duplicate_rows_were_before(self, api, hub, key):
        hub.process("hours", hours(*[f"{n},E1,2026-11-02,8" for n in range(3)]), name="one.csv")
        hub.process("hours", hours("x,E1,2026-11-02,8"), name="two.csv")
        again = [
            *[f"{n},E1,2026-11-02,8" for n in range(3)],
            "new,E2,2026-11-02,8",
            "x,E1,2026-11-02,8",
            "x,E1,2026-11-02,8",
        ]
        file = hub.process("hours", hours(*again))

        path = f"/v1/files/{file.public_id}"
        shown = api.get(path, key=key, params={"duplicates": "true"}).json["duplicates_in"]

        assert [(each["file_name"], each["rows"]) for each in shown] == [("one.csv", 3), ("two.csv", 2)]
        assert api.get(path, key=key).json["duplicates_in"] is None


class TestExpected:
    def test_lists_what_was_not_received_and_alerts_of_it(self, api, hub, key, now):
        manifest = {"expected_files": [{"layout": "hours", "since": "2026-11-18", "due": "13:00", "grace_minutes": 0}]}
        with hub.database.write() as db:
            db.execute(update(partner).where(partner.c.id == hub.partner.id).values(manifest=json.dumps(manifest)))
            expecting.watch(db, now=now)

        first = api.get("/v1/files", key=key, params={"expected": "true", "limit": 2}).json
        cursor = first["next_cursor"]
        second = api.get("/v1/files", key=key, params={"expected": "true", "limit": 2, "cursor": cursor}).json

        shown = [(each["due_at"][:10], each["standing"]) for each in first["items"] + second["items"]]
        assert shown == [("2026-11-18", "missing"), ("2026-11-19", "missing"), ("2026-11-20", "expected")]
        alerts = api.get("/v1/alerts", key=key).json["items"]
        assert [(alert["kind"], alert["due_at"][:10]) for alert in alerts] == [
            ("missing", "2026-11-19"),
            ("missing", "2026-11-18"),
        ]
