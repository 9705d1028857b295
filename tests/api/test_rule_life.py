"""The life of a rule as callers see it: draft, cases, back-test, a second person, promotion from a date, rollback."""

from datetime import timedelta

import pytest
from sqlalchemy import select

from chalicelib.access.models import audit_event
from chalicelib.access.scopes import Role, Scope
from chalicelib.settings import settings
from tests.factories import backtests
from tests.factories.access import make_user, make_user_key
from tests.factories.partners import make_partner
from tests.factories.points import earn, event, make_earning, record
from tests.factories.rules import accrual_document, golden_case

HOUR = timedelta(hours=1)

pytestmark = pytest.mark.usefixtures("data_key")


@pytest.fixture
def approval_required(monkeypatch, api, earning, quiet):
    """A hub that asks for a second person, once the first versions decide."""
    monkeypatch.setenv("INTERLINE_RULE_APPROVAL", "required")
    settings.cache_clear()
    yield
    monkeypatch.undo()
    settings.cache_clear()


@pytest.fixture
def earning(database, data_key):
    """A partner whose member E1 earned 15 points under version 1 of its rule."""
    with database.write() as db:
        made = make_earning(db)
        earn(db, made)
    return made


@pytest.fixture
def quiet(database, data_key):
    """A partner whose rule has decided nothing yet."""
    with database.write() as db:
        return make_earning(db)


@pytest.fixture
def keys(database, earning) -> dict[str, str]:
    """The keys of an author, of an approver, and of users who are bound to the partner."""
    with database.write() as db:
        return {
            "author": make_user_key(db)[1],
            "approver": make_user_key(db, Role.APPROVER)[1],
            "viewer": make_user_key(db, Role.VIEWER)[1],
            "partner admin": make_user_key(db, partner_id=earning.partner.id)[1],
        }


@pytest.fixture
def path(earning) -> str:
    return f"/v1/rulesets/{earning.version.ruleset_code}"


def written(earning, rate: str = "2", **changes):
    return {"document": accrual_document(earning.version.ruleset_code, rate=rate, **changes)}


def save(api, keys, path, earning, rate: str = "2", **changes):
    return api.post(f"{path}/versions", written(earning, rate, **changes), key=keys["author"])


def points_of(database, earning, now) -> int:
    """What ten hours of 2 November earn when they are recorded now."""
    with database.write() as db:
        [recorded] = record(db, earning.partner, [event()], now=now)
    return recorded.points_minor


