"""Golden cases and simulations of real records, as callers see them."""

import pytest

from chalicelib.access.scopes import ROLE_SCOPES, Role, Scope
from chalicelib.storage.ids import public_id
from tests.factories.access import make_user_key
from tests.factories.points import earn, make_earning
from tests.factories.rules import accrual_document, golden_case

pytestmark = pytest.mark.usefixtures("data_key")


@pytest.fixture
def earning(database, data_key):
    with database.write() as db:
        return make_earning(db)


@pytest.fixture
def accrual(database, earning) -> str:
    """The id of ten hours that were posted."""
    with database.write() as db:
        return public_id("acr", earn(db, earning).id)


@pytest.fixture
def admin(database) -> str:
    with database.write() as db:
        return make_user_key(db)[1]


@pytest.fixture
def path(earning) -> str:
    return f"/v1/rulesets/{earning.version.ruleset_code}"


class TestACaseByHand:
    def test_is_kept_shown_and_run(self, api, admin, path):
        kept = api.put(f"{path}/cases/four-hours", golden_case(), key=admin)
        [shown] = api.get(f"{path}/cases", key=admin).json["cases"]
        tested = api.post(f"{path}/versions/1/tests", key=admin).json

        assert (kept.status, shown) == (201, kept.json)
        assert shown["case"]["expect"] == {"points": "6.00"}
        assert [(case["case_id"], case["passed"]) for case in tested["cases"]] == [
            (None, True),
            (None, True),
            ("four-hours", True),
        ]
        assert api.put(f"{path}/cases/four-hours", golden_case("2"), key=admin).status == 200
        assert api.post(f"{path}/versions/1/tests", key=admin).json["ready"] is False

    def test_that_is_none_is_refused(self, api, admin, path):
        refused = api.put(f"{path}/cases/four-hours", {"given": {}, "as_of": "2026-11-02"}, key=admin)

        assert (refused.status, refused.code) == (422, "case_refused")
        assert [fault["pointer"] for fault in refused.json["faults"]] == ["/expect"]

    def test_is_removed_by_name(self, api, admin, path):
        api.put(f"{path}/cases/four-hours", golden_case(), key=admin)

        gone = api.delete(f"{path}/cases/four-hours", params={"reason": "appendix C"}, key=admin)

        assert (gone.status, api.get(f"{path}/cases", key=admin).json["cases"]) == (204, [])
        assert api.delete(f"{path}/cases/four-hours", key=admin).status == 404


