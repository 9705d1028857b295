"""/v1/rulesets as callers see it: what decides, since when, and what a version says to one record."""

import hashlib
import json
from datetime import date

import pytest
from sqlalchemy import func, select

from chalicelib.access.models import audit_event
from chalicelib.access.scopes import Role, Scope
from chalicelib.language import parse_json
from chalicelib.rules import rulesets
from chalicelib.rules.models import ruleset_version
from chalicelib.storage.ids import public_id
from tests.factories.access import make_user_key
from tests.factories.points import make_earning
from tests.factories.rules import AUTHOR, LONG_AGO, accrual_document, code_table, document, live_ruleset

ACME = b"acme" * 4
OTHER = b"othr" * 4
ALLOWANCE = "/v1/rulesets/harbor-hotels.accrual/versions/1"
RECORD = {
    "event_type": "ALLOWANCE",
    "quantity": "1",
    "unit": "POINT",
    "hire_date": "2020-03-01",
    "grade": "E3",
    "fte_pct": "62.5",
}


@pytest.fixture
def admin(database) -> str:
    with database.write() as db:
        return make_user_key(db)[1]


@pytest.fixture
def acme_viewer(database) -> str:
    """The key of a user who is bound to one partner."""
    with database.write() as db:
        return make_user_key(db, Role.VIEWER, partner_id=ACME)[1]


@pytest.fixture
def harbor(database) -> None:
    """The sample partner's allowance rule, deciding, and its table."""
    with database.write() as db:
        code_table(db, ACME, document("code-tables/harbor-hotels.grade-allowance"))
        live_ruleset(db, ACME, document("rulesets/harbor-hotels.accrual"))


@pytest.fixture
def three(database) -> None:
    """One ruleset of each partner and a shared one."""
    with database.write() as db:
        live_ruleset(db, ACME, accrual_document("acme.accrual"))
        live_ruleset(db, OTHER, accrual_document("other.accrual"))
        live_ruleset(db, None, document("rulesets/commerce-cloud.balance"))


class TestList:
    def test_shows_which_version_decides_today(self, api, admin, database):
        with database.write() as db:
            live_ruleset(db, ACME, accrual_document(rate="1"))
            planned = rulesets.save(db, accrual_document(rate="2"), partner_id=ACME, caller=AUTHOR, now=LONG_AGO)
            rulesets.activate(
                db,
                "acme.accrual",
                planned.version_id,
                effective_from=date(2099, 1, 1),
                caller=AUTHOR,
                now=LONG_AGO,
            )

        [shown] = api.get("/v1/rulesets", key=admin).json["items"]

        assert (shown["code"], shown["kind"], shown["latest_version"]) == ("acme.accrual", "accrual", 2)
        assert shown["partner_id"] == public_id("par", ACME)
        assert shown["live"]["version"] == 1

    def test_a_ruleset_that_was_never_activated_is_not_live(self, api, admin, database):
        with database.write() as db:
            rulesets.save(db, accrual_document(), partner_id=ACME, caller=AUTHOR, now=LONG_AGO)

        assert api.get("/v1/rulesets", key=admin).json["items"][0]["live"] is None

    @pytest.mark.usefixtures("three")
    def test_pages_by_code(self, api, admin):
        first = api.get("/v1/rulesets", key=admin, params={"limit": 2}).json
        second = api.get("/v1/rulesets", key=admin, params={"limit": 2, "cursor": first["next_cursor"]}).json

        assert [each["code"] for each in first["items"]] == ["acme.accrual", "commerce-cloud.balance"]
        assert [each["code"] for each in second["items"]] == ["other.accrual"]
        assert second["next_cursor"] is None

    @pytest.mark.usefixtures("three")
    def test_filters_by_kind(self, api, admin):
        found = api.get("/v1/rulesets", key=admin, params={"kind": "mapping"}).json["items"]

        assert [each["code"] for each in found] == ["commerce-cloud.balance"]

    @pytest.mark.usefixtures("three")
    def test_a_partner_sees_its_own_and_the_shared_ones(self, api, acme_viewer):
        found = api.get("/v1/rulesets", key=acme_viewer).json["items"]

        assert [each["code"] for each in found] == ["acme.accrual", "commerce-cloud.balance"]

    def test_needs_the_scope(self, api, database):
        with database.write() as db:
            key = make_user_key(db, scopes={Scope.LEDGER_READ})[1]

        assert api.get("/v1/rulesets", key=key).status == 403