class TestTheWholeLife:
    @pytest.mark.usefixtures("approval_required")
    def test_goes_from_draft_to_decision_and_back(self, api, keys, path, earning, database, edge_clock):
        author, approver = {"key": keys["author"]}, {"key": keys["approver"]}
        promotion = {"effective_from": "2026-11-01", "reason": "appendix C"}

        saved = save(api, keys, path, earning)
        assert (saved.status, saved.json["version"], saved.json["ready"]) == (201, 2, True)

        assert api.post(f"{path}/versions/2/validate", **author).json["valid"] is True
        tested = api.post(f"{path}/versions/2/tests", **author).json
        assert (tested["ready"], tested["coverage"]["complete"]) == (True, True)

        refused = api.post(f"{path}/versions/2/promote", promotion, **author)
        assert (refused.status, refused.code) == (403, "approval_required")
        blind = api.post(f"{path}/versions/2/approve", {}, **approver)
        assert (blind.status, blind.code) == (422, "backtest_missing")

        with database.read() as db:
            draft = backtests.rulesets.by_number(db, earning.version.ruleset_code, 2)
        done = backtests.run(database, earning.partner.id, draft)
        seen = {"backtest_id": done.public_id, "effective_from": "2026-11-01", "note": "seen"}
        approved = api.post(f"{path}/versions/2/approve", seen, **approver)
        assert (approved.status, approved.json["valid"]) == (200, True)
        assert approved.json["result_hash"] == done.result_hash.hex()
        assert api.get(f"{path}/versions/2/approval", **author).json["promotable"] is True

        edge_clock.now += HOUR
        promoted = api.post(f"{path}/versions/2/promote", promotion, **author).json
        assert (promoted["changed"], promoted["decided_already"]) == (True, 1)
        assert promoted["approved_by"] == approved.json["approved_by"]
        assert promoted["decides"] == [
            {"effective_from": "2026-01-01", "version": 1},
            {"effective_from": "2026-11-01", "version": 2},
        ]
        assert api.post(f"{path}/versions/2/promote", promotion, **author).json["changed"] is False

        edge_clock.now += HOUR
        assert points_of(database, earning, edge_clock.now) == 2000
        edge_clock.now += HOUR
        taken_back = api.post(
            f"{path}/rollback", {"effective_from": "2026-11-01", "reason": "appendix C was not signed"}, **author
        ).json
        assert (taken_back["withdrawn_version"], taken_back["decided_meanwhile"]) == (2, 1)
        [decided] = taken_back["newest_decided"]
        assert (decided["points"], decided["event_date"]) == ("20.00", "2026-11-02")
        assert taken_back["decides"] == [{"effective_from": "2026-01-01", "version": 1}]

        edge_clock.now += HOUR
        assert points_of(database, earning, edge_clock.now) == 1500
        with database.read() as db:
            trail = [row.action for row in db.execute(select(audit_event.c.action).order_by(audit_event.c.seq))]
        assert [action for action in trail if action in {"ruleset.approved", "ruleset.rolled_back"}] == [
            "ruleset.approved",
            "ruleset.rolled_back",
        ]
        # What was decided stays as it was decided.
        shown = api.get(f"/v1/accruals/{decided['accrual_id']}", **author).json
        assert (shown["points"], shown["rule"]["number"]) == ("20.00", 2)

    @pytest.mark.usefixtures("approval_required")
    def test_a_new_back_test_of_other_data_makes_the_approval_void(self, api, keys, path, earning, database):
        save(api, keys, path, earning)
        with database.read() as db:
            draft = backtests.rulesets.by_number(db, earning.version.ruleset_code, 2)
        seen = {"backtest_id": backtests.run(database, earning.partner.id, draft).public_id}
        assert api.post(f"{path}/versions/2/approve", seen, key=keys["approver"]).status == 200
        with database.write() as db:
            earn(db, earning, 3)
        backtests.run(database, earning.partner.id, draft)

        refused = api.post(f"{path}/versions/2/promote", {"effective_from": "2026-12-01"}, key=keys["author"])
        standing = api.get(f"{path}/versions/2/approval", key=keys["author"]).json

        assert (refused.status, refused.code) == (403, "approval_void")
        assert {fault["pointer"] for fault in refused.json["faults"]} == {"/approval/data", "/approval/result"}
        assert (standing["promotable"], standing["approval"]["changed"]) == (False, ["data", "result"])

    @pytest.mark.usefixtures("approval_required")
    def test_a_back_test_that_is_not_the_latest_cannot_be_approved(self, api, keys, path, earning, database):
        save(api, keys, path, earning)
        with database.read() as db:
            draft = backtests.rulesets.by_number(db, earning.version.ruleset_code, 2)
        first = backtests.run(database, earning.partner.id, draft)
        backtests.run(database, earning.partner.id, draft)

        refused = api.post(f"{path}/versions/2/approve", {"backtest_id": first.public_id}, key=keys["approver"])

        assert (refused.status, refused.code) == (409, "other_backtest")

    @pytest.mark.usefixtures("approval_required")
    def test_who_was_approved_before_there_was_anything_to_back_test_needs_it_afterwards(
        self, api, keys, database, quiet
    ):
        path = f"/v1/rulesets/{quiet.version.ruleset_code}"
        save(api, keys, path, quiet)
        assert api.post(f"{path}/versions/2/approve", {}, key=keys["approver"]).status == 200
        with database.write() as db:
            earn(db, quiet)

        refused = api.post(f"{path}/versions/2/promote", {"effective_from": "2026-12-01"}, key=keys["author"])

        assert (refused.status, refused.code) == (422, "backtest_missing")
        assert len(api.get(path, key=keys["author"]).json["activations"]) == 1