class TestACaseOfARecord:
    def test_expects_what_was_posted(self, api, admin, path, accrual):
        kept = api.put(f"{path}/cases/november", {"from_accrual": accrual, "name": "ten hours"}, key=admin)

        assert kept.status == 201
        assert kept.json["accrual_id"] == accrual
        assert kept.json["case"] == {
            "name": "ten hours",
            "as_of": "2026-11-02",
            "given": {"status": "active", "quantity": "10"},
            "expect": {"points": "15.00"},
        }

    def test_does_not_lead_to_the_person_without_the_right_to_read_members(self, api, admin, path, accrual, database):
        assert api.put(f"{path}/cases/november", {"from_accrual": accrual}, key=admin).status == 201
        with database.write() as db:
            blind = make_user_key(db, scopes={Scope.RULES_READ})[1]

        [shown] = api.get(f"{path}/cases", key=blind).json["cases"]

        assert (shown["accrual_id"], shown["case"]["expect"]) == (None, {"points": "15.00"})

    def test_is_made_of_the_record_alone(self, api, admin, path, accrual):
        refused = api.put(f"{path}/cases/x", {"from_accrual": accrual, "expect": {"points": "1"}}, key=admin)

        assert (refused.status, refused.code) == (422, "case_refused")

    def test_needs_the_right_to_read_records(self, api, database, path, accrual):
        with database.write() as db:
            key = make_user_key(db, scopes=ROLE_SCOPES[Role.ADMIN] - {Scope.ACCRUALS_READ})[1]
        refused = api.put(f"{path}/cases/x", {"from_accrual": accrual}, key=key)

        assert (refused.status, refused.code) == (403, "scope_missing")

    def test_of_another_partner_reads_like_one_that_does_not_exist(self, api, database, accrual):
        with database.write() as db:
            other = make_earning(db)
            key = make_user_key(db, partner_id=other.partner.id)[1]
        own = f"/v1/rulesets/{other.version.ruleset_code}"

        assert api.put(f"{own}/cases/x", {"from_accrual": accrual}, key=key).status == 404
        assert api.put(f"{own}/cases/x", {"from_accrual": public_id("acr", b"n" * 16)}, key=key).status == 404

    def test_in_a_shared_ruleset_is_hidden_from_other_partners(self, api, database, admin):
        with database.write() as db:
            other = make_earning(db)
            key = make_user_key(db, Role.VIEWER, partner_id=other.partner.id)[1]
        shared = accrual_document("shared_rule", partner=None)
        api.post("/v1/rulesets/shared_rule/versions", {"document": shared}, key=admin)
        assert api.post(
            "/v1/rulesets/shared_rule/versions/1/promote", {"effective_from": "2026-01-01"}, key=admin
        ).json["changed"]
        with database.write() as db:
            mine = make_earning(db, ruleset_code="shared_rule")
            posted = public_id("acr", earn(db, mine).id)
        api.put("/v1/rulesets/shared_rule/cases/seen", {"from_accrual": posted}, key=admin)

        for seen_by, cases in ((admin, ["seen"]), (key, [])):
            listed = api.get("/v1/rulesets/shared_rule/cases", key=seen_by).json["cases"]
            tested = api.post("/v1/rulesets/shared_rule/versions/1/tests", key=seen_by).json["cases"]
            assert [case["case_id"] for case in listed] == cases
            assert [case["case_id"] for case in tested if case["case_id"]] == cases


class TestSimulatingARecord:
    def test_shows_what_was_posted_and_what_a_draft_would_have_posted(self, api, admin, path, accrual, earning):
        draft = {"document": accrual_document(earning.version.ruleset_code, rate="2")}
        api.post(f"{path}/versions", draft, key=admin)

        shown = api.post(f"{path}/versions/2/simulate", {"accrual_id": accrual}, key=admin).json

        assert (shown["outcome"], shown["outputs"]) == ("decided", {"points": "20.00"})
        assert (shown["then"]["points"], shown["then"]["version"]) == ("15.00", 1)
        assert "sentence" in shown["trace"]

    @pytest.mark.parametrize(
        "body",
        [
            {},
            {"as_of": "2026-11-02"},
            {"record": {}, "accrual_id": "{accrual}", "as_of": "2026-11-02"},
            {"accrual_id": "{accrual}", "aggregates": {"x": "1"}},
            {"record": {}},
            {"row_no": 1},
            {"accrual_id": "{accrual}", "row_no": 1},
        ],
    )
    def test_takes_exactly_one_record(self, api, admin, path, accrual, body):
        told = {name: accrual if value == "{accrual}" else value for name, value in body.items()}
        refused = api.post(f"{path}/versions/1/simulate", told, key=admin)

        assert (refused.status, refused.code) == (422, "one_record")

    def test_needs_the_right_to_read_it(self, api, database, path, accrual):
        with database.write() as db:
            key = make_user_key(db, scopes={Scope.RULES_READ})[1]

        assert api.post(f"{path}/versions/1/simulate", {"accrual_id": accrual}, key=key).code == "scope_missing"

    def test_of_another_partner_under_ones_own_rule_is_not_found(self, api, database, accrual, admin):
        with database.write() as db:
            other = make_earning(db)
        refused = api.post(
            f"/v1/rulesets/{other.version.ruleset_code}/versions/1/simulate", {"accrual_id": accrual}, key=admin
        )

        assert refused.status == 404
