"""Cases made of rows of files, and simulations of them, as callers see them: nothing of the person is in either."""

import pytest

from chalicelib.access.scopes import ROLE_SCOPES, Role, Scope
from tests.factories.access import make_user_key
from tests.factories.files import Hub, hours, hours_layout, make_hub
from tests.factories.points import make_earning
from tests.factories.rules import accrual_document, live_ruleset

PATH = "/v1/rulesets/acme.accrual"


def without_an_answer_to_13_hours(rate: int = 2):
    """``rate`` points an hour, unless there are thirteen."""
    gap = {"-": [{"var": "quantity"}, 13]}
    expr = {"/": [{"*": [{"var": "quantity"}, rate, gap]}, gap]}
    output = {"type": "decimal", "scale": 2, "rounding": "half_up", "expr": expr}
    return accrual_document(rate=str(rate), outputs={"points": output})


@pytest.fixture
def hub(database, aws) -> Hub:
    made = make_hub(database, hours_layout())
    with database.write() as db:
        live_ruleset(db, made.partner.id, without_an_answer_to_13_hours())
    return made


@pytest.fixture
def file(hub):
    """Row 1 was accepted, row 2 has hours that the rule has no answer to, row 3 concerns nobody."""
    return hub.process("hours", hours("e1,E1,2026-11-02,8", "e2,E2,2026-11-03,13", "e3,E9,2026-11-02,8"))


@pytest.fixture
def admin(database) -> str:
    with database.write() as db:
        return make_user_key(db)[1]


def keep(api, key, file, row_no: int, **more):
    return api.put(f"{PATH}/cases/seen", {"from_file": file.public_id, "from_row": row_no, **more}, key=key)


def simulate(api, key, file, row_no: int, version: int = 2, **more):
    body = {"file_id": file.public_id, "row_no": row_no, **more}
    return api.post(f"{PATH}/versions/{version}/simulate", body, key=key)


class TestACaseOfARow:
    def test_that_was_accepted_is_one_of_its_accrual(self, api, admin, file):
        kept = keep(api, admin, file, 1)

        assert kept.status == 201, kept.text
        assert kept.json["accrual_id"].startswith("acr_")
        assert kept.json["case"] == {
            "name": "seen",
            "as_of": "2026-11-02",
            "given": {"status": "active", "quantity": "8.000000"},
            "expect": {"points": "16.00"},
        }

    def test_that_was_rejected_expects_the_refusal_or_what_is_said(self, api, admin, file):
        as_it_is = keep(api, admin, file, 2, why="seen in November")
        as_it_should_be = keep(api, admin, file, 2, expect={"points": "26.00"})
        tested = api.post(f"{PATH}/versions/2/tests", key=admin).json["cases"]

        assert (as_it_is.status, as_it_is.json["accrual_id"]) == (201, None)
        assert as_it_is.json["case"]["given"] == {"status": "active", "quantity": "13.000000"}
        assert as_it_is.json["case"]["expect"] == {"refused": "division_by_zero"}
        assert (as_it_should_be.status, as_it_should_be.json["case"]["expect"]) == (200, {"points": "26.00"})
        assert [case["passed"] for case in tested if case["case_id"] == "seen"] == [False]

    def test_holds_nothing_of_the_person(self, api, admin, file):
        for row_no in (1, 2):
            kept = keep(api, admin, file, row_no)
            assert "E1" not in str(kept.json["case"])
            assert "E2" not in str(kept.json["case"])

    def test_about_which_no_rule_is_asked_is_refused(self, api, admin, file):
        refused = keep(api, admin, file, 3)

        assert (refused.status, refused.code) == (422, "no_rule_asked")
        assert "no employee of this number" in refused.json["detail"]

    def test_that_is_not_there_is_not_found(self, api, admin, file):
        assert keep(api, admin, file, 4).status == 404

    @pytest.mark.parametrize(
        "body",
        [
            {"from_file": "{file}"},
            {"from_row": 1},
            {"from_file": "{file}", "from_row": 1, "given": {}},
            {"from_file": "{file}", "from_row": 2, "given": {}},
            {"from_file": "{file}", "from_row": 1, "expect": {"points": "1"}},
            {"from_file": "{file}", "from_row": 1, "from_accrual": "acr_00000000000000000000000001"},
        ],
    )
    def test_is_made_of_the_row_alone(self, api, admin, file, body):
        told = {name: file.public_id if value == "{file}" else value for name, value in body.items()}
        refused = api.put(f"{PATH}/cases/seen", told, key=admin)

        assert (refused.status, refused.code) == (422, "case_refused")

    @pytest.mark.parametrize(("missing", "row_no"), [(Scope.FILES_READ, 2), (Scope.ACCRUALS_READ, 1)])
    def test_needs_the_right_to_read_it(self, api, database, file, missing, row_no):
        with database.write() as db:
            key = make_user_key(db, scopes=ROLE_SCOPES[Role.ADMIN] - {missing})[1]

        assert keep(api, key, file, row_no).code == "scope_missing"
        assert simulate(api, key, file, row_no).code == "scope_missing"

    def test_of_another_partner_reads_like_one_that_does_not_exist(self, api, database, file):
        with database.write() as db:
            other = make_earning(db)
            key = make_user_key(db, partner_id=other.partner.id)[1]
        own = f"/v1/rulesets/{other.version.ruleset_code}"
        for row_no in (1, 2):
            row = {"from_file": file.public_id, "from_row": row_no}
            assert api.put(f"{own}/cases/x", row, key=key).status == 404


class TestSimulatingARow:
    def test_that_was_accepted_shows_what_was_posted(self, api, admin, file):
        api.post(f"{PATH}/versions", {"document": accrual_document(rate="3")}, key=admin)

        shown = simulate(api, admin, file, 1, version=3).json

        assert (shown["outcome"], shown["outputs"]) == ("decided", {"points": "24.00"})
        assert (shown["then"]["points"], shown["then"]["version"]) == ("16.00", 2)

    def test_that_was_rejected_shows_what_a_draft_would_make_of_it(self, api, admin, file):
        api.post(f"{PATH}/versions", {"document": accrual_document(rate="3")}, key=admin)

        still = simulate(api, admin, file, 2).json
        draft = simulate(api, admin, file, 2, version=3).json

        assert (still["outcome"], still["faults"][0]["code"]) == ("refused", "rule_refused")
        assert (draft["outcome"], draft["outputs"], draft["then"]) == ("decided", {"points": "39.00"}, None)
        assert draft["trace"]["as_of"] == "2026-11-03"

    def test_as_if_on_another_day_is_decided_for_that_day(self, api, admin, file):
        api.post(f"{PATH}/versions", {"document": accrual_document(rate="3")}, key=admin)

        for row_no, points in ((1, "24.00"), (2, "39.00")):
            shown = simulate(api, admin, file, row_no, version=3, as_of="2026-11-10").json
            assert (shown["outputs"], shown["trace"]["as_of"]) == ({"points": points}, "2026-11-10")

    def test_under_another_ruleset_is_refused(self, api, admin, file):
        api.post("/v1/rulesets/acme.other/versions", {"document": accrual_document("acme.other")}, key=admin)
        body = {"file_id": file.public_id, "row_no": 2}

        refused = api.post("/v1/rulesets/acme.other/versions/1/simulate", body, key=admin)

        assert (refused.status, refused.code) == (422, "version_of_other_ruleset")