class TestDrafts:
    def test_the_same_content_again_answers_200(self, api, keys, path, earning):
        first = save(api, keys, path, earning)
        again = save(api, keys, path, earning)

        assert (first.status, again.status) == (201, 200)
        assert again.json == {**first.json, "created": False}

    def test_may_have_red_cases_and_says_what_is_missing(self, api, keys, path, earning):
        saved = save(api, keys, path, earning, cases=[])

        assert (saved.status, saved.json["ready"]) == (201, False)
        assert "no_cases" in {fault["code"] for fault in saved.json["shut"]}

    def test_of_a_new_ruleset_makes_it(self, api, keys, database):
        with database.write() as db:
            make_partner(db, "newcomer")
        saved = api.post(
            "/v1/rulesets/newcomer.accrual/versions",
            {"document": accrual_document("newcomer.accrual")},
            key=keys["author"],
        )

        assert (saved.status, saved.json["version"]) == (201, 1)
        assert api.get("/v1/rulesets/newcomer.accrual", key=keys["author"]).json["live"] is None

    def test_that_is_no_rule_is_refused_with_its_places(self, api, keys, path, earning):
        refused = save(api, keys, path, earning, when={"==": [{"var": "statsu"}, "active"]})

        assert (refused.status, refused.code) == (422, "rule_refused")
        assert refused.json["faults"][0]["pointer"].startswith("/when")

    def test_of_another_ruleset_than_the_path_is_refused(self, api, keys, path, earning):
        document = {"document": accrual_document(f"{earning.partner.code}.other")}

        assert api.post(f"{path}/versions", document, key=keys["author"]).code == "other_ruleset"

    def test_by_who_is_bound_to_a_partner_is_of_that_partner_only(self, api, keys, path, earning):
        own = api.post(f"{path}/versions", written(earning), key=keys["partner admin"])
        shared = api.post(
            "/v1/rulesets/shared_rule/versions",
            {"document": accrual_document("shared_rule", partner=None)},
            key=keys["partner admin"],
        )

        assert own.status == 201
        assert (shared.status, shared.code) == (403, "shared_ruleset")


class TestWhatAllPartnersUse:
    @pytest.mark.parametrize(
        ("method", "path", "body"),
        [
            ("POST", "versions/1/approve", {}),
            ("POST", "versions/1/promote", {"effective_from": "2026-12-01"}),
            ("POST", "rollback", {"effective_from": "2026-12-01", "reason": "a test"}),
            ("PUT", "cases/four-hours", golden_case()),
            ("DELETE", "cases/four-hours", None),
        ],
    )
    def test_is_not_changed_by_who_is_bound_to_one(self, api, keys, method, path, body):
        made = api.post(
            "/v1/rulesets/shared_rule/versions",
            {"document": accrual_document("shared_rule", partner=None)},
            key=keys["author"],
        )
        assert made.status == 201

        refused = api.request(method, f"/v1/rulesets/shared_rule/{path}", body=body, key=keys["partner admin"])

        assert (refused.status, refused.code) == (403, "shared_ruleset")


class TestPromotion:
    def test_without_approval_on_a_local_hub(self, api, keys, path, earning):
        save(api, keys, path, earning)
        done = api.post(f"{path}/versions/2/promote", {"effective_from": "2026-12-01"}, key=keys["author"])

        assert (done.status, done.json["changed"], done.json["approved_by"]) == (200, True, None)

    def test_is_refused_while_a_golden_case_is_red_and_names_it(self, api, keys, path, earning):
        assert api.put(f"{path}/cases/four-hours", golden_case("1.5"), key=keys["author"]).status == 201
        save(api, keys, path, earning)

        refused = api.post(f"{path}/versions/2/promote", {"effective_from": "2026-12-01"}, key=keys["author"])

        assert (refused.status, refused.code) == (422, "gates_closed")
        assert refused.json["faults"][0]["pointer"] == "/golden/four-hours"
        assert "expected points = 6.00, got points = 8.00" in refused.json["faults"][0]["message"]

    def test_needs_the_scope_of_who_changes_rules(self, api, keys, path, earning):
        save(api, keys, path, earning)
        body = {"effective_from": "2026-12-01"}

        assert api.post(f"{path}/versions/2/promote", body, key=keys["approver"]).code == "scope_missing"
        assert api.post(f"{path}/versions/2/approve", {}, key=keys["viewer"]).code == "scope_missing"

    def test_of_the_author_by_a_second_key_is_refused(self, api, path, earning, database):
        with database.write() as db:
            author = make_user(db)
            first, second = (make_user_key(db, user=author)[1] for _ in range(2))
        assert api.post(f"{path}/versions", written(earning), key=first).status == 201
        with database.read() as db:
            draft = backtests.rulesets.by_number(db, earning.version.ruleset_code, 2)
        backtests.run(database, earning.partner.id, draft)

        refused = api.post(f"{path}/versions/2/approve", {}, key=second)

        assert (refused.status, refused.code) == (403, "own_approval")