class TestOthers:
    @pytest.mark.usefixtures("three")
    @pytest.mark.parametrize(
        ("method", "path", "body"),
        [
            ("GET", "/v1/rulesets/other.accrual", None),
            ("GET", "/v1/rulesets/other.accrual/versions/1", None),
            ("POST", "/v1/rulesets/other.accrual/versions/1/validate", None),
            ("POST", "/v1/rulesets/other.accrual/versions/1/simulate", {"as_of": "2026-10-01", "record": {}}),
        ],
    )
    def test_rulesets_read_like_ones_that_do_not_exist(self, api, acme_viewer, method, path, body):
        others = api.request(method, path, key=acme_viewer, body=body)
        missing = api.request(method, path.replace("other", "nobody"), key=acme_viewer, body=body)

        assert (others.status, missing.status) == (404, 404)
        assert others.json["detail"].replace("other", "nobody") == missing.json["detail"]


class TestGet:
    def test_tells_the_whole_history(self, api, admin, database):
        with database.write() as db:
            live_ruleset(db, ACME, accrual_document(rate="1"))
            live_ruleset(db, ACME, accrual_document(rate="2"), effective_from=date(2026, 7, 1))

        shown = api.get("/v1/rulesets/acme.accrual", key=admin).json

        assert [each["version"] for each in shown["versions"]] == [1, 2]
        assert [(each["version"], each["effective_from"]) for each in shown["activations"]] == [
            (1, "2026-01-01"),
            (2, "2026-07-01"),
        ]
        assert shown["decides"] == [
            {"effective_from": "2026-01-01", "version": 1},
            {"effective_from": "2026-07-01", "version": 2},
        ]
        assert shown["why"] == "A rule of the tests."
        assert shown["live"]["version"] == 2


class TestGetVersion:
    @pytest.mark.usefixtures("harbor")
    def test_gives_the_text_that_the_hash_was_taken_of(self, api, admin):
        shown = api.get(ALLOWANCE, key=admin).json

        assert hashlib.sha256(shown["content"].encode()).hexdigest() == shown["content_hash"]
        assert parse_json(shown["content"]) == document("rulesets/harbor-hotels.accrual")
        assert (shown["version"], shown["effective_from"]) == (1, "2026-01-01")
        assert (shown["coverage"]["complete"], shown["coverage"]["percent"]) == (True, "100.0")
        assert all(item["by"] for item in shown["coverage"]["items"])

    @pytest.mark.usefixtures("harbor")
    @pytest.mark.parametrize("version", ["2", "0", "x", "1.0", "99999999999999999"])
    def test_other_numbers_are_not_found(self, api, admin, version):
        assert api.get(f"/v1/rulesets/harbor-hotels.accrual/versions/{version}", key=admin).status == 404


class TestValidate:
    @pytest.mark.usefixtures("harbor")
    def test_runs_the_cases_again(self, api, admin):
        shown = api.post(f"{ALLOWANCE}/validate", key=admin).json

        assert (shown["valid"], shown["faults"]) == (True, [])
        assert len(shown["cases"]) == len(document("rulesets/harbor-hotels.accrual")["cases"])
        assert all(case["passed"] for case in shown["cases"])

    @pytest.mark.usefixtures("harbor")
    def test_names_what_would_be_refused_now(self, api, admin, database):
        broken = document("rulesets/harbor-hotels.accrual")
        broken["cases"][0]["expect"] = {"points": "1.00"}
        broken["inputs"]["fte"] = {"type": "decimal", "scale": 4, "nullable": True}
        with database.write() as db:
            # An older hub may have stored what today's checks refuse.
            kept = db.execute(select(ruleset_version)).one()
            db.execute(
                ruleset_version.insert(),
                kept._asdict()
                | {"id": b"o" * 16, "number": 2, "content_hash": b"h" * 32, "content": json.dumps(broken)},
            )

        shown = api.post("/v1/rulesets/harbor-hotels.accrual/versions/2/validate", key=admin).json

        assert shown["valid"] is False
        assert [fault["pointer"] for fault in shown["faults"]] == ["/inputs/fte"]
        assert shown["faults"][0]["suggestion"] == "did you mean `fte_pct`?"
        assert [case["name"] for case in shown["cases"] if not case["passed"]] == [broken["cases"][0]["name"]]