class TestWhatIsTold:
    def test_of_a_rule_that_nothing_asks(self, api, keys, earning):
        unused = f"{earning.partner.code}.unused"
        api.post(f"/v1/rulesets/{unused}/versions", {"document": accrual_document(unused)}, key=keys["author"])
        done = api.post(
            f"/v1/rulesets/{unused}/versions/1/promote", {"effective_from": "2026-12-01"}, key=keys["author"]
        ).json

        assert (done["changed"], done["asked_by"]) == (True, [])
        assert done["notice"] == "No program names this ruleset: it decides nothing until one does."

    def test_of_a_rule_that_a_program_asks(self, api, keys, path, earning):
        save(api, keys, path, earning)
        done = api.post(f"{path}/versions/2/promote", {"effective_from": "2026-12-01"}, key=keys["author"]).json

        assert [(each["kind"], each["code"]) for each in done["asked_by"]] == [("program", "uniform")]
        assert done["notice"] is None

    def test_of_a_rollback_to_who_may_not_read_records_is_how_many(self, api, keys, path, earning, database):
        save(api, keys, path, earning)
        body = {"effective_from": "2026-11-01"}
        assert api.post(f"{path}/versions/2/promote", body, key=keys["author"]).status == 200
        with database.write() as db:
            earn(db, earning)
            blind = make_user_key(db, scopes={Scope.RULES_READ, Scope.RULES_WRITE})[1]

        done = api.post(f"{path}/rollback", body | {"reason": "a test"}, key=blind).json

        assert (done["decided_meanwhile"], done["newest_decided"]) == (1, [])

    @pytest.mark.usefixtures("approval_required")
    def test_of_a_version_is_promotable_only_when_it_could_be_promoted(self, api, keys, database, quiet):
        path = f"/v1/rulesets/{quiet.version.ruleset_code}"
        save(api, keys, path, quiet)
        assert api.post(f"{path}/versions/2/approve", {}, key=keys["approver"]).status == 200
        assert api.get(f"{path}/versions/2/approval", key=keys["author"]).json["promotable"] is True
        with database.write() as db:
            earn(db, quiet)

        told = api.get(f"{path}/versions/2/approval", key=keys["author"]).json

        assert (told["promotable"], told["approval"]["valid"]) == (False, True)
        assert [(fault["pointer"], fault["code"]) for fault in told["shut"]] == [("/backtest", "backtest_missing")]


class TestNumbers:
    @pytest.mark.parametrize("number", [2**31, 2**63, 10**30])
    def test_beyond_what_is_counted_are_refused(self, api, keys, path, number):
        author = {"key": keys["author"]}
        row = {"from_file": "fil_01m80ezmgbefm8btvg41ypyz86", "from_row": number}
        record = {"file_id": "fil_01m80ezmgbefm8btvg41ypyz86", "row_no": number}

        assert api.put(f"{path}/cases/one", row, **author).code == "body_invalid"
        assert api.post(f"{path}/versions/1/simulate", record, **author).code == "body_invalid"
        for name in ("from_version", "to_version"):
            assert api.get(f"{path}/diff", params={name: number}, **author).code == "query_malformed"
        assert api.get(f"{path}/versions/{number}", **author).status == 404