class TestSimulate:
    @pytest.mark.usefixtures("harbor")
    def test_decides_one_record_with_its_trace_and_the_tables_of_the_day(self, api, admin):
        before = api.post(f"{ALLOWANCE}/simulate", {"as_of": "2026-06-30", "record": RECORD}, key=admin).json
        after = api.post(f"{ALLOWANCE}/simulate", {"as_of": "2026-07-01", "record": RECORD}, key=admin).json

        assert (before["outcome"], before["outputs"]) == ("decided", {"points": "25.00"})
        assert after["outputs"] == {"points": "26.56"}
        assert "42.50" in json.dumps(after["trace"])

    @pytest.mark.usefixtures("harbor")
    def test_says_when_the_rule_does_not_apply(self, api, admin):
        body = {"as_of": "2026-07-01", "record": RECORD | {"event_type": "SPEND"}}

        shown = api.post(f"{ALLOWANCE}/simulate", body, key=admin).json

        assert (shown["outcome"], shown["outputs"], shown["trace"]["applies"]) == ("not_applicable", None, False)

    @pytest.mark.usefixtures("harbor")
    def test_names_the_inputs_that_are_wrong(self, api, admin):
        body = {"as_of": "2026-07-01", "record": RECORD | {"quantity": "1,5", "hire_date": None}}

        shown = api.post(f"{ALLOWANCE}/simulate", body, key=admin)

        assert (shown.status, shown.json["outcome"]) == (200, "refused")
        assert {fault["pointer"] for fault in shown.json["faults"]} == {"quantity", "hire_date"}

    @pytest.mark.usefixtures("harbor")
    def test_shows_why_the_rule_has_no_answer(self, api, admin):
        body = {"as_of": "2026-07-01", "record": RECORD | {"grade": "X9"}}

        shown = api.post(f"{ALLOWANCE}/simulate", body, key=admin).json

        assert (shown["outcome"], shown["outputs"]) == ("refused", None)
        assert [(fault["pointer"], fault["code"]) for fault in shown["faults"]] == [("grade", "unknown_code")]

    def test_takes_the_declared_aggregates(self, api, admin, database):
        with database.write() as db:
            live_ruleset(db, ACME, document("rulesets/aurora-air.accrual"))
        record = {"event_type": "HOURS", "quantity": "100", "unit": "HOUR"}
        record |= {"hire_date": "2024-10-01", "term_date": None}
        body = {"as_of": "2026-10-31", "record": record, "aggregates": {"points_this_month": "390.00"}}

        path = "/v1/rulesets/aurora-air.accrual/versions/1/simulate"
        capped = api.post(path, body, key=admin).json
        free = api.post(path, body | {"aggregates": {}}, key=admin).json
        wrong = api.post(path, body | {"aggregates": {"points_this_year": "1"}}, key=admin)

        assert (capped["outputs"], free["outputs"]) == ({"points": "10.00"}, {"points": "125.00"})
        assert (wrong.status, wrong.json["faults"][0]["pointer"]) == (422, "/aggregates/points_this_year")

    @pytest.mark.usefixtures("harbor")
    def test_writes_nothing(self, api, admin, database):
        with database.read() as db:
            before = db.execute(select(func.count()).select_from(audit_event)).scalar_one()

        api.post(f"{ALLOWANCE}/simulate", {"as_of": "2026-07-01", "record": RECORD}, key=admin)

        with database.read() as db:
            assert db.execute(select(func.count()).select_from(audit_event)).scalar_one() == before


class TestMaking:
    def test_a_ruleset_begins_with_its_first_version_and_decides_nothing(self, api, database):
        with database.write() as db:
            earning = make_earning(db)
            key = make_user_key(db)[1]
        document = accrual_document(f"{earning.partner.code}.bonus")

        made = api.post("/v1/rulesets", {"document": document}, key=key)
        again = api.post("/v1/rulesets", {"document": document}, key=key)
        other = api.post("/v1/rulesets", {"document": accrual_document(document["id"], rate="9")}, key=key)

        assert (made.status, made.json["version"], made.json["created"]) == (201, 1, True)
        assert (again.status, again.json["version_id"]) == (200, made.json["version_id"])
        assert (other.status, other.code) == (409, "ruleset_exists")
        found = api.get(f"/v1/rulesets/{document['id']}", key=key).json
        assert ([each["version"] for each in found["versions"]], found["decides"]) == ([1], [])
